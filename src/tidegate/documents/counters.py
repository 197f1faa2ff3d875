"""
Which counters a signal's settings ask for, said once for every source that has named counters.

`tidegate.yaml` is checked with these functions when it is read, and the drivers use the same ones when
they ask, so that what was accepted is what is measured. The defaults are the names that Prometheus
itself documents for HTTP services: `http_requests_total` with the label `code`, and the histogram
`http_request_duration_seconds`; for OTLP those of OpenTelemetry's semantic conventions, where the
histogram `http.server.request.duration` is both.

Rule: nothing here knows an address, an arm's labels or a value. Gauges are in `gauges`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlsplit

from tidegate.documents.gauges import metric_gauge, prometheus_gauge
from tidegate.documents.promql import (
    CounterQuery,
    Selector,
    parse_matchers,
    parse_query,
    parse_selector,
)
from tidegate.documents.promql_words import ATTRIBUTE_NAME, LABEL_NAME
from tidegate.domain.plan.model import SignalKind
from tidegate.errors import InvalidDocumentError

DEFAULT_REQUESTS_METRIC: Final = "http_requests_total"
DEFAULT_BAD_MATCHERS: Final = 'code=~"5.."'
DEFAULT_DURATION_METRIC: Final = "http_request_duration_seconds"

DEFAULT_OTLP_METRIC: Final = "http.server.request.duration"
DEFAULT_OTLP_BAD_MATCHERS: Final = 'http.response.status_code=~"5.."'
OTLP: Final = "otlp"
OPENMETRICS: Final = "openmetrics"

GAUGE_KINDS: Final = frozenset({SignalKind.SATURATION, SignalKind.LIMIT})
"""Kinds that look at a value of this moment; all others count."""

_NO_HISTOGRAM: Final = ("_total", "_count", "_sum", "_created")
_MILLISECONDS_PER: Final = {"seconds": 1_000.0, "milliseconds": 1.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalCounters:
    """
    The counters of one signal.

    `total` counts requests (errors, traffic), good events (usage), or is the histogram (latency): for
    Prometheus and OpenMetrics its `_bucket` series. `bad` is there for errors only. `native` is the
    same histogram as a Prometheus native one, None where the author asked for `_bucket`. `unit_ms` is
    how many milliseconds one unit of the histogram's bounds is; 1 where there is no histogram, 0 where
    the data itself must say it.
    """

    total: Selector
    bad: Selector | None = None
    native: Selector | None = None
    unit_ms: float = 1.0

    @property
    def telling_labels(self) -> tuple[str, ...]:
        """
        Return the labels that part bad requests from all of the same counter.

        Where no bad series exists, a process that carries these labels had no bad request yet; one
        that doesn't carry them can't tell. Empty when bad requests have a counter of their own.
        """
        if self.bad is None or self.bad.metric != self.total.metric:
            return ()
        extra = [matcher for matcher in self.bad.matchers if matcher not in self.total.matchers]
        return tuple(dict.fromkeys(matcher.label for matcher in extra))


def prometheus_counters(kind: SignalKind, settings: Mapping[str, str]) -> SignalCounters:
    """
    Return the counters that *settings* name for a signal read from Prometheus.

    Either `query` (see `promql.parse_query`), or the names that `openmetrics_counters` takes; to
    these `$arm` is added.

    Raises:
        InvalidDocumentError: a name or query can't be used, or doesn't suit *kind*.
    """
    if "query" not in settings:
        named = openmetrics_counters(kind, settings)
        bad = None if named.bad is None else replace(named.bad, arm=True)
        native = None if named.native is None else replace(named.native, arm=True)
        return replace(named, total=replace(named.total, arm=True), bad=bad, native=native)
    for name in ("metric", "bad", "bad_metric", "total_metric"):
        if name in settings:
            raise InvalidDocumentError(
                f"a signal can't have both query and {name}", hint=f"take {name} or query away"
            )
    return _from_query(kind, parse_query(settings["query"]), settings)


def openmetrics_counters(kind: SignalKind, settings: Mapping[str, str]) -> SignalCounters:
    """
    Return the counters that *settings* name for a signal scraped from the processes themselves.

    Errors: `metric` (default `http_requests_total`) with `bad`, the matchers of its bad requests
    (default `code=~"5.."`); or `bad_metric` with `total_metric`. Traffic: `metric` (the same default).
    Usage: `metric`. Latency: `metric`, a histogram (default `http_request_duration_seconds`), with
    `unit` where its name doesn't end in `_seconds` or `_milliseconds`. A metric may carry matchers in
    braces.

    Raises:
        InvalidDocumentError: a name can't be used, or doesn't suit *kind*.
    """
    if "query" in settings:
        raise InvalidDocumentError(
            "query is for prometheus:// sources only",
            hint="name the counter itself: metric: orders_total",
        )
    match kind:
        case SignalKind.ERRORS:
            return _error_counters(
                settings, metric=DEFAULT_REQUESTS_METRIC, bad=DEFAULT_BAD_MATCHERS
            )
        case SignalKind.TRAFFIC:
            metric = settings.get("metric", DEFAULT_REQUESTS_METRIC)
            return SignalCounters(total=parse_selector(metric))
        case SignalKind.USAGE:
            return _usage_counters(settings, example="orders_total")
        case SignalKind.LATENCY:
            return _histogram(
                parse_selector(settings.get("metric", DEFAULT_DURATION_METRIC)), settings
            )
        case SignalKind.SATURATION | SignalKind.LIMIT:
            raise _gauge_is_not_counted(kind)


def otlp_counters(kind: SignalKind, settings: Mapping[str, str]) -> SignalCounters:
    """
    Return the counters that *settings* name for a signal that is sent by OTLP.

    The same keys as `openmetrics_counters` takes, with names of OpenTelemetry. A histogram counts as
    well as a sum does. The unit of a histogram is the one that comes with it; `unit` overrides it.

    Raises:
        InvalidDocumentError: a name can't be used, or doesn't suit *kind*.
    """
    match kind:
        case SignalKind.ERRORS:
            return _error_counters(
                settings, metric=DEFAULT_OTLP_METRIC, bad=DEFAULT_OTLP_BAD_MATCHERS, dotted=True
            )
        case SignalKind.USAGE:
            return _usage_counters(settings, example="shop.orders", dotted=True)
        case SignalKind.TRAFFIC | SignalKind.LATENCY:
            metric = settings.get("metric", DEFAULT_OTLP_METRIC)
            unit_ms = _MILLISECONDS_PER.get(settings.get("unit", ""), 0.0)
            return SignalCounters(total=parse_selector(metric, dotted=True), unit_ms=unit_ms)
        case SignalKind.SATURATION | SignalKind.LIMIT:
            raise _gauge_is_not_counted(kind)


def check_settings(source: str, kind: SignalKind, settings: Mapping[str, str]) -> None:
    """
    Check that a signal of *kind* can be read from *source* (not Envoy) by *settings*.

    Raises:
        InvalidDocumentError: it can't; the message says why.
    """
    _check_keys_of_kind(kind, settings)
    if kind in GAUGE_KINDS:
        if source in (OPENMETRICS, OTLP):
            metric_gauge(kind, settings, dotted=source == OTLP)
        else:
            prometheus_gauge(kind, settings)
    elif source == OTLP:
        otlp_counters(kind, settings)
    elif source == OPENMETRICS:
        openmetrics_counters(kind, settings)
    else:
        prometheus_counters(kind, settings)
    if "strata" in settings:
        check_labels(source, (settings["strata"],))


def _check_keys_of_kind(kind: SignalKind, settings: Mapping[str, str]) -> None:
    unfit: tuple[str, ...] = ("aggregate",)
    if kind in GAUGE_KINDS:
        unfit = ("bad", "bad_metric", "total_metric", "unit")
    if kind is SignalKind.LIMIT:
        unfit = (*unfit, "strata", "arm_label", "arm_value")
    for key in unfit:
        if key in settings:
            raise InvalidDocumentError(
                f"{key} means nothing to a {kind.value} signal", hint=f"remove {key}"
            )


def check_labels(source: str, labels: Sequence[str]) -> None:
    """
    Check that *labels* can be names of labels (OTLP: attributes) at *source*.

    Raises:
        InvalidDocumentError: one can't be.
    """
    names, example = (
        (ATTRIBUTE_NAME, "cloud.availability_zone") if source == OTLP else (LABEL_NAME, "zone")
    )
    for label in labels:
        if not names.fullmatch(label):
            raise InvalidDocumentError(
                f"{label} isn't the name of a label", hint=f"write a name like {example}"
            )


def prometheus_url(source: str) -> str:
    """
    Return the base URL that *source* (`prometheus://host:port[/prefix]`) stands for, without a slash.

    `prometheus+https://` is the same over TLS.

    Raises:
        InvalidDocumentError: *source* isn't such an address, or carries a password.
    """
    schemes = {"prometheus": "http", "prometheus+https": "https"}
    try:
        parts = urlsplit(source)
        port = parts.port
    except ValueError as problem:
        raise InvalidDocumentError(
            f"source {source} isn't an address: {problem}", hint="write prometheus://host:port"
        ) from problem
    if parts.scheme not in schemes or not parts.hostname or parts.query or parts.fragment:
        raise InvalidDocumentError(
            f"source {source} isn't the address of a Prometheus",
            hint="write prometheus://host:port, or prometheus+https://host:port for TLS",
        )
    if parts.username is not None or parts.password is not None:
        raise InvalidDocumentError(
            "a source must not carry a user name or password",
            hint="put a proxy that signs in before the Prometheus, or let it listen on loopback",
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    address = host if port is None else f"{host}:{port}"
    return f"{schemes[parts.scheme]}://{address}{parts.path.rstrip('/')}"


def _from_query(
    kind: SignalKind, query: CounterQuery, settings: Mapping[str, str]
) -> SignalCounters:
    match kind:
        case SignalKind.ERRORS:
            if query.bad is None:
                raise InvalidDocumentError(
                    f"errors need a ratio, and the query counts {query.total} only",
                    hint="divide the bad requests by all of them: sum(rate(BAD[5m])) / "
                    "sum(rate(ALL[5m]))",
                )
            return SignalCounters(total=query.total, bad=query.bad)
        case SignalKind.USAGE | SignalKind.TRAFFIC:
            if query.bad is not None:
                raise InvalidDocumentError(
                    f"{kind.value} is a count, and the query is a ratio",
                    hint=f"write the good events alone: sum(rate({query.bad}[5m])); they are "
                    "compared with the share of users that each arm has",
                )
            return SignalCounters(total=query.total)
        case SignalKind.LATENCY:
            if query.bad is not None or query.total.metric.endswith(_NO_HISTOGRAM):
                raise InvalidDocumentError(
                    f"latency needs a histogram, and {query.total} isn't one",
                    hint=f"write its buckets, {DEFAULT_DURATION_METRIC}_bucket{{$arm}}, or a native "
                    f"histogram itself, {DEFAULT_DURATION_METRIC}{{$arm}}",
                )
            return _histogram(query.total, settings)
        case SignalKind.SATURATION | SignalKind.LIMIT:
            raise _gauge_is_not_counted(kind)


def _gauge_is_not_counted(kind: SignalKind) -> InvalidDocumentError:
    return InvalidDocumentError(
        f"{kind.value} is a gauge, and a counter was asked for",
        hint="name a gauge: metric: process_resident_memory_bytes",
    )


def _usage_counters(
    settings: Mapping[str, str], *, example: str, dotted: bool = False
) -> SignalCounters:
    if "metric" not in settings:
        raise InvalidDocumentError(
            "a usage signal doesn't say which counter it is",
            hint=f"name a counter of good events: metric: {example}",
        )
    return SignalCounters(total=parse_selector(settings["metric"], dotted=dotted))


def _error_counters(
    settings: Mapping[str, str], *, metric: str, bad: str, dotted: bool = False
) -> SignalCounters:
    own_counters = [name for name in ("bad_metric", "total_metric") if name in settings]
    if own_counters:
        if len(own_counters) == 1 or "metric" in settings or "bad" in settings:
            raise InvalidDocumentError(
                "bad_metric and total_metric belong together, without metric and bad",
                hint="name both counters, or one counter by metric with bad for its bad requests",
            )
        return SignalCounters(
            total=parse_selector(settings["total_metric"], dotted=dotted),
            bad=parse_selector(settings["bad_metric"], dotted=dotted),
        )
    total = parse_selector(settings.get("metric", metric), dotted=dotted)
    matchers = parse_matchers(settings.get("bad", bad), dotted=dotted)
    return SignalCounters(total=total, bad=replace(total, matchers=(*total.matchers, *matchers)))


def _histogram(selector: Selector, settings: Mapping[str, str]) -> SignalCounters:
    base = selector.metric.removesuffix("_bucket")
    unit = settings.get("unit")
    if unit is None:
        unit = next((name for name in _MILLISECONDS_PER if base.endswith(f"_{name}")), None)
    if unit not in _MILLISECONDS_PER:
        raise InvalidDocumentError(
            f"the unit of the histogram {base} is {unit or 'not said'}",
            hint="add unit: seconds, or unit: milliseconds",
        )
    return SignalCounters(
        total=replace(selector, metric=f"{base}_bucket"),
        native=replace(selector, metric=base) if base == selector.metric else None,
        unit_ms=_MILLISECONDS_PER[unit],
    )
