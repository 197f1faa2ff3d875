"""
Emergencies under any sequence of what people, gates and time do: faster, and never blind (I13, D13).

Whoever declares, agrees, starts, waives and closes, in whatever order: nothing starts by one person's
word or after its time, every gate that was put off is owed, every phase is baked, nothing owed is lost.
"""

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from typing import Any, TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tidegate.domain.access.model import Caller, CallerKind
from tidegate.domain.emergency.authority import persons_agreed, persons_missing
from tidegate.domain.gates.model import GateVerdict
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import Rollout
from tidegate.errors import TidegateError
from tidegate.ports.gate import GateAnswer, GateQuestion
from tidegate.testing.emergencies import a_protocol
from tidegate.testing.memory_world import DOCUMENT, MemoryWorld, the_shop
from tidegate.usecases import emergency_records
from tidegate.usecases.bus import perform
from tidegate.usecases.emergencies import Declaration
from tidegate.usecases.emergency_commands import (
    ApproveEmergency,
    CloseEmergency,
    DeclareEmergency,
    WaiveDebt,
)
from tidegate.usecases.emergency_records import EMERGENCIES
from tidegate.usecases.halt import halt_rollout
from tidegate.usecases.rollout_commands import StartRollout
from tidegate.usecases.shelves import DEBTS

UNGATED = (
    DOCUMENT.replace("bake: 10s", "bake: 60s")
    .replace("bake: 20s", "bake: 120s")
    .replace(", approve: 1 of team-release", "")
)
GATED = UNGATED + "gates: {before_start: [digest, change-size]}\n"
PROTOCOL = a_protocol(out_of_band=("change-size",), expires_after=timedelta(minutes=30))
SHORTENED = [timedelta(seconds=5), timedelta(seconds=10), timedelta(seconds=10)]

people = st.sampled_from(["alice", "bob", "carol", "alice-admin"])
Done = TypeVar("Done")


def a_caller(name: str) -> Caller:
    """Return somebody with the server's token; alice has two names."""
    return Caller(
        name=name, kind=CallerKind.PERSON, person=name.removesuffix("-admin"), is_root=True
    )


class Answers:
    """A gate that says what it was told to."""

    def __init__(self, verdict: GateVerdict) -> None:
        self.verdict = verdict

    async def check(self, question: GateQuestion) -> GateAnswer:
        return GateAnswer(verdict=self.verdict, because=self.verdict.value)


class Emergencies(RuleBasedStateMachine):
    """One shop, four names of three people, one gate that is put off."""

    def __init__(self) -> None:
        super().__init__()
        emergency_records.BUILT_IN = (PROTOCOL,)  # type: ignore[misc, assignment]
        self.loop = asyncio.new_event_loop()
        self.world = MemoryWorld()
        self.slow = Answers(GateVerdict.UNKNOWN)
        self.world.gates["change-size"] = self.slow
        self.world.gates["digest"] = Answers(GateVerdict.GREEN)
        self.do(self.world.installed(document=UNGATED))
        self.version = 1

    def teardown(self) -> None:
        self.loop.close()
        emergency_records.BUILT_IN = _BUILT_IN  # type: ignore[misc]

    def do(self, work: Awaitable[Done]) -> Done:
        return self.loop.run_until_complete(work)  # type: ignore[arg-type]

    def tried(self, name: str, command: Any) -> Any:
        """Perform *command* for *name*; None when it's refused."""
        try:
            return self.do(perform(self.world.outside, a_caller(name), command))
        except TidegateError:
            return None

    def records(self, shelf: Any) -> tuple[Any, ...]:
        with self.world.store.begin(read_only=True) as transaction:
            found: tuple[Any, ...] = shelf.latest(transaction, limit=1_000)
        return found

    def hurried(self) -> list[Rollout]:
        with self.world.store.begin(read_only=True) as transaction:
            found = transaction.rollouts(limit=1_000)
        return [rollout for rollout in found if rollout.emergency_id is not None]

    # --- what people do ----------------------------------------------------------------------

    @rule(name=people, grave=st.booleans(), incident=st.sampled_from(["INC-1", ""]))
    def declare(self, name: str, grave: bool, incident: str) -> None:
        said = Declaration(
            resolved=the_shop(GATED),
            versions={"code": f"1.{self.version}.0"},
            type="security",
            incident=incident,
            facts={"severity": "sev1" if grave else "sev4"},
            reason="CVE-2030-1",
            start_at_once=False,
        )
        declared = self.tried(name, DeclareEmergency(said=said))

        assert (declared is None) or (grave and incident)

    @rule(name=people)
    def agree(self, name: str) -> None:
        for emergency in self.records(EMERGENCIES)[:2]:
            self.tried(name, ApproveEmergency(emergency=emergency.id, reason=""))

    @rule(name=people, newer=st.booleans())
    def start(self, name: str, newer: bool) -> None:
        for emergency in self.records(EMERGENCIES)[:2]:
            versions = {"code": "9.9.9"} if newer else dict(emergency.versions)
            command = StartRollout(
                resolved=the_shop(GATED), versions=versions, emergency=emergency.id
            )
            started = self.tried(name, command)
            assert started is None or not newer

    @rule(name=people)
    def waive(self, name: str) -> None:
        for debt in self.records(DEBTS)[:2]:
            self.tried(name, WaiveDebt(debt=debt.id, reason="done by hand"))

    @rule(name=people)
    def close(self, name: str) -> None:
        for emergency in self.records(EMERGENCIES)[:2]:
            self.tried(name, CloseEmergency(emergency=emergency.id, reason="over"))

    @precondition(lambda self: any(not one.is_final for one in self.hurried()))
    @rule()
    def halt(self) -> None:
        for rollout in self.hurried():
            if not rollout.is_final:
                self.do(halt_rollout(self.world.outside, rollout.id, actor="dave", reason="enough"))

    @rule(first=people, second=people, agrees=st.booleans(), minutes=st.sampled_from([0, 29, 30]))
    def go_the_whole_way(self, first: str, second: str, agrees: bool, minutes: int) -> None:
        """What chance alone seldom makes: a start, right away or late, with or without a yes."""
        self.declare(first, True, "INC-1")  # type: ignore[call-arg]
        if agrees:
            self.agree(second)  # type: ignore[call-arg]
        self.world.clock.advance(timedelta(minutes=minutes))
        self.start(first, False)  # type: ignore[call-arg]

    # --- what the world does -----------------------------------------------------------------

    @rule(verdict=st.sampled_from(GateVerdict))
    def answer(self, verdict: GateVerdict) -> None:
        self.slow.verdict = verdict

    @rule(minutes=st.sampled_from([1, 31, 60 * 25]))
    def wait(self, minutes: int) -> None:
        self.world.clock.advance(timedelta(minutes=minutes))

    @rule(ticks=st.sampled_from([1, 5, 40, 80]))
    def go_on(self, ticks: int) -> None:
        left = iter(range(ticks))
        unfinished = [one for one in self.hurried() if not one.is_final]
        if not unfinished:
            self.do(self.world.turn())
            return
        self.do(
            self.world.run(
                unfinished[0].id,
                until=lambda now: next(left, None) is None or now.is_final,
                most_ticks=ticks * 30,
            )
        )
        self.version += self.world.rollout(unfinished[0].id).state is State.COMPLETED

    # --- what holds --------------------------------------------------------------------------

    @invariant()
    def every_gate_that_was_put_off_is_owed(self) -> None:
        owed = {(debt.emergency_id, debt.gate) for debt in self.records(DEBTS)}
        for rollout in self.hurried():
            put_off = [gate for gate in rollout.plan.gates if gate.is_deferred]
            assert put_off, "the protocol puts one off"
            assert {(rollout.emergency_id, gate.name) for gate in put_off} <= owed

    @invariant()
    def nothing_began_without_authority(self) -> None:
        known = {emergency.id: emergency for emergency in self.records(EMERGENCIES)}
        for rollout in self.hurried():
            emergency = known[rollout.emergency_id]
            assert emergency.authorised_at is not None
            assert emergency.authorised_at <= rollout.created_at < emergency.expires_at
            assert persons_missing(emergency) == 0
            assert set(persons_agreed(emergency)) - {emergency.declared_person}
            assert len(set(persons_agreed(emergency))) >= 2

    @invariant()
    def every_phase_is_baked(self) -> None:
        for rollout in self.hurried():
            assert [phase.bake for phase in rollout.plan.phases] == SHORTENED
            assert rollout.phase_index <= len(rollout.passes)
            since = rollout.created_at
            for passed in rollout.passes:
                assert passed.at - since >= SHORTENED[passed.phase_index]
                since = passed.at

    @invariant()
    def nothing_that_is_owed_is_closed(self) -> None:
        closed = {one.id for one in self.records(EMERGENCIES) if not one.is_open}
        for debt in self.records(DEBTS):
            assert not (debt.is_unpaid and debt.emergency_id in closed)

    @invariant()
    def what_was_given_up_was_given_up_by_two_others(self) -> None:
        known = {emergency.id: emergency for emergency in self.records(EMERGENCIES)}
        for debt in self.records(DEBTS):
            persons = {word.person for word in debt.waivers}
            assert known[debt.emergency_id].declared_person not in persons
            assert debt.state.value != "waived" or len(persons) >= 2


_BUILT_IN = emergency_records.BUILT_IN

TestEmergencies = Emergencies.TestCase
TestEmergencies.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
