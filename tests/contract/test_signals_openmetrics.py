"""The source that scrapes members keeps the contract, on real sockets and the demo shop's own page."""

from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest
from labelled_metrics import LabelledMetrics

from tidegate.domain.plan.model import SignalKind
from tidegate.domain.quantities import Arm, ComponentName, Placement, ServiceName, TargetName
from tidegate.drivers.clock.system import SystemClock
from tidegate.drivers.signals.openmetrics import OpenMetricsSignals
from tidegate.lab.shop_metrics import CONTENT_TYPE, ShopMetrics
from tidegate.lab.web import Request, Response, WebServer
from tidegate.ports.signals import SignalQuery
from tidegate.testing.contracts.signals import (
    GaugeSourceContract,
    GroupedSourceContract,
    SignalSourceContract,
)

SETTINGS = {
    SignalKind.ERRORS: {"metric": "demo_requests_total"},
    SignalKind.USAGE: {"metric": "demo_orders_total"},
    SignalKind.LATENCY: {"metric": "demo_request_duration_seconds"},
    SignalKind.TRAFFIC: {"metric": "demo_requests_total"},
}


class Member:
    """One process that shows the demo shop's page."""

    def __init__(self) -> None:
        self._started = 1_000.0
        self._metrics = ShopMetrics(version="1.0", started_unix_seconds=self._started)
        self._server = WebServer(self._handle)
        self.port = 0

    async def start(self) -> None:
        self.port = await self._server.start("127.0.0.1", 0)
        self.happen(good=100, bad=1)

    async def stop(self) -> None:
        await self._server.stop()

    def happen(self, *, good: int, bad: int) -> None:
        self._metrics.orders += good
        for status, count, seconds in ((200, good, 0.008), (500, bad, 0.3)):
            for _ in range(count):
                self._metrics.answered(status, seconds)

    def restart(self) -> None:
        self._started += 60
        self._metrics = ShopMetrics(version="1.0", started_unix_seconds=self._started)

    async def _handle(self, request: Request) -> Response:
        return Response(body=self._metrics.page(), content_type=CONTENT_TYPE)


class OpenMetricsWorld:
    """One member per arm."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        # So long that no member is given up because the machine is busy.
        self.source = OpenMetricsSignals(
            clock=SystemClock(), client=client, scrape_timeout=timedelta(seconds=60)
        )
        self.members = {arm: Member() for arm in Arm}

    def query(self, kind: SignalKind) -> SignalQuery:
        return self._query(kind, SETTINGS[kind])

    def unanswerable_query(self) -> SignalQuery:
        return self._query(SignalKind.USAGE, {"metric": "nothing_here_total"})

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
            source="openmetrics",
            settings=settings,
            arms={
                arm: {"members": f"127.0.0.1:{member.port}"} for arm, member in self.members.items()
            },
            component_settings_json="{}",
            target_settings_json="{}",
            group_by=group_by,
        )

    async def happen(self, arm: Arm, *, good: int, bad: int) -> None:
        self.members[arm].happen(good=good, bad=bad)

    async def restart(self, arm: Arm) -> None:
        self.members[arm].restart()

    async def vanish(self, arm: Arm) -> None:
        await self.members[arm].stop()

    async def break_down(self) -> None:
        for member in self.members.values():
            await member.stop()


class TestOpenMetricsSignals(SignalSourceContract):
    @pytest.fixture
    async def world(self) -> AsyncIterator[OpenMetricsWorld]:
        async with httpx.AsyncClient(trust_env=False) as client:
            world = OpenMetricsWorld(client)
            for member in world.members.values():
                await member.start()
            yield world
            await world.break_down()


LABELLED = {
    SignalKind.ERRORS: {"metric": "requests_total"},
    SignalKind.USAGE: {"metric": "paid_total"},
    SignalKind.LATENCY: {"metric": "took_seconds"},
    SignalKind.TRAFFIC: {"metric": "requests_total"},
    SignalKind.SATURATION: {"metric": "waiting"},
    SignalKind.LIMIT: {"metric": "lag_seconds"},
}


class LabelledMember(Member):
    """One process whose requests carry labels."""

    def __init__(self) -> None:
        super().__init__()
        self.labelled = LabelledMetrics()

    async def _handle(self, request: Request) -> Response:
        return Response(body=self.labelled.page(), content_type=CONTENT_TYPE)


class LabelledWorld(OpenMetricsWorld):
    """One such member per arm."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        super().__init__(client)
        self.labelled = {arm: LabelledMember() for arm in Arm}
        self.members = {**self.labelled}

    def gauge_query(self, kind: SignalKind) -> SignalQuery:
        return self._query(kind, LABELLED[kind])

    def unanswerable_limit(self) -> SignalQuery:
        return self._query(SignalKind.LIMIT, {"metric": "nothing_here"})

    def grouped_query(self, kind: SignalKind, *, cells: bool) -> SignalQuery:
        if cells:
            return self._query(kind, LABELLED[kind], group_by=("zone", "client"))
        return self._query(kind, {**LABELLED[kind], "strata": "zone"})

    async def fill(self, arm: Arm, value: float) -> None:
        self.labelled[arm].labelled.waiting = value

    async def reach(self, value: float) -> None:
        self.labelled[Arm.CANDIDATE].labelled.lag = value

    async def happen_in(self, arm: Arm, labels: tuple[str, str], *, good: int, bad: int) -> None:
        self.labelled[arm].labelled.happen(labels, good=good, bad=bad)


@pytest.fixture
async def labelled() -> AsyncIterator[LabelledWorld]:
    async with httpx.AsyncClient(trust_env=False) as client:
        world = LabelledWorld(client)
        for member in world.members.values():
            await member.start()
        yield world
        await world.break_down()


class TestOpenMetricsGauges(GaugeSourceContract):
    @pytest.fixture
    def world(self, labelled: LabelledWorld) -> LabelledWorld:
        return labelled

    async def test_a_limit_needs_every_member(self, labelled: LabelledWorld) -> None:
        """A member that can't be asked may be the one that is over the limit."""
        await labelled.vanish(Arm.BASELINE)

        [reading] = await labelled.source.read([labelled.gauge_query(SignalKind.LIMIT)])

        assert reading is None


class TestOpenMetricsGroups(GroupedSourceContract):
    @pytest.fixture
    def world(self, labelled: LabelledWorld) -> LabelledWorld:
        return labelled
