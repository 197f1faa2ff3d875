"""Envoy's own statistics as a source of signals: the contract, with a real Envoy and real requests."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tidegate.domain.plan.model import SignalKind
from tidegate.domain.quantities import Arm, ComponentName, Generation, Placement
from tidegate.drivers.clock.system import SystemClock
from tidegate.drivers.signals.envoy import BOUNDS_MS, EnvoySignals
from tidegate.errors import SignalSourceError
from tidegate.ports.signals import SignalQuery
from tidegate.ports.traffic import Route
from tidegate.testing.contracts.signals import COUNTED_KINDS, SignalSourceContract
from tidegate.testing.contracts.traffic import a_split, when_ready
from tidegate.testing.envoys import EnvoyWorld, envoy_world

pytestmark = pytest.mark.envoy

USERS = {Arm.CANDIDATE: "internal", Arm.BASELINE: "someone"}


class EnvoySignalWorld:
    """One Envoy with both arms; internal users reach the candidate, nobody else does."""

    def __init__(self, world: EnvoyWorld, route: Route) -> None:
        self.world, self.route = world, route
        self.source = EnvoySignals(world.root, SystemClock())
        self.served = dict.fromkeys(Arm, 0)

    def query(self, kind: SignalKind, pools: tuple[str, str] = ("b", "a")) -> SignalQuery:
        return SignalQuery(
            placement=Placement(
                service=self.route.service,
                component=ComponentName("code"),
                target=self.route.target,
            ),
            signal=kind.value,
            kind=kind,
            source="envoy",
            settings={},
            arms={Arm.CANDIDATE: {"cluster": pools[0]}, Arm.BASELINE: {"cluster": pools[1]}},
            component_settings_json="{}",
            target_settings_json="{}",
        )

    def unanswerable_query(self) -> SignalQuery:
        return self.query(SignalKind.ERRORS, pools=("nobody", "knows"))

    async def happen(self, arm: Arm, *, good: int, bad: int) -> None:
        [member] = self.world.members["b" if arm is Arm.CANDIDATE else "a"]
        for status, count in ((200, good), (500, bad)):
            member.status = status
            for _ in range(count):
                answer = await self.ask(arm)
                assert answer == status
        member.status = 200
        self.served[arm] += good + bad
        while await self.seen_in_histogram(arm) < self.served[arm]:
            await asyncio.sleep(0.05)

    async def ask(self, arm: Arm) -> int:
        internal = arm is Arm.CANDIDATE
        return (await self.world.ask(self.route, "someone", internal=internal)).status

    async def seen_in_histogram(self, arm: Arm) -> float:
        [reading] = await self.source.read([self.query(SignalKind.LATENCY)])
        assert reading is not None
        return sum(counts.total for counts in reading.arms[arm].values())

    async def restart(self, arm: Arm) -> None:
        await self.kill_envoy()
        self.served = dict.fromkeys(Arm, 0)
        while await self.ask(arm) != 200:
            await asyncio.sleep(0.01)
        self.served[arm] += 1
        await when_ready(self.world.driver, self.route)

    async def kill_envoy(self) -> None:
        os.kill(await self.world.envoy_pid(), signal.SIGKILL)

    async def vanish(self, arm: Arm) -> None:
        assert arm is Arm.CANDIDATE
        applied = await self.world.driver.read_split(self.route)
        assert applied.split is not None
        await self.world.driver.set_split(
            self.route, a_split(applied.split.generation + 1, applied.split.baseline)
        )

    async def break_down(self) -> None:
        await self.world.supervisor.end(f"envoy-{self.route.target}")


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[EnvoySignalWorld]:
    async with envoy_world(tmp_path) as envoy:
        route = envoy.route()
        split = a_split(1, await envoy.pool("a"), await envoy.pool("b"), internal_open=1)
        await envoy.driver.set_split(route, split)
        await when_ready(envoy.driver, route)
        world = EnvoySignalWorld(envoy, route)
        for arm in Arm:
            await world.happen(arm, good=2, bad=1)
        yield world


class TestEnvoySignals(SignalSourceContract):
    @pytest.fixture
    def world(self, world: EnvoySignalWorld) -> EnvoySignalWorld:
        return world


async def test_a_pool_without_a_request_has_zero_and_is_not_missing(
    world: EnvoySignalWorld,
) -> None:
    """Silence can be told from absence: the pool is there, and nothing was counted."""
    split = (await world.world.driver.read_split(world.route)).split
    assert split is not None
    fresh = a_split(2, split.baseline, await world.world.pool("c"))
    await world.world.driver.set_split(world.route, fresh)

    readings = await world.source.read([world.query(kind, ("c", "a")) for kind in COUNTED_KINDS])

    for reading in readings:
        assert reading is not None
        [counts] = reading.arms[Arm.CANDIDATE].values()
        assert (counts.total, counts.bad, sum(counts.buckets)) == (0, 0, 0)


async def test_failures_without_an_answer_count_once_as_bad(world: EnvoySignalWorld) -> None:
    """Dead members, broken connections and retries: each request is one error, never two or none."""
    query = world.query(SignalKind.ERRORS)
    [before] = await world.source.read([query])
    [member] = world.world.members["b"]

    member.status = None
    broken = [await world.ask(Arm.CANDIDATE) for _ in range(3)]
    await member.stop()
    dead = [await world.ask(Arm.CANDIDATE) for _ in range(4)]
    [after] = await world.source.read([query])

    assert broken + dead == [503] * 7
    assert before is not None
    assert after is not None
    [was] = before.arms[Arm.CANDIDATE].values()
    [now] = after.arms[Arm.CANDIDATE].values()
    assert (now.total - was.total, now.bad - was.bad) == (7, 7)


async def test_counts_go_on_when_a_pool_gets_another_member(world: EnvoySignalWorld) -> None:
    """Envoy replaces the cluster whole; its counts stay those of the same series."""
    query = world.query(SignalKind.ERRORS)
    [before] = await world.source.read([query])
    split = (await world.world.driver.read_split(world.route)).split
    assert split is not None
    more = await world.world.pool("a")
    assert split.candidate is not None
    grown = a_split(
        2,
        type(split.baseline)(
            name="a",
            version=split.baseline.version,
            digest=split.baseline.digest,
            endpoints=split.baseline.endpoints + more.endpoints,
        ),
        split.candidate,
        internal_open=1,
    )

    await world.world.driver.set_split(world.route, grown)
    await world.ask(Arm.BASELINE)
    [after] = await world.source.read([query])

    assert before is not None
    assert after is not None
    [(name_before, was)] = before.arms[Arm.BASELINE].items()
    [(name_after, now)] = after.arms[Arm.BASELINE].items()
    assert name_after == name_before
    assert now.total == was.total + 1


async def test_latency_lands_in_its_bucket(world: EnvoySignalWorld) -> None:
    """An answer that took a third of a second is counted between the bounds around that."""
    [before] = await world.source.read([world.query(SignalKind.LATENCY)])
    [member] = world.world.members["b"]
    member.delay_s = 0.35

    await world.happen(Arm.CANDIDATE, good=1, bad=0)
    [after] = await world.source.read([world.query(SignalKind.LATENCY)])

    assert before is not None
    assert after is not None
    [was] = before.arms[Arm.CANDIDATE].values()
    [now] = after.arms[Arm.CANDIDATE].values()
    [bucket] = [
        index
        for index, (new, old) in enumerate(zip(now.buckets, was.buckets, strict=True))
        if new > old
    ]
    assert BOUNDS_MS[bucket - 1] >= 320
    assert BOUNDS_MS[bucket] <= 2_500


async def test_a_usage_counts_only_success(world: EnvoySignalWorld) -> None:
    """Who finds nothing or gets an error hasn't succeeded."""
    query = world.query(SignalKind.USAGE)
    [before] = await world.source.read([query])
    [member] = world.world.members["b"]

    for status in (200, 404, 500, 200):
        member.status = status
        await world.ask(Arm.CANDIDATE)
    [after] = await world.source.read([query])

    assert before is not None
    assert after is not None
    [was] = before.arms[Arm.CANDIDATE].values()
    [now] = after.arms[Arm.CANDIDATE].values()
    assert now.total - was.total == 2


async def test_an_envoy_that_does_not_answer_says_so(tmp_path: Path) -> None:
    """A target that has no Envoy at all is an error with what to do, never a reading."""
    source = EnvoySignals(tmp_path, SystemClock())
    world = EnvoySignalWorld.__new__(EnvoySignalWorld)
    async with envoy_world(tmp_path) as envoy:
        world.route = envoy.route()

        with pytest.raises(SignalSourceError, match="no Envoy answers") as caught:
            await source.read([world.query(SignalKind.ERRORS)])

    assert caught.value.hint


async def test_a_withdrawn_generation_keeps_the_series(world: EnvoySignalWorld) -> None:
    """After a withdrawal the candidate's counts can still be read, for the ledger and the charts."""
    await world.world.driver.withdraw(world.route, Generation(9))

    [reading] = await world.source.read([world.query(SignalKind.ERRORS)])

    assert reading is not None
    [counts] = reading.arms[Arm.CANDIDATE].values()
    assert (counts.total, counts.bad) == (3, 1)
