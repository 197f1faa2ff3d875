"""
A page of metrics, as one process shows it, turned into points that can be looked up by name.

Rule: a page is believed as a whole or not at all. One that is cut off, breaks its format or shows the
same series twice isn't data. What the points are used for isn't known here.

Formats: OpenMetrics 1.0 and the Prometheus text format 0.0.4, read by the parsers of prometheus_client.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics import parser as openmetrics_parser
from prometheus_client.parser import text_string_to_metric_families

from tidegate.documents.promql import Selector

ACCEPT: Final = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"

_NOT_COUNTED: Final = frozenset({"gauge", "gaugehistogram", "info", "stateset"})
_GAUGES: Final = frozenset({"gauge", "unknown", "untyped"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One series' value; `timestamp` (Unix seconds) only where the page itself says when it was made."""

    labels: Mapping[str, str]
    value: float
    timestamp: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """
    The counters of one process, and the gauges, which are values of this moment.

    `declared` names the counters that the page announces, with or without points: one that has
    counted nothing yet is known, one that doesn't exist isn't. `started` is when the process says it
    began (Unix seconds), None when it doesn't say.
    """

    points: Mapping[str, Sequence[Point]]
    gauges: Mapping[str, Sequence[Point]]
    declared: frozenset[str]
    started: float | None

    def select(self, selector: Selector) -> list[Point]:
        """Return the points that *selector* means, under its name with or without `_total`."""
        found = self.points.get(selector.metric) or self.points.get(f"{selector.metric}_total", ())
        return [point for point in found if selector.matches(point.labels)]

    def select_gauges(self, selector: Selector) -> list[Point]:
        """Return the gauges that *selector* means."""
        found = self.gauges.get(selector.metric, ())
        return [point for point in found if selector.matches(point.labels)]

    def declares(self, metric: str) -> bool:
        """Return whether the page announces *metric*, even if it has counted nothing yet."""
        return metric in self.declared or f"{metric}_total" in self.declared


def read_page(body: bytes, content_type: str) -> Page:
    """
    Return what the page in *body* shows.

    Raises:
        ValueError: the page isn't whole, breaks its format, or shows a series twice.
    """
    text = body.decode("utf-8")
    if not text.endswith("\n"):
        raise ValueError("the page is cut off: its last line doesn't end")
    is_openmetrics = content_type.partition(";")[0].strip() == "application/openmetrics-text"
    page, point_count = _collect(_families(text, is_openmetrics=is_openmetrics))
    lines = (line for line in text.splitlines() if line.strip() and not line.startswith("#"))
    # The OpenMetrics parser drops a repeated series silently; only the count tells.
    if point_count != sum(1 for _ in lines):
        raise ValueError("the page shows a series twice")
    return page


def _families(text: str, *, is_openmetrics: bool) -> list[Metric]:
    try:
        if is_openmetrics:
            return list(openmetrics_parser.text_string_to_metric_families(text))  # type: ignore[no-untyped-call]
        return list(text_string_to_metric_families(text))
    except (LookupError, AttributeError, TypeError) as problem:
        # These escape the parsers where a native histogram, a timestamp or a quoted name is broken.
        raise ValueError(f"the page breaks its format: {problem!r}") from problem


def _collect(families: Iterable[Metric]) -> tuple[Page, int]:
    points: dict[str, list[Point]] = {}
    gauges: dict[str, list[Point]] = {}
    declared: set[str] = set()
    seen: set[tuple[str, tuple[tuple[str, str], ...]]] = set()
    started: float | None = None
    point_count = 0
    for family in families:
        if family.type == "counter":
            declared.add(f"{family.name}_total")
        for sample in family.samples:
            point_count += 1
            if sample.native_histogram is not None:
                continue
            series = (sample.name, tuple(sorted(sample.labels.items())))
            if series in seen:
                raise ValueError(f"the page shows {sample.name} twice with the same labels")
            seen.add(series)
            if sample.name == "process_start_time_seconds":
                started = float(sample.value)
            timestamp = None if sample.timestamp is None else float(sample.timestamp)
            point = Point(labels=sample.labels, value=float(sample.value), timestamp=timestamp)
            if family.type in _GAUGES:
                gauges.setdefault(sample.name, []).append(point)
            if family.type in _NOT_COUNTED:
                continue
            points.setdefault(sample.name, []).append(point)
            declared.add(sample.name)
    page = Page(points=points, gauges=gauges, declared=frozenset(declared), started=started)
    return page, point_count
