"""
One look at a screen, and everything that is asked of it: a page is opened once for many tests.

Opening and looking over a page takes a second or more of a busy machine; with every rule a visit of its
own the tests would take minutes that nobody waits for.
"""

from dataclasses import dataclass

from browsing import Theme, Visitor


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """
    What was found out about one screen in one scene.

    Attributes:
        status: What the server answered.
        complaints: What the console had to say, violations of the policy among it.
        asked_elsewhere: Addresses asked for that aren't the server's.
        shut_out: Serious findings of axe, by the look (theme and width) at which they are.
        too_wide: What makes the page scroll sideways at the smallest width.
        unreachable: What scrolls sideways there, and that no keyboard reaches.
        language, title, first_headings, mains: Of the document.
        skips: Whether the first stop of a keyboard leads past the navigation.
        text: What the main part says.
        headings: All of them, in order.
        links: Where the links of the main part lead.
        forms: Where what changes something is sent to.
    """

    status: int
    complaints: tuple[str, ...]
    asked_elsewhere: tuple[str, ...]
    shut_out: tuple[tuple[Theme, int, tuple[str, ...]], ...]
    too_wide: tuple[str, ...]
    unreachable: tuple[str, ...]
    language: str
    title: str
    first_headings: int
    mains: int
    skips: bool
    text: str
    headings: tuple[str, ...]
    links: frozenset[str]
    forms: frozenset[str]


async def look_over(
    visitor: Visitor, path: str, *, looks: list[tuple[Theme, int]], smallest: int
) -> Seen:
    """Open *path* and find everything out, with axe at each of *looks*."""
    page = visitor.page
    status = await visitor.open(path)
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    skips: bool = await page.evaluate("document.activeElement.matches('main, main *')")
    # Before axe is there: what it does isn't the page's.
    complaints, elsewhere = tuple(visitor.complaints), tuple(visitor.asked_elsewhere())
    text = await page.locator("main").inner_text()
    shut_out = []
    for theme, width in looks:
        await visitor.look(theme=theme, width=width)
        shut_out.append((theme, width, tuple(await visitor.shut_out())))
    await visitor.look(theme="light", width=smallest)
    return Seen(
        status=status,
        complaints=complaints,
        asked_elsewhere=elsewhere,
        shut_out=tuple(shut_out),
        too_wide=tuple(await visitor.too_wide()),
        unreachable=tuple(await visitor.unreachable_scrollers()),
        language=await page.locator("html").get_attribute("lang") or "",
        title=await page.title(),
        first_headings=await page.locator("h1").count(),
        mains=await page.locator("main").count(),
        skips=skips,
        text=text,
        headings=await headings(visitor),
        links=await links(visitor),
        forms=await forms(visitor),
    )


async def headings(visitor: Visitor) -> tuple[str, ...]:
    """Return the headings of the page, in order."""
    return tuple(await visitor.page.locator("h1, h2, h3").all_text_contents())


async def links(visitor: Visitor) -> frozenset[str]:
    """Return where the links of the main part lead."""
    found: list[str] = await visitor.page.locator("main a[href]").evaluate_all(
        "links => links.map(link => link.getAttribute('href'))"
    )
    return frozenset(found)


async def forms(visitor: Visitor) -> frozenset[str]:
    """Return where the forms of a page that change something are sent to."""
    found: list[str] = await visitor.page.locator("form[method=post]").evaluate_all(
        "forms => forms.map(form => new URL(form.action).pathname)"
    )
    return frozenset(found)
