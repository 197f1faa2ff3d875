"""
Gatekeeping: asks the gates in question, beside the steps, and files what they say.

A gate that is slow, fails or never answers delays nobody: each is asked in a task of its own with a
deadline, and what isn't answered is unknown, which isn't green. The answer and its entry in the ledger
are written together. Nothing is decided here about a rollout; it is only woken to look at its gates.

What is kept in memory says when to ask again and is a cache: after a restart everything in question is
asked once more. Two gatekeepers do no harm.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from hashlib import sha256
from itertools import islice
from typing import Final

import structlog

from tidegate.documents.canonical import change_digest
from tidegate.domain.gates.asking import RENEWED_AFTER, ask_again_at
from tidegate.domain.gates.model import GateEvidence, GateMoment, GateSpec, GateVerdict
from tidegate.domain.plan.model import TargetSpec
from tidegate.domain.quantities import RolloutId
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import Rollout
from tidegate.errors import NotFoundError, TidegateError
from tidegate.ports.gate import GateAnswer, GateQuestion
from tidegate.ports.store import Transaction
from tidegate.telemetry import events
from tidegate.usecases.gate_facts import known_facts, with_what_is_asked
from tidegate.usecases.gate_records import (
    ASK_AGAIN,
    binding_of,
    documents_for,
    file_evidence,
    standing_evidence,
    submitted_for,
)
from tidegate.usecases.gates import gates_in_question
from tidegate.usecases.outside import Outside
from tidegate.usecases.record import ENGINE, note_fact
from tidegate.usecases.shelves import DEBTS

log = structlog.get_logger("tidegate.gates")

ANSWER_WITHIN_SECONDS: Final = 30.0
"""A gate that takes longer is unknown: a clone of a large repository belongs elsewhere."""

PATIENCE_SECONDS: Final = 0.25
"""How long one round waits for answers; those that come later are filed when they come."""

AT_ONCE_PER_KIND: Final = 16
"""So many of one kind are asked at once, so that a kind that hangs keeps no other kind waiting."""

DEBTS_EVERY: Final = timedelta(seconds=30)
"""How often rollouts that are over are looked at for gates that are still owed."""

LOOKED_AT_ONCE: Final = 50
"""Rollouts that are read in one round, so that a halt of a thousand waits for few of them."""

GATELESS_REMEMBERED: Final = 10_000
"""A plan never gains gates, so those without any needn't be read again. Ids of what is over add up."""

AskedKey = tuple[RolloutId, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """When a gate was asked what, and when it is due again."""

    bound_to: str
    told: tuple[object, ...]
    at: datetime
    again_at: datetime
    times_not_green: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Due:
    """One gate to be asked now. `told` is what was submitted or wished for until now."""

    rollout: Rollout
    spec: GateSpec
    bound_to: str
    told: tuple[object, ...]


@dataclass(slots=True)
class _Memory:
    """What is kept between rounds."""

    waiting: dict[RolloutId, None] = field(default_factory=dict)
    """Rollouts to be looked at, the longest wait first."""
    gateless: set[RolloutId] = field(default_factory=set)
    asked: dict[AskedKey, _Asked] = field(default_factory=dict)
    under_way: dict[AskedKey, "asyncio.Task[None]"] = field(default_factory=dict)
    turns: dict[str, asyncio.Semaphore] = field(default_factory=dict)
    owed: frozenset[RolloutId] = frozenset()
    debts_at: datetime | None = None


class Gatekeeper:
    """The gatekeeper of one process. Its results are in the store."""

    def __init__(self, outside: Outside) -> None:
        self._outside = outside
        self._memory = _Memory()

    def touch(self, rollout_id: RolloutId) -> None:
        """Say that a rollout may have moved: its gates are looked at in the next round."""
        if rollout_id not in self._memory.gateless:
            self._memory.waiting.setdefault(rollout_id)

    async def look(self) -> None:
        """
        Ask the gates that are due; return when most have answered, and leave the slow ones be.

        Raises:
            StoreError: the store can't be read; the next round looks at the same again.
        """
        now = self._outside.clock.now()
        for due in self._due(now):
            key = (due.rollout.id, due.spec.name)
            task = asyncio.create_task(self._ask(due), name=f"gate {due.spec.name}")
            self._memory.under_way[key] = task
            task.add_done_callback(partial(self._ended, due))
        running = list(self._memory.under_way.values())
        if not running:
            return
        try:
            await asyncio.wait(running, timeout=PATIENCE_SECONDS)
        except asyncio.CancelledError:
            for task in running:
                task.cancel()
            raise

    def _due(self, now: datetime) -> list[_Due]:
        waiting = self._memory.waiting
        for key, asked in self._memory.asked.items():
            if _is_time(asked, now):
                waiting.setdefault(key[0])
        with self._outside.store.begin(read_only=True) as transaction:
            self._read_debts(transaction, now)
            looked_at = list(islice(waiting, LOOKED_AT_ONCE))
            due = [
                one
                for rollout_id in looked_at
                for one in self._due_of(transaction, rollout_id, now)
            ]
        # Not before: what the store couldn't tell is looked at again.
        for rollout_id in looked_at:
            del waiting[rollout_id]
        return due

    def _read_debts(self, transaction: Transaction, now: datetime) -> None:
        last = self._memory.debts_at
        if last is None or now - last >= DEBTS_EVERY or now < last:
            debts = DEBTS.open(transaction)
            self._memory.owed = frozenset(one.rollout_id for one in debts if one.rollout_id)
            self._memory.debts_at = now
            for rollout_id in self._memory.owed:
                self._memory.waiting.setdefault(rollout_id)

    def _due_of(
        self, transaction: Transaction, rollout_id: RolloutId, now: datetime
    ) -> Iterable[_Due]:
        try:
            rollout = transaction.rollout(rollout_id)
        except NotFoundError:
            rollout = None
        specs = () if rollout is None else gates_in_question(rollout)
        if rollout is not None and _is_over(rollout) and rollout_id not in self._memory.owed:
            specs = ()
        self._forget_but(rollout_id, {spec.name for spec in specs})
        if rollout is None or not rollout.plan.gates:
            self._remember_gateless(rollout_id)
            return
        wish = ASK_AGAIN.get(transaction, str(rollout_id)) if specs else None
        digest = change_digest(rollout.change) if specs else ""
        for spec in specs:
            notes = submitted_for(transaction, rollout.service, spec.submitted_to, digest)
            due = _Due(
                rollout=rollout,
                spec=spec,
                bound_to=binding_of(rollout, spec),
                told=(wish, notes),
            )
            if self._is_due(due, now):
                yield due

    def _is_due(self, due: _Due, now: datetime) -> bool:
        key = (due.rollout.id, due.spec.name)
        if key in self._memory.under_way:
            return False
        asked = self._memory.asked.get(key)
        return (
            asked is None
            or (asked.bound_to, asked.told) != (due.bound_to, due.told)
            or _is_time(asked, now)
        )

    def _forget_but(self, rollout_id: RolloutId, names: set[str]) -> None:
        for key in [one for one in self._memory.asked if one[0] == rollout_id]:
            if key[1] not in names:
                del self._memory.asked[key]

    def _remember_gateless(self, rollout_id: RolloutId) -> None:
        if len(self._memory.gateless) >= GATELESS_REMEMBERED:
            self._memory.gateless.clear()
        self._memory.gateless.add(rollout_id)

    # --- asking ------------------------------------------------------------------------------

    async def _ask(self, due: _Due) -> None:
        turns = self._memory.turns.setdefault(due.spec.kind, asyncio.Semaphore(AT_ONCE_PER_KIND))
        async with turns:
            at = self._outside.clock.now()
            answer = await self._answer(due, at)
        try:
            is_new = self._file(due, answer, at)
        except TidegateError as exc:
            # Nothing counts until it is on file, so it is asked again as soon as what isn't known.
            self._note_asked(due, _unknown("it couldn't be filed"), at)
            _log_failure(due, exc)
            return
        self._note_asked(due, answer, at)
        if is_new:
            self._outside.wake(due.rollout.id)

    async def _answer(self, due: _Due, at: datetime) -> GateAnswer:
        spec = due.spec
        driver = self._outside.gates.get(spec.kind)
        if driver is None:
            known = ", ".join(sorted(self._outside.gates)) or "none"
            return _unknown(f"this server can't ask gates of kind {spec.kind}; it can ask: {known}")
        try:
            async with asyncio.timeout(ANSWER_WITHIN_SECONDS):
                return await driver.check(await self._question(due, at))
        except TimeoutError:
            return _unknown(f"it didn't answer within {ANSWER_WITHIN_SECONDS:g} s")
        except TidegateError as exc:
            return _unknown(exc.message)
        except Exception as exc:  # noqa: BLE001 - a gate's fault must be seen and mustn't stop others
            _log_failure(due, exc)
            return _unknown(f"it failed: {type(exc).__name__}: {exc}"[:500])

    async def _question(self, due: _Due, at: datetime) -> GateQuestion:
        rollout, spec = due.rollout, due.spec
        digest = change_digest(rollout.change)
        with self._outside.store.begin(read_only=True) as transaction:
            documents = documents_for(transaction, rollout.service, spec.submitted_to, digest)
            known = known_facts(transaction, rollout, spec, at)
        known = await with_what_is_asked(self._outside, rollout, spec, known, at)
        return GateQuestion(
            spec=spec,
            service=rollout.service,
            change=rollout.change,
            change_digest=digest,
            plan_hash=rollout.plan_hash,
            components=rollout.components,
            targets=_targets(rollout, spec),
            documents=documents,
            known=known,
            now=at,
        )

    def _note_asked(self, due: _Due, answer: GateAnswer, at: datetime) -> None:
        key = (due.rollout.id, due.spec.name)
        before = self._memory.asked.get(key)
        times = 0
        if answer.verdict is not GateVerdict.GREEN:
            same = before is not None and (before.bound_to, before.told) == (
                due.bound_to,
                due.told,
            )
            times = 1 + (before.times_not_green if before is not None and same else 0)
        self._memory.asked[key] = _Asked(
            bound_to=due.bound_to,
            told=due.told,
            at=at,
            again_at=ask_again_at(
                at, answer.verdict, lasts=_life(due.spec, answer), times_not_green=times
            ),
            times_not_green=times,
        )

    def _ended(self, due: _Due, task: "asyncio.Task[None]") -> None:
        self._memory.under_way.pop((due.rollout.id, due.spec.name), None)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            _log_failure(due, error)

    def _file(self, due: _Due, answer: GateAnswer, at: datetime) -> bool:
        """File the answer unless the one that stands says the same; return whether it was filed."""
        evidence = _evidence(due, answer, at)
        with self._outside.store.begin() as transaction:
            standing = standing_evidence(transaction, due.rollout, due.spec)
            wish = ASK_AGAIN.get(transaction, str(due.rollout.id))
            is_wished = wish is not None and (standing is None or wish.at > standing.measured_at)
            # Whoever asks gets an answer of now, also when it is the same as before.
            if standing is not None and not is_wished and _says_the_same(standing, evidence):
                return False
            file_evidence(transaction, evidence)
            note_fact(
                transaction,
                at=at,
                actor=ENGINE,
                kind="evidence",
                rule="gate",
                because=f"{evidence.gate} is {evidence.verdict.value}: {evidence.because}",
                service=evidence.service,
                rollout_id=due.rollout.id,
                details=_details(evidence),
            )
        return True


def _is_time(asked: _Asked, now: datetime) -> bool:
    # A clock that was set back must not put the next question off.
    return now >= asked.again_at or now < asked.at


def _is_over(rollout: Rollout) -> bool:
    return rollout.is_final and (rollout.state is not State.COMPLETED or rollout.settled)


def _targets(rollout: Rollout, spec: GateSpec) -> tuple[TargetSpec, ...]:
    """Return the targets that the question is about: those of the phase, or all of the plan."""
    of_phase = spec.moment is GateMoment.BEFORE_PHASE and not spec.is_deferred
    moves = rollout.phase.moves if of_phase else ()
    placements = [move.placement for move in moves] or rollout.plan.placements()
    names = {placement.target for placement in placements}
    return tuple(target for target in rollout.targets if target.name in names)


def _unknown(because: str) -> GateAnswer:
    return GateAnswer(verdict=GateVerdict.UNKNOWN, because=because)


def _life(spec: GateSpec, answer: GateAnswer) -> timedelta:
    """Return how long *answer* is good: never longer than the gate's settings say."""
    lasts = spec.lasts if answer.lasts is None else min(spec.lasts, answer.lasts)
    return max(lasts, timedelta(0))


def _evidence(due: _Due, answer: GateAnswer, at: datetime) -> GateEvidence:
    spec, rollout = due.spec, due.rollout
    digest = change_digest(rollout.change)
    named = f"{rollout.service} {spec.name} {digest} {due.bound_to} {at.isoformat()}"
    return GateEvidence(
        id=f"e-{sha256(named.encode()).hexdigest()[:12]}",
        gate=spec.name,
        kind=spec.kind,
        service=rollout.service,
        change_digest=digest,
        verdict=answer.verdict,
        because=answer.because or "no reason was given",
        facts=answer.facts,
        documents=answer.documents,
        # When it was asked and not when it answered: what was looked at is as old as that.
        measured_at=at,
        expires_at=at + _life(spec, answer),
        by=f"gate/{spec.kind}",
        bound_to=due.bound_to,
    )


def _says_the_same(standing: GateEvidence, evidence: GateEvidence) -> bool:
    """Return whether *evidence* adds nothing to *standing*, which is good for long enough still."""
    renewal = standing.measured_at + RENEWED_AFTER * (standing.expires_at - standing.measured_at)
    return standing.measured_at <= evidence.measured_at < renewal and (
        standing.verdict,
        standing.because,
        standing.documents,
    ) == (evidence.verdict, evidence.because, evidence.documents)


def _details(evidence: GateEvidence) -> dict[str, object]:
    return {
        "evidence": evidence.id,
        "gate": evidence.gate,
        "kind": evidence.kind,
        "verdict": evidence.verdict.value,
        "change_digest": evidence.change_digest,
        "bound_to": evidence.bound_to,
        "documents": list(evidence.documents),
        "facts": dict(evidence.facts),
        "expires_at": evidence.expires_at.isoformat(),
    }


def _log_failure(due: _Due, error: BaseException) -> None:
    known = isinstance(error, TidegateError)
    log.warning(
        events.GATE_FAILED,
        rollout_id=due.rollout.id,
        gate=due.spec.name,
        kind=due.spec.kind,
        error=str(error) or type(error).__name__,
        exc_info=None if known else error,
    )
