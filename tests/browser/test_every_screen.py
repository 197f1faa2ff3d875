"""
What holds for every screen: nobody is shut out, nothing scrolls sideways, nothing is carried out or fetched.

`tests/support/screens.py` is the list. `TIDEGATE_TEST_PROFILE=full` looks at each of them in every scene,
in every theme and at every width; a normal run takes what differs most.
"""

import itertools

import pytest
from browsing import THEMES, WIDTHS, Visitor
from screens import IS_FULL, SCREENS, Screen, cases

from tidegate.testing.scenes import HOSTILE_TEXT, Scene

LOOKS = list(itertools.product(THEMES, WIDTHS)) if IS_FULL else [("light", 1280), ("dark", 320)]
SMALLEST = min(WIDTHS)


def named(value: Screen | Scene) -> str:
    """Return how a test of a screen or a scene is called."""
    return value.name.lower()


every_case = pytest.mark.parametrize(("screen", "scene"), cases(), ids=named)
every_screen = pytest.mark.parametrize("screen", SCREENS, ids=named)


async def headings(visitor: Visitor) -> list[str]:
    return await visitor.page.locator("h1, h2, h3").all_text_contents()


async def links(visitor: Visitor) -> set[str]:
    found = await visitor.page.locator("main a[href]").evaluate_all(
        "links => links.map(link => link.getAttribute('href'))"
    )
    return set(found)


@every_case
async def test_nobody_is_shut_out(screen: Screen, scene: Scene, scenes, visit) -> None:
    """Axe finds nothing serious or critical."""
    served = await scenes(scene)
    visitor = await visit(served)
    await visitor.open(screen.path_in(served.staged))

    for theme, width in LOOKS:
        await visitor.look(theme=theme, width=width)

        assert await visitor.shut_out() == [], f"{theme} at {width} px"


@every_case
async def test_only_what_is_wide_scrolls_sideways(
    screen: Screen, scene: Scene, scenes, visit
) -> None:
    """The page never does, on the smallest phone; a table does in a region that a keyboard reaches."""
    served = await scenes(scene)
    visitor = await visit(served, width=SMALLEST)

    await visitor.open(screen.path_in(served.staged))

    assert await visitor.too_wide() == []
    assert await visitor.unreachable_scrollers() == []


@every_case
async def test_a_page_keeps_to_its_policy(screen: Screen, scene: Scene, scenes, visit) -> None:
    """No error in the console, no violation of the policy, nothing fetched from elsewhere."""
    served = await scenes(scene)
    visitor = await visit(served)

    status = await visitor.open(screen.path_in(served.staged))

    assert status == screen.status_in(scene)
    # Chromium calls a page that isn't 200 an error of the console, too.
    own = f"the server responded with a status of {status}"
    assert [one for one in visitor.complaints if status == 200 or own not in one] == []
    assert visitor.asked_elsewhere() == []


@every_case
async def test_a_reader_finds_their_way(screen: Screen, scene: Scene, scenes, visit) -> None:
    """A language, a title, one first heading, one main part, and a way past the navigation."""
    served = await scenes(scene)
    visitor = await visit(served)
    page = visitor.page

    await visitor.open(screen.path_in(served.staged))
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")

    assert await page.locator("html").get_attribute("lang") == "en"
    assert (await page.title()).endswith("Tidegate")
    assert await page.locator("h1").count() == 1
    assert await page.locator("main").count() == 1
    assert await page.evaluate("document.activeElement.matches('main, main *')")


@every_screen
async def test_hostile_words_are_shown_as_text(screen: Screen, scenes, visit) -> None:
    """What people and telemetry said is read and never carried out."""
    served = await scenes(Scene.HOSTILE)
    visitor = await visit(served)

    await visitor.open(screen.path_in(served.staged))

    assert await visitor.page.locator("img[src=x], script:not([src])").count() == 0
    assert visitor.policy_violations() == []


async def test_the_hostile_scene_has_hostile_words(scenes, visit) -> None:
    """The check above could fail: the words are on the screen."""
    visitor = await visit(await scenes(Scene.HOSTILE))

    await visitor.open("/")

    assert HOSTILE_TEXT in await visitor.page.locator("main").inner_text()


@every_screen
async def test_an_address_shows_the_same_to_the_next_person(screen: Screen, scenes, visit) -> None:
    """A link that is sent to a colleague opens what was seen."""
    served = await scenes(Scene.NORMAL)
    first, second = await visit(served), await visit(served)

    await first.open(screen.path_in(served.staged))
    await second.open(first.page.url.removeprefix(served.url))

    seen = await first.page.locator("main").inner_text()
    assert await second.page.locator("main").inner_text() == seen


@every_screen
async def test_everything_is_there_without_scripts(screen: Screen, scenes, visit) -> None:
    """The same headings, and no link less: scripts only add comfort."""
    served = await scenes(Scene.NORMAL)
    with_scripts, without = await visit(served), await visit(served, scripts=False)

    for visitor in (with_scripts, without):
        await visitor.open(screen.path_in(served.staged))

    assert await headings(without) == await headings(with_scripts)
    assert await links(with_scripts) <= await links(without)
