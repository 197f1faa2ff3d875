"""
From what the sources answered to one tick of a rollout: differences, and what is missing.

A reading that is late, repeated or out of order is no tick: it is refused or changes nothing. Of the
members of an arm only what some test asks for is kept, because ticks are stored.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tidegate.domain.health.coverage import CellCount
from tidegate.domain.health.readings import (
    ArmTick,
    Gap,
    Quality,
    Reading,
    Tick,
    difference,
    ticks_by_group,
    uses_by_group,
)
from tidegate.domain.plan.model import (
    Counting,
    CoverageSpec,
    ExerciseSpec,
    Noise,
    SignalKind,
    SignalSpec,
)
from tidegate.domain.quantities import FULL_WEIGHT_BPS, Placement
from tidegate.errors import SignalSourceError
from tidegate.usecases.coverage import cell_counts
from tidegate.usecases.evidence import ExerciseInput, SignalInput
from tidegate.usecases.sequential import Stratum
from tidegate.usecases.watch_queries import Asked

Answer = Reading | SignalSourceError | None
"""What a source said to one query; None when it has nothing for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """What one look brought: the inputs of signals and exercises, and the uses per cell."""

    inputs: tuple[SignalInput, ...]
    exercises: tuple[ExerciseInput, ...]
    cells: tuple[CellCount, ...]


@dataclass(slots=True)
class Readings:
    """
    The last reading of each query of one rollout in one phase.

    `lost` tells that a source had nothing for a query at the last look: the members may have other
    names by now.
    """

    last: dict[tuple[str, Placement], Reading] = field(default_factory=dict)
    lost: bool = False

    def gather(
        self,
        asked: Sequence[Asked],
        answers: Sequence[Answer],
        *,
        at: datetime,
        stale_after: timedelta,
        signals: Sequence[SignalSpec],
        exercises: Sequence[ExerciseSpec],
    ) -> Gathered:
        """Return what *answers* say since the last look, and remember them for the next."""
        self.lost = False
        parts: dict[str, list[tuple[Stratum, ...] | Gap]] = {spec.name: [] for spec in signals}
        used = {spec.name: 0 for spec in exercises}
        cells: list[CellCount] = []
        for one, answer in zip(asked, answers, strict=True):
            pair = self._pair(one, answer, at=at, stale_after=stale_after)
            match one.spec:
                case SignalSpec():
                    parts[one.spec.name].append(_strata(one.spec, one, pair))
                case ExerciseSpec():
                    used[one.spec.name] += _uses(pair)
                case CoverageSpec():
                    cells += _cells(one.spec, one, pair)
        return Gathered(
            inputs=tuple(_input(name, found) for name, found in parts.items()),
            exercises=tuple(ExerciseInput(name=n, count=c) for n, c in used.items()),
            cells=tuple(cells),
        )

    def _pair(
        self, one: Asked, answer: Answer, *, at: datetime, stale_after: timedelta
    ) -> tuple[Reading, Reading] | Gap | None:
        """Return two readings to compare, why there are none, or None when nothing is new yet."""
        if isinstance(answer, SignalSourceError):
            return Gap(quality=Quality.MISSING, why=answer.message)
        if answer is None:
            self.lost = True
            return Gap(quality=Quality.MISSING, why=f"{one.query.source} has nothing for it")
        if at - answer.at > stale_after:
            return Gap(quality=Quality.STALE, why=f"last measured at {answer.at.isoformat()}")
        if answer.at - at > stale_after:
            # Kept, it would make every honest reading after it look old, and silence look good.
            return Gap(
                quality=Quality.CONTRADICTORY, why=f"measured at {answer.at.isoformat()}, later"
            )
        key = (one.query.signal, one.query.placement)
        previous = self.last.get(key)
        if previous is not None and answer.at <= previous.at:
            return None
        self.last[key] = answer
        return None if previous is None else (previous, answer)


def _strata(
    spec: SignalSpec, one: Asked, pair: tuple[Reading, Reading] | Gap | None
) -> tuple[Stratum, ...] | Gap:
    if pair is None or isinstance(pair, Gap):
        return pair or ()
    needs_baseline = one.weight_bps < FULL_WEIGHT_BPS and spec.kind is not SignalKind.LIMIT
    ticks = ticks_by_group(
        *pair,
        needs_baseline=needs_baseline,
        with_members=_looks_at_members(spec),
        needs_all=spec.kind in _BY_ASSIGNED_SHARE,
    )
    if isinstance(ticks, Gap):
        return ticks
    for tick in ticks:
        unknown = _without_gauge(spec, tick)
        if unknown is not None:
            return Gap(quality=Quality.MISSING, why=f"no value of {unknown}")
    return tuple(_stratum(spec, one, tick) for tick in ticks)


def _stratum(spec: SignalSpec, one: Asked, tick: Tick) -> Stratum:
    is_gauge = spec.kind in _GAUGES
    candidate, baseline = tick.candidate, tick.baseline
    # One series has no peers: there is nothing to be said of it that its arm doesn't say.
    if not is_gauge and len(candidate.members) < 2:
        candidate = _without_members(candidate)
    if not is_gauge and spec.noise is not Noise.CLUSTERED:
        baseline = _without_members(baseline)
    return Stratum(
        placement=str(one.query.placement),
        weight_bps=one.weight_bps,
        candidate=candidate,
        baseline=baseline,
        bounds=tick.bounds,
        group=tick.group,
    )


_BY_ASSIGNED_SHARE = frozenset({SignalKind.USAGE, SignalKind.TRAFFIC})
_GAUGES = frozenset({SignalKind.SATURATION, SignalKind.LIMIT})


def _looks_at_members(spec: SignalSpec) -> bool:
    """Return whether a test of *spec* looks at single members: at their values, silence or noise."""
    counts_requests = spec.kind in (SignalKind.ERRORS, SignalKind.TRAFFIC)
    hears_silence = counts_requests and spec.counting is Counting.EVENTS
    return spec.kind in _GAUGES or hears_silence or spec.noise is Noise.CLUSTERED


def _without_gauge(spec: SignalSpec, tick: Tick) -> str | None:
    """Return a member of which there is no value although *spec* is about values."""
    if spec.kind not in _GAUGES:
        return None
    members = (*tick.candidate.members, *tick.baseline.members)
    return next((member.name for member in members if member.gauge is None), None)


def _without_members(arm: ArmTick) -> ArmTick:
    return ArmTick(total=arm.total, bad=arm.bad, buckets=arm.buckets)


def _uses(pair: tuple[Reading, Reading] | Gap | None) -> int:
    if pair is None or isinstance(pair, Gap):
        return 0
    found = difference(*pair, needs_baseline=False)
    return 0 if isinstance(found, Gap) else found.candidate.total


def _cells(
    spec: CoverageSpec, one: Asked, pair: tuple[Reading, Reading] | Gap | None
) -> tuple[CellCount, ...]:
    """Return the uses per cell; bad data covers nothing, and that is all that it does."""
    if pair is None or isinstance(pair, Gap):
        return ()
    uses = uses_by_group(*pair, needs_baseline=one.weight_bps < FULL_WEIGHT_BPS)
    if isinstance(uses, Gap):
        return ()
    settings: Mapping[str, object] = json.loads(one.query.target_settings_json)
    zone = settings.get("timezone")
    return cell_counts(
        spec, uses, at=pair[1].at, target_zone=zone if isinstance(zone, str) else None
    )


def _input(name: str, parts: Sequence[tuple[Stratum, ...] | Gap]) -> SignalInput:
    """One bad target makes the signal bad: what isn't seen there isn't known to be well."""
    gaps = [part for part in parts if isinstance(part, Gap)]
    if gaps:
        return SignalInput(signal=name, strata=(), quality=gaps[0].quality, note=gaps[0].why)
    if not parts:
        return SignalInput(
            signal=name,
            strata=(),
            quality=Quality.MISSING,
            note="no target can tell its arms apart",
        )
    strata = tuple(stratum for part in parts if not isinstance(part, Gap) for stratum in part)
    return SignalInput(signal=name, strata=strata, quality=Quality.GOOD, note="")
