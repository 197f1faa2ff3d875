"""Who met the candidate: counted from a real Envoy's log, without keeping anyone's key."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tidegate.domain.health.readings import Reading
from tidegate.domain.plan.model import Counting, SignalKind
from tidegate.domain.quantities import Arm, ComponentName, Generation, Placement
from tidegate.drivers.clock.system import SystemClock
from tidegate.drivers.signals.envoy import EnvoySignals
from tidegate.drivers.signals.envoy_users import EnvoyUsers
from tidegate.ports.signals import SignalQuery
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
    users = EnvoyUsers(world.root, SystemClock())

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
    users = EnvoyUsers(world.root, SystemClock())

    for number in range(600):
        await world.ask(route, f"user-{number}")
        if number % 20 == 0:
            await users.read(route.target)

    assert await seen(users, route, 600) == 600


async def test_raw_keys_do_not_stay(world: EnvoyWorld) -> None:
    """Once it was read and read again, nobody's key is on disk or in what is kept."""
    route = world.route()
    await at_half(world, route)
    users = EnvoyUsers(world.root, SystemClock())
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
    users = EnvoyUsers(world.root, SystemClock())
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
    users = EnvoyUsers(world.root, SystemClock())
    await world.ask(route, "someone")

    await seen(users, route, 1)
    later = datetime.now(UTC) + timedelta(minutes=1)

    assert [users.count(route.target, route.service, pool, later) for pool in "ab"] == [0, 0]


async def test_nobody_is_logged_while_nobody_is_exposed(world: EnvoyWorld) -> None:
    """Without a candidate in front of anyone, Envoy writes no key down."""
    route = world.route()
    await at_half(world, route)
    users = EnvoyUsers(world.root, SystemClock())
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
    users = EnvoyUsers(world.root, SystemClock())
    await world.ask(route, "someone")
    await seen(users, route, 1)

    for pool in "ab":
        users.forget(route.target, route.service, pool)

    assert [users.count(route.target, route.service, pool, LONG_AGO) for pool in "ab"] == [0, 0]


async def test_a_target_without_a_log_has_nobody(tmp_path: Path) -> None:
    """Asking about a target that never served is harmless."""
    users = EnvoyUsers(tmp_path, SystemClock())
    async with envoy_world(tmp_path) as world:
        route = world.route()

        await users.read(route.target)

    assert users.count(route.target, route.service, "a", LONG_AGO) == 0


# --- users who had trouble -------------------------------------------------------------------

ONE_SECOND = timedelta(seconds=1)


def users_query(route: Route) -> SignalQuery:
    return SignalQuery(
        placement=Placement(
            service=route.service, component=ComponentName("code"), target=route.target
        ),
        signal="errors",
        kind=SignalKind.ERRORS,
        source="envoy",
        settings={},
        arms={Arm.CANDIDATE: {"cluster": "b"}, Arm.BASELINE: {"cluster": "a"}},
        component_settings_json="{}",
        target_settings_json="{}",
        counting=Counting.USERS,
    )


def counted(reading: Reading | None) -> dict[Arm, tuple[float, float]]:
    assert reading is not None
    found = {}
    for arm, series in reading.arms.items():
        [counts] = series.values()
        found[arm] = (counts.total, counts.bad)
    return found


def signals(world: EnvoyWorld) -> EnvoySignals:
    clock = SystemClock()
    users = EnvoyUsers(world.root, clock, interval=ONE_SECOND)
    return EnvoySignals(world.root, clock, users=users)


async def reading_until(
    source: EnvoySignals, query: SignalQuery, holds: Callable[[Reading | None], bool]
) -> Reading | None:
    """Read again and again until what is read holds."""
    async with asyncio.timeout(30):
        while True:
            [reading] = await source.read([query])
            if holds(reading):
                return reading
            await asyncio.sleep(0.1)


async def at_start_of_second() -> None:
    """Wait for a whole second, so that a burst of requests lies within one interval."""
    now = datetime.now(UTC).timestamp()
    await asyncio.sleep(1.02 - now % 1)


async def test_one_users_retries_are_one_user_in_trouble(world: EnvoyWorld) -> None:
    """Five failures of one person and one of another are two people; their successes are people too."""
    route = world.route()
    await at_half(world, route)
    pools = {f"user-{n}": (await world.ask(route, f"user-{n}")).body for n in range(40)}
    first, second, third = [user for user, pool in pools.items() if pool == "b"][:3]
    source, query = signals(world), users_query(route)
    before = counted(await reading_until(source, query, lambda reading: reading is not None))
    [member] = world.members["b"]

    await at_start_of_second()
    member.status = 500
    for user in (first,) * 5 + (second,):
        await world.ask(route, user)
    member.status = 200
    for user in (first, third):
        await world.ask(route, user)
    after = await reading_until(
        source, query, lambda reading: counted(reading)[Arm.CANDIDATE][0] >= 3
    )

    assert before == {Arm.CANDIDATE: (0, 0), Arm.BASELINE: (0, 0)}
    assert counted(after) == {Arm.CANDIDATE: (3, 2), Arm.BASELINE: (0, 0)}


async def test_a_missing_log_is_unknown_and_not_nobody(world: EnvoyWorld) -> None:
    """While the log is gone there is no reading; afterwards the sums go on under another name."""
    route = world.route()
    await at_half(world, route)
    source, query = signals(world), users_query(route)
    await reading_until(source, query, lambda reading: reading is not None)
    await world.ask(route, "someone")
    known = await reading_until(
        source,
        query,
        lambda reading: reading is not None and sum(n for n, _ in counted(reading).values()) > 0,
    )

    (world.root / "eu" / "access.log").unlink()
    # At first it may be on its way: Envoy makes it again within a second of being told to.
    lost = await reading_until(source, query, lambda reading: reading is None)
    again = await reading_until(source, query, lambda reading: reading is not None)

    assert known is not None
    assert lost is None
    assert again is not None
    assert again.arms[Arm.BASELINE].keys().isdisjoint(known.arms[Arm.BASELINE])
    assert set(counted(again).values()) == {(0, 0)}


async def test_a_restart_begins_another_series(world: EnvoyWorld) -> None:
    """Lines that an Envoy hadn't written end with it, so nothing is compared across its end."""
    route = world.route()
    await at_half(world, route)
    source, query = signals(world), users_query(route)
    known = await reading_until(source, query, lambda reading: reading is not None)
    os.kill(await world.envoy_pid(), signal.SIGKILL)

    async def answers() -> bool:
        try:
            return (await world.ask(route, "someone")).status == 200
        except OSError:
            return False

    async with asyncio.timeout(30):
        while not await answers():
            await asyncio.sleep(0.05)
    await when_ready(world.driver, route)
    again = await reading_until(source, query, lambda reading: reading is not None)

    assert known is not None
    assert again is not None
    assert again.arms[Arm.BASELINE].keys().isdisjoint(known.arms[Arm.BASELINE])


async def test_users_are_unknown_without_somebody_who_reads_the_log(world: EnvoyWorld) -> None:
    """Requests are never given out for users."""
    route = world.route()
    await at_half(world, route)
    source = EnvoySignals(world.root, SystemClock())

    [reading] = await source.read([users_query(route)])

    assert reading is None
