"""
A server in memory that a test drives by hand: real use cases, ports without an outside.

Nothing happens by itself. A test starts a rollout, lets time and users pass, looks and steps, and may
break anything in between. Everything that a server would do is done by the code that servers run.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Final

from tidegate.documents.canonical import digest_of
from tidegate.documents.service_file import ResolvedService
from tidegate.domain.plan.model import ComponentSpec, Plan, ServiceSpec, TargetSpec
from tidegate.domain.quantities import (
    NO_EXPOSURE,
    Environment,
    Exposure,
    Placement,
    RolloutId,
)
from tidegate.domain.rollout.model import Rollout
from tidegate.drivers.clock.memory import MemoryClock
from tidegate.drivers.component.memory import MemoryComponent
from tidegate.drivers.signals.memory import MemorySignals
from tidegate.ports.component import Assignment
from tidegate.ports.store import LedgerEntry
from tidegate.store.memory import MemoryStore
from tidegate.testing.simulation.traffic import Traffic
from tidegate.usecases.outside import Outside
from tidegate.usecases.start import start_rollout
from tidegate.usecases.work import EngineWork

DRIVER: Final = "memory"
SOURCE: Final = "memory"
"""What a plan's signals name as their source to be read here."""

OLD: Final = "1.0.0"
NEW: Final = "1.1.0"


class TookTooLongError(AssertionError):
    """What was waited for didn't come about in as many turns as it was given."""


class Bench:
    """
    One service, one server, all in memory.

    Args:
        plan: What rollouts of the service do. Its signals must name `SOURCE`.
        component: The targets; by default ones where nothing goes wrong.
        seed: Of the users.
    """

    def __init__(
        self, plan: Plan, *, component: MemoryComponent | None = None, seed: int = 0
    ) -> None:
        self.plan = plan
        self.component = component or MemoryComponent()
        self.signals = MemorySignals()
        self.store = MemoryStore()
        self.clock = MemoryClock()
        self.traffic = Traffic(plan, self.component, self.signals, seed=seed)
        self.woken: list[RolloutId] = []
        self.outside = Outside(
            store=self.store,
            clock=self.clock,
            components={DRIVER: self.component},
            signals={SOURCE: self.signals},
            wake=self.woken.append,
            lab_allowed=True,
        )
        self.work = EngineWork(self.outside)
        self.resolved = resolved_service(plan)

    async def install(self, version: str = OLD) -> None:
        """Let every target serve *version*, as if it had for long."""
        for placement in self.plan.placements():
            found = await self.component.resolve(version, "{}")
            with self.store.begin() as transaction:
                generation = transaction.issue_generation(placement.service, placement.target)
            await self.component.apply(
                Assignment(
                    placement=placement,
                    candidate=found,
                    baseline=found,
                    exposure=NO_EXPOSURE,
                    generation=generation,
                    environment=Environment.PRODUCTION,
                    settings_json="{}",
                    target_settings_json="{}",
                )
            )

    async def start(self, version: str = NEW, *, actor: str = "alice") -> Rollout:
        """Start a rollout of *version* of every component."""
        versions = {str(component.name): version for component in self.resolved.spec.components}
        return await start_rollout(self.outside, self.resolved, versions, actor=actor, person=actor)

    async def step(self, rollout_id: RolloutId) -> Rollout:
        """Take one turn and return what is stored then."""
        await self.work.step(rollout_id)
        return self.rollout(rollout_id)

    async def tick(self, rollout_id: RolloutId, *, by: timedelta | None = None) -> Rollout:
        """Let one tick of time and users pass, look at the signals, and take a turn."""
        self.pass_time(self.plan.tick if by is None else by)
        await self.work.watch([rollout_id])
        return await self.step(rollout_id)

    async def until(
        self, rollout_id: RolloutId, condition: Callable[[Rollout], bool], *, turns: int = 2_000
    ) -> Rollout:
        """
        Let ticks pass until *condition* holds of the rollout, and return it.

        Raises:
            TookTooLongError: it didn't within *turns* ticks.
        """
        rollout = self.rollout(rollout_id)
        for _ in range(turns):
            if condition(rollout):
                return rollout
            rollout = await self.tick(rollout_id)
        raise TookTooLongError(
            f"rollout {rollout_id} is {rollout.state.value} ({rollout.waiting_on.detail})"
            f" after {turns} ticks"
        )

    def pass_time(self, by: timedelta) -> None:
        """Move the clock, and let users come meanwhile."""
        now = self.clock.advance(by)
        self.traffic.pass_time(by, now=now)

    def rollout(self, rollout_id: RolloutId) -> Rollout:
        """Return the rollout as it is stored."""
        with self.store.begin() as transaction:
            return transaction.rollout(rollout_id)

    def ledger(self, rollout_id: RolloutId | None = None) -> list[LedgerEntry]:
        """Return the ledger, of one rollout or all, oldest first."""
        with self.store.begin() as transaction:
            return list(transaction.ledger(rollout_id=rollout_id, limit=1_000_000))

    def exposures(self) -> Mapping[Placement, Exposure]:
        """Return what each placement really exposes."""
        return {place: self.component.served(place).exposure for place in self.plan.placements()}

    def exposes_nobody(self) -> bool:
        """Return whether no target shows the candidate to anyone."""
        return all(exposure == NO_EXPOSURE for exposure in self.exposures().values())


def resolved_service(plan: Plan) -> ResolvedService:
    """Return the document of a service that is rolled out by *plan* with the memory driver."""
    placements = plan.placements()
    components = sorted({placement.component for placement in placements})
    targets = list(dict.fromkeys(placement.target for placement in placements))
    spec = ServiceSpec(
        name=placements[0].service,
        owner="team",
        tier=2,
        components=tuple(
            ComponentSpec(name=name, kind="code", driver=DRIVER, settings_json="{}", after=())
            for name in components
        ),
        targets=tuple(
            TargetSpec(
                name=name,
                ring="production",
                environment=Environment.PRODUCTION,
                settings_json="{}",
            )
            for name in targets
        ),
        plan=plan,
    )
    canonical = {"service": spec.name, "targets": list(targets)}
    return ResolvedService(spec=spec, canonical=canonical, digest=digest_of(canonical), findings=())
