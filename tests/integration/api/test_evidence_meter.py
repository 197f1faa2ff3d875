"""The evidence meter over HTTP: words, chances and times, and the points of a chart."""

from dataclasses import replace

import httpx

from tidegate.api.shapes.evidence import Evidence
from tidegate.domain.quantities import RolloutId
from tidegate.domain.rollout.machine import State
from tidegate.testing.memory_world import DOCUMENT, MemoryWorld

WITHOUT_APPROVAL = DOCUMENT.replace(", approve: 1 of team-release", "")


async def baking(world: MemoryWorld, ticks: int = 6) -> str:
    """Return a rollout that has baked for some ticks."""
    await world.installed()
    rollout = await world.start("1.1.0", document=WITHOUT_APPROVAL)
    await world.run(rollout.id, until={State.BAKING})
    for _ in range(ticks):
        await world.run(rollout.id, until=lambda _: True)
        world.clock.advance(rollout.plan.tick)
    return rollout.id


async def read(client: httpx.AsyncClient, rollout_id: str, **query: str) -> Evidence:
    answer = await client.get(f"/v1/rollouts/{rollout_id}/evidence", params=query)
    assert answer.status_code == 200
    return Evidence.model_validate(answer.json())


async def test_the_meter_comes_with_the_evidence(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """The word first, then what's excluded of what's tolerated, power, time, exposure, data."""
    rollout_id = await baking(world)

    found = await read(client, rollout_id)

    signal = found.signals[0]
    assert (signal.shown, signal.proof_in_seconds) == ("PROVEN", 0.0)
    assert signal.ruled_out is not None
    assert signal.ruled_out < signal.tolerated
    assert signal.power_twice_tolerated is not None
    assert signal.power_twice_tolerated > 0.9
    assert found.exposure is not None
    assert found.exposure.requests == signal.candidate.total
    assert (found.exposure.targets, found.exposure.targets_count) == (1, 1)
    assert found.data is not None
    assert found.data.split_as_planned is True
    assert found.data.candidate_share == found.data.planned_share == 0.1
    assert found.points == []


async def test_points_come_when_asked_for_and_only_the_new_ones(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """A chart is drawn once and then goes on from its last point."""
    rollout_id = await baking(world)

    everything = (await read(client, rollout_id, since="1970-01-01T00:00:00Z")).points
    newer = (await read(client, rollout_id, since=everything[-2].at.isoformat())).points

    assert len(everything) >= 5
    assert newer == everything[-1:]
    assert everything[-1].phase == 1
    assert everything[-1].signals[0].candidate[0] > everything[0].signals[0].candidate[0]


async def test_a_time_without_a_zone_is_refused(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """Whose midnight it would be can't be known."""
    rollout_id = await baking(world)

    answer = await client.get(
        f"/v1/rollouts/{rollout_id}/evidence", params={"since": "2030-01-01T00:00:00"}
    )

    assert answer.status_code == 422


async def test_why_shows_the_same_meter(client: httpx.AsyncClient, world: MemoryWorld) -> None:
    """What explains a state says how far the proof is."""
    rollout_id = await baking(world)

    told = (await client.get(f"/v1/rollouts/{rollout_id}/why")).json()["evidence"]

    assert told["signals"] == (await read(client, rollout_id)).model_dump(mode="json")["signals"]


async def test_a_rollout_that_was_never_watched_has_an_empty_meter(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """It can be asked for from the first moment on."""
    await world.installed()
    rollout = await world.start("1.1.0", document=WITHOUT_APPROVAL)

    found = await read(client, rollout.id)

    assert found.signals == []
    assert found.exposure is not None
    assert found.exposure.requests_per_second is None


async def test_tests_of_another_release_leave_the_meter_without_bounds(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """The summary can be read, the tests can't: nothing is claimed to be ruled out."""
    rollout_id = await baking(world)
    with world.store.begin() as transaction:
        stored = transaction.evidence(RolloutId(rollout_id))
        assert stored is not None
        transaction.save_evidence(replace(stored, state_json='{"of": "another release"}'), [])

    found = await read(client, rollout_id)

    assert found.signals[0].ruled_out is None
    assert found.signals[0].shown == "PROVEN"
