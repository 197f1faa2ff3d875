"""The pages: who may see them, and that they show what the API says, harmlessly."""

from html.parser import HTMLParser

import httpx
import pytest

from tidegate.api.tokens import page_key
from tidegate.domain.quantities import Arm
from tidegate.domain.rollout.machine import State
from tidegate.testing.memory_world import MemoryWorld

TOKEN = "a-token-for-tests"
KEY = page_key(TOKEN)


class Page(HTMLParser):
    """The tags of a page with their attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


async def signed_in(browser: httpx.AsyncClient) -> httpx.AsyncClient:
    await browser.get("/", params={"token": KEY})
    return browser


@pytest.mark.parametrize("path", ["/", "/rollouts/x", f"/?token={TOKEN}", "/?token=wrong"])
async def test_pages_show_nothing_without_the_key(
    page_client: httpx.AsyncClient, world: MemoryWorld, path: str
) -> None:
    """Without the key, with a wrong one, or with the token itself, there is a page that says how."""
    await world.start("1.0.0")

    answer = await page_client.get(path)

    assert answer.status_code == 401
    assert "tidegate server page" in answer.text
    assert "shop" not in answer.text


async def test_the_link_leaves_a_cookie_and_no_key_in_the_address(
    page_client: httpx.AsyncClient,
) -> None:
    """The key moves from the address into a cookie that scripts and other sites can't use."""
    answer = await page_client.get("/", params={"token": KEY})

    assert answer.status_code == 303
    assert answer.headers["location"] == "/"
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert TOKEN not in cookie
    assert (await page_client.get("/")).status_code == 200


async def test_the_cookie_opens_no_operation(
    page_client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """What a browser holds, and a neighbour on another port may see, can't halt or read by API."""
    rollout = await world.start("1.0.0")
    browser = await signed_in(page_client)

    halt = await browser.post(f"/v1/rollouts/{rollout.id}/halt", json={})
    read = await browser.get("/v1/rollouts", headers={"authorization": f"Bearer {KEY}"})

    assert halt.status_code == read.status_code == 401


async def test_only_our_own_scripts_can_run_and_nothing_is_loaded_from_elsewhere(
    page_client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """The policy forbids everything but files of this server, and the pages keep to it."""
    rollout = await world.start("1.0.0")
    browser = await signed_in(page_client)

    for path in ("/", f"/rollouts/{rollout.id}"):
        answer = await browser.get(path)
        policy = answer.headers["content-security-policy"]
        page = Page(answer.text)
        assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
        assert "unsafe" not in policy
        for tag, attrs in page.tags:
            assert "style" not in attrs, tag
            assert not [name for name in attrs if name.startswith("on")], tag
            assert tag != "script" or (attrs["src"] or "").startswith("/assets/")
        loaded = [attrs["href"] or "" for tag, attrs in page.tags if tag == "link"]
        loaded += [attrs["src"] or "" for tag, attrs in page.tags if tag == "script"]
        for address in loaded:
            file = await browser.get(address)
            assert file.status_code == 200
            assert "immutable" in file.headers["cache-control"]


async def test_a_hostile_name_is_shown_as_text(
    page_client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """Words of people and of telemetry are never markup."""
    rollout = await world.start("1.0.0", actor="<img src=x onerror=alert(1)>")
    browser = await signed_in(page_client)

    page = Page((await browser.get(f"/rollouts/{rollout.id}")).text)

    assert "img" not in {tag for tag, _ in page.tags}
    assert "<img src=x onerror=alert(1)>" in page.text


async def test_a_page_is_plain_to_read_and_refreshes_itself(
    page_client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """One heading, a language, table headers with a scope, a refresh where no script runs."""
    await world.installed()
    rollout = await world.start("1.1.0")
    await world.run(rollout.id, until={State.BAKING})
    browser = await signed_in(page_client)

    page = Page((await browser.get(f"/rollouts/{rollout.id}")).text)

    tags = [tag for tag, _ in page.tags]
    assert tags.count("h1") == 1
    assert ("html", {"lang": "en", "data-theme": "system"}) in page.tags
    assert ("meta", {"http-equiv": "refresh", "content": "15"}) in page.tags
    assert all("scope" in attrs for tag, attrs in page.tags if tag == "th")
    assert "baking" in page.text
    assert "10%" in page.text


async def test_the_pages_tell_a_bad_release_with_its_evidence(
    page_client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """Whoever looks afterwards sees what happened, why, and the decisions."""
    await world.installed()
    rollout = await world.start("1.1.0")
    await world.run(rollout.id, until={State.ROLLED_BACK}, failing={Arm.CANDIDATE: 0.5})
    browser = await signed_in(page_client)

    overview = Page((await browser.get("/")).text)
    page = Page((await browser.get("/rollouts/shop")).text)

    assert "rolled back" in overview.text
    assert "HARM" in page.text
    assert "harm proven: errors" in page.text
    assert "harm-proven" in page.text


async def test_every_state_has_its_page(page_client: httpx.AsyncClient, world: MemoryWorld) -> None:
    """From waiting to completed no state breaks a page."""
    browser = await signed_in(page_client)
    await world.installed()
    rollout = await world.start("1.1.0")
    seen = set()

    for _ in range(60):
        state = world.rollout(rollout.id).state.value
        seen.add(state)
        assert (await browser.get("/")).status_code == 200
        assert (await browser.get(f"/rollouts/{rollout.id}")).status_code == 200
        await world.turn()
        if state == "baking":
            break
    await browser.get("/")

    assert {"waiting", "applying", "baking"} <= seen


async def test_an_unknown_rollout_has_a_page_that_says_so(page_client: httpx.AsyncClient) -> None:
    """A wrong address is a page with a way on, not a document for programs."""
    browser = await signed_in(page_client)

    answer = await browser.get("/rollouts/nothing")

    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")
