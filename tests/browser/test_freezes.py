"""Freezes from their page, one after another."""

from tidegate.testing.scenes import Scene


async def test_two_freezes_are_announced_without_loading_the_page_again(fresh, visit) -> None:
    """What the form says the second time is another freeze, and not the first one once more."""
    visitor = await visit(await fresh(Scene.NORMAL), acting_as="sre-a")
    await visitor.open("/freezes")

    for number, service in ((1, "checkout"), (2, "payments")):
        await visitor.page.keyboard.press("n")
        form = visitor.page.locator("dialog[open]")
        await form.locator("[name=name]").fill(service)
        await form.locator("[name=until]").fill("2026-04-01T10:00")
        await form.locator("[name=reason]").fill("end of the quarter")
        await form.get_by_role("button", name="Announce").click()
        await visitor.page.locator(f"#freeze-{number}").wait_for()

    assert "service payments" in await visitor.page.locator("#freeze-2").inner_text()
