"""
What the buttons of a page are for: what somebody may do to a rollout, and why they can't do the rest.

A button that is missing says that it isn't theirs to do; one that is disabled says why not now, in the
words of the command that would refuse. Neither is a check: the command rules again, on what is true then.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from tidegate.api.pages.onlooker import Onlooker, may
from tidegate.api.showing.rollout import actions
from tidegate.api.state import ServerState
from tidegate.domain.access.model import Caller, Resource
from tidegate.domain.access.permissions import Permission
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import ReasonCode, Rollout
from tidegate.ports.store import Transaction
from tidegate.usecases.access import Access, access_in
from tidegate.usecases.approve import approved_phase
from tidegate.usecases.awaited import awaited
from tidegate.usecases.in_the_way import in_the_way, may_go_back
from tidegate.usecases.policies import person_behind, policy_in_force
from tidegate.usecases.resources import resource_of_rollout

_PERMISSIONS: Final = {
    "halt": Permission.HALT,
    "rollback": Permission.ROLLBACK,
    "resume": Permission.RESUME,
    "approve": Permission.APPROVE,
    "reject": Permission.APPROVE,
    "abandon": Permission.ABANDON,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """One action that a page offers. `why_not` is why it is disabled, empty for one that can be taken."""

    name: str
    why_not: str = ""


def allowed_actions(
    server: ServerState, onlooker: Onlooker, rollout: Rollout
) -> tuple[Allowed, ...]:
    """
    Return what *onlooker* may do to *rollout* in the state that it is in, in the order of buttons.

    Raises:
        StoreError: it can't be looked up.
    """
    where = resource_of_rollout(rollout)
    theirs = [name for name in actions(rollout) if may(server, onlooker, _PERMISSIONS[name], where)]
    actor = onlooker.actor
    if actor is None or not theirs:
        return ()
    outside = server.outside
    with outside.store.begin(read_only=True) as transaction:
        return tuple(
            Allowed(name=name, why_not=_why_not(transaction, server, actor, rollout, name))
            for name in theirs
        )


def _why_not(
    transaction: Transaction, server: ServerState, actor: Caller, rollout: Rollout, name: str
) -> str:
    match name:
        case "approve":
            phase_index = approved_phase(rollout)
            if phase_index is None:
                return ""
            now = server.outside.clock.now()
            return awaited(transaction, rollout, phase_index, actor, now).why_not
        case "reject":
            policy = policy_in_force(transaction, rollout.organisation)
            nobody = person_behind(policy, actor) is None
            return f"no person stands behind {actor.name}" if nobody else ""
        case "abandon":
            withdrawing = rollout.waiting_on.reason is ReasonCode.WITHDRAWING
            return "it is still being withdrawn" if withdrawing else ""
        case "rollback" if rollout.state is State.COMPLETED:
            came = in_the_way(transaction, rollout)
            return "" if came is None else _came_later(came)
        case _:
            return ""


def _came_later(came: Rollout) -> str:
    if may_go_back(came):
        return f"rollout {came.id} is newer: roll that back"
    return f"an earlier version was brought back since, last by rollout {came.id}"


def access_to_act(transaction: Transaction, onlooker: Onlooker, now: datetime) -> Access | None:
    """Return what *onlooker*'s forms may do at *now*, for asking about many things; None if nothing."""
    return None if onlooker.actor is None else access_in(transaction, onlooker.actor, now)


def is_theirs(access: Access | None, permission: Permission, where: Resource) -> bool:
    """Return whether *access* (of whoever looks) holds *permission* there. The command asks again."""
    return access is not None and access.ruling(permission, where).is_allowed
