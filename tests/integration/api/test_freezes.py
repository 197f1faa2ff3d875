"""Freezes over HTTP: nothing that they cover rises in their time; all else, and every way down, goes on."""

from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from tidegate.domain.calendar.freezes import Freeze, FreezeScope
from tidegate.domain.quantities import NO_EXPOSURE, Arm, Exposure
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import HaltCause, ReasonCode, Rollout
from tidegate.errors import StateMovedError
from tidegate.testing.memory_world import DOCUMENT, MemoryWorld
from tidegate.usecases.freezes import FREEZES
from tidegate.usecases.governance import still_allowed

NO_APPROVALS = DOCUMENT.replace(", approve: 1 of team-release", "")
TWO_TARGETS = (
    NO_APPROVALS.replace(
        "targets: [{name: eu, environment: lab}]",
        "targets: [{name: eu, environment: lab, ring: first},"
        " {name: us, environment: lab, ring: second, settings: {listen: '127.0.0.1:18081'}}]",
    )
    .replace("traffic: 10%", "to: first, traffic: 10%")
    .replace("traffic: 50%", "to: first, traffic: 100%")
    .replace("{name: all, traffic: 100%, bake: 20s}", "{name: all, to: second, bake: 30s}")
)


async def baking(world: MemoryWorld) -> Rollout:
    await world.installed(document=NO_APPROVALS)
    rollout = await world.start("1.1.0", document=NO_APPROVALS)
    return await world.run(rollout.id, until={State.BAKING})


def exposed(world: MemoryWorld, rollout: Rollout) -> Exposure:
    return world.component.served(rollout.plan.placements()[0]).exposure


async def freeze(
    client: httpx.AsyncClient,
    world: MemoryWorld,
    *,
    begins: float | None = None,
    ends: float = 3600.0,
    **said: Any,
) -> httpx.Response:
    """Announce a freeze; its times in seconds from now."""
    now = world.clock.now()
    since = None if begins is None else (now + timedelta(seconds=begins)).isoformat()
    until = (now + timedelta(seconds=ends)).isoformat()
    body = {"scope": "everything", "reason": "winter sale", "since": since, "until": until, **said}
    return await client.post("/v1/freezes", json=body)


async def lift(client: httpx.AsyncClient, number: int = 1, reason: str = "over") -> httpx.Response:
    return await client.post(f"/v1/freezes/{number}/lift", json={"reason": reason})


async def pass_time(
    world: MemoryWorld, rollout: Rollout, ticks: int = 60, failing: dict[Arm, float] | None = None
) -> Rollout:
    """Let *ticks* pass, with healthy traffic far more than the phase needs."""
    left = iter(range(ticks))
    return await world.run(
        rollout.id,
        until=lambda _: next(left, None) is None,
        most_ticks=ticks * 9,
        failing=failing,
    )


@pytest.mark.parametrize(
    "said",
    [
        {"scope": "everything"},
        {"scope": "service", "name": "shop"},
        {"scope": "ring", "name": "first"},
        {"scope": "environment", "name": "lab"},
    ],
)
async def test_a_bake_goes_on_and_the_next_rise_waits_until_the_end(
    client: httpx.AsyncClient, world: MemoryWorld, said: dict[str, str]
) -> None:
    """It passes its phase, waits with the freeze's words and end, and rises by itself when that comes."""
    rollout = await baking(world)
    before = exposed(world, rollout)

    added = await freeze(client, world, ends=300, **said)
    ends = world.clock.now() + timedelta(seconds=300)
    waiting = await pass_time(world, rollout)
    shown = (await client.get(f"/v1/rollouts/{rollout.id}")).json()["waiting_on"]
    after = await world.run(
        rollout.id, until=lambda _: exposed(world, rollout).exceeds(before), most_ticks=400
    )

    assert added.status_code == 201, added.text
    assert added.json()["waiting"] == [rollout.id]
    assert (waiting.state, waiting.waiting_on.reason) == (State.WAITING, ReasonCode.WINDOW)
    assert waiting.waiting_on.until == ends
    assert shown["reason_code"] == "window"
    assert "winter sale" in shown["detail"] and "alice" in shown["detail"]
    assert datetime.fromisoformat(shown["until"]) == ends
    assert world.clock.now() >= ends
    assert after.attempt == rollout.attempt


@pytest.mark.parametrize(
    "said",
    [
        {"scope": "ring", "name": "elsewhere"},
        {"scope": "environment", "name": "production"},
        {"scope": "everything", "begins": 3000.0},
    ],
)
async def test_what_is_not_covered_or_not_yet_frozen_rises(
    client: httpx.AsyncClient, world: MemoryWorld, said: dict[str, Any]
) -> None:
    """A freeze closes its own places in its own time, and says so."""
    rollout = await baking(world)
    before = exposed(world, rollout)

    await freeze(client, world, **said)
    await world.run(rollout.id, until=lambda _: exposed(world, rollout).exceeds(before))

    assert (await client.get("/v1/freezes")).json()["freezes"][0]["number"] == 1


async def test_a_freeze_of_a_ring_keeps_only_the_phase_that_raises_there(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """The ring's own phase waits; those of the other ring went on under the same freeze."""
    await world.installed(document=TWO_TARGETS)
    rollout = await world.start("1.1.0", document=TWO_TARGETS)
    await freeze(client, world, scope="ring", name="second")
    here, there = rollout.plan.placements()

    waiting = await world.run(
        rollout.id, until=lambda now: now.waiting_on.reason is ReasonCode.WINDOW
    )

    assert waiting.phase.name == "all"
    assert world.component.served(here).exposure.weight_bps == 10_000
    assert world.component.served(there).exposure == NO_EXPOSURE


async def test_lifting_lets_it_rise_at_once_and_needs_a_reason(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """What waited is named; a second lift changes nothing; the list is empty and the history is not."""
    rollout = await baking(world)
    before = exposed(world, rollout)
    await freeze(client, world)
    await pass_time(world, rollout)

    silent = await lift(client, reason=" ")
    lifted = await lift(client)
    again = await lift(client)
    await world.run(rollout.id, until=lambda _: exposed(world, rollout).exceeds(before))
    listed = (await client.get("/v1/freezes")).json()["freezes"]
    history = (await client.get("/v1/freezes", params={"all": True})).json()["freezes"]

    assert (silent.status_code, silent.json()["code"]) == (422, "request.invalid")
    assert lifted.json()["released"] == [rollout.id]
    assert (again.status_code, again.json()["released"]) == (200, [])
    assert again.json()["freeze"]["lifted_at"] == lifted.json()["freeze"]["lifted_at"]
    assert (listed, [one["state"] for one in history]) == ([], ["lifted"])


async def test_a_second_freeze_moves_the_end_that_is_shown(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """What a person plans by is the calendar as it is now, not as it was when the wait began."""
    rollout = await baking(world)
    await freeze(client, world, ends=1000)
    first = await pass_time(world, rollout)
    longer = await freeze(client, world, ends=5000, reason="inventory")
    second = await world.turns(rollout.id)
    await lift(client, 2)
    third = await world.turns(rollout.id)

    assert longer.json()["freeze"]["number"] == 2
    assert first.waiting_on.until is not None and second.waiting_on.until is not None
    assert first.waiting_on.until < second.waiting_on.until
    assert "inventory" in second.waiting_on.detail
    assert third.waiting_on == first.waiting_on


async def test_harm_halts_and_a_rollback_goes_on_under_a_freeze(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """Nothing that takes the candidate away asks the calendar."""
    rollout = await baking(world)
    await freeze(client, world)

    halted = await pass_time(world, rollout, failing={Arm.CANDIDATE: 0.5})
    down = exposed(world, rollout)
    back = await client.post(f"/v1/rollouts/{rollout.id}/rollback", json={"reason": "harm"})
    after = await world.run(rollout.id, until=lambda now: now.is_final)

    assert halted.halt is not None and halted.halt.cause is HaltCause.HARM
    assert down == NO_EXPOSURE
    assert back.status_code in (202, 409), back.text
    assert after.state is State.ROLLED_BACK


async def test_a_resumed_rollout_waits_for_the_calendar_of_all_it_brings_back(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """After a halt the phase raises what earlier ones had reached too, so their freezes count again."""
    document = TWO_TARGETS.replace("plan:", "plan:\n  recovery: hold")
    await world.installed(document=document)
    rollout = await world.start("1.1.0", document=document)
    await world.run(
        rollout.id, until=lambda now: now.phase_index == 2 and now.state is State.BAKING
    )
    await client.post(f"/v1/rollouts/{rollout.id}/halt", json={"reason": "a look"})
    await world.run(
        rollout.id, until=lambda now: now.waiting_on.reason.value == "person_after_halt"
    )
    await freeze(client, world, scope="ring", name="first")

    await client.post(f"/v1/rollouts/{rollout.id}/resume", json={"reason": "looked"})
    waiting = await pass_time(world, rollout, ticks=10)

    assert waiting.waiting_on.reason is ReasonCode.WINDOW
    assert {world.component.served(one).exposure for one in rollout.plan.placements()} == {
        NO_EXPOSURE
    }


async def test_a_rise_is_not_recorded_once_the_calendar_has_closed(
    client: httpx.AsyncClient, world: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A freeze that came between the look and the record turns the rise away."""
    rollout = await baking(world)
    refused = []

    def late(transaction: Any, seen: Any) -> None:
        number = 1 + len(FREEZES.open(transaction))
        if number == 1:
            FREEZES.put(transaction, a_freeze_now(world))
        try:
            still_allowed(transaction, seen)
        except StateMovedError:
            refused.append(seen.rollout.phase.name)
            raise

    monkeypatch.setattr("tidegate.usecases.step_scene.still_allowed", late)

    with pytest.raises(StateMovedError):
        await pass_time(world, rollout)

    assert refused == ["half"]
    assert exposed(world, rollout).weight_bps == 1_000


def a_freeze_now(world: MemoryWorld) -> Freeze:
    now = world.clock.now()
    return Freeze(
        number=1,
        scope=FreezeScope.EVERYTHING,
        name="",
        since=now,
        until=now + timedelta(hours=1),
        reason="sale",
        by="bob",
        at=now,
        allows_exceptions=False,
    )


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ({"scope": "everything", "name": "shop"}, 422),
        ({"scope": "service"}, 422),
        ({"scope": "environment", "name": "moon"}, 422),
        ({"scope": "service", "name": "shpo"}, 404),
        ({"reason": "  "}, 422),
        ({"ends": -1.0}, 422),
        ({"begins": 10.0, "ends": 10.0}, 422),
        ({"ends": 400 * 86400.0}, 422),
        ({"begins": -500 * 86400.0}, 422),
        ({"until": "2030-01-07T12:00:00"}, 422),
        ({"until": "0001-01-01T00:00:00+10:00"}, 422),
        ({"until": "soon"}, 422),
        ({"scope": "galaxy"}, 422),
        ({"untill": "2030-01-07T12:00:00Z"}, 422),
    ],
)
async def test_a_freeze_that_closes_nothing_or_no_one_knows_what_is_an_error(
    client: httpx.AsyncClient, world: MemoryWorld, said: dict[str, Any], status: int
) -> None:
    """A slip of the pen must not look like a freeze; nothing is recorded."""
    await world.installed(document=NO_APPROVALS)

    answer = await freeze(client, world, **said)

    assert answer.status_code == status, answer.text
    assert (await client.get("/v1/freezes", params={"all": True})).json()["freezes"] == []


async def test_one_that_is_over_cannot_be_lifted_and_one_that_never_was_is_not_found(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """Both are said, since whoever lifts expects that something opens."""
    await freeze(client, world, ends=10)
    world.clock.advance(timedelta(seconds=10))

    over = await lift(client)
    unknown = await lift(client, 2)
    history = (await client.get("/v1/freezes", params={"all": True})).json()["freezes"]

    assert (over.status_code, over.json()["code"]) == (409, "refused")
    assert unknown.status_code == 404
    assert [one["state"] for one in history] == ["over"]
    assert (await client.get("/v1/freezes")).json()["freezes"] == []


async def test_the_ledger_tells_who_froze_what_and_why(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """An auditor finds both ends of a freeze, with their reasons."""
    await freeze(client, world)
    await lift(client)

    with world.store.begin(read_only=True) as transaction:
        facts = [one for one in transaction.ledger() if one.kind == "command"]

    assert [(one.rule, one.actor) for one in facts] == [
        ("add-freeze", "alice"),
        ("lift-freeze", "alice"),
    ]
    assert "winter sale" in facts[0].because and "over" in facts[1].because
