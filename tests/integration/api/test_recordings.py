"""Recordings over the API: what the signals of a rollout counted."""

import httpx

from tidegate.api.shapes.recording import Recording
from tidegate.api.showing.recording import read_recording, show_recording
from tidegate.domain.quantities import Arm
from tidegate.domain.rollout.machine import State
from tidegate.testing.memory_world import MemoryWorld


async def test_a_rollout_is_recorded(world: MemoryWorld, client: httpx.AsyncClient) -> None:
    """Counts of both arms with the share of the time; what is sent is read back equal."""
    await world.installed()
    rollout = await world.start("1.1.0")
    await world.run(rollout.id, until=(State.ROLLED_BACK,), failing={Arm.CANDIDATE: 0.5})

    answer = await client.get("/v1/rollouts/shop/recording")

    assert answer.status_code == 200
    shown = Recording.model_validate(answer.json())
    assert (shown.rollout, shown.ended, shown.change) == (rollout.id, "rolled_back", "code=1.1.0")
    (signal,) = shown.periods[0].signals
    assert shown.periods[0].set_bps == 1_000
    assert signal.candidate.bad > 0
    assert signal.baseline.bad == 0
    assert show_recording(read_recording(shown)) == shown


async def test_a_rollout_that_is_not_there_has_no_recording(client: httpx.AsyncClient) -> None:
    """404 with the problem."""
    answer = await client.get("/v1/rollouts/r-nobody/recording")

    assert answer.status_code == 404
