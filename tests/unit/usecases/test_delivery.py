"""How a service delivers: what is counted, what isn't, and when there is too little to say a number."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from tidegate.domain.quantities import Arm, RolloutId, ServiceName
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import Halt, HaltCause
from tidegate.testing.builders import START, a_rollout
from tidegate.testing.memory_world import DOCUMENT, MemoryWorld
from tidegate.usecases.delivery import Delivery, Deployment, Outcome, delivery_of, numbers_of
from tidegate.usecases.halt import halt_rollout
from tidegate.usecases.roll_back import roll_back

SHOP = ServiceName("shop")
DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)


def stayed(number: int, **changes: object) -> Deployment:
    return Deployment(  # type: ignore[arg-type]
        rollout=RolloutId(f"r-{number}"),
        outcome=Outcome.STAYED,
        at=START,
        took=timedelta(hours=number),
        **changes,
    )


def failed(number: int, *, back_after: timedelta | None) -> Deployment:
    return Deployment(
        rollout=RolloutId(f"f-{number}"),
        outcome=Outcome.FAILED,
        at=START,
        stopped_at=START,
        back_at=None if back_after is None else START + back_after,
    )


def of(*deployments: Deployment, days: float = 28) -> Delivery:
    return numbers_of(deployments, since=START, until=START + days * DAY)


def now_of(world: MemoryWorld) -> datetime:
    return world.clock.now()


def delivery(world: MemoryWorld) -> Delivery:
    with world.store.begin(read_only=True) as transaction:
        return delivery_of(transaction, transaction.rollouts(service=SHOP), world.clock.now())


def test_the_numbers_of_a_month_by_hand() -> None:
    """Eight in four weeks are two a week; three of them failed, and the middle way back took 20 minutes."""
    backs = [failed(n, back_after=n * 10 * MINUTE) for n in (1, 2, 9)]

    found = of(*(stayed(n) for n in range(1, 6)), *backs)

    assert found.per_week == pytest.approx(2.0)
    assert found.failed_share == pytest.approx(3 / 8)
    assert found.median_back == 20 * MINUTE
    assert found.median_took == timedelta(hours=3)
    assert (found.deployments, found.failed, found.recovered, found.not_back) == (8, 3, 3, 0)


@pytest.mark.parametrize(("days", "said"), [(6.9, False), (7, True)])
def test_no_frequency_is_said_of_less_than_a_week(days: float, said: bool) -> None:
    """Two in a day aren't fourteen a week."""
    assert (of(stayed(1), stayed(2), days=days).per_week is not None) is said


def test_no_share_is_said_of_four_and_no_time_of_two() -> None:
    """The counts are there, the shares and middles aren't."""
    found = of(stayed(1), stayed(2), failed(1, back_after=MINUTE), failed(2, back_after=3 * MINUTE))

    assert (found.deployments, found.failed, found.recovered) == (4, 2, 2)
    assert found.failed_share is found.urgent_share is None
    assert found.median_back is found.median_took is None


def test_nothing_in_four_weeks_is_a_number_and_no_share() -> None:
    """None a week is known; of none nothing failed and nothing succeeded."""
    found = of()

    assert found.per_week == 0.0
    assert found.failed_share is None


def test_what_isnt_back_yet_counts_as_failed_and_in_no_time() -> None:
    """A way back that isn't over makes no recovery look quick."""
    found = of(*(failed(n, back_after=MINUTE) for n in range(3)), failed(9, back_after=None))

    assert (found.failed, found.recovered, found.not_back) == (4, 3, 1)
    assert found.median_back == MINUTE


def test_the_middle_of_four_lies_between_two() -> None:
    """An even number has two in the middle."""
    found = of(*(failed(n, back_after=n * MINUTE) for n in (1, 2, 4, 60)))

    assert found.median_back == 3 * MINUTE


def test_what_an_emergency_carried_is_counted_apart() -> None:
    """Unplanned work is a share of its own."""
    found = of(*(stayed(n) for n in range(1, 5)), stayed(5, is_urgent=True))

    assert (found.urgent, found.urgent_share) == (1, pytest.approx(0.2))


async def test_an_install_and_a_harmful_release_are_two_deployments_and_one_failure() -> None:
    """What was stopped while users met it failed; it was back when the old version was served again."""
    world = MemoryWorld()
    await world.installed()
    bad = await world.start("1.1.0")
    bad = await world.run(bad.id, until={State.ROLLED_BACK}, failing={Arm.CANDIDATE: 0.5})

    found = delivery(world)

    assert (found.deployments, found.failed, found.recovered) == (2, 1, 1)
    assert found.per_week is None
    assert found.since < bad.created_at


async def test_what_was_stopped_before_any_user_met_it_is_in_no_number() -> None:
    """A halt before the first phase is no failed change."""
    world = MemoryWorld()
    await world.installed()
    early = await world.start("1.1.0")
    await halt_rollout(world.outside, early.id, actor="dev-a", reason="wrong version")

    found = delivery(world)

    assert (found.deployments, found.failed, found.stopped_before_users) == (1, 0, 1)


async def test_a_halted_rollout_has_failed_before_it_is_over() -> None:
    """Nobody has to end it first; until it is back it is counted as not back."""
    world = MemoryWorld()
    await world.installed()
    stopped = await world.start("1.1.0")
    await world.run(stopped.id, until={State.BAKING})
    await halt_rollout(world.outside, stopped.id, actor="dev-a", reason="orders fail")

    found = delivery(world)

    assert (found.deployments, found.failed, found.not_back) == (2, 1, 1)


async def test_what_is_under_way_is_in_no_number() -> None:
    """What may still fail isn't counted as good."""
    world = MemoryWorld()
    await world.installed()
    going = await world.start("1.1.0")
    await world.run(going.id, until={State.BAKING})

    assert delivery(world).deployments == 1


async def test_a_completed_change_that_was_brought_back_has_failed() -> None:
    """Completing isn't staying: whoever asked for the way back said that it failed."""
    world = MemoryWorld()
    await world.installed()
    document = DOCUMENT.replace(", approve: 1 of team-release", "")
    done = await world.start("1.1.0", document=document)
    await world.run(done.id, until={State.COMPLETED})
    before = delivery(world)
    world.clock.advance(2 * MINUTE)
    back = await roll_back(world.outside, done.id, actor="dev-a", reason="totals are wrong")
    back = await world.run(back.id, until={State.ROLLED_BACK})

    found = delivery(world)

    assert (before.deployments, before.failed) == (2, 0)
    assert (found.deployments, found.failed, found.recovered) == (2, 1, 1)


async def test_what_ended_before_the_window_is_left_out() -> None:
    """Four weeks later nothing of it is counted, and the service is known for the whole window."""
    world = MemoryWorld()
    await world.installed()
    world.clock.advance(29 * DAY)

    found = delivery(world)

    assert (found.deployments, found.per_week) == (0, 0.0)
    assert found.until - found.since == 28 * DAY


def test_a_service_without_a_rollout_has_no_numbers() -> None:
    """Nothing is known since now."""
    world = MemoryWorld()

    found = delivery(world)

    assert found.since == found.until == now_of(world)
    assert found.per_week is None


def test_what_a_newer_change_replaced_has_not_failed() -> None:
    """Nothing was wrong with it: it counts neither as good nor as bad. A person's word counts."""
    world = MemoryWorld()
    halt = Halt(cause=HaltCause.PERSON, because="replaced by rollout r-9", by="dev-a", at=START)
    replaced = a_rollout("r-1", state=State.ROLLED_BACK, phase_index=1, halt=halt)
    unwanted = replace(replaced, halt=replace(halt, because="totals are wrong"))

    with world.store.begin(read_only=True) as transaction:
        found = [delivery_of(transaction, [one], START) for one in (replaced, unwanted)]

    assert [(one.deployments, one.failed) for one in found] == [(0, 0), (1, 1)]
