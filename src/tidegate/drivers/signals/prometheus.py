"""
Signals from a Prometheus, or anything that answers its HTTP API (Thanos, Mimir, VictoriaMetrics).

Asks for counters, never for rates of them; differences are made by the domain, per process. One request
per signal and arm, the same request only once per call. A reading is as old as its oldest sample, so a
Prometheus that runs on while nothing is scraped any more shows as stale.

What can't be believed has no reading: an answer that is partial (the server warns), that is about
another arm than was asked for, or that holds a line twice. Values are passed on as they are, NaN too.

Histograms may be classic or native. One that has both forms is read as a native one; of several
processes all must have the same form, since the buckets of the two have no bounds in common.

Follows the HTTP API v1 (https://prometheus.io/docs/prometheus/latest/querying/api/), tried with 2.42.

Settings of a signal: those of `documents.counters.prometheus_counters` and
`documents.gauges.prometheus_gauge`, those of `arms`, `target_label` (`target`)
and `strata`.
"""

import asyncio
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import httpx

from tidegate.documents.counters import (
    GAUGE_KINDS,
    SignalCounters,
    check_labels,
    prometheus_counters,
    prometheus_url,
)
from tidegate.documents.gauges import Gauge, prometheus_gauge
from tidegate.domain.health.readings import Reading, SeriesCounts
from tidegate.domain.plan.model import SignalKind
from tidegate.domain.quantities import Arm
from tidegate.drivers.signals.bodies import fetch
from tidegate.drivers.signals.exponential import in_grid
from tidegate.drivers.signals.histograms import CumulativeBuckets, in_common_buckets
from tidegate.drivers.signals.promql_answer import Lines, Process, lines_of, processes_of
from tidegate.drivers.signals.promql_request import ArmRequest, arm_requests
from tidegate.errors import InvalidDocumentError, SignalSourceError
from tidegate.ports.clock import Clock
from tidegate.ports.signals import LIMIT_SERIES, SignalQuery

MAXIMUM_LEAD: Final = timedelta(seconds=10)
"""Clocks differ by less. A sample further ahead would make everything after it look old for as long."""

_REQUESTS_AT_ONCE: Final = 8
_REFUSED: Final = frozenset({400, 422})
"""Statuses by which Prometheus refuses one expression; any other failure concerns the whole source."""


@dataclass(frozen=True, slots=True)
class _Ask:
    """One request: an expression at one source."""

    base_url: str
    expression: str


_Outcome = Lines | None | SignalSourceError


class PrometheusSignals:
    """A `SignalSource` for `prometheus://` sources. The client is the caller's, and closed by it."""

    def __init__(self, *, clock: Clock, client: httpx.AsyncClient) -> None:
        self._clock = clock
        self._client = client

    async def read(self, queries: Sequence[SignalQuery]) -> Sequence[Reading | None]:
        """
        Return one reading per query, as the port says. The queries may name several sources.

        Raises:
            SignalSourceError: every request failed, none because its own query was refused.
        """
        plans = [_plan(query) for query in queries]
        wanted = {ask: None for plan in plans if plan is not None for ask in plan.asks.values()}
        at_once = asyncio.Semaphore(_REQUESTS_AT_ONCE)
        outcomes = dict(
            zip(
                wanted,
                await asyncio.gather(*(self._ask(ask, at_once) for ask in wanted)),
                strict=True,
            )
        )
        failures = [found for found in outcomes.values() if isinstance(found, SignalSourceError)]
        if failures and len(failures) == len(outcomes):
            raise failures[0]
        latest = self._clock.now() + MAXIMUM_LEAD
        return [None if plan is None else _reading(plan, outcomes, latest) for plan in plans]

    async def _ask(self, ask: _Ask, at_once: asyncio.Semaphore) -> _Outcome:
        """Return the lines of the answer, None when the query was refused, or why there are none."""
        url = f"{ask.base_url}/api/v1/query"
        try:
            request = self._client.build_request("POST", url, data={"query": ask.expression})
            async with at_once:
                answer = await fetch(self._client, request)
            if answer.status in _REFUSED:
                return None
            if answer.status != httpx.codes.OK:
                return _failed(url, f"it answered with status {answer.status}")
            document = await asyncio.to_thread(json.loads, answer.body)
        except SignalSourceError as problem:
            return problem
        except httpx.InvalidURL as problem:
            return _failed(url, str(problem))
        except (ValueError, RecursionError):
            return _failed(url, "its answer isn't JSON")
        return lines_of(document)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """What one query needs, made once and used for asking and for reading the answers."""

    query: SignalQuery
    wanted: SignalCounters | Gauge
    requests: Mapping[Arm, ArmRequest]
    asks: Mapping[Arm, _Ask]

    @property
    def unit_ms(self) -> float:
        return self.wanted.unit_ms if isinstance(self.wanted, SignalCounters) else 1.0


def _plan(query: SignalQuery) -> _Plan | None:
    """Return what *query* needs, or None when it can't be asked at all."""
    wanted: SignalCounters | Gauge
    try:
        base_url = prometheus_url(query.source)
        check_labels(query.source, query.group_labels)
        if query.kind in GAUGE_KINDS:
            wanted = prometheus_gauge(query.kind, query.settings)
        else:
            wanted = prometheus_counters(query.kind, query.settings)
    except InvalidDocumentError:
        return None
    requests = arm_requests(query, wanted)
    asks = {
        arm: _Ask(base_url=base_url, expression=request.expression)
        for arm, request in requests.items()
    }
    return _Plan(query=query, wanted=wanted, requests=requests, asks=asks)


def _reading(plan: _Plan, outcomes: Mapping[_Ask, _Outcome], latest: datetime) -> Reading | None:
    arms: dict[Arm, dict[str, Process]] = {}
    for arm, ask in plan.asks.items():
        lines = outcomes[ask]
        if not isinstance(lines, list):
            # Half a comparison is none: the other arm's data can wait for this one's.
            return None
        groups = plan.query.group_labels if plan.query.kind is not SignalKind.LIMIT else ()
        processes = processes_of(plan.requests[arm], lines, unit_ms=plan.unit_ms, groups=groups)
        if processes:
            arms[arm] = processes
    times = [process.time for processes in arms.values() for process in processes.values()]
    at = _instant(min(times)) if times else None
    if at is None or at > latest:
        return None
    if isinstance(plan.wanted, Gauge):
        return _gauge_reading(plan.query.kind, arms, at)
    if plan.query.kind is SignalKind.LATENCY:
        return _latency_reading(plan.unit_ms, arms, at)
    return _count_reading(plan.wanted, arms, at)


def _count_reading(
    counters: SignalCounters, arms: Mapping[Arm, Mapping[str, Process]], at: datetime
) -> Reading | None:
    every = [process for processes in arms.values() for process in processes.values()]
    # A counter of bad requests that nobody shows may be misspelt; one that somebody shows exists.
    exists = any(process.bad is not None for process in every)
    counted: dict[Arm, dict[str, SeriesCounts]] = {}
    for arm, processes in arms.items():
        for name, process in processes.items():
            if not process.is_classic:
                continue
            known = process.telling if counters.telling_labels else exists
            if counters.bad is None or process.bad is not None or known:
                counted.setdefault(arm, {})[name] = SeriesCounts(
                    total=process.total[math.inf], bad=process.bad or 0.0, group=process.group
                )
    return Reading(at=at, arms=counted) if counted else None


def _latency_reading(
    unit_ms: float, arms: Mapping[Arm, Mapping[str, Process]], at: datetime
) -> Reading | None:
    every = [process for processes in arms.values() for process in processes.values()]
    cumulative: dict[Arm, dict[str, CumulativeBuckets]] = {arm: {} for arm in arms}
    all_native = all(process.native is not None for process in every)
    for arm, processes in arms.items():
        for name, process in processes.items():
            if all_native and process.native is not None:
                cumulative[arm][name] = in_grid(process.native, unit_ms)
            elif process.is_classic:
                cumulative[arm][name] = process.total
            else:
                return None
    groups = {name: one.group for processes in arms.values() for name, one in processes.items()}
    bounds, counted = in_common_buckets(cumulative, groups)
    return Reading(at=at, arms=counted, bounds=bounds) if bounds else None


def _gauge_reading(
    kind: SignalKind, arms: Mapping[Arm, Mapping[str, Process]], at: datetime
) -> Reading | None:
    gauges = {
        arm: {
            name: SeriesCounts(total=0.0, gauge=process.gauge, group=process.group)
            for name, process in processes.items()
            if process.gauge is not None
        }
        for arm, processes in arms.items()
    }
    if kind is SignalKind.LIMIT:
        values = list(gauges[Arm.CANDIDATE].values())
        if len(values) != 1:
            return None
        gauges = {Arm.CANDIDATE: {LIMIT_SERIES: values[0]}}
    return Reading(at=at, arms=gauges) if any(gauges.values()) else None


def _instant(seconds: float) -> datetime | None:
    try:
        return datetime.fromtimestamp(seconds, tz=UTC)
    except (OverflowError, OSError, ValueError):
        return None


def _failed(url: str, why: str) -> SignalSourceError:
    return SignalSourceError(
        f"{url} gives no signals: {why}",
        hint="check the source in tidegate.yaml; until it answers, rollouts that need it hold",
    )
