"""The services' pages: is it out yet, what is served where, and that nobody sees what isn't theirs."""

import re
from dataclasses import replace
from datetime import timedelta
from html import unescape

import httpx
import pytest
from page_session import session_cookie
from two_tenants import ANN, EVE, MARK, file_grant, two_tenants

from tidegate.api.tokens import acting_key, page_key
from tidegate.domain.access.proof import IdentityMode
from tidegate.domain.quantities import Arm, ServiceName
from tidegate.domain.rollout.alarms import AlarmKind, Severity
from tidegate.domain.rollout.machine import State
from tidegate.drivers.component.memory import MemoryComponent, Mishap
from tidegate.drivers.identity.memory import MemoryIdentity
from tidegate.ports.store import ServiceRecord
from tidegate.testing.memory_world import DOCUMENT, MemoryWorld, the_shop
from tidegate.usecases.alarms import Told, raise_alarm
from tidegate.usecases.start import start_rollout

TOKEN = "a-token-for-tests"
SCRIPT = {"tidegate-script": "1"}
ACTING = {**SCRIPT, "tidegate-acting": f"dev-a.{acting_key(TOKEN, 'dev-a')}"}
NAMED = {"cookie": f"tidegate_pages_7180={page_key(TOKEN)}; tidegate_as_7180=dev-a"}


@pytest.fixture
async def browser(page_client: httpx.AsyncClient) -> httpx.AsyncClient:
    """Return a browser that has the page key, on a server where names are claims."""
    await page_client.get("/", params={"token": page_key(TOKEN)})
    return page_client


async def text_of(
    browser: httpx.AsyncClient, path: str, headers: dict[str, str] | None = None
) -> str:
    """Return the words of a page, without its tags, each run of spaces as one."""
    answer = await browser.get(path, headers=headers)
    assert answer.status_code == 200, answer.text
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", answer.text)).split())


async def service_called(world: MemoryWorld, name: str, version: str = "1.0.0") -> None:
    """Install a service like the shop under another name."""
    document = DOCUMENT.replace("service: shop", f"service: {name}").replace(
        "owner: team-shop", f"owner: team-{name}"
    )
    rollout = await start_rollout(
        world.outside, the_shop(document), {"code": version}, actor="dev-a", person="dev-a"
    )
    await world.run(rollout.id, until=lambda now: now.settled)


# --- the list ------------------------------------------------------------------------------------


async def test_without_a_service_the_list_says_how_one_comes(browser: httpx.AsyncClient) -> None:
    """An empty list isn't a blank page."""
    text = await text_of(browser, "/services")

    assert "There is no service yet" in text
    assert "tidegate start --change COMPONENT=VERSION" in text


async def test_the_list_shows_versions_what_moves_and_what_waits(
    browser: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """While 1.1.0 bakes, 1.0.0 is the version on record and 1.1.0 is under way; 1.2.0 is queued."""
    await world.installed()
    going = await world.start("1.1.0")
    await world.run(going.id, until={State.BAKING})
    await world.start("1.2.0")

    text = await text_of(browser, "/services")

    assert "code 1.0.0" in text
    assert "baking code 1.1.0 (from 1.0.0)" in text
    assert "1 queued" in text
    assert "moving 1" in text


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("", ["docs", "shop"]),
        ("?q=DOC", ["docs"]),
        ("?q=team-shop", ["shop"]),
        ("?owner=team-docs", ["docs"]),
        ("?kind=code", ["docs", "shop"]),
        ("?kind=schema", []),
        ("?move=moving", ["shop"]),
        ("?move=quiet", ["docs"]),
        ("?move=galaxy", []),
        ("?page=2", []),
    ],
)
async def test_a_filter_is_in_the_address(
    browser: httpx.AsyncClient, world: MemoryWorld, query: str, shown: list[str]
) -> None:
    """The same address shows the same list to whoever opens it."""
    await world.installed()
    await service_called(world, "docs")
    going = await world.start("1.1.0")
    await world.run(going.id, until={State.BAKING})

    answer = await browser.get(f"/services{query}")

    assert re.findall(r'id="service-([\w-]+)" data-row', answer.text) == shown


async def test_a_document_that_cant_be_read_hides_only_its_own_service(
    browser: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """It is listed with what is wrong, its page opens, and the others are as they were."""
    await world.installed()
    with world.store.begin() as transaction:
        transaction.put_service(
            ServiceRecord(
                name=ServiceName("poisoned"),
                canonical_json='{"version": 99}',
                digest="sha256:0",
                updated_at=world.clock.now(),
            )
        )

    listed = await text_of(browser, "/services")
    opened = await text_of(browser, "/services/poisoned")

    assert "shop" in listed
    assert "its stored document can't be read" in listed
    assert "its stored document can't be read" in opened
    assert "unknown" in opened


# --- one service ---------------------------------------------------------------------------------


async def test_the_first_lines_answer_whether_it_is_out(
    browser: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """Without asking, the answer is about what is under way: partly, where, and what it waits on."""
    await world.installed()
    going = await world.start("1.1.0")
    await world.run(going.id, until={State.BAKING})

    text = await text_of(browser, "/services/shop")

    assert "code 1.1.0 serves 10% at eu." in text
    assert text.index("serves 10% at eu") < text.index("Served where")
    assert "1.0.0 90%, 1.1.0 10%" in text


@pytest.mark.parametrize(
    ("version", "sentence"),
    [
        ("1.0.0", "1.0.0 serves everyone at its one target."),
        ("1.1.0", "1.1.0 serves nobody at its one target."),
        ("9.9.9", "9.9.9 no rollout on record brought it, and no target serves it."),
    ],
)
async def test_a_version_can_be_asked_for(
    browser: httpx.AsyncClient, world: MemoryWorld, version: str, sentence: str
) -> None:
    """What stayed is everywhere, what was rolled back is nowhere with why, and another isn't known."""
    await world.installed()
    bad = await world.start("1.1.0")
    await world.run(bad.id, until={State.ROLLED_BACK}, failing={Arm.CANDIDATE: 0.5})

    text = await text_of(browser, f"/services/shop?version={version}")

    assert sentence in text
    assert ("stopped: harm proven" in text.split("Served where")[0]) is (version == "1.1.0")


async def test_a_target_that_says_nothing_is_unknown_and_not_what_was_put_there(
    browser: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """The page opens, names the target, and doesn't take the record for what is served."""
    await world.installed()
    gone = MemoryComponent(mishap=lambda _: Mishap.REFUSED)
    object.__setattr__(world.outside, "components", {"process": gone})

    text = await text_of(browser, "/services/shop?version=1.0.0")

    assert "1.0.0 unknown at eu." in text
    assert "serves everyone" not in text
    assert "unknown : the target didn't answer" in text


async def test_the_history_pages_and_filters_by_the_address(
    browser: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """Twenty on a page, the rest on the next; a state shows only its own."""
    await world.installed()
    for number in range(1, 22):
        stopped = await world.start(f"1.{number}.0")
        await browser.post(f"/rollouts/{stopped.id}/halt", headers=ACTING)
        await browser.post(
            f"/rollouts/{stopped.id}/abandon", data={"reason": "a test"}, headers=ACTING
        )

    first = await text_of(browser, "/services/shop")
    second = await text_of(browser, "/services/shop?page=2")
    completed = await text_of(browser, "/services/shop?state=completed")

    assert "page 1 of 2" in first
    assert "code 1.21.0" in first.split("By Took Note")[1]
    assert "code 1.0.0 ✓" in second
    assert "code 1.1.0" not in completed.split("By Took Note")[1]


async def test_delivery_is_said_with_what_it_is_counted_from(
    browser: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """Two deployments are too few for any rate, and the page says so."""
    await world.installed()
    bad = await world.start("1.1.0")
    await world.run(bad.id, until={State.ROLLED_BACK}, failing={Arm.CANDIDATE: 0.5})

    text = await text_of(browser, "/services/shop")

    assert "2 changes that users met" in text
    assert "Change fail rate not enough yet: 1 of 2 so far, a rate takes 5" in text
    assert "Recovery time not enough yet: 1 so far, a median takes 3" in text


async def test_alarms_and_the_policy_in_force_are_shown(
    browser: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """What is said to be wrong, and which plan and policy the next change would get."""
    await world.installed()
    await raise_alarm(
        world.outside,
        Told(
            kind=AlarmKind.ALERT,
            severity=Severity.TICKET,
            service=ServiceName("shop"),
            target=None,
            summary="orders are slow",
            source="alertmanager",
        ),
        actor="alertmanager",
    )

    text = await text_of(browser, "/services/shop")

    assert "ticket orders are slow" in text
    assert "Plan custom : 3 phases" in text
    assert "1 of team-release" in text
    assert "No policy is in force" in text


async def test_a_hostile_version_is_text(browser: httpx.AsyncClient, world: MemoryWorld) -> None:
    """What stands in the address is shown as it is written, and is no markup."""
    await world.installed()

    answer = await browser.get("/services/shop", params={"version": "<img src=x onerror=alert(1)>"})

    assert "<img" not in answer.text
    assert "&lt;img src=x" in answer.text


async def test_an_unknown_service_is_told(browser: httpx.AsyncClient) -> None:
    """With what to do, as a page."""
    answer = await browser.get("/services/nothing")

    assert answer.status_code == 404
    assert "there is no service" in unescape(answer.text)


# --- acting and looking ---------------------------------------------------------------------------


async def test_the_service_is_stopped_from_its_page(
    browser: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """One stop order for it and nothing wider; pressed twice it is one; the page leads back here."""
    await world.installed()
    going = await world.start("1.1.0")
    await world.run(going.id, until={State.BAKING})
    form = {"key": "k-1", "reason": "orders fail", "withdraw": "yes"}

    first = await browser.post("/services/shop/stop", data=form, headers=ACTING)
    again = await browser.post("/services/shop/stop", data=form, headers=ACTING)
    orders = await browser.get("/v1/stops", headers={"authorization": f"Bearer {TOKEN}"})

    [order] = orders.json()["orders"]
    assert first.json() == again.json()
    assert first.json()["location"] == "/services/shop"
    assert (order["scope"], order["name"], order["withdraw"]) == ("service", "shop", True)
    assert "Stopped: service shop" in await text_of(browser, "/services/shop")


async def test_actions_are_there_only_for_whoever_may(
    browser: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """Who only looks is offered nothing; who acts is offered the stop and the command to start."""
    await world.installed()
    looking = await text_of(browser, "/services/shop")

    acting = await text_of(browser, "/services/shop", NAMED)

    assert "Stop this service" not in looking
    assert "Stop this service" in acting
    assert "tidegate halt --service shop" in acting
    assert "tidegate start shop --change code=VERSION" in acting


async def test_a_tenant_sees_its_own_and_nothing_of_another(
    page_client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """By the list, by the address and by the form: what is acme's doesn't exist for umbrella."""
    await two_tenants(world)
    object.__setattr__(world.outside, "identity", MemoryIdentity())
    object.__setattr__(world.outside, "identity_mode", IdentityMode.VERIFIED)
    ann, eve = session_cookie(world, ANN), session_cookie(world, EVE)
    path = f"/services/{MARK}-shop"

    own = await page_client.get(path, headers=ann)
    listed = await page_client.get("/services", headers=eve)
    theirs = [await page_client.get(one, headers=eve) for one in (path, f"{path}/health")]
    unknown = await page_client.get("/services/nothing", headers=eve)

    assert own.status_code == 200
    assert f"{MARK}-eu" in own.text
    assert MARK not in listed.text
    assert [one.status_code for one in theirs] == [404, 404]
    assert unknown.status_code == 404


async def test_a_viewer_may_stop_and_is_not_told_how_to_start(
    page_client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """A stop is anybody's who sees it; what somebody may not do isn't offered."""
    await two_tenants(world)
    object.__setattr__(world.outside, "identity", MemoryIdentity())
    object.__setattr__(world.outside, "identity_mode", IdentityMode.VERIFIED)
    kim = replace(ANN, name=f"{MARK}-kim2", person=f"{MARK}-kim2")
    for scope in ("acme", "acme/*/lab"):
        file_grant(world, f"person:{kim.name}", "viewer", scope)
    path = f"/services/{MARK}-shop"

    viewer = await page_client.get(path, headers=session_cookie(world, kim))
    owner = await page_client.get(path, headers=session_cookie(world, ANN))

    assert "Stop this service" in viewer.text
    assert "Start a change" not in viewer.text
    assert "Start a change" in owner.text


async def test_numbers_of_a_month_are_shares(
    browser: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """Six installs in a week are enough to say how often and which share failed."""
    for number in range(6):
        rollout = await world.start(f"1.{number}.0", document=_quick())
        await world.run(rollout.id, until=lambda now: now.settled)
        world.clock.advance(timedelta(days=1.5))

    text = await text_of(browser, "/services/shop")

    assert "Change fail rate 0% (0 of 6)" in text
    assert "a week" in text


def _quick() -> str:
    return DOCUMENT.replace(", approve: 1 of team-release", "")
