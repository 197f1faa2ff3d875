"""
What people, policies and the calendar say about a rollout, read for one decision of it.

Each part is worked out in a module of its own, from records in the store and nothing else: no gate is
asked and nobody is waited for here. `still_allowed` is the second look, inside the transaction that
records a rise, so that what was said meanwhile counts.
"""

from dataclasses import dataclass
from datetime import datetime

from tidegate.domain.approvals.model import VoidApproval
from tidegate.domain.calendar.seen import ALWAYS_OPEN, CalendarSeen
from tidegate.domain.emergency.model import Debt
from tidegate.domain.gates.model import GateSeen
from tidegate.domain.rollout.decisions import Ended, Observation
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import Rollout
from tidegate.domain.stops.model import Queued, StopOrder
from tidegate.errors import StateMovedError
from tidegate.ports.store import Transaction
from tidegate.usecases.approvals import is_reviewed, void_approvals
from tidegate.usecases.calendar import calendar_seen
from tidegate.usecases.debts import blocking_debts
from tidegate.usecases.gates import gates_seen
from tidegate.usecases.queue import ended_last, queued_behind
from tidegate.usecases.stops import stop_orders_for


@dataclass(frozen=True, slots=True, kw_only=True)
class Governance:
    """The part of an observation that comes from people, policies and the calendar."""

    stop_orders: tuple[StopOrder, ...]
    gates: tuple[GateSeen, ...]
    calendar: CalendarSeen
    void_approvals: tuple[VoidApproval, ...]
    debts: tuple[Debt, ...]
    queued: Queued | None
    ended: tuple[Ended, ...]
    is_reviewed: bool


def governance_of(transaction: Transaction, rollout: Rollout, now: datetime) -> Governance:
    """Return what is said about *rollout* at *now*; only what its state can depend on is read."""
    waits = rollout.state is State.WAITING
    bakes = rollout.state in (State.BAKING, State.HELD)
    begins = rollout.state is State.PLANNED
    queued = queued_behind(transaction, rollout, now) if begins else None
    moves = rollout.state not in (State.HALTED, State.RECOVERING) and not rollout.is_final
    return Governance(
        stop_orders=stop_orders_for(transaction, rollout) if moves else (),
        gates=gates_seen(transaction, rollout, now) if moves else (),
        calendar=calendar_seen(transaction, rollout, now) if waits or bakes else ALWAYS_OPEN,
        void_approvals=void_approvals(transaction, rollout, now) if waits else (),
        debts=blocking_debts(transaction, rollout, now) if waits else (),
        queued=queued,
        ended=ended_last(transaction, rollout) if begins and queued is None else (),
        is_reviewed=waits and is_reviewed(transaction, rollout, now),
    )


def still_allowed(transaction: Transaction, seen: Observation) -> None:
    """
    Check once more what could have been said since *seen*, before a rise is recorded.

    Raises:
        StateMovedError: something was: the rollout is to be looked at again.
    """
    rollout = seen.rollout
    now_said = governance_of(transaction, rollout, seen.now)
    before = (seen.stop_orders, seen.void_approvals, seen.debts, seen.gates, seen.is_reviewed)
    after = (
        now_said.stop_orders,
        now_said.void_approvals,
        now_said.debts,
        now_said.gates,
        now_said.is_reviewed,
    )
    # Only whether it is open: the words and the end of what closes it may change meanwhile.
    was_open, is_open = seen.calendar.is_open, now_said.calendar.is_open
    if before != after or was_open != is_open:
        raise StateMovedError(
            f"what is said about rollout {rollout.id} changed while its rise was decided",
            hint="it is looked at again at once",
        )
