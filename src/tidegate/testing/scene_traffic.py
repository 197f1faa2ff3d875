"""
Users of many services at once, in memory: steady, the same each time, and as healthy as they are told.

Every unfinished rollout of a world gets its signals, unlike in `MemoryWorld.run`, which feeds one. Counts
are shares of a fixed rate, without chance: two runs give the same figures.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from tidegate.domain.health.readings import Reading, SeriesCounts
from tidegate.domain.plan.model import SignalKind
from tidegate.domain.quantities import FULL_WEIGHT_BPS, Arm, Placement, ServiceName
from tidegate.domain.rollout.model import Rollout
from tidegate.testing.memory_world import MOST_TURNS, MemoryWorld

REQUESTS_PER_SECOND: Final = 412
USUAL_ERRORS: Final = 0.00114
"""Share of requests that fail when all is well."""

BOUNDS_MS: Final = (25.0, 50.0, 100.0, 200.0, 400.0, 800.0)
BUCKET_SHARES: Final = (0.22, 0.38, 0.27, 0.10, 0.02, 0.007, 0.003)
"""Share of the answers in each bucket of `BOUNDS_MS`; the last holds all that took longer."""

_Place = tuple[Placement, Arm]


@dataclass(slots=True)
class SceneTraffic:
    """
    The users of every service of *world*.

    Attributes:
        tick: How much time passes at once.
        failing: The share of the candidate's requests that fail, by service; else `USUAL_ERRORS`.
        silent: The services whose signals are gone: their readings stay what they were.
    """

    world: MemoryWorld
    tick: timedelta
    failing: dict[ServiceName, float] = field(default_factory=dict)
    silent: set[ServiceName] = field(default_factory=set)
    _requests: dict[_Place, float] = field(default_factory=dict)
    _failed: dict[_Place, float] = field(default_factory=dict)

    async def pass_ticks(self, count: int = 1) -> None:
        """Let *count* ticks pass, each with its users, readings and turns."""
        for _ in range(count):
            for rollout in self.world.unfinished():
                if rollout.service not in self.silent:
                    self._feed(rollout)
            await self.world.look()
            await self.settle()
            self.world.clock.advance(self.tick)

    async def settle(self) -> None:
        """Give turns without letting time pass, until nothing moves any more."""
        still = 0
        for _ in range(MOST_TURNS):
            before = self.world.unfinished()
            await self.world.turn()
            # A turn may move a target without moving the record: twice nothing is nothing.
            still = still + 1 if self.world.unfinished() == before else 0
            if still == 2:
                return
        raise AssertionError(f"the world goes round in circles: {self.world.unfinished()}")

    def _feed(self, rollout: Rollout) -> None:
        kinds = {one.name: one.kind for phase in rollout.plan.phases for one in phase.signals}
        for placement in rollout.plan.placements():
            self._count(placement)
            for name, kind in kinds.items():
                arms = {arm: {arm.value: self._series(kind, (placement, arm))} for arm in Arm}
                bounds = BOUNDS_MS if kind is SignalKind.LATENCY else ()
                reading = Reading(at=self.world.clock.now(), arms=arms, bounds=bounds)
                self.world.signals.put(placement, name, reading)

    def _count(self, placement: Placement) -> None:
        requests = REQUESTS_PER_SECOND * self.tick.total_seconds()
        share = self.world.component.served(placement).exposure.weight_bps / FULL_WEIGHT_BPS
        failing = self.failing.get(placement.service, USUAL_ERRORS)
        for arm, part, errors in (
            (Arm.CANDIDATE, share, failing),
            (Arm.BASELINE, 1 - share, USUAL_ERRORS),
        ):
            where = (placement, arm)
            self._requests[where] = self._requests.get(where, 0.0) + requests * part
            self._failed[where] = self._failed.get(where, 0.0) + requests * part * errors

    def _series(self, kind: SignalKind, where: _Place) -> SeriesCounts:
        # Whole events, as real counters have them.
        total, bad = round(self._requests[where]), round(self._failed[where])
        match kind:
            case SignalKind.LATENCY:
                buckets = tuple(float(round(total * share)) for share in BUCKET_SHARES)
                return SeriesCounts(total=sum(buckets), buckets=buckets)
            case SignalKind.USAGE:
                return SeriesCounts(total=float(total - bad))
            case _:
                return SeriesCounts(total=float(total), bad=float(bad))
