"""The health model under somebody's fingers: by keyboard, in both themes, on a phone, and on paper."""

import pytest
import pytest_asyncio
from browsing import Visitor

from tidegate.domain.quantities import ServiceName
from tidegate.testing.memory_world import DOCUMENT, the_shop
from tidegate.testing.scenes import Scene
from tidegate.usecases.start import start_rollout

MODEL = DOCUMENT.replace(
    "signals: [{name: errors, kind: errors}]",
    """signals:
    - {name: errors, kind: errors}
    - {name: lock-wait, kind: limit, source: openmetrics, metric: lock_wait, limit: 1s, on_breach: hold}
  model:
    shop: {needs: {checkout-flow: outage, gateway: degraded}}
    checkout-flow: {needs: {shop-db: outage, a-dependency-with-a-very-long-name-indeed: none}}
    gateway: {needs: {shop-db: outage}}
    shop-db: {signals: [lock-wait]}""",
)
HEALTH = "/services/shop/health"


@pytest_asyncio.fixture(loop_scope="session")
async def shop(fresh, visit) -> Visitor:
    """Return a window on a server that knows a shop with a health model."""
    served = await fresh(Scene.NORMAL)
    await start_rollout(
        served.staged.world.outside,
        the_shop(MODEL),
        {"code": "1.0.0"},
        actor="dev-a",
        person="dev-a",
    )
    return await visit(served, acting_as="dev-a")


async def focused(visitor: Visitor) -> str:
    return await visitor.page.evaluate("document.activeElement.id")


async def test_nodes_are_walked_and_opened_with_the_keyboard(shop: Visitor) -> None:
    """J goes from node to node, Enter opens the panel, and the address shows the same again."""
    await shop.open(HEALTH)

    await shop.page.keyboard.press("j")
    first = await focused(shop)
    await shop.page.keyboard.press("j")
    second = await focused(shop)
    await shop.page.keyboard.press("Enter")
    await shop.page.wait_for_url("**/health?node=*")

    assert first == "node-shop"
    assert second.startswith("node-")
    assert second != first
    assert await shop.page.locator("#panel-title").inner_text() == second.removeprefix("node-")


async def test_t_shows_the_table_alone_and_the_drawing_again(shop: Visitor) -> None:
    """The same facts, chosen by a key and kept in the address."""
    await shop.open(HEALTH)

    await shop.page.keyboard.press("t")
    await shop.page.wait_for_url("**/health?view=table")
    drawings = await shop.page.locator("#drawing").count()
    rows = await shop.page.locator(".nodes tbody tr").count()
    await shop.page.keyboard.press("t")
    await shop.page.wait_for_url("**/health")

    assert (drawings, rows) == (0, 5)
    assert await shop.page.locator("#drawing .node").count() == 5


@pytest.mark.parametrize("query", ["", "?node=shop-db", "?red=shop-db", "?view=table"])
async def test_nobody_is_shut_out_of_the_model(shop: Visitor, query: str) -> None:
    """Axe finds nothing serious in both themes, wide and on a phone, and the page stays as wide as that."""
    await shop.open(HEALTH + query)

    for theme, width in (("light", 1280), ("dark", 320)):
        await shop.look(theme=theme, width=width)
        assert await shop.shut_out() == []
        assert await shop.too_wide() == []
    assert await shop.unreachable_scrollers() == []


async def test_no_words_leave_their_box(shop: Visitor) -> None:
    """Also of a long name, in the fonts that this system has."""
    await shop.open(f"{HEALTH}?red=shop-db")

    out = await shop.page.evaluate(
        """() => [...document.querySelectorAll("#drawing .node")].flatMap((node) => {
          const box = node.querySelector("rect").getBoundingClientRect();
          return [...node.querySelectorAll("text")]
            .filter((text) => text.getBoundingClientRect().right > box.right)
            .map((text) => text.textContent);
        })"""
    )

    assert out == []


async def test_on_paper_there_is_the_drawing_and_the_table(shop: Visitor) -> None:
    """And nothing that can only be pressed."""
    await shop.open(HEALTH)
    await shop.page.emulate_media(media="print")

    assert await shop.page.locator("#drawing svg").is_visible()
    assert await shop.page.locator(".nodes").is_visible()
    assert not await shop.page.locator("[data-key='t']").is_visible()


async def test_a_service_is_stopped_with_two_keys(fresh, visit) -> None:
    """H asks, Enter stops: pressed once it is one order, and the page says so."""
    served = await fresh(Scene.NORMAL)
    visitor = await visit(served, acting_as="dev-a")
    await visitor.open("/services/checkout")

    await visitor.page.keyboard.press("h")
    await visitor.page.locator("dialog[open]").wait_for()
    await visitor.page.keyboard.press("Enter")
    await visitor.page.locator("#said", has_text="stop order").wait_for(state="attached")

    with served.staged.world.store.begin(read_only=True) as transaction:
        [entry] = [
            one
            for one in transaction.ledger(limit=100_000)
            if one.rule == "give-stop-order" and one.service == ServiceName("checkout")
        ]
    assert entry.actor == "dev-a"
