"""The stream of hints: nothing missed, nothing repeated, taken up again at any number."""

import asyncio

import httpx

from tidegate.testing.memory_world import MemoryWorld


async def test_events_can_be_taken_up_again_anywhere(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """Reading in two parts gives what reading in one gives."""
    rollout = await world.installed()
    path = f"/v1/rollouts/{rollout.id}/events"
    whole = (await client.get(path)).json()
    middle = whole["events"][3]["number"]

    rest = (await client.get(path, params={"after": middle})).json()

    assert rest["events"] == whole["events"][4:]
    assert rest["next"] == whole["next"] == whole["events"][-1]["number"]


async def test_a_poll_waits_for_the_next_event(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """A long poll answers as soon as something happens, with just that."""
    rollout = await world.start("1.0.0")
    path = f"/v1/rollouts/{rollout.id}/events"
    last = (await client.get(path)).json()["next"]

    polling = asyncio.create_task(
        client.get(path, params={"after": last, "wait_seconds": 30.0}, timeout=60.0)
    )
    await client.post(f"/v1/rollouts/{rollout.id}/halt", json={"reason": "now"})
    events = (await polling).json()["events"]

    assert [event["rule"] for event in events] == ["halt"]
    assert events[0]["because"] == "now"


async def test_a_poll_without_news_ends_where_it_was(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """No news is an empty answer with the same number to go on from."""
    rollout = await world.start("1.0.0")
    path = f"/v1/rollouts/{rollout.id}/events"
    last = (await client.get(path)).json()["next"]

    answer = (await client.get(path, params={"after": last})).json()

    assert answer == {"events": [], "next": last}


async def test_events_are_of_one_rollout(client: httpx.AsyncClient, world: MemoryWorld) -> None:
    """What happens to another rollout isn't told."""
    first = await world.installed()
    second = await world.start("1.1.0")

    events = (await client.get(f"/v1/rollouts/{second.id}/events")).json()["events"]

    assert [event["rule"] for event in events] == ["start"]
    assert events[0]["number"] > 1
    assert first.id != second.id
