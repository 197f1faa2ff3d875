"""
Watching: reads the signals of everything that is exposed, once per source, and stores what they prove.

The watch decides nothing. It turns readings into ticks, puts all ticks through the sequential tests as
one batch, stores ticks and evidence in one transaction, and names the rollouts whose verdict changed.
What it keeps in memory (the last readings, the tests' states) is a cache: readings are taken again
after a restart, states are restored from the store, and a tick that another watcher has stored
meanwhile wins over ours.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

import structlog

from tidegate.documents.records import from_json, to_json
from tidegate.domain.health.evidence import Verdict, judge
from tidegate.domain.health.trouble import Suspect
from tidegate.domain.plan.model import Phase, Plan, SignalKind
from tidegate.domain.quantities import Arm, Placement, RolloutId
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import Rollout
from tidegate.domain.rollout.seen import certified_before, is_suspected, phase_in_force
from tidegate.errors import NotFoundError, SignalSourceError, TidegateError
from tidegate.ports.component import ArmLabels
from tidegate.ports.signals import SignalQuery
from tidegate.ports.store import StoredEvidence, StoredTick, Transaction
from tidegate.telemetry import events
from tidegate.usecases.blame import Blame, Exposing, Index, Measured
from tidegate.usecases.charts import note_tick
from tidegate.usecases.evidence import (
    EvidenceState,
    SignalInput,
    TickRecord,
    absorb,
    summarise,
)
from tidegate.usecases.evidence_records import from_lists, to_lists
from tidegate.usecases.outside import Outside
from tidegate.usecases.watch_blame import exposing, measure
from tidegate.usecases.watch_queries import Asked, exposed_placements, queries
from tidegate.usecases.watch_ticks import Answer, Readings

log = structlog.get_logger("tidegate.watch")

READ_WITHIN_SECONDS: Final = 5.0
"""A source that takes longer has nothing to say for this tick."""

ROWS_AT_ONCE: Final = 3
"""
Rollouts that are taken from readings to what is stored in one go, about 3 ms each. Between two goes the
loop answers others: a halt waits for one go, and not for the fleet.
"""

_BY_SHARE: Final = frozenset({SignalKind.USAGE, SignalKind.TRAFFIC})
"""Kinds whose counts are tested against the share of exposure that each arm was given."""

LABELS_TICKS: Final = 30
"""How many ticks the names of an arm's members are believed before they are asked for again."""


@dataclass(slots=True)
class _Memory:
    """What is kept of one rollout between ticks; made anew when its phase changes."""

    phase_key: tuple[int, int, datetime]
    readings: Readings = field(default_factory=Readings)
    labels: dict[Placement, Mapping[Arm, ArmLabels]] = field(default_factory=dict)
    labels_age: int = 0
    state: EvidenceState | None = None
    last_look_at: datetime | None = None
    last_verdict: Verdict | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """One rollout in this tick: its phase and what is asked for it."""

    rollout: Rollout
    phase: Phase
    memory: _Memory
    asked: tuple[Asked, ...]


class Watch:
    """The watch of one process. Its results are in the store; two watchers do no harm."""

    def __init__(self, outside: Outside) -> None:
        self._outside = outside
        self._memories: dict[RolloutId, _Memory] = {}
        self._blame = Blame()
        self._exposing: tuple[Exposing, ...] = ()

    async def look(self, rollout_ids: Sequence[RolloutId]) -> Sequence[RolloutId]:
        """
        Read what is due of these rollouts; return those whose verdict may have changed.

        Raises:
            StoreError: the store can't be read or written; the tick is lost, which holds, not harms.
        """
        now = self._outside.clock.now()
        due = self._due(rollout_ids, now)
        if not due:
            return ()
        looks = []
        for rollout, phase in due:
            look = await self._prepare(rollout, phase)
            if look is not None:
                looks.append(look)
            await self._outside.right_of_way.give_way()
        readings = await self._read(looks)
        at = self._outside.clock.now()
        ticks = []
        for look, answers in zip(looks, readings, strict=True):
            ticks.append(self._tick(look, answers, at))
            await self._outside.right_of_way.give_way()
        ticks = await self._with_suspects(looks, ticks, at)
        changed: list[RolloutId] = []
        for begin in range(0, len(looks), ROWS_AT_ONCE):
            go = slice(begin, begin + ROWS_AT_ONCE)
            states = _absorb_apart(looks[go], ticks[go])
            await self._outside.right_of_way.give_way()
            changed += self._store(looks[go], ticks[go], states)
            await self._outside.right_of_way.give_way()
        return changed

    def _due(self, rollout_ids: Sequence[RolloutId], now: datetime) -> list[tuple[Rollout, Phase]]:
        wanted = set(rollout_ids)
        with self._outside.store.begin(read_only=True) as transaction:
            every = transaction.watched()
        self._exposing = tuple(found for r in every if (found := exposing(r)) is not None)
        watched = [rollout for rollout in every if rollout.id in wanted]
        alive = {rollout.id for rollout in watched}
        for gone in wanted - alive:
            self._memories.pop(gone, None)
        due = []
        for rollout in watched:
            phase = phase_in_force(rollout)
            if phase is None:
                continue
            memory = self._memories.get(rollout.id)
            last = memory.last_look_at if memory else None
            if last is None or now - last >= rollout.plan.tick * 0.9 or now < last:
                due.append((rollout, phase))
        return due

    async def _prepare(self, rollout: Rollout, phase: Phase) -> _Look | None:
        """Return what to read for one rollout, None when what is stored of it can't be used."""
        try:
            memory = self._remember(rollout, phase)
        except TidegateError as exc:
            _log_poison(rollout, exc)
            return None
        memory.last_look_at = self._outside.clock.now()
        exposed = exposed_placements(rollout, phase)
        if memory.labels_age % LABELS_TICKS == 0 and phase.exposes_users:
            for placement in exposed:
                memory.labels[placement] = await self._labels(rollout, placement)
        memory.labels_age += 1
        return _Look(
            rollout=rollout,
            phase=phase,
            memory=memory,
            asked=queries(rollout, phase, memory.labels),
        )

    def _remember(self, rollout: Rollout, phase: Phase) -> _Memory:
        key = (rollout.attempt, rollout.plan.phases.index(phase), rollout.phase_since)
        memory = self._memories.get(rollout.id)
        if memory is not None and memory.phase_key == key:
            return memory
        state = memory.state if memory and memory.phase_key[0] == rollout.attempt else None
        if state is None:
            with self._outside.store.begin(read_only=True) as transaction:
                state = _stored_state(transaction, rollout)
        memory = _Memory(phase_key=key, state=state)
        self._memories[rollout.id] = memory
        return memory

    async def _labels(self, rollout: Rollout, placement: Placement) -> Mapping[Arm, ArmLabels]:
        try:
            applied = await self._outside.component(rollout, placement).observe(placement)
        except TidegateError:
            # What can't be asked has no arms, and a signal without arms is missing: that holds.
            return {}
        return applied.arms

    async def _read(self, looks: Sequence[_Look]) -> list[list[Answer]]:
        """Return the readings of each look's queries; one call per source serves all looks."""
        by_source: dict[str, list[tuple[int, int, SignalQuery]]] = {}
        answers: list[list[Answer]] = []
        for index, look in enumerate(looks):
            answers.append([None] * len(look.asked))
            for place, one in enumerate(look.asked):
                by_source.setdefault(one.query.source, []).append((index, place, one.query))
        await asyncio.gather(
            *(self._read_source(source, asked, answers) for source, asked in by_source.items())
        )
        return answers

    async def _read_source(
        self,
        source: str,
        asked: Sequence[tuple[int, int, SignalQuery]],
        answers: list[list[Answer]],
    ) -> None:
        got: Sequence[Answer]
        try:
            driver = self._outside.source(source)
            async with asyncio.timeout(READ_WITHIN_SECONDS):
                got = await driver.read([query for _, _, query in asked])
        except TimeoutError:
            error = SignalSourceError(
                f"{source} didn't answer within {READ_WITHIN_SECONDS:g} s",
                hint="the rollout is held until it does",
            )
            got = [error] * len(asked)
        except TidegateError as exc:
            # One source's trouble, whatever it is, is missing data for those who need it.
            got = [SignalSourceError(exc.message, hint=exc.hint)] * len(asked)
        for (index, place, _), reading in zip(asked, got, strict=True):
            answers[index][place] = reading

    def _tick(self, look: _Look, answers: Sequence[Answer], at: datetime) -> TickRecord:
        memory, phase = look.memory, look.phase
        gathered = memory.readings.gather(
            look.asked,
            answers,
            at=at,
            stale_after=look.rollout.plan.stale_after,
            signals=phase.signals if phase.exposes_users else (),
            exercises=phase.exercises,
        )
        if memory.readings.lost:
            memory.labels_age = 0
        return TickRecord(
            at=at,
            phase_index=memory.phase_key[1],
            phase_began_at=look.rollout.phase_since,
            counting=look.rollout.state is State.BAKING,
            inputs=_without_shares(gathered.inputs, phase)
            if look.rollout.state is State.APPLYING
            else gathered.inputs,
            exercises=gathered.exercises,
            cells=gathered.cells,
        )

    async def _with_suspects(
        self, looks: Sequence[_Look], ticks: Sequence[TickRecord], at: datetime
    ) -> list[TickRecord]:
        """Return *ticks* with who else may be behind what each rollout's service suffers from."""
        measured = [
            measure(look.rollout, look.phase, tick) for look, tick in zip(looks, ticks, strict=True)
        ]
        index = self._blame.begin([one for one in measured if one is not None], self._exposing)
        found = []
        for one, tick in zip(measured, ticks, strict=True):
            suspects = () if one is None else self._suspects(one, index, at)
            found.append(replace(tick, suspects=suspects))
            await self._outside.right_of_way.give_way()
        return found

    def _suspects(self, one: Measured, index: Index, at: datetime) -> tuple[Suspect, ...]:
        try:
            return self._blame.suspects(one, index, at)
        except ValueError as exc:
            # Naming nobody holds nothing up; a tick that isn't stored would.
            log.warning(events.WATCH_FAILED, rollout_id=one.rollout_id, error=f"blame: {exc}")
            return ()

    # --- storing -------------------------------------------------------------------------------

    def _store(
        self,
        looks: Sequence[_Look],
        ticks: Sequence[TickRecord],
        states: Sequence[EvidenceState | None],
    ) -> list[RolloutId]:
        with self._outside.store.begin() as transaction:
            return [
                look.rollout.id
                for look, tick, state in zip(looks, ticks, states, strict=True)
                if state is not None and self._store_one(transaction, look, tick, state)
            ]

    def _store_one(
        self, transaction: Transaction, look: _Look, tick: TickRecord, state: EvidenceState
    ) -> bool:
        rollout, memory = look.rollout, look.memory
        before = memory.state.ticks if memory.state else 0
        if state.ticks == before:
            return False
        stored = transaction.evidence(rollout.id)
        already = stored.ticks if stored and stored.attempt == rollout.attempt else 0
        over = stored is not None and stored.attempt > rollout.attempt
        if over or already != before:
            # Another watcher was here: its ticks are the record. Ours is dropped, and we go on
            # from what is stored.
            self._memories.pop(rollout.id, None)
            return False
        evidence = summarise(rollout.plan, state, attempt=rollout.attempt)
        transaction.save_evidence(
            StoredEvidence(
                rollout_id=rollout.id,
                attempt=rollout.attempt,
                ticks=state.ticks,
                at=tick.at,
                state_json=json.dumps(to_lists(state), separators=(",", ":")),
                evidence_json=to_json(evidence),
            ),
            [StoredTick(number=state.ticks, tick_json=to_json(tick))],
        )
        note_tick(transaction, rollout, tick, before=memory.state, after=state, evidence=evidence)
        memory.state = state
        judgement = judge(
            evidence,
            phase=look.phase,
            budget=rollout.plan.budget,
            attempt=rollout.attempt,
            carried=certified_before(rollout),
            was_suspect=is_suspected(rollout),
        )
        verdict, last = judgement.verdict, memory.last_verdict
        memory.last_verdict = verdict
        return (
            verdict is not last
            or verdict is Verdict.FAIL
            or (verdict is Verdict.PASS and state.baked_for >= look.phase.bake)
            or state.baked_for >= look.phase.bake_max * rollout.bake_allowance
        )


def _absorb_apart(
    looks: Sequence[_Look], ticks: Sequence[TickRecord]
) -> Sequence[EvidenceState | None]:
    """
    Put all ticks through the tests as one batch; where that fails, each alone.

    A tick that can't be absorbed is lost for its rollout, which is then held for want of data. It must
    not be lost for the others.
    """
    batch = [
        (look.rollout.plan, look.memory.state, tick)
        for look, tick in zip(looks, ticks, strict=True)
    ]
    try:
        return absorb(batch)
    except ValueError:
        return [
            _absorb_alone(look.rollout, entry) for look, entry in zip(looks, batch, strict=True)
        ]


def _absorb_alone(
    rollout: Rollout, entry: tuple[Plan, EvidenceState | None, TickRecord]
) -> EvidenceState | None:
    try:
        return absorb([entry])[0]
    except ValueError as exc:
        _log_poison(rollout, exc)
        return None


def _without_shares(inputs: Sequence[SignalInput], phase: Phase) -> tuple[SignalInput, ...]:
    """
    Return *inputs* without the counts of signals that are tested against the share of exposure.

    While a later phase is applied each target has the old share or the new one, and which isn't known
    by the tick. What compares the arms' own rates goes on.
    """
    kinds = {spec.name: spec.kind for spec in phase.signals}
    return tuple(
        replace(given, strata=()) if kinds.get(given.signal) in _BY_SHARE else given
        for given in inputs
    )


def _log_poison(rollout: Rollout, error: Exception) -> None:
    log.warning(events.WATCH_FAILED, rollout_id=rollout.id, error=str(error))


def read_tick(stored: StoredTick) -> TickRecord:
    """Return the tick that *stored* holds."""
    return from_json(TickRecord, stored.tick_json)


def _stored_state(transaction: Transaction, rollout: Rollout) -> EvidenceState | None:
    try:
        stored = transaction.evidence(rollout.id)
    except NotFoundError:
        return None
    if stored is None or stored.attempt != rollout.attempt:
        return None
    return from_lists(rollout.plan, json.loads(stored.state_json))
