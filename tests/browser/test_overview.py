"""The fleet's page in a browser: it stays true by itself, keeps one's place, and remembers views."""

from browsing import comes_true

from tidegate.testing.scenes import LEAD, Scene
from tidegate.usecases.bus import perform
from tidegate.usecases.rollout_commands import HaltRollout

ROW = "#s-checkout"


async def halt(served) -> None:
    rollout = served.staged.rollouts["checkout"]
    await perform(
        served.staged.world.outside, LEAD, HaltRollout(rollout=rollout, reason="orders fail")
    )


async def test_a_row_changes_without_a_reload_and_keeps_ones_place(fresh, visit) -> None:
    """Focus and scroll stay, the change is said once, and only the row is asked for, not the fleet."""
    served = await fresh(Scene.NORMAL)
    visitor = await visit(served)
    page = visitor.page
    await page.add_init_script(
        "addEventListener('tidegate:refreshed', () => { window.asked = (window.asked || 0) + 1; }, true)"
    )
    await visitor.open("/")
    # Both parts are asked for once when the stream begins; what comes after is by hints alone.
    await comes_true(page, "window.asked >= 2")
    await page.evaluate("window.stays = true")
    link = page.locator(f"{ROW} a").first
    await link.focus()
    scrolled = await page.evaluate("scrollY")

    await halt(served)
    await page.locator(f"{ROW} .state.halted").first.wait_for()

    assert await page.evaluate("window.stays") is True
    assert await link.evaluate("one => one === document.activeElement")
    assert await page.evaluate("scrollY") == scrolled
    assert any("/fleet/rows" in one and "service=checkout" in one for one in visitor.asked)
    said = await page.locator("#alarmed p").all_text_contents()
    assert len([one for one in said if "checkout is halted" in one]) == 1


async def test_what_needs_somebody_comes_by_itself(fresh, visit) -> None:
    """The counts and the cards above the matrix follow, at their own pace."""
    served = await fresh(Scene.NORMAL)
    visitor = await visit(served)
    await visitor.open("/")
    await visitor.page.locator("body[data-stream=yes]").wait_for()

    await halt(served)
    card = visitor.page.locator("#needs li", has_text="checkout")
    await card.wait_for()

    assert "orders fail" in await card.inner_text()
    counted = await visitor.page.locator(".counts .halted").inner_text()
    assert counted.split()[1:] == ["1", "halted"]


async def test_a_view_is_kept_renamed_and_deleted_in_this_browser(scenes, visit) -> None:
    """Its name leads to the same address."""
    visitor = await visit(await scenes(Scene.NORMAL))
    page = visitor.page
    await visitor.open("/?q=state%3Aheld")
    await page.get_by_text("Views", exact=True).click()
    await page.get_by_label("Name of this view").fill("Held ones")
    await page.get_by_role("button", name="Save it in this browser").click()
    await visitor.open("/")
    await page.get_by_text("Views", exact=True).click()

    await page.get_by_role("button", name="rename the view Held ones").click()
    await page.get_by_label("Name of this view").fill("Ours")
    await page.get_by_role("button", name="Save it in this browser").click()
    await page.get_by_role("link", name="Ours").click()

    assert page.url.endswith("/?q=state%3Aheld")
    await page.get_by_text("Views", exact=True).click()
    await page.get_by_role("button", name="delete the view Ours").click()
    assert await page.locator("#saved-views").is_hidden()


async def test_a_view_that_leads_elsewhere_is_no_link(scenes, visit) -> None:
    """What is kept in a browser isn't believed."""
    visitor = await visit(await scenes(Scene.NORMAL))
    await visitor.open("/")
    planted = (
        '[{"name": "x", "address": "https://elsewhere.example/"}, {"name": "y", "address": "//z"}]'
    )
    await visitor.page.evaluate(
        "views => localStorage.setItem('tidegate-fleet-views', views)", planted
    )

    await visitor.open("/")

    assert await visitor.page.locator("#saved-views a").count() == 0


async def test_the_filter_has_a_key_and_the_matrix_a_keyboard(scenes, visit) -> None:
    """`/` goes to the field; the region that scrolls can be reached and moved; its first column stays."""
    visitor = await visit(await scenes(Scene.NORMAL), width=800)
    page = visitor.page
    await visitor.open("/?density=roomy")

    await page.keyboard.press("/")
    assert await page.locator("#q").evaluate("one => one === document.activeElement")
    region = page.locator(".matrix-region")
    await region.focus()
    first = page.locator(f"{ROW} th").first
    before = await first.bounding_box()
    await region.evaluate("one => { one.scrollLeft = 200; }")

    after = await first.bounding_box()
    assert await region.evaluate("one => one.scrollLeft") > 0
    assert before is not None
    assert after is not None
    assert after["x"] == before["x"]


async def test_on_a_phone_the_matrix_is_a_list_of_services(scenes, visit) -> None:
    """With where each of them is, in words."""
    visitor = await visit(await scenes(Scene.NORMAL), width=320)

    await visitor.open("/")

    row = visitor.page.locator(ROW)
    assert await visitor.page.locator(".matrix thead").is_hidden()
    assert "0 of 3 done, eu-1 5%" in await row.inner_text()
    assert await visitor.too_wide() == []
