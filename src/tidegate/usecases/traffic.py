"""
What is known of a service's traffic, and how it is learned: from its own rollouts, from a Prometheus.

The watch adds what it sees to the hours of the store. A forecast takes these once they hold a day, else
the history of the source of the errors signal, else what little there is; and it says which.
"""

import asyncio
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import groupby
from typing import Final

from tidegate.documents.records import from_json
from tidegate.domain.health.evidence import Evidence
from tidegate.domain.plan.model import (
    Counting,
    Phase,
    Plan,
    ServiceSpec,
    SignalKind,
    SignalSpec,
)
from tidegate.domain.plan.traffic import (
    HOUR,
    ServiceTraffic,
    TrafficHour,
    TrafficProfile,
    flat_profile,
    profile_of,
)
from tidegate.domain.quantities import ServiceName, TargetName
from tidegate.errors import SignalSourceError, StoreError
from tidegate.ports.store import Transaction
from tidegate.ports.traffic_history import HistoryQuery, TrafficHistory
from tidegate.usecases.evidence import SignalInput, TickRecord
from tidegate.usecases.evidence_records import from_lists
from tidegate.usecases.outside import Outside

HISTORY: Final = timedelta(weeks=4)
"""How far back hours are looked at: four of each hour of the week, and not last season's traffic."""

ENOUGH_HOURS: Final = 24
"""Hours of the week that must have been seen before traffic counts as known and not as assumed."""

ANSWER_WITHIN_SECONDS: Final = 5.0
ROLLOUTS_LOOKED_AT: Final = 10


@dataclass(slots=True)
class _Learned:
    """What the latest rollouts have shown of the service's signals, by their names."""

    events_per_request: dict[str, float] = field(default_factory=dict)
    slow_from_ms: dict[str, float] = field(default_factory=dict)
    cells: dict[str, float] = field(default_factory=dict)


async def known_traffic(outside: Outside, spec: ServiceSpec) -> ServiceTraffic | None:
    """Return what is known of the traffic of a service, None where nobody has seen any."""
    with outside.store.begin(read_only=True) as transaction:
        targets = {target.name for target in spec.targets}
        seen = stored_traffic(transaction, spec.name, targets, outside.clock.now())
        learned = _learned(transaction, spec.name)
    if seen is not None and not seen.assumed:
        return seen
    told = await _told_traffic(outside, spec, learned)
    return told if told is not None and (seen is None or not told.assumed) else seen


def stored_traffic(
    transaction: Transaction, service: ServiceName, targets: Collection[TargetName], now: datetime
) -> ServiceTraffic | None:
    """Return what rollouts have seen of *service*'s traffic on *targets*; asks nobody. None for nothing."""
    end = now.replace(minute=0, second=0, microsecond=0) + HOUR
    hours = transaction.traffic(service, since=end - HISTORY)
    return _traffic(targets, hours, "what rollouts have seen", _learned(transaction, service))


def latest_way_back(outside: Outside, service: ServiceName) -> timedelta | None:
    """Return what the way back of *service* took when it was last done, None if it never was."""
    with outside.store.begin(read_only=True) as transaction:
        latest = transaction.rollouts(service=service, limit=ROLLOUTS_LOOKED_AT)
    return next((one.way_back_took for one in latest if one.way_back_took is not None), None)


def given_traffic(
    spec: ServiceSpec, requests_per_second: float, error_rate: float, *, source: str
) -> ServiceTraffic:
    """Return traffic that a person gave, spread evenly over the targets and the week."""
    each = requests_per_second / max(1, len(spec.targets))
    return ServiceTraffic(
        targets=tuple((target.name, flat_profile(each, error_rate)) for target in spec.targets),
        source=source,
        assumed=True,
    )


def with_events_of(given: ServiceTraffic, known: ServiceTraffic | None) -> ServiceTraffic:
    """Return *given* traffic with how many good events a request brings, as far as it is *known*."""
    if known is None:
        return given
    return replace(
        given,
        events_per_request=known.events_per_request,
        slow_from_ms=known.slow_from_ms,
        cells=known.cells,
    )


def seen_traffic(phase: Phase, tick: TickRecord, length: timedelta) -> list[TrafficHour]:
    """Return what *tick*, which is about *length*, has seen of each target's traffic."""
    given = _requests_of(phase, tick.inputs)
    hour = tick.at.replace(minute=0, second=0, microsecond=0)
    if given is None or length <= timedelta(0):
        return []
    requests: dict[TargetName, tuple[int, int]] = {}
    for stratum in given.strata:
        target = TargetName(stratum.placement.rsplit("@", 1)[-1])
        total, bad = requests.get(target, (0, 0))
        requests[target] = (
            total + stratum.candidate.total + stratum.baseline.total,
            bad + stratum.candidate.bad + stratum.baseline.bad,
        )
    return [
        TrafficHour(target=target, hour=hour, watched=length, requests=total, bad=bad)
        for target, (total, bad) in requests.items()
    ]


def counts_requests(spec: SignalSpec) -> bool:
    """Return whether the totals of *spec* are requests, both good and bad."""
    return spec.kind is SignalKind.ERRORS and spec.counting is Counting.EVENTS


def _requests_of(phase: Phase, inputs: Sequence[SignalInput]) -> SignalInput | None:
    """Return the input that counts requests: of the errors signal, else of a histogram."""
    by_name = {given.signal: given for given in inputs}
    for wanted in (counts_requests, _is_latency):
        for spec in phase.signals:
            if wanted(spec) and spec.name in by_name:
                return by_name[spec.name]
    return None


def _is_latency(spec: SignalSpec) -> bool:
    return spec.kind is SignalKind.LATENCY


def _traffic(
    targets: Collection[TargetName],
    hours: Sequence[TrafficHour],
    source: str,
    learned: _Learned,
) -> ServiceTraffic | None:
    profiles: list[tuple[TargetName, TrafficProfile]] = []
    for target, found in groupby(hours, key=lambda one: one.target):
        profile = profile_of(found)
        if profile is not None and target in targets:
            profiles.append((target, profile))
    if not profiles:
        return None
    known = min(profile.hours_known for _, profile in profiles)
    return ServiceTraffic(
        targets=tuple(profiles),
        source=source,
        assumed=known < ENOUGH_HOURS,
        events_per_request=tuple(sorted(learned.events_per_request.items())),
        slow_from_ms=tuple(sorted(learned.slow_from_ms.items())),
        cells=tuple(sorted(learned.cells.items())),
    )


async def _told_traffic(
    outside: Outside, spec: ServiceSpec, learned: _Learned
) -> ServiceTraffic | None:
    """Return what the source of the errors signal knows of the past, None where it can't tell."""
    found = signal_with_history(outside, spec.plan)
    if found is None:
        return None
    signal, history = found
    end = outside.clock.now().replace(minute=0, second=0, microsecond=0)
    try:
        async with asyncio.timeout(ANSWER_WITHIN_SECONDS):
            hours = [
                hour
                for target in sorted(target.name for target in spec.targets)
                for hour in await history.hours(
                    HistoryQuery(spec=signal, target=target, begin=end - HISTORY, end=end)
                )
            ]
    except (SignalSourceError, TimeoutError):
        # A forecast without it is poorer and says so; nothing rests on it.
        return None
    targets = {target.name for target in spec.targets}
    return _traffic(targets, hours, signal.source, learned)


def signal_with_history(outside: Outside, plan: Plan) -> tuple[SignalSpec, TrafficHistory] | None:
    """Return the signal of *plan* that counts requests and whose source knows the past, if any does."""
    for phase in plan.phases:
        for signal in phase.signals:
            history = outside.histories.get(signal.source.split("://", 1)[0])
            if counts_requests(signal) and history is not None:
                return signal, history
    return None


def _learned(transaction: Transaction, service: ServiceName) -> _Learned:
    """Return what the latest rollouts have shown: the newest that knows something wins."""
    learned = _Learned()
    for rollout in transaction.rollouts(service=service, limit=ROLLOUTS_LOOKED_AT):
        stored = transaction.evidence(rollout.id)
        if stored is None:
            continue
        try:
            evidence = from_json(Evidence, stored.evidence_json)
            state = from_lists(rollout.plan, json.loads(stored.state_json))
        except StoreError:
            # Another release wrote it. It's a hint about the past, so it is left out.
            continue
        requests = max(
            (s.baseline_total for s in evidence.signals if s.kind is SignalKind.ERRORS), default=0
        )
        for signal in evidence.signals:
            if signal.kind is SignalKind.USAGE and requests > 0:
                rate = signal.baseline_total / requests
                learned.events_per_request.setdefault(signal.signal, rate)
        if not learned.cells and state.coverage is not None:
            uses = {cell: baseline for cell, _, baseline in state.coverage.cells if baseline > 0}
            total = sum(uses.values())
            learned.cells = {cell: baseline / total for cell, baseline in uses.items()}
        for kept in state.signals:
            if kept.tests.edge is not None:
                learned.slow_from_ms.setdefault(kept.spec.name, kept.tests.edge)
    return learned
