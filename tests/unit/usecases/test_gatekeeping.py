"""Asking gates beside the steps: what counts as an answer, and that none of it can hurt a rollout."""

import asyncio
import json
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from tidegate.api.showing.look import look_at, show_now
from tidegate.domain.emergency.model import Debt, DebtId, DebtState, EmergencyId
from tidegate.domain.gates.model import GateVerdict
from tidegate.domain.quantities import RolloutId
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import ReasonCode
from tidegate.errors import GateError, StoreError
from tidegate.ports.gate import GateAnswer
from tidegate.testing.memory_world import DOCUMENT, MemoryWorld
from tidegate.usecases import gatekeeping
from tidegate.usecases.gate_records import standing_evidence
from tidegate.usecases.gatekeeping import Gatekeeper
from tidegate.usecases.halt import halt_rollout
from tidegate.usecases.resume import resume_rollout
from tidegate.usecases.shelves import DEBTS, GATE_EVIDENCE
from tidegate.usecases.work import EngineWork

GATED = DOCUMENT + "gates: {before_start: [digest], before_phase: [no-incident]}\n"
GREEN = GateAnswer(verdict=GateVerdict.GREEN, because="all is well")
RED = GateAnswer(verdict=GateVerdict.RED, because="3 new findings")
WANTED = [State.APPLYING, State.BAKING]


class Answers:
    """A gate that says what a test wants and remembers what it was asked."""

    def __init__(self, answer=GREEN):
        self.answer = answer
        self.questions = []

    async def check(self, question):
        self.questions.append(question)
        if isinstance(self.answer, Exception):
            raise self.answer
        if self.answer is None:
            await asyncio.Event().wait()
        return self.answer


@pytest.fixture
async def world():
    made = MemoryWorld()
    made.gates["digest"] = Answers()
    made.gates["no-incident"] = Answers()
    await made.installed()
    return made


async def waits_for(world, rollout_id):
    """Return what a rollout waits for, as whoever looks at it reads it."""
    await world.turns(rollout_id)
    shown = await show_now(world.outside, look_at(world.outside, world.rollout(rollout_id)))
    return shown.waiting_on.reason_code, shown.waiting_on.detail


def evidence_facts(world, rollout_id=None):
    with world.store.begin(read_only=True) as transaction:
        entries = transaction.ledger(rollout_id=rollout_id)
    return [entry for entry in entries if entry.kind == "evidence"]


async def test_green_gates_let_a_rollout_go_its_way(world):
    """The evidence names the change, and the ledger has each answer with what was measured."""
    rollout = await world.start("2.0.0", document=GATED)

    done = await world.run(rollout.id, until=[State.BAKING])

    assert done.phase_index == 0
    told = [json.loads(entry.details_json) for entry in evidence_facts(world, rollout.id)]
    assert {(one["gate"], one["verdict"]) for one in told} == {
        ("digest", "green"),
        ("no-incident", "green"),
    }
    question = world.gates["digest"].questions[-1]
    assert question.change == rollout.change
    assert [target.name for target in question.targets] == ["eu"]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (RED, "no-incident is red: 3 new findings"),
        (GateAnswer(verdict=GateVerdict.UNKNOWN, because="nobody knows"), "is unknown: nobody"),
        (GateError("the pager can't be asked", hint="wait"), "is unknown: the pager can't"),
        (ZeroDivisionError("oops"), "is unknown: it failed: ZeroDivisionError"),
        (replace(GREEN, lasts=timedelta(0)), "is expired"),
        (replace(GREEN, lasts=timedelta(hours=-1)), "is expired"),
    ],
)
async def test_anything_but_green_waits_and_says_why(world, answer, words):
    """Red, unclear, out of reach, out of order: exposure doesn't rise, and people read the reason."""
    world.gates["no-incident"].answer = answer
    rollout = await world.start("2.0.0", document=GATED)

    with pytest.raises(AssertionError, match="waiting"):
        await world.run(rollout.id, until=WANTED, most_ticks=30)

    reason, detail = await waits_for(world, rollout.id)
    assert reason == ReasonCode.GATE
    assert words in detail


async def test_a_gate_that_nobody_can_ask_is_unknown(world):
    """A server without the driver mustn't take the gate for passed."""
    del world.gates["digest"]
    rollout = await world.start("2.0.0", document=GATED)

    reason, detail = await waits_for(world, rollout.id)

    assert reason == ReasonCode.GATE
    assert "can't ask gates of kind digest" in detail


async def test_a_gate_that_turns_green_lets_it_go_on(world):
    """Nobody has to tell it: it is asked again by itself."""
    world.gates["digest"].answer = RED
    rollout = await world.start("2.0.0", document=GATED)
    await world.turns(rollout.id)
    world.gates["digest"].answer = GREEN

    done = await world.run(rollout.id, until=[State.BAKING], most_ticks=20)

    assert done.state is State.BAKING


async def test_an_answer_expires_and_is_asked_for_anew(world):
    """What was green an hour ago says nothing about now."""
    rollout = await world.start("2.0.0", document=GATED)
    await world.run(rollout.id, until=lambda now: now.waiting_on.reason is ReasonCode.APPROVAL)
    world.gates["no-incident"].answer = RED

    world.clock.advance(timedelta(minutes=6))
    reason, detail = await waits_for(world, rollout.id)

    assert world.rollout(rollout.id).state is State.WAITING
    assert reason == ReasonCode.GATE
    assert "no-incident is red" in detail


async def test_each_phase_is_asked_for_itself(world):
    """A green answer before the first phase is none before the second, however young."""
    document = GATED.replace("no-incident", "{no-incident: {lasts: 7d}}")
    rollout = await world.start("2.0.0", document=document)

    await world.run(rollout.id, until=lambda now: now.waiting_on.reason is ReasonCode.APPROVAL)

    bound = {one["bound_to"] for one in _details(world, rollout.id, "no-incident")}
    assert len(bound) == 2


async def test_another_setting_makes_an_old_answer_count_no_more(world):
    """Whoever changes what a gate asks has not been answered yet."""
    short = await world.start("2.0.0", document=GATED.replace("digest]", "{backup: 12h}]"))
    world.gates["backup"] = Answers()
    await world.run(short.id, until=[State.BAKING])
    halt = await halt_rollout(world.outside, short.id, actor="bob", reason="again, stricter")
    await world.run(halt.id, until=lambda now: now.is_final or now.state is State.HALTED)
    with world.store.begin() as transaction:
        kept = transaction.rollout(short.id)
        stricter = replace(
            kept.plan.gates[0], settings_json='{"max_age":"1h","restore_tested":"90d"}'
        )
        plan = replace(kept.plan, gates=(stricter, kept.plan.gates[1]))
        transaction.save_rollout(replace(kept, plan=plan))
    world.gates["backup"].answer = RED
    resume_rollout(world.outside, short.id, actor="bob", reason="again")

    reason, detail = await waits_for(world, short.id)

    assert reason == ReasonCode.GATE
    assert "backup is red" in detail


async def test_the_start_is_asked_for_again_after_a_stop(world):
    """Nobody is served any more, so all that must be so before anyone is served must be so again."""
    rollout = await world.start("2.0.0", document=GATED)
    await world.run(rollout.id, until=[State.BAKING])
    await halt_rollout(world.outside, rollout.id, actor="bob", reason="look")
    await world.run(rollout.id, until=[State.HALTED])
    world.gates["digest"].answer = RED
    world.clock.advance(timedelta(hours=1))
    resume_rollout(world.outside, rollout.id, actor="bob", reason="go on")

    reason, detail = await waits_for(world, rollout.id)

    assert reason == ReasonCode.GATE
    assert "digest is red" in detail


async def test_a_gate_that_hangs_delays_no_other(world, monkeypatch):
    """Neither another rollout's gate of the kind, nor the round; and it is unknown in the end."""
    monkeypatch.setattr(gatekeeping, "PATIENCE_SECONDS", 0.05)
    monkeypatch.setattr(gatekeeping, "ANSWER_WITHIN_SECONDS", 0.3)
    world.gates["digest"].answer = None
    rollout = await world.start("2.0.0", document=GATED)

    _, detail = await waits_for(world, rollout.id)
    assert "no-incident" not in detail
    assert "digest is missing" in detail
    await asyncio.sleep(0.35)
    _, late = await waits_for(world, rollout.id)

    assert "digest is unknown: it didn't answer within 0.3 s" in late


async def test_the_same_answer_is_written_once(world):
    """A gate that stays red is asked ever more rarely, and fills no ledger."""
    world.gates["digest"].answer = RED
    rollout = await world.start("2.0.0", document=GATED)

    with pytest.raises(AssertionError):
        await world.run(rollout.id, until=[State.BAKING], most_ticks=200)

    asked = world.gates["digest"].questions
    assert 3 <= len(asked) <= 10
    assert len(_details(world, rollout.id, "digest")) == 1


async def test_evidence_and_ledger_are_written_together_or_not_at_all(world):
    """A server that is killed between the two leaves neither without the other."""
    rollout = await world.start("2.0.0", document=GATED)
    before = len(evidence_facts(world))
    killed = Gatekeeper(replace(world.outside, store=_DiesBeforeTheLedger(world.store)))
    killed.touch(rollout.id)

    await killed.look()

    with world.store.begin(read_only=True) as transaction:
        assert GATE_EVIDENCE.latest(transaction) == ()
    assert len(evidence_facts(world)) == before
    assert (await world.run(rollout.id, until=[State.BAKING])).state is State.BAKING


async def test_an_answer_that_couldn_t_be_filed_is_asked_for_again_soon(world):
    """A green one that only this process knew of would count for nobody, and for long."""
    rollout = await world.start("2.0.0", document=GATED)
    keeper = Gatekeeper(replace(world.outside, store=_DiesBeforeTheLedger(world.store)))
    keeper.touch(rollout.id)
    await keeper.look()
    keeper._outside = world.outside
    world.clock.advance(timedelta(seconds=5))

    await keeper.look()

    assert {one["gate"] for one in _details(world, rollout.id, "digest")} == {"digest"}


async def test_a_thousand_rollouts_without_gates_are_read_once(world, monkeypatch):
    """And no more than some in a round: others have to act meanwhile."""
    monkeypatch.setattr(gatekeeping, "LOOKED_AT_ONCE", 3)
    rollout = await world.start("2.0.0")
    gated = await world.start("3.0.0", document=GATED)
    store = _Counting(world.store)
    keeper = Gatekeeper(replace(world.outside, store=store))
    ids = [rollout.id, *(RolloutId(f"gone-{number}") for number in range(6)), gated.id]
    rounds = []

    for rollout_id in ids:
        keeper.touch(rollout_id)
    for _ in range(3):
        before = len(store.read)
        await keeper.look()
        rounds.append(len(store.read) - before)
    for rollout_id in ids[:-1]:
        keeper.touch(rollout_id)
    await keeper.look()

    assert rounds == [3, 3, 2]
    assert store.read == ids


async def test_an_answer_for_one_rollout_doesn_t_take_away_that_of_another(world):
    """Two rollouts of one change that ask differently, as staging and production, both go on."""
    rollout = await world.start("2.0.0", document=GATED)
    keeper = Gatekeeper(world.outside)
    other = replace(rollout, plan_hash="sha256:other")
    keeper.touch(rollout.id)
    await keeper.look()

    with world.store.begin(read_only=True) as transaction:
        spec = rollout.plan.gates[0]
        assert standing_evidence(transaction, rollout, spec) is not None
        assert standing_evidence(transaction, other, spec) is None


async def test_rollouts_without_gates_are_never_asked_about(world):
    """And a return asks nobody: nothing that brings people back waits for a gate."""
    rollout = await world.start("2.0.0")

    await world.run(rollout.id, until=[State.BAKING])

    assert world.gates["digest"].questions == []
    assert evidence_facts(world) == []


async def test_a_round_goes_on_after_a_store_that_failed(world):
    """What was to be looked at isn't forgotten."""
    rollout = await world.start("2.0.0", document=GATED)
    work = EngineWork(world.outside)
    await work.step(rollout.id)
    broken = _Broken(world.store)
    work._gates._outside = replace(world.outside, store=broken)
    with pytest.raises(StoreError):
        await work.ask()
    work._gates._outside = world.outside

    await work.ask()

    assert world.gates["digest"].questions


def _details(world, rollout_id, gate):
    told = [json.loads(entry.details_json) for entry in evidence_facts(world, rollout_id)]
    return [one for one in told if one["gate"] == gate]


class _DiesBeforeTheLedger:
    """A store whose writer is killed after it filed the evidence and before it wrote the entry."""

    def __init__(self, store):
        self._store = store

    @contextmanager
    def begin(self, *, read_only=False):
        with self._store.begin(read_only=read_only) as transaction:
            yield transaction if read_only else _NoLedger(transaction)


class _NoLedger:
    def __init__(self, transaction):
        self._transaction = transaction

    def append(self, entry):
        raise GateError("killed here", hint="")

    def __getattr__(self, name):
        return getattr(self._transaction, name)


class _Broken:
    def __init__(self, store):
        self._store = store

    def begin(self, *, read_only=False):
        raise StoreError("the store doesn't answer", hint="again")


async def test_a_gate_that_is_owed_is_asked_after_the_rollout_is_over(world):
    """An emergency is over when its debts are, and not when everyone has its change."""
    rollout = await world.start(
        "2.0.0", document=GATED.replace(", before_phase: [no-incident]", "")
    )
    settled = await world.run(
        rollout.id, until=lambda now: now.waiting_on.reason is ReasonCode.APPROVAL
    )
    with world.store.begin() as transaction:
        kept = transaction.rollout(settled.id)
        owed = replace(kept.plan.gates[0], is_deferred=True)
        over = replace(
            kept, state=State.COMPLETED, settled=True, plan=replace(kept.plan, gates=(owed,))
        )
        transaction.save_rollout(over)
        debt = Debt(
            id=DebtId("d-1"),
            emergency_id=EmergencyId("e-1"),
            rollout_id=rollout.id,
            service=rollout.service,
            project=rollout.project,
            gate="digest",
            owner="alice",
            due_at=world.clock.now() + timedelta(hours=24),
            state=DebtState.OPEN,
            because="put off",
            changed_at=world.clock.now(),
        )
        DEBTS.put(transaction, debt)
    world.gates["digest"].answer = RED
    world.clock.advance(timedelta(minutes=5))

    await Gatekeeper(world.outside).look()

    assert _details(world, rollout.id, "digest")[-1]["verdict"] == "red"
    with world.store.begin() as transaction:
        DEBTS.put(transaction, replace(debt, state=DebtState.SETTLED))
    asked = len(world.gates["digest"].questions)
    await Gatekeeper(world.outside).look()
    assert len(world.gates["digest"].questions) == asked


class _Counting:
    """A store that remembers which rollouts were read."""

    def __init__(self, store):
        self._store = store
        self.read = []

    @contextmanager
    def begin(self, *, read_only=False):
        with self._store.begin(read_only=read_only) as transaction:
            yield _Noting(transaction, self.read)


class _Noting:
    def __init__(self, transaction, read):
        self._transaction = transaction
        self._read = read

    def rollout(self, rollout_id):
        self._read.append(rollout_id)
        return self._transaction.rollout(rollout_id)

    def __getattr__(self, name):
        return getattr(self._transaction, name)
