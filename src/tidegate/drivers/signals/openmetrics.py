"""
Signals scraped from the processes that serve, by the page of metrics that each of them shows.

Needs nothing but the members' addresses: which page belongs to which arm is known from who serves it,
so no label has to tell. One scrape of a member serves every query of a call. A series is one process;
when it says when it began, that is part of the series' name, so that a restart is seen as a restart.

A member that doesn't answer, or whose page can't be believed, has no series. A limit is one number of
all members, so it needs every one of them. Nothing is kept between calls.

Histograms are classic ones: the text formats have no agreed form for native ones.

Settings of a signal: those of `documents.counters.openmetrics_counters` and
`documents.gauges.metric_gauge`, `path` (`/metrics`) and `strata`.
"""

import asyncio
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from typing import Final

import httpx

from tidegate.documents.counters import SignalCounters, check_labels, openmetrics_counters
from tidegate.documents.gauges import metric_gauge
from tidegate.domain.health.readings import Reading
from tidegate.domain.plan.model import SignalKind
from tidegate.domain.quantities import Arm
from tidegate.drivers.signals.bodies import fetch
from tidegate.drivers.signals.exposition import ACCEPT, Page, Point, read_page
from tidegate.drivers.signals.histograms import CumulativeBuckets, bound_ms
from tidegate.drivers.signals.pages import (
    CountedHistogram,
    Shown,
    ShownByArm,
    by_group,
    count_reading,
    histogram_reading,
    limit_reading,
    saturation_reading,
)
from tidegate.errors import InvalidDocumentError, SignalSourceError
from tidegate.ports.clock import Clock
from tidegate.ports.signals import SignalQuery

DEFAULT_PATH: Final = "/metrics"
_SCRAPES_AT_ONCE: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scrape:
    """One member's page and when its last byte was here."""

    page: Page
    ended: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class _Address:
    member: str
    path: str


class OpenMetricsSignals:
    """
    A `SignalSource` that scrapes members over plain HTTP.

    `scrape_timeout` bounds each member alone, so that one that hangs can't take the others' data
    along. The client is the caller's, and closed by the caller.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        client: httpx.AsyncClient,
        scrape_timeout: timedelta = timedelta(seconds=2),
    ) -> None:
        self._clock = clock
        self._client = client
        self._scrape_timeout = scrape_timeout

    async def read(self, queries: Sequence[SignalQuery]) -> Sequence[Reading | None]:
        """
        Return one reading per query, as the port says; None where no member of either arm has it.

        Never raises SignalSourceError: members are many sources, each of which may be absent.
        """
        wanted = {
            address: None for query in queries for arm in Arm for address in _addresses(query, arm)
        }
        at_once = asyncio.Semaphore(_SCRAPES_AT_ONCE)
        scraped = await asyncio.gather(*(self._scrape(address, at_once) for address in wanted))
        scrapes = {
            address: scrape
            for address, scrape in zip(wanted, scraped, strict=True)
            if scrape is not None
        }
        return [_reading(query, scrapes) for query in queries]

    async def _scrape(self, address: _Address, at_once: asyncio.Semaphore) -> _Scrape | None:
        try:
            request = self._client.build_request(
                "GET", f"http://{address.member}{address.path}", headers={"accept": ACCEPT}
            )
            async with at_once, asyncio.timeout(self._scrape_timeout.total_seconds()):
                answer = await fetch(self._client, request)
                ended = self._clock.now()
                if answer.status != httpx.codes.OK:
                    return None
                # Reading a large page takes long enough to hold up everything else.
                page = await asyncio.to_thread(read_page, answer.body, answer.content_type)
        except (SignalSourceError, TimeoutError, ValueError, httpx.InvalidURL):
            return None
        return _Scrape(page=page, ended=ended)


def _addresses(query: SignalQuery, arm: Arm) -> list[_Address]:
    members = query.arms.get(arm, {}).get("members", "")
    path = query.settings.get("path", DEFAULT_PATH)
    names = dict.fromkeys(member.strip() for member in members.split(","))
    return [_Address(member=name, path=path) for name in names if name]


def _reading(query: SignalQuery, scrapes: Mapping[_Address, _Scrape]) -> Reading | None:
    addresses = {arm: _addresses(query, arm) for arm in Arm}
    shown = {
        arm: [
            Shown(process=address.member, page=scrapes[address].page, at=scrapes[address].ended)
            for address in found
            if address in scrapes
        ]
        for arm, found in addresses.items()
    }
    try:
        check_labels(query.source, query.group_labels)
        if query.kind is SignalKind.SATURATION:
            gauge = metric_gauge(query.kind, query.settings).first
            return saturation_reading(gauge, query.group_labels, shown)
        if query.kind is SignalKind.LIMIT:
            whole = sum(map(len, addresses.values())) == sum(map(len, shown.values()))
            gauge = metric_gauge(query.kind, query.settings).first
            return limit_reading(gauge, [*chain.from_iterable(shown.values())]) if whole else None
        counters = openmetrics_counters(query.kind, query.settings)
    except InvalidDocumentError:
        return None
    if query.kind is SignalKind.LATENCY:
        return histogram_reading(_histograms(counters, query.group_labels, shown))
    return count_reading(counters, query.group_labels, shown)


def _histograms(
    counters: SignalCounters, labels: Sequence[str], shown: ShownByArm
) -> Iterator[CountedHistogram]:
    for arm, processes in shown.items():
        for process in processes:
            points = process.page.select(counters.total)
            for group, found in by_group(points, labels).items():
                buckets = _buckets(found, counters.unit_ms)
                if buckets is not None:
                    yield CountedHistogram(
                        arm=arm,
                        series=process.series(group),
                        group=group,
                        buckets=buckets,
                        at=process.measured_at(found),
                    )


def _buckets(points: Sequence[Point], unit_ms: float) -> CumulativeBuckets | None:
    """Return the histograms of one process added up, or None when their bounds differ."""
    by_bound: dict[float, list[float]] = {}
    for point in points:
        try:
            bound = bound_ms(point.labels.get("le", ""), unit_ms)
        except ValueError:
            return None
        by_bound.setdefault(bound, []).append(point.value)
    histogram_count = len(by_bound.get(math.inf, ()))
    if not histogram_count or any(len(found) != histogram_count for found in by_bound.values()):
        return None
    return {bound: sum(found) for bound, found in by_bound.items()}
