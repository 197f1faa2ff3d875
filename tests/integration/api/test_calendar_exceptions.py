"""Exceptions from the calendar: a second person's word, for one phase, for hours, and few in a month."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tidegate.domain.quantities import NO_EXPOSURE
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import ReasonCode, Rollout
from tidegate.testing.emergencies import a_protocol
from tidegate.testing.memory_world import DOCUMENT, MemoryWorld, the_shop
from tidegate.usecases import emergency_records
from tidegate.usecases.start import start_rollout

BUDGET = "exceptions: {budget: 1, per: 30d}"
SHOP = DOCUMENT.replace(", approve: 1 of team-release", "").replace(
    "plan:\n", "plan:\n  window: {days: mon-fri, hours: '09:00-16:00', BUDGET}\n"
)
SATURDAY = datetime(2026, 3, 7, 12, tzinfo=UTC)


def shop(budget: str = BUDGET) -> str:
    return SHOP.replace("BUDGET", budget)


def at(world: MemoryWorld, when: datetime) -> None:
    world.clock.advance(when - world.clock.now())


async def waiting(
    world: MemoryWorld, *, document: str | None = None, version: str = "1.1.0"
) -> Rollout:
    """Start on a Saturday and come to where only the calendar is waited for."""
    document = document or shop()
    # An approval of its first phase would be asked for by the installation, too.
    await world.installed(document=document.replace(", approve: 1 of team-release", ""))
    at(world, SATURDAY)
    rollout = await world.start(version, document=document, actor="alice")
    return await world.turns(rollout.id)


async def ask(
    client: httpx.AsyncClient, rollout: Rollout, *, by: str = "bob", reason: str = "INC-7"
) -> httpx.Response:
    return await client.post(
        f"/v1/rollouts/{rollout.id}/except",
        json={"reason": reason},
        headers={"tidegate-actor": by},
    )


def weight(world: MemoryWorld, rollout: Rollout) -> int:
    return world.component.served(rollout.plan.placements()[0]).exposure.weight_bps


async def freeze(
    client: httpx.AsyncClient, world: MemoryWorld, hours: float = 48, **said: Any
) -> None:
    until = (world.clock.now() + timedelta(hours=hours)).isoformat()
    body = {"scope": "everything", "reason": "sale", "until": until, **said}
    answer = await client.post("/v1/freezes", json=body)
    assert answer.status_code == 201, answer.text


async def test_one_phase_begins_and_the_next_waits_again(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """It is for what is waited for, and its use is told with the rise and in the ledger."""
    rollout = await waiting(world)
    before = weight(world, rollout)

    given = await ask(client, rollout)
    after = await world.run(
        rollout.id,
        until=lambda now: now.phase.name == "half" and now.waiting_on.reason is ReasonCode.WINDOW,
    )
    with world.store.begin(read_only=True) as transaction:
        entries = list(transaction.ledger())

    assert rollout.waiting_on.reason is ReasonCode.WINDOW
    assert given.status_code == 201, given.text
    assert (given.json()["phase"], given.json()["left"]) == ("few", 0)
    assert datetime.fromisoformat(given.json()["expires_at"]) == SATURDAY + timedelta(hours=4)
    assert (before, weight(world, after)) == (0, 1_000)
    fact = next(one for one in entries if one.rule == "except-from-calendar")
    assert (fact.actor, fact.rollout_id) == ("bob", rollout.id)
    assert "INC-7" in fact.because
    rises = [one.because for one in entries if one.rule == "enter-phase"]
    assert "phase 1 of 3: few, outside the calendar by exception 1 by bob: INC-7" in rises


async def test_it_takes_another_person_than_who_started_it(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """One's own word isn't a second one, and nothing is counted for asking."""
    rollout = await waiting(world)

    own = await ask(client, rollout, by="alice")
    second = await ask(client, rollout, by="bob")

    assert (own.status_code, own.json()["code"]) == (403, "forbidden")
    assert "alice's own change" in own.json()["detail"]
    assert second.status_code == 201


async def test_a_change_of_which_nobody_knows_the_author_has_no_second_person(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """It could be the very person who asks."""
    document = shop()
    await world.installed(document=document)
    at(world, SATURDAY)
    rollout = await start_rollout(
        world.outside, the_shop(document), {"code": "1.1.0"}, actor="pipeline"
    )
    await world.turns(rollout.id)

    answer = await ask(client, rollout)

    assert answer.status_code == 403
    assert "nobody is known to stand behind pipeline" in answer.json()["detail"]


async def test_the_budget_is_the_service_s_and_not_the_rollout_s(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """What was given counts for every rollout of the service, weeks later too."""
    rollout = await waiting(world)
    await ask(client, rollout)
    await world.run(
        rollout.id,
        until=lambda now: now.phase.name == "half" and now.waiting_on.reason is ReasonCode.WINDOW,
    )

    same = await ask(client, rollout)
    await client.post(f"/v1/rollouts/{rollout.id}/rollback", json={"reason": "enough"})
    await world.run(rollout.id, until=lambda now: now.is_final)
    at(world, SATURDAY + timedelta(days=28))
    later = await world.start("1.2.0", document=shop(), actor="alice")
    later = await world.turns(later.id)
    other = await ask(client, later)

    assert (same.status_code, same.json()["code"]) == (409, "refused")
    assert "1 of 1 in 30d" in same.json()["detail"]
    assert later.waiting_on.reason is ReasonCode.WINDOW
    assert other.status_code == 409


@pytest.mark.parametrize(("seconds", "status"), [(-1, 409), (0, 201)])
async def test_an_exception_counts_until_it_is_as_old_as_the_budget_says(
    client: httpx.AsyncClient, world: MemoryWorld, seconds: int, status: int
) -> None:
    """Not a second shorter."""
    document = shop("exceptions: {budget: 1, per: 7d}")
    rollout = await waiting(world, document=document)
    await ask(client, rollout)
    await client.post(f"/v1/rollouts/{rollout.id}/halt", json={"reason": "not now"})
    await client.post(f"/v1/rollouts/{rollout.id}/abandon", json={"reason": "not now"})
    await world.turns(rollout.id)
    at(world, SATURDAY + timedelta(days=7, seconds=seconds))
    later = await world.start("1.2.0", document=document, actor="alice")
    await world.turns(later.id)

    assert (await ask(client, later)).status_code == status


async def test_a_budget_of_none_gives_none(client: httpx.AsyncClient, world: MemoryWorld) -> None:
    """Zero is written where it is meant."""
    rollout = await waiting(world, document=shop("exceptions: {budget: 0}"))

    answer = await ask(client, rollout)

    assert answer.status_code == 409
    assert "0 of 0" in answer.json()["detail"]


async def test_a_freeze_is_passed_over_only_where_it_allows_that_and_was_known(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """One of everything allows none by default; one that comes after the exception isn't covered by it."""
    rollout = await waiting(world, document=shop("exceptions: {budget: 9}"))
    await freeze(client, world)

    refused = await ask(client, rollout)
    await client.post("/v1/freezes/1/lift", json={"reason": "let it"})
    await freeze(client, world, allows_exceptions=True)
    given = await ask(client, rollout)
    world.clock.advance(timedelta(seconds=1))
    await freeze(client, world, scope="service", name="shop")
    kept = await world.turns(rollout.id)
    await client.post("/v1/freezes/3/lift", json={"reason": "let it"})
    await world.run(rollout.id, until=lambda _: weight(world, rollout) > 0)

    assert (refused.status_code, refused.json()["code"]) == (409, "refused")
    assert "allows no exception: freeze 1 of everything" in refused.json()["detail"]
    assert given.status_code == 201
    assert kept.waiting_on.reason is ReasonCode.WINDOW
    assert "freeze 3" in kept.waiting_on.detail and "outside" not in kept.waiting_on.detail


async def test_it_expires(client: httpx.AsyncClient, world: MemoryWorld) -> None:
    """What wasn't made use of within hours needs another word."""
    document = shop().replace("traffic: 10%", "traffic: 10%, approve: 1 of team-release")
    rollout = await waiting(world, document=document)
    await ask(client, rollout)
    needs = await world.turns(rollout.id)

    at(world, SATURDAY + timedelta(hours=4))
    await client.post(
        f"/v1/rollouts/{rollout.id}/approve", json={}, headers={"tidegate-actor": "bob"}
    )
    after = await world.turns(rollout.id)

    assert needs.waiting_on.reason is ReasonCode.APPROVAL
    assert after.waiting_on.reason is ReasonCode.WINDOW
    assert world.component.served(rollout.plan.placements()[0]).exposure == NO_EXPOSURE


async def test_a_new_attempt_needs_a_new_one(client: httpx.AsyncClient, world: MemoryWorld) -> None:
    """What was halted is proven anew, and so is the reason to hurry."""
    rollout = await waiting(world, document=shop("exceptions: {budget: 9}"))
    await ask(client, rollout)
    await client.post(f"/v1/rollouts/{rollout.id}/halt", json={"reason": "a look"})
    await world.run(
        rollout.id, until=lambda now: now.waiting_on.reason is ReasonCode.PERSON_AFTER_HALT
    )
    await client.post(f"/v1/rollouts/{rollout.id}/resume", json={"reason": "looked"})

    again = await world.run(
        rollout.id, until=lambda now: now.waiting_on.reason is ReasonCode.WINDOW
    )

    assert (again.attempt, weight(world, again)) == (2, 0)


async def test_an_emergency_is_kept_by_neither_window_nor_freeze_until_it_is_closed(
    client: httpx.AsyncClient, world: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two people agreed to it; of the calendar only what is over for it holds it again."""
    monkeypatch.setattr(emergency_records, "BUILT_IN", (a_protocol(),))
    document = shop("exceptions: {budget: 0}").replace("10s}", "10s, cover: business-day}")
    await world.installed(document=document)
    at(world, SATURDAY)
    await freeze(client, world)
    said = {
        "service": "shop",
        "change": {"code": "1.1.0"},
        "type": "security",
        "incident": "INC-7",
        "facts": {"severity": "sev1"},
        "reason": "CVE-2030-1",
    }
    declared = (await client.post("/v1/emergencies", json=said)).json()["emergency"]["id"]
    await client.post(
        f"/v1/emergencies/{declared}/approve", json={}, headers={"tidegate-actor": "bob"}
    )
    body = {"service": "shop", "change": {"code": "1.1.0"}, "emergency": declared}
    started = await client.post("/v1/rollouts", json=body)
    rollout = world.rollout(started.json()["id"])

    half = await world.run(
        rollout.id, until=lambda now: now.phase.name == "half" and now.state is State.BAKING
    )
    with world.store.begin() as transaction:
        emergency = emergency_records.EMERGENCIES.get(transaction, declared)
        assert emergency is not None
        closed = replace(emergency, closed_at=world.clock.now())
        emergency_records.EMERGENCIES.put(transaction, closed)
    waiting = await world.run(
        rollout.id, until=lambda now: now.waiting_on.reason is ReasonCode.WINDOW
    )
    with world.store.begin(read_only=True) as transaction:
        rises = [one.because for one in transaction.ledger() if one.rule == "enter-phase"]

    assert world.clock.now() < SATURDAY + timedelta(hours=1)
    assert half.emergency_id == declared
    assert waiting.phase.name == "all"
    assert f"phase 1 of 3: few, outside the calendar by emergency {declared}" in rises


async def test_what_makes_no_sense_is_refused(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """Without a reason, twice, for nobody, for what is open, and for what is over."""
    rollout = await waiting(world, document=shop("exceptions: {budget: 9}"))

    silent = await ask(client, rollout, reason=" ")
    unknown = await client.post("/v1/rollouts/nothing/except", json={"reason": "x"})
    first = await ask(client, rollout)
    twice = await ask(client, rollout)
    await client.post(f"/v1/rollouts/{rollout.id}/halt", json={"reason": "not now"})
    halted = await ask(client, rollout)
    await client.post(f"/v1/rollouts/{rollout.id}/abandon", json={"reason": "not now"})
    at(world, SATURDAY + timedelta(days=2))
    document = shop("exceptions: {budget: 9}").replace(
        "traffic: 10%", "traffic: 10%, approve: 1 of x"
    )
    monday = await world.start("1.2.0", document=document, actor="alice")
    await world.turns(monday.id)
    is_open = await ask(client, monday)

    assert silent.status_code == 422
    assert unknown.status_code == 404
    assert first.status_code == 201
    assert (twice.status_code, halted.status_code, is_open.status_code) == (409, 409, 409)
    assert "already" in twice.json()["detail"]
    assert "halted" in halted.json()["detail"]
    assert "is open" in is_open.json()["detail"]
