"""
What lies ahead of a rollout: its next rise and when, what that still needs, and whom a fault would hurt.

Made when somebody looks, from the meter, the calendar and the traffic on record; nobody is asked. What
can't be foreseen is None and is said to be unknown. Decides nothing, changes nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tidegate.domain.health.evidence import Evidence
from tidegate.domain.health.meter import Meter
from tidegate.domain.health.progress import Progress, progress
from tidegate.domain.plan.model import Phase, ServiceSpec
from tidegate.domain.plan.traffic import ServiceTraffic
from tidegate.domain.quantities import Exposure, Placement
from tidegate.domain.rollout.decisions import Observation
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import Rollout
from tidegate.domain.rollout.seen import (
    certified_before,
    evidence_in_force,
    phase_in_force,
    phase_index_in_force,
    valid_approvals,
)
from tidegate.usecases.calendar_forecast import plan_calendar
from tidegate.usecases.forecast import PhaseForecast, forecast_phase
from tidegate.usecases.outside import Outside
from tidegate.usecases.service_health import stored_spec
from tidegate.usecases.traffic import stored_traffic


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """
    One thing that the next rise still needs.

    `what` is what it is, `takes` how long it is expected to take, None where that can't be said. `by`
    is who must act, empty where nobody must.
    """

    what: str
    takes: timedelta | None
    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NextRise:
    """
    The rise that comes next; the end of the rollout after its last phase.

    `phase` is the phase that begins with it, None for the end. `at` is when it is expected if all goes
    well and whoever must act has done so by then; None where one of `needs` has no end in sight.
    """

    phase: Phase | None
    needs: tuple[Need, ...]
    at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Blast:
    """
    Whom a fault would hurt: in the phase in force, and in the next.

    Both are None where there is no such phase. `traffic` is what the numbers rest on, None for nothing.
    """

    now: PhaseForecast | None
    following: PhaseForecast | None
    traffic: ServiceTraffic | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ahead:
    """All that lies ahead of a rollout. `rise` is None where nothing rises any more, or not by itself."""

    rise: NextRise | None
    blast: Blast
    progress: Progress | None


def look_ahead(outside: Outside, rollout: Rollout, evidence: Evidence, meter: Meter) -> Ahead:
    """Return what lies ahead of *rollout*; *evidence* and *meter* are of the same instant as it."""
    now = outside.clock.now()
    known = evidence_in_force(
        Observation(now=now, rollout=rollout, placements=(), evidence=evidence)
    )
    with outside.store.begin(read_only=True) as transaction:
        spec = replace(
            stored_spec(transaction, rollout.service),
            plan=rollout.plan,
            targets=rollout.targets,
            components=rollout.components,
        )
        targets = {target.name for target in rollout.targets}
        traffic = stored_traffic(transaction, rollout.service, targets, now)
    in_force = phase_in_force(rollout)
    far = None
    if in_force is not None and not rollout.is_return:
        far = _far(rollout, in_force, known)
    return Ahead(
        rise=_rise(outside, rollout, spec, known, meter),
        blast=_blast(rollout, traffic, now),
        progress=far,
    )


def next_phase_index(rollout: Rollout) -> int | None:
    """Return the index of the phase that begins next, None where none does."""
    if rollout.is_return or rollout.is_final:
        return None
    match rollout.state:
        case State.PLANNED | State.WAITING:
            return rollout.phase_index
        case State.APPLYING | State.BAKING | State.HELD:
            index = rollout.phase_index + 1
            return index if index < len(rollout.plan.phases) else None
        case _:
            return None


def exposures(phase: Phase) -> dict[Placement, Exposure]:
    """Return what *phase* exposes where it moves anything."""
    return {move.placement: move.exposure for move in phase.moves}


def _far(rollout: Rollout, phase: Phase, known: Evidence) -> Progress:
    beta = rollout.plan.budget.beta
    return progress(known, phase=phase, beta=beta, carried=certified_before(rollout))


# --- the next rise ---------------------------------------------------------------------------


def _rise(
    outside: Outside, rollout: Rollout, spec: ServiceSpec, known: Evidence, meter: Meter
) -> NextRise | None:
    moves_on = (State.WAITING, State.APPLYING, State.BAKING, State.HELD)
    if rollout.is_return or rollout.is_install or rollout.state not in moves_on:
        return None
    index = next_phase_index(rollout)
    following = None if index is None else rollout.plan.phases[index]
    needs = [*_bake_needs(rollout, known, meter), *_approval_needs(rollout, index)]
    if rollout.state is State.HELD:
        # Nobody can say when: it ends with its cause, which may be never.
        needs.insert(0, Need(what="the end of the hold", takes=None))
    if any(need.takes is None and not need.by for need in needs):
        return NextRise(phase=following, needs=tuple(needs), at=None)
    ready = meter.at + max((need.takes for need in needs if need.takes), default=timedelta(0))
    at: datetime | None = ready
    calendar = plan_calendar(outside, spec)
    covered = calendar.covered_at(rollout.phase_index, rollout.phase_since)
    if rollout.state is not State.WAITING and covered is not None and covered > ready:
        needs.append(Need(what="a whole working day", takes=covered - meter.at))
        ready = at = covered
    if index is not None:
        # Not before the calendar is open, whoever else has agreed.
        at = calendar.opens_at(index, ready)
        if at is None:
            needs.append(Need(what="an open window: none is in sight", takes=None))
        elif at > ready:
            needs.append(Need(what="the window", takes=at - meter.at))
    return NextRise(phase=following, needs=tuple(needs), at=at)


def _bake_needs(rollout: Rollout, known: Evidence, meter: Meter) -> Iterator[Need]:
    if rollout.state is State.WAITING:
        return
    phase = rollout.phase
    # While it is applied, what is known is of the phase before.
    begun = rollout.state is not State.APPLYING
    evidence = known if begun and phase_index_in_force(rollout) == rollout.phase_index else None
    baked = timedelta(0) if evidence is None else evidence.baked_for
    left = phase.bake - baked
    if evidence is None or evidence.warming:
        left += rollout.plan.warm_up
    if left > timedelta(0):
        yield Need(what="bake", takes=left)
    if evidence is None:
        return
    yield from _exercise_needs(phase, evidence, baked)
    if phase.exposes_users and phase.has_concurrent_baseline:
        yield from _proof_needs(phase, meter, _far(rollout, phase, evidence))
    if phase.coverage is not None and evidence.coverage is None:
        yield Need(what="coverage: no use seen yet", takes=None)


def _exercise_needs(phase: Phase, evidence: Evidence, baked: timedelta) -> Iterator[Need]:
    counted = {one.name: one.count for one in evidence.exercises}
    for spec in phase.exercises:
        count = counted.get(spec.name, 0)
        if count >= spec.minimum_count:
            continue
        takes = None
        if count > 0 and baked > timedelta(0):
            takes = baked * ((spec.minimum_count - count) / count)
        yield Need(what=f"exercise {spec.name}: {count:,} of {spec.minimum_count:,}", takes=takes)


def _proof_needs(phase: Phase, meter: Meter, far: Progress) -> Iterator[Need]:
    measured = {one.evidence.signal: one for one in meter.signals}
    share = {one.name: one.share for one in far.demands}
    for spec in phase.signals:
        if spec.gate and share[spec.name] < 1.0:
            one = measured.get(spec.name)
            yield Need(
                what=f"proof of {spec.name}: {share[spec.name]:.0%}",
                takes=None if one is None else one.proof_in,
            )


def _approval_needs(rollout: Rollout, index: int | None) -> Iterator[Need]:
    if index is None:
        return
    phase = rollout.plan.phases[index]
    given = sum(one.is_yes for one in valid_approvals(rollout, index))
    if phase.approvals > given:
        yield Need(
            what=f"approval of {phase.name}: {given} of {phase.approvals}",
            takes=None,
            by=phase.approvers,
        )


# --- whom a fault would hurt -----------------------------------------------------------------


def _blast(rollout: Rollout, traffic: ServiceTraffic | None, now: datetime) -> Blast:
    def foreseen(index: int | None) -> PhaseForecast | None:
        if index is None or rollout.is_return:
            return None
        return forecast_phase(
            rollout.plan, index, traffic, begins_at=now, is_install=rollout.is_install
        )

    return Blast(
        now=foreseen(phase_index_in_force(rollout)),
        following=foreseen(next_phase_index(rollout)),
        traffic=traffic,
    )
