"""Related rollouts raise exposure apart from each other, unrelated ones don't wait, and time ends it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tidegate.domain.plan.model import Dependency, HealthModel, HealthNode, Impact
from tidegate.domain.quantities import RolloutId, ServiceName
from tidegate.domain.rollout.stagger import Neighbour, needed_by, too_close
from tidegate.testing.builders import START, a_plan, a_rollout

APART = timedelta(minutes=10)
MODEL = HealthModel(
    nodes=(
        HealthNode(name="shop", needs=(Dependency(node="payments", impact=Impact.OUTAGE),)),
        HealthNode(name="payments", needs=(Dependency(node="bank", impact=Impact.DEGRADED),)),
    )
)
SHOP = replace(a_rollout(), plan=replace(a_plan(), stagger=APART, health=MODEL))


def neighbour(service: str, *, needs: tuple[str, ...] = (), minutes_ago: int = 3) -> Neighbour:
    """Return another rollout that rose so long ago."""
    return Neighbour(
        rollout_id=RolloutId("other"),
        service=ServiceName(service),
        needs=needs,
        raised_at=START - timedelta(minutes=minutes_ago),
    )


def test_what_is_needed_is_followed_all_the_way_down() -> None:
    """The bank is needed through payments."""
    assert needed_by(ServiceName("shop"), MODEL) == ("payments", "bank")


@pytest.mark.parametrize(
    "other",
    [
        neighbour("payments"),
        neighbour("bank"),
        neighbour("mobile", needs=("shop",)),
        neighbour("shop"),
    ],
    ids=["needed", "needed by what is needed", "needs it", "itself elsewhere"],
)
def test_related_rollouts_keep_apart(other: Neighbour) -> None:
    """A rise three minutes ago delays this one by seven more, and says whose it was."""
    found = too_close(SHOP, [other], START)

    assert found is not None
    until, why = found
    assert until == START + timedelta(minutes=7)
    assert other.service in why


def test_sharing_nothing_but_a_target_is_no_reason_to_wait() -> None:
    """A fleet doesn't wait in one line."""
    assert too_close(SHOP, [neighbour("search")], START) is None


def test_time_ends_it() -> None:
    """Ten minutes after the other's rise it may go on, to the second."""
    other = neighbour("payments", minutes_ago=10)

    assert too_close(SHOP, [other], START) is None
    assert too_close(SHOP, [other], START - timedelta(seconds=1)) is not None


def test_it_does_not_wait_for_itself() -> None:
    """Its own last rise is what its bake is for."""
    own = replace(neighbour("shop"), rollout_id=SHOP.id)

    assert too_close(SHOP, [own], START) is None


def test_without_a_stagger_nothing_waits() -> None:
    """In the lab everything may move at once."""
    hurried = replace(SHOP, plan=replace(SHOP.plan, stagger=timedelta(0)))

    assert too_close(hurried, [neighbour("payments", minutes_ago=0)], START) is None
