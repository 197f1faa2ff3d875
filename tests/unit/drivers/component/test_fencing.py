from dataclasses import replace

import pytest

from tidegate.domain.quantities import (
    NO_EXPOSURE,
    ComponentName,
    Environment,
    Exposure,
    Generation,
    Placement,
    ServiceName,
    TargetName,
    Version,
)
from tidegate.drivers.component.fencing import (
    IN_FLIGHT_BOUND,
    Served,
    after_apply,
    after_finish,
    after_retirement,
    after_withdrawal,
)
from tidegate.errors import StaleGenerationError, WorkloadError
from tidegate.ports.component import Assignment

OLD = Version(name="1.0", digest="sha256:old")
NEW = Version(name="1.1", digest="sha256:new")
HOTFIX = Version(name="1.2", digest="sha256:hotfix")
HALF = Exposure(internal=True, weight_bps=5_000)
EVERYONE = Exposure(internal=True, weight_bps=10_000)

SERVING = Served(generation=Generation(4), baseline=OLD)
AT_HALF = Served(generation=Generation(5), baseline=OLD, candidate=NEW, exposure=HALF)
AT_FULL = replace(AT_HALF, exposure=EVERYONE)
FINISHED = after_finish(AT_FULL, Generation(5))
STOPPED = after_withdrawal(AT_HALF, Generation(6))


def asking(
    generation: int,
    *,
    candidate: Version = NEW,
    baseline: Version = OLD,
    exposure: Exposure = HALF,
) -> Assignment:
    return Assignment(
        placement=Placement(
            service=ServiceName("shop"), component=ComponentName("code"), target=TargetName("eu-1")
        ),
        candidate=candidate,
        baseline=baseline,
        exposure=exposure,
        generation=Generation(generation),
        environment=Environment.PRODUCTION,
        settings_json="{}",
        target_settings_json="{}",
    )


@pytest.mark.parametrize(
    ("served", "assignment"),
    [
        pytest.param(AT_HALF, asking(4), id="an older one"),
        pytest.param(AT_HALF, asking(5, exposure=EVERYONE), id="another exposure"),
        pytest.param(AT_HALF, asking(5, candidate=HOTFIX), id="another candidate"),
        pytest.param(STOPPED, asking(5), id="one below the stop"),
        pytest.param(STOPPED, asking(6), id="the stop's own"),
    ],
)
def test_late_assignments_are_refused(served: Served, assignment: Assignment) -> None:
    """Nothing that was decided before what is in force can change it."""
    with pytest.raises(StaleGenerationError):
        after_apply(served, assignment)


@pytest.mark.parametrize(
    ("served", "assignment"),
    [
        pytest.param(Served(), asking(1), id="nothing serves yet"),
        pytest.param(SERVING, asking(5, baseline=HOTFIX), id="another baseline serves"),
        pytest.param(SERVING, asking(5, candidate=OLD), id="it is what serves"),
        pytest.param(FINISHED, asking(6, baseline=HOTFIX), id="the baseline was never here"),
        pytest.param(
            after_retirement(FINISHED), asking(6), id="the warm version was already retired"
        ),
    ],
)
def test_assignments_that_would_move_everyone_are_refused(
    served: Served, assignment: Assignment
) -> None:
    """There is no way to another version but through exposure, or back to a warm one."""
    with pytest.raises(WorkloadError):
        after_apply(served, assignment)


def test_a_later_generation_opens_a_stop() -> None:
    """A resume goes on where a halt ended."""
    told = after_apply(STOPPED, asking(7))

    assert told == replace(AT_HALF, generation=Generation(7))


def test_the_assignment_of_a_finished_generation_is_done() -> None:
    """A late repeat doesn't turn the roles back."""
    assert after_apply(FINISHED, asking(5, exposure=EVERYONE)) is FINISHED


def test_after_a_finish_the_roles_can_be_turned_back() -> None:
    """The way back for everyone is one assignment, as long as the old version is warm."""
    told = after_apply(FINISHED, asking(6, exposure=NO_EXPOSURE))

    assert (told.baseline, told.candidate, told.warm) == (OLD, NEW, ())


def test_a_replaced_candidate_stays_warm() -> None:
    """A hotfix that takes over leaves what it replaces to be looked at and retired."""
    told = after_apply(AT_HALF, asking(6, candidate=HOTFIX))

    assert (told.candidate, told.warm) == (HOTFIX, (NEW,))


def test_an_assignment_repeated_after_a_retirement_is_not_another_one() -> None:
    """What was taken away meanwhile doesn't make a retry a contradiction."""
    assignment = asking(5, exposure=NO_EXPOSURE)
    told = after_apply(SERVING, assignment)

    again = after_apply(after_retirement(told), assignment)

    assert again == told


@pytest.mark.parametrize("served", [Served(), SERVING, AT_HALF, STOPPED, FINISHED])
def test_a_withdrawal_is_never_refused_and_always_latches(served: Served) -> None:
    """Whatever the state, stop means stop, with and without a generation."""
    for generation in (None, Generation(3), Generation(6)):
        told = after_withdrawal(served, generation)

        assert told.exposure == NO_EXPOSURE
        assert told.stopped_at_generation is not None
        assert told.stopped_at_generation >= told.generation >= served.generation


def test_a_stop_without_the_store_is_latched_once() -> None:
    """However many see the harm, the latch doesn't climb away from the store."""
    once = after_withdrawal(AT_HALF, None)

    assert once.stopped_at_generation == AT_HALF.generation + IN_FLIGHT_BOUND
    assert once.generation == AT_HALF.generation
    assert after_withdrawal(once, None) == once


@pytest.mark.parametrize(
    ("served", "generation", "error"),
    [
        (AT_FULL, 4, StaleGenerationError),
        (AT_FULL, 6, StaleGenerationError),
        (after_withdrawal(AT_FULL, Generation(5)), 5, StaleGenerationError),
        (AT_HALF, 5, WorkloadError),
        (SERVING, 4, WorkloadError),
    ],
)
def test_only_who_serves_everyone_now_can_be_finished(
    served: Served, generation: int, error: type[Exception]
) -> None:
    """Nobody becomes the baseline by a late or early call."""
    with pytest.raises(error):
        after_finish(served, Generation(generation))


def test_retiring_keeps_whoever_has_exposure() -> None:
    """Called at the wrong time it takes nothing from anyone."""
    assert after_retirement(AT_HALF) == AT_HALF
    assert after_retirement(STOPPED).candidate is None
    assert after_retirement(FINISHED) == replace(FINISHED, warm=())
