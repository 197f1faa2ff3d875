"""What tests of gates ask: whether a rollout goes on."""

from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import Rollout
from tidegate.testing.memory_world import MemoryWorld


async def goes(world: MemoryWorld, rollout: Rollout) -> bool:
    """Return whether the rollout begins to expose anything within some looks."""
    try:
        await world.run(rollout.id, until=[State.APPLYING, State.BAKING], most_ticks=60)
    except AssertionError:
        return False
    return True
