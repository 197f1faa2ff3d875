"""
Somebody with a browser: Debian's Chromium, driven by Playwright, and what can be asked of a page.

A `Visitor` has cookies, a theme and a width of their own. They note whatever a page must never do: errors
in its console, requests that leave this machine, answers of the server that are its own fault.
"""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any, Final, Literal

from playwright.async_api import Browser, ConsoleMessage, Page, async_playwright
from served_scene import ServedScene

from tidegate.api.pages.cookies import SESSION_COOKIE
from tidegate.domain.access.roles import Role

Theme = Literal["light", "dark"]

THEMES: Final[tuple[Theme, ...]] = ("light", "dark")
WIDTHS: Final = (1280, 390, 320)
HEIGHT: Final = 800
COMES_TRUE_WITHIN_SECONDS: Final = 30
WORST: Final = frozenset({"serious", "critical"})
"""What axe calls the findings that shut somebody out."""

MISSING: Final = (
    "no Chromium was found, and the pages can't be tested without one: run ./script/setup dev as root,"
    " or install Debian's package chromium"
)


def chromium() -> str:
    """
    Return the path of the browser.

    Raises:
        AssertionError: it isn't installed.
    """
    found = shutil.which("chromium")
    assert found is not None, MISSING
    return found


@asynccontextmanager
async def running_browser() -> AsyncIterator[Browser]:
    """Give a browser without a window; it ends with the block."""
    path = chromium()
    async with async_playwright() as playwright:
        # A container's root has no sandbox; the only pages opened are our own.
        browser = await playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            await browser.close()


@dataclass
class Visitor:
    """
    Somebody who looks at the pages of *served* in *page*.

    Attributes:
        complaints: Errors in the console and uncaught ones, violations of the policy among them.
        asked: Every address that the page asked for.
    """

    served: ServedScene
    page: Page
    complaints: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    async def open(self, path: str) -> int:
        """Open *path* and return the answer's status."""
        answer = await self.page.goto(f"{self.served.url}{path}", wait_until="load")
        assert answer is not None, f"{path} answered nothing"
        return answer.status

    async def look(self, *, theme: Theme, width: int) -> None:
        """Look at the same page in another theme and at another width, without opening it again."""
        await self.page.emulate_media(color_scheme=theme)
        await self.page.set_viewport_size({"width": width, "height": HEIGHT})

    async def shut_out(self) -> list[str]:
        """Return the serious and critical findings of axe: each with its rule and where it is."""
        if not await self.page.evaluate("'axe' in window"):
            await self.page.evaluate(_axe())
        found: dict[str, Any] = await self.page.evaluate(
            "axe.run(document, {resultTypes: ['violations'], preload: false})"
        )
        return [
            f"{one['impact']} {one['id']}: {node['html'][:160]} ({node['failureSummary']})"
            for one in found["violations"]
            if one["impact"] in WORST
            for node in one["nodes"]
        ]

    def policy_violations(self) -> list[str]:
        """Return what the page's content security policy had to stop so far."""
        return [one for one in self.complaints if "Content Security Policy" in one]

    def asked_elsewhere(self) -> list[str]:
        """Return the addresses asked for that aren't the server's."""
        return [one for one in self.asked if not one.startswith(("data:", self.served.url + "/"))]

    async def too_wide(self) -> list[str]:
        """Return what makes the page itself scroll sideways; empty when it doesn't."""
        found: list[str] = await self.page.evaluate(_TOO_WIDE)
        return found

    async def unreachable_scrollers(self) -> list[str]:
        """Return what scrolls sideways by itself and can't be reached with a keyboard, or has no name."""
        found: list[str] = await self.page.evaluate(_UNREACHABLE)
        return found

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.complaints.append(f"{message.text} {message.location.get('url', '')}".rstrip())


@asynccontextmanager
async def visitor(
    browser: Browser,
    served: ServedScene,
    *,
    theme: Theme = "light",
    width: int = 1280,
    roles: tuple[Role, ...] | None = None,
    acting_as: str | None = None,
    scripts: bool = True,
    timezone: str = "UTC",
    touch: bool = False,
) -> AsyncIterator[Visitor]:
    """
    Give somebody with a browser window of their own.

    Args:
        browser: The browser.
        served: Whose pages they look at.
        theme: What their system prefers.
        width: Of the window, in CSS pixels.
        roles: Log them in with these roles; None opens the pages by a link.
        acting_as: The name that the link lets them act under; by default it only shows.
        scripts: Whether scripts run.
        timezone: Where they are, as an IANA name.
        touch: Whether they touch a screen.
    """
    context = await browser.new_context(
        color_scheme=theme,
        viewport={"width": width, "height": HEIGHT},
        java_script_enabled=scripts,
        timezone_id=timezone,
        locale="en-GB",
        has_touch=touch,
        reduced_motion="reduce",
    )
    try:
        made = Visitor(served=served, page=await context.new_page())
        if roles is not None:
            secret = await served.session(*roles)
            await context.add_cookies([_cookie(SESSION_COOKIE, secret)])
        elif acting_as is not None:
            # Its key is in the fragment: only a page that is opened can take it.
            await made.page.goto(served.link_for(acting_as))
            await made.page.get_by_text(f"Acts as {acting_as}").wait_for(state="attached")
        else:
            # Not on to the page that it leads to: that would be rendered for nobody.
            await context.request.get(served.link, max_redirects=0)
        made.page.on("console", made._heard)
        made.page.on("pageerror", lambda error: made.complaints.append(str(error)))
        made.page.on("request", lambda request: made.asked.append(request.url))
        yield made
    finally:
        await context.close()


async def comes_true(page: Page, expression: str) -> None:
    """
    Wait until *expression* holds in *page*.

    Playwright's own way of waiting for that evaluates text inside the page, which its policy forbids.
    """
    async with asyncio.timeout(COMES_TRUE_WITHIN_SECONDS):
        while not await page.evaluate(expression):
            await asyncio.sleep(0.05)


def _cookie(name: str, value: str) -> Any:
    return {
        "name": name,
        "value": value,
        "domain": "127.0.0.1",
        "path": "/",
        "secure": True,
        "httpOnly": True,
        "sameSite": "Lax",
    }


@cache
def _axe() -> str:
    return resources.files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8")


_TOO_WIDE: Final = """() => {
  const root = document.documentElement;
  if (root.scrollWidth <= root.clientWidth) return [];
  const wide = [...document.body.querySelectorAll("*")]
    .filter(one => one.getBoundingClientRect().right > root.clientWidth + 1)
    .map(one => one.outerHTML.slice(0, 120));
  return [`${root.scrollWidth} px in ${root.clientWidth} px`, ...wide.slice(0, 8)];
}"""

_UNREACHABLE: Final = """() => [...document.body.querySelectorAll("*")]
  .filter(one => {
    const flow = getComputedStyle(one).overflowX;
    return one.scrollWidth > one.clientWidth + 1 && (flow === "auto" || flow === "scroll");
  })
  .filter(one => one.tabIndex < 0 || !(one.getAttribute("aria-label")
    || one.getAttribute("aria-labelledby")))
  .map(one => one.outerHTML.slice(0, 120))"""
