"""Every key of the table does what the help says, and nothing on any screen answers to another one."""

import re
from dataclasses import dataclass

import pytest
from browsing import comes_true
from playwright.async_api import expect
from screens import SCREENS, Screen

from tidegate.api.pages.keys import KEYS, keys_of
from tidegate.api.pages.page_words import NAVIGATION
from tidegate.testing.scenes import Scene

CONFIRMS = "document.querySelector('main dialog[open], dialog[id^=confirm][open]') !== null"
IN_A_ROW = "document.activeElement.closest('[data-row]') !== null"


@dataclass(frozen=True, slots=True, kw_only=True)
class Works:
    """Where a key is tried, after other keys were `pressed`: what is true `then`, or where it `leads`."""

    path: str
    then: str = ""
    leads: str = ""
    pressed: tuple[str, ...] = ()
    scene: Scene = Scene.NORMAL


WORKS = {
    "/": Works(path="/", then="document.activeElement.id === 'q'"),
    "j": Works(path="/services", then=IN_A_ROW),
    "k": Works(path="/services", then=IN_A_ROW),
    "Enter": Works(path="/services", pressed=("j",), leads="/services/[a-z-]+"),
    "f": Works(path="/", then="document.activeElement.closest('[data-needs]') !== null"),
    "w": Works(path="/rollouts/{checkout}", leads="/decisions/[0-9]+"),
    "h": Works(path="/rollouts/{checkout}", then=CONFIRMS),
    "H": Works(path="/rollouts/{checkout}", leads="/emergency#stop"),
    "r": Works(path="/rollouts/{checkout}", then=CONFIRMS),
    "a": Works(path="/rollouts/{search}", then=CONFIRMS),
    "x": Works(path="/rollouts/{search}", then=CONFIRMS),
    "u": Works(path="/rollouts/{checkout}", then=CONFIRMS, scene=Scene.HALTED),
    "e": Works(path="/emergency", then=CONFIRMS),
    "n": Works(path="/freezes", then=CONFIRMS),
    "c": Works(path="/postmortems/{pricing}", then=CONFIRMS),
    "d": Works(path="/postmortems/{pricing}", then=CONFIRMS),
    "m": Works(path="/approvals", then="document.activeElement.name === 'mine'"),
    "t": Works(
        path="/services/checkout/health", leads=r"/services/checkout/health\?.*view=table.*"
    ),
    ".": Works(path="/rollouts/{checkout}", then="window.copied?.startsWith('tidegate ')"),
    "?": Works(path="/", then="document.querySelector('#keys').open"),
}
"""One for each key of the table: whoever adds a key says where it works."""


def test_every_key_of_the_table_is_tried() -> None:
    """And none twice: one key, one thing."""
    keys = [key for line in KEYS for key in line.keys]

    assert sorted(keys) == sorted(WORKS)
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("key", WORKS)
async def test_a_key_does_what_the_help_says(key: str, scenes, visit) -> None:
    """Pressed on a screen that it is for, by somebody who may act."""
    works = WORKS[key]
    served = await scenes(works.scene)
    visitor = await visit(served, acting_as="lead-a")
    screen = Screen(name=key, path=works.path)
    await visitor.page.add_init_script(
        "navigator.clipboard.writeText = async (text) => { window.copied = text; }"
    )
    await visitor.open(screen.path_in(served.staged))
    for before in works.pressed:
        await visitor.page.keyboard.press(before)

    await visitor.page.keyboard.press(key)

    if works.leads:
        await expect(visitor.page).to_have_url(re.compile(f"{re.escape(served.url)}{works.leads}"))
    else:
        await comes_true(visitor.page, works.then)


@pytest.mark.parametrize(
    "place", [one for one in NAVIGATION if one.keys], ids=lambda one: one.label
)
async def test_two_keys_lead_to_a_screen(place, scenes, visit) -> None:
    """From any other; the help names both and where they lead."""
    served = await scenes(Scene.NORMAL)
    visitor = await visit(served)
    await visitor.open("/freezes")
    shown = await visitor.page.locator("#keys").text_content()

    for key in place.keys.split(" "):
        await visitor.page.keyboard.press(key)

    await expect(visitor.page).to_have_url(f"{served.url}{place.path}")
    assert f"to {place.label}" in " ".join((shown or "").split())


@pytest.mark.parametrize("screen", SCREENS, ids=lambda one: one.name)
async def test_no_screen_answers_to_a_key_that_the_help_leaves_out(
    screen: Screen, scenes, visit
) -> None:
    """What isn't in the table isn't known to anybody."""
    served = await scenes(screen.plain_scene, lab=screen.is_of_lab)
    visitor = await visit(served, acting_as="lead-a")
    await visitor.open(screen.path_in(served.staged))
    known = {key for line in keys_of(NAVIGATION) for key in line.keys}

    answers = await visitor.page.evaluate(
        "[...document.querySelectorAll('[data-key], [aria-keyshortcuts]')]"
        ".flatMap(one => [one.dataset.key, one.getAttribute('aria-keyshortcuts')]).filter(Boolean)"
    )

    assert set(answers) - known == set()
