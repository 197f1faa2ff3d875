"""
What every component driver promises, as tests. Third parties run it against theirs too.

Subclass it and override the fixtures; `turn` lets the outside world go on where it doesn't by
itself (a consumer that must be polled). No test here may ask which driver it runs on.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from tidegate.domain.quantities import (
    FULL_WEIGHT_BPS,
    NO_EXPOSURE,
    Arm,
    ComponentName,
    Environment,
    Exposure,
    Generation,
    Placement,
    ServiceName,
    TargetName,
    Version,
)
from tidegate.errors import StaleGenerationError, VersionNotFoundError, WorkloadError
from tidegate.ports.component import Applied, Assignment, ComponentDriver

SETTLES_WITHIN_SECONDS = 60.0
"""A deadline for what takes a second, generous for a machine under load."""
EVERYONE = Exposure(internal=True, weight_bps=FULL_WEIGHT_BPS)
FEW = Exposure(internal=True, weight_bps=500)
SOME = Exposure(internal=True, weight_bps=6_000)
INTERNAL_ONLY = Exposure(internal=True, weight_bps=0)

Reopen = Callable[[], ComponentDriver]


class ComponentContract:
    """Tests that hold for every driver."""

    @pytest.fixture
    def reopen(self) -> Reopen:
        """Return a way to open a driver anew on the same target, as a new server does."""
        raise NotImplementedError

    @pytest.fixture
    def settings_json(self) -> str:
        """Return the component's part of the resolved document."""
        raise NotImplementedError

    @pytest.fixture
    def version_names(self) -> tuple[str, str]:
        """Return two versions that exist: the first baseline and the first candidate."""
        raise NotImplementedError

    @pytest.fixture
    def missing_version(self) -> str:
        """Return a version that doesn't exist."""
        raise NotImplementedError

    async def turn(self) -> None:
        """Let the outside world go on a little."""
        await asyncio.sleep(0.02)

    @pytest.fixture
    def driver(self, reopen: Reopen) -> ComponentDriver:
        """Return the driver under test."""
        return reopen()

    @pytest.fixture
    def placement(self) -> Placement:
        """Return what is moved."""
        return Placement(
            service=ServiceName("shop"), component=ComponentName("code"), target=TargetName("eu-1")
        )

    @pytest.fixture
    async def assignment(
        self,
        driver: ComponentDriver,
        placement: Placement,
        settings_json: str,
        version_names: tuple[str, str],
    ) -> Assignment:
        """Return an assignment that makes sure of the baseline alone, at generation 1."""
        baseline = await driver.resolve(version_names[0], settings_json)
        return Assignment(
            placement=placement,
            candidate=baseline,
            baseline=baseline,
            exposure=NO_EXPOSURE,
            generation=Generation(1),
            environment=Environment.LAB,
            settings_json=settings_json,
            target_settings_json="{}",
        )

    @pytest.fixture
    async def candidate(
        self, driver: ComponentDriver, settings_json: str, version_names: tuple[str, str]
    ) -> Version:
        """Return the version to move to."""
        return await driver.resolve(version_names[1], settings_json)

    async def settle(self, driver: ComponentDriver, assignment: Assignment) -> Applied:
        """Apply until it is observed as settled, as the engine does."""
        seen = None
        try:
            async with asyncio.timeout(SETTLES_WITHIN_SECONDS):
                while True:
                    await driver.apply(assignment)
                    await self.turn()
                    seen = await driver.observe(assignment.placement)
                    if seen.settled and seen.generation == assignment.generation:
                        return seen
        except TimeoutError:
            pytest.fail(f"not settled: {seen.why_not if seen else 'never observed'}")

    async def settled_again(self, driver: ComponentDriver, placement: Placement) -> Applied:
        """Observe until it is settled, applying nothing."""
        seen = None
        try:
            async with asyncio.timeout(SETTLES_WITHIN_SECONDS):
                while True:
                    seen = await driver.observe(placement)
                    if seen.settled:
                        return seen
                    await self.turn()
        except TimeoutError:
            pytest.fail(f"not settled: {seen.why_not if seen else 'never observed'}")

    async def test_what_was_never_applied_serves_nothing(
        self, driver: ComponentDriver, placement: Placement
    ) -> None:
        """Unknown isn't green: an untouched target is neither settled nor serving."""
        seen = await driver.observe(placement)

        assert (seen.generation, seen.exposure, seen.serving) == (0, NO_EXPOSURE, None)
        assert not seen.settled
        assert seen.why_not

    async def test_a_version_that_does_not_exist_is_not_found(
        self, driver: ComponentDriver, settings_json: str, missing_version: str
    ) -> None:
        """A typing error is told before anything moves."""
        with pytest.raises(VersionNotFoundError):
            await driver.resolve(missing_version, settings_json)

    async def test_a_version_is_known_by_its_content(
        self, driver: ComponentDriver, settings_json: str, version_names: tuple[str, str]
    ) -> None:
        """The digest that was asked for is the one that is deployed, or nothing is."""
        version = await driver.resolve(version_names[0], settings_json)
        other = await driver.resolve(version_names[1], settings_json)

        again = await driver.resolve(f"{version_names[0]}@{version.digest}", settings_json)

        assert version.digest.startswith("sha256:")
        assert again == version
        with pytest.raises(VersionNotFoundError):
            await driver.resolve(f"{version_names[0]}@{other.digest}", settings_json)

    async def test_the_first_assignment_makes_the_baseline_serve(
        self, driver: ComponentDriver, assignment: Assignment
    ) -> None:
        """A service begins with one version for everyone, and no candidate."""
        seen = await self.settle(driver, assignment)

        assert seen.serving is not None
        assert seen.serving.digest == assignment.baseline.digest
        assert seen.candidate is None
        assert seen.exposure == NO_EXPOSURE
        assert {member.arm for member in seen.members} == {Arm.BASELINE}

    async def test_nothing_moves_that_was_never_set_up(
        self, driver: ComponentDriver, assignment: Assignment, candidate: Version
    ) -> None:
        """There is no unphased way in: a candidate needs a baseline beside it."""
        with pytest.raises(WorkloadError):
            await driver.apply(replace(assignment, candidate=candidate, exposure=EVERYONE))

        seen = await driver.observe(assignment.placement)
        assert seen.exposure == NO_EXPOSURE
        assert seen.serving is None

    async def test_a_candidate_gets_the_exposure_asked_for(
        self, driver: ComponentDriver, assignment: Assignment, candidate: Version
    ) -> None:
        """Settled means: every member of both arms was seen to serve what it should."""
        await self.settle(driver, assignment)

        seen = await self.settle(
            driver,
            replace(assignment, candidate=candidate, exposure=FEW, generation=Generation(2)),
        )

        assert seen.exposure == FEW
        assert seen.candidate is not None and seen.serving is not None
        wanted = {Arm.CANDIDATE: candidate.digest, Arm.BASELINE: assignment.baseline.digest}
        assert {member.arm: member.digest for member in seen.members} == wanted
        assert all(member.ready for member in seen.members)
        assert {arm: labels["digest"] for arm, labels in seen.arms.items()} == wanted

    async def test_applying_again_changes_nothing(
        self, driver: ComponentDriver, assignment: Assignment, candidate: Version
    ) -> None:
        """A retried step is harmless."""
        await self.settle(driver, assignment)
        few = replace(assignment, candidate=candidate, exposure=FEW, generation=Generation(2))
        before = await self.settle(driver, few)

        await driver.apply(few)

        assert await self.settled_again(driver, assignment.placement) == before

    async def test_a_driver_opened_anew_sees_the_same(
        self, driver: ComponentDriver, reopen: Reopen, assignment: Assignment, candidate: Version
    ) -> None:
        """What is served is read from the target, not from the memory of whoever changed it."""
        await self.settle(driver, assignment)
        before = await self.settle(
            driver,
            replace(assignment, candidate=candidate, exposure=FEW, generation=Generation(2)),
        )

        seen = await reopen().observe(assignment.placement)

        assert seen == before

    async def test_internal_users_can_come_first(
        self, driver: ComponentDriver, assignment: Assignment, candidate: Version
    ) -> None:
        """Internal users meet the candidate before any share of everyone does."""
        await self.settle(driver, assignment)

        seen = await self.settle(
            driver,
            replace(
                assignment, candidate=candidate, exposure=INTERNAL_ONLY, generation=Generation(2)
            ),
        )

        assert seen.exposure == INTERNAL_ONLY
        assert seen.serving is not None
        assert seen.serving.digest == assignment.baseline.digest

    async def test_no_member_goes_back_while_exposure_grows(
        self, driver: ComponentDriver, assignment: Assignment, candidate: Version
    ) -> None:
        """Widening only adds: whoever serves the candidate goes on serving it."""
        await self.settle(driver, assignment)
        few = replace(assignment, candidate=candidate, exposure=FEW, generation=Generation(2))
        first = await self.settle(driver, few)

        second = await self.settle(driver, replace(few, exposure=SOME, generation=Generation(3)))

        third = await self.settle(driver, replace(few, exposure=EVERYONE, generation=Generation(4)))
        assert _of(first, Arm.CANDIDATE) <= _of(second, Arm.CANDIDATE) <= _of(third, Arm.CANDIDATE)
        assert third.exposure.weight_bps == FULL_WEIGHT_BPS

    async def test_an_older_generation_is_refused_and_changes_nothing(
        self, driver: ComponentDriver, reopen: Reopen, assignment: Assignment, candidate: Version
    ) -> None:
        """A controller that slept can't undo what another did meanwhile."""
        await self.settle(driver, assignment)
        few = replace(assignment, candidate=candidate, exposure=FEW, generation=Generation(5))
        before = await self.settle(driver, few)

        with pytest.raises(StaleGenerationError):
            await reopen().apply(replace(few, exposure=EVERYONE, generation=Generation(4)))

        assert await self.settled_again(driver, assignment.placement) == before

    async def test_one_generation_says_one_thing(
        self, driver: ComponentDriver, assignment: Assignment, candidate: Version
    ) -> None:
        """Two controllers with the same number can't both win."""
        await self.settle(driver, assignment)
        few = replace(assignment, candidate=candidate, exposure=FEW, generation=Generation(2))
        await self.settle(driver, few)

        with pytest.raises(StaleGenerationError):
            await driver.apply(replace(few, exposure=EVERYONE))

        assert (await self.settled_again(driver, assignment.placement)).exposure == FEW

    async def test_withdrawing_brings_everyone_back(
        self, driver: ComponentDriver, assignment: Assignment, candidate: Version
    ) -> None:
        """Halt means halt: nobody meets the candidate, internal users included."""
        await self.settle(driver, assignment)
        few = replace(assignment, candidate=candidate, exposure=FEW, generation=Generation(2))
        await self.settle(driver, few)

        await driver.withdraw(assignment.placement, Generation(3))

        await self.turn()
        seen = await self.settled_again(driver, assignment.placement)
        assert (seen.exposure, seen.generation) == (NO_EXPOSURE, 3)
        assert seen.stopped_at_generation == 3
        assert seen.serving is not None
        assert seen.serving.digest == assignment.baseline.digest

    async def test_no_late_apply_undoes_a_withdrawal(
        self, driver: ComponentDriver, reopen: Reopen, assignment: Assignment, candidate: Version
    ) -> None:
        """A rise in flight when the stop came arrives and is refused."""
        await self.settle(driver, assignment)
        few = replace(assignment, candidate=candidate, exposure=FEW, generation=Generation(2))
        await self.settle(driver, few)
        await reopen().withdraw(assignment.placement, Generation(3))

        for late in (2, 3):
            with pytest.raises(StaleGenerationError):
                await driver.apply(replace(few, generation=Generation(late)))

        await self.turn()
        seen = await self.settled_again(driver, assignment.placement)
        assert seen.exposure == NO_EXPOSURE

    async def test_a_stop_without_the_store_outlasts_all_in_flight(
        self, driver: ComponentDriver, assignment: Assignment, candidate: Version
    ) -> None:
        """With the store gone a stop still holds, and only a later generation opens it."""
        await self.settle(driver, assignment)
        few = replace(assignment, candidate=candidate, exposure=FEW, generation=Generation(2))
        await self.settle(driver, few)

        await driver.withdraw(assignment.placement, None)

        await self.turn()
        seen = await self.settled_again(driver, assignment.placement)
        stop = seen.stopped_at_generation
        assert seen.exposure == NO_EXPOSURE
        assert stop is not None and stop > 3
        for late in (3, stop):
            with pytest.raises(StaleGenerationError):
                await driver.apply(replace(few, generation=Generation(late)))
        opened = await self.settle(driver, replace(few, generation=Generation(stop + 1)))
        assert opened.exposure == FEW
        assert opened.stopped_at_generation is None

    async def test_withdrawing_twice_changes_nothing(
        self, driver: ComponentDriver, assignment: Assignment, candidate: Version
    ) -> None:
        """Whoever sees the harm may stop it, however many do."""
        await self.settle(driver, assignment)
        few = replace(assignment, candidate=candidate, exposure=FEW, generation=Generation(2))
        await self.settle(driver, few)
        await driver.withdraw(assignment.placement, None)
        await self.turn()
        before = await self.settled_again(driver, assignment.placement)

        await driver.withdraw(assignment.placement, None)

        await self.turn()
        assert await self.settled_again(driver, assignment.placement) == before

    async def test_what_was_never_applied_can_be_withdrawn(
        self, driver: ComponentDriver, assignment: Assignment
    ) -> None:
        """A stop before the first write holds against that write."""
        await driver.withdraw(assignment.placement, Generation(4))

        with pytest.raises(StaleGenerationError):
            await driver.apply(replace(assignment, generation=Generation(4)))

        await self.settle(driver, replace(assignment, generation=Generation(5)))

    async def test_a_finished_candidate_is_the_baseline(
        self, driver: ComponentDriver, reopen: Reopen, assignment: Assignment, candidate: Version
    ) -> None:
        """Finishing swaps names, not traffic; repeating it, or the assignment, changes nothing."""
        await self.settle(driver, assignment)
        everyone = replace(
            assignment, candidate=candidate, exposure=EVERYONE, generation=Generation(2)
        )
        await self.settle(driver, everyone)

        await driver.finish(assignment.placement, Generation(2))
        await reopen().finish(assignment.placement, Generation(2))
        await driver.apply(everyone)

        await self.turn()
        seen = await self.settled_again(driver, assignment.placement)
        assert seen.serving is not None
        assert seen.serving.digest == candidate.digest
        assert seen.candidate is None
        assert (seen.exposure, seen.generation) == (NO_EXPOSURE, 2)

    async def test_only_the_generation_in_force_can_be_finished(
        self, driver: ComponentDriver, assignment: Assignment, candidate: Version
    ) -> None:
        """A late finish can't crown a candidate that was withdrawn."""
        await self.settle(driver, assignment)
        everyone = replace(
            assignment, candidate=candidate, exposure=EVERYONE, generation=Generation(2)
        )
        await self.settle(driver, everyone)
        await driver.withdraw(assignment.placement, Generation(3))

        for late in (2, 3):
            with pytest.raises(StaleGenerationError):
                await driver.finish(assignment.placement, Generation(late))

        await self.turn()
        seen = await self.settled_again(driver, assignment.placement)
        assert seen.serving is not None
        assert seen.serving.digest == assignment.baseline.digest

    async def test_a_candidate_that_does_not_serve_everyone_can_not_be_finished(
        self, driver: ComponentDriver, assignment: Assignment, candidate: Version
    ) -> None:
        """Finishing isn't a way around the phases."""
        await self.settle(driver, assignment)
        few = replace(assignment, candidate=candidate, exposure=FEW, generation=Generation(2))
        await self.settle(driver, few)

        with pytest.raises(WorkloadError):
            await driver.finish(assignment.placement, Generation(2))

        assert (await self.settled_again(driver, assignment.placement)).exposure == FEW

    async def test_the_old_version_takes_over_again_after_a_finish(
        self, driver: ComponentDriver, assignment: Assignment, candidate: Version
    ) -> None:
        """Until it is retired the old version is one assignment away, for everyone at once."""
        await self.settle(driver, assignment)
        everyone = replace(
            assignment, candidate=candidate, exposure=EVERYONE, generation=Generation(2)
        )
        await self.settle(driver, everyone)
        await driver.finish(assignment.placement, Generation(2))

        seen = await self.settle(
            driver, replace(everyone, exposure=NO_EXPOSURE, generation=Generation(3))
        )

        assert seen.serving is not None
        assert seen.serving.digest == assignment.baseline.digest
        assert seen.exposure == NO_EXPOSURE

    async def test_retiring_takes_away_a_withdrawn_candidate(
        self, driver: ComponentDriver, assignment: Assignment, candidate: Version
    ) -> None:
        """What serves nobody goes; the baseline serves on; again is harmless."""
        await self.settle(driver, assignment)
        few = replace(assignment, candidate=candidate, exposure=FEW, generation=Generation(2))
        await self.settle(driver, few)
        await driver.withdraw(assignment.placement, Generation(3))
        await self.turn()
        await self.settled_again(driver, assignment.placement)

        await driver.retire(assignment.placement)
        await driver.retire(assignment.placement)

        await self.turn()
        seen = await self.settled_again(driver, assignment.placement)
        assert seen.candidate is None
        assert {member.arm for member in seen.members} == {Arm.BASELINE}
        assert seen.stopped_at_generation == 3

    async def test_retiring_never_touches_an_exposed_arm(
        self, driver: ComponentDriver, assignment: Assignment, candidate: Version
    ) -> None:
        """Called too early it takes nothing from anyone."""
        await self.settle(driver, assignment)
        few = replace(assignment, candidate=candidate, exposure=FEW, generation=Generation(2))
        before = await self.settle(driver, few)

        await driver.retire(assignment.placement)

        assert await self.settled_again(driver, assignment.placement) == before

    async def test_a_retired_candidate_can_come_again(
        self, driver: ComponentDriver, assignment: Assignment, candidate: Version
    ) -> None:
        """A second attempt with the same version starts from nothing and works."""
        await self.settle(driver, assignment)
        few = replace(assignment, candidate=candidate, exposure=FEW, generation=Generation(2))
        await self.settle(driver, few)
        await driver.withdraw(assignment.placement, Generation(3))
        await self.turn()
        await self.settled_again(driver, assignment.placement)
        await driver.retire(assignment.placement)

        seen = await self.settle(driver, replace(few, generation=Generation(4)))

        assert seen.exposure == FEW


def _of(seen: Applied, arm: Arm) -> set[str]:
    return {member.name for member in seen.members if member.arm is arm}
