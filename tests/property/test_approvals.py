"""
Whatever people, artifacts, policies and forgers do: a phase begins only when enough persons stand behind it.

An oracle of its own keeps what really was said, by whom and about what; it knows persons, not names. A
rise that rests on anything else is found, and so is an approval that is lost without reason.
"""

import asyncio
import os
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tidegate.domain.access.model import Caller, CallerKind
from tidegate.domain.health.evidence import NO_EVIDENCE
from tidegate.domain.policy.model import KnownPerson, KnownProgram, Policy, PolicyVersion
from tidegate.domain.quantities import NO_EXPOSURE, Version
from tidegate.domain.rollout.decide import decide
from tidegate.domain.rollout.decisions import EnterPhase, Observation
from tidegate.domain.rollout.machine import Event
from tidegate.domain.rollout.model import Approval, Rehearsal, Rollout
from tidegate.domain.rollout.obstacles import counting_approvals
from tidegate.drivers.component.memory import MemoryComponent
from tidegate.errors import ForbiddenError, RefusedError
from tidegate.testing.memory_world import DOCUMENT, MemoryWorld, the_shop
from tidegate.usecases.approvals import void_approvals
from tidegate.usecases.approve import ApproveRollout, RejectRollout, TakeBackWord
from tidegate.usecases.artifacts import look_up
from tidegate.usecases.bus import perform
from tidegate.usecases.outside import assignment
from tidegate.usecases.policies import POLICIES
from tidegate.usecases.rollout_commands import StartRollout

NEEDED: Final = 2
LIFE: Final = timedelta(hours=4)
ASKING: Final = DOCUMENT.replace(
    "{name: few, traffic: 10%, bake: 10s}",
    "{name: few, traffic: 10%, bake: 10s, approve: {count: 2, of: team-release, within: 4h}}",
)
PERSON_OF: Final = {
    "alice": "alice",
    "alice-admin": "alice",
    "ci-shop": "alice",
    "bob": "bob",
    "github-bob": "bob",
    "carol": "carol",
    "dora": "dora",
    "mallory": "mallory",
    "stray-bot": None,
}
AUTHOR: Final = "alice"
FORGERS: Final = ("erin", "frank")
"""Two who may approve and never do: what is on record under their names is false."""
TEAM: Final = frozenset({"alice", "bob", "carol", "dora", *FORGERS})
PROGRAMS: Final = frozenset({"ci-shop", "stray-bot"})


FORGERIES: Final = (
    *("author", "nobody", "stranger", "second name", "unbound", "expired"),
    *("other phase", "other attempt", "other plan", "other change", "other policy"),
    *("other targets", "other exposure", "other environment"),
)


class Registry(MemoryComponent):
    """Targets whose versions mean something else after each build."""

    build = ""

    async def resolve(self, version: str, settings_json: str) -> Version:
        found = await super().resolve(version, settings_json)
        return replace(found, digest=found.digest + self.build)


@dataclass(frozen=True)
class Facts:
    """What an approval is a yes to, as the oracle knows it."""

    build: str
    policy: int
    attempt: int


@dataclass(frozen=True)
class Said:
    """One person's yes, as the oracle knows it."""

    at: datetime
    facts: Facts
    builds_so_far: int


class Approvals(RuleBasedStateMachine):
    """People agree, refuse and change their minds; everything that an approval is bound to moves."""

    @initialize(starter=st.sampled_from(["alice", "alice-admin", "ci-shop"]))
    def begin(self, starter: str) -> None:
        self.component = Registry()
        self.world = MemoryWorld(component=self.component)
        self.policy = 0
        self.team = TEAM
        self.builds = 0
        self.yes: dict[str, Said] = {}
        self.no: set[str] = set()
        self._put_policy()
        asyncio.run(self._begin(starter))

    async def _begin(self, starter: str) -> None:
        for version in ("1.0.0", "1.1.0"):
            command = StartRollout(resolved=the_shop(ASKING), versions={"code": version})
            started = await perform(self.world.outside, caller(starter), command)
            self.rollout_id = started.id
            if version == "1.0.0":
                # Served already, without the whole way there: this is about what comes after.
                await self._install(started)

    async def _install(self, started: Rollout) -> None:
        with self.world.store.begin() as transaction:
            rollout = transaction.rollout(started.id)
            for place in rollout.plan.placements():
                await self.component.apply(assignment(rollout, place, NO_EXPOSURE))
            over = rollout.moved(Event.HALTED_BY_PERSON, at=self.world.clock.now())
            over = over.moved(Event.ABANDONED, at=self.world.clock.now())
            transaction.save_rollout(over)

    @property
    def rollout(self) -> Rollout:
        return self.world.rollout(self.rollout_id)

    @property
    def facts(self) -> Facts:
        return Facts(build=self.component.build, policy=self.policy, attempt=self.rollout.attempt)

    # --- what people do ----------------------------------------------------------------------

    @rule(name=st.sampled_from(["bob", "github-bob", "carol", "dora"]))
    def approve_as_a_member(self, name: str) -> None:
        self.approve(name)

    @rule(name=st.sampled_from(sorted(PERSON_OF)))
    def approve_as_anyone(self, name: str) -> None:
        self.approve(name)

    def approve(self, name: str) -> None:
        person = PERSON_OF[name]
        allowed = (
            person in self.team
            and person != AUTHOR
            and self.component.build == ""
            and person not in self._counting()
        )
        command = ApproveRollout(rollout=self.rollout_id, comment="")
        try:
            asyncio.run(perform(self.world.outside, caller(name), command))
        except (ForbiddenError, RefusedError):
            assert not allowed, f"{name} was refused"
        else:
            assert allowed, f"{name} was let through"
            assert person is not None
            self.no.discard(person)
            self.yes[person] = Said(
                at=self.world.clock.now(), facts=self.facts, builds_so_far=self.builds
            )

    @rule(name=st.sampled_from(["bob", "github-bob", "carol"]))
    def reject(self, name: str) -> None:
        command = RejectRollout(rollout=self.rollout_id, comment="no")
        asyncio.run(perform(self.world.outside, caller(name), command))
        person = str(PERSON_OF[name])
        self.yes.pop(person, None)
        self.no.add(person)

    @rule(name=st.sampled_from(["bob", "github-bob", "carol", "dora"]))
    def take_back(self, name: str) -> None:
        person = str(PERSON_OF[name])
        command = TakeBackWord(rollout=self.rollout_id, reason="after all")
        try:
            asyncio.run(perform(self.world.outside, caller(name), command))
        except RefusedError:
            assert person not in self.yes
            assert person not in self.no
        self.yes.pop(person, None)
        self.no.discard(person)

    # --- what moves --------------------------------------------------------------------------

    @rule(hours=st.sampled_from([0.1, 0.5, 1, 3.5, 4]))
    def time_passes(self, hours: float) -> None:
        self.world.clock.advance(timedelta(hours=hours))

    @rule(build=st.sampled_from(["", "", "f00d"]))
    def artifact_is_built(self, build: str) -> None:
        self.world.clock.advance(timedelta(seconds=1))
        if build != self.component.build:
            self.builds += 1
        self.component.build = build
        asyncio.run(look_up(self.world.outside, self.rollout))

    @rule(team=st.sampled_from([TEAM, TEAM, TEAM - {"bob"}, TEAM - {"carol"}]))
    def policy_is_edited(self, team: frozenset[str]) -> None:
        self.team = team
        self._put_policy()

    @precondition(lambda self: len(self.yes) > 1)
    @rule()
    def halted_and_resumed(self) -> None:
        with self.world.store.begin() as transaction:
            before = transaction.rollout(self.rollout_id)
            transaction.save_rollout(replace(before, attempt=before.attempt + 1))
        self.yes.clear()
        self.no.clear()

    # --- what a forger writes into the record ------------------------------------------------

    @precondition(lambda self: self.yes)
    @rule(
        forgery=st.sampled_from(FORGERIES),
        by=st.sampled_from(FORGERS),
    )
    def forged(self, forgery: str, by: str) -> None:
        person, _ = next(iter(self.yes.items()))
        with self.world.store.begin() as transaction:
            before = transaction.rollout(self.rollout_id)
            real = next((one for one in reversed(before.approvals) if one.person == person), None)
            if real is None:
                return
            false = forge(replace(real, by=by), forgery, self.world.clock.now())
            transaction.save_rollout(replace(before, approvals=(*before.approvals, false)))
        if forgery == "second name":
            # A person's latest word counts, and this one is worth nothing.
            del self.yes[person]

    # --- what must hold ----------------------------------------------------------------------

    @invariant()
    def only_what_was_said_of_this_counts(self) -> None:
        if not hasattr(self, "rollout_id"):
            return
        # The latest look is never older than the runner lets it get.
        asyncio.run(look_up(self.world.outside, self.rollout))
        seen = self._seen()

        counting = {one.person for one in counting_approvals(seen)}
        decision = decide(seen)

        assert counting == self._counting()
        if isinstance(decision, EnterPhase):
            assert len(counting) >= NEEDED
            assert not self.no
            assert AUTHOR not in counting
        if len(counting) >= NEEDED and not self.no:
            assert isinstance(decision, EnterPhase), decision.because

    def _seen(self) -> Observation:
        now = self.world.clock.now()
        rollout = replace(self.rollout, rehearsal=Rehearsal.PROVEN)
        with self.world.store.begin(read_only=True) as transaction:
            void = void_approvals(transaction, rollout, now)
        return Observation(
            now=now, rollout=rollout, placements=(), evidence=NO_EVIDENCE, void_approvals=void
        )

    def _counting(self) -> set[str]:
        now = self.world.clock.now()
        return {
            person
            for person, said in self.yes.items()
            if said.facts == self.facts
            and said.builds_so_far == self.builds
            and self.component.build == ""
            and now - said.at < LIFE
            and person in self.team
        }

    def _put_policy(self) -> None:
        self.policy += 1
        people = [
            KnownPerson(
                name=name,
                accounts=tuple(
                    account
                    for account, person in PERSON_OF.items()
                    if person == name and account != name and account not in PROGRAMS
                ),
                groups=("team-release",) if name in self.team else (),
            )
            for name in ("alice", "bob", "carol", "dora", "mallory", *FORGERS)
        ]
        policy = Policy(
            digest=f"sha256:{self.policy}",
            people=tuple(people),
            programs=(KnownProgram(name="ci-shop", owner="alice"),),
        )
        with self.world.store.begin() as transaction:
            for before in POLICIES.open(transaction):
                POLICIES.put(transaction, replace(before, is_in_force=False))
            POLICIES.put(
                transaction,
                PolicyVersion(
                    organisation="default",
                    number=self.policy,
                    text="",
                    policy=policy,
                    by="root",
                    person=None,
                    reason="",
                    at=self.world.clock.now(),
                    is_in_force=True,
                ),
            )


def caller(name: str) -> Caller:
    """Return who acts as *name*: what a token says, without the policy's knowledge of accounts."""
    is_program = name in PROGRAMS
    return Caller(
        name=name,
        kind=CallerKind.PROGRAM if is_program else CallerKind.PERSON,
        person=None if is_program else name,
        is_root=True,
    )


def forge(real: Approval, forgery: str, now: datetime) -> Approval:
    """Return an approval that says something which isn't so."""
    binding = real.binding
    assert binding is not None
    # Phases and attempts that will never come: a forged word about the next one would be about that.
    changes: dict[str, dict[str, Any]] = {
        "author": {"person": AUTHOR},
        "nobody": {"person": None},
        "stranger": {"person": "mallory"},
        "second name": {"binding": None},
        "unbound": {"person": real.by, "binding": None},
        "expired": {"person": real.by, "expires_at": now},
        "other phase": {"person": real.by, "phase_index": real.phase_index + 1000},
        "other attempt": {"person": real.by, "attempt": real.attempt + 1000},
        "other plan": {"person": real.by, "plan_hash": "sha256:other"},
        "other change": {"person": real.by, "binding": replace(binding, change="sha256:0")},
        "other policy": {"person": real.by, "binding": replace(binding, policy="sha256:0")},
        "other targets": {"person": real.by, "binding": replace(binding, targets="sha256:0")},
        "other exposure": {"person": real.by, "binding": replace(binding, exposure="1%")},
        "other environment": {"person": real.by, "binding": replace(binding, environment="")},
    }
    return replace(real, **changes[forgery])


TestApprovals = Approvals.TestCase
TestApprovals.settings = settings(
    max_examples=2_000 if os.environ.get("TIDEGATE_TEST_PROFILE") == "full" else 60,
    stateful_step_count=30,
    deadline=None,
)
