"""How a real Envoy splits users: exactly, for good, without losing anybody."""

import asyncio
import struct
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from tidegate.domain.quantities import FULL_WEIGHT_BPS
from tidegate.ports.traffic import Route
from tidegate.testing.backends import Asker
from tidegate.testing.contracts.traffic import USERS, a_split, when_ready
from tidegate.testing.envoys import EnvoyWorld, envoy_world

pytestmark = pytest.mark.envoy

MASK = (1 << 64) - 1
PRIME_1, PRIME_2, PRIME_3 = 0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9
PRIME_4, PRIME_5 = 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[EnvoyWorld]:
    async with envoy_world(tmp_path) as world:
        yield world


@pytest.mark.parametrize("sticky", ["cookie:tg", "header:x-user"])
async def test_each_basis_point_moves_exactly_its_users(world: EnvoyWorld, sticky: str) -> None:
    """A user's place is the hash of their key modulo 10,000; the candidate has those below the weight."""
    route = world.route(sticky=sticky)
    baseline, candidate = await world.pool("a"), await world.pool("b")
    # Users right below and right at each boundary, found by computing Envoy's hash here.
    places = {
        hash_of(f"user-{number}") % FULL_WEIGHT_BPS: f"user-{number}" for number in range(200_000)
    }
    boundaries = (1, 2, 42, 43, 5_000, 9_999)

    for generation, weight_bps in enumerate(boundaries, 1):
        await world.driver.set_split(
            route, a_split(generation, baseline, candidate, weight_bps=weight_bps)
        )
        await when_ready(world.driver, route)

        assert (await world.ask(route, places[weight_bps - 1])).body == "b"
        assert (await world.ask(route, places[weight_bps])).body == "a"


async def test_a_new_user_stays_where_the_first_request_went(world: EnvoyWorld) -> None:
    """A client without a key gets one that leads to the same side again, from its first answer on."""
    route = world.route()
    baseline, candidate = await world.pool("a"), await world.pool("b")
    await world.driver.set_split(route, a_split(1, baseline, candidate, weight_bps=5_000))
    await when_ready(world.driver, route)
    asker = Asker(route.listen)
    first: list[tuple[str, str]] = []

    try:
        for _ in range(300):
            answer = await asker.ask()
            cookie = answer.headers["set-cookie"].partition(";")[0].removeprefix("tg=")
            first.append((cookie, answer.body))
        later = [(cookie, await world.ask(route, cookie)) for cookie, _ in first]
    finally:
        await asker.close()

    assert [(cookie, answer.body) for cookie, answer in later] == first
    assert not any("set-cookie" in answer.headers for _, answer in later)
    assert len({cookie for cookie, _ in first}) == 300
    assert 100 <= sum(body == "b" for _, body in first) <= 200


async def test_no_request_is_lost_by_a_whole_rollout(world: EnvoyWorld) -> None:
    """Weights, growing and shrinking pools, a swap, a drain and a stop: under load, all is answered."""
    route = world.route()
    driver = world.driver
    old, new = await world.pool("a", members=2), await world.pool("b", members=2)
    one_new = replace(new, endpoints=new.endpoints[:1])
    await driver.set_split(route, a_split(1, old))
    await when_ready(driver, route)

    async with load(world, route) as answered:
        generation = 1
        for weight_bps, pool in ((100, one_new), (500, one_new), (2_500, new), (5_000, new)):
            generation += 1
            await driver.set_split(route, a_split(generation, old, pool, weight_bps=weight_bps))
            await answered.more()
        await driver.withdraw(route, None)
        await answered.more()
        stopped = await driver.read_split(route)
        assert stopped.stopped_at_generation is not None
        generation = stopped.stopped_at_generation + 1
        await driver.set_split(route, a_split(generation, old, new, weight_bps=FULL_WEIGHT_BPS))
        await answered.more()
        await driver.set_split(route, replace(a_split(generation + 1, new), warm=(old,)))
        await answered.more()
        await driver.set_split(route, a_split(generation + 1, new))
        for member in world.members["a"]:
            await member.stop()
        await answered.more()
        await driver.set_split(route, a_split(generation + 2, one_new))
        await world.members["b"][1].stop()
        await answered.more()

    assert answered.failures == []
    assert answered.count > 2_000


async def test_flapping_weights_lose_nothing_and_keep_users_in_place(world: EnvoyWorld) -> None:
    """Fifty changes while users ask: none fails, and nobody outside both weights ever moves."""
    route = world.route()
    baseline, candidate = await world.pool("a"), await world.pool("b")
    inside = [user for user in USERS if hash_of(user) % FULL_WEIGHT_BPS < 2_000]
    outside = [user for user in USERS if hash_of(user) % FULL_WEIGHT_BPS >= 3_000]
    await world.driver.set_split(route, a_split(1, baseline, candidate, weight_bps=2_000))
    await when_ready(world.driver, route)

    async with load(world, route, users=(*inside[:50], *outside[:50])) as answered:
        for generation in range(2, 52):
            weight_bps = 3_000 if generation % 2 else 2_000
            await world.driver.set_split(
                route, a_split(generation, baseline, candidate, weight_bps=weight_bps)
            )
        await answered.more()

    assert answered.failures == []
    assert {answered.pools[user] for user in inside[:50]} == {frozenset({"b"})}
    assert {answered.pools[user] for user in outside[:50]} == {frozenset({"a"})}


async def test_a_request_in_flight_outlives_its_pool(world: EnvoyWorld) -> None:
    """What a member has begun to answer is delivered though its pool was taken away meanwhile."""
    route = world.route()
    old, new = await world.pool("a"), await world.pool("b")
    await world.driver.set_split(route, a_split(1, old))
    await when_ready(world.driver, route)
    [slow] = world.members["a"]
    slow.delay_s = 1.0

    asking = asyncio.create_task(world.ask(route, "patient"))
    while not slow.served:
        await asyncio.sleep(0.005)
    await world.driver.set_split(route, a_split(2, new))
    quick = await world.ask(route, "patient")
    slow_answer = await asking

    assert quick.body == "b"
    assert (slow_answer.status, slow_answer.body) == (200, "a")


class Load:
    """Users who ask one after the other, over a few connections, until told to stop."""

    def __init__(self, world: EnvoyWorld, route: Route, users: tuple[str, ...]) -> None:
        self._world, self._route, self._users = world, route, users
        self.count = 0
        self.failures: list[object] = []
        self.pools: dict[str, frozenset[str]] = {}
        self.stopped = False

    async def more(self, requests: int = 250) -> None:
        """Return when so many more were answered."""
        goal = self.count + requests
        while self.count < goal:
            await asyncio.sleep(0.005)

    async def run(self, first: int, step: int) -> None:
        index = first
        while not self.stopped:
            user = self._users[index % len(self._users)]
            answer = await self._world.ask(self._route, user)
            self.count += 1
            index += step
            if answer.status != 200:
                self.failures.append(answer)
            self.pools[user] = self.pools.get(user, frozenset()) | {answer.body}


class load:  # noqa: N801, reads as the verb it is
    """Keep users asking during the block."""

    def __init__(self, world: EnvoyWorld, route: Route, users: tuple[str, ...] = USERS) -> None:
        self._load = Load(world, route, users)
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Load:
        self._tasks = [asyncio.create_task(self._load.run(first, 8)) for first in range(8)]
        await self._load.more()
        return self._load

    async def __aexit__(self, *_: object) -> None:
        self._load.stopped = True
        await asyncio.gather(*self._tasks)


def hash_of(text: str) -> int:
    """Return what Envoy hashes *text* to: XXH64 with seed 0, for less than 32 bytes."""
    data = text.encode()
    assert len(data) < 32
    digest = (PRIME_5 + len(data)) & MASK
    while len(data) >= 8:
        [word] = struct.unpack_from("<Q", data)
        digest ^= rotate(word * PRIME_2 & MASK, 31) * PRIME_1 & MASK
        digest = (rotate(digest, 27) * PRIME_1 + PRIME_4) & MASK
        data = data[8:]
    if len(data) >= 4:
        [word] = struct.unpack_from("<I", data)
        digest ^= word * PRIME_1 & MASK
        digest = (rotate(digest, 23) * PRIME_2 + PRIME_3) & MASK
        data = data[4:]
    for byte in data:
        digest ^= byte * PRIME_5 & MASK
        digest = rotate(digest, 11) * PRIME_1 & MASK
    digest = (digest ^ digest >> 33) * PRIME_2 & MASK
    digest = (digest ^ digest >> 29) * PRIME_3 & MASK
    return digest ^ digest >> 32


def rotate(word: int, by: int) -> int:
    return (word << by | word >> (64 - by)) & MASK
