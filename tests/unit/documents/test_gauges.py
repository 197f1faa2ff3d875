"""The forms in which a gauge may be asked for, and the fix for each that isn't one."""

import math

import pytest

from tidegate.documents.gauges import Gauge, aggregated, metric_gauge, prometheus_gauge
from tidegate.documents.promql import Matcher
from tidegate.domain.plan.model import SignalKind
from tidegate.errors import InvalidDocumentError

SATURATION, LIMIT = SignalKind.SATURATION, SignalKind.LIMIT
TARGET = Matcher(label="target", operator="=", value="eu-1")


def text_of(gauge: Gauge, *by: str) -> str:
    return " / ".join(term.text(by, TARGET) for term in gauge.terms)


@pytest.mark.parametrize(
    ("query", "asked"),
    [
        ("lag_seconds", 'max (lag_seconds{target="eu-1"})'),
        ("(min(lag_seconds))", 'min (lag_seconds{target="eu-1"})'),
        ("sum(rate(cpu_seconds_total[5m]))", 'sum (rate(cpu_seconds_total{target="eu-1"}[5m]))'),
        ("rate(cpu_seconds_total[1m])", 'max (rate(cpu_seconds_total{target="eu-1"}[1m]))'),
        (
            'avg(used{disk="a"}) / max(size)',
            'avg (used{disk="a",target="eu-1"}) / max (size{target="eu-1"})',
        ),
    ],
)
def test_a_limit_is_a_number_of_the_target(query: str, asked: str) -> None:
    """One number, however many series there are; without an aggregation the largest counts."""
    assert text_of(prometheus_gauge(LIMIT, {"query": query})) == asked


@pytest.mark.parametrize(
    ("settings", "asked"),
    [
        ({"query": "heap_bytes{$arm}"}, 'sum by (instance) (heap_bytes{target="eu-1"})'),
        (
            {"query": "queue{$arm}", "aggregate": "max"},
            'max by (instance) (queue{target="eu-1"})',
        ),
        ({"metric": "heap_bytes"}, 'sum by (instance) (heap_bytes{target="eu-1"})'),
        (
            {"query": "sum(used{$arm}) / sum(size{$arm})"},
            'sum by (instance) (used{target="eu-1"}) / sum by (instance) (size{target="eu-1"})',
        ),
    ],
)
def test_saturation_is_a_number_of_each_process(settings: dict[str, str], asked: str) -> None:
    """Processes are kept apart, and the parts of one are added up."""
    gauge = prometheus_gauge(SATURATION, settings)

    assert text_of(gauge, "instance") == asked
    assert all(term.selector.arm for term in gauge.terms)


@pytest.mark.parametrize(
    ("kind", "settings", "says"),
    [
        (SATURATION, {"query": "heap_bytes"}, "can't tell the candidate from the baseline"),
        (SATURATION, {"query": "a{$arm} / b"}, "can't tell the candidate from the baseline"),
        (LIMIT, {"query": "heap_bytes{$arm}"}, "asks for one side"),
        (LIMIT, {"query": "histogram_quantile(0.9, a)"}, "uses histogram_quantile()"),
        (LIMIT, {"query": "max(deriv(a[5m]))"}, "uses deriv()"),
        (LIMIT, {"query": "max by (x) (a)"}, "groups its result with `by`"),
        (LIMIT, {"query": "max(a) by (x)"}, "groups its result with `by`"),
        (LIMIT, {"query": "rate(a)"}, "where [ is needed"),
        (LIMIT, {"query": "rate(a[$phase])"}, "has the window [$phase]"),
        (LIMIT, {"query": "max(a) * 2"}, "multiplies"),
        (LIMIT, {"query": "max(a"}, "where ) is needed"),
        (LIMIT, {"query": "max(a) / 2"}, "where a counter's name is needed"),
        (LIMIT, {"query": "a", "metric": "b"}, "both query and metric"),
        (LIMIT, {}, "which gauge it is"),
        (SATURATION, {}, "which gauge it is"),
    ],
)
def test_refuses_what_is_no_gauge(kind: SignalKind, settings: dict[str, str], says: str) -> None:
    """What could not be told when it was measured, or of whom, is refused when it is read."""
    with pytest.raises(InvalidDocumentError) as refusal:
        prometheus_gauge(kind, settings)

    assert says in refusal.value.message
    assert refusal.value.hint


def test_otlp_names_have_dots() -> None:
    """A metric of OpenTelemetry is named as it is sent."""
    gauge = metric_gauge(
        SATURATION, {"metric": 'jvm.memory.used{jvm.memory.type="heap"}'}, dotted=True
    )

    assert gauge.first.selector.metric == "jvm.memory.used"
    assert gauge.first.selector.matches({"jvm.memory.type": "heap"})


@pytest.mark.parametrize(
    ("aggregation", "value"), [("max", 4.0), ("min", 1.0), ("sum", 7.0), ("avg", 7.0 / 3)]
)
def test_values_are_put_together_as_prometheus_does(aggregation: str, value: float) -> None:
    """The worked example: 1, 4 and 2."""
    gauge = metric_gauge(LIMIT, {"metric": "a", "aggregate": aggregation})

    assert aggregated(gauge.first.aggregation, [1.0, 4.0, 2.0]) == value


@pytest.mark.parametrize("aggregation", ["max", "min", "sum", "avg"])
@pytest.mark.parametrize("values", [[math.nan, 1.0], [1.0, math.nan]])
def test_what_is_no_number_stays_so(aggregation: str, values: list[float]) -> None:
    """NaN is never lost among numbers: a limit must not pass because of one."""
    gauge = metric_gauge(LIMIT, {"metric": "a", "aggregate": aggregation})

    assert math.isnan(aggregated(gauge.first.aggregation, values))
