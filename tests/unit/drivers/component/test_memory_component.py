from collections.abc import Callable

import pytest

from tidegate.domain.quantities import (
    NO_EXPOSURE,
    Arm,
    ComponentName,
    Environment,
    Exposure,
    Generation,
    Placement,
    ServiceName,
    TargetName,
)
from tidegate.drivers.component.memory import MemoryComponent, Mishap
from tidegate.errors import WorkloadError
from tidegate.ports.component import Assignment

PLACEMENT = Placement(
    service=ServiceName("shop"), component=ComponentName("code"), target=TargetName("eu-1")
)
FEW = Exposure(internal=True, weight_bps=500)


def one(mishap: Mishap, method: str, nth: int) -> Callable[[str], Mishap]:
    """Return what lets *mishap* happen in the *nth* call of *method*, counted from 1."""
    calls = 0

    def draw(called: str) -> Mishap:
        nonlocal calls
        calls += called == method
        return mishap if called == method and calls == nth else Mishap.NONE

    return draw


async def assign(
    driver: MemoryComponent, generation: int, exposure: Exposure, candidate: str = "1.1"
) -> None:
    await driver.apply(
        Assignment(
            placement=PLACEMENT,
            candidate=await driver.resolve(candidate, "{}"),
            baseline=await driver.resolve("1.0", "{}"),
            exposure=exposure,
            generation=Generation(generation),
            environment=Environment.LAB,
            settings_json="{}",
            target_settings_json="{}",
        )
    )


async def test_a_lost_acknowledgement_has_taken_effect() -> None:
    """An error doesn't mean that nothing happened: the caller must look."""
    driver = MemoryComponent(mishap=one(Mishap.LOST_ACKNOWLEDGEMENT, "apply", 2))
    await assign(driver, 1, NO_EXPOSURE, candidate="1.0")

    with pytest.raises(WorkloadError):
        await assign(driver, 2, FEW)

    assert driver.served(PLACEMENT).exposure == FEW


async def test_a_refused_call_has_taken_no_effect() -> None:
    """Nor does it mean that something did."""
    driver = MemoryComponent(mishap=one(Mishap.REFUSED, "apply", 2))
    await assign(driver, 1, NO_EXPOSURE, candidate="1.0")

    with pytest.raises(WorkloadError):
        await assign(driver, 2, FEW)

    assert driver.served(PLACEMENT).exposure == NO_EXPOSURE


async def test_late_repeats_change_nothing() -> None:
    """Everything that was ever sent arrives again after the stop, and is refused."""
    driver = MemoryComponent(mishap=one(Mishap.LATE_REPEAT, "observe", 1))
    await assign(driver, 1, NO_EXPOSURE, candidate="1.0")
    await assign(driver, 2, FEW)
    await driver.withdraw(PLACEMENT, Generation(3))

    seen = await driver.observe(PLACEMENT)

    assert seen.exposure == NO_EXPOSURE
    assert driver.refused_late == 2


async def test_an_old_read_shows_its_old_generation() -> None:
    """Who compares generations isn't fooled by a read from before the change."""
    driver = MemoryComponent(mishap=one(Mishap.OLD_READ, "observe", 1))
    await assign(driver, 1, NO_EXPOSURE, candidate="1.0")
    await assign(driver, 2, FEW)

    seen = await driver.observe(PLACEMENT)

    assert (seen.settled, seen.generation, seen.exposure) == (True, 1, NO_EXPOSURE)


async def test_a_lie_shows_in_the_digests() -> None:
    """Who compares digests isn't fooled by a target that says it's settled."""
    driver = MemoryComponent(mishap=one(Mishap.LIE, "observe", 1))
    await assign(driver, 1, NO_EXPOSURE, candidate="1.0")
    await assign(driver, 2, FEW)

    seen = await driver.observe(PLACEMENT)

    assert seen.settled and seen.candidate is not None
    served = {member.arm: member.digest for member in seen.members}
    assert served[Arm.CANDIDATE] != seen.candidate.digest


async def test_drift_unsettles() -> None:
    """A member that serves something else is seen."""
    driver = MemoryComponent()
    await assign(driver, 1, NO_EXPOSURE, candidate="1.0")

    driver.drift(PLACEMENT, Arm.BASELINE)

    seen = await driver.observe(PLACEMENT)
    assert not seen.settled
    assert "baseline-0 serves sha256:000" in seen.why_not


async def test_the_log_tells_every_change_of_exposure() -> None:
    """A simulation can check that exposure never rose but when it was allowed to."""
    driver = MemoryComponent()
    await assign(driver, 1, NO_EXPOSURE, candidate="1.0")
    await assign(driver, 2, FEW)
    await assign(driver, 2, FEW)
    await driver.withdraw(PLACEMENT, Generation(3))
    await driver.withdraw(PLACEMENT, Generation(3))

    assert driver.log == [
        (PLACEMENT, FEW, Generation(2)),
        (PLACEMENT, NO_EXPOSURE, Generation(3)),
    ]
