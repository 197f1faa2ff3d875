"""A page whose server was away says so, and is right when it comes back."""

import re
from collections import Counter

from playwright.async_api import expect

from tidegate.testing.scenes import Scene

WITHIN_MS = 60_000
POLLS_AFTER_MS = 16_000
DECISION = re.compile(r"\bd-\d+\b")


async def on_a_rollout(fresh, visit):
    """Return a served scene, the id of a rollout in it, and its page with a clock that can be moved."""
    served = await fresh(Scene.NORMAL)
    rollout = served.staged.rollouts["orders-api"]
    visitor = await visit(served)
    await visitor.page.clock.install()
    await visitor.open(f"/rollouts/{rollout}")
    return served, rollout, visitor.page


async def test_what_happened_while_the_server_was_away_is_on_the_page(fresh, visit) -> None:
    """Nothing is missed, no decision is listed twice, and the page was never opened anew."""
    served, rollout, page = await on_a_rollout(fresh, visit)
    await page.evaluate("window.neverLeft = true")
    await expect(page.locator("main")).to_contain_text("phase 2 of 5")

    await served.stop()
    await expect(page.locator("#live")).to_contain_text("not live since", timeout=WITHIN_MS)
    await served.staged.traffic.pass_ticks(6)
    now = served.staged.world.rollout(rollout)
    await served.start()
    await page.clock.fast_forward(POLLS_AFTER_MS)

    shown = f"phase {now.phase_index + 1} of 5"
    assert shown != "phase 2 of 5"
    await expect(page.locator("main")).to_contain_text(shown, timeout=WITHIN_MS)
    listed = Counter(DECISION.findall(await page.locator("main").inner_text()))
    assert listed, "no decision is listed at all"
    assert [one for one, times in listed.items() if times > 1] == []
    assert await page.evaluate("window.neverLeft")


async def test_a_tab_that_was_opened_in_the_background_asks_for_no_stream(fresh, visit) -> None:
    """It begins when it is looked at first, and is right then."""
    served = await fresh(Scene.NORMAL)
    rollout = served.staged.rollouts["orders-api"]
    visitor = await visit(served)
    page = visitor.page
    await page.add_init_script(
        "Object.defineProperty(document, 'visibilityState', {get: () => window.looked ?? 'hidden'})"
    )
    streams = []
    page.on("request", lambda one: streams.append(one.url) if "/live" in one.url else None)

    await visitor.open(f"/rollouts/{rollout}")
    await expect(page.locator("#live")).to_contain_text("not looked at")
    asked_in_the_background = list(streams)
    await served.staged.traffic.pass_ticks(6)
    now = served.staged.world.rollout(rollout)
    await page.evaluate(
        "window.looked = 'visible'; document.dispatchEvent(new Event('visibilitychange'))"
    )

    await expect(page.locator("#live")).to_have_text("live", timeout=WITHIN_MS)
    assert asked_in_the_background == []
    assert len(streams) == 1
    shown = f"phase {now.phase_index + 1} of 5"
    await expect(page.locator("main")).to_contain_text(shown, timeout=WITHIN_MS)


async def test_a_tab_that_nobody_looks_at_gives_its_stream_back(fresh, visit) -> None:
    """It is right again at once when it is looked at: what happened meanwhile is asked for."""
    served, rollout, page = await on_a_rollout(fresh, visit)
    await expect(page.locator("#live")).to_have_text("live", timeout=WITHIN_MS)
    await page.evaluate(
        "Object.defineProperty(document, 'visibilityState', {get: () => window.looked ?? 'hidden'})"
    )
    seen = "document.dispatchEvent(new Event('visibilitychange'))"

    await page.evaluate(seen)
    await page.clock.fast_forward(11_000)
    await expect(page.locator("#live")).to_contain_text("not looked at")
    await served.staged.traffic.pass_ticks(6)
    now = served.staged.world.rollout(rollout)
    await page.evaluate(f"window.looked = 'visible'; {seen}")

    await expect(page.locator("#live")).to_have_text("live", timeout=WITHIN_MS)
    shown = f"phase {now.phase_index + 1} of 5"
    await expect(page.locator("main")).to_contain_text(shown, timeout=WITHIN_MS)
