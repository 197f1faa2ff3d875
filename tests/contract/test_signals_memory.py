"""The in-memory source keeps the contract, so tests and simulations that use it rest on proven ground."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tidegate.domain.health.readings import Reading, SeriesCounts
from tidegate.domain.plan.model import SignalKind
from tidegate.domain.quantities import Arm, ComponentName, Placement, ServiceName, TargetName
from tidegate.drivers.signals.memory import MemorySignals
from tidegate.errors import SignalSourceError
from tidegate.ports.signals import LIMIT_SERIES, SignalQuery, group_name
from tidegate.testing.contracts.signals import (
    COUNTED_KINDS,
    GaugeSourceContract,
    GroupedSourceContract,
    SignalSourceContract,
)

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
        for kind in COUNTED_KINDS:
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
        case SignalKind.TRAFFIC:
            return SeriesCounts(total=good + bad)
        case SignalKind.SATURATION | SignalKind.LIMIT:
            raise AssertionError(f"{kind} isn't counted")


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


class MemoryGaugeWorld(MemoryWorld):
    """Two processes that show how full they are, and a target with one number."""

    def __init__(self) -> None:
        super().__init__()
        self._full = dict.fromkeys(Arm, 0.0)

    def gauge_query(self, kind: SignalKind) -> SignalQuery:
        return query(kind.value, kind)

    def unanswerable_limit(self) -> SignalQuery:
        return query("nothing-here", SignalKind.LIMIT)

    async def fill(self, arm: Arm, value: float) -> None:
        self._full[arm] = value
        self._publish_gauges()

    async def reach(self, value: float) -> None:
        counts = SeriesCounts(total=0, gauge=value)
        reading = Reading(at=datetime.now(UTC), arms={Arm.CANDIDATE: {LIMIT_SERIES: counts}})
        self.source.put(PLACEMENT, "limit", reading)

    async def vanish(self, arm: Arm) -> None:
        del self._full[arm]
        self._publish_gauges()

    def _publish_gauges(self) -> None:
        arms = {arm: {"one": SeriesCounts(total=0, gauge=full)} for arm, full in self._full.items()}
        self.source.put(PLACEMENT, "saturation", Reading(at=datetime.now(UTC), arms=arms))


class TestMemoryGauges(GaugeSourceContract):
    @pytest.fixture
    def world(self) -> MemoryGaugeWorld:
        return MemoryGaugeWorld()


class MemoryGroupedWorld(MemoryWorld):
    """Two processes whose counts are kept by zone and client."""

    def __init__(self) -> None:
        super().__init__()
        self._grouped: dict[tuple[Arm, tuple[str, str]], tuple[int, int]] = {}

    def grouped_query(self, kind: SignalKind, *, cells: bool) -> SignalQuery:
        return query(f"{kind.value}-{'cells' if cells else 'zones'}", kind)

    async def happen_in(self, arm: Arm, labels: tuple[str, str], *, good: int, bad: int) -> None:
        was_good, was_bad = self._grouped.get((arm, labels), (0, 0))
        self._grouped[arm, labels] = (was_good + good, was_bad + bad)
        for kind in COUNTED_KINDS:
            for cells in (False, True):
                arms: dict[Arm, dict[str, SeriesCounts]] = {}
                for (of, values), counts in self._grouped.items():
                    group = group_name(values if cells else values[:1])
                    series = replace(_series(kind, *counts), group=group)
                    arms.setdefault(of, {})[f"one [{group}]"] = series
                bounds = (10.0,) if kind is SignalKind.LATENCY else ()
                reading = Reading(at=datetime.now(UTC), arms=arms, bounds=bounds)
                asked = self.grouped_query(kind, cells=cells)
                self.source.put(PLACEMENT, asked.signal, reading)


class TestMemoryGroups(GroupedSourceContract):
    @pytest.fixture
    def world(self) -> MemoryGroupedWorld:
        return MemoryGroupedWorld()
