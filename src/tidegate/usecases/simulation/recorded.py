"""
Making a recording of a rollout from its stored ticks. Only reads.

Ticks are added up to periods of some minutes; a phase, an attempt and a target each begin their own.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from tidegate.domain.health.readings import ArmTick
from tidegate.domain.plan.model import SignalKind
from tidegate.domain.quantities import RolloutId, TargetName
from tidegate.domain.rollout.model import Rollout
from tidegate.usecases.estimators.running import Stratum
from tidegate.usecases.evidence import TickRecord
from tidegate.usecases.outside import Outside
from tidegate.usecases.simulation.recording import (
    RecordedArm,
    RecordedPeriod,
    RecordedSignal,
    Recording,
)
from tidegate.usecases.simulation.scenario import Kind, Scenario
from tidegate.usecases.watch import read_tick

PERIOD: Final = timedelta(minutes=5)
"""Short enough to show a spike, long enough for a day to stay a page of numbers."""

_COUNTED: Final = frozenset({SignalKind.ERRORS, SignalKind.USAGE, SignalKind.LATENCY})


def record_rollout(outside: Outside, rollout_id: RolloutId) -> Recording:
    """
    Return the recording of a rollout, of all its attempts.

    Raises:
        NotFoundError: there is no such rollout.
        StoreError: the store can't be read, or holds ticks of another release.
    """
    with outside.store.begin(read_only=True) as transaction:
        rollout = transaction.rollout(rollout_id)
        stored = [
            tick
            for attempt in range(1, rollout.attempt + 1)
            for tick in transaction.ticks(rollout_id, attempt)
        ]
    return recording_of(rollout, [read_tick(tick) for tick in stored])


def recording_of(rollout: Rollout, ticks: Iterable[TickRecord]) -> Recording:
    """Return the recording that *ticks* of *rollout*, in order, amount to."""
    targets = {str(place): place.target for place in rollout.plan.placements()}
    kinds = {spec.name: spec.kind for phase in rollout.plan.phases for spec in phase.signals}
    change = ", ".join(f"{part.component}={part.to.name}" for part in rollout.change.components)
    return Recording(
        rollout=rollout.id,
        service=rollout.service,
        change=change,
        ended=rollout.state.value,
        periods=tuple(_periods(rollout, ticks, targets, kinds)),
    )


def scenario_of_recording(recording: Recording) -> Scenario:
    """Return *recording* as a scenario that repeats it."""
    return Scenario(
        name=f"rollout-{recording.rollout}",
        title=f"{recording.rollout} {recording.change} ({recording.ended.replace('_', ' ')})",
        kind=Kind.ROLLOUT,
        text=f"The rollout {recording.rollout} of {recording.service}, as it was recorded.",
        recording=recording,
    )


@dataclass(slots=True)
class _Sum:
    """What one signal of one target did in one period so far."""

    bounds: tuple[float, ...]
    arms: dict[bool, tuple[int, int, list[int]]] = field(default_factory=dict)

    def add(self, stratum: Stratum) -> None:
        self._add(stratum.candidate, is_candidate=True)
        self._add(stratum.baseline, is_candidate=False)

    def _add(self, arm: ArmTick, *, is_candidate: bool) -> None:
        total, bad, buckets = self.arms.get(is_candidate, (0, 0, [0] * len(arm.buckets)))
        summed = [mine + more for mine, more in zip(buckets, arm.buckets, strict=False)]
        self.arms[is_candidate] = (total + arm.total, bad + arm.bad, summed)

    def arm(self, *, is_candidate: bool) -> RecordedArm:
        total, bad, buckets = self.arms.get(is_candidate, (0, 0, []))
        return RecordedArm(total=total, bad=bad, buckets=tuple(buckets))


@dataclass(slots=True)
class _Open:
    """A period that ticks are still being added to."""

    began: datetime
    phase: tuple[int, datetime]
    ended: datetime
    sums: dict[tuple[TargetName, int], dict[str, _Sum]] = field(default_factory=dict)


def _periods(
    rollout: Rollout,
    ticks: Iterable[TickRecord],
    targets: dict[str, TargetName],
    kinds: dict[str, SignalKind],
) -> Iterator[RecordedPeriod]:
    running: _Open | None = None
    for tick in ticks:
        # Each attempt bakes its phases anew, so that when a phase began tells attempts apart as well.
        phase = (tick.phase_index, tick.phase_began_at)
        before = running
        if running is None or running.phase != phase:
            running = _Open(began=tick.phase_began_at, phase=phase, ended=tick.phase_began_at)
        elif tick.at - running.began > PERIOD:
            running = _Open(began=running.ended, phase=phase, ended=running.ended)
        if before is not None and before is not running:
            yield from _closed(before, rollout.created_at, kinds)
        _add(running, tick, targets, kinds)
        running.ended = tick.at
    if running is not None:
        yield from _closed(running, rollout.created_at, kinds)


def _add(
    running: _Open, tick: TickRecord, targets: dict[str, TargetName], kinds: dict[str, SignalKind]
) -> None:
    for given in tick.inputs:
        kind = kinds.get(given.signal)
        if kind not in _COUNTED:
            continue
        for stratum in given.strata:
            target = targets.get(stratum.placement)
            if target is None:
                continue
            signals = running.sums.setdefault((target, stratum.weight_bps), {})
            summed = signals.get(given.signal)
            if summed is None or summed.bounds != stratum.bounds:
                summed = signals[given.signal] = _Sum(bounds=stratum.bounds)
            summed.add(stratum)


def _closed(
    running: _Open, start: datetime, kinds: dict[str, SignalKind]
) -> Iterator[RecordedPeriod]:
    for (target, weight_bps), signals in running.sums.items():
        yield RecordedPeriod(
            target=target,
            begins=running.began - start,
            lasts=running.ended - running.began,
            weight_bps=weight_bps,
            signals=tuple(
                RecordedSignal(
                    name=name,
                    kind=kinds[name],
                    candidate=summed.arm(is_candidate=True),
                    baseline=summed.arm(is_candidate=False),
                    bounds=summed.bounds,
                )
                for name, summed in sorted(signals.items())
            ),
        )
