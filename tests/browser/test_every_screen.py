"""
What holds for every screen: nobody is shut out, nothing scrolls sideways, nothing is carried out or fetched.

`tests/support/screens.py` is the list. `TIDEGATE_TEST_PROFILE=full` looks at each of them in every scene,
in every theme and at every width; a normal run takes what differs most.
"""

import itertools
from collections.abc import Awaitable, Callable

import pytest
import pytest_asyncio
from browsing import THEMES, WIDTHS, Theme
from screens import IS_FULL, SCREENS, Screen, cases
from seen_screens import Seen, headings, links, look_over

from tidegate.testing.scenes import HOSTILE_TEXT, Scene

SMALLEST = min(WIDTHS)
THUMB_PX = 44
PRESSED_ON_PHONES = {
    "overview",
    "approvals",
    "emergency",
    "freezes",
    "postmortem",
    "rollout-waiting",
}
WIDE: tuple[Theme, int] = ("light", max(WIDTHS))
SMALL: tuple[Theme, int] = ("dark", SMALLEST)

Look = Callable[[Screen, Scene], Awaitable[Seen]]


def named(value: Screen | Scene) -> str:
    """Return how a test of a screen or a scene is called."""
    return value.name.lower()


every_case = pytest.mark.parametrize(("screen", "scene"), cases(), ids=named)
every_screen = pytest.mark.parametrize("screen", SCREENS, ids=named)


def looks_at(screen: Screen, scene: Scene) -> list[tuple[Theme, int]]:
    """
    Return in which themes and at which widths axe looks: half of the time that all of this takes is its.

    Where a screen is looked at in several scenes, the first is looked at wide and light, the others small
    and dark; where in one, it is the small and dark one, which leaves the least room for mistakes.
    """
    if IS_FULL:
        return list(itertools.product(THEMES, WIDTHS))
    return [WIDE if len(screen.scenes) > 1 and scene is screen.scenes[0] else SMALL]


_seen: dict[tuple[Screen, Scene], Seen] = {}


@pytest_asyncio.fixture(loop_scope="session")
async def seen(scenes, visit) -> Look:
    """Return what finds out all about a screen in a scene, once for all tests."""

    async def look(screen: Screen, scene: Scene) -> Seen:
        if (screen, scene) not in _seen:
            served = await scenes(scene, lab=screen.is_of_lab)
            path = screen.path_in(served.staged)
            visitor = await visit(served)
            _seen[screen, scene] = await look_over(
                visitor, path, looks=looks_at(screen, scene), smallest=SMALLEST
            )
        return _seen[screen, scene]

    return look


@every_case
async def test_nobody_is_shut_out(screen: Screen, scene: Scene, seen: Look) -> None:
    """Axe finds nothing serious or critical."""
    found = await seen(screen, scene)

    assert [look for look in found.shut_out if look[-1]] == []


@every_case
async def test_only_what_is_wide_scrolls_sideways(screen: Screen, scene: Scene, seen: Look) -> None:
    """The page never does, on the smallest phone; a table does in a region that a keyboard reaches."""
    found = await seen(screen, scene)

    assert found.too_wide == ()
    assert found.unreachable == ()


@every_case
async def test_a_page_keeps_to_its_policy(screen: Screen, scene: Scene, seen: Look) -> None:
    """No error in the console, no violation of the policy, nothing fetched from elsewhere."""
    found = await seen(screen, scene)

    assert found.status == screen.status_in(scene)
    # Chromium calls a page that isn't 200 an error of the console, too.
    own = f"the server responded with a status of {found.status}"
    assert [one for one in found.complaints if found.status == 200 or own not in one] == []
    assert found.asked_elsewhere == ()


@every_case
async def test_a_reader_finds_their_way(screen: Screen, scene: Scene, seen: Look) -> None:
    """A language, a title, one first heading, one main part, and a way past the navigation."""
    found = await seen(screen, scene)

    assert found.language == "en"
    assert found.title.endswith("Tidegate")
    assert found.first_headings == found.mains == 1
    assert found.skips, "Tab and Enter don't lead to the main part"


@every_screen
async def test_hostile_words_are_shown_as_text(screen: Screen, scenes, visit) -> None:
    """What people and telemetry said is read and never carried out."""
    served = await scenes(Scene.HOSTILE)
    visitor = await visit(served)

    await visitor.open(screen.path_in(served.staged))

    assert await visitor.page.locator("img[src=x], script:not([src])").count() == 0
    assert visitor.policy_violations() == []


async def test_the_hostile_scene_has_hostile_words(seen: Look) -> None:
    """The check above could fail: the words are on the screen."""
    found = await seen(SCREENS[0], Scene.HOSTILE)

    assert HOSTILE_TEXT in found.text


@pytest.mark.parametrize(
    "screen", [one for one in SCREENS if one.name in PRESSED_ON_PHONES], ids=named
)
async def test_a_thumb_hits_every_button(screen: Screen, scenes, visit) -> None:
    """On a phone whatever can be pressed is 44 px high, small ones too."""
    served = await scenes(screen.plain_scene)
    visitor = await visit(served, width=SMALLEST, acting_as="lead-a", touch=True)
    await visitor.open(screen.path_in(served.staged))

    heights = await visitor.page.evaluate(
        "[...document.querySelectorAll('.button')].map(one => one.getBoundingClientRect().height)"
    )

    shown = [height for height in heights if height]
    assert shown, "there is nothing to press"
    assert min(shown) >= THUMB_PX


@every_screen
async def test_an_address_shows_the_same_to_the_next_person(
    screen: Screen, scenes, seen: Look, visit
) -> None:
    """A link that is sent to a colleague opens what was seen."""
    served = await scenes(screen.plain_scene, lab=screen.is_of_lab)
    first = await seen(screen, screen.plain_scene)
    second = await visit(served)

    await second.open(screen.path_in(served.staged))

    assert await second.page.locator("main").inner_text() == first.text


@every_screen
async def test_everything_is_there_without_scripts(
    screen: Screen, scenes, seen: Look, visit
) -> None:
    """The same headings, and no link less: scripts only add comfort."""
    served = await scenes(screen.plain_scene, lab=screen.is_of_lab)
    with_scripts = await seen(screen, screen.plain_scene)
    without = await visit(served, scripts=False)

    await without.open(screen.path_in(served.staged))

    assert await headings(without) == with_scripts.headings
    assert with_scripts.links <= await links(without)


@every_screen
async def test_who_only_looks_is_offered_nothing(screen: Screen, seen: Look) -> None:
    """The link that shows brings no form that acts, on any screen."""
    found = await seen(screen, screen.plain_scene)

    assert found.forms == {"/theme"}
