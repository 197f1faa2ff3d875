"""The page for emergencies: what would stop, what to put back, and what it says without a store."""

from collections.abc import Mapping

import httpx
import pytest
from page_people import Seen, acting_as, looking_as, see
from two_tenants import EVE, MARK, two_tenants

from tidegate.domain.access.model import Caller, CallerKind
from tidegate.domain.quantities import ServiceName
from tidegate.domain.rollout.alarms import AlarmKind, Severity
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import Rollout
from tidegate.errors import StoreError
from tidegate.testing.memory_world import DOCUMENT, MemoryWorld
from tidegate.usecases.alarms import Told, raise_alarm

CART = DOCUMENT.replace("service: shop", "service: cart")


async def baking(world: MemoryWorld, document: str = DOCUMENT) -> Rollout:
    await world.installed(document=document)
    rollout = await world.start("1.1.0", document=document)
    return await world.run(rollout.id, until={State.BAKING})


async def send(
    client: httpx.AsyncClient, path: str, form: Mapping[str, str], *, by: str = "sre-a"
) -> httpx.Response:
    return await client.post(path, data=dict(form), headers=acting_as(by))


async def alarmed(world: MemoryWorld, service: str = "shop") -> None:
    told = Told(
        kind=AlarmKind.ALERT,
        severity=Severity.PAGE,
        service=ServiceName(service),
        target=None,
        summary="orders fail",
        source="alertmanager",
        fingerprint="f-1",
    )
    await raise_alarm(world.outside, told, actor="am")


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("", "2 rollouts would stop now"),
        ("?scope=service&service=shop", "1 rollout would stop now of 2 under way"),
        ("?service=cart&withdraw=yes", "All of it is taken back from everyone."),
        ("?scope=ring&ring=nowhere", "0 rollouts would stop now of 2 under way"),
        ("?scope=service", "choose which service"),
        ("?scope=nonsense", "2 rollouts would stop now"),
        ("?scope=service&service=nothing", "there is no service nothing"),
    ],
)
async def test_it_counts_what_the_chosen_order_would_stop(
    page_client: httpx.AsyncClient, world: MemoryWorld, query: str, says: str
) -> None:
    """The choice is in the address, so that a copy of it shows the same."""
    await baking(world)
    await baking(world, CART)

    page = await see(page_client, f"/emergency{query}", "sre-a")

    assert says in page.text


async def test_an_order_is_given_and_lifted_from_it(
    page_client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """It is in force with who and why; two persons lift a wide one, and the first can't be both."""
    await baking(world)
    order = {"scope": "everything", "name": "", "withdraw": "", "reason": "INC-431"}

    given = await send(page_client, "/stops", order)
    first = await send(page_client, "/stops/1/lift", {"reason": "over"}, by="sre-a")
    own = await see(page_client, "/emergency", "sre-a")
    other = await see(page_client, "/emergency", "sre-b")
    second = await send(page_client, "/stops/1/lift", {"reason": "over"}, by="sre-b")
    after = await see(page_client, "/emergency", "sre-b")

    assert given.json()["message"] == "stop order 1 is in force and stops 1 rollouts"
    assert first.json()["message"] == "stop order 1 needs one more person"
    assert "sre-a said so already: somebody else has to" in own.text
    assert own.with_id("confirm-lift-1") is None
    assert other.with_id("confirm-lift-1") is not None
    assert "one more person has to say that it may end" in other.text
    assert second.json()["message"] == "stop order 1 is lifted"
    assert "No stop order is in force." in after.text


async def test_everything_is_stopped_only_by_its_name(
    page_client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """The wide order has a word to type; the narrow one asks for nothing."""
    await baking(world)

    wide = await see(page_client, "/emergency", "sre-a")
    narrow = await see(page_client, "/emergency?service=shop", "sre-a")

    typed = [attrs for _, attrs in wide.tags if attrs.get("name") == "typed"]
    assert [("required" in one, one["pattern"]) for one in typed] == [
        (True, r"\s*[Ee]verything\s*")
    ]
    assert not [attrs for _, attrs in narrow.tags if attrs.get("name") == "typed"]


async def test_whoever_only_looks_is_told_how_to_act(
    page_client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """The page is there to read, its button says why it does nothing, and no form is in it."""
    await baking(world)

    page = await see(page_client, "/emergency")

    assert "this browser only looks" in page.text
    assert [attrs for tag, attrs in page.tags if attrs.get("action") == "/stops"] == []


async def test_whoever_may_not_stop_has_no_form_for_it(
    page_client: httpx.AsyncClient, world: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A viewer sees what goes on, and why they can't stop it."""
    await baking(world)
    viewer = Caller(
        name="viewer-a",
        kind=CallerKind.PERSON,
        person="viewer-a",
        is_root=True,
        granted=frozenset({"read"}),  # type: ignore[arg-type]
    )
    looking_as(monkeypatch, viewer)

    page = await see(page_client, "/emergency?service=shop")

    assert "viewer-a isn't granted to stop service shop" in page.text
    assert page.with_id("confirm-stop") is None
    assert not [attrs for _, attrs in page.tags if str(attrs.get("id", "")).startswith("confirm-")]


async def test_what_suffers_is_put_back_from_it_the_likeliest_first(
    page_client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """The alarm's service comes with its change and the reason; one press brings back what was."""
    await world.installed(document=CART)
    rollout = await baking(world)
    await alarmed(world)

    page = await see(page_client, "/emergency", "sre-a")
    back = await send(page_client, f"/rollouts/{rollout.id}/rollback", {"reason": "INC-431"})

    suspects = [row for row in page.rows() if row.startswith("suspect-")]
    assert "shop alarm: orders fail" in page.text
    assert "before the trouble of shop began" in page.text
    assert f"suspect-{rollout.id}" in suspects
    assert "1 other change of the last 24 hours" in page.text
    assert back.json()["message"] == "shop goes back"


async def test_it_asks_no_target_and_no_source_of_metrics(
    page_client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """With all of them gone it shows the same."""
    await baking(world)
    await alarmed(world)
    before = (await see(page_client, "/emergency", "sre-a")).text

    world.outside.components.clear()  # type: ignore[attr-defined]
    world.outside.signals.clear()  # type: ignore[attr-defined]
    after = (await see(page_client, "/emergency", "sre-a")).text

    assert before == after


async def test_on_a_first_day_it_says_that_there_is_nothing(page_client: httpx.AsyncClient) -> None:
    """Nothing to stop and nothing to put back, in words, and the order can be given all the same."""
    page = await see(page_client, "/emergency", "sre-a")

    assert "0 rollouts would stop now; what begins later is stopped, too" in page.text
    assert "Nothing changed here in the last 24 hours." in page.text
    assert page.with_id("confirm-stop") is not None


async def test_without_the_store_it_says_what_still_works(
    page_client: httpx.AsyncClient, world: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not an empty page, and never one that looks as if all were well."""

    def gone(**_: object) -> None:
        raise StoreError("the store can't be read: disk I/O error", hint="look at its disk")

    monkeypatch.setattr(world.store, "begin", gone, raising=False)

    page = await see(page_client, "/emergency", "sre-a", status=503)

    assert "the store can't be read: disk I/O error" in page.text
    assert "tidegate halt --all" in page.text
    assert "it isn't known to be nothing" in page.text
    assert "No stop order is in force" not in page.text


async def test_words_of_people_stay_words(
    page_client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """A reason that is markup is shown as it was written."""
    hostile = "<img src=x onerror=alert(1)>"
    await world.installed()
    await world.start("1.1.0", actor=hostile)
    await send(page_client, "/stops", {"scope": "service", "name": "shop", "reason": hostile})

    page = await see(page_client, f"/emergency?scope=ring&ring={hostile}", "sre-a")

    assert "img" not in {tag for tag, _ in page.tags}
    assert hostile in page.text


@pytest.mark.parametrize(
    "path",
    [
        "/emergency",
        "/emergency?changes=all",
        f"/emergency?scope=service&service={MARK.swapcase()}",
        "/approvals",
        "/approvals?all=yes",
    ],
)
async def test_another_organisation_sees_nothing_of_it(
    page_client: httpx.AsyncClient,
    world: MemoryWorld,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
) -> None:
    """Neither names nor counts of acme are on the pages of umbrella."""
    await two_tenants(world)
    everything: Seen = await see(page_client, path, "root")
    looking_as(monkeypatch, EVE)

    page = await see(page_client, path)

    assert MARK in everything.text
    assert MARK not in page.text
    assert "0 due" in page.text or "0 rollouts" in page.text or "there is no service" in page.text
