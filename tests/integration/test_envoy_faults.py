"""What happens when Envoy, its files, its members or a second writer fail."""

import asyncio
import fcntl
import json
import os
import signal
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tidegate.domain.quantities import Generation, ServiceName
from tidegate.drivers.envoy.admin import EnvoyAdmin
from tidegate.drivers.traffic import envoy_reading
from tidegate.drivers.traffic.envoy import EnvoyTraffic
from tidegate.errors import StaleGenerationError, TrafficError
from tidegate.ports.traffic import Route, Split
from tidegate.testing.contracts.traffic import a_split, when_ready
from tidegate.testing.envoys import EnvoyWorld, envoy_world

pytestmark = pytest.mark.envoy


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[EnvoyWorld]:
    async with envoy_world(tmp_path) as world:
        yield world


async def exposed(world: EnvoyWorld, route: Route, *, members: int = 1) -> Split:
    """Let everyone of *route* meet the candidate `b`, and return that split."""
    split = a_split(
        5,
        await world.pool("a", members),
        await world.pool("b", members),
        weight_bps=10_000,
        internal_open=1,
    )
    await world.driver.set_split(route, split)
    await when_ready(world.driver, route)
    return split


def routes_file(world: EnvoyWorld) -> Path:
    return world.root / "eu" / "config" / "shop.rds.json"


async def test_a_killed_envoy_comes_back_as_it_was(world: EnvoyWorld) -> None:
    """After kill -9 the same split is served, also with nobody of ours there to help."""
    route = world.route()
    split = await exposed(world, route)
    killed = await world.envoy_pid()

    os.kill(killed, signal.SIGKILL)
    while (await world.ask(route, "someone")).body != "b":
        await asyncio.sleep(0.01)

    assert await world.envoy_pid() != killed
    assert (await when_ready(world.driver, route)).split == split


async def test_a_garbled_file_is_told_survived_and_repaired(world: EnvoyWorld) -> None:
    """A garbled file changes nothing for users, is reported, survives a restart, and can be mended."""
    route = world.route()
    split = await exposed(world, route)

    routes_file(world).write_text("{garbage")
    applied = await world.driver.read_split(route)

    assert applied.split == split
    assert not applied.ready
    assert "garbled" in applied.why_not

    os.kill(await world.envoy_pid(), signal.SIGKILL)
    while (await world.ask(route, "someone")).body != "b":
        await asyncio.sleep(0.01)

    await world.driver.withdraw(route, None)

    assert (await when_ready(world.driver, route)).split == replace(
        split, weight_bps=0, internal_open=False
    )
    assert (await world.ask(route, "someone")).body == "a"


async def test_garbled_clusters_and_listeners_survive_a_restart(world: EnvoyWorld) -> None:
    """Envoy starts from the last files it took, and the next split mends what was garbled."""
    route = world.route()
    split = await exposed(world, route)
    config = routes_file(world).parent

    (config / "clusters.cds.json").write_text("")
    (config / "listeners.lds.json").write_text("[]")
    os.kill(await world.envoy_pid(), signal.SIGKILL)
    while (await world.ask(route, "someone")).body != "b":
        await asyncio.sleep(0.01)
    later = replace(split, generation=Generation(6), warm=(await world.pool("c"),))
    await world.driver.set_split(route, later)

    assert (await when_ready(world.driver, route)).split == later


async def test_routes_that_envoy_refuses_are_seen(world: EnvoyWorld) -> None:
    """A file that Envoy refuses isn't what is served, and isn't taken for it."""
    route = world.route()
    split = await exposed(world, route)
    content = json.loads(routes_file(world).read_text())
    content["version_info"] = "by hand"
    content["resources"][0]["virtual_hosts"][0]["domains"] = ["*", "*"]

    (routes_file(world).parent / "edited").write_text(json.dumps(content))
    (routes_file(world).parent / "edited").replace(routes_file(world))
    applied = await world.driver.read_split(route)

    assert applied.split == split
    assert not applied.ready
    assert (await world.ask(route, "someone")).body == "b"


async def test_routes_changed_by_somebody_else_are_not_trusted(world: EnvoyWorld) -> None:
    """When Envoy follows weights that nobody of us set, that is an error and never an answer."""
    route = world.route()
    await exposed(world, route)
    text = routes_file(world).read_text().replace("shop/b", "shop/a")

    (routes_file(world).parent / "edited").write_text(
        text.replace('"version_info": "', '"version_info": "x')
    )
    (routes_file(world).parent / "edited").replace(routes_file(world))
    while (await world.ask(route, "someone")).body != "a":
        await asyncio.sleep(0.01)

    with pytest.raises(TrafficError, match="changed"):
        await world.driver.read_split(route)


async def test_clusters_that_envoy_refuses_are_taken_back(world: EnvoyWorld) -> None:
    """A split whose members can't be configured is refused with Envoy's reason, and leaves no trace."""
    route = world.route()
    split = await exposed(world, route)
    [member] = split.baseline.endpoints
    assert split.candidate is not None
    impossible = replace(split.candidate, name="c", endpoints=(replace(member, port=70_000),))
    before = sorted(path.read_text() for path in routes_file(world).parent.glob("*.json"))

    with pytest.raises(TrafficError, match="less than or equal to 65535"):
        await world.driver.set_split(
            route, replace(split, generation=Generation(6), candidate=impossible)
        )

    assert sorted(path.read_text() for path in routes_file(world).parent.glob("*.json")) == before
    assert (await when_ready(world.driver, route)).split == split


async def test_a_port_that_is_taken_is_told_and_leaves_no_trace(world: EnvoyWorld) -> None:
    """Where Envoy can't listen nothing is set, with the reason; once the port is free it works."""
    route = world.route()
    split = a_split(1, await world.pool("a"))
    with socket.create_server((route.listen.host, route.listen.port)):
        with pytest.raises(TrafficError, match=r"[Aa]ddress already in use"):
            await world.driver.set_split(route, split)

        assert json.loads(routes_file(world).read_text())["resources"] == []
        assert (await world.driver.read_split(route)).split is None

    await world.driver.set_split(route, split)

    assert (await when_ready(world.driver, route)).split == split


async def test_an_envoy_that_hangs_is_an_error_and_changes_nothing(world: EnvoyWorld) -> None:
    """Without an answer nothing is claimed; what was asked meanwhile isn't left behind."""
    route = world.route()
    split = await exposed(world, route)
    impatient = EnvoyTraffic(
        world.root, world.supervisor, accept_within=timedelta(milliseconds=300)
    )
    pid = await world.envoy_pid()

    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(TrafficError, match=r"within 0\.3 s"):
            await impatient.read_split(route)
        with pytest.raises(TrafficError):
            await impatient.set_split(route, replace(split, generation=Generation(6)))
    finally:
        os.kill(pid, signal.SIGCONT)

    assert (await when_ready(world.driver, route)).split == split


async def test_a_withdrawal_is_written_even_when_envoy_hangs(world: EnvoyWorld) -> None:
    """Whoever withdraws is told that it wasn't seen to be followed; once Envoy can, it follows."""
    route = world.route()
    split = await exposed(world, route)
    impatient = EnvoyTraffic(
        world.root, world.supervisor, accept_within=timedelta(milliseconds=300)
    )
    pid = await world.envoy_pid()

    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(TrafficError, match="doesn't follow"):
            await impatient.withdraw(route, Generation(6))
    finally:
        os.kill(pid, signal.SIGCONT)
    while (await world.ask(route, "someone")).body != "a":
        await asyncio.sleep(0.01)

    applied = await when_ready(world.driver, route)
    assert applied.stopped_at_generation == 6
    assert applied.split == replace(
        split, generation=Generation(6), weight_bps=0, internal_open=False
    )


async def test_a_writer_that_hangs_with_the_lock_cannot_prevent_a_withdrawal(
    world: EnvoyWorld,
) -> None:
    """A stop doesn't wait for a second server that was stopped while it wrote."""
    route = world.route()
    await exposed(world, route)

    with (routes_file(world).parent / "lock").open("r+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        await world.driver.withdraw(route, None)

    assert (await world.ask(route, "someone")).body == "a"


async def test_a_second_server_is_fenced_by_what_it_finds(world: EnvoyWorld) -> None:
    """A server that wakes up with an old decision finds the stop, though it never heard of it."""
    route = world.route()
    split = await exposed(world, route)
    late = EnvoyTraffic(world.root, world.supervisor)

    await world.driver.withdraw(route, None)

    with pytest.raises(StaleGenerationError):
        await late.set_split(route, replace(split, generation=Generation(6)))
    assert await late.read_split(route) == await world.driver.read_split(route)
    assert (await world.ask(route, "someone", internal=True)).body == "a"


async def test_two_writers_at_once_end_at_the_newer_one(world: EnvoyWorld) -> None:
    """However two servers' writes meet, the higher generation is what is served in the end."""
    route = world.route()
    split = await exposed(world, route)
    other = EnvoyTraffic(world.root, world.supervisor)
    goal = replace(split, generation=Generation(25), weight_bps=2_500)

    writes = [
        driver.set_split(route, replace(goal, generation=Generation(generation)))
        for generation, driver in zip(range(6, 26), [world.driver, other] * 10, strict=True)
    ]
    results = await asyncio.gather(*writes, return_exceptions=True)

    assert all(result is None or isinstance(result, StaleGenerationError) for result in results)
    assert (await when_ready(world.driver, route)).split == goal


async def test_a_dead_member_loses_no_later_request(world: EnvoyWorld) -> None:
    """Requests that a dead member can't have seen go to another one."""
    route = world.route()
    await exposed(world, route, members=2)

    await world.members["b"][0].stop()
    answers = [await world.ask(route, f"user-{number}") for number in range(200)]

    assert {answer.status for answer in answers} == {200}
    assert (await when_ready(world.driver, route)).ready


async def test_a_pool_without_a_living_member_is_not_ready(world: EnvoyWorld) -> None:
    """When all members of a pool in use are gone, the split is followed but not ready."""
    route = world.route()
    split = await exposed(world, route)

    await world.members["b"][0].stop()
    while (applied := await world.driver.read_split(route)).ready:
        await asyncio.sleep(0.05)

    assert applied.split == split
    assert applied.why_not == "pool b has no healthy member"


async def test_a_member_that_only_fails_is_cut_off_and_told(world: EnvoyWorld) -> None:
    """Envoy stops sending users to a member that only fails, long before the evidence is in."""
    route = world.route()
    await exposed(world, route, members=2)
    world.members["b"][0].status = 500

    while not (applied := await world.driver.read_split(route)).candidate_trips:
        await world.ask(route, "someone")
    answers = [await world.ask(route, "someone") for _ in range(50)]

    assert applied.candidate_trips >= 1
    assert {answer.status for answer in answers} == {200}


async def test_the_only_member_is_not_ejected_into_a_black_hole(world: EnvoyWorld) -> None:
    """A pool of one goes on answering for itself, errors and then successes, whatever was ejected."""
    route = world.route()
    await exposed(world, route)
    [member] = world.members["b"]
    member.status = 500

    answers = [await world.ask(route, "someone") for _ in range(100)]
    member.status = 200
    better = await world.ask(route, "someone")

    assert {(answer.status, answer.body) for answer in answers} == {(500, "b")}
    assert (better.status, better.body) == (200, "b")


async def test_a_member_that_answers_nothing_costs_its_request_only_once(world: EnvoyWorld) -> None:
    """What a member may have acted on isn't sent again: no order is placed twice."""
    route = world.route()
    await exposed(world, route, members=2)
    for member in world.members["b"]:
        member.status = None

    answer = await world.ask(route, "someone")

    assert answer.status == 503
    assert sum(member.served for member in world.members["b"]) == 1


async def test_a_deep_folder_is_no_obstacle(tmp_path: Path) -> None:
    """The kernel's limit of a socket's path doesn't limit where the data folder may be."""
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    deep.mkdir(parents=True)
    async with envoy_world(deep) as world:
        route = world.route()

        await world.driver.set_split(route, a_split(1, await world.pool("a")))

        assert (await when_ready(world.driver, route)).ready


@pytest.mark.parametrize("sticky", ["cookie", "cookie:", "query:x", "header:a b", "cookie:a=b"])
async def test_a_key_that_is_none_is_refused(world: EnvoyWorld, sticky: str) -> None:
    """A sticky key that Envoy can't use is refused before anything is touched."""
    route = replace(world.route(), sticky=sticky)
    split = a_split(1, await world.pool("a"))

    with pytest.raises(TrafficError, match="doesn't name a header or cookie"):
        await world.driver.set_split(route, split)

    assert not world.root.exists()


@pytest.mark.parametrize("name", ["../up", "", "a/b", "-dash", "x" * 200])
async def test_names_that_could_escape_are_refused(world: EnvoyWorld, name: str) -> None:
    """A target's name can't lead out of the data folder."""
    route = world.route(target=name)
    split = a_split(1, await world.pool("a"))

    with pytest.raises(TrafficError, match="can't be used"):
        await world.driver.set_split(route, split)


async def test_an_envoy_that_cannot_listen_any_more_is_an_error(world: EnvoyWorld) -> None:
    """When its port was taken while it was down, nothing is served, and that is told as such."""
    route = world.route()
    await exposed(world, route)
    await world.supervisor.end("envoy-eu")

    with (
        socket.create_server((route.listen.host, route.listen.port)),
        pytest.raises(TrafficError, match="serves nothing for shop"),
    ):
        await world.driver.read_split(route)


async def test_a_writer_that_was_overtaken_takes_its_write_back(
    world: EnvoyWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server stopped between comparing and writing can't undo a stop, though it holds the lock."""
    route = world.route()
    split = await exposed(world, route)
    late = EnvoyTraffic(world.root, world.supervisor)
    look = envoy_reading.refused_routes

    async def stopped_here(admin: EnvoyAdmin, service: ServiceName) -> int:
        await world.driver.withdraw(route, None)
        return await look(admin, service)

    # Nothing is replaced: this only lets the other one's stop happen at the worst moment.
    monkeypatch.setattr(envoy_reading, "refused_routes", stopped_here)
    with pytest.raises(StaleGenerationError):
        await late.set_split(route, replace(split, generation=Generation(6)))

    applied = await when_ready(world.driver, route)
    assert applied.stopped_at_generation == 21
    assert (await world.ask(route, "someone")).body == "a"


async def test_a_cancelled_write_leaves_nothing_behind(world: EnvoyWorld) -> None:
    """A caller whose deadline passes while Envoy hangs has asked for nothing."""
    route = world.route()
    split = await exposed(world, route)
    pid = await world.envoy_pid()

    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await world.driver.set_split(route, replace(split, generation=Generation(6)))
    finally:
        os.kill(pid, signal.SIGCONT)

    assert (await when_ready(world.driver, route)).split == split
