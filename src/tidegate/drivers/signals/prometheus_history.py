"""
How much a service was used in past weeks, from a Prometheus, for forecasts.

Asks `query_range` for `sum(increase(COUNTER[1h]))` at full hours: the counters are those of the errors
signal, without the arm, since both arms together are the service's traffic. `increase` extrapolates to
the ends of its hour and may be off by a percent; a forecast bears that, an estimator wouldn't.

Follows the HTTP API v1 (https://prometheus.io/docs/prometheus/latest/querying/api/).
"""

import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx

from tidegate.documents.counters import prometheus_counters, prometheus_url
from tidegate.documents.promql import Matcher, Selector
from tidegate.domain.plan.model import SignalKind
from tidegate.domain.plan.traffic import TrafficHour
from tidegate.drivers.signals.bodies import fetch
from tidegate.drivers.signals.promql_request import DEFAULT_TARGET_LABEL
from tidegate.errors import InvalidDocumentError, SignalSourceError
from tidegate.ports.traffic_history import HistoryQuery

_HOUR: Final = timedelta(hours=1)


class PrometheusHistory:
    """A `TrafficHistory` for `prometheus://` sources. The client is the caller's, and closed by it."""

    def __init__(self, *, client: httpx.AsyncClient) -> None:
        self._client = client

    async def hours(self, query: HistoryQuery) -> Sequence[TrafficHour]:
        """Return the hours that are known; see the port."""
        if query.spec.kind is not SignalKind.ERRORS:
            return []
        settings = dict(query.spec.settings)
        try:
            url = prometheus_url(query.spec.source)
            counters = prometheus_counters(query.spec.kind, settings)
        except InvalidDocumentError as exc:
            raise SignalSourceError(exc.message, hint=exc.hint) from exc
        totals = await self._increases(url, _narrowed(counters.total, query, settings), query)
        bad: Mapping[datetime, float] = {}
        if counters.bad is not None:
            bad = await self._increases(url, _narrowed(counters.bad, query, settings), query)
        return [
            TrafficHour(
                target=query.target,
                hour=end - _HOUR,
                watched=_HOUR,
                requests=round(requests),
                bad=min(round(requests), round(bad.get(end, 0.0))),
            )
            for end, requests in sorted(totals.items())
        ]

    async def _increases(
        self, base_url: str, selector: Selector, query: HistoryQuery
    ) -> dict[datetime, float]:
        """Return by how much the counters of *selector* grew in the hour before each full hour."""
        url = f"{base_url}/api/v1/query_range"
        asked = {
            "query": f"sum(increase({selector}[1h]))",
            "start": f"{(query.begin + _HOUR).timestamp():.0f}",
            "end": f"{query.end.timestamp():.0f}",
            "step": f"{_HOUR.total_seconds():.0f}",
        }
        try:
            answer = await fetch(self._client, self._client.build_request("POST", url, data=asked))
            if answer.status != httpx.codes.OK:
                raise _unreadable(url, f"it answered with status {answer.status}")
            document = json.loads(answer.body)
        except httpx.InvalidURL as exc:
            raise _unreadable(url, str(exc)) from exc
        except (ValueError, RecursionError) as exc:
            raise _unreadable(url, "its answer isn't JSON") from exc
        return _values(url, document)


def _narrowed(selector: Selector, query: HistoryQuery, settings: Mapping[str, str]) -> Selector:
    """Return *selector* for both arms, of the target alone where targets are told apart."""
    if not selector.target:
        return selector.narrowed()
    label = settings.get("target_label", DEFAULT_TARGET_LABEL)
    return selector.narrowed(Matcher(label=label, operator="=", value=query.target))


def _values(url: str, document: Any) -> dict[datetime, float]:
    """Return the values of the one series in *document*, none where there is no data."""
    match document:
        case {"status": "success", "data": {"resultType": "matrix", "result": []}}:
            return {}
        case {
            "status": "success",
            "data": {"resultType": "matrix", "result": [{"values": [*pairs]}]},
        }:
            pass
        case _:
            raise _unreadable(url, "its answer isn't one series over time")
    found: dict[datetime, float] = {}
    for pair in pairs:
        match pair:
            case [int() | float() as seconds, str(text)]:
                value = _number(text)
            case _:
                raise _unreadable(url, f"it holds {pair!r} where a time and a value belong")
        # An hour that no number is known of is an hour without data.
        if value is not None:
            found[datetime.fromtimestamp(seconds, tz=UTC)] = value
    return found


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0.0 else None


def _unreadable(url: str, why: str) -> SignalSourceError:
    return SignalSourceError(
        f"{url} tells nothing of past traffic: {why}",
        hint="the forecast does without; give the traffic with --traffic REQUESTS_PER_SECOND",
    )
