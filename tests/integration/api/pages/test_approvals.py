"""The inbox of approvals: what it shows of each, who can say what, and what comes of it."""

from collections.abc import Mapping
from datetime import timedelta

import httpx
import pytest
from page_people import acting_as, looking_as, see

from tidegate.domain.access.model import Caller, CallerKind
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import Rollout
from tidegate.testing.memory_world import DOCUMENT, MemoryWorld

CART = DOCUMENT.replace("service: shop", "service: cart")
SLOWER = DOCUMENT.replace("service: shop", "service: slower").replace(
    "traffic: 50%", "traffic: 40%"
)


async def waiting(
    world: MemoryWorld, document: str = DOCUMENT, *, by: str = "dev-a", version: str = "1.1.0"
) -> Rollout:
    await world.installed(document=document)
    rollout = await world.start(version, document=document, actor=by)
    return await world.run(rollout.id, until=lambda now: now.waiting_on.reason.value == "approval")


async def send(
    client: httpx.AsyncClient, path: str, form: Mapping[str, str], *, by: str = "lead-a"
) -> httpx.Response:
    return await client.post(path, data=dict(form), headers=acting_as(by))


def seen_at(rollout: Rollout) -> dict[str, str]:
    """Return what a page's form says of the state that it shows."""
    return {"phase": str(rollout.phase_index + 1), "revision": str(rollout.revision)}


async def test_a_card_says_what_it_takes_to_judge_it(
    page_client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """The change, the rule, the evidence so far, whom the next phase meets, the calendar, the way back."""
    await waiting(world)

    page = await see(page_client, "/approvals", "lead-a")

    for words in (
        "code 1.1.0 (from 1.0.0)",
        "half: up to 50% in lab",
        "the plan asks for 1 of team-release before half",
        "Requested by dev-a",
        "0 of 1",
        "pass in few; errors PROVEN",
        "requests a second",
        "a fault of +0.500 pp halts after",
        "the way back took",
        "open now",
    ):
        assert words in page.text, words


async def test_ones_own_change_is_disabled_with_the_reason(
    page_client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """The button is there, dead, and says why; sent all the same it is refused."""
    rollout = await waiting(world)

    own = await see(page_client, "/approvals", "dev-a")
    refused = await send(page_client, f"/rollouts/{rollout.id}/approve", {}, by="dev-a")

    assert "it is dev-a's own change" in own.text
    assert own.with_id(f"confirm-approve-{rollout.id}") is None
    assert own.with_id(f"confirm-reject-{rollout.id}") is not None
    assert refused.status_code == 403
    assert world.rollout(rollout.id).approvals == ()


async def test_somebody_else_approves_and_it_goes_on(
    page_client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """By the form of the page, at the state that it showed."""
    rollout = await waiting(world)

    answer = await send(page_client, f"/rollouts/{rollout.id}/approve", seen_at(rollout))
    moved = await world.turns(rollout.id, lambda now: now.state is State.APPLYING)
    page = await see(page_client, "/approvals", "lead-a")

    assert answer.json()["message"] == "shop approved"
    assert moved.state is State.APPLYING
    assert "Nothing waits for a yes" in page.text


async def test_the_second_of_two_windows_is_told_that_it_moved(
    page_client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """Both showed the same; what the first did isn't what the second saw."""
    rollout = await waiting(world)
    path = f"/rollouts/{rollout.id}/approve"

    first = await send(page_client, path, {**seen_at(rollout), "key": "one"}, by="lead-a")
    second = await send(page_client, path, {**seen_at(rollout), "key": "two"}, by="lead-b")

    assert first.status_code == 200
    assert (second.status_code, second.json()["code"]) == (409, "state.moved")
    assert f"you saw phase 2, revision {rollout.revision}" in second.json()["detail"]


async def test_what_was_said_is_shown_and_can_be_taken_back(
    page_client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """A no with its words, for everybody; the way to take it back, for whom it is."""
    rollout = await waiting(world)
    no = {**seen_at(rollout), "reason": "not during the <i>sale</i>"}

    await send(page_client, f"/rollouts/{rollout.id}/reject", no)
    own = await see(page_client, "/approvals", "lead-a")
    other = await see(page_client, "/approvals", "lead-b")
    back = await send(page_client, f"/rollouts/{rollout.id}/take-back", {"reason": "it is over"})

    assert "lead-a said no not during the <i>sale</i>" in other.text
    assert own.with_id(f"confirm-take-back-{rollout.id}") is not None
    assert other.with_id(f"confirm-take-back-{rollout.id}") is None
    assert back.json() == {"message": "your word on shop is taken back", "location": "/approvals"}
    assert world.rollout(rollout.id).approvals == ()


async def test_a_yes_that_lapsed_is_shown_with_why(
    page_client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """Who gave it sees that it doesn't count any more, and that one is missing again."""
    rollout = await waiting(world)
    await send(page_client, f"/rollouts/{rollout.id}/approve", seen_at(rollout))
    given = await see(page_client, "/approvals", "lead-b")
    world.clock.advance(timedelta(days=2))

    lapsed = await see(page_client, "/approvals", "lead-b")

    assert "1 of 1" in given.text
    assert "what was given lapses" in given.text
    assert "doesn't count: it has expired" in lapsed.text
    assert "0 of 1" in lapsed.text


@pytest.mark.parametrize(
    ("query", "services"),
    [
        ("", ["shop", "cart"]),
        ("?mine=yes", ["cart"]),
        ("?service=cart", ["cart"]),
        ("?environment=lab", ["shop", "cart"]),
        ("?environment=production", []),
        ("?service=nothing", []),
        ("?all=yes", ["shop", "cart", "slower"]),
        ("?all=yes&service=slower", ["slower"]),
    ],
)
async def test_filters_are_in_the_address(
    page_client: httpx.AsyncClient, world: MemoryWorld, query: str, services: list[str]
) -> None:
    """What is due comes first; whoever gets the address sees the same."""
    found = {"shop": await waiting(world, by="lead-a"), "cart": await waiting(world, CART)}
    await world.installed(document=SLOWER)
    slower = await world.start("1.1.0", document=SLOWER, actor="dev-a")
    found["slower"] = await world.run(slower.id, until={State.BAKING})

    page = await see(page_client, f"/approvals{query}", "lead-a")

    assert page.rows() == [f"approval-{found[one].id}" for one in services]
    if not services:
        assert "Nothing here waits for a yes by this filter." in page.text


async def test_identical_changes_are_approved_at_once_and_others_are_not(
    page_client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """One yes to the same versions in the same phase; a change of another kind is left alone."""
    shop, cart = await waiting(world), await waiting(world, CART)
    other = await waiting(world, SLOWER)
    page = await see(page_client, "/approvals", "lead-a")
    chosen = {f"one-{one.id}": f"2@{one.revision}" for one in (shop, cart)}

    mixed = await send(
        page_client, "/approvals/approve", {**chosen, f"one-{other.id}": f"2@{other.revision}"}
    )
    both = await send(page_client, "/approvals/approve", {**chosen, "reason": "same mail footer"})

    assert "2 identical changes : code 1.1.0 (from 1.0.0), half to 50%, for shop, cart" in page.text
    assert mixed.status_code == 422
    assert "aren't the same change" in mixed.json()["detail"]
    assert both.json()["message"] == "2 of 2 approved: shop, cart"
    assert [len(world.rollout(one.id).approvals) for one in (shop, cart, other)] == [1, 1, 0]


async def test_one_that_moved_is_left_out_of_many_and_said_so(
    page_client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """The others are approved; when none is left, the reason is the answer."""
    shop, cart = await waiting(world), await waiting(world, CART)
    chosen = {f"one-{shop.id}": "2@1", f"one-{cart.id}": f"2@{cart.revision}"}

    some = await send(page_client, "/approvals/approve", chosen)
    none = await send(page_client, "/approvals/approve", {f"one-{shop.id}": "2@1"})
    broken = await send(page_client, "/approvals/approve", {f"one-{shop.id}": "soon"})
    empty = await send(page_client, "/approvals/approve", {})

    assert some.json()["message"].startswith("1 of 2 approved: cart; not the others: rollout")
    assert none.status_code == 409
    assert (broken.status_code, empty.status_code) == (422, 422)
    assert world.rollout(shop.id).approvals == ()


async def test_whoever_may_only_read_sees_cards_without_buttons(
    page_client: httpx.AsyncClient, world: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What isn't theirs to say isn't offered."""
    rollout = await waiting(world)
    viewer = Caller(
        name="viewer-a",
        kind=CallerKind.PERSON,
        person="viewer-a",
        is_root=True,
        granted=frozenset({"read"}),  # type: ignore[arg-type]
    )
    looking_as(monkeypatch, viewer)

    page = await see(page_client, "/approvals")

    assert page.rows() == [f"approval-{rollout.id}"]
    assert not [attrs for _, attrs in page.tags if str(attrs.get("id", "")).startswith("confirm-")]


async def test_on_a_first_day_it_says_how_something_would_come_here(
    page_client: httpx.AsyncClient,
) -> None:
    """Nothing waits, and why anything ever would."""
    page = await see(page_client, "/approvals", "lead-a")

    assert "Nothing waits for a yes. A phase asks for one when" in page.text
    assert page.rows() == []
