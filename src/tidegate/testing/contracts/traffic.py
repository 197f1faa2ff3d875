"""
What every traffic driver promises, as tests. Third parties run it against theirs too.

Subclass it and override the fixtures: the driver, a route to work on, a way to make pools whose
members really answer, and a way to ask as a user. No test here may ask which driver it runs on.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace

import pytest

from tidegate.domain.quantities import FULL_WEIGHT_BPS, Generation, ServiceName
from tidegate.errors import StaleGenerationError, TrafficError
from tidegate.ports.traffic import AppliedSplit, Pool, Route, Split, TrafficDriver

WITHIN_S = 20.0
"""A deadline for what takes milliseconds, generous for a machine under load."""
USERS = tuple(f"user-{number}" for number in range(2_000))
ASK_AT_ONCE = 8

MakePool = Callable[[str], Awaitable[Pool]]
"""Makes a pool of that name, with members that answer."""
Ask = Callable[[Route, str, bool], Awaitable[str]]
"""
Asks once as that user (an internal one or not), and returns the name of the pool that answered.
"""


def a_split(
    generation: int, baseline: Pool, candidate: Pool | None = None, **changes: int
) -> Split:
    """Return a split of *generation* in which nobody meets the candidate, changed by *changes*."""
    return Split(
        generation=Generation(generation),
        baseline=baseline,
        candidate=candidate,
        weight_bps=changes.get("weight_bps", 0),
        internal_open=bool(changes.get("internal_open", 0)),
    )


class TrafficContract:
    """Tests that hold for every driver."""

    @pytest.fixture
    def driver(self) -> TrafficDriver:
        """Return the driver under test."""
        raise NotImplementedError

    @pytest.fixture
    def route(self) -> Route:
        """Return a route of the target that nothing was set for; it knows internal users."""
        raise NotImplementedError

    @pytest.fixture
    def make_pool(self) -> MakePool:
        """Return a way to make pools."""
        raise NotImplementedError

    @pytest.fixture
    def ask(self, driver: TrafficDriver) -> Ask:
        """Return a way to ask as a user does."""
        raise NotImplementedError

    async def test_nothing_is_served_before_anything_is_set(
        self, driver: TrafficDriver, route: Route
    ) -> None:
        """A route that was never set has no split, and isn't ready."""
        applied = await driver.read_split(route)

        assert applied.split is None
        assert applied.stopped_at_generation is None
        assert not applied.ready
        assert applied.why_not

    async def test_reads_back_what_was_set(
        self, driver: TrafficDriver, route: Route, make_pool: MakePool
    ) -> None:
        """Everything of a split comes back from the data plane, members and versions too."""
        split = replace(
            a_split(
                3, await make_pool("a"), await make_pool("b"), weight_bps=1234, internal_open=1
            ),
            warm=(await make_pool("c"),),
        )

        await driver.set_split(route, split)
        applied = await when_ready(driver, route)

        assert applied.split == split
        assert applied.stopped_at_generation is None
        assert applied.candidate_trips == 0

    async def test_setting_twice_changes_nothing(
        self, driver: TrafficDriver, route: Route, make_pool: MakePool
    ) -> None:
        """A retried step is harmless."""
        split = a_split(3, await make_pool("a"), await make_pool("b"), weight_bps=500)
        await driver.set_split(route, split)

        await driver.set_split(route, split)

        assert (await when_ready(driver, route)).split == split

    async def test_refuses_an_older_generation(
        self, driver: TrafficDriver, route: Route, make_pool: MakePool
    ) -> None:
        """A late retry can't undo a newer split, above all not a rollback."""
        baseline, candidate = await make_pool("a"), await make_pool("b")
        newer = a_split(8, baseline, candidate)
        await driver.set_split(route, newer)

        with pytest.raises(StaleGenerationError, match="7"):
            await driver.set_split(route, a_split(7, baseline, candidate, weight_bps=5_000))

        assert (await when_ready(driver, route)).split == newer

    async def test_the_generation_in_force_may_change_its_members(
        self, driver: TrafficDriver, route: Route, make_pool: MakePool, ask: Ask
    ) -> None:
        """A member that came back on another port is taken up without a new decision."""
        baseline, other = await make_pool("a"), await make_pool("b")
        await driver.set_split(route, a_split(4, baseline))
        moved = replace(baseline, endpoints=other.endpoints)

        await driver.set_split(route, a_split(4, moved))
        applied = await when_ready(driver, route)

        assert applied.split == a_split(4, moved)
        assert await ask(route, "someone", False) == "b"

    @pytest.mark.parametrize(
        "bad",
        ["weight without a candidate", "weight above everything", "nobody to serve", "one name"],
    )
    async def test_what_is_refused_changes_nothing(
        self, driver: TrafficDriver, route: Route, make_pool: MakePool, ask: Ask, bad: str
    ) -> None:
        """A split that can't be served is refused whole, and the last good one goes on."""
        baseline, candidate = await make_pool("a"), await make_pool("b")
        good = a_split(1, baseline, candidate)
        await driver.set_split(route, good)
        wrong = {
            "weight without a candidate": a_split(2, baseline, weight_bps=500),
            "weight above everything": a_split(2, baseline, candidate, weight_bps=10_001),
            "nobody to serve": a_split(2, baseline, replace(candidate, endpoints=()), weight_bps=1),
            "one name": a_split(2, baseline, replace(candidate, name="a")),
        }[bad]

        with pytest.raises(TrafficError):
            await driver.set_split(route, wrong)

        assert (await when_ready(driver, route)).split == good
        assert await ask(route, "someone", False) == "a"

    async def test_no_user_moves_back_as_the_weight_grows(
        self, driver: TrafficDriver, route: Route, make_pool: MakePool, ask: Ask
    ) -> None:
        """Who has met the candidate stays with it, and each weight reaches its share of users."""
        baseline, candidate = await make_pool("a"), await make_pool("b")
        before: set[str] = set()

        for generation, weight_bps in enumerate((0, 100, 500, 2_500, 5_000, FULL_WEIGHT_BPS), 1):
            await driver.set_split(
                route, a_split(generation, baseline, candidate, weight_bps=weight_bps)
            )
            await when_ready(driver, route)
            met = await those_who_meet("b", ask, route, USERS)

            assert before <= met, "these users were moved back"
            share = weight_bps / FULL_WEIGHT_BPS
            # Five standard errors of a share among so many users.
            error = 5 * (share * (1 - share) / len(USERS)) ** 0.5
            assert abs(len(met) / len(USERS) - share) <= error
            before = met

    async def test_the_finest_weights_are_taken(
        self, driver: TrafficDriver, route: Route, make_pool: MakePool
    ) -> None:
        """A hundredth of a percent is a weight of its own, at both ends."""
        baseline, candidate = await make_pool("a"), await make_pool("b")

        for generation, weight_bps in enumerate((1, 2, 9_999), 1):
            await driver.set_split(
                route, a_split(generation, baseline, candidate, weight_bps=weight_bps)
            )
            applied = await when_ready(driver, route)

            assert applied.split is not None
            assert applied.split.weight_bps == weight_bps

    async def test_internal_users_meet_the_candidate_first(
        self, driver: TrafficDriver, route: Route, make_pool: MakePool, ask: Ask
    ) -> None:
        """With internal users only, nobody else meets the candidate."""
        split = a_split(1, await make_pool("a"), await make_pool("b"), internal_open=1)

        await driver.set_split(route, split)
        await when_ready(driver, route)

        assert await ask(route, "someone", True) == "b"
        assert await those_who_meet("b", ask, route, USERS[:200]) == set()

    async def test_swapping_roles_moves_nobody(
        self, driver: TrafficDriver, route: Route, make_pool: MakePool, ask: Ask
    ) -> None:
        """A candidate that serves everyone becomes the baseline, and all stay with it."""
        old, new = await make_pool("a"), await make_pool("b")
        await driver.set_split(route, a_split(1, old, new, weight_bps=FULL_WEIGHT_BPS))
        swapped = replace(a_split(2, new), warm=(old,))

        await driver.set_split(route, swapped)
        applied = await when_ready(driver, route)

        assert applied.split == swapped
        assert await those_who_meet("b", ask, route, USERS[:200]) == set(USERS[:200])

    async def test_withdrawal_brings_everyone_back(
        self, driver: TrafficDriver, route: Route, make_pool: MakePool, ask: Ask
    ) -> None:
        """Ordinary and internal users are with the baseline, and the stop can be read back."""
        split = a_split(
            5, await make_pool("a"), await make_pool("b"), weight_bps=5_000, internal_open=1
        )
        await driver.set_split(route, split)

        await driver.withdraw(route, Generation(6))
        applied = await when_ready(driver, route)

        assert applied.split == replace(
            split, generation=Generation(6), weight_bps=0, internal_open=False
        )
        assert applied.stopped_at_generation == 6
        assert await those_who_meet("b", ask, route, USERS[:200]) == set()
        assert await ask(route, "someone", True) == "a"

    async def test_nothing_in_flight_can_undo_a_stop(
        self, driver: TrafficDriver, route: Route, make_pool: MakePool
    ) -> None:
        """A stop without the store is latched above what can be on its way; later ones open it."""
        split = a_split(5, await make_pool("a"), await make_pool("b"), weight_bps=5_000)
        await driver.set_split(route, split)

        await driver.withdraw(route, None)
        stopped_at = (await when_ready(driver, route)).stopped_at_generation

        assert stopped_at is not None
        assert stopped_at > 5
        for late in (5, 6, stopped_at):
            with pytest.raises(StaleGenerationError):
                await driver.set_split(route, replace(split, generation=Generation(late)))
        resumed = replace(split, generation=Generation(stopped_at + 1))
        await driver.set_split(route, resumed)
        applied = await when_ready(driver, route)
        assert applied.split == resumed
        assert applied.stopped_at_generation is None

    @pytest.mark.parametrize("generation", [None, Generation(9)])
    async def test_withdrawing_again_changes_nothing(
        self,
        driver: TrafficDriver,
        route: Route,
        make_pool: MakePool,
        generation: Generation | None,
    ) -> None:
        """However often a stop is repeated, it stays the one stop that it was."""
        split = a_split(5, await make_pool("a"), await make_pool("b"), weight_bps=5_000)
        await driver.set_split(route, split)
        await driver.withdraw(route, generation)
        before = await when_ready(driver, route)

        await driver.withdraw(route, generation)

        assert await when_ready(driver, route) == before

    async def test_a_late_withdrawal_still_withdraws(
        self, driver: TrafficDriver, route: Route, make_pool: MakePool
    ) -> None:
        """The safe direction is never too late: it stops what came after it as well."""
        split = a_split(9, await make_pool("a"), await make_pool("b"), weight_bps=5_000)
        await driver.set_split(route, split)

        await driver.withdraw(route, Generation(7))
        applied = await when_ready(driver, route)

        assert applied.split == replace(split, weight_bps=0)
        assert applied.stopped_at_generation == 9

    async def test_a_withdrawal_before_anything_is_set_latches_too(
        self, driver: TrafficDriver, route: Route, make_pool: MakePool
    ) -> None:
        """Even the very first split can be too late."""
        baseline = await make_pool("a")

        await driver.withdraw(route, Generation(4))

        assert (await settled_stop(driver, route)) == 4
        with pytest.raises(StaleGenerationError):
            await driver.set_split(route, a_split(4, baseline))
        await driver.set_split(route, a_split(5, baseline))
        assert (await when_ready(driver, route)).split == a_split(5, baseline)

    async def test_a_withdrawn_candidate_can_be_taken_away(
        self, driver: TrafficDriver, route: Route, make_pool: MakePool
    ) -> None:
        """Under a latched stop, the generation in force may still be tidied, and the stop stays."""
        split = a_split(5, await make_pool("a"), await make_pool("b"), weight_bps=5_000)
        await driver.set_split(route, split)
        await driver.withdraw(route, None)
        stopped_at = (await when_ready(driver, route)).stopped_at_generation
        tidied = replace(split, candidate=None, weight_bps=0)

        await driver.set_split(route, tidied)
        applied = await when_ready(driver, route)

        assert applied.split == tidied
        assert applied.stopped_at_generation == stopped_at

    async def test_services_of_a_target_do_not_mix(
        self, driver: TrafficDriver, route: Route, make_pool: MakePool
    ) -> None:
        """Generations, stops and pools of one service mean nothing for another's."""
        baseline, candidate = await make_pool("a"), await make_pool("b")
        split = a_split(5, baseline, candidate, weight_bps=5_000)
        await driver.set_split(route, split)

        with_others = replace(route, service=ServiceName(f"{route.service}-too"))
        await driver.withdraw(with_others, Generation(90))
        applied = await when_ready(driver, route)

        assert applied.split == split
        assert applied.stopped_at_generation is None


async def when_ready(driver: TrafficDriver, route: Route) -> AppliedSplit:
    """Return what *driver* reads once the last change is followed, as a caller waits for it."""
    deadline = asyncio.get_running_loop().time() + WITHIN_S
    applied = await driver.read_split(route)
    while not applied.ready:
        assert asyncio.get_running_loop().time() < deadline, applied.why_not
        await asyncio.sleep(0.01)
        applied = await driver.read_split(route)
    return applied


async def settled_stop(driver: TrafficDriver, route: Route) -> Generation | None:
    """Return the latched stop of a route that was never set, once it can be read."""
    deadline = asyncio.get_running_loop().time() + WITHIN_S
    while (stopped_at := (await driver.read_split(route)).stopped_at_generation) is None:
        assert asyncio.get_running_loop().time() < deadline, "no stop was latched"
        await asyncio.sleep(0.01)
    return stopped_at


async def those_who_meet(pool: str, ask: Ask, route: Route, users: Iterable[str]) -> set[str]:
    """Return those of *users* that *pool* answers."""
    at_once = asyncio.Semaphore(ASK_AT_ONCE)

    async def meets(user: str) -> bool:
        async with at_once:
            return await ask(route, user, False) == pool

    asked = list(users)
    met = await asyncio.gather(*map(meets, asked))
    return {user for user, meeting in zip(asked, met, strict=True) if meeting}
