"""
Makes the pictures of `docs/explanation/screens.md`: every screen of the tour, light and dark, wide and on a
phone, over the same worlds that the tests of the screens use.

The worlds' clock stands still and the browser's is set to it, so a picture changes only when its screen
does. Colours are cut down to a palette: the pictures stay small enough for the repository.

Run: `python tools/docs/screenshots.py`, with Debian's Chromium and Pillow, which only the scripts of this
folder need (`uv sync --group dev --group docs`). Names after it make those pictures alone.
"""

import asyncio
import io
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PIL import Image
from playwright.async_api import Browser, Page

ROOT: Final = Path(__file__).parents[2]
FOLDER: Final = ROOT / "docs" / "explanation" / "images" / "screens"

sys.path.insert(0, str(ROOT / "tests" / "support"))

from browsing import THEMES, Theme, running_browser, visitor  # noqa: E402
from screens import SCREENS  # noqa: E402
from served_scene import ServedScene, served  # noqa: E402

from tidegate.testing.scenes import Scene  # noqa: E402

SIZES: Final = {"wide": (1280, 860), "phone": (390, 844)}
"""Width and height in CSS pixels: a small laptop's window, and a common phone."""

COLOURS: Final = 96
MOST_BYTES: Final = 1_500_000
"""Of all pictures together: whoever clones the repository loads them."""

PERSON: Final = "lead-a"
"""As whom the pictures are taken: actions show."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """
    One picture of the tour.

    Attributes:
        name: What its files are called.
        screen: Its name in `tests/support/screens.py`.
        scene: The world that it shows.
        sizes: The windows it is taken in.
    """

    name: str
    screen: str
    scene: Scene = Scene.NORMAL
    sizes: tuple[str, ...] = ("wide",)


TOUR: Final = (
    Picture(name="overview", screen="overview"),
    Picture(name="overview-stopped", screen="overview", scene=Scene.HALTED),
    Picture(name="rollout", screen="rollout-second-phase"),
    Picture(name="rollout-held", screen="rollout-held", scene=Scene.HELD, sizes=("phone",)),
    Picture(name="approvals", screen="approvals"),
    Picture(name="emergency", screen="emergency", scene=Scene.HALTED, sizes=("wide", "phone")),
    Picture(name="services", screen="services"),
    Picture(name="service", screen="service"),
    Picture(name="health", screen="health"),
    Picture(name="changes", screen="changes"),
    Picture(name="ledger", screen="ledger"),
    Picture(name="simulate", screen="simulate-compared"),
    Picture(name="postmortem", screen="postmortem"),
    Picture(name="admin", screen="admin"),
)


async def main(wanted: list[str]) -> int:
    """Make the *wanted* pictures, all without any; return the exit code."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    tour = [one for one in TOUR if not wanted or one.name in wanted]
    unknown = set(wanted) - {one.name for one in TOUR}
    if unknown:
        known = ", ".join(one.name for one in TOUR)
        print(f"no picture is called {', '.join(sorted(unknown))}; there are: {known}")
        return 2
    async with running_browser() as browser:
        for scene in dict.fromkeys(one.scene for one in tour):
            async with served(scene) as server:
                for picture in tour:
                    if picture.scene is scene:
                        await _take(browser, server, picture)
    in_all = sum(one.stat().st_size for one in FOLDER.glob("*.png"))
    print(f"{in_all / 1000:.0f} KB in all")
    if in_all > MOST_BYTES:
        print(
            f"that is more than {MOST_BYTES / 1000:.0f} KB: take fewer colours or smaller pictures"
        )
        return 1
    return 0


async def _take(browser: Browser, server: ServedScene, picture: Picture) -> None:
    screen = next(one for one in SCREENS if one.name == picture.screen)
    for size in picture.sizes:
        width, height = SIZES[size]
        for theme in THEMES:
            async with visitor(
                browser, server, theme=theme, width=width, acting_as=PERSON
            ) as person:
                page = person.page
                await page.set_viewport_size({"width": width, "height": height})
                await page.clock.set_fixed_time(server.staged.world.clock.now())
                await person.open(screen.path_in(server.staged))
                await _come_to_rest(page)
                _write(picture, size, theme, await page.screenshot())


async def _come_to_rest(page: Page) -> None:
    """Wait until the page is live, and has drawn what it draws."""
    if await page.locator("[data-live-stream]").count():
        await page.locator("body[data-stream=yes]").wait_for(state="attached")
    await page.evaluate("document.fonts.ready")


def _write(picture: Picture, size: str, theme: Theme, png: bytes) -> None:
    path = FOLDER / f"{picture.name}-{size}-{theme}.png"
    # By coverage, or the few dots that say how a rollout is would lose their colour; without dithering:
    # text on flat grounds stays as it is, and compresses.
    small = (
        Image.open(io.BytesIO(png))
        .convert("RGB")
        .quantize(COLOURS, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    )
    small.save(path, optimize=True)
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size / 1000:.0f} KB")


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
