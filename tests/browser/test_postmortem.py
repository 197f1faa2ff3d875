"""Writing into a postmortem with a keyboard, on a small phone, without scripts, and beside somebody else."""

from browsing import Visitor
from served_scene import ServedScene

from tidegate.domain.access.roles import Role
from tidegate.domain.review.written import Review
from tidegate.testing.scenes import LEAD, Scene
from tidegate.usecases.bus import perform
from tidegate.usecases.postmortem_commands import AddFactor, ChangeFactor
from tidegate.usecases.postmortem_records import REVIEWS

FIRST = "f-1"


def rollout_of(served: ServedScene) -> str:
    """Return the id of the rollout that was rolled back, about which people wrote."""
    return served.staged.rollouts["pricing"]


def review_of(served: ServedScene) -> Review:
    """Return what is written there by now."""
    with served.staged.world.store.begin(read_only=True) as transaction:
        review = REVIEWS.get(transaction, rollout_of(served))
    assert review is not None, "the scene has one"
    return review


async def somebody_is_quicker(served: ServedScene) -> str:
    """Let somebody else change the first factor; return what it says then."""
    version = review_of(served).factors[0].version
    command = ChangeFactor(
        rollout=rollout_of(served), factor=FIRST, version=version, text="Somebody was quicker."
    )
    return (await perform(served.staged.world.outside, LEAD, command)).item.text


async def open_change(visitor: Visitor) -> None:
    """Open the form for the first factor, and write something else into it."""
    await visitor.page.locator(f"#factor-{FIRST}").get_by_role("button", name="Change…").click()
    await visitor.page.locator("dialog[open] textarea").fill("Mine is better.")


async def test_a_factor_is_added_with_the_keyboard_on_a_small_phone(fresh, visit) -> None:
    """One key, the text, Tab and Enter; who else looks sees it without loading again."""
    served = await fresh(Scene.NORMAL)
    visitor = await visit(served, width=320, acting_as="sre-a")
    other = await visit(served)
    for one in (visitor, other):
        await one.open(f"/postmortems/{rollout_of(served)}")

    await visitor.page.keyboard.press("c")
    await visitor.page.keyboard.type("Nobody is told how old the list is.")
    await visitor.page.keyboard.press("Tab")
    await visitor.page.keyboard.press("Enter")

    for one in (visitor, other):
        await one.page.locator("#factor-f-3").wait_for()
        assert "Nobody is told how old the list is." in await one.page.locator("main").inner_text()
    factor = review_of(served).factors[-1]
    assert (factor.text, factor.by) == ("Nobody is told how old the list is.", "sre-a")
    assert await visitor.page.locator("dialog[open]").count() == 0
    assert await visitor.too_wide() == []
    assert visitor.complaints == []


async def test_two_are_added_one_after_the_other(fresh, visit) -> None:
    """Each form that was sent is followed by a new one: the second isn't taken for the first again."""
    served = await fresh(Scene.NORMAL)
    visitor = await visit(served, acting_as="sre-a")
    await visitor.open(f"/postmortems/{rollout_of(served)}")

    for number in (3, 4):
        await visitor.page.keyboard.press("c")
        await visitor.page.locator("dialog[open] textarea").fill(f"Number {number}.")
        await visitor.page.locator("dialog[open]").get_by_role("button", name="Add").click()
        await visitor.page.locator(f"#factor-f-{number}").wait_for()

    assert [one.text for one in review_of(served).factors[2:]] == ["Number 3.", "Number 4."]


async def test_what_is_being_typed_stays_while_others_write(fresh, visit) -> None:
    """News doesn't touch an open form; what was refused stays in it with the reason."""
    served = await fresh(Scene.NORMAL)
    visitor = await visit(served, acting_as="sre-a")
    await visitor.open(f"/postmortems/{rollout_of(served)}")
    await open_change(visitor)

    add = AddFactor(rollout=rollout_of(served), text="From elsewhere.")
    await perform(served.staged.world.outside, LEAD, add)
    await visitor.page.locator("#factor-f-3").wait_for(state="attached")

    assert await visitor.page.locator("dialog[open] textarea").input_value() == "Mine is better."


async def test_whoever_was_slower_sees_both_and_decides(fresh, visit) -> None:
    """What is there now and what they wrote stand side by side; one press saves theirs after all."""
    served = await fresh(Scene.NORMAL)
    visitor = await visit(served, width=320, theme="dark", acting_as="sre-a")
    await visitor.open(f"/postmortems/{rollout_of(served)}")
    await open_change(visitor)
    quicker = await somebody_is_quicker(served)

    await visitor.page.locator("dialog[open]").get_by_role("button", name="Save").click()
    kept = visitor.page.locator("#kept")
    await kept.wait_for()
    said = await kept.inner_text()
    typed = await kept.locator("textarea").input_value()
    before = review_of(served).factors[0].text
    shut_out, too_wide = await visitor.shut_out(), await visitor.too_wide()
    await kept.get_by_role("button", name="Save mine in its place").click()
    await kept.wait_for(state="detached")

    assert quicker in said
    assert (typed, before) == ("Mine is better.", quicker)
    assert review_of(served).factors[0].text == "Mine is better."
    assert (shut_out, too_wide) == ([], [])


async def test_everything_is_written_without_scripts(fresh, visit) -> None:
    """The same forms, as plain ones: what is refused comes back with what was typed."""
    served = await fresh(Scene.NORMAL)
    visitor = await visit(served, width=320, roles=(Role.OPERATOR,), scripts=False)
    await visitor.open(f"/postmortems/{rollout_of(served)}")
    page = visitor.page

    await page.get_by_role("button", name="Add an action…").click()
    await page.locator("dialog[open] textarea").fill("Say how old the list is.")
    await page.locator("dialog[open]").get_by_role("button", name="Add").click()
    await page.locator("#action-a-3").wait_for()
    await page.locator("#action-a-3").get_by_role("button", name="Done").click()
    await page.locator("#action-a-3.done").wait_for()
    await open_change(visitor)
    quicker = await somebody_is_quicker(served)
    await page.locator("dialog[open]").get_by_role("button", name="Save").click()
    kept = page.locator("#kept")
    await kept.wait_for()
    said, typed = await kept.inner_text(), await kept.locator("textarea").input_value()
    await kept.get_by_role("button", name="Save mine in its place").click()
    await page.get_by_text("Mine is better.").first.wait_for()

    assert (quicker in said, typed) == (True, "Mine is better.")
    assert await page.locator("#kept").count() == 0
    review = review_of(served)
    assert (review.factors[0].text, review.actions[-1].text) == (
        "Mine is better.",
        "Say how old the list is.",
    )


async def test_nobody_is_shut_out_of_the_forms(fresh, visit) -> None:
    """Axe finds nothing with the forms on the page and with each kind of them open, on a small phone."""
    served = await fresh(Scene.NORMAL)
    visitor = await visit(served, width=320, theme="dark", acting_as="sre-a")
    await visitor.open(f"/postmortems/{rollout_of(served)}")
    found = {"closed": await visitor.shut_out()}

    for opened in ("add-factor", "add-action", "change-f-1", "remove-a-1"):
        await visitor.page.locator(f"[commandfor=confirm-{opened}]").first.click()
        found[opened] = [*await visitor.shut_out(), *await visitor.too_wide()]
        await visitor.page.keyboard.press("Escape")

    assert found == {opened: [] for opened in found}
