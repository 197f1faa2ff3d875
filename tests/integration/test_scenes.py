"""The scenes that screens are shown with: each is what its name says, and the same each time."""

import pytest

from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import ReasonCode
from tidegate.errors import StoreError
from tidegate.testing.scenes import Scene, Staged, stage

NORMAL = {
    "checkout": State.BAKING,
    "gateway": State.COMPLETED,
    "orders-api": State.BAKING,
    "payments": State.BAKING,
    "pricing": State.ROLLED_BACK,
    "search": State.WAITING,
    "search-next": State.PLANNED,
}
CHANGES = {
    Scene.HELD: {"orders-api": State.HELD},
    Scene.HALTED: {"checkout": State.HALTED},
    Scene.HOSTILE: {
        "checkout": State.HALTED,
        "orders-api": State.HELD,
        "gateway": State.WAITING,
    },
}


def states(staged: Staged) -> dict[str, State]:
    return {name: staged.world.rollout(one).state for name, one in staged.rollouts.items()}


@pytest.mark.parametrize("scene", list(Scene))
async def test_a_scene_is_what_its_name_says(scene: Scene) -> None:
    """A test that asks for a scene finds the rollouts in the states that the scene promises."""
    staged = await stage(scene)

    wanted = {} if scene is Scene.EMPTY else NORMAL | CHANGES.get(scene, {})
    assert states(staged) == wanted


async def test_two_makings_are_alike() -> None:
    """Pictures and figures of a scene change only when the product does."""
    first, second = await stage(Scene.NORMAL), await stage(Scene.NORMAL)

    assert first.rollouts == second.rollouts
    assert [first.world.rollout(one) for one in first.rollouts.values()] == [
        second.world.rollout(one) for one in second.rollouts.values()
    ]
    reason = first.world.rollout(first.rollouts["search"]).waiting_on.reason
    assert reason is ReasonCode.APPROVAL


@pytest.mark.parametrize("read_only", [True, False])
async def test_the_store_of_the_error_scene_is_gone(read_only: bool) -> None:
    """The use cases meet what they would meet with a broken disk."""
    outside = (await stage(Scene.ERROR)).world.outside

    with pytest.raises(StoreError), outside.store.begin(read_only=read_only):
        pass
