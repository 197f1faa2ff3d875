"""The page of one rollout: what each state shows, who may see it, and that it says what the API says."""

import dataclasses
import html
import re
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest
from two_tenants import EVE, MARK, two_tenants

from tidegate.api.app import create_app
from tidegate.api.pages.onlooker import Onlooker
from tidegate.api.tokens import page_key
from tidegate.domain.quantities import Arm, ServiceName
from tidegate.domain.rollout.alarms import AlarmKind, Severity
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import Rollout
from tidegate.domain.stops.model import StopScope
from tidegate.ports.store import NewEntry
from tidegate.testing.memory_world import MemoryWorld
from tidegate.testing.scenes import LEAD
from tidegate.usecases.abandon import abandon_rollout
from tidegate.usecases.alarm_commands import RaiseAlarm
from tidegate.usecases.alarms import Told
from tidegate.usecases.approve import approve_rollout
from tidegate.usecases.bus import perform
from tidegate.usecases.halt import halt_rollout
from tidegate.usecases.roll_back import roll_back
from tidegate.usecases.stop_commands import GiveStopOrder

TOKEN = "a-token-for-tests"
API = {"authorization": f"Bearer {TOKEN}", "tidegate-actor": "dev-a"}


def words_of(page: str) -> str:
    """Return the text of a page as it is read, with one space between words."""
    flowing = re.sub(r"</?(a|b|code|kbd|small|span|time)\b[^>]*>", "", page)
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", flowing)))


@pytest.fixture
async def browser(page_client: httpx.AsyncClient) -> httpx.AsyncClient:
    """Return a browser that has the page key and acts as dev-a."""
    page_client.cookies.set("tidegate_pages_7180", page_key(TOKEN))
    page_client.cookies.set("tidegate_as_7180", "dev-a")
    return page_client


async def seen(browser: httpx.AsyncClient, rollout: Rollout) -> str:
    answer = await browser.get(f"/rollouts/{rollout.id}")
    assert answer.status_code == 200, answer.text
    return words_of(answer.text)


async def baking(world: MemoryWorld, version: str = "1.1.0") -> Rollout:
    await world.installed()
    rollout = await world.start(version)
    return await world.run(rollout.id, until={State.BAKING})


async def baked_a_while(world: MemoryWorld) -> Rollout:
    """Return a rollout that bakes and of which a few ticks are known."""
    rollout = await baking(world)
    later = world.clock.now() + 4 * rollout.plan.tick
    return await world.run(rollout.id, until=lambda _: world.clock.now() >= later)


async def awaiting_approval(world: MemoryWorld, *, actor: str = "alice") -> Rollout:
    await world.installed()
    rollout = await world.start("1.1.0", actor=actor)
    return await world.run(
        rollout.id, until=lambda now: now.state is State.WAITING and now.phase_index == 1
    )


def buttons(page: str) -> set[str]:
    """Return the buttons of actions on the page, as they are read out."""
    found = re.search(r'aria-label="Actions">(.*?)</div>', page, re.DOTALL)
    assert found is not None
    return set(re.findall(r"<button[^>]*>([A-Z][a-z ]+)", found[1]))


# --- states ------------------------------------------------------------------------------------------


async def test_a_bake_says_what_comes_next_and_what_it_waits_for(
    browser: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """The next exposure, when it is expected, what is still needed, and both bars."""
    rollout = await baked_a_while(world)

    page = (await browser.get(f"/rollouts/{rollout.id}")).text
    text = words_of(page)

    assert "Next: few → half, 50%, about" in text
    assert "if it is agreed by then" in text
    assert "Waiting on: bake" in text
    assert "approval of half: 0 of 1 by team-release" in text
    assert 'aria-label="bake of few, time"' in page
    assert 'aria-label="bake of few, evidence"' in page
    assert "The way back was tried on internal traffic" in text
    assert "Point of no return: 1m after the last phase" in text
    assert buttons(page) == {"Halt ", "Approve ", "Reject ", "Roll back "}


async def test_a_bake_tells_whom_a_fault_would_hurt(
    browser: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """What isn't known is said to be unknown; what the traffic tells is told, with what it rests on."""
    rollout = await baking(world)
    await world.run(rollout.id, until=lambda now: now.state is State.WAITING)

    text = await seen(browser, rollout)

    assert "how many people isn't known" in text
    assert "requests/s" in text
    assert "Rests on what rollouts have seen: 1 hour of the week, so it is a guess." in text


async def test_a_hold_is_never_given_a_time(browser: httpx.AsyncClient, world: MemoryWorld) -> None:
    """Without data nobody can say when it goes on, so the page doesn't either."""
    rollout = await baked_a_while(world)
    for _ in range(60):
        # Nobody watches: what was seen grows old.
        world.clock.advance(rollout.plan.tick)
        await world.turn()

    text = await seen(browser, rollout)

    assert world.rollout(rollout.id).state is State.HELD
    assert "Next: few → half, 50%, no time in sight." in text
    assert "the watch has not looked for" in text


async def test_a_first_deployment_and_its_quarantine(
    browser: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """Nothing was served before, so there is no way back to try; after the end it can't be promised."""
    rollout = await world.start("1.0.0")
    rollout = await world.run(rollout.id, until={State.COMPLETED})

    text = await seen(browser, rollout)

    assert "first deployment: nothing was served before" in text
    assert "Nothing has been watched yet." in text
    assert "Point of no return:" in text
    assert "The way back was tried" not in text


async def test_harm_is_told_with_its_evidence(
    browser: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """Who stopped it and why, the word HARM, and nothing that looks proven."""
    await world.installed()
    rollout = await world.start("1.1.0")
    await world.run(rollout.id, until={State.ROLLED_BACK}, failing={Arm.CANDIDATE: 0.5})

    page = (await browser.get(f"/rollouts/{rollout.id}")).text

    assert "by tidegate: harm proven: errors" in words_of(page)
    assert 'class="shown harm"' in page
    assert 'class="shown proven"' not in page
    assert "Next:" not in words_of(page)
    assert "It is rolled back: it exposes nobody" in words_of(page)


async def test_a_halted_rollout_can_be_resumed_rolled_back_or_given_up(
    browser: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """And not halted again; each of them as a command, too."""
    rollout = await baking(world)
    await halt_rollout(world.outside, rollout.id, actor="lead-a", reason="orders fail")
    await world.turns(rollout.id)

    page = (await browser.get(f"/rollouts/{rollout.id}")).text

    assert "by lead-a: orders fail" in words_of(page)
    assert buttons(page) == {"Resume ", "Roll back ", "Give up"}
    assert f"tidegate rollout abandon {rollout.id}" in words_of(page)


@pytest.mark.parametrize("state", ["abandoned", "rolled_back"])
async def test_what_is_over_offers_nothing(
    browser: httpx.AsyncClient, world: MemoryWorld, state: str
) -> None:
    """No button is left, and the page refreshes itself no more."""
    rollout = await baking(world)
    await halt_rollout(world.outside, rollout.id, actor="lead-a", reason="orders fail")
    await world.turns(rollout.id)
    if state == "abandoned":
        await abandon_rollout(world.outside, rollout.id, actor="lead-a", reason="a new one comes")
    else:
        await roll_back(world.outside, rollout.id, actor="lead-a", reason="back")
        await world.run(rollout.id, until={State.ROLLED_BACK})

    page = (await browser.get(f"/rollouts/{rollout.id}")).text

    assert buttons(page) == set()
    assert 'http-equiv="refresh"' not in page
    assert f'class="state {state}"' in page


async def test_a_way_back_is_told_as_one(browser: httpx.AsyncClient, world: MemoryWorld) -> None:
    """It brings back what was served before: it has no phases, and a fault of it isn't forecast."""
    await world.installed()
    rollout = await world.start("1.1.0")
    rollout = await world.run(rollout.id, until=lambda now: now.phase_index == 1)
    approve_rollout(world.outside, rollout.id, actor="lead-a", comment="")
    await world.run(rollout.id, until={State.COMPLETED})
    back = await roll_back(world.outside, rollout.id, actor="lead-a", reason="orders fail")

    text = await seen(browser, back)

    assert "a way back: it only brings back an earlier version" in text
    assert "no bake" in text
    assert "Next:" not in text


async def test_a_newer_rollout_keeps_an_older_one_from_being_rolled_back(
    browser: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """The button says what the command would refuse with."""
    first = await world.installed()
    newer = await world.start("1.1.0")
    await world.run(newer.id, until={State.BAKING})

    text = await seen(browser, first)

    assert f"rollout {newer.id} is newer: roll that back" in text


async def test_what_came_and_went_leaves_the_way_back_open(
    browser: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """The button is there again once the attempt after it is taken back."""
    await world.installed()
    done = await world.start("1.1.0")
    await world.run(done.id, until=lambda now: now.phase_index == 1)
    approve_rollout(world.outside, done.id, actor="lead-a", comment="")
    await world.run(done.id, until={State.COMPLETED})
    later = await world.start("1.2.0")
    await world.run(later.id, until={State.BAKING})
    before = await seen(browser, done)
    await roll_back(world.outside, later.id, actor="lead-a", reason="orders fail")
    await world.run(later.id, until={State.ROLLED_BACK})

    after = await seen(browser, done)

    assert f"rollout {later.id} is newer" in before
    assert "is newer" not in after


async def test_a_queued_rollout_says_its_place_and_who_is_before_it(
    browser: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """With a way to whoever holds its targets."""
    holder = await baking(world)
    queued = await world.start("1.2.0")

    page = (await browser.get(f"/rollouts/{queued.id}")).text

    assert f"Place 1 in the queue: rollout {holder.id} has its targets" in words_of(page)
    assert f'href="/rollouts/{holder.id}"' in page


async def test_a_stop_order_that_covers_it_is_on_its_page(
    browser: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """Whoever wonders why nothing rises reads by whom, why, and where it is lifted."""
    rollout = await baking(world)
    order = GiveStopOrder(
        scope=StopScope.SERVICE, name="shop", withdraw=False, reason="the bank is down"
    )
    await perform(world.outside, LEAD, order)

    text = await seen(browser, rollout)

    assert "Stop order 1 covers it: service shop, by lead-a" in text


async def test_what_happened_at_the_same_time_is_listed(
    browser: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """Other changes of the service and alarms on it: where one looks before blaming the change."""
    rollout = await baking(world)
    told = Told(
        kind=AlarmKind.ALERT,
        severity=Severity.TICKET,
        service=ServiceName("shop"),
        target=None,
        summary="orders are slow",
        source="alertmanager",
    )
    await perform(world.outside, LEAD, RaiseAlarm(told=told))

    text = await seen(browser, rollout)

    assert "orders are slow" in text
    assert "completed shop" in text.replace("✓\ufe0e ", "")


# --- approvals ---------------------------------------------------------------------------------------


async def test_ones_own_change_can_be_rejected_and_not_approved(
    browser: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """The button is there, disabled, with the reason that the command would give."""
    rollout = await awaiting_approval(world, actor="dev-a")

    page = (await browser.get(f"/rollouts/{rollout.id}")).text
    refused = await browser.post(f"/v1/rollouts/{rollout.id}/approve", json={}, headers=API)

    why = re.search(rf'id="why-not-approve-{rollout.id}">([^<]+)<', page)
    assert why is not None
    assert html.unescape(why[1]) in refused.json()["detail"]
    assert f'commandfor="confirm-reject-{rollout.id}"' in page
    assert f"confirm-approve-{rollout.id}" not in page


async def test_a_yes_that_does_not_count_is_shown_with_why(
    browser: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """An approval that has lapsed is neither hidden nor counted."""
    rollout = await awaiting_approval(world)
    approve_rollout(world.outside, rollout.id, actor="lead-a", comment="quiet night")
    given = world.rollout(rollout.id).approvals[-1]
    with world.store.begin() as transaction:
        stored = transaction.rollout(rollout.id)
        lapsed = replace(given, expires_at=world.clock.now() - timedelta(seconds=1))
        transaction.save_rollout(replace(stored, approvals=(lapsed,)))

    text = await seen(browser, rollout)

    assert "0 of 1 for half (50%)" in text
    assert "quiet night" in text
    assert "Doesn't count: it has expired" in text


# --- decisions ---------------------------------------------------------------------------------------


async def test_every_decision_of_the_log_has_a_page_that_makes_it_again(
    browser: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """Sentence, rule, inputs with their digests, and that it comes out the same."""
    rollout = await baking(world)
    page = (await browser.get(f"/rollouts/{rollout.id}")).text
    numbers = re.findall(r'href="/decisions/(\d+)"', page)
    told = {}

    for number in numbers:
        answer = await browser.get(f"/decisions/{number}")
        assert answer.status_code == 200
        told[number] = words_of(answer.text)

    decided = [text for text in told.values() if "Made again" in text]
    said = [text for text in told.values() if "no rule made it" in text]
    assert len(decided) >= 3
    assert all("The same. Made again from what was stored" in text for text in decided)
    assert all("Stored as sha256:" in text for text in decided)
    assert any("1.0.0" in text and "1.1.0" in text for text in decided)
    assert len(said) == 1


async def test_a_decision_that_does_not_follow_from_its_inputs_is_called_different(
    browser: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """Another decision over the same inputs, as a forger would write it: not the same, and not green."""
    rollout = await baking(world)
    with world.store.begin() as transaction:
        decided = [
            entry
            for entry in transaction.ledger(rollout_id=rollout.id, limit=100)
            if entry.decision_json is not None
        ]
        fields = {one.name: getattr(decided[-1], one.name) for one in dataclasses.fields(NewEntry)}
        forged = NewEntry(**{**fields, "decision_json": decided[0].decision_json})
        entry = transaction.append(forged)

    answer = await browser.get(f"/decisions/{entry.number}")

    assert "NOT the same" in words_of(answer.text)
    assert 'class="replay differs"' in answer.text


# --- charts ------------------------------------------------------------------------------------------


async def test_the_table_has_the_numbers_of_the_api(
    browser: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """Row by row and to the last digit."""
    rollout = await baking(world)
    await world.run(rollout.id, until={State.WAITING}, failing={Arm.BASELINE: 0.01})
    since = {"since": "2000-01-01T00:00:00Z"}
    evidence = await browser.get(f"/v1/rollouts/{rollout.id}/evidence", params=since, headers=API)
    points = evidence.json()["points"]

    page = (await browser.get(f"/rollouts/{rollout.id}/numbers?signal=errors")).text

    rows = re.findall(r'<tr id="p-\d+">(.*?)</tr>', page, re.DOTALL)
    shown = [
        (
            *(int(one) for one in re.findall(r'class="number">(\d+)<', row)),
            *(float(one) for one in re.findall(r'<data value="([^"]+)"', row)),
        )
        for row in rows
    ]
    expected = [
        (
            *signal["candidate"],
            *signal["baseline"],
            *([] if signal["ruled_out"] is None else [signal["ruled_out"]]),
        )
        for point in points
        for signal in point["signals"]
    ]
    assert len(points) > 5
    assert shown == expected


async def test_the_charts_are_drawn_from_the_same_points(
    browser: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """A line's values are the shares of the API's counts; between phases it is broken."""
    await world.installed()
    rollout = await world.start("1.1.0")
    await world.run(rollout.id, until=lambda now: now.phase_index == 1)
    approve_rollout(world.outside, rollout.id, actor="lead-a", comment="")
    await world.run(rollout.id, until=lambda now: now.phase_index == 2)
    since = {"since": "2000-01-01T00:00:00Z"}
    evidence = await browser.get(f"/v1/rollouts/{rollout.id}/evidence", params=since, headers=API)

    charts = (await browser.get(f"/rollouts/{rollout.id}/charts")).json()["charts"]

    totals = [
        signal["candidate"] for point in evidence.json()["points"] for signal in point["signals"]
    ]
    chart = charts[0]
    line = chart["panels"][0]["lines"][0]
    assert [mark["label"] for mark in chart["marks"]] == ["few", "half"]
    assert line["values"].count(None) == 1 + sum(total == 0 for total, _ in totals)
    assert [one for one in line["values"] if one is not None] == [
        bad / total for total, bad in totals if total
    ]
    assert len(chart["at"]) == len(line["values"]) == len(totals) + 1


async def test_a_signal_that_was_never_shown_has_no_numbers(
    browser: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """A wrong name is answered with those there are."""
    rollout = await baked_a_while(world)

    answer = await browser.get(f"/rollouts/{rollout.id}/numbers?signal=nothing")

    assert answer.status_code == 404
    assert "it has shown: errors" in words_of(answer.text)


# --- who may see it ----------------------------------------------------------------------------------


async def test_another_tenant_sees_none_of_it(
    world: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every page of the rollout is missing for them, in the words of what never was."""
    acme = await two_tenants(world)
    with world.store.begin() as transaction:
        entry = transaction.ledger(rollout_id=acme.rollout.id, limit=1)[0]
    transport = httpx.ASGITransport(app=create_app(world.outside, token=TOKEN, version="0"))
    monkeypatch.setattr(
        "tidegate.api.pages.guarding.find_onlooker", lambda _: Onlooker(caller=EVE, actor=EVE)
    )
    path = f"/rollouts/{acme.rollout.id}"

    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:7180") as eve:
        answers = [
            await eve.get(one)
            for one in (path, f"{path}/charts", f"{path}/numbers", f"/decisions/{entry.number}")
        ]

    assert [answer.status_code for answer in answers] == [404] * 4
    assert not [answer for answer in answers if f"{MARK}-shop" in answer.text]
