"""The inbox with a keyboard: choosing a card, saying yes and no, and being told what has moved."""

from tidegate.domain.rollout.model import Rollout
from tidegate.testing.scenes import Scene


def search(served) -> Rollout:
    """Return the rollout that waits for an approval: dev-a's."""
    rollout: Rollout = served.staged.world.rollout(served.staged.rollouts["search"])
    return rollout


async def test_one_approves_with_two_keys_and_enter(fresh, visit) -> None:
    """`j` chooses the card, `a` opens its confirmation, Enter says yes; the card follows."""
    served = await fresh(Scene.NORMAL)
    visitor = await visit(served, acting_as="lead-a")
    await visitor.open("/approvals")

    await visitor.page.keyboard.press("j")
    await visitor.page.keyboard.press("a")
    await visitor.page.keyboard.press("Enter")
    await visitor.page.locator(".tally.enough").wait_for()

    assert [one.by for one in search(served).approvals] == ["lead-a"]
    assert visitor.complaints == []


async def test_a_key_acts_on_nothing_that_was_not_chosen(fresh, visit) -> None:
    """The first press only chooses a card."""
    served = await fresh(Scene.NORMAL)
    visitor = await visit(served, acting_as="lead-a")
    await visitor.open("/approvals")

    await visitor.page.keyboard.press("a")
    opened = await visitor.page.locator("dialog[open]").count()
    await visitor.page.keyboard.press("a")

    assert opened == 0
    assert await visitor.page.locator("dialog[open]").count() == 1


async def test_the_second_window_is_told_that_the_phase_has_moved(fresh, visit) -> None:
    """What it showed isn't so any more; reopened it shows what is."""
    served = await fresh(Scene.NORMAL)
    first = await visit(served, acting_as="lead-a")
    second = await visit(served, acting_as="lead-b")
    rollout = search(served)
    for visitor in (first, second):
        await visitor.open("/approvals")
        await visitor.page.locator(f"#approval-{rollout.id} .button.good").first.click()

    await first.page.locator("dialog[open] .button.good").click()
    await first.page.locator(".tally.enough").wait_for()
    await second.page.locator("dialog[open] .button.good").click()
    problem = await second.page.locator("dialog[open] .problem:not([hidden])").inner_text()
    await second.page.locator("dialog[open]").get_by_text("Not now").click()
    await second.page.locator(".tally.enough").wait_for()

    assert problem.startswith("The phase you saw has moved.")
    assert f"you saw phase {rollout.phase_index + 1}, revision {rollout.revision}" in problem
    assert [one.by for one in search(served).approvals] == ["lead-a"]


async def test_ones_own_change_stays_shut_with_the_reason(fresh, visit) -> None:
    """The button says why, and neither a press nor its key opens anything."""
    served = await fresh(Scene.NORMAL)
    visitor = await visit(served, acting_as="dev-a")
    await visitor.open("/approvals")
    button = visitor.page.locator(f"#approval-{search(served).id} .cannot .button")

    await visitor.page.keyboard.press("j")
    await visitor.page.keyboard.press("a")
    # A browser lets one press what is only said to be disabled.
    await button.click(force=True)

    assert await visitor.page.locator("dialog[open]").count() == 0
    described = await button.get_attribute("aria-describedby")
    reason = await visitor.page.locator(f"#{described}").inner_text()
    assert reason == "it is dev-a's own change"


async def test_a_filter_follows_at_once_and_stays_in_the_address(scenes, visit) -> None:
    """Who gets the address sees the same."""
    visitor = await visit(await scenes(Scene.NORMAL), acting_as="lead-a")
    await visitor.open("/approvals")

    await visitor.page.get_by_label("Also what isn't due yet").check()
    await visitor.page.locator(".approval.ahead").first.wait_for()
    address = visitor.page.url.removeprefix(visitor.served.url)
    shown = await visitor.page.locator("[data-row]").evaluate_all("rows => rows.map(one => one.id)")
    other = await visit(visitor.served)
    await other.open(address)

    assert "all=yes" in address
    assert shown == await other.page.locator("[data-row]").evaluate_all(
        "rows => rows.map(one => one.id)"
    )
