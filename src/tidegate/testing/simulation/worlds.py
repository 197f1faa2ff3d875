"""
Whole rollouts in hostile worlds: the real use cases, run by servers that are killed at any moment.

A world has a service with users, targets that lag, lose acknowledgements, repeat old messages and lie,
a source of signals that fails in every way, a clock that jumps, a store that sometimes doesn't answer,
two servers that act at the same time without knowing of each other, and people who change their minds.
A server may be killed, or stopped for long and go on later, between any two of its effects.

Everything is drawn from the seed, so a world that went wrong can be lived through again. After every
effect and every commit every invariant is checked. A world ends with a calm: nothing more goes wrong,
and everything that was started has to come to its end.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import Any, Final

from tidegate.domain.quantities import Arm, Placement, RolloutId, Version
from tidegate.domain.rollout.alarms import AlarmKind, Severity
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import ReasonCode, Rollout
from tidegate.drivers.component.memory import Mishap
from tidegate.errors import TidegateError
from tidegate.testing.simulation.bench import NEW, Bench
from tidegate.testing.simulation.invariants import BrokenInvariantError, NeverEndsError
from tidegate.testing.simulation.plans import WORLD_PLANS, world_plan
from tidegate.testing.simulation.servers import AwayTargets, Server
from tidegate.testing.simulation.traffic import Behaviour, Fault
from tidegate.testing.simulation.witness import Witness
from tidegate.usecases.abandon import abandon_rollout
from tidegate.usecases.alarms import Told, raise_alarm, resolve_alarm
from tidegate.usecases.approve import approve_rollout
from tidegate.usecases.explain import replay_decision
from tidegate.usecases.halt import halt_rollout
from tidegate.usecases.resume import resume_rollout
from tidegate.usecases.roll_back import roll_back

CHAOS_EVENTS: Final = (60, 220)
CALM_TURNS: Final = 600
"""How many turns the calm may take: what isn't over by then never will be."""

PATIENCE: Final = 250
"""After so many calm turns a person rolls back: that has to end it."""

HARMFUL: Final = Behaviour(error_rate=0.25)
LOSING: Final = Behaviour(usage_rate=0.1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """
    How a world ended.

    Attributes:
        seed: What it was drawn from.
        states: The last state of every rollout, in order of their start.
        events: How many events there were.
        moments: How many times the invariants were checked.
        crashes: How many times a server was killed.
        log: Every event in words; the same seed gives the same log.
    """

    seed: int
    states: tuple[State, ...]
    events: int
    moments: int
    crashes: int
    log: tuple[str, ...]


def run_world(seed: int) -> Outcome:
    """
    Live through the world of *seed*.

    Raises:
        BrokenInvariantError: an invariant doesn't hold after some effect.
        NeverEndsError: a rollout doesn't end.
    """
    return asyncio.run(_World(seed).run())


class _World:
    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.draw = Random(seed)  # noqa: S311 - worlds are repeated, not guessed
        self.is_calm = False
        self.has_begun = False
        self.plan = world_plan(self.draw.randrange(WORLD_PLANS))
        self.race_share = self.draw.choice((0.02, 0.05, 0.25))
        self.trouble = self.draw.choice((0.0, 0.02, 0.08, 0.15))
        self.component = AwayTargets(
            lag_observes=self.draw.choice((0, 0, 1, 2)), mishap=self._draw_mishap
        )
        self.bench = Bench(self.plan, component=self.component, seed=seed)
        self.servers = [Server(self, self.bench, "A"), Server(self, self.bench, "B")]
        self.is_store_down = False
        self.log: list[str] = []
        self.crashes = 0
        self.versions = 0
        self.harmful: set[str] = set()
        self.witness = Witness(self.bench, self.component)

    async def run(self) -> Outcome:
        await self.bench.install()
        self.has_begun = True
        self.note("installed")
        await self._start()
        for _ in range(self.draw.randint(*CHAOS_EVENTS)):
            self._tell(await self._chaos())
        await self._calm_down()
        await self._come_to_an_end()
        self._check_replays()
        rollouts = self.witness.rollouts()
        self._check_harm(rollouts)
        return Outcome(
            seed=self.seed,
            states=tuple(rollout.state for rollout in rollouts),
            events=len(self.log),
            moments=self.witness.moments,
            crashes=self.crashes,
            log=tuple(self.log),
        )

    def _tell(self, what: str) -> None:
        self.log.append(what)
        self.note(what)

    # --- what servers run into ---------------------------------------------------------------

    def draws_crash(self) -> bool:
        """Return whether a server is killed here."""
        return not self.is_calm and self.draw.random() < self.trouble * 0.1

    def draws_stop(self, *, is_racing: bool) -> bool:
        """Return whether a server stops here, to go on who knows when."""
        chance = 0.5 if is_racing else self.trouble * 0.3
        return not self.is_calm and self.draw.random() < chance

    def store_is_down(self) -> bool:
        """Return whether the store doesn't answer."""
        return self.is_store_down

    def _draw_mishap(self, method: str) -> Mishap:
        if self.is_calm or not self.has_begun or self.draw.random() > self.trouble:
            return Mishap.NONE
        if method == "observe":
            return self.draw.choice((Mishap.OLD_READ, Mishap.LIE, Mishap.REFUSED))
        return self.draw.choice((Mishap.LOST_ACKNOWLEDGEMENT, Mishap.REFUSED, Mishap.LATE_REPEAT))

    # --- what happens ------------------------------------------------------------------------

    async def _chaos(self) -> str:
        chance = self.draw.random()
        if chance < 0.62 - self.race_share:
            return await self._server_acts()
        if chance < 0.62:
            return await self._race()
        if chance < 0.86:
            return self._pass_time(self.plan.tick)
        if chance < 0.88:
            return self._pass_time(timedelta(seconds=self.draw.choice((40, 90, 400))))
        if chance < 0.91:
            return await self._person_acts()
        if chance < 0.93:
            return await self._long_hold()
        return await self._something_breaks()

    def _free_server(self) -> Server | None:
        """Return a server that can act; one that was killed is started anew."""
        index = self.draw.randrange(len(self.servers))
        server = self.servers[index]
        if server.is_killed and server.task is None:
            self.crashes += 1
            server = self.servers[index] = Server(self, self.bench, server.name)
        return server if server.task is None else None

    async def _server_acts(self) -> str:
        server = self._free_server()
        if server is None:
            stopped = next(server for server in self.servers if server.task is not None)
            if self.draw.random() < 0.85:
                return f"{stopped.name} waits"
            return await stopped.go_on()
        with self.bench.store.begin(read_only=True) as transaction:
            unfinished = [rollout.id for rollout in transaction.unfinished()]
        if not unfinished:
            return await self._start() if self.draw.random() < 0.2 else "nothing to do"
        rollout_id = self.draw.choice(unfinished)
        if self.draw.random() < 0.35:
            return await server.act(f"{server.name} look", server.work.watch([rollout_id]))
        return await server.act(f"{server.name} step", server.work.step(rollout_id))

    async def _race(self) -> str:
        """Two servers act on one rollout at the same time, and take turns at every point."""
        servers = [server for server in self.servers if server.task is None]
        rollouts = [found for found in self.witness.rollouts() if not found.is_final]
        if len(servers) < 2 or any(server.is_killed for server in servers) or not rollouts:
            return "nothing races"
        rollout_id = rollouts[-1].id
        told = []
        for server, stops in zip(servers, (False, self.draw.random() < 0.3), strict=True):
            server.is_racing = True
            told.append(await self._begin(server, rollout_id, stops=stops))
        while running := [server for server in servers if server.task is not None]:
            told.append(await self.draw.choice(running).go_on())
        for server in servers:
            server.is_racing = False
        return " | ".join(told)

    async def _begin(self, server: Server, rollout_id: RolloutId, *, stops: bool) -> str:
        outside, name = server.outside, server.name
        if not stops:
            return await server.act(f"{name} step", server.work.step(rollout_id))
        if self.draw.random() < 0.6:
            command = halt_rollout(outside, rollout_id, actor="bob", reason="stop")
            return await server.act(f"{name} halt", command)
        command = roll_back(outside, rollout_id, actor="bob", reason="back")
        return await server.act(f"{name} roll back", command)

    async def _long_hold(self) -> str:
        """A member is changed by hand and stays so for minutes; everything else is well."""
        server = self._free_server()
        baking = [found for found in self.witness.rollouts() if found.state is State.BAKING]
        if server is None or not baking or server.is_killed:
            return "nothing is held"
        place = self.draw.choice(self.plan.placements())
        self.component.away.clear()
        self.bench.traffic.fault = Fault.NONE
        self.is_store_down = False
        self.component.drift(place, Arm.CANDIDATE)
        for _ in range(self.draw.randint(5, 25)):
            self._tell(self._pass_time(self.plan.tick))
            for doing in ("look", "step"):
                if server.task is None and not server.is_killed:
                    work = server.work
                    action: Coroutine[Any, Any, object] = (
                        work.watch([baking[0].id]) if doing == "look" else work.step(baking[0].id)
                    )
                    self._tell(await server.act(f"{server.name} {doing}", action))
        self._undrift(place)
        return f"{place} is as it was"

    async def _start(self) -> str:
        self.versions += 1
        version = NEW if self.versions == 1 else f"2.{self.versions}.0"
        resolved = await self.component.resolve(version, "{}")
        kind = self.draw.random()
        if kind < 0.35:
            self.bench.traffic.behaves(resolved, HARMFUL if kind < 0.25 else LOSING)
            if kind < 0.25:
                self.harmful.add(resolved.digest)
        try:
            await self.bench.start(version)
        except TidegateError as exc:
            return f"start {version}: {exc.code}"
        return f"start {version}"

    def _pass_time(self, by: timedelta) -> str:
        self.witness.time_passes(by)
        self.bench.pass_time(by)
        return f"{int(by.total_seconds())} s pass"

    async def _something_breaks(self) -> str:
        place = self.draw.choice(self.plan.placements())
        match self.draw.randrange(9):
            case 0 | 1:
                self.bench.traffic.fault = self.draw.choice(tuple(Fault))
                return f"signals: {self.bench.traffic.fault.value}"
            case 2 | 3:
                self.bench.traffic.fault = Fault.NONE
                self.is_store_down = False
                return "signals and store are well"
            case 4:
                self.component.away ^= {place}
                return f"{place} is {'away' if place in self.component.away else 'back'}"
            case 5 if self.draw.random() < 0.3:
                self.component.trip(place)
                return f"{place} trips"
            case 6 if self.draw.random() < 0.3:
                with suppress(TidegateError):
                    await self.component.withdraw(place, None)
                return f"{place} is stopped by hand"
            case 7:
                self.is_store_down = self.trouble > 0
                return "the store may be down"
            case _:
                digest = self.draw.choice((None, "sha256:" + "0" * 64))
                if digest is None:
                    self._undrift(place)
                else:
                    self.component.drift(place, Arm.CANDIDATE, digest)
                return f"{place} {'drifts' if digest else 'is as it was'}"

    def _undrift(self, place: Placement) -> None:
        candidate = self.component.served(place).candidate
        if candidate is not None:
            self.component.drift(place, Arm.CANDIDATE, candidate.digest)

    async def _person_acts(self) -> str:
        server = self._free_server()
        rollouts = self.witness.rollouts()
        if server is None or not rollouts:
            return "a person waits"
        rollout = rollouts[-1]
        outside, rollout_id = server.outside, rollout.id
        match self.draw.randrange(9):
            case 6:
                return await self._start()
            case 7 | 8:
                return await self._alarm(server)
            case 0:
                return await server.act(
                    f"{server.name} halt",
                    halt_rollout(outside, rollout_id, actor="bob", reason="stop"),
                )
            case 1:
                return await server.act(
                    f"{server.name} resume",
                    _later(
                        lambda: resume_rollout(outside, rollout_id, actor="bob", reason="go on")
                    ),
                )
            case 2 if self.draw.random() < 0.4:
                return await server.act(
                    f"{server.name} roll back",
                    roll_back(outside, rollout_id, actor="bob", reason="back"),
                )
            case 3 if self.draw.random() < 0.4:
                return await server.act(
                    f"{server.name} abandon",
                    abandon_rollout(outside, rollout_id, actor="bob", reason="no use"),
                )
            case _:
                who = self.draw.choice(("carol", "dora"))
                return await server.act(
                    f"{server.name} approve",
                    _later(lambda: approve_rollout(outside, rollout_id, actor=who, comment="")),
                )

    async def _alarm(self, server: Server) -> str:
        """Something is said to be wrong, or to be over, while anything may be going on."""
        with self.bench.store.begin(read_only=True) as transaction:
            active = transaction.active_alarms()
        outside = server.outside
        if active and self.draw.random() < 0.6:
            alarm = self.draw.choice(active)
            return await server.act(
                f"{server.name} resolve",
                _later(lambda: resolve_alarm(outside, alarm.id, actor="bob", reason="over")),
            )
        place = self.draw.choice(self.plan.placements())
        severity = self.draw.choice((Severity.PAGE, Severity.TICKET, Severity.TICKET))
        told = Told(
            kind=AlarmKind.ALERT,
            severity=severity,
            service=place.service,
            target=self.draw.choice((None, place.target)),
            summary="it fails",
            source="alertmanager",
            fingerprint=f"f-{self.draw.randrange(3)}",
        )
        return await server.act(
            f"{server.name} {severity.value}", raise_alarm(outside, told, actor="alertmanager")
        )

    def _resolve_all(self) -> None:
        with self.bench.store.begin(read_only=True) as transaction:
            active = transaction.active_alarms()
        for alarm in active:
            resolve_alarm(self.bench.outside, alarm.id, actor="bob", reason="calm")

    # --- the calm ----------------------------------------------------------------------------

    async def _calm_down(self) -> None:
        self.is_calm = True
        self.is_store_down = False
        self.bench.traffic.fault = Fault.NONE
        self.component.away.clear()
        for place in self.plan.placements():
            self._undrift(place)
        for server in self.servers:
            # What was on its way arrives now, late.
            while server.task is not None:
                self._tell(await server.go_on())
        self.servers = [Server(self, self.bench, "C")]
        self._resolve_all()

    async def _come_to_an_end(self) -> None:
        server = self.servers[0]
        for count in range(CALM_TURNS):
            unfinished = list(server.work.unfinished())
            if not unfinished:
                return
            for rollout_id in unfinished:
                await self._help(self.bench.rollout(rollout_id), impatient=count > PATIENCE)
                self._tell(await server.act("C look", server.work.watch([rollout_id])))
                self._tell(await server.act("C step", server.work.step(rollout_id)))
            self._tell(self._pass_time(self.plan.tick))
        last = self.bench.rollout(unfinished[0])
        raise NeverEndsError(
            f"seed {self.seed}: {last.id} is still {last.state.value} after {CALM_TURNS} calm"
            f" turns: {last.waiting_on.detail}"
        )

    async def _help(self, rollout: Rollout, *, impatient: bool) -> None:
        """Do as a person what the rollout waits for."""
        outside, reason = self.bench.outside, rollout.waiting_on.reason
        with suppress(TidegateError):
            if impatient and rollout.state is not State.RECOVERING and not rollout.is_final:
                await roll_back(outside, rollout.id, actor="bob", reason="enough")
            elif reason is ReasonCode.APPROVAL:
                approve_rollout(outside, rollout.id, actor="erin", comment="")
            elif reason is ReasonCode.INCONCLUSIVE:
                resume_rollout(outside, rollout.id, actor="bob", reason="more time")
            elif reason is ReasonCode.PERSON_AFTER_HALT and rollout.attempt < 3:
                resume_rollout(outside, rollout.id, actor="bob", reason="again")
            elif reason is ReasonCode.PERSON_AFTER_HALT:
                await abandon_rollout(outside, rollout.id, actor="bob", reason="no use")
        self.note("a person helps")

    # --- what is checked ---------------------------------------------------------------------

    def note(self, what: str) -> None:
        """Look at everything as it is now and check every invariant since the last look."""
        self.witness.note(what)

    def _check_replays(self) -> None:
        """Some decisions of the world are made again: evidence and decision must come out the same."""
        decisions = [entry for entry in self.bench.ledger() if entry.observation_json]
        for entry in self.draw.sample(decisions, min(4, len(decisions))):
            again = replay_decision(self.bench.outside, entry.number)
            if again.differences:
                raise BrokenInvariantError(
                    f"seed {self.seed}: decision {entry.number} ({entry.rule}) isn't made again:"
                    f" {again.differences[0][:200]}"
                )

    def _check_harm(self, rollouts: list[Rollout]) -> None:
        """What fails every fourth request from its first user on never completes."""
        for rollout in rollouts:
            versions: set[Version] = {part.to for part in rollout.change.components}
            harmful = any(version.digest in self.harmful for version in versions)
            if harmful and rollout.state is State.COMPLETED:
                raise BrokenInvariantError(
                    f"seed {self.seed}: {rollout.id} is harmful and completed"
                )


async def _later(command: Callable[[], object]) -> object:
    return command()
