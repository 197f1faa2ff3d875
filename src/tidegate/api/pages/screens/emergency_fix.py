"""
The third area of the page for emergencies: what goes faster than its plan, and what it takes to make it so.

Gathers only; who may declare, agree, close or waive is asked of the use cases, and by the commands again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from tidegate.api.pages.allowed import Allowed, access_to_act, is_theirs
from tidegate.api.pages.onlooker import Onlooker
from tidegate.api.shapes import emergencies as shapes
from tidegate.api.shapes.rollout import Rollout as RolloutShape
from tidegate.api.showing.emergencies import (
    show_debt,
    show_emergency,
    show_protocol,
    show_treatment,
)
from tidegate.api.showing.rollout import show_rollout
from tidegate.domain.access.permissions import Permission
from tidegate.domain.access.proof import IdentityMode
from tidegate.domain.emergency.model import Debt, Emergency
from tidegate.ports.store import Transaction
from tidegate.usecases.access import Access, access_in
from tidegate.usecases.emergencies import why_not_to_agree
from tidegate.usecases.emergency_close import why_not_to_close, why_not_to_waive
from tidegate.usecases.emergency_drill import DrillRecord, last_drill
from tidegate.usecases.emergency_look import EmergencyLook, look_at_emergency
from tidegate.usecases.emergency_records import (
    EMERGENCIES,
    protocols_in_force,
    resource_of_emergency,
    sees_emergency,
)
from tidegate.usecases.policies import person_behind, policy_in_force
from tidegate.usecases.reading import readable_services
from tidegate.usecases.resources import resource_of_service

MOST_OPEN: Final = 20
MOST_CLOSED: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class DebtCard:
    """One debt. `waive` is None where giving it up isn't theirs to say."""

    debt: shapes.Debt
    waive: Allowed | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EmergencyCard:
    """
    One emergency with all that there is to do about it.

    `treatment` is None where it can't be worked out; `why_unknown` says why. `agree` and `close` are None
    where they aren't theirs. `left_seconds` is how long its authority lasts, 0 when it is over.
    """

    emergency: shapes.Emergency
    treatment: shapes.Treatment | None
    why_unknown: str
    members: Sequence[tuple[str, tuple[str, ...] | None]]
    debts: Sequence[DebtCard]
    rollouts: Sequence[RolloutShape]
    agree: Allowed | None
    close: Allowed | None
    left_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeCard:
    """A type of emergency, and when it was last drilled."""

    protocol: shapes.Protocol
    last: DrillRecord | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FixArea:
    """What goes faster, what may go faster, and for which services whoever looks can say so."""

    cards: Sequence[EmergencyCard]
    more: int
    closed: Sequence[shapes.Emergency]
    types: Sequence[TypeCard]
    services: Sequence[str]


def fix_area(
    transaction: Transaction, onlooker: Onlooker, now: datetime, names: IdentityMode
) -> FixArea:
    """Return the third area as *onlooker* may see it, where names are worth what *names* says."""
    access = access_in(transaction, onlooker.caller, now)
    acting = access_to_act(transaction, onlooker, now)
    found = [
        one for one in EMERGENCIES.open(transaction) if sees_emergency(transaction, access, one)
    ]
    latest = EMERGENCIES.latest(transaction, limit=MOST_OPEN + MOST_CLOSED)
    closed = [one for one in latest if not one.is_open and sees_emergency(transaction, access, one)]
    organisation = onlooker.caller.organisation
    return FixArea(
        cards=[emergency_card(transaction, onlooker, one, now, names) for one in found[:MOST_OPEN]],
        more=max(len(found) - MOST_OPEN, 0),
        closed=[show_emergency(one, now=now) for one in closed[:MOST_CLOSED]],
        types=[
            TypeCard(
                protocol=show_protocol(one), last=last_drill(transaction, one.type, organisation)
            )
            for one in protocols_in_force(transaction, organisation)
        ],
        services=_declarable(transaction, access, acting),
    )


def emergency_card(
    transaction: Transaction,
    onlooker: Onlooker,
    emergency: Emergency,
    now: datetime,
    names: IdentityMode,
) -> EmergencyCard:
    """Return *emergency* with what *onlooker* can do about it."""
    acting = access_to_act(transaction, onlooker, now)
    where = resource_of_emergency(transaction, emergency)
    look = look_at_emergency(transaction, emergency, names)
    agree = close = None
    if emergency.is_open and acting is not None:
        if is_theirs(acting, Permission.EMERGENCY_APPROVE, where):
            why_not = why_not_to_agree(transaction, acting.caller, emergency, now)
            agree = Allowed(name="agree", why_not=why_not)
        if is_theirs(acting, Permission.EMERGENCY_DECLARE, where):
            close = Allowed(name="close", why_not=why_not_to_close(transaction, emergency))
    return EmergencyCard(
        emergency=show_emergency(emergency, now=now),
        treatment=None if look.shortened is None else show_treatment(look.shortened),
        why_unknown=look.why_unknown,
        members=look.members,
        debts=[_debt_card(transaction, look, acting, one, now) for one in look.debts],
        rollouts=[show_rollout(transaction.rollout(one), now=now) for one in emergency.rollouts],
        agree=agree,
        close=close,
        left_seconds=max((emergency.expires_at - now).total_seconds(), 0.0),
    )


def _debt_card(
    transaction: Transaction,
    look: EmergencyLook,
    acting: Access | None,
    debt: Debt,
    now: datetime,
) -> DebtCard:
    where = resource_of_emergency(transaction, look.emergency)
    shown = show_debt(debt, now=now)
    if acting is None or not debt.is_unpaid or not is_theirs(acting, Permission.DEBT_SETTLE, where):
        return DebtCard(debt=shown, waive=None)
    person = person_behind(policy_in_force(transaction, debt.organisation), acting.caller)
    if person is None:
        why_not = f"no person stands behind {acting.caller.name}"
    else:
        why_not = why_not_to_waive(transaction, debt, look.emergency, acting.caller, person)
    return DebtCard(debt=shown, waive=Allowed(name="waive", why_not=why_not))


def _declarable(transaction: Transaction, access: Access, acting: Access | None) -> Sequence[str]:
    """Return the services for which whoever looks may declare an emergency."""
    return [
        str(record.name)
        for record in readable_services(transaction, access)
        if (where := resource_of_service(transaction, record.name)) is not None
        and is_theirs(acting, Permission.EMERGENCY_DECLARE, where)
    ]
