"""
What a source measured, and what happened between two measurements.

A `Reading` holds cumulative counts per series (one series per process or proxy cluster, so that a
restart is seen as a restart). `difference` turns two readings into a `Tick` or says which quality the
data lacks. It never guesses: what isn't there is missing.
"""

import math
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from tidegate.domain.quantities import Arm


class Quality(StrEnum):
    """Whether a signal's data can be used, and if not, why."""

    GOOD = "good"
    MISSING = "missing"
    STALE = "stale"
    NOT_A_NUMBER = "not_a_number"
    CONTRADICTORY = "contradictory"
    """The numbers can't be true together: bad events exceed all events, or a count went backward."""
    WRONG_SPLIT = "wrong_split"
    """The candidate's share of requests isn't what the traffic layer was told."""
    SILENT = "silent"
    """The candidate is exposed and gets nothing, while the baseline is busy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesCounts:
    """
    Cumulative counts of one series since its process began.

    `total` counts requests (errors), good events (usage) or observations (latency); `bad` counts bad
    requests (errors only). `buckets` holds cumulative-in-time, per-bucket counts matching the
    reading's `bounds` (latency only), the last bucket being everything above the last bound.
    """

    total: float
    bad: float = 0.0
    buckets: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """
    One measurement of one signal at one placement. `at` is when the source measured it.

    `arms[arm]` maps a series' name to its counts; an arm without series is missing. `bounds` are the
    upper bounds of the buckets in the signal's unit (milliseconds for latency), without infinity.
    """

    at: datetime
    arms: dict[Arm, dict[str, SeriesCounts]]
    bounds: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmTick:
    """What one arm did between two readings."""

    total: int
    bad: int = 0
    buckets: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """What both arms did between two readings of one signal at one placement."""

    begin: datetime
    end: datetime
    candidate: ArmTick
    baseline: ArmTick
    bounds: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Why two readings don't make a tick."""

    quality: Quality
    why: str


def difference(previous: Reading, current: Reading, *, needs_baseline: bool) -> Tick | Gap:
    """
    Return what happened between *previous* and *current*, or why that can't be said.

    A series that is new counts from its first sight; one that restarted counts from zero again.
    *needs_baseline* is false where the candidate serves everyone and there is nothing to compare with.
    """
    if current.at <= previous.at:
        return Gap(quality=Quality.STALE, why=f"last measured at {current.at.isoformat()}")
    if current.bounds != previous.bounds:
        return Gap(quality=Quality.CONTRADICTORY, why="the histogram's buckets changed")
    arms: dict[Arm, ArmTick] = {}
    for arm in Arm:
        if arm is Arm.BASELINE and not needs_baseline:
            empty = (0,) * (len(current.bounds) + 1) if current.bounds else ()
            arms[arm] = ArmTick(total=0, buckets=empty)
            continue
        found = _arm_difference(arm, previous, current)
        if isinstance(found, Gap):
            return found
        arms[arm] = found
    return Tick(
        begin=previous.at,
        end=current.at,
        candidate=arms[Arm.CANDIDATE],
        baseline=arms[Arm.BASELINE],
        bounds=current.bounds,
    )


def _arm_difference(arm: Arm, previous: Reading, current: Reading) -> ArmTick | Gap:
    series_now = current.arms.get(arm, {})
    if not series_now:
        return Gap(quality=Quality.MISSING, why=f"no series for the {arm.value}")
    total = bad = 0.0
    buckets = [0.0] * (len(current.bounds) + 1) if current.bounds else []
    for name, now in series_now.items():
        before = previous.arms.get(arm, {}).get(name)
        # What was measured before is looked at as well: a number less NaN is no number either.
        for counts in (now, before or now):
            problem = _problem(f"{arm.value} series {name}", counts, bucket_count=len(buckets))
            if problem is not None:
                return problem
        if before is None:
            continue
        if _went_back(before, now):
            before = SeriesCounts(total=0.0, bad=0.0, buckets=(0.0,) * len(buckets))
        total += now.total - before.total
        bad += now.bad - before.bad
        for index, count in enumerate(now.buckets):
            buckets[index] += count - before.buckets[index]
    if bad > total:
        return Gap(
            quality=Quality.CONTRADICTORY, why=f"{arm.value}: {bad:g} bad of {total:g} in one tick"
        )
    return ArmTick(total=round(total), bad=round(bad), buckets=tuple(map(round, buckets)))


def _problem(series: str, counts: SeriesCounts, *, bucket_count: int) -> Gap | None:
    values = (counts.total, counts.bad, *counts.buckets)
    if not all(math.isfinite(value) for value in values):
        return Gap(quality=Quality.NOT_A_NUMBER, why=f"{series} isn't a number")
    if any(value < 0 for value in values) or counts.bad > counts.total:
        return Gap(
            quality=Quality.CONTRADICTORY, why=f"{series}: {counts.bad:g} bad of {counts.total:g}"
        )
    if len(counts.buckets) != bucket_count:
        return Gap(
            quality=Quality.CONTRADICTORY,
            why=f"{series}: {len(counts.buckets)} buckets instead of {bucket_count}",
        )
    return None


def _went_back(before: SeriesCounts, now: SeriesCounts) -> bool:
    """Return whether any count fell: the process began anew, however busy it was since."""
    return (
        now.total < before.total
        or now.bad < before.bad
        or any(after < earlier for after, earlier in zip(now.buckets, before.buckets, strict=True))
    )
