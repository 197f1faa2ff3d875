"""Stopping with nothing but a keyboard or a thumb, over a slow line, with and without live news."""

from typing import Any

from browsing import Visitor, comes_true

from tidegate.domain.stops.model import StopOrder
from tidegate.testing.scenes import Scene
from tidegate.usecases.shelves import STOP_ORDERS

MOST_BYTES = 60 * 1024
"""What the whole page may weigh: document, style and scripts, as they come over the wire."""


def orders(visitor: Visitor) -> tuple[StopOrder, ...]:
    """Return the stop orders that are in force."""
    with visitor.served.staged.world.store.begin(read_only=True) as transaction:
        return STOP_ORDERS.open(transaction)


async def wait_for_order(visitor: Visitor) -> StopOrder:
    """Return the one order, when the page shows it."""
    await visitor.page.locator("#order-1").wait_for()
    (order,) = orders(visitor)
    return order


async def test_everything_is_stopped_with_the_keyboard(fresh, visit) -> None:
    """From the open page: one key, the name, Enter."""
    visitor = await visit(await fresh(Scene.NORMAL), width=320, acting_as="sre-a")
    await visitor.open("/emergency")

    await visitor.page.keyboard.press("h")
    await visitor.page.keyboard.type("everything")
    await visitor.page.keyboard.press("Enter")

    order = await wait_for_order(visitor)
    assert (order.scope, order.by, order.withdraw) == ("everything", "sre-a", False)
    assert visitor.complaints == []


async def test_everything_is_stopped_with_a_thumb(fresh, visit) -> None:
    """Two taps and the typed name at 320 px; without the name nothing is sent."""
    visitor = await visit(await fresh(Scene.NORMAL), width=320, acting_as="sre-a", touch=True)
    await visitor.open("/emergency")
    dialog = visitor.page.locator("#confirm-stop")

    await visitor.page.get_by_role("button", name="Stop everything…").tap()
    await dialog.get_by_role("button", name="Stop everything").tap()
    early = orders(visitor)
    await dialog.get_by_label("Type everything to confirm").fill("Everything ")
    await dialog.get_by_role("button", name="Stop everything").tap()

    assert early == ()
    assert (await wait_for_order(visitor)).scope == "everything"


async def test_pressing_twice_gives_one_order(fresh, visit) -> None:
    """A nervous thumb sends the form once more; it is the same order."""
    visitor = await visit(await fresh(Scene.NORMAL), width=320, acting_as="sre-a", touch=True)
    await visitor.open("/emergency?scope=service&service=checkout")

    await visitor.page.keyboard.press("h")
    await visitor.page.locator("#confirm-stop button.danger").dblclick()

    order = await wait_for_order(visitor)
    assert (order.name, len(orders(visitor))) == ("checkout", 1)


async def test_what_is_chosen_is_what_is_counted_named_and_stopped(fresh, visit) -> None:
    """The count, the button, the confirmation and the address follow the choice without a reload."""
    visitor = await visit(await fresh(Scene.NORMAL), acting_as="sre-a")
    await visitor.open("/emergency")
    page = visitor.page

    await page.get_by_label("A service").check()
    await page.get_by_text("choose which service").wait_for()
    open_to_all = await page.get_by_role("button", name="Stop everything…").count()
    await page.get_by_label("Which service").select_option("checkout")
    await page.get_by_label("Also take every new version back").check()
    await page.get_by_role("button", name="Stop service checkout…").click()
    await page.get_by_text("Every new version is taken back from everyone.").wait_for()
    await page.keyboard.press("Enter")

    order = await wait_for_order(visitor)
    assert open_to_all == 0
    assert (order.scope, order.name, order.withdraw) == ("service", "checkout", True)
    assert "service=checkout" in page.url
    assert "withdraw=yes" in page.url


async def test_it_stops_while_nothing_is_live(fresh, visit) -> None:
    """With the stream of news refused the page says since when, and the order is given all the same."""
    visitor = await visit(await fresh(Scene.NORMAL), acting_as="sre-a")
    await visitor.page.route("**/live*", lambda route: route.abort())
    await visitor.open("/emergency")
    await visitor.page.get_by_text("not live since").wait_for()

    await visitor.page.keyboard.press("h")
    await visitor.page.keyboard.type("everything")
    await visitor.page.keyboard.press("Enter")

    assert (await wait_for_order(visitor)).scope == "everything"


async def test_a_change_is_put_back_with_one_tap_and_a_yes(fresh, visit) -> None:
    """Its card, the button, the confirmation; nothing to type."""
    served = await fresh(Scene.NORMAL)
    visitor = await visit(served, width=320, acting_as="sre-a", touch=True)
    await visitor.open("/emergency?changes=all")
    rollout = served.staged.rollouts["orders-api"]

    await visitor.page.locator(f"#suspect-{rollout} > .buttons .button").tap()
    await visitor.page.locator(f"#confirm-rollback-{rollout} button.warn").tap()
    await visitor.page.locator(
        f"#suspect-{rollout}.recovering, #suspect-{rollout}.rolled_back"
    ).wait_for()

    assert served.staged.world.rollout(rollout).halt is not None


async def test_the_whole_page_fits_a_slow_line(scenes, visit) -> None:
    """Document, style and scripts together, compressed, in a browser that has none of them yet."""
    visitor = await visit(await scenes(Scene.HALTED), acting_as="sre-a")
    client = await visitor.page.context.new_cdp_session(visitor.page)
    await client.send("Network.enable")
    await client.send("Network.setCacheDisabled", {"cacheDisabled": True})
    weights: dict[str, float] = {}
    addresses: dict[str, str] = {}

    def asked(event: dict[str, Any]) -> None:
        addresses[event["requestId"]] = event["request"]["url"]

    def came(event: dict[str, Any]) -> None:
        # What the page before had asked for isn't this page's.
        if event["requestId"] in addresses:
            weights[addresses[event["requestId"]]] = event["encodedDataLength"]

    client.on("Network.requestWillBeSent", asked)
    client.on("Network.loadingFinished", came)

    await visitor.open("/emergency")

    assert {"/emergency", "/assets/style.css", "/assets/app.js", "/assets/htmx.min.js"} <= {
        address.removeprefix(visitor.served.url).partition("?")[0] for address in weights
    }
    assert sum(weights.values()) <= MOST_BYTES, weights


async def test_nothing_is_pressed_for_what_was_chosen_before(fresh, visit) -> None:
    """As long as the page hasn't followed the choice, neither its key nor a press opens the old one."""
    visitor = await visit(await fresh(Scene.NORMAL), acting_as="sre-a")
    await visitor.open("/emergency")
    page = visitor.page
    asked = []

    async def held_back(route: Any) -> None:
        asked.append(route)

    await page.route("**/emergency?*", held_back)
    await page.get_by_label("A service").check()
    await comes_true(page, "document.querySelector('#stop-now').inert")
    await page.locator("body").press("h")
    opened = await page.locator("dialog[open]").count()
    for route in asked:
        await route.continue_()
    await page.get_by_text("choose which service").wait_for()

    assert opened == 0
    assert not await page.locator("#stop-now").evaluate("part => part.inert")
