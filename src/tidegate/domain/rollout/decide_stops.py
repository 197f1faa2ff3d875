"""
What stops a rollout: harm that is proven, cut-offs, alarms, orders, gates that were put off and turned red.

Nothing here raises exposure. Whether what was stopped goes back is decided in `decide_ending`.
"""

from tidegate.domain.health.evidence import Verdict
from tidegate.domain.plan.model import Effect
from tidegate.domain.rollout.alarms import describe
from tidegate.domain.rollout.decisions import HaltNow, Observation
from tidegate.domain.rollout.judged import judged
from tidegate.domain.rollout.model import HaltCause
from tidegate.domain.rollout.obstacles import red_deferred_gates
from tidegate.domain.rollout.seen import (
    alarms_with,
    count_trips,
    latched_elsewhere,
    phase_in_force,
    phase_index_in_force,
)
from tidegate.domain.stops.model import describe as describe_order


def halt_latched_elsewhere(seen: Observation) -> HaltNow | None:
    """
    A stop that was made at a target without the store: the store follows it.

    Such a stop is latched above every generation the store can have issued; one that the store made
    itself is latched at the generation it issued for it.
    """
    latched = latched_elsewhere(seen)
    if latched is None:
        return None
    # Whoever found harm may have stopped it and not lived to record why: the evidence still says so.
    return (
        halt_for_harm(seen)
        or halt_from_outside(seen)
        or HaltNow(rule="stop-latched-at-target", because=latched, cause=HaltCause.PERSON)
    )


def halt_for_harm(seen: Observation) -> HaltNow | None:
    """Return the halt that the phase in force has earned: by being cut off, or by harm that is proven."""
    rollout = seen.rollout
    phase = phase_in_force(rollout)
    if phase is None:
        return None
    stop = halt_for_trip(seen)
    if stop is not None:
        return stop
    judgement = judged(seen, phase)
    if judgement.verdict is not Verdict.FAIL:
        return None
    because = "; ".join(judgement.reasons)
    return HaltNow(rule="harm-proven", because=because, cause=HaltCause.HARM)


def halt_from_outside(seen: Observation) -> HaltNow | None:
    """Return the halt that an alarm, a stop order or a gate that was put off asks for, if one does."""
    return _halt_for_alarm(seen) or _halt_by_order(seen) or _halt_for_gate(seen)


def _halt_for_alarm(seen: Observation) -> HaltNow | None:
    alarms = alarms_with(seen, Effect.HALT)
    if not alarms:
        return None
    because = "; ".join(map(describe, alarms))
    return HaltNow(rule="alarm", because=because, cause=HaltCause.ALARM)


def _halt_by_order(seen: Observation) -> HaltNow | None:
    orders = [order for order in seen.stop_orders if order.withdraw]
    if not orders:
        return None
    because = "; ".join(map(describe_order, orders))
    return HaltNow(rule="stop-order", because=because, cause=HaltCause.STOP_ORDER)


def _halt_for_gate(seen: Observation) -> HaltNow | None:
    red = red_deferred_gates(seen)
    if not red:
        return None
    because = "; ".join(f"{gate.spec.name} turned red: {gate.because}" for gate in red)
    return HaltNow(rule="deferred-gate", because=because, cause=HaltCause.GATE)


def halt_for_trip(seen: Observation) -> HaltNow | None:
    """Return the halt of a candidate that was cut off or restarted since its bake began."""
    index = phase_index_in_force(seen.rollout)
    trips = 0 if index is None else count_trips(seen, index)
    if trips <= seen.rollout.trips_before:
        return None
    return HaltNow(
        rule="circuit-breaker",
        because=f"the candidate was cut off or restarted {trips - seen.rollout.trips_before} time(s)"
        " since the bake began",
        cause=HaltCause.HARM,
    )
