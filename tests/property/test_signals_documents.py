"""What outside systems send as JSON, damaged by chance: read or refused, never anything else."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tidegate.drivers.clock.system import SystemClock
from tidegate.drivers.signals.exponential import in_grid, of_prometheus
from tidegate.drivers.signals.otlp import OtlpSignals
from tidegate.drivers.signals.promql_answer import lines_of
from tidegate.errors import InvalidRequestError

KEYS = (
    *("resourceMetrics", "resource", "attributes", "scopeMetrics", "scope", "metrics", "name"),
    *("sum", "gauge", "histogram", "exponentialHistogram", "dataPoints", "isMonotonic", "flags"),
    *("aggregationTemporality", "timeUnixNano", "startTimeUnixNano", "asInt", "asDouble", "count"),
    *("bucketCounts", "explicitBounds", "scale", "positive", "offset", "key", "value", "unit"),
    *("stringValue", "status", "data", "resultType", "result", "metric", "buckets", "warnings"),
)
leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.sampled_from(["", "1", "NaN", "-Inf", "1e400", "service.name", "success", "vector", "x"])
)
documents = st.recursive(
    leaves,
    lambda children: (
        st.lists(children, max_size=4)
        | st.dictionaries(st.sampled_from(KEYS), children, max_size=6)
    ),
    max_leaves=40,
)


@st.composite
def exports(draw: st.DrawFn) -> dict[str, Any]:
    """An export whose outer form is right, so that the damage reaches the points."""
    names = {"service.name": "shop", "service.instance.id": "a"}
    attributes = [{"key": key, "value": {"stringValue": value}} for key, value in names.items()]
    form = draw(st.sampled_from(["sum", "gauge", "histogram", "exponentialHistogram"]))
    points = draw(
        st.lists(st.dictionaries(st.sampled_from(KEYS), documents, max_size=8), max_size=3)
    )
    data = {"dataPoints": points, "aggregationTemporality": 2, "isMonotonic": True}
    metric = {"name": "m", form: data}
    return {
        "resourceMetrics": [
            {"resource": {"attributes": attributes}, "scopeMetrics": [{"metrics": [metric]}]}
        ]
    }


@given(document=documents | exports())
def test_any_export_is_taken_or_refused(document: object) -> None:
    """Nobody who may send metrics can break the server by what is in them."""
    source = OtlpSignals(clock=SystemClock())

    try:
        taken = source.take_in(document)
    except InvalidRequestError:
        return

    assert (taken.rejected > 0) <= bool(taken.why)


@given(document=documents)
def test_any_answer_is_lines_or_nothing(document: object) -> None:
    """Whatever stands where a Prometheus should be, its answer is whole or it is none."""
    lines = lines_of(document)

    assert lines is None or all(isinstance(labels, dict) for labels, _ in lines)


@given(
    total=st.floats(allow_nan=False, min_value=0, max_value=1e9),
    buckets=st.lists(
        st.tuples(
            st.integers(0, 3),
            *(st.floats() | st.integers(-40, 40).map(lambda power: 2.0 ** (power / 4)),) * 2,
            st.floats(0, 1e9),
        ),
        max_size=5,
    ),
)
def test_any_histogram_is_counted_or_not_read(
    total: float, buckets: list[tuple[int, float, float, float]]
) -> None:
    """What is read has counts at rising bounds that never fall, and its own total."""
    shown = [[rule, str(left), str(right), str(count)] for rule, left, right, count in buckets]

    histogram = of_prometheus({"count": str(total), "buckets": shown})

    if histogram is None:
        return
    grid = in_grid(histogram, 1_000.0)
    bounds = sorted(grid)
    counts = [grid[bound] for bound in bounds[:-1]]
    assert grid[bounds[-1]] == total
    assert counts == sorted(counts)
