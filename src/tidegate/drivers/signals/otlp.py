"""
Signals that are sent here by OTLP (OpenTelemetry SDKs, or a Collector).

Only the latest value of each series is kept, in memory and for a short time: nothing is charted from
here, and after a restart the next export brings everything back. What is kept is bounded by how many
numbers it holds; what comes beyond is refused, and the sender is told.

- A process is known by the attributes of its resource. `service.name` must be the service's name and
  `deployment.environment.name` the target's; `target_label` names another attribute for it. The arms are
  told apart by `service.version`; see `arms`.
- A process that hasn't sent for `GONE_AFTER` is gone, and so is a series that its process stopped
  sending. A reading is as old as its oldest point.
- A point that is older than the one known is late and changes nothing.

Settings of a signal: those of `documents.counters.otlp_counters` and `documents.gauges.metric_gauge`,
`arm_label` (`service.version`), `arm_value`, `target_label` and `strata`.
"""

import math
import threading
from collections import ChainMap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import Final

from tidegate.documents.counters import SignalCounters, check_labels, otlp_counters
from tidegate.documents.gauges import metric_gauge
from tidegate.documents.promql import Matcher, Selector
from tidegate.domain.health.readings import Reading
from tidegate.domain.plan.model import SignalKind
from tidegate.domain.quantities import Arm
from tidegate.drivers.signals.arms import arm_matchers
from tidegate.drivers.signals.exponential import ExponentialHistogram, in_grid
from tidegate.drivers.signals.exposition import Page, Point
from tidegate.drivers.signals.histograms import CumulativeBuckets
from tidegate.drivers.signals.otlp_points import (
    INSTANCE,
    SERVICE,
    Attributes,
    Process,
    Refused,
    SentPoint,
    points_of,
)
from tidegate.drivers.signals.pages import (
    CountedHistogram,
    Shown,
    count_reading,
    histogram_reading,
    limit_reading,
    saturation_reading,
)
from tidegate.errors import InvalidDocumentError
from tidegate.ports.clock import Clock
from tidegate.ports.signals import SignalQuery, TakenIn, group_name

DEFAULT_ARM_LABEL: Final = "service.version"
DEFAULT_TARGET_LABEL: Final = "deployment.environment.name"

MAXIMUM_NUMBERS: Final = 1_000_000
"""A series of a counter holds 1, of a histogram about 20, of an exponential one up to 160: some 100 MB."""
GONE_AFTER: Final = timedelta(seconds=30)
"""As long as data of a plan with the default tick may be old. Senders must export at least every 10 s."""
MAXIMUM_LEAD: Final = timedelta(seconds=10)
"""Clocks differ by less. A point further ahead would make everything after it look late for as long."""
_REASONS_TOLD: Final = 3

_UNITS_MS: Final[Mapping[str, float]] = {"s": 1_000.0, "ms": 1.0, "us": 0.001, "ns": 0.000_001}


@dataclass(slots=True)
class _Sender:
    """What is known of one process. Series are told apart by metric, scope and attributes."""

    process: Process
    series: dict[tuple[str, str, Attributes], SentPoint] = field(default_factory=dict)
    newest: float = 0.0

    def living(self) -> list[SentPoint]:
        """Return the points that came with the process' newest export, or little before."""
        oldest = self.newest - GONE_AFTER.total_seconds()
        return [point for point in self.series.values() if point.at >= oldest]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """One process that a query is about."""

    arm: Arm | None
    sender: _Sender
    shown: Shown


class OtlpSignals:
    """
    A `SignalSource` and `MetricsIntake`: holds what it was sent, and nothing for long.

    `take_in` may be called from any thread.
    """

    def __init__(self, *, clock: Clock, maximum_numbers: int = MAXIMUM_NUMBERS) -> None:
        self._clock = clock
        self._maximum_numbers = maximum_numbers
        self._numbers = 0
        self._lock = threading.Lock()
        self._senders: dict[Process, _Sender] = {}

    def take_in(self, document: object) -> TakenIn:
        """
        Keep the newest value of every series of an export request, as the port says.

        Raises:
            InvalidRequestError: it isn't an export request.
        """
        now = self._clock.now().timestamp()
        rejected = 0
        reasons: dict[str, None] = {}
        # Read before the lock is taken: a large request takes long enough to hold up a reading.
        points = list(points_of(document))
        with self._lock:
            self._forget_the_gone(now)
            for read in points:
                refused = read if isinstance(read, Refused) else self._keep(*read, now=now)
                if refused is not None:
                    rejected += refused.count
                    reasons.setdefault(refused.why)
        told = [*reasons][:_REASONS_TOLD]
        more = len(reasons) - len(told)
        return TakenIn(
            rejected=rejected, why="; ".join([*told, *([f"and {more} more"] if more else [])])
        )

    async def read(self, queries: Sequence[SignalQuery]) -> Sequence[Reading | None]:
        """
        Return one reading per query, as the port says; None where no process has sent what it needs.

        Never raises SignalSourceError: there is nothing to ask.
        """
        now = self._clock.now()
        with self._lock:
            self._forget_the_gone(now.timestamp())
            return [self._reading(query, now) for query in queries]

    def _keep(self, process: Process, point: SentPoint, *, now: float) -> Refused | None:
        """Keep *point* when it is the newest of its series; return why it can't be kept at all."""
        if not 0 < point.at <= now + MAXIMUM_LEAD.total_seconds():
            return Refused(count=1, why="a point is from the future: set the sender's clock")
        if point.at <= now - GONE_AFTER.total_seconds():
            seconds = f"{GONE_AFTER.total_seconds():g}"
            return Refused(count=1, why=f"a point is older than {seconds} s: export more often")
        sender = self._senders.get(process)
        key = (point.metric, point.scope, point.attributes)
        known = sender.series.get(key) if sender else None
        if known is not None and point.at <= known.at:
            return None
        numbers = self._numbers + point.numbers - (known.numbers if known else 0)
        if numbers > self._maximum_numbers:
            return Refused(
                count=1,
                why=f"more than {self._maximum_numbers} numbers are sent: send fewer series",
            )
        if sender is None:
            sender = self._senders[process] = _Sender(process)
        self._numbers = numbers
        sender.series[key] = point
        sender.newest = max(sender.newest, point.at)
        if known is not None and point.started > known.started:
            self._drop(sender, before=point.started)
        return None

    def _drop(self, sender: _Sender, *, before: float) -> None:
        """Drop what was measured before a process began again: it is another process' by now."""
        for key, point in [*sender.series.items()]:
            if point.at < before:
                self._numbers -= point.numbers
                del sender.series[key]

    def _forget_the_gone(self, now: float) -> None:
        oldest = now - GONE_AFTER.total_seconds()
        for process, sender in [*self._senders.items()]:
            if sender.newest < oldest:
                self._numbers -= sum(point.numbers for point in sender.series.values())
                del self._senders[process]

    def _reading(self, query: SignalQuery, now: datetime) -> Reading | None:
        try:
            check_labels(query.source, query.group_labels)
            if query.kind is SignalKind.LIMIT:
                gauge = metric_gauge(query.kind, query.settings, dotted=True).first
                found = self._find(query, gauge.selector, now)
                return limit_reading(
                    gauge, [one.shown for one in found if _shows(one, gauge.selector)]
                )
            if query.kind is SignalKind.SATURATION:
                gauge = metric_gauge(query.kind, query.settings, dotted=True).first
                by_arm = _by_arm(self._find(query, gauge.selector, now))
                return saturation_reading(gauge, query.group_labels, by_arm)
            counters = otlp_counters(query.kind, query.settings)
        except InvalidDocumentError:
            return None
        found = self._find(query, counters.total, now)
        if query.kind is SignalKind.LATENCY:
            return histogram_reading(_histograms(counters, query.group_labels, found, now))
        return count_reading(counters, query.group_labels, _by_arm(found))

    def _find(self, query: SignalQuery, selector: Selector, now: datetime) -> list[_Found]:
        """Return the processes of the query's service and target, with the arm of each that has one."""
        service = Matcher(label=SERVICE, operator="=", value=query.placement.service)
        label = query.settings.get("target_label", DEFAULT_TARGET_LABEL)
        target = Matcher(label=label, operator="=", value=query.placement.target)
        # Who names the service in the metric's own braces means another name than ours.
        named = any(matcher.label == SERVICE for matcher in selector.matchers)
        wanted = (target,) if named else (service, target)
        arms = arm_matchers(query, default_label=DEFAULT_ARM_LABEL, instance_label=INSTANCE)
        senders = []
        for sender in self._senders.values():
            resource = dict(sender.process.resource)
            if all(matcher.matches(resource) for matcher in wanted):
                arm = next((arm for arm, one in arms.items() if one.matches(resource)), None)
                senders.append((arm, sender))
        pages = [_page(sender) for _, sender in senders]
        # A counter of failures appears with the first failure: once any process has it, it exists.
        declared = frozenset().union(*(page.declared for page in pages))
        return [
            _Found(
                arm=arm,
                sender=sender,
                shown=Shown(
                    process=sender.process.attribute(INSTANCE),
                    page=Page(
                        points=page.points,
                        gauges=page.gauges,
                        declared=declared,
                        started=page.started,
                    ),
                    at=now,
                ),
            )
            for (arm, sender), page in zip(senders, pages, strict=True)
        ]


def _shows(found: _Found, selector: Selector) -> bool:
    return bool(found.shown.page.select_gauges(selector))


def _by_arm(found: Sequence[_Found]) -> dict[Arm, list[Shown]]:
    return {arm: [one.shown for one in found if one.arm is arm] for arm in Arm}


def _page(sender: _Sender) -> Page:
    points: dict[str, list[Point]] = {}
    gauges: dict[str, list[Point]] = {}
    starts: list[float] = []
    resource = dict(sender.process.resource)
    for sent in sender.living():
        if sent.value is None:
            continue
        point = Point(labels=_labels(sent, resource), value=sent.value, timestamp=sent.at)
        (gauges if sent.is_gauge else points).setdefault(sent.metric, []).append(point)
        if sent.started > 0:
            starts.append(sent.started)
    return Page(
        points=points,
        gauges=gauges,
        declared=frozenset(points),
        started=min(starts, default=None),
    )


def _labels(sent: SentPoint, resource: dict[str, str]) -> Mapping[str, str]:
    return ChainMap(dict(sent.attributes), resource)


def _histograms(
    counters: SignalCounters, labels: Sequence[str], found: Sequence[_Found], now: datetime
) -> Iterator[CountedHistogram]:
    for one in found:
        if one.arm is None:
            continue
        resource = dict(one.sender.process.resource)
        groups: dict[str, list[tuple[SentPoint, CumulativeBuckets]]] = {}
        for sent in one.sender.living():
            seen = _labels(sent, resource)
            if sent.metric != counters.total.metric or not counters.total.matches(seen):
                continue
            buckets = _buckets(sent, counters.unit_ms or _UNITS_MS.get(sent.unit, 0.0))
            if buckets is not None:
                group = group_name([seen.get(label, "") for label in labels])
                groups.setdefault(group, []).append((sent, buckets))
        for group, counted in groups.items():
            oldest = min(sent.at for sent, _ in counted)
            yield CountedHistogram(
                arm=one.arm,
                series=one.shown.series(group),
                group=group,
                buckets=_added_up([buckets for _, buckets in counted]),
                at=min(now, datetime.fromtimestamp(oldest, tz=UTC)),
            )


def _buckets(sent: SentPoint, unit_ms: float) -> CumulativeBuckets | None:
    """Return the counts at or below each bound, None for what is no histogram of a known unit."""
    if sent.histogram is None or sent.value is None or not unit_ms:
        return None
    if isinstance(sent.histogram, ExponentialHistogram):
        return in_grid(sent.histogram, unit_ms)
    bounds = [round(bound * unit_ms, 6) for bound in sent.histogram.bounds]
    at_or_below = list(accumulate(sent.histogram.counts))
    return {**dict(zip(bounds, at_or_below, strict=False)), math.inf: sent.value}


def _added_up(histograms: Sequence[CumulativeBuckets]) -> CumulativeBuckets:
    """Return one histogram of several, at the bounds that all have."""
    shared = set(histograms[0]).intersection(*histograms[1:])
    return {bound: sum(one[bound] for one in histograms) for bound in sorted(shared)}
