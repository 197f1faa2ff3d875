"""
What a source measured, and what happened between two measurements.

A `Reading` holds cumulative counts per series (one series per process or proxy cluster, so that a
restart is seen as a restart). `ticks_by_group` turns two readings into ticks or says which quality the
data lacks, `difference` into one tick of all groups. They never guess: what isn't there is missing.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from tidegate.domain.quantities import Arm

MOST_CHANGED: Final = 0.1
"""Of a sum that is compared with what was assigned, so many of the series may have come or gone: what is
then missing of it is less than what users differ by."""


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
    """The candidate, or one of its members, is exposed and gets nothing while others are busy."""
    QUIET = "quiet"
    """One of its members got nothing for so long that it is not baked time, and not yet a reason to hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesCounts:
    """
    Cumulative counts of one series since its process began.

    `total` counts requests (errors), good events (usage) or observations (latency); `bad` counts bad
    requests (errors only). `buckets` holds cumulative-in-time, per-bucket counts matching the
    reading's `bounds` (latency only), the last bucket being everything above the last bound. `gauge` is
    a value of this moment (saturation and limits only). `group` is what the series is a part of where
    that matters: a zone within which arms are compared, or a cell of coverage.
    """

    total: float
    bad: float = 0.0
    buckets: tuple[float, ...] = ()
    gauge: float | None = None
    group: str = ""


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
class MemberTick:
    """What one series of an arm did between two readings; `gauge` is its value at the second."""

    name: str
    total: int = 0
    bad: int = 0
    gauge: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmTick:
    """
    What one arm did between two readings.

    `members` is empty unless it was asked for. A member counts from its second reading on, and has a
    gauge from its first.
    """

    total: int
    bad: int = 0
    buckets: tuple[int, ...] = ()
    members: tuple[MemberTick, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """
    What both arms did between two readings of one signal at one placement.

    `group` is the part of it that this is about, such as a zone; empty for all of it.
    """

    begin: datetime
    end: datetime
    candidate: ArmTick
    baseline: ArmTick
    bounds: tuple[float, ...] = ()
    group: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Why two readings don't make a tick."""

    quality: Quality
    why: str


def difference(previous: Reading, current: Reading, *, needs_baseline: bool) -> Tick | Gap:
    """
    Return what happened between *previous* and *current* in all groups together, or why not.

    A series that is new counts from its first sight; one that restarted counts from zero again.
    *needs_baseline* is false where the candidate serves everyone and there is nothing to compare with.
    """
    grown = _grown(previous, current, needs_baseline=needs_baseline)
    if isinstance(grown, Gap):
        return grown
    whole = {arm: _together(groups.values(), current.bounds) for arm, groups in grown.items()}
    return _tick(previous, current, whole[Arm.CANDIDATE], whole[Arm.BASELINE])


def ticks_by_group(
    previous: Reading,
    current: Reading,
    *,
    needs_baseline: bool,
    with_members: bool = False,
    needs_all: bool = False,
) -> tuple[Tick, ...] | Gap:
    """
    Return what happened between *previous* and *current* in each group, by the groups' names.

    A group in which an arm has no series says nothing about it, and is left out; the others go on. Only
    when that leaves none is the data missing. It is missing for all groups where in one of them all series
    of an arm are new: nobody knows yet what they counted in this time, and beside an arm that went on
    counting that would look like none. Left out, an arm that begins anew all the time would never be seen.

    Args:
        previous: The reading before.
        current: The reading now.
        needs_baseline: False where the candidate serves everyone and there is nothing to compare with.
        with_members: Keep the series of each arm apart too.
        needs_all: Whether an arm's sum is compared with what was assigned to it, and not with what the
            same series counted. Then series that came or went would look like users who did: the data is
            missing where more than `MOST_CHANGED` of an arm's in a group did.
    """
    grown = _grown(previous, current, needs_baseline=needs_baseline, with_members=with_members)
    if isinstance(grown, Gap):
        return grown
    candidate, baseline = grown[Arm.CANDIDATE], grown[Arm.BASELINE]
    names = sorted(candidate.keys() & baseline.keys() if needs_baseline else candidate)
    if not names:
        return Gap(quality=Quality.MISSING, why="no group has series of both arms")
    for name in names:
        unsure = _why_unsure(name, grown, needs_all=needs_all)
        if unsure:
            return Gap(quality=Quality.MISSING, why=unsure)
    nothing = _Growth.of(current.bounds)
    ticks: list[Tick] = []
    for name in names:
        tick = _tick(previous, current, candidate[name], baseline.get(name, nothing), group=name)
        if isinstance(tick, Gap):
            return tick
        ticks.append(tick)
    return tuple(ticks)


def uses_by_group(
    previous: Reading, current: Reading, *, needs_baseline: bool
) -> tuple[tuple[str, int, int], ...] | Gap:
    """
    Return each group with how often the candidate and the baseline were used in it, by name.

    Unlike in a comparison, a group that only one arm has counts: it is a kind of use all the same.
    """
    grown = _grown(previous, current, needs_baseline=needs_baseline)
    if isinstance(grown, Gap):
        return grown
    candidate, baseline = grown[Arm.CANDIDATE], grown[Arm.BASELINE]
    nothing = _Growth.of(())
    return tuple(
        (
            name,
            round(candidate.get(name, nothing).total),
            round(baseline.get(name, nothing).total),
        )
        for name in sorted(candidate.keys() | baseline.keys())
    )


# --- what series grew by ---------------------------------------------------------------------


@dataclass(slots=True)
class _Growth:
    """What the series of one arm in one group grew by."""

    total: float
    bad: float
    buckets: list[float]
    members: list[MemberTick]
    stayed: int = 0
    """Series that were there in both readings, or say by a single one what they say."""
    changed: int = 0
    """Series that came or went."""

    @classmethod
    def of(cls, bounds: tuple[float, ...]) -> "_Growth":
        return cls(0.0, 0.0, [0.0] * (len(bounds) + 1) if bounds else [], [])

    def add(self, total: float, bad: float, buckets: Sequence[float]) -> None:
        self.total += total
        self.bad += bad
        for index, count in enumerate(buckets):
            self.buckets[index] += count


def _grown(
    previous: Reading, current: Reading, *, needs_baseline: bool, with_members: bool = False
) -> dict[Arm, dict[str, _Growth]] | Gap:
    if current.at <= previous.at:
        return Gap(quality=Quality.STALE, why=f"last measured at {current.at.isoformat()}")
    if current.bounds != previous.bounds:
        return Gap(quality=Quality.CONTRADICTORY, why="the histogram's buckets changed")
    arms: dict[Arm, dict[str, _Growth]] = {}
    for arm in Arm:
        if arm is Arm.BASELINE and not needs_baseline:
            arms[arm] = {}
            continue
        found = _arm_growth(arm, previous, current, with_members=with_members)
        if isinstance(found, Gap):
            return found
        arms[arm] = found
    return arms


def _why_unsure(name: str, arms: Mapping[Arm, Mapping[str, _Growth]], *, needs_all: bool) -> str:
    """Return why it isn't known what an arm counted in the group *name*, empty where it is."""
    for arm, groups in arms.items():
        grown = groups.get(name)
        if grown is None:
            continue
        among = grown.stayed + grown.changed
        where = f" in {name}" if name else ""
        if not grown.stayed:
            return f"all series of the {arm.value}{where} are new, and count from their next reading on"
        if needs_all and grown.changed > MOST_CHANGED * among:
            return f"{grown.changed} of {among} series of the {arm.value}{where} came or went"
    return ""


def _together(parts: Iterable[_Growth], bounds: tuple[float, ...]) -> _Growth:
    whole = _Growth.of(bounds)
    for part in parts:
        whole.add(part.total, part.bad, part.buckets)
    return whole


def _tick(
    previous: Reading,
    current: Reading,
    candidate: _Growth,
    baseline: _Growth,
    *,
    group: str = "",
) -> Tick | Gap:
    for arm, grown in ((Arm.CANDIDATE, candidate), (Arm.BASELINE, baseline)):
        if grown.bad > grown.total:
            return Gap(
                quality=Quality.CONTRADICTORY,
                why=f"{arm.value}: {grown.bad:g} bad of {grown.total:g} in one tick",
            )
    return Tick(
        begin=previous.at,
        end=current.at,
        candidate=_arm_tick(candidate),
        baseline=_arm_tick(baseline),
        bounds=current.bounds,
        group=group,
    )


def _arm_tick(grown: _Growth) -> ArmTick:
    return ArmTick(
        total=round(grown.total),
        bad=round(grown.bad),
        buckets=tuple(map(round, grown.buckets)),
        members=tuple(grown.members),
    )


def _arm_growth(
    arm: Arm, previous: Reading, current: Reading, *, with_members: bool
) -> dict[str, _Growth] | Gap:
    series_now = current.arms.get(arm, {})
    if not series_now:
        return Gap(quality=Quality.MISSING, why=f"no series for the {arm.value}")
    series_before = previous.arms.get(arm, {})
    bucket_count = len(current.bounds) + 1 if current.bounds else 0
    groups: dict[str, _Growth] = {}
    for name, now in series_now.items():
        before = series_before.get(name)
        # What was measured before is looked at as well: a number less NaN is no number either.
        for counts in (now, before or now):
            problem = _problem(f"{arm.value} series {name}", counts, bucket_count=bucket_count)
            if problem is not None:
                return problem
        grown = groups.get(now.group)
        if grown is None:
            grown = groups[now.group] = _Growth.of(current.bounds)
        if before is None:
            if now.gauge is None:
                grown.changed += 1
                continue
            grown.stayed += 1
            if with_members:
                grown.members.append(MemberTick(name=name, gauge=now.gauge))
            continue
        grown.stayed += 1
        if _went_back(before, now):
            before = SeriesCounts(total=0.0, bad=0.0, buckets=(0.0,) * bucket_count)
        total, bad = now.total - before.total, now.bad - before.bad
        grown.add(
            total,
            bad,
            [count - was for count, was in zip(now.buckets, before.buckets, strict=True)],
        )
        if with_members:
            grown.members.append(
                MemberTick(name=name, total=round(total), bad=round(bad), gauge=now.gauge)
            )
    for name in series_before.keys() - series_now.keys():
        left = groups.get(series_before[name].group)
        if left is not None:
            left.changed += 1
    return groups


def _problem(series: str, counts: SeriesCounts, *, bucket_count: int) -> Gap | None:
    values = (counts.total, counts.bad, *counts.buckets)
    gauge = 0.0 if counts.gauge is None else counts.gauge
    if not (math.isfinite(gauge) and all(math.isfinite(value) for value in values)):
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
