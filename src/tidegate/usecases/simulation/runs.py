"""
Many simulated rollouts side by side: when each is looked at, and how it ended.

Looks are coarser than the plan's ticks: a tick long while a phase or a fault is young, then an eighth of
the time since it began, at most half an hour. Evidence grows with counts and not with looks, so what is
proven is the same; a stop is noticed up to an eighth later than the real watch would, and a peak between
two looks is missed, which makes false halts rarer by a little. All runs go through `absorb` together.

Deterministic: a run draws from its own generator, made of the seed, the scenario's name and its number,
so the same run of two plans lives through the same luck for as long as the plans do the same.
"""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

import numpy as np

from tidegate.domain.health.evidence import NO_EVIDENCE
from tidegate.domain.plan.model import Plan
from tidegate.domain.rollout import seen as facts
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import HaltCause, ReasonCode
from tidegate.usecases.evidence import EvidenceState, TickRecord, absorb, summarise
from tidegate.usecases.simulation.engine import SimulatedRollout
from tidegate.usecases.simulation.scenario import Scenario
from tidegate.usecases.simulation.usage import Usage
from tidegate.usecases.simulation.world import NOTHING, Tally, World

START: Final = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
"""When every simulated rollout begins: a Monday morning."""

COARSER: Final = 1 / 8
"""A look is this part of the time since something last began."""

LONGEST_LOOK: Final = timedelta(minutes=30)

AT_ONCE: Final = 256
"""Runs that are carried side by side; more need more memory and are no faster."""


class Ending(StrEnum):
    """How a simulated rollout ended."""

    HALTED = "halted"
    HELD = "held"
    """Harm is likely, or data is missing; it waits for a person who doesn't come in a simulation."""
    UNDECIDED = "undecided"
    """Nothing was wrong and too little was proven in all the time that the plan gives."""
    COMPLETED = "completed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """
    One simulated rollout.

    Times count from its start; `onset` is when the fault began to be there, None if it never was while
    somebody met the candidate. `phase` is the one it ended in. `held_at` is when it was last held, with
    `held_in` as the phase. `took` is its whole length.
    """

    ending: Ending
    cause: HaltCause | None
    phase: str
    phase_index: int
    took: timedelta
    onset: timedelta | None
    held_at: timedelta | None
    held_in: str | None
    tally: Tally
    because: str


@dataclass(slots=True)
class _Live:
    """A run under way."""

    number: int
    plan: Plan
    world: World
    simulated: SimulatedRollout
    now: datetime
    anchor: datetime
    state: EvidenceState | None = None
    onset: datetime | None = None
    tally: Tally = NOTHING
    phase_seen: datetime | None = None


def simulate(
    plan: Plan,
    scenario: Scenario,
    usage: Usage,
    *,
    runs: int,
    seed: int,
    tell: Callable[[int], None] = lambda _: None,
    pause: Callable[[], None] = lambda: None,
) -> list[Run]:
    """
    Return *runs* simulated rollouts of *plan* under *scenario*, the same for the same seed.

    Args:
        plan: The plan as it is resolved.
        scenario: What goes wrong.
        usage: How the service is used.
        runs: How many, at least 1.
        seed: Makes the luck.
        tell: Called with the number of runs that ended since it was last called.
        pause: Called between two looks, for whoever has to give others a turn. What it raises ends the
            simulation.
    """
    assert runs >= 1, f"at least one run, got {runs}"
    waiting = [_live(number, plan, scenario, usage, seed) for number in range(runs)]
    waiting.reverse()
    live: list[_Live] = []
    ended: dict[int, Run] = {}
    while live or waiting:
        while waiting and len(live) < AT_ONCE:
            live.append(waiting.pop())
        pause()
        _advance(live)
        before = len(ended)
        for one in live:
            run = _ended(one)
            if run is not None:
                ended[one.number] = run
        live = [one for one in live if one.number not in ended]
        if len(ended) > before:
            tell(len(ended) - before)
    return [ended[number] for number in range(runs)]


def _live(number: int, plan: Plan, scenario: Scenario, usage: Usage, seed: int) -> _Live:
    luck = np.random.default_rng([seed, zlib.crc32(scenario.name.encode()), number])
    simulated = SimulatedRollout(plan, start=START)
    simulated.step(NO_EVIDENCE, trips=0, now=START)
    return _Live(
        number=number,
        plan=plan,
        world=World(plan, scenario, usage, random=luck, start=START),
        simulated=simulated,
        now=START,
        anchor=START,
    )


def _advance(live: Sequence[_Live]) -> None:
    """Let each of *live* pass the time to its next look, and decide."""
    batch: list[tuple[Plan, EvidenceState | None, TickRecord]] = []
    trips: list[int] = []
    for one in live:
        begin, index = one.now, facts.phase_index_in_force(one.simulated.rollout)
        assert index is not None, "between two looks a phase is in force"
        one.world.expose(index, begin)
        _set_anchor(one)
        one.now = _next_look(one)
        look = one.world.look(index, begin, one.now)
        one.tally = one.tally.plus(look.tally)
        if look.fault_is_there and one.onset is None:
            one.onset = begin
        trips.append(look.trips)
        rollout = one.simulated.rollout
        tick = TickRecord(
            at=one.now,
            phase_index=index,
            phase_began_at=rollout.phase_since,
            counting=rollout.state is State.BAKING,
            inputs=look.inputs,
            exercises=look.exercises,
            cells=look.cells,
        )
        batch.append((_patient(one.plan, one.now - begin), one.state, tick))
    for one, state, cut_off in zip(live, absorb(batch), trips, strict=True):
        one.state = state
        evidence = summarise(one.plan, state, attempt=one.simulated.rollout.attempt)
        one.simulated.step(evidence, trips=cut_off, now=one.now)


def _set_anchor(one: _Live) -> None:
    """Look closely again where a phase has begun."""
    since = one.simulated.rollout.phase_since
    if since != one.phase_seen:
        one.phase_seen, one.anchor = since, max(one.anchor, since)


def _next_look(one: _Live) -> datetime:
    """Return the end of the next look: whole ticks, and never across what begins or ends."""
    rollout, tick = one.simulated.rollout, one.plan.tick
    length = max(tick, (one.now - one.anchor) * COARSER // tick * tick)
    change = one.world.next_change(one.now)
    end = min(one.now + min(length, LONGEST_LOOK), change.at)
    baked = timedelta(0)
    if one.state is not None and one.state.phase_began_at == rollout.phase_since:
        baked = one.state.baked_for
    left = rollout.phase.bake - baked
    if left > timedelta(0):
        end = min(end, one.now + left)
    warm_until = rollout.phase_since + one.plan.warm_up
    if one.now < warm_until:
        end = min(end, warm_until)
    until = rollout.waiting_on.until
    if rollout.state is State.HELD and until is not None and until > one.now:
        end = min(end, until)
    if end == change.at and change.is_event:
        one.anchor = end
    return end


def _patient(plan: Plan, look: timedelta) -> Plan:
    """Return *plan* for a look of that length: what is coarser than its ticks isn't stale."""
    return plan if look <= plan.stale_after else replace(plan, stale_after=look)


def _ended(one: _Live) -> Run | None:
    simulated, rollout = one.simulated, one.simulated.rollout
    if rollout.state is State.HALTED:
        ending = Ending.HALTED
    elif rollout.state is State.COMPLETED:
        ending = Ending.COMPLETED
    elif simulated.needs_person(one.now):
        undecided = rollout.waiting_on.reason is ReasonCode.INCONCLUSIVE
        ending = Ending.UNDECIDED if undecided else Ending.HELD
    else:
        return None
    held = simulated.held_last
    phases = one.plan.phases
    index = facts.phase_index_in_force(rollout)
    ended_in = rollout.phase_index if index is None else index
    return Run(
        ending=ending,
        cause=rollout.halt.cause if rollout.halt else None,
        phase=phases[ended_in].name,
        phase_index=ended_in,
        took=one.now - START,
        onset=None if one.onset is None else one.onset - START,
        held_at=None if held is None else held[0] - START,
        held_in=None if held is None else phases[held[1]].name,
        tally=one.tally,
        because=simulated.because,
    )
