"""
What keeps exposure from rising that is neither evidence nor time: orders, debts, gates, windows, people.

Rule: everything here can only make a rollout wait. Nothing that withdraws, recovers or brings back asks
any of it, so that no gate, window, queue or approval can ever stop a move down.
"""

from tidegate.domain.durations import rough_duration
from tidegate.domain.emergency.protocol import OF_THE_SURROUNDINGS
from tidegate.domain.gates.model import GateSeen, GateState
from tidegate.domain.rollout.decisions import Hold, Observation
from tidegate.domain.rollout.holds import hold
from tidegate.domain.rollout.model import (
    Approval,
    ReasonCode,
    Rollout,
    WhoCanAct,
)
from tidegate.domain.rollout.seen import valid_approvals
from tidegate.domain.stops.model import describe


def before_anyone(seen: Observation) -> Hold | None:
    """Return what keeps *seen*'s rollout from being served to anyone at all, internal users included."""
    return _stop_order(seen) or _debt(seen) or _gate(seen)


def before_users(seen: Observation) -> Hold | None:
    """Return what keeps the phase that is waited for from beginning, once nothing else does."""
    return _window(seen) or _approval(seen)


def stop_order_in_words(seen: Observation) -> str:
    """Return the stop orders that cover the rollout, in words; empty when there is none."""
    return "; ".join(map(describe, seen.stop_orders))


def red_deferred_gates(seen: Observation) -> tuple[GateSeen, ...]:
    """
    Return the gates that an emergency put off and that have turned red since.

    Not those that ask about the surroundings: that they are red is what the emergency shall mend.
    """
    return tuple(
        gate
        for gate in seen.gates
        if gate.spec.is_deferred
        and gate.state is GateState.RED
        and gate.spec.kind not in OF_THE_SURROUNDINGS
    )


def counting_approvals(seen: Observation) -> tuple[Approval, ...]:
    """Return the approvals of the phase that is waited for that count now: one yes per person."""
    return tuple(one for one in _standing(seen) if one.is_yes)


def _standing(seen: Observation) -> list[Approval]:
    """Return who said yes or no to the phase that is waited for. Only a yes can lapse."""
    rollout = seen.rollout
    void = {(one.by, one.at) for one in seen.void_approvals}
    return [
        one
        for one in valid_approvals(rollout, rollout.phase_index)
        if not one.is_yes
        or ((one.by, one.at) not in void and (one.expires_at is None or seen.now < one.expires_at))
    ]


def _stop_order(seen: Observation) -> Hold | None:
    ordered = stop_order_in_words(seen)
    if not ordered:
        return None
    return hold("stop-order", ordered, ReasonCode.STOP_ORDER, who=WhoCanAct.OPERATOR)


def _debt(seen: Observation) -> Hold | None:
    if not seen.debts or seen.rollout.emergency_id is not None:
        return None
    owed = "; ".join(
        f"{debt.gate} of emergency {debt.emergency_id} is overdue by"
        f" {rough_duration(seen.now - debt.due_at)} (owner {debt.owner})"
        for debt in seen.debts
    )
    return hold("debts-settled", owed, ReasonCode.DEBT, who=WhoCanAct.OPERATOR)


def _gate(seen: Observation) -> Hold | None:
    missing = [gate for gate in seen.gates if not gate.is_green and not gate.spec.is_deferred]
    if not missing:
        return None
    because = "; ".join(f"{gate.spec.name} is {gate.state}: {gate.because}" for gate in missing)
    return hold("gates-green", because, ReasonCode.GATE, who=WhoCanAct.OPERATOR)


def _window(seen: Observation) -> Hold | None:
    calendar = seen.calendar
    if calendar.is_open:
        return None
    return hold("window", calendar.closed_because, ReasonCode.WINDOW, until=calendar.opens_at)


def _approval(seen: Observation) -> Hold | None:
    rollout = seen.rollout
    rejected = [one for one in _standing(seen) if not one.is_yes]
    if rejected:
        said = "; ".join(f"{one.by}: {one.comment or 'no comment'}" for one in rejected)
        because = f"{rollout.phase.name} was rejected by {said}"
        return hold("approval", because, ReasonCode.APPROVAL, who=WhoCanAct.APPROVER)
    if rollout.phase.unless_reviewed and seen.is_reviewed:
        return None
    missing = rollout.phase.approvals - len(counting_approvals(seen))
    if missing <= 0:
        return None
    because = (
        f"{rollout.phase.name} needs {missing} more approval{'s' if missing > 1 else ''}"
        f" ({rollout.phase.approvers}{', or a green review' if rollout.phase.unless_reviewed else ''})"
    )
    lapsed = _lapsed(seen, rollout)
    if lapsed:
        because += f"; {lapsed}"
    return hold("approval", because, ReasonCode.APPROVAL, who=WhoCanAct.APPROVER)


def _lapsed(seen: Observation, rollout: Rollout) -> str:
    void = [f"that of {one.by} doesn't count: {one.because}" for one in seen.void_approvals]
    old = [
        f"that of {one.by} has expired"
        for one in valid_approvals(rollout, rollout.phase_index)
        if one.expires_at is not None and seen.now >= one.expires_at
    ]
    return "; ".join(void + old)
