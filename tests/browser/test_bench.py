"""The bench itself: what it says of a page is true, and each of its checks can fail."""

import pytest
from browsing import MISSING, chromium

from tidegate.domain.access.roles import Role
from tidegate.testing.scenes import Scene

FAULTS = {
    "a picture without words": "<img src='/assets/icon.svg'>",
    "a field without a label": "<input name='reason'>",
    "grey on grey": "<p id='grey'>no more approvals are needed</p>",
}


async def plant(visitor, html: str) -> None:
    """Put *html* at the end of the page, past its policy."""
    await visitor.page.evaluate(
        "html => document.querySelector('main').append(...new DOMParser()"
        ".parseFromString(html, 'text/html').body.children)",
        html,
    )


def test_a_missing_browser_is_a_failure_with_the_way_on(monkeypatch) -> None:
    """Without Chromium nothing is skipped: whoever runs the tests is told what to install."""
    monkeypatch.setenv("PATH", "/nowhere")

    with pytest.raises(AssertionError, match="install Debian's package chromium"):
        chromium()
    assert "script/setup dev" in MISSING


@pytest.mark.parametrize("fault", FAULTS)
async def test_axe_finds_what_shuts_people_out(fault: str, scenes, visit) -> None:
    """A fault that is planted in a good page is found."""
    visitor = await visit(await scenes(Scene.EMPTY))
    await visitor.open("/")

    await plant(visitor, FAULTS[fault])
    for grey in await visitor.page.locator("#grey").all():
        await grey.evaluate("one => { one.style.color = '#bbb'; one.style.background = '#aaa' }")

    assert await visitor.shut_out() != []


async def test_a_wide_page_and_a_hidden_scroller_are_found(scenes, visit) -> None:
    """What sticks out is named, and so is a scroller that no keyboard reaches."""
    visitor = await visit(await scenes(Scene.EMPTY), width=320)
    await visitor.open("/")

    await plant(visitor, "<pre id='wide'></pre><div id='box'><pre>x</pre></div>")
    await visitor.page.evaluate(
        """() => {
          document.querySelector("#wide").style.width = "900px";
          document.querySelector("#box").style.overflowX = "auto";
          document.querySelector("#box pre").style.width = "900px";
        }"""
    )

    assert any("wide" in one for one in await visitor.too_wide())
    assert any("box" in one for one in await visitor.unreachable_scrollers())


async def test_a_forbidden_script_and_a_foreign_request_are_heard(scenes, visit) -> None:
    """What the policy stops is in the complaints, and what was asked for elsewhere is noted."""
    visitor = await visit(await scenes(Scene.EMPTY))
    await visitor.open("/")

    await plant(visitor, "<p id='here'></p>")
    await visitor.page.evaluate(
        """() => {
          const script = document.createElement("script");
          script.textContent = "window.carriedOut = true";
          document.body.append(script);
          return fetch("https://elsewhere.example/").catch(() => null);
        }"""
    )

    assert len(visitor.policy_violations()) >= 2
    assert not await visitor.page.evaluate("'carriedOut' in window")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "Looks only"),
        ({"roles": (Role.VIEWER,)}, "Acts as viewer-a"),
        ({"acting_as": "lead-a"}, "Acts as lead-a"),
    ],
    ids=["by the link", "logged in", "by a link to act"],
)
async def test_a_visitor_is_who_the_test_says(options, words: str, scenes, visit) -> None:
    """Whoever only looks, has logged in or may act under a name is known so by the page."""
    visitor = await visit(await scenes(Scene.EMPTY, of="people"), **options)

    await visitor.open("/")

    assert words in (await visitor.page.locator("header .menu-body").text_content() or "")
