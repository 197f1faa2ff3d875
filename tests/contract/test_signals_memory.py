"""The in-memory source keeps the contract, so tests and simulations that use it rest on proven ground."""

from datetime import UTC, datetime

import pytest

from tidegate.domain.health.readings import Reading, SeriesCounts
from tidegate.domain.plan.model import SignalKind
from tidegate.domain.quantities import Arm, ComponentName, Placement, ServiceName, TargetName
from tidegate.drivers.signals.memory import MemorySignals
from tidegate.errors import SignalSourceError
from tidegate.ports.signals import SignalQuery
from tidegate.testing.contracts.signals import SignalSourceContract

PLACEMENT = Placement(
    service=ServiceName("shop"), component=ComponentName("code"), target=TargetName("eu-1")
)


def query(signal: str, kind: SignalKind) -> SignalQuery:
    return SignalQuery(
        placement=PLACEMENT,
        signal=signal,
        kind=kind,
        source="memory",
        settings={},
        arms={},
        component_settings_json="{}",
        target_settings_json="{}",
    )


class MemoryWorld:
    """Two processes that exist only as counts."""

    def __init__(self) -> None:
        self.source = MemorySignals()
        self._starts = dict.fromkeys(Arm, 1)
        self._counts = dict.fromkeys(Arm, (100, 1))
        self._publish()

    def query(self, kind: SignalKind) -> SignalQuery:
        return query(kind.value, kind)

    def unanswerable_query(self) -> SignalQuery:
        return query("nothing-here", SignalKind.USAGE)

    async def happen(self, arm: Arm, *, good: int, bad: int) -> None:
        all_good, all_bad = self._counts[arm]
        self._counts[arm] = (all_good + good, all_bad + bad)
        self._publish()

    async def restart(self, arm: Arm) -> None:
        self._starts[arm] += 1
        self._counts[arm] = (0, 0)
        self._publish()

    async def vanish(self, arm: Arm) -> None:
        del self._counts[arm]
        self._publish()

    async def break_down(self) -> None:
        self.source.break_down(SignalSourceError("memory is gone", hint="mend it"))

    def _publish(self) -> None:
        for kind in SignalKind:
            arms = {
                arm: {f"process-{self._starts[arm]}": _series(kind, good, bad)}
                for arm, (good, bad) in self._counts.items()
            }
            bounds = (10.0,) if kind is SignalKind.LATENCY else ()
            reading = Reading(at=datetime.now(UTC), arms=arms, bounds=bounds)
            self.source.put(PLACEMENT, kind.value, reading)


def _series(kind: SignalKind, good: int, bad: int) -> SeriesCounts:
    match kind:
        case SignalKind.ERRORS:
            return SeriesCounts(total=good + bad, bad=bad)
        case SignalKind.USAGE:
            return SeriesCounts(total=good)
        case SignalKind.LATENCY:
            return SeriesCounts(total=good + bad, buckets=(float(good), float(bad)))


class TestMemorySignals(SignalSourceContract):
    @pytest.fixture
    def world(self) -> MemoryWorld:
        return MemoryWorld()

    async def test_answers_again_once_it_is_mended(self, world: MemoryWorld) -> None:
        """A break-down loses nothing that was put in."""
        await world.break_down()

        world.source.mend()
        [reading] = await world.source.read([world.query(SignalKind.ERRORS)])

        assert reading is not None
