"""
Which gauge a signal's settings ask for: one value per process (saturation) or of a whole target (limit).

A gauge is looked at, not counted, so more is allowed than of a counter: `max`, `min`, `avg` and a
`rate` over a window of its own. What is asked must still be made of selectors, since only the samples
of a selector say when they were measured; an expression is always as new as the question.

Rule: what isn't one of the forms is refused with the fix. No I/O here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

from tidegate.documents.promql import Matcher, Selector, parse_selector, read_selector
from tidegate.documents.promql_words import Reader
from tidegate.domain.plan.model import SignalKind
from tidegate.errors import InvalidDocumentError

GAUGE_FORMS: Final = (
    "write SELECTOR, max(SELECTOR), sum(rate(SELECTOR[5m])), or one of these divided by another; "
    "instead of max or sum also min or avg"
)

Aggregation = Literal["max", "min", "sum", "avg"]

_AGGREGATIONS: Final[Mapping[str, Aggregation]] = {
    "max": "max",
    "min": "min",
    "sum": "sum",
    "avg": "avg",
}
_RANGED: Final = ("rate", "increase")
_DEFAULTS: Final[Mapping[SignalKind, Aggregation]] = {
    # What fills a process is the sum of its parts; of a target, the fullest part is in danger first.
    SignalKind.SATURATION: "sum",
    SignalKind.LIMIT: "max",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class GaugeTerm:
    """One aggregated selector, `rate` and `increase` with their window (`5m`), else an empty one."""

    aggregation: Aggregation
    selector: Selector
    function: str = ""
    window: str = ""

    def text(self, by: tuple[str, ...], *matchers: Matcher) -> str:
        """Return the PromQL of this term, kept apart by the labels *by*, with *matchers* added."""
        inside = str(self.selector.narrowed(*matchers))
        if self.function:
            inside = f"{self.function}({inside}[{self.window}])"
        grouping = f" by ({', '.join(by)})" if by else ""
        return f"{self.aggregation}{grouping} ({inside})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauge:
    """What a saturation or limit signal looks at: one term, or `first / second`."""

    first: GaugeTerm
    second: GaugeTerm | None = None

    @property
    def terms(self) -> tuple[GaugeTerm, ...]:
        """Return the one or two terms."""
        return (self.first,) if self.second is None else (self.first, self.second)


def prometheus_gauge(kind: SignalKind, settings: Mapping[str, str]) -> Gauge:
    """
    Return the gauge that *settings* name for a signal read from Prometheus: `query`, or `metric`.

    A query for saturation holds `$arm` in each selector, one for a limit none; both may hold `$target`.
    A selector without `max`, `min`, `sum` or `avg` is aggregated by `aggregate`, default `sum` for
    saturation (within each process) and `max` for a limit.

    Raises:
        InvalidDocumentError: it can't be used, or doesn't suit *kind*.
    """
    if "query" not in settings:
        named = metric_gauge(kind, settings)
        selector = replace(named.first.selector, arm=kind is SignalKind.SATURATION)
        return Gauge(first=replace(named.first, selector=selector))
    if "metric" in settings:
        raise InvalidDocumentError(
            "a signal can't have both query and metric", hint="take metric or query away"
        )
    reader = Reader(settings["query"], forms=GAUGE_FORMS)
    default = _default_aggregation(kind, settings)
    first = _read_term(reader, default)
    second = _read_term(reader, default) if reader.take("/") else None
    reader.expect_end()
    gauge = Gauge(first=first, second=second)
    for term in gauge.terms:
        _check_arm(kind, term.selector, reader.shown)
    return gauge


def metric_gauge(kind: SignalKind, settings: Mapping[str, str], *, dotted: bool = False) -> Gauge:
    """
    Return the gauge that *settings* name by `metric`, aggregated by `aggregate`.

    *dotted* says that names are those of OpenTelemetry.

    Raises:
        InvalidDocumentError: there is no name, or it can't be used.
    """
    if "query" in settings:
        raise InvalidDocumentError(
            "query is for prometheus:// sources only",
            hint="name the gauge itself: metric: process_resident_memory_bytes",
        )
    if "metric" not in settings:
        example = "process.memory.usage" if dotted else "process_resident_memory_bytes"
        raise InvalidDocumentError(
            f"a {kind.value} signal doesn't say which gauge it is",
            hint=f"name it: metric: {example}",
        )
    selector = parse_selector(settings["metric"], dotted=dotted)
    return Gauge(
        first=GaugeTerm(aggregation=_default_aggregation(kind, settings), selector=selector)
    )


def aggregated(aggregation: Aggregation, values: list[float]) -> float:
    """Return *values* as one number, as Prometheus would; there must be at least one."""
    match aggregation:
        case "max":
            # Python's own would lose a NaN depending on the order of the values.
            return max(values) if all(value == value for value in values) else float("nan")
        case "min":
            return min(values) if all(value == value for value in values) else float("nan")
        case "sum":
            return sum(values)
        case "avg":
            return sum(values) / len(values)


def _default_aggregation(kind: SignalKind, settings: Mapping[str, str]) -> Aggregation:
    return _AGGREGATIONS.get(settings.get("aggregate", ""), _DEFAULTS[kind])


def _check_arm(kind: SignalKind, selector: Selector, shown: str) -> None:
    if kind is SignalKind.SATURATION and not selector.arm:
        raise InvalidDocumentError(
            f"query `{shown}` can't tell the candidate from the baseline",
            hint=f"put $arm into the braces: {replace(selector, arm=True)}",
        )
    if kind is SignalKind.LIMIT and selector.arm:
        raise InvalidDocumentError(
            f"query `{shown}` asks for one side, and a limit is about the whole target",
            hint=f"leave $arm out: {replace(selector, arm=False)}",
        )


def _read_term(reader: Reader, default: Aggregation) -> GaugeTerm:
    depth = 0
    while reader.take("("):
        depth += 1
    aggregation = default
    sort, word = reader.peek()
    called = sort == "name" and reader.peek(1)[1] in ("(", "by", "without")
    if called and word not in _RANGED:
        if word not in _AGGREGATIONS:
            raise reader.error(f"uses {word}()", GAUGE_FORMS)
        aggregation = _AGGREGATIONS[reader.next()[1]]
        if reader.peek()[1] in ("by", "without"):
            reader.expect_end()
        reader.expect("(")
        depth += 1
    term = _read_ranged(reader, aggregation)
    for _ in range(depth):
        reader.expect(")")
    return term


def _read_ranged(reader: Reader, aggregation: Aggregation) -> GaugeTerm:
    sort, word = reader.peek()
    if sort != "name" or reader.peek(1)[1] != "(":
        return GaugeTerm(aggregation=aggregation, selector=read_selector(reader))
    if word not in _RANGED:
        raise reader.error(f"uses {word}()", GAUGE_FORMS)
    reader.next()
    reader.expect("(")
    selector = read_selector(reader, ranged=True)
    reader.expect("[", f"{word} needs a window: {word}({selector}[5m])")
    sort, window = reader.next()
    if sort != "duration":
        raise reader.error(f"has the window [{window}]", "write a duration like [5m]")
    reader.expect("]", "write a plain window like [5m]")
    reader.expect(")")
    return GaugeTerm(aggregation=aggregation, selector=selector, function=word, window=window)
