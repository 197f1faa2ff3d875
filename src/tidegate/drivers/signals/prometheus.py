"""
Signals from a Prometheus, or anything that answers its HTTP API (Thanos, Mimir, VictoriaMetrics).

Asks for counters, never for rates; differences are made by the domain, per process. One request per
signal and arm, the same request only once per call. A reading is as old as its oldest sample, so a
Prometheus that runs on while nothing is scraped any more shows as stale.

What can't be believed has no reading: an answer that is partial (the server warns), that is about
another arm than was asked for, or that holds a line twice. Values are passed on as they are, NaN too.

Follows the HTTP API v1 (https://prometheus.io/docs/prometheus/latest/querying/api/), tried with 2.42.

Settings of a signal: those of `documents.counters.prometheus_counters`, those of
`promql_request.arm_matcher`, and `target_label` (`target`).
"""

import asyncio
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx

from tidegate.documents.counters import SignalCounters, prometheus_counters, prometheus_url
from tidegate.domain.health.readings import Reading, SeriesCounts
from tidegate.domain.plan.model import SignalKind
from tidegate.domain.quantities import Arm
from tidegate.drivers.signals.bodies import fetch
from tidegate.drivers.signals.histograms import bound_ms, in_common_buckets
from tidegate.drivers.signals.promql_request import (
    PART_BAD,
    PART_LABEL,
    PART_TELLING,
    PART_TIME,
    PART_TOTAL,
    PROCESS_LABELS,
    ArmRequest,
    arm_requests,
)
from tidegate.errors import InvalidDocumentError, SignalSourceError
from tidegate.ports.clock import Clock
from tidegate.ports.signals import SignalQuery

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


@dataclass(slots=True, kw_only=True)
class _Process:
    """What was answered for one process. `total` is by bucket for latency, else under infinity."""

    total: dict[float, float] = field(default_factory=dict)
    bad: float | None = None
    telling: bool = False
    time: float = math.nan


_Lines = list[tuple[dict[str, str], float]]
_Outcome = _Lines | None | SignalSourceError


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
        return _lines(document)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """What one query needs, made once and used for asking and for reading the answers."""

    kind: SignalKind
    counters: SignalCounters
    requests: Mapping[Arm, ArmRequest]
    asks: Mapping[Arm, _Ask]


def _plan(query: SignalQuery) -> _Plan | None:
    """Return what *query* needs, or None when it can't be asked at all."""
    try:
        base_url = prometheus_url(query.source)
        counters = prometheus_counters(query.kind, query.settings)
    except InvalidDocumentError:
        return None
    requests = arm_requests(query, counters)
    asks = {
        arm: _Ask(base_url=base_url, expression=request.expression)
        for arm, request in requests.items()
    }
    return _Plan(kind=query.kind, counters=counters, requests=requests, asks=asks)


def _lines(document: Any) -> _Lines | None:
    """Return the labels and value of each line of an instant vector, None when it isn't a whole one."""
    if not isinstance(document, dict) or document.get("status") != "success":
        return None
    data = document.get("data")
    # A warning means that a store behind the server didn't answer: the counts lack its part.
    if document.get("warnings") or not isinstance(data, dict):
        return None
    result = data.get("result")
    if data.get("resultType") != "vector" or not isinstance(result, list):
        return None
    lines: _Lines = []
    seen: set[tuple[tuple[str, str], ...]] = set()
    for entry in result:
        match entry:
            case {"metric": dict(labels), "value": [_, str(text)]}:
                identity = tuple(sorted((str(name), str(value)) for name, value in labels.items()))
            case _:
                return None
        if identity in seen:
            return None
        seen.add(identity)
        try:
            lines.append((dict(identity), float(text)))
        except ValueError:
            return None
    return lines


def _reading(plan: _Plan, outcomes: Mapping[_Ask, _Outcome], latest: datetime) -> Reading | None:
    arms: dict[Arm, dict[str, _Process]] = {}
    for arm, ask in plan.asks.items():
        lines = outcomes[ask]
        if not isinstance(lines, list):
            # Half a comparison is none: the other arm's data can wait for this one's.
            return None
        processes = _processes(plan, plan.requests[arm], lines)
        if processes:
            arms[arm] = processes
    times = [process.time for processes in arms.values() for process in processes.values()]
    at = _instant(min(times)) if times else None
    if at is None or at > latest:
        return None
    if plan.kind is SignalKind.LATENCY:
        cumulative = {
            arm: {name: process.total for name, process in processes.items()}
            for arm, processes in arms.items()
        }
        bounds, counted = in_common_buckets(cumulative)
        return Reading(at=at, arms=counted, bounds=bounds) if bounds else None
    return _count_reading(plan.counters, arms, at)


def _count_reading(
    counters: SignalCounters, arms: Mapping[Arm, Mapping[str, _Process]], at: datetime
) -> Reading | None:
    every = [process for processes in arms.values() for process in processes.values()]
    # A counter of bad requests that nobody shows may be misspelt; one that somebody shows exists.
    exists = any(process.bad is not None for process in every)
    counted: dict[Arm, dict[str, SeriesCounts]] = {}
    for arm, processes in arms.items():
        for name, process in processes.items():
            known = process.telling if counters.telling_labels else exists
            if counters.bad is None or process.bad is not None or known:
                counts = SeriesCounts(total=process.total[math.inf], bad=process.bad or 0.0)
                counted.setdefault(arm, {})[name] = counts
    return Reading(at=at, arms=counted) if counted else None


def _processes(plan: _Plan, request: ArmRequest, lines: _Lines) -> dict[str, _Process]:
    """Return the processes that *lines* tell of; none when a line isn't what was asked for."""
    found: dict[str, _Process] = {}
    for labels, value in lines:
        if any(labels.get(name) != wanted for name, wanted in request.expected.items()):
            return {}
        process = found.setdefault(_series(labels), _Process())
        match labels.get(PART_LABEL):
            case str(part) if part == PART_TOTAL:
                try:
                    bound = _bound(plan, labels)
                except ValueError:
                    return {}
                process.total[bound] = value
            case str(part) if part == PART_BAD:
                process.bad = value
            case str(part) if part == PART_TELLING:
                process.telling = value > 0
            case str(part) if part == PART_TIME:
                process.time = value
            case _:
                return {}
    if any(process.bad is not None and not process.total for process in found.values()):
        # Bad requests counted by others than all requests: leaving them out would hide harm.
        return {}
    return {
        name: process
        for name, process in found.items()
        if math.inf in process.total and math.isfinite(process.time)
    }


def _bound(plan: _Plan, labels: Mapping[str, str]) -> float:
    if plan.kind is not SignalKind.LATENCY:
        return math.inf
    return bound_ms(labels.get("le", ""), plan.counters.unit_ms)


def _series(labels: Mapping[str, str]) -> str:
    return "/".join(labels.get(name, "") for name in PROCESS_LABELS)


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
