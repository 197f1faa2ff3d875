"""The source that is sent its metrics by OTLP keeps the contract, with requests as SDKs make them."""

import time
from typing import Any

import pytest
from otlp_sender import counter, gauge, histogram, point, process, request

from tidegate.domain.plan.model import SignalKind
from tidegate.domain.quantities import Arm, ComponentName, Placement, ServiceName, TargetName
from tidegate.drivers.clock.system import SystemClock
from tidegate.drivers.signals.otlp import OtlpSignals
from tidegate.ports.signals import SignalQuery, TakenIn
from tidegate.testing.contracts.signals import (
    GaugeSourceContract,
    GroupedSourceContract,
    SignalSourceContract,
)

VERSIONS = {Arm.CANDIDATE: "1.1", Arm.BASELINE: "1.0"}
SETTINGS: dict[SignalKind, dict[str, str]] = {
    SignalKind.ERRORS: {},
    SignalKind.USAGE: {"metric": "shop.orders"},
    SignalKind.LATENCY: {},
    SignalKind.TRAFFIC: {},
    SignalKind.SATURATION: {"metric": "process.memory.usage"},
    SignalKind.LIMIT: {"metric": "shop.lag"},
}
Labels = tuple[str, str]


class OtlpWorld:
    """One process per arm that exports whenever something happened."""

    def __init__(self) -> None:
        self.source = OtlpSignals(clock=SystemClock())
        self.counts: dict[Arm, dict[Labels, tuple[int, int]]] = {arm: {} for arm in Arm}
        self.full: dict[Arm, float] = {}
        self.lag: float | None = None
        self.starts = dict.fromkeys(Arm, 1.7e9)

    def begin(self) -> None:
        for arm in Arm:
            self._count(arm, ("", ""), 100, 1)
            self.export(arm)

    def query(self, kind: SignalKind) -> SignalQuery:
        return self._query(kind, SETTINGS[kind])

    gauge_query = query

    def unanswerable_query(self) -> SignalQuery:
        return self._query(SignalKind.USAGE, {"metric": "nothing.here"})

    def unanswerable_limit(self) -> SignalQuery:
        return self._query(SignalKind.LIMIT, {"metric": "nothing.here"})

    def grouped_query(self, kind: SignalKind, *, cells: bool) -> SignalQuery:
        if cells:
            return self._query(kind, SETTINGS[kind], group_by=("cloud.zone", "client"))
        return self._query(kind, {**SETTINGS[kind], "strata": "cloud.zone"})

    def _query(
        self, kind: SignalKind, settings: dict[str, str], group_by: tuple[str, ...] = ()
    ) -> SignalQuery:
        return SignalQuery(
            placement=Placement(
                service=ServiceName("shop"),
                component=ComponentName("code"),
                target=TargetName("eu-1"),
            ),
            signal=kind.value,
            kind=kind,
            source="otlp",
            settings=settings,
            arms={arm: {"version": version} for arm, version in VERSIONS.items()},
            component_settings_json="{}",
            target_settings_json="{}",
            group_by=group_by,
        )

    async def happen(self, arm: Arm, *, good: int, bad: int) -> None:
        await self.happen_in(arm, ("", ""), good=good, bad=bad)

    async def happen_in(self, arm: Arm, labels: Labels, *, good: int, bad: int) -> None:
        self._count(arm, labels, good, bad)
        self.export(arm)

    async def fill(self, arm: Arm, value: float) -> None:
        self.full[arm] = value
        self.export(arm)

    async def reach(self, value: float) -> None:
        self.lag = value
        self.export(Arm.BASELINE)

    async def restart(self, arm: Arm) -> None:
        self.counts[arm] = {}
        self.starts[arm] = time.time()

    async def vanish(self, arm: Arm) -> None:
        # A process that ends well says so: its series end.
        self.export(arm, ends=True)

    async def break_down(self) -> None:
        # What was sent is lost with the server that kept it.
        self.source = OtlpSignals(clock=SystemClock())

    def export(self, arm: Arm, *, ends: bool = False) -> None:
        taken = self.source.take_in(
            request(process(VERSIONS[arm], f"{arm}-1"), *self._all(arm, ends))
        )
        assert taken == TakenIn()

    def _count(self, arm: Arm, labels: Labels, good: int, bad: int) -> None:
        was_good, was_bad = self.counts[arm].get(labels, (0, 0))
        self.counts[arm][labels] = (was_good + good, was_bad + bad)

    def _all(self, arm: Arm, ends: bool) -> list[dict[str, Any]]:
        flags = {"flags": 1} if ends else {}
        orders, requests = [], []
        for (zone, client), (good, bad) in self.counts[arm].items():
            labels = {"cloud.zone": zone, "client": client}
            orders.append(point(labels, started=self.starts[arm], asInt=str(good), **flags))
            for status, count, counts in (("200", good, [good, 0]), ("500", bad, [0, bad])):
                requests.append(
                    point(
                        {**labels, "http.response.status_code": status},
                        started=self.starts[arm],
                        count=str(count),
                        sum=1.0,
                        explicitBounds=[0.1],
                        bucketCounts=[str(one) for one in counts],
                        **flags,
                    )
                )
        made = [counter("shop.orders", orders), histogram("http.server.request.duration", requests)]
        if arm in self.full:
            made.append(
                gauge("process.memory.usage", [point({}, asDouble=self.full[arm], **flags)])
            )
        if self.lag is not None and arm is Arm.BASELINE:
            made.append(gauge("shop.lag", [point({}, asDouble=self.lag, **flags)]))
        return made


class TestOtlpSignals(SignalSourceContract):
    @pytest.fixture
    def world(self) -> OtlpWorld:
        world = OtlpWorld()
        world.begin()
        return world


class TestOtlpGauges(GaugeSourceContract):
    @pytest.fixture
    def world(self) -> OtlpWorld:
        return OtlpWorld()


class TestOtlpGroups(GroupedSourceContract):
    @pytest.fixture
    def world(self) -> OtlpWorld:
        return OtlpWorld()
