"""
What Tidegate itself knows that a gate may ask about, read from the store and from the targets' drivers.

Rule: what can't be told is left out or None, never made up; a gate takes what is missing for unknown.
"""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from tidegate.documents.gate_kinds import GATE_KINDS
from tidegate.domain.gates.model import GateSpec
from tidegate.domain.plan.traffic import TrafficHour
from tidegate.domain.quantities import FULL_WEIGHT_BPS, ComponentName, Placement, Version
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import Rollout
from tidegate.domain.stops.model import describe
from tidegate.errors import TidegateError
from tidegate.ports.gate import KnownFacts, PassedOn
from tidegate.ports.store import Transaction
from tidegate.ports.traffic_history import HistoryQuery
from tidegate.usecases.alarms import alarms_for
from tidegate.usecases.ask_signals import requests_now
from tidegate.usecases.calendar import calendar_seen
from tidegate.usecases.outside import Outside
from tidegate.usecases.stops import stop_orders_for
from tidegate.usecases.traffic import signal_with_history

ROLLOUTS_LOOKED_AT: Final = 200
TRAFFIC_LOOKED_AT: Final = timedelta(days=92)
"""As far back as the longest objective that makes sense: a quarter."""


def known_facts(
    transaction: Transaction, rollout: Rollout, spec: GateSpec, now: datetime
) -> KnownFacts:
    """Return what the store knows that the gate *spec* of *rollout* may ask about."""
    calendar = calendar_seen(transaction, rollout, now)
    kind = GATE_KINDS.get(spec.kind)
    needs_traffic = kind is not None and kind.needs_traffic
    earlier = transaction.rollouts(service=rollout.service, limit=ROLLOUTS_LOOKED_AT)
    return KnownFacts(
        passed=tuple(_passed(earlier)),
        alarms=alarms_for(transaction, rollout),
        halted=tuple(
            f"rollout {other.id} is {other.state.value}"
            + (f": {other.halt.because}" if other.halt else "")
            for other in earlier
            if other.id != rollout.id and other.state in (State.HALTED, State.RECOVERING)
        ),
        freezes=() if calendar.is_open else (calendar.closed_because,),
        stops=tuple(map(describe, stop_orders_for(transaction, rollout))),
        serving=rollout.baselines,
        hours=tuple(transaction.traffic(rollout.service, since=now - TRAFFIC_LOOKED_AT))
        if needs_traffic
        else (),
        is_install=rollout.is_install,
    )


async def with_what_is_asked(
    outside: Outside, rollout: Rollout, spec: GateSpec, known: KnownFacts, now: datetime
) -> KnownFacts:
    """Return *known* with what the gate *spec* must be told that only others know."""
    kind = GATE_KINDS.get(spec.kind)
    if kind is None:
        return known
    if kind.needs_versions:
        known = replace(known, resolved=await _versions_now(outside, rollout))
    if kind.needs_traffic:
        known = replace(known, hours=await _hours(outside, rollout, known.hours, now))
    if kind.needs_traffic_now and not rollout.is_install:
        known = replace(known, traffic_now=await requests_now(outside, rollout.service))
    return known


async def _hours(
    outside: Outside, rollout: Rollout, seen: Sequence[TrafficHour], now: datetime
) -> tuple[TrafficHour, ...]:
    """Return the hours that rollouts have *seen* with those that the source of a signal still knows."""
    best = {(hour.target, hour.hour): hour for hour in seen}
    found = signal_with_history(outside, rollout.plan)
    if found is not None:
        signal, history = found
        end = now.replace(minute=0, second=0, microsecond=0)
        for target in rollout.targets:
            query = HistoryQuery(
                spec=signal, target=target.name, begin=end - TRAFFIC_LOOKED_AT, end=end
            )
            for hour in await history.hours(query):
                key = (hour.target, hour.hour)
                if key not in best or best[key].watched < hour.watched:
                    best[key] = hour
    return tuple(best[key] for key in sorted(best))


async def _versions_now(
    outside: Outside, rollout: Rollout
) -> tuple[tuple[ComponentName, Version | None], ...]:
    """Return what the name of each version of the change stands for now; None where it can't be told."""
    return tuple(
        await asyncio.gather(
            *(_version_now(outside, rollout, part.component) for part in rollout.change.components)
        )
    )


async def _version_now(
    outside: Outside, rollout: Rollout, name: ComponentName
) -> tuple[ComponentName, Version | None]:
    wanted = rollout.change.version_of(name)
    component = next((one for one in rollout.components if one.name == name), None)
    if wanted is None or component is None:
        return name, None
    try:
        found = await outside.driver(component.driver).resolve(wanted.name, component.settings_json)
    except TidegateError:
        return name, None
    return name, found


def _passed(newest_first: Sequence[Rollout]) -> Iterator[PassedOn]:
    """Yield what passed where, newest first; what was brought back from a placement hasn't passed it."""
    returned: set[Placement] = set()
    for rollout in newest_first:
        if rollout.is_return:
            returned.update(rollout.plan.placements())
            continue
        if rollout.state in (State.HALTED, State.RECOVERING, State.ROLLED_BACK, State.ABANDONED):
            # Whatever it passed was withdrawn for a reason.
            continue
        if rollout.is_install and not rollout.settled:
            # A first deployment bakes nothing; outliving its quarantine is all that it can show.
            continue
        environments = {target.name: target.environment for target in rollout.targets}
        for placement, at in _passed_placements(rollout):
            version = rollout.change.version_of(placement.component)
            if placement in returned or version is None or placement.target not in environments:
                continue
            yield PassedOn(
                placement=placement,
                environment=environments[placement.target],
                version=version,
                at=at,
            )


def _passed_placements(rollout: Rollout) -> Iterator[tuple[Placement, datetime]]:
    """Yield the placements that serve everyone by a phase which was passed in the present attempt."""
    for passed in reversed(rollout.passes):
        if passed.attempt != rollout.attempt:
            continue
        for move in rollout.plan.phases[passed.phase_index].moves:
            if rollout.is_install or move.exposure.weight_bps == FULL_WEIGHT_BPS:
                yield move.placement, passed.at
