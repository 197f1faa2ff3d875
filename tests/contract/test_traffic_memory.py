"""The in-memory traffic driver passes the contract, at once and lagging behind."""

from itertools import count

import pytest

from tidegate.domain.quantities import ServiceName, TargetName
from tidegate.drivers.traffic.memory import MemoryTraffic
from tidegate.errors import TrafficError
from tidegate.ports.traffic import Endpoint, Pool, Route
from tidegate.testing.contracts.traffic import Ask, MakePool, TrafficContract, a_split, when_ready


class TestMemoryTraffic(TrafficContract):
    @pytest.fixture(params=[0, 3], ids=["at-once", "lagging"])
    def driver(self, request: pytest.FixtureRequest) -> MemoryTraffic:
        return MemoryTraffic(lag_reads=request.param)

    @pytest.fixture
    def route(self) -> Route:
        return Route(
            service=ServiceName("shop"),
            target=TargetName("eu"),
            listen=Endpoint(host="127.0.0.1", port=8080),
            sticky="cookie:tg",
            internal="header:x-internal=1",
            target_settings_json="{}",
        )

    @pytest.fixture
    def make_pool(self) -> MakePool:
        ports = count(9000)

        async def make(name: str) -> Pool:
            endpoints = (Endpoint(host="127.0.0.1", port=next(ports)),)
            return Pool(name=name, version="1", digest=f"sha256:{name}", endpoints=endpoints)

        return make

    @pytest.fixture
    def ask(self, driver: MemoryTraffic) -> Ask:
        async def ask(route: Route, user: str, internal: bool) -> str:
            pool = driver.serve(route, user, internal=internal)
            assert pool is not None
            # A port belongs to the pool that it was made for, whoever lists it.
            return {9000: "a", 9001: "b", 9002: "c"}[pool.endpoints[0].port]

        return ask

    async def test_a_pool_without_a_healthy_member_is_not_ready(
        self, driver: MemoryTraffic, route: Route, make_pool: MakePool
    ) -> None:
        """A split whose candidate can't serve is followed, but not ready, and says why."""
        split = a_split(1, await make_pool("a"), await make_pool("b"), weight_bps=500)
        await driver.set_split(route, split)
        await when_ready(driver, route)

        driver.unhealthy = {"b"}
        applied = await driver.read_split(route)

        assert not applied.ready
        assert applied.why_not == "pool b has no healthy member"

    async def test_an_unreachable_one_knows_nothing(
        self, driver: MemoryTraffic, route: Route
    ) -> None:
        """What can't be asked isn't answered from memory."""
        driver.unreachable = True

        with pytest.raises(TrafficError, match="doesn't answer"):
            await driver.read_split(route)

    async def test_trips_are_those_of_the_present_candidate(
        self, driver: MemoryTraffic, route: Route, make_pool: MakePool
    ) -> None:
        """Cut-offs are counted as long as the candidate is the same one."""
        baseline, candidate, other = (
            await make_pool("a"),
            await make_pool("b"),
            await make_pool("c"),
        )
        await driver.set_split(route, a_split(1, baseline, candidate, weight_bps=500))
        driver.trip(route, 2)
        assert (await when_ready(driver, route)).candidate_trips == 2

        await driver.set_split(route, a_split(2, baseline, other))

        assert (await when_ready(driver, route)).candidate_trips == 0
