"""
Which counters a signal's settings ask for, said once for every source that has named counters.

`tidegate.yaml` is checked with these functions when it is read, and the drivers use the same ones when
they ask, so that what was accepted is what is measured. The defaults are the names that Prometheus
itself documents for HTTP services: `http_requests_total` with the label `code`, and the classic
histogram `http_request_duration_seconds`.

Rule: nothing here knows an address, an arm's labels or a value.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlsplit

from tidegate.documents.promql import (
    CounterQuery,
    Selector,
    parse_matchers,
    parse_query,
    parse_selector,
)
from tidegate.domain.plan.model import SignalKind
from tidegate.errors import InvalidDocumentError

DEFAULT_REQUESTS_METRIC: Final = "http_requests_total"
DEFAULT_BAD_MATCHERS: Final = 'code=~"5.."'
DEFAULT_DURATION_METRIC: Final = "http_request_duration_seconds"

_MILLISECONDS_PER: Final = {"seconds": 1_000.0, "milliseconds": 1.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalCounters:
    """
    The counters of one signal.

    `total` counts requests (errors), good events (usage), or is the histogram's `_bucket` series
    (latency). `bad` is there for errors only. `unit_ms` is how many milliseconds one unit of the
    histogram's bounds is; 1 where there is no histogram.
    """

    total: Selector
    bad: Selector | None = None
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
        return replace(named, total=replace(named.total, arm=True), bad=bad)
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
    (default `code=~"5.."`); or `bad_metric` with `total_metric`. Usage: `metric`. Latency: `metric`, a
    histogram (default `http_request_duration_seconds`), with `unit` where its name doesn't end in
    `_seconds` or `_milliseconds`. A metric may carry matchers in braces.

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
            return _error_counters(settings)
        case SignalKind.USAGE:
            if "metric" not in settings:
                raise InvalidDocumentError(
                    "a usage signal doesn't say which counter it is",
                    hint="name a counter of good events: metric: orders_total",
                )
            return SignalCounters(total=parse_selector(settings["metric"]))
        case SignalKind.LATENCY:
            return _histogram(
                parse_selector(settings.get("metric", DEFAULT_DURATION_METRIC)), settings
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
        case SignalKind.USAGE:
            if query.bad is not None:
                raise InvalidDocumentError(
                    "usage is a count, and the query is a ratio",
                    hint=f"write the good events alone: sum(rate({query.bad}[5m])); they are "
                    "compared with the share of users that each arm has",
                )
            return SignalCounters(total=query.total)
        case SignalKind.LATENCY:
            if query.bad is not None or not query.total.metric.endswith("_bucket"):
                raise InvalidDocumentError(
                    f"latency needs a histogram, and {query.total} isn't one",
                    hint=f"write its buckets: {DEFAULT_DURATION_METRIC}_bucket{{$arm}}",
                )
            return _histogram(query.total, settings)


def _error_counters(settings: Mapping[str, str]) -> SignalCounters:
    own_counters = [name for name in ("bad_metric", "total_metric") if name in settings]
    if own_counters:
        if len(own_counters) == 1 or "metric" in settings or "bad" in settings:
            raise InvalidDocumentError(
                "bad_metric and total_metric belong together, without metric and bad",
                hint="name both counters, or one counter by metric with bad for its bad requests",
            )
        return SignalCounters(
            total=parse_selector(settings["total_metric"]),
            bad=parse_selector(settings["bad_metric"]),
        )
    total = parse_selector(settings.get("metric", DEFAULT_REQUESTS_METRIC))
    bad = parse_matchers(settings.get("bad", DEFAULT_BAD_MATCHERS))
    return SignalCounters(total=total, bad=replace(total, matchers=(*total.matchers, *bad)))


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
        total=replace(selector, metric=f"{base}_bucket"), unit_ms=_MILLISECONDS_PER[unit]
    )
