"""The Envoy traffic driver passes the contract, with a real Envoy, real members and real requests."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tidegate.drivers.traffic.envoy import EnvoyTraffic
from tidegate.ports.traffic import Pool, Route
from tidegate.testing.contracts.traffic import Ask, MakePool, TrafficContract
from tidegate.testing.envoys import EnvoyWorld, envoy_world

pytestmark = pytest.mark.envoy


class TestEnvoyTraffic(TrafficContract):
    @pytest.fixture
    async def world(self, tmp_path: Path) -> AsyncIterator[EnvoyWorld]:
        async with envoy_world(tmp_path) as world:
            yield world

    @pytest.fixture
    def driver(self, world: EnvoyWorld) -> EnvoyTraffic:
        return world.driver

    @pytest.fixture(params=["cookie:tg", "header:x-user"])
    def route(self, request: pytest.FixtureRequest, world: EnvoyWorld) -> Route:
        return world.route(sticky=request.param)

    @pytest.fixture
    def make_pool(self, world: EnvoyWorld) -> MakePool:
        async def make(name: str) -> Pool:
            return await world.pool(name)

        return make

    @pytest.fixture
    def ask(self, world: EnvoyWorld) -> Ask:
        async def ask(route: Route, user: str, internal: bool) -> str:
            answer = await world.ask(route, user, internal=internal)
            assert answer.status == 200, answer
            return answer.body

        return ask
