"""
What the buttons of a page are for: what somebody may do to a rollout, and why they can't do the rest.

A button that is missing says that it isn't theirs to do; one that is disabled says why not now. Neither
is a check: the command rules again, on what is true then.
"""

from dataclasses import dataclass
from typing import Final

from tidegate.api.pages.onlooker import Onlooker, may
from tidegate.api.showing.rollout import actions
from tidegate.api.state import ServerState
from tidegate.domain.access.permissions import Permission
from tidegate.domain.rollout.model import Rollout
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
    """Return what *onlooker* may do to *rollout* in the state that it is in, in the order of buttons."""
    where = resource_of_rollout(rollout)
    return tuple(
        Allowed(name=name, why_not=_why_not(onlooker, rollout, name))
        for name in actions(rollout)
        if may(server, onlooker, _PERMISSIONS[name], where)
    )


def _why_not(onlooker: Onlooker, rollout: Rollout, name: str) -> str:
    actor = onlooker.actor
    if name in ("approve", "reject") and actor is not None and _is_own(rollout, actor.person):
        return "nobody approves their own change"
    return ""


def _is_own(rollout: Rollout, person: str | None) -> bool:
    return person is not None and person == rollout.created_by_person
