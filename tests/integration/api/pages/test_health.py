"""The health model's page: drawing and table say the same, unknown never looks well, and what if."""

import re
from dataclasses import replace
from datetime import timedelta
from html import unescape
from html.parser import HTMLParser

import httpx
import pytest
from page_session import session_cookie
from two_tenants import ANN, EVE, MARK, two_tenants

from tidegate.api.pages.screens.health import on_path
from tidegate.api.tokens import page_key
from tidegate.domain.access.proof import IdentityMode
from tidegate.domain.quantities import Arm
from tidegate.domain.rollout.machine import State
from tidegate.drivers.identity.memory import MemoryIdentity
from tidegate.testing.memory_world import DOCUMENT, MemoryWorld, the_shop
from tidegate.usecases.start import start_rollout

TOKEN = "a-token-for-tests"
HEALTH = "/services/shop/health"
WITH_MODEL = DOCUMENT.replace(
    "signals: [{name: errors, kind: errors}]",
    """signals:
    - {name: errors, kind: errors}
    - {name: lock-wait, kind: limit, source: openmetrics, metric: lock_wait, limit: 1s, on_breach: hold}
    - {name: disk, kind: limit, source: openmetrics, metric: disk_used, limit: 80%, shadow: true}
  model:
    shop: {needs: {checkout: outage, payments: degraded}}
    checkout: {needs: {shop-db: outage}}
    shop-db: {signals: [lock-wait, disk]}""",
)
NODES = {"shop", "checkout", "payments", "shop-db"}


class Page(HTMLParser):
    """What a page says: of each node drawn its classes and words, of each row of the table its cells."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.nodes: dict[str, list[str]] = {}
        self.labels: dict[str, str] = {}
        self.rows: dict[str, str] = {}
        self.text = ""
        self._row = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        name = said.get("id") or ""
        if tag == "a" and name.startswith("node-"):
            self.nodes[name.removeprefix("node-")] = (said["class"] or "").split()
            self.labels[name.removeprefix("node-")] = said["aria-label"] or ""
        if tag == "tr":
            self._row = name.removeprefix("row-") if name.startswith("row-") else ""

    def handle_data(self, data: str) -> None:
        self.text += f" {data}"
        if self._row:
            self.rows[self._row] = self.rows.get(self._row, "") + f" {data}"


@pytest.fixture
async def browser(page_client: httpx.AsyncClient) -> httpx.AsyncClient:
    """Return a browser that has the page key, on a server where names are claims."""
    await page_client.get("/", params={"token": page_key(TOKEN)})
    return page_client


async def page_at(browser: httpx.AsyncClient, path: str) -> Page:
    answer = await browser.get(path)
    assert answer.status_code == 200, answer.text
    return Page(answer.text)


def words_of(page: Page) -> str:
    return " ".join(page.text.split())


async def baking(world: MemoryWorld, *, lock_wait: float = 0.1) -> None:
    world.limits |= {"lock-wait": lock_wait, "disk": 0.5}
    await world.installed()
    rollout = await world.start("1.1.0", document=WITH_MODEL)
    await world.run(rollout.id, until={State.BAKING})
    for _ in range(3):
        world.clock.advance(timedelta(seconds=1))
        await world.run(rollout.id, until=lambda _: True)


async def test_without_a_model_the_service_is_drawn_alone_and_it_is_said(
    browser: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """One node with all signals, unknown as long as nobody compares anything, and how to write more."""
    await world.installed()

    page = await page_at(browser, HEALTH)

    assert page.nodes == {"shop": ["node", "unknown"]}
    assert "No health model is written for shop" in words_of(page)
    assert "No rollout is under way" in words_of(page)


async def test_unknown_never_looks_healthy(browser: httpx.AsyncClient, world: MemoryWorld) -> None:
    """With no rollout under way every node is unknown, in the drawing and in the table."""
    await world.installed(document=WITH_MODEL)

    page = await page_at(browser, HEALTH)

    assert set(page.nodes) == set(page.rows) == NODES
    assert all("unknown" in classes and "healthy" not in classes for classes in page.nodes.values())
    assert all("unknown" in cells for cells in page.rows.values())
    assert "healthy" not in " ".join(page.rows.values())


@pytest.mark.parametrize(("lock_wait", "state"), [(0.1, "healthy"), (2.0, "degraded")])
async def test_the_drawing_and_the_table_say_the_same(
    browser: httpx.AsyncClient, world: MemoryWorld, lock_wait: float, state: str
) -> None:
    """Of each node the same state, by a class and by words: never by colour alone."""
    await baking(world, lock_wait=lock_wait)

    page = await page_at(browser, HEALTH)

    assert state in page.nodes["shop-db"]
    for name, classes in page.nodes.items():
        [shown] = {"healthy", "degraded", "unhealthy", "unknown"} & set(classes)
        assert f": {shown}" in page.labels[name]
        assert shown in page.rows[name].split()


async def test_every_need_is_a_line_with_its_impact(
    browser: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """As a class for its stroke, and in words."""
    await world.installed(document=WITH_MODEL)

    text = (await browser.get(HEALTH)).text

    lines = re.findall(r'<polyline[^>]*class="line (\w+)[^>]*><title>(.*?)</title>', text)
    assert sorted((impact, unescape(said).partition(":")[0]) for impact, said in lines) == [
        ("degraded", "shop needs payments"),
        ("outage", "checkout needs shop-db"),
        ("outage", "shop needs checkout"),
    ]


async def test_a_node_opens_its_panel_by_the_address(
    browser: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """Signals with what they ask, tolerate and do; those in shadow say so; and the path is marked."""
    await baking(world, lock_wait=2.0)

    page = await page_at(browser, f"{HEALTH}?node=shop-db")

    words = words_of(page)
    assert "Needed by checkout (outage)" in words
    assert "metric lock_wait" in words
    assert "Limit at most 1 In force enforced : holds as long as the limit is broken" in words
    assert "In force in shadow : it is in shadow" in words
    assert "tidegate service health enforce shop disk" in words
    assert {name for name, classes in page.nodes.items() if "on-path" in classes} == NODES - {
        "payments"
    }
    assert "chosen" in page.nodes["shop-db"]


async def test_a_tested_signal_says_its_error_rate_and_when_it_fired(
    browser: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """The bound of the plan for as many rollouts as there were, and the decision that it led to."""
    await world.installed()
    bad = await world.start("1.1.0")
    await world.run(bad.id, until={State.ROLLED_BACK}, failing={Arm.CANDIDATE: 0.5})

    words = words_of(await page_at(browser, f"{HEALTH}?node=shop&past=yes"))

    assert "% of harmless rollouts, all signals together" in words
    assert "in 30 days at 1 rollout" in words
    assert f"halted rollout {bad.id}" in words
    assert "would have halted 1 of 1 past rollouts; 0 of these completed all the same" in words


async def test_what_if_a_limit_that_holds_breaks(
    browser: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """States spread as the model says; the rollout that would be held is named; the command is the same."""
    await baking(world)

    page = await page_at(browser, f"{HEALTH}?red=shop-db")

    words = words_of(page)
    assert "Rollouts of shop would be held. Now that is" in words
    assert "tidegate service health explain shop --what-if shop-db=unhealthy" in words
    assert all("unhealthy" in page.nodes[name] for name in NODES - {"payments"})
    assert "supposed" in page.labels["shop-db"]


async def test_what_if_nothing_measures_it(browser: httpx.AsyncClient, world: MemoryWorld) -> None:
    """A blind spot is called one."""
    await baking(world)

    words = words_of(await page_at(browser, f"{HEALTH}?red=payments"))

    assert "Nothing would be held or halted." in words
    assert "this is a blind spot" in words


async def test_the_table_alone_has_no_drawing(
    browser: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """By the address, so that a link to it is the same for whoever opens it."""
    await world.installed(document=WITH_MODEL)

    page = await page_at(browser, f"{HEALTH}?view=table")

    assert page.nodes == {}
    assert set(page.rows) == NODES


@pytest.mark.parametrize("query", ["node=db", "red=db", "node=%3Cimg%20src=x%3E"])
async def test_a_node_that_isnt_there_is_told(
    browser: httpx.AsyncClient, world: MemoryWorld, query: str
) -> None:
    """With the nodes that there are, and never as markup."""
    await world.installed(document=WITH_MODEL)

    answer = await browser.get(f"{HEALTH}?{query}")

    assert answer.status_code == 422
    assert "has no node" in answer.text
    assert "<img" not in answer.text


async def test_another_service_shows_its_last_change_to_whoever_may_see_it(
    page_client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """A node that is called like acme's service is only a name to umbrella, whose model names it."""
    await two_tenants(world)
    model = WITH_MODEL.replace("checkout", f"{MARK}-shop").replace("service: shop", "service: eves")
    model = model.replace("    shop: {needs", "    eves: {needs")
    await start_rollout(
        world.outside,
        the_shop(model),
        {"code": "1.0.0"},
        actor="eve",
        person="eve",
        organisation="umbrella",
    )
    object.__setattr__(world.outside, "identity", MemoryIdentity())
    object.__setattr__(world.outside, "identity_mode", IdentityMode.VERIFIED)
    path = f"/services/eves/health?node={MARK}-shop"

    answer = await page_client.get(path, headers=session_cookie(world, EVE))
    stranger = await page_client.get(path, headers=session_cookie(world, replace(ANN, name="x")))

    assert answer.status_code == 200
    assert "none is known to this server" in answer.text
    assert "Its own health model" not in answer.text
    assert stranger.status_code == 404


def test_the_path_through_a_node_is_what_trouble_can_take() -> None:
    """Up to all that needs it and down to all that it needs; not to what merely shares a neighbour."""
    needs = [("a", "b"), ("a", "c"), ("b", "d"), ("c", "d"), ("d", "e")]

    assert on_path("b", needs) == {"a", "b", "d", "e"}
    assert on_path("e", needs) == {"a", "b", "c", "d", "e"}
