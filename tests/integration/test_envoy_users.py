"""Who met the candidate: counted from a real Envoy's log, without keeping anyone's key."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tidegate.domain.quantities import Generation
from tidegate.drivers.signals.envoy_users import EnvoyUsers
from tidegate.ports.traffic import Route
from tidegate.testing.backends import Asker
from tidegate.testing.contracts.traffic import a_split, when_ready
from tidegate.testing.envoys import EnvoyWorld, envoy_world

pytestmark = pytest.mark.envoy

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[EnvoyWorld]:
    async with envoy_world(tmp_path) as world:
        yield world


async def at_half(world: EnvoyWorld, route: Route) -> None:
    split = a_split(1, await world.pool("a"), await world.pool("b"), weight_bps=5_000)
    await world.driver.set_split(route, split)
    await when_ready(world.driver, route)


async def seen(
    users: EnvoyUsers, route: Route, people: int, pools: tuple[str, ...] = ("a", "b")
) -> int:
    """Read until so many people were seen in *pools*; return how many there are."""
    while True:
        await users.read(route.target)
        counted = sum(users.count(route.target, route.service, pool, LONG_AGO) for pool in pools)
        if counted >= people:
            return counted
        await asyncio.sleep(0.05)


async def test_people_are_counted_once_per_pool(world: EnvoyWorld) -> None:
    """However often someone asks, they are one; each is where Envoy sent them."""
    route = world.route()
    await at_half(world, route)
    users = EnvoyUsers(world.root)

    met = {"a": 0, "b": 0}
    for number in range(60):
        body = {(await world.ask(route, f"user-{number}")).body for _ in range(3)}
        met[body.pop()] += 1
    await seen(users, route, 60)

    for pool, people in met.items():
        assert users.count(route.target, route.service, pool, LONG_AGO) == people


async def test_reading_loses_nobody_who_asks_meanwhile(world: EnvoyWorld) -> None:
    """The log is taken away and replaced again and again while people ask; all are counted."""
    route = world.route()
    await at_half(world, route)
    users = EnvoyUsers(world.root)

    for number in range(600):
        await world.ask(route, f"user-{number}")
        if number % 20 == 0:
            await users.read(route.target)

    assert await seen(users, route, 600) == 600


async def test_raw_keys_do_not_stay(world: EnvoyWorld) -> None:
    """Once it was read and read again, nobody's key is on disk or in what is kept."""
    route = world.route()
    await at_half(world, route)
    users = EnvoyUsers(world.root)
    await world.ask(route, "somebodys-key")

    await seen(users, route, 1)
    await users.read(route.target)

    for path in (world.root / "eu").rglob("*"):
        assert not path.is_file() or b"somebodys-key" not in path.read_bytes(), path
    assert "somebodys-key" not in repr(vars(users))


async def test_a_new_user_is_the_same_person_with_their_cookie(world: EnvoyWorld) -> None:
    """Who comes without a key and returns with the one they were given is one person."""
    route = world.route()
    await at_half(world, route)
    users = EnvoyUsers(world.root)
    asker = Asker(route.listen)

    try:
        first = await asker.ask()
        cookie = first.headers["set-cookie"].partition(";")[0]
        await asker.ask({"cookie": cookie})
        await asker.ask({"cookie": "tg=another"})
    finally:
        await asker.close()

    assert await seen(users, route, 2) == 2


async def test_only_those_since_a_time_are_counted(world: EnvoyWorld) -> None:
    """A phase counts the people who met it, and not those before it."""
    route = world.route()
    await at_half(world, route)
    users = EnvoyUsers(world.root)
    await world.ask(route, "someone")

    await seen(users, route, 1)
    later = datetime.now(UTC) + timedelta(minutes=1)

    assert [users.count(route.target, route.service, pool, later) for pool in "ab"] == [0, 0]


async def test_nobody_is_logged_while_nobody_is_exposed(world: EnvoyWorld) -> None:
    """Without a candidate in front of anyone, Envoy writes no key down."""
    route = world.route()
    await at_half(world, route)
    users = EnvoyUsers(world.root)
    await world.driver.withdraw(route, Generation(2))
    await world.ask(route, "unseen")
    await world.driver.set_split(
        route, a_split(3, await world.pool("a"), await world.pool("b"), weight_bps=5_000)
    )
    await when_ready(world.driver, route)

    await world.ask(route, "seen")

    assert await seen(users, route, 1) == 1


async def test_forgotten_people_are_gone(world: EnvoyWorld) -> None:
    """When a rollout is over, what was known of its people can be dropped."""
    route = world.route()
    await at_half(world, route)
    users = EnvoyUsers(world.root)
    await world.ask(route, "someone")
    await seen(users, route, 1)

    for pool in "ab":
        users.forget(route.target, route.service, pool)

    assert [users.count(route.target, route.service, pool, LONG_AGO) for pool in "ab"] == [0, 0]


async def test_a_target_without_a_log_has_nobody(tmp_path: Path) -> None:
    """Asking about a target that never served is harmless."""
    users = EnvoyUsers(tmp_path)
    async with envoy_world(tmp_path) as world:
        route = world.route()

        await users.read(route.target)

    assert users.count(route.target, route.service, "a", LONG_AGO) == 0
