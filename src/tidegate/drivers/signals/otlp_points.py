"""
The data points of an OTLP export request in its JSON encoding, read one by one.

Refused, each with a sentence that tells the sender what to change: delta temporality (differences are
made by the domain, from what is cumulative), summaries (quantiles can't be compared), and processes
without `service.name` or `service.instance.id` (two processes under one name would be one series that
jumps).

Follows OTLP 1.x: opentelemetry-proto's metrics.proto with the JSON mapping of the OTLP specification,
where 64-bit integers are decimal strings, enums are numbers, and unknown fields are ignored.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from tidegate.drivers.signals.exponential import ExponentialHistogram, of_otlp
from tidegate.errors import InvalidRequestError

SERVICE: Final = "service.name"
INSTANCE: Final = "service.instance.id"

MAXIMUM_ATTRIBUTES: Final = 64
MAXIMUM_TEXT: Final = 256
MAXIMUM_BUCKETS: Final = 1_000
"""SDKs make 160 at the most by default."""

_CUMULATIVE: Final = 2
_NO_VALUE_FLAG: Final = 1
_NANOSECONDS: Final = 1e9

Attributes = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassicHistogram:
    """Counts per bucket; the last one is everything above the last bound. Bounds are in its unit."""

    bounds: tuple[float, ...]
    counts: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SentPoint:
    """
    One value of one series. Times are Unix seconds; `started` is 0 when the sender doesn't say.

    `value` is that of a sum or gauge, or a histogram's count; None says that the series has ended.
    """

    metric: str
    unit: str
    scope: str
    attributes: Attributes
    at: float
    started: float
    value: float | None
    is_gauge: bool = False
    histogram: ClassicHistogram | ExponentialHistogram | None = None

    @property
    def numbers(self) -> int:
        """Return how many numbers it holds, which is what it costs to keep."""
        match self.histogram:
            case ClassicHistogram():
                return 1 + len(self.histogram.counts)
            case ExponentialHistogram():
                return 1 + len(self.histogram.counts)
            case None:
                return 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """So many points that weren't taken, and why."""

    count: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """Who sent points: the attributes of its resource."""

    resource: Attributes

    def attribute(self, name: str) -> str:
        """Return the resource's attribute *name*, empty where it has none."""
        return next((value for key, value in self.resource if key == name), "")


Read = tuple[Process, SentPoint] | Refused


def points_of(document: object) -> Iterator[Read]:
    """
    Give every data point of an export request, or why it can't be taken.

    Raises:
        InvalidRequestError: *document* isn't an export request at all.
    """
    sent = document.get("resourceMetrics", []) if isinstance(document, dict) else None
    if not isinstance(sent, list):
        raise InvalidRequestError(
            "the body isn't an OTLP export of metrics: it has no list resourceMetrics",
            hint="send an ExportMetricsServiceRequest in its JSON encoding",
        )
    for resource_metrics in sent:
        if not isinstance(resource_metrics, dict):
            yield Refused(count=1, why="an entry of resourceMetrics isn't an object")
            continue
        resource = _mapping(resource_metrics, "resource")
        process = Process(resource=_attributes(resource, of_resource=True))
        missing = [name for name in (SERVICE, INSTANCE) if not process.attribute(name)]
        for scope_metrics in _objects(resource_metrics, "scopeMetrics"):
            scope = str(_mapping(scope_metrics, "scope").get("name", ""))
            for metric in _objects(scope_metrics, "metrics"):
                if missing:
                    why = f"the resource has no attribute {missing[0]}"
                    yield Refused(count=_count(metric), why=why)
                    continue
                for read in _metric(metric, scope):
                    yield read if isinstance(read, Refused) else (process, read)


def _metric(metric: Mapping[str, Any], scope: str) -> Iterator[SentPoint | Refused]:
    name = str(metric.get("name", ""))
    if not name or len(name) > MAXIMUM_TEXT:
        yield Refused(count=_count(metric), why="a metric has no name, or one that is too long")
        return
    form = next((key for key in _FORMS if isinstance(metric.get(key), dict)), None)
    if form is None:
        yield Refused(count=_count(metric), why=f"{name} is neither a sum, a gauge nor a histogram")
        return
    data = metric[form]
    if form != "gauge" and data.get("aggregationTemporality") != _CUMULATIVE:
        yield Refused(
            count=_count(metric),
            why=f"{name} isn't cumulative: set "
            "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE=cumulative",
        )
        return
    is_gauge = form == "gauge" or (form == "sum" and not data.get("isMonotonic", False))
    for point in _objects(data, "dataPoints"):
        try:
            yield _point(point, form, name=name, metric=metric, scope=scope, is_gauge=is_gauge)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as problem:
            yield Refused(count=1, why=f"a point of {name} can't be read: {problem}")


def _point(
    point: Mapping[str, Any],
    form: str,
    *,
    name: str,
    metric: Mapping[str, Any],
    scope: str,
    is_gauge: bool,
) -> SentPoint:
    has_ended = int(point.get("flags", 0)) & _NO_VALUE_FLAG
    value, histogram = (None, None) if has_ended else _FORMS[form](point)
    return SentPoint(
        metric=name,
        unit=str(metric.get("unit", ""))[:MAXIMUM_TEXT],
        scope=scope[:MAXIMUM_TEXT],
        attributes=_attributes(point, of_resource=False),
        at=_number(point["timeUnixNano"]) / _NANOSECONDS,
        started=_number(point.get("startTimeUnixNano", 0)) / _NANOSECONDS,
        value=value,
        is_gauge=is_gauge,
        histogram=histogram,
    )


def _plain(point: Mapping[str, Any]) -> tuple[float, None]:
    return _number(point["asInt"] if "asInt" in point else point["asDouble"]), None


def _classic(point: Mapping[str, Any]) -> tuple[float, ClassicHistogram | None]:
    bounds = _numbers(point, "explicitBounds")
    counts = _numbers(point, "bucketCounts")
    if not counts:
        return _number(point["count"]), None
    if len(counts) != len(bounds) + 1 or any(not low < high for low, high in pairwise(bounds)):
        raise ValueError(f"{len(counts)} buckets don't suit {len(bounds)} rising bounds")
    return _number(point["count"]), ClassicHistogram(bounds=bounds, counts=counts)


def _exponential(point: Mapping[str, Any]) -> tuple[float, ExponentialHistogram]:
    positive, negative = _mapping(point, "positive"), _mapping(point, "negative")
    total = _number(point["count"])
    histogram = of_otlp(
        scale=int(point.get("scale", 0)),
        offset=int(positive.get("offset", 0)),
        counts=_numbers(positive, "bucketCounts"),
        low=_number(point.get("zeroCount", 0)) + sum(_numbers(negative, "bucketCounts")),
        low_bound=_number(point.get("zeroThreshold", 0)),
        total=total,
    )
    return total, histogram


_FORMS: Final = {
    "sum": _plain,
    "gauge": _plain,
    "histogram": _classic,
    "exponentialHistogram": _exponential,
}


def _count(metric: Mapping[str, Any]) -> int:
    """Return how many points *metric* has, in whatever form."""
    return sum(
        len(data["dataPoints"])
        for data in metric.values()
        if isinstance(data, dict) and isinstance(data.get("dataPoints"), list)
    )


def _attributes(holder: Mapping[str, Any], *, of_resource: bool) -> Attributes:
    """
    Return the attributes of *holder* that are text, numbers or booleans, in order of their names.

    Raises:
        ValueError: a point has too many, or one that is too long. A resource's are left out instead:
            nothing there tells one series from another.
    """
    found: dict[str, str] = {}
    for attribute in _objects(holder, "attributes"):
        key, value = attribute.get("key"), _text(attribute.get("value"))
        if not isinstance(key, str) or value is None:
            continue
        if len(key) > MAXIMUM_TEXT or len(value) > MAXIMUM_TEXT:
            if not of_resource:
                raise ValueError(f"the attribute {key[:64]} is longer than {MAXIMUM_TEXT}")
            continue
        found[key] = value
    if len(found) > MAXIMUM_ATTRIBUTES:
        if not of_resource:
            raise ValueError(f"it has more than {MAXIMUM_ATTRIBUTES} attributes")
        kept = {name: found[name] for name in (SERVICE, INSTANCE) if name in found}
        found = kept | dict(list(found.items())[:MAXIMUM_ATTRIBUTES])
    return tuple(sorted(found.items()))


def _text(value: Any) -> str | None:
    match value:
        case {"stringValue": str(text)}:
            return text
        case {"boolValue": bool(truth)}:
            return "true" if truth else "false"
        case {"intValue": int() | str() as number}:
            return str(number)
        case {"doubleValue": int() | float() as number}:
            return repr(float(number))
        case _:
            return None


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise TypeError(f"{str(value)[:32]} isn't a number")
    return float(value)


def _numbers(holder: Mapping[str, Any], key: str) -> tuple[float, ...]:
    values: Sequence[Any] = holder.get(key) or ()
    if len(values) > MAXIMUM_BUCKETS:
        raise ValueError(f"{key} has more than {MAXIMUM_BUCKETS} entries")
    return tuple(_number(value) for value in values)


def _mapping(holder: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = holder.get(key)
    return found if isinstance(found, dict) else {}


def _objects(holder: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    found = holder.get(key)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
