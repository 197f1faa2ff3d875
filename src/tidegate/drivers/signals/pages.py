"""
From what processes show of themselves to readings, however their pages came here: scraped or sent.

A series is one process, and one group of it where groups are asked for. When a process says when it
began, that is part of the series' name, so that a restart is seen as a restart.

Rule: no page is fetched or kept here. A process that can't tell what is asked has no series.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from tidegate.documents.counters import SignalCounters
from tidegate.documents.gauges import GaugeTerm, aggregated
from tidegate.domain.health.readings import Reading, SeriesCounts
from tidegate.domain.quantities import Arm
from tidegate.drivers.signals.exposition import Page, Point
from tidegate.drivers.signals.histograms import CumulativeBuckets, in_common_buckets
from tidegate.ports.signals import LIMIT_SERIES, group_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One process, what it shows, and the latest that it can have been measured."""

    process: str
    page: Page
    at: datetime

    def series(self, group: str) -> str:
        """Return the name of this process' series, or of its part that is *group*."""
        started = self.page.started
        began = started is not None and math.isfinite(started)
        life = f"{self.process} since {started:.3f}" if began else self.process
        return f"{life} [{group}]" if group else life

    def measured_at(self, points: Iterable[Point]) -> datetime:
        """Return when *points* were made: `at`, unless they say an earlier time."""
        stamps = [point.timestamp for point in points if point.timestamp is not None]
        if not stamps:
            return self.at
        try:
            return min(self.at, datetime.fromtimestamp(min(stamps), tz=UTC))
        except (OverflowError, OSError, ValueError):
            return datetime.fromtimestamp(0, tz=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedHistogram:
    """The histogram of one series."""

    arm: Arm
    series: str
    group: str
    buckets: CumulativeBuckets
    at: datetime


ShownByArm = Mapping[Arm, Sequence[Shown]]


def by_group(points: Iterable[Point], labels: Sequence[str]) -> dict[str, list[Point]]:
    """Return *points* by the values of their *labels*; one group without a name when there are none."""
    groups: dict[str, list[Point]] = {}
    for point in points:
        group = group_name([point.labels.get(label, "") for label in labels])
        groups.setdefault(group, []).append(point)
    return groups


def count_reading(
    counters: SignalCounters, labels: Sequence[str], shown: ShownByArm
) -> Reading | None:
    """Return what the processes counted; None when none can tell."""
    arms: dict[Arm, dict[str, SeriesCounts]] = {}
    times: list[datetime] = []
    for arm, processes in shown.items():
        for process in processes:
            found = _points(counters, process.page)
            if found is None:
                continue
            total, bad = (by_group(points, labels) for points in found)
            if not bad.keys() <= total.keys():
                # Bad requests of a kind that isn't counted: leaving them out would hide harm.
                continue
            for group, points in total.items():
                arms.setdefault(arm, {})[process.series(group)] = SeriesCounts(
                    total=sum(point.value for point in points),
                    bad=sum(point.value for point in bad.get(group, ())),
                    group=group,
                )
            times.append(process.measured_at([*found[0], *found[1]]))
    return Reading(at=min(times), arms=arms) if times else None


def saturation_reading(
    gauge: GaugeTerm, labels: Sequence[str], shown: ShownByArm
) -> Reading | None:
    """Return how full each process is; None when none can tell."""
    arms: dict[Arm, dict[str, SeriesCounts]] = {}
    times: list[datetime] = []
    for arm, processes in shown.items():
        for process in processes:
            found = process.page.select_gauges(gauge.selector)
            for group, points in by_group(found, labels).items():
                value = aggregated(gauge.aggregation, [point.value for point in points])
                counts = SeriesCounts(total=0.0, gauge=value, group=group)
                arms.setdefault(arm, {})[process.series(group)] = counts
                times.append(process.measured_at(points))
    return Reading(at=min(times), arms=arms) if times else None


def limit_reading(gauge: GaugeTerm, shown: Sequence[Shown]) -> Reading | None:
    """Return the one number of all processes, each of which must show it."""
    values: list[float] = []
    times: list[datetime] = []
    for process in shown:
        points = process.page.select_gauges(gauge.selector)
        if not points:
            return None
        values += [point.value for point in points]
        times.append(process.measured_at(points))
    if not values:
        return None
    counts = SeriesCounts(total=0.0, gauge=aggregated(gauge.aggregation, values))
    return Reading(at=min(times), arms={Arm.CANDIDATE: {LIMIT_SERIES: counts}})


def histogram_reading(histograms: Iterable[CountedHistogram]) -> Reading | None:
    """Return *histograms* in the buckets that all have; None when there is none, or no such bucket."""
    arms: dict[Arm, dict[str, CumulativeBuckets]] = {}
    groups: dict[str, str] = {}
    times: list[datetime] = []
    for histogram in histograms:
        arms.setdefault(histogram.arm, {})[histogram.series] = histogram.buckets
        groups[histogram.series] = histogram.group
        times.append(histogram.at)
    bounds, counted = in_common_buckets(arms, groups)
    return Reading(at=min(times), arms=counted, bounds=bounds) if bounds else None


def _points(counters: SignalCounters, page: Page) -> tuple[list[Point], list[Point]] | None:
    """Return the points of all and of bad requests, or None when the page can't tell them."""
    total = page.select(counters.total)
    if not total:
        return None
    if counters.bad is None:
        return total, []
    bad = page.select(counters.bad)
    if bad:
        return total, bad
    # No bad series is "none yet" only where the process could have shown one.
    if counters.telling_labels:
        known = all(
            any(label in point.labels for point in total) for label in counters.telling_labels
        )
    else:
        known = page.declares(counters.bad.metric)
    return (total, []) if known else None
