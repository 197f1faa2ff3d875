"""
Signals scraped from the processes that serve, by the page of metrics that each of them shows.

Needs nothing but the members' addresses: which page belongs to which arm is known from who serves it,
so no label has to tell. One scrape of a member serves every query of a call. A series is one process;
when it says when it began, that is part of the series' name, so that a restart is seen as a restart.

A member that doesn't answer, or whose page can't be believed, has no series. Nothing is kept between
calls.

Settings of a signal: those of `documents.counters.openmetrics_counters`, and `path` (`/metrics`).
"""

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import httpx

from tidegate.documents.counters import SignalCounters, openmetrics_counters
from tidegate.domain.health.readings import Reading, SeriesCounts
from tidegate.domain.plan.model import SignalKind
from tidegate.domain.quantities import Arm
from tidegate.drivers.signals.bodies import fetch
from tidegate.drivers.signals.exposition import ACCEPT, Page, Point, read_page
from tidegate.drivers.signals.histograms import CumulativeBuckets, bound_ms, in_common_buckets
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
    try:
        counters = openmetrics_counters(query.kind, query.settings)
    except InvalidDocumentError:
        return None
    pages = {
        arm: [
            (address.member, scrapes[address])
            for address in _addresses(query, arm)
            if address in scrapes
        ]
        for arm in Arm
    }
    if query.kind is SignalKind.LATENCY:
        return _latency_reading(counters, pages)
    return _count_reading(counters, pages)


def _count_reading(
    counters: SignalCounters, pages: Mapping[Arm, Sequence[tuple[str, _Scrape]]]
) -> Reading | None:
    arms: dict[Arm, dict[str, SeriesCounts]] = {}
    times: list[datetime] = []
    for arm, scrapes in pages.items():
        for member, scrape in scrapes:
            found = _points(counters, scrape.page)
            if found is None:
                continue
            total, bad = found
            arms.setdefault(arm, {})[_series(member, scrape.page)] = SeriesCounts(
                total=sum(point.value for point in total),
                bad=sum(point.value for point in bad),
            )
            times.append(_measured_at(scrape, [*total, *bad]))
    return Reading(at=min(times), arms=arms) if times else None


def _points(counters: SignalCounters, page: Page) -> tuple[list[Point], list[Point]] | None:
    """Return the points of all and of bad requests, or None when the page can't tell them."""
    total = page.select(counters.total)
    if not total:
        return None
    if counters.bad is None:
        return total, []
    bad = page.select(counters.bad)
    if bad:
        return total, bad
    # No bad series is "none yet" only where the process could have shown one.
    if counters.telling_labels:
        known = all(
            any(label in point.labels for point in total) for label in counters.telling_labels
        )
    else:
        known = page.declares(counters.bad.metric)
    return (total, []) if known else None


def _latency_reading(
    counters: SignalCounters, pages: Mapping[Arm, Sequence[tuple[str, _Scrape]]]
) -> Reading | None:
    arms: dict[Arm, dict[str, CumulativeBuckets]] = {}
    times: list[datetime] = []
    for arm, scrapes in pages.items():
        for member, scrape in scrapes:
            points = scrape.page.select(counters.total)
            buckets = _buckets(points, counters.unit_ms)
            if buckets is None:
                continue
            arms.setdefault(arm, {})[_series(member, scrape.page)] = buckets
            times.append(_measured_at(scrape, points))
    bounds, counted = in_common_buckets(arms)
    return Reading(at=min(times), arms=counted, bounds=bounds) if bounds else None


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


def _series(member: str, page: Page) -> str:
    if page.started is None or not math.isfinite(page.started):
        return member
    return f"{member} since {page.started:.3f}"


def _measured_at(scrape: _Scrape, points: Sequence[Point]) -> datetime:
    """Return when the points were made: the end of the scrape, unless they say an earlier time."""
    stamps = [point.timestamp for point in points if point.timestamp is not None]
    ended = scrape.ended
    if not stamps:
        return ended
    try:
        return min(ended, datetime.fromtimestamp(min(stamps), tz=UTC))
    except (OverflowError, OSError, ValueError):
        return datetime.fromtimestamp(0, tz=UTC)
