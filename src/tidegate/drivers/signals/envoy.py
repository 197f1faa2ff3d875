"""
Signals from an Envoy's own statistics (Envoy 1.40, admin interface `/stats`). Needs nothing
installed.

A series is one cluster in one life of an Envoy; the arm's label `cluster` is its pool's name. One
request per Envoy serves every query of a call.

What is counted, as measured on Envoy 1.40: a cluster's `upstream_rq_2xx` and its sisters count each
request once, by the answer that its user got, whatever was tried before. `upstream_rq_5xx` includes
the answers that Envoy gives itself where no member did: connection failures (503), resets without
an answer (503), overflow (503), no healthy member (503), silence (504). So the five classes make
the total, and `upstream_rq_5xx` the bad ones; adding `upstream_rq_timeout` or
`upstream_cx_connect_fail` would count twice. An answer that breaks off after its first byte counts
by its status; a request whose user went away first counts nowhere.

- ERRORS: all answers, bad are those of 500 and above.
- ERRORS of users instead of requests: from the access log of a managed Envoy, see `envoy_users`.
- USAGE: answers below 400: a user who gets 404 for everything doesn't succeed.
- TRAFFIC: all answers.
- LATENCY: `upstream_rq_time`, answers of members only, whole milliseconds.

SATURATION, LIMIT and groups have no reading: Envoy knows nothing of members' memory, nor of zones.

Counters are current. Histograms refresh every `stats_flush_interval`: 1 s in a managed Envoy.
"""

import asyncio
import re
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from tidegate.domain.health.readings import Reading, SeriesCounts
from tidegate.domain.plan.model import Counting, SignalKind
from tidegate.domain.quantities import Arm, TargetName
from tidegate.drivers.envoy.admin import EnvoyAdminError, open_admin
from tidegate.drivers.envoy.layout import Proxy, cluster_name, proxy_of, started_at
from tidegate.drivers.signals.envoy_user_counts import PeopleCounts
from tidegate.drivers.signals.envoy_users import EnvoyUsers
from tidegate.errors import SignalSourceError, TrafficError
from tidegate.ports.clock import Clock
from tidegate.ports.signals import SignalQuery

# Envoy keeps two significant digits of a time; so these, about 2^(1/4) apart, are all its own
# edges.
BOUNDS_MS: Final = (
    *(1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 12.0, 14.0, 17.0, 20.0, 24.0, 28.0, 34.0),
    *(40.0, 48.0, 57.0, 67.0, 80.0, 95.0, 110.0, 130.0, 160.0, 190.0, 220.0, 270.0, 320.0, 380.0),
    *(450.0, 530.0, 640.0, 760.0, 900.0, 1_100.0, 1_300.0, 1_500.0, 1_800.0, 2_100.0, 2_500.0),
    *(3_000.0, 3_600.0, 4_300.0, 5_100.0, 6_100.0, 7_200.0, 8_600.0, 10_000.0, 12_000.0, 14_000.0),
    *(17_000.0, 20_000.0, 24_000.0, 29_000.0, 34_000.0, 41_000.0, 49_000.0, 60_000.0),
)
"""Upper bounds of the latency buckets, exclusive: 2.0 holds what took one whole millisecond."""

_CLASSES: Final = ("1xx", "2xx", "3xx", "4xx", "5xx")
_GOOD_CLASSES: Final = ("1xx", "2xx", "3xx")
_KINDS: Final = frozenset(
    {SignalKind.ERRORS, SignalKind.USAGE, SignalKind.TRAFFIC, SignalKind.LATENCY}
)
_SAME_LIFE: Final = timedelta(seconds=5)
"""An uptime in whole seconds, told up to a flush late, places a start only so well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Statistics:
    """What one Envoy said: values by name, histograms as (lower bound, width, count)."""

    at: datetime
    life: str
    values: Mapping[str, int]
    histograms: Mapping[str, Sequence[tuple[float, float, int]]]


class EnvoySignals:
    """
    A `SignalSource` that reads Envoys: the managed ones below *root*, and those that targets name.

    An Envoy that doesn't answer within *answer_within* has no readings; it takes no other's along.
    Without *users* no query for users has a reading.
    """

    def __init__(
        self,
        root: Path,
        clock: Clock,
        *,
        users: EnvoyUsers | None = None,
        answer_within: timedelta = timedelta(seconds=2),
    ) -> None:
        self._root = root.resolve()
        self._clock = clock
        self._users = users
        self._answer_within_s = answer_within.total_seconds()
        self._starts: dict[TargetName, datetime] = {}

    async def read(self, queries: Sequence[SignalQuery]) -> Sequence[Reading | None]:
        """
        Return one reading per query, as the port says; None where Envoy has neither cluster.

        Raises:
            SignalSourceError: no Envoy that was asked answers.
        """
        wanted: dict[Proxy, set[str]] = {}
        asked: list[tuple[Proxy, Mapping[Arm, str]] | None] = []
        for query in queries:
            found = self._asked(query)
            asked.append(found)
            if found is not None:
                wanted.setdefault(found[0], set()).update(found[1].values())
        answers = await asyncio.gather(
            *(self._read_proxy(proxy, clusters) for proxy, clusters in wanted.items()),
            return_exceptions=True,
        )
        read = dict(zip(wanted, answers, strict=True))
        failures = [answer for answer in answers if isinstance(answer, BaseException)]
        for failure in failures:
            if not isinstance(failure, EnvoyAdminError):
                raise failure
        if failures and len(failures) == len(answers):
            raise SignalSourceError(
                f"no Envoy answers: {failures[0]}", hint="Check that it runs; we go on asking."
            ) from failures[0]
        people = await self._people(queries, asked, read)
        return [
            _reading(query, found[1], read[found[0]], people.get(found[0]))
            if found is not None
            else None
            for query, found in zip(queries, asked, strict=True)
        ]

    async def _people(
        self,
        queries: Sequence[SignalQuery],
        asked: Sequence[tuple[Proxy, Mapping[Arm, str]] | None],
        read: Mapping[Proxy, _Statistics | BaseException],
    ) -> dict[Proxy, PeopleCounts]:
        """Return the people of each Envoy that was asked for them, answers, and has a log we know."""
        clusters: dict[Proxy, set[str]] = {}
        for query, found in zip(queries, asked, strict=True):
            if found is not None and query.counting is Counting.USERS:
                clusters.setdefault(found[0], set()).update(found[1].values())
        people: dict[Proxy, PeopleCounts] = {}
        for proxy, names in clusters.items():
            if self._users is None or not proxy.managed or isinstance(read[proxy], BaseException):
                continue
            try:
                counts = await self._users.counts(proxy.target, sorted(names))
            except SignalSourceError:
                continue  # one unreadable log is one Envoy's missing data
            if counts is not None:
                people[proxy] = counts
        return people

    def _asked(self, query: SignalQuery) -> tuple[Proxy, Mapping[Arm, str]] | None:
        """Return the Envoy and the clusters that *query* is about; None when Envoy can't know it."""
        if query.kind not in _KINDS or query.group_labels:
            return None
        placement = query.placement
        try:
            proxy = proxy_of(self._root, placement.target, query.target_settings_json)
            clusters = {
                arm: cluster_name(placement.service, labels["cluster"])
                for arm, labels in query.arms.items()
                if labels.get("cluster")
            }
        except TrafficError:
            return None
        return (proxy, clusters) if clusters else None

    async def _read_proxy(self, proxy: Proxy, clusters: set[str]) -> _Statistics:
        names = "|".join(re.escape(name) for name in sorted(clusters))
        pattern = (
            rf"^cluster\.({names})\.(membership_total|upstream_rq_[1-5]xx|upstream_rq_time)$"
            r"|^server\.uptime$"
        )
        parameters = {
            "format": "json",
            "usedonly": "",
            "histogram_buckets": "detailed",
            "filter": pattern,
        }
        begun = started_at(proxy)
        at = self._clock.now()
        async with open_admin(proxy.admin, answer_within_s=self._answer_within_s) as admin:
            answer = await admin.get("/stats", parameters)
        try:
            values, histograms = _parse(answer)
        except (KeyError, TypeError, ValueError) as exc:
            raise EnvoyAdminError(f"{proxy.admin} answers in an unknown form: {exc!r}") from exc
        life = begun or self._life_by_uptime(proxy, at, values.get("server.uptime", 0))
        return _Statistics(at=at, life=life, values=values, histograms=histograms)

    def _life_by_uptime(self, proxy: Proxy, at: datetime, uptime_s: int) -> str:
        """Name this life of an Envoy that isn't ours by its start, as told by its uptime."""
        start = at - timedelta(seconds=uptime_s)
        known = self._starts.get(proxy.target)
        if known is None or abs(start - known) > _SAME_LIFE:
            self._starts[proxy.target] = known = start
        return f"{known.timestamp():.0f}"


def _parse(
    answer: Mapping[str, Any],
) -> tuple[dict[str, int], dict[str, list[tuple[float, float, int]]]]:
    values: dict[str, int] = {}
    histograms: dict[str, list[tuple[float, float, int]]] = {}
    for entry in answer["stats"]:
        if "histograms" in entry:
            for detail in entry["histograms"]["details"]:
                histograms[detail["name"]] = [
                    (float(bin_["lower_bound"]), float(bin_["width"]), int(bin_["count"]))
                    for bin_ in detail.get("totals", ())
                ]
        else:
            values[entry["name"]] = entry["value"]
    return values, histograms


def _reading(
    query: SignalQuery,
    clusters: Mapping[Arm, str],
    statistics: _Statistics | BaseException,
    people: PeopleCounts | None,
) -> Reading | None:
    if isinstance(statistics, BaseException):
        return None
    # Envoy shows what was ever used; the number of members always was, if the cluster exists.
    there = {
        arm: cluster
        for arm, cluster in clusters.items()
        if f"cluster.{cluster}.membership_total" in statistics.values
    }
    if not there:
        return None
    if query.counting is Counting.USERS:
        return _people_reading(query.kind, there, statistics, people)
    arms = {
        arm: {f"{cluster}@{statistics.life}": _counts(query.kind, cluster, statistics)}
        for arm, cluster in there.items()
    }
    bounds = BOUNDS_MS if query.kind is SignalKind.LATENCY else ()
    return Reading(at=statistics.at, arms=arms, bounds=bounds)


def _people_reading(
    kind: SignalKind,
    clusters: Mapping[Arm, str],
    statistics: _Statistics,
    people: PeopleCounts | None,
) -> Reading | None:
    if people is None or kind is not SignalKind.ERRORS:
        return None
    arms: dict[Arm, dict[str, SeriesCounts]] = {}
    for arm, cluster in clusters.items():
        served, failed = people.by_cluster[cluster]
        # Lines that an Envoy hadn't written yet end with it, so its life is a part of the name too.
        name = f"{cluster}@{statistics.life} since {people.life}"
        arms[arm] = {name: SeriesCounts(total=served, bad=failed)}
    return Reading(at=min(statistics.at, people.at), arms=arms)


def _counts(kind: SignalKind, cluster: str, statistics: _Statistics) -> SeriesCounts:
    if kind is SignalKind.LATENCY:
        return _latency(statistics.histograms.get(f"cluster.{cluster}.upstream_rq_time", ()))
    by_class = {
        name: statistics.values.get(f"cluster.{cluster}.upstream_rq_{name}", 0) for name in _CLASSES
    }
    if kind is SignalKind.USAGE:
        return SeriesCounts(total=sum(by_class[name] for name in _GOOD_CLASSES))
    return SeriesCounts(total=sum(by_class.values()), bad=by_class["5xx"])


def _latency(bins: Sequence[tuple[float, float, int]]) -> SeriesCounts:
    """Return Envoy's own bins, none of which crosses a bound, counted into our buckets."""
    buckets = [0] * (len(BOUNDS_MS) + 1)
    for lower_bound, width, count in bins:
        # Half a bin up, so that the last digit of a float can't put it on the wrong side.
        buckets[bisect_left(BOUNDS_MS, lower_bound + width / 2)] += count
    return SeriesCounts(total=sum(buckets), buckets=tuple(float(count) for count in buckets))
