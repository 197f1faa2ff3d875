"""Which counters a signal's settings ask for, and what is refused before anything is measured."""

import pytest

from tidegate.documents.counters import (
    check_settings,
    openmetrics_counters,
    otlp_counters,
    prometheus_counters,
    prometheus_url,
)
from tidegate.domain.plan.model import SignalKind
from tidegate.errors import InvalidDocumentError

ERRORS, USAGE, LATENCY = SignalKind.ERRORS, SignalKind.USAGE, SignalKind.LATENCY
TRAFFIC, SATURATION, LIMIT = SignalKind.TRAFFIC, SignalKind.SATURATION, SignalKind.LIMIT


@pytest.mark.parametrize(
    ("kind", "settings", "total", "bad"),
    [
        (ERRORS, {}, "http_requests_total", 'http_requests_total{code=~"5.."}'),
        (
            ERRORS,
            {"metric": "rpc_total{side='server'}", "bad": 'status!="ok"'},
            'rpc_total{side="server"}',
            'rpc_total{side="server",status!="ok"}',
        ),
        (
            ERRORS,
            {"total_metric": "tries_total", "bad_metric": "failures_total"},
            "tries_total",
            "failures_total",
        ),
        (USAGE, {"metric": "orders_total"}, "orders_total", None),
        (TRAFFIC, {}, "http_requests_total", None),
        (TRAFFIC, {"metric": "calls_total"}, "calls_total", None),
        (LATENCY, {}, "http_request_duration_seconds_bucket", None),
        (LATENCY, {"metric": "took_milliseconds"}, "took_milliseconds_bucket", None),
        (LATENCY, {"metric": "took_bucket", "unit": "seconds"}, "took_bucket", None),
    ],
)
def test_names_stand_for_counters(
    kind: SignalKind, settings: dict[str, str], total: str, bad: str | None
) -> None:
    """Settings name counters, and what they leave out has the documented default."""
    found = openmetrics_counters(kind, settings)

    assert str(found.total) == total
    assert (None if found.bad is None else str(found.bad)) == bad


def test_prometheus_puts_the_arm_into_named_counters() -> None:
    """A counter by name is told apart by arm as one in a query is."""
    found = prometheus_counters(ERRORS, {"metric": "requests_total"})

    assert found.total.arm
    assert found.bad is not None
    assert found.bad.arm


@pytest.mark.parametrize(
    ("name", "unit_ms"),
    [("a_seconds", 1_000.0), ("a_milliseconds", 1.0)],
)
def test_a_histograms_unit_is_in_its_name(name: str, unit_ms: float) -> None:
    """Bounds are milliseconds in the domain, whatever the service writes."""
    found = openmetrics_counters(LATENCY, {"metric": name})

    assert found.unit_ms == unit_ms


@pytest.mark.parametrize(
    ("kind", "settings", "says"),
    [
        (USAGE, {}, "which counter"),
        (ERRORS, {"bad_metric": "b"}, "belong together"),
        (ERRORS, {"bad_metric": "b", "total_metric": "t", "metric": "m"}, "belong together"),
        (ERRORS, {"bad_metric": "b", "total_metric": "t", "bad": 'c="1"'}, "belong together"),
        (ERRORS, {"query": "sum(a{$arm})"}, "errors need a ratio"),
        (USAGE, {"query": "sum(a{$arm}) / sum(b{$arm})"}, "the query is a ratio"),
        (LATENCY, {"query": "took_seconds_sum{$arm}"}, "needs a histogram"),
        (LATENCY, {"query": "took_bucket{$arm}"}, "unit of the histogram took is not said"),
        (LATENCY, {"metric": "took_seconds", "unit": "hours"}, "is hours"),
        (USAGE, {"query": "a{$arm}", "metric": "a"}, "both query and metric"),
        (TRAFFIC, {"query": "sum(a{$arm}) / sum(b{$arm})"}, "traffic is a count"),
        (SATURATION, {"metric": "heap_bytes"}, "saturation is a gauge"),
    ],
)
def test_refuses_settings_that_dont_suit_the_kind(
    kind: SignalKind, settings: dict[str, str], says: str
) -> None:
    """A signal that could never be judged is refused when the document is read."""
    with pytest.raises(InvalidDocumentError) as refusal:
        prometheus_counters(kind, settings)

    assert says in refusal.value.message
    assert refusal.value.hint


def test_a_query_needs_a_prometheus() -> None:
    """Members understand no PromQL; the refusal says what to write."""
    with pytest.raises(InvalidDocumentError) as refusal:
        openmetrics_counters(USAGE, {"query": "a{$arm}"})

    assert "metric:" in refusal.value.hint


@pytest.mark.parametrize(
    ("settings", "labels"),
    [
        ({}, ("code",)),
        ({"bad": 'code=~"5..",grpc="no"'}, ("code", "grpc")),
        ({"bad_metric": "b", "total_metric": "t"}, ()),
    ],
)
def test_telling_labels_are_those_that_only_bad_requests_are_chosen_by(
    settings: dict[str, str], labels: tuple[str, ...]
) -> None:
    """These must exist on the counter; where they don't, no bad request could ever be seen."""
    found = openmetrics_counters(ERRORS, settings)

    assert found.telling_labels == labels


@pytest.mark.parametrize(
    ("source", "url"),
    [
        ("prometheus://prometheus:9090", "http://prometheus:9090"),
        ("prometheus://h:9090/prefix/", "http://h:9090/prefix"),
        ("prometheus+https://h", "https://h"),
        ("prometheus://[::1]:9090", "http://[::1]:9090"),
    ],
)
def test_a_source_is_an_address(source: str, url: str) -> None:
    """The scheme says what answers there, the rest where."""
    assert prometheus_url(source) == url


@pytest.mark.parametrize(
    "source",
    [
        "http://h:9090",
        "prometheus:9090",
        "prometheus://",
        "prometheus://h:port",
        "prometheus://h:99999",
        "prometheus://user:secret@h:9090",
        "prometheus://h:9090/?a=b",
        "prometheus://[::1",
    ],
)
def test_refuses_a_source_that_isnt_one(source: str) -> None:
    """Above all one with a password in it, which would be shown and hashed with the document."""
    with pytest.raises(InvalidDocumentError) as refusal:
        prometheus_url(source)

    assert "secret" not in refusal.value.message


@pytest.mark.parametrize(
    ("query", "native"),
    [
        ({"query": "took_seconds{$arm}"}, "took_seconds{$arm}"),
        ({"query": "sum(rate(took_seconds{$arm}[5m]))"}, "took_seconds{$arm}"),
        ({"query": "took_seconds_bucket{$arm}"}, None),
        ({"metric": "took_seconds"}, "took_seconds{$arm}"),
    ],
)
def test_a_histogram_is_native_too_unless_its_buckets_are_named(
    query: dict[str, str], native: str | None
) -> None:
    """Who writes _bucket wants the classic form; else whichever form there is will do."""
    found = prometheus_counters(LATENCY, query)

    assert str(found.total) == "took_seconds_bucket{$arm}"
    assert (None if found.native is None else str(found.native)) == native


def test_otlp_has_the_names_of_opentelemetry() -> None:
    """Without a word in the document the conventions for HTTP servers hold, for every kind."""
    errors, latency = otlp_counters(ERRORS, {}), otlp_counters(LATENCY, {})

    assert errors.total.metric == latency.total.metric == "http.server.request.duration"
    assert errors.telling_labels == ("http.response.status_code",)
    assert latency.unit_ms == 0.0
    assert otlp_counters(LATENCY, {"unit": "seconds"}).unit_ms == 1_000.0
    assert str(otlp_counters(USAGE, {"metric": "shop.orders"}).total) == "shop.orders"


@pytest.mark.parametrize(
    ("source", "kind", "settings", "says"),
    [
        ("openmetrics", LIMIT, {"query": "max(a)"}, "prometheus:// sources only"),
        ("otlp", USAGE, {}, "which counter"),
        ("otlp", SATURATION, {}, "which gauge"),
        ("otlp", ERRORS, {"strata": "zone!"}, "isn't the name of a label"),
        ("openmetrics", ERRORS, {"strata": "cloud.zone"}, "isn't the name of a label"),
        (
            "prometheus://h:9",
            USAGE,
            {"metric": "a", "aggregate": "max"},
            "means nothing to a usage",
        ),
        ("prometheus://h:9", LIMIT, {"metric": "a", "strata": "z"}, "means nothing to a limit"),
        ("prometheus://h:9", LIMIT, {"metric": "a", "arm_label": "z"}, "means nothing to a limit"),
        ("prometheus://h:9", SATURATION, {"metric": "a", "bad": "z"}, "means nothing to a sat"),
    ],
)
def test_settings_are_checked_for_their_source_and_kind(
    source: str, kind: SignalKind, settings: dict[str, str], says: str
) -> None:
    """Everything that the driver would not understand is refused when the document is read."""
    with pytest.raises(InvalidDocumentError) as refusal:
        check_settings(source, kind, settings)

    assert says in refusal.value.message
    assert refusal.value.hint


@pytest.mark.parametrize(
    ("source", "kind", "settings"),
    [
        ("otlp", ERRORS, {"strata": "cloud.availability_zone"}),
        ("otlp", LIMIT, {"metric": "db.lag", "aggregate": "max"}),
        ("openmetrics", SATURATION, {"metric": "heap_bytes", "strata": "zone"}),
        ("openmetrics", TRAFFIC, {}),
        ("prometheus://h:9", LIMIT, {"query": "max(lag{$target})"}),
        ("prometheus://h:9", TRAFFIC, {"query": "sum(rate(a{$arm}[5m]))"}),
    ],
)
def test_settings_that_suit_pass(source: str, kind: SignalKind, settings: dict[str, str]) -> None:
    """The ground of the test above."""
    check_settings(source, kind, settings)
