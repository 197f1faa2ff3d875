"""
An engine in memory, for tests of what stands around it: the API, the command line, integrations.

The use cases, rules and statistics are the real ones; the store, the targets, the signals and the clock
are the in-memory drivers. Time passes only in `run`, which feeds both arms with requests and gives turns
as a runner would. The same calls give the same rollouts.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from tidegate.documents.service_file import ResolvedService, read_service
from tidegate.domain.health.readings import Reading, SeriesCounts
from tidegate.domain.quantities import FULL_WEIGHT_BPS, Arm, Placement, RolloutId
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import Rollout
from tidegate.drivers.clock.memory import MemoryClock
from tidegate.drivers.component.memory import MemoryComponent
from tidegate.drivers.signals.memory import MemorySignals
from tidegate.ports.gate import GateDriver
from tidegate.ports.signals import LIMIT_SERIES
from tidegate.store.memory import MemoryStore
from tidegate.usecases.outside import Outside
from tidegate.usecases.start import start_rollout
from tidegate.usecases.stop_guard import GuardedComponent
from tidegate.usecases.work import EngineWork

DOCUMENT: Final = """\
version: 1
service: shop
owner: team-shop
workload:
  driver: process
  command: ["./shop", --port, "{port}", --version, "{version}"]
  env: {SHOP_PASSWORD: a-secret-of-the-shop}
  probe: {http: /healthz}
  traffic: {driver: envoy, listen: "127.0.0.1:18080", internal: "header:x-internal=1"}
targets: [{name: eu, environment: lab}]
health:
  signals: [{name: errors, kind: errors}]
prove: {errors: 5pp, min_requests: 100}
plan:
  phases:
    - {name: few, traffic: 10%, bake: 10s}
    - {name: half, traffic: 50%, bake: 20s, approve: 1 of team-release}
    - {name: all, traffic: 100%, bake: 20s}
  quarantine: 60s
"""
"""A shop on one lab target; the second of its three phases needs an approval."""

REQUESTS_PER_TICK: Final = 400
MOST_TURNS: Final = 20
"""A rollout that moves more often than this without time passing goes round in circles."""


def the_shop(document: str = DOCUMENT) -> ResolvedService:
    """Return the resolved service of *document*."""
    return read_service(document, file="tidegate.yaml", base_dir=Path("/nowhere"))


@dataclass(slots=True)
class MemoryWorld:
    """
    A world with nothing in it yet.

    Attributes:
        woken: Every rollout that somebody asked to have stepped, in order.
        gates: The driver of each kind of gate, as the world begins; may be filled later.
        limits: The value of each signal of kind limit, by name, measured anew with every tick.
    """

    lab_allowed: bool = True
    clock: MemoryClock = field(default_factory=MemoryClock)
    store: MemoryStore = field(default_factory=MemoryStore)
    component: MemoryComponent = field(default_factory=MemoryComponent)
    signals: MemorySignals = field(default_factory=MemorySignals)
    woken: list[RolloutId] = field(default_factory=list)
    limits: dict[str, float] = field(default_factory=dict)
    gates: dict[str, GateDriver] = field(default_factory=dict)
    outside: Outside = field(init=False)
    _work: EngineWork = field(init=False)
    _counts: dict[tuple[Placement, Arm], tuple[int, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Put the ports together."""
        self.outside = Outside(
            store=self.store,
            clock=self.clock,
            components=dict.fromkeys(
                ("process", "file"), GuardedComponent(self.component, self.store)
            ),
            signals=dict.fromkeys(("envoy", "openmetrics", "prometheus"), self.signals),
            wake=self.woken.append,
            lab_allowed=self.lab_allowed,
            gates=self.gates,
        )
        self._work = EngineWork(self.outside)

    async def start(
        self, version: str, *, document: str = DOCUMENT, actor: str = "alice"
    ) -> Rollout:
        """Start a rollout of the shop's *version*."""
        return await start_rollout(
            self.outside, the_shop(document), {"code": version}, actor=actor, person=actor
        )

    async def installed(self, version: str = "1.0.0", *, document: str = DOCUMENT) -> Rollout:
        """Install the first version of the shop and let its quarantine pass."""
        rollout = await self.start(version, document=document)
        return await self.run(rollout.id, until=lambda now: now.settled)

    async def run(
        self,
        rollout_id: RolloutId,
        *,
        until: Callable[[Rollout], bool] | Iterable[State],
        failing: Mapping[Arm, float] | None = None,
        most_ticks: int = 300,
    ) -> Rollout:
        """
        Let time pass tick by tick until the rollout is as wanted; return it.

        Args:
            rollout_id: The rollout that is looked at; all unfinished ones get turns.
            until: What to wait for: a condition, or one of some states.
            failing: The share of failing requests per arm; none fail by default.
            most_ticks: How long to wait before it's a failure of the test.
        """
        wanted = until if callable(until) else _one_of(frozenset(until))
        for _ in range(most_ticks):
            self._feed(rollout_id, failing or {})
            await self.look()
            rollout = await self.turns(rollout_id, wanted)
            if wanted(rollout):
                return rollout
            self.clock.advance(rollout.plan.tick)
        raise AssertionError(f"{rollout_id} is {rollout.state}: {rollout.waiting_on.detail}")

    async def turns(
        self, rollout_id: RolloutId, wanted: Callable[[Rollout], bool] = lambda _: False
    ) -> Rollout:
        """Give turns without letting time pass, until nothing moves or it is as wanted."""
        rollout = self.rollout(rollout_id)
        still = 0
        for _ in range(MOST_TURNS):
            # A turn may move a target without moving the record: twice nothing is nothing.
            if wanted(rollout) or still == 2:
                return rollout
            before = rollout
            await self.turn()
            rollout = self.rollout(rollout_id)
            still = still + 1 if rollout == before else 0
        raise AssertionError(f"{rollout_id} goes round in circles: {rollout.waiting_on}")

    async def turn(self) -> None:
        """Give one turn to everything unfinished, without letting time pass."""
        for unfinished in self._work.unfinished():
            await self._work.step(unfinished)
        await self._work.ask()

    async def look(self) -> None:
        """Read the signals that are due, without letting time pass and without a turn."""
        await self._work.watch(self._work.unfinished())

    def unfinished(self) -> list[Rollout]:
        """Return every rollout that needs turns, as it is stored."""
        return [self.rollout(one) for one in self._work.unfinished()]

    def rollout(self, rollout_id: RolloutId) -> Rollout:
        """Return a rollout as it is stored."""
        with self.store.begin() as transaction:
            return transaction.rollout(rollout_id)

    def _feed(self, rollout_id: RolloutId, failing: Mapping[Arm, float]) -> None:
        rollout = self.rollout(rollout_id)
        for placement in rollout.plan.placements():
            served = self.component.served(placement)
            candidate = REQUESTS_PER_TICK * served.exposure.weight_bps // FULL_WEIGHT_BPS
            for arm, requests in (
                (Arm.CANDIDATE, candidate),
                (Arm.BASELINE, REQUESTS_PER_TICK - candidate),
            ):
                total, bad = self._counts.get((placement, arm), (0, 0))
                failed = round(requests * failing.get(arm, 0.0))
                self._counts[placement, arm] = (total + requests, bad + failed)
            self.signals.put(
                placement,
                "errors",
                Reading(
                    at=self.clock.now(),
                    arms={arm: {arm.value: self._series(placement, arm)} for arm in Arm},
                ),
            )

            for name, value in self.limits.items():
                self.signals.put(placement, name, a_limit_reading(self.clock.now(), value))

    def _series(self, placement: Placement, arm: Arm) -> SeriesCounts:
        total, bad = self._counts[placement, arm]
        return SeriesCounts(total=float(total), bad=float(bad))


def a_limit_reading(at: datetime, value: float) -> Reading:
    """Return what a source gives for a limit that stands at *value*."""
    series = {LIMIT_SERIES: SeriesCounts(total=0.0, gauge=value)}
    return Reading(at=at, arms={Arm.CANDIDATE: series})


def _one_of(states: frozenset[State]) -> Callable[[Rollout], bool]:
    return lambda rollout: rollout.state in states
