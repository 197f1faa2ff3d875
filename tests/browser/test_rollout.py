"""
The page of one rollout under a person's hands: halting it in two moves, going through its charts.

One world for the whole file, which its tests move: each has a rollout of its own.
"""

import base64
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest_asyncio
from browsing import Visitor
from served_scene import TOKEN, ServedScene, served

from tidegate.domain.rollout.machine import State
from tidegate.testing.scenes import Scene

PICTURE: Final = Path(__file__).parent / "pictures" / "chart-errors.png"
"""The errors chart of orders-api in the normal scene, at 1280 px in the light theme."""

MOST_MISSING: Final = 0.25
"""The share of drawn pixels that may lie elsewhere: fonts and the smoothing of lines differ by machine."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def moving() -> AsyncIterator[ServedScene]:
    """Return a server over a normal scene that the tests of this file may change."""
    async with served(Scene.NORMAL) as server:
        yield server


def state(server: ServedScene, service: str) -> State:
    return server.staged.world.rollout(server.staged.rollouts[service]).state


def orders_to_halt(server: ServedScene, service: str) -> int:
    """Return how many halts of *service* the ledger has."""
    with server.staged.world.store.begin(read_only=True) as transaction:
        entries = transaction.ledger(rollout_id=server.staged.rollouts[service], limit=1_000)
    return sum(entry.rule == "halt" for entry in entries)


def path_of(server: ServedScene, service: str) -> str:
    return f"/rollouts/{server.staged.rollouts[service]}"


async def halted(visitor: Visitor) -> None:
    """Wait until the page shows that it is halted."""
    await visitor.page.locator("#rollout .state.halted").first.wait_for()


# --- halting -----------------------------------------------------------------------------------------


async def test_two_keys_halt(moving: ServedScene, visit) -> None:
    """`h` opens the confirmation, Enter sends it: nothing else is asked."""
    visitor = await visit(moving, acting_as="dev-a")
    await visitor.open(path_of(moving, "payments"))

    await visitor.page.keyboard.press("h")
    await visitor.page.keyboard.press("Enter")

    await halted(visitor)
    assert state(moving, "payments") is State.HALTED


async def test_two_taps_halt_on_the_smallest_phone_while_nothing_is_live(
    moving: ServedScene, visit
) -> None:
    """At 320 px, with the stream of hints down: the page says so, and the halt is accepted."""
    visitor = await visit(moving, acting_as="dev-a", width=320, touch=True)
    page = visitor.page
    await page.route("**/live*", lambda route: route.abort())
    await visitor.open(path_of(moving, "orders-api"))
    await page.get_by_text("not live since").wait_for()

    await page.get_by_role("button", name="Halt", exact=True).tap()
    await page.locator("dialog[open] button", has_text="Halt").tap()

    await halted(visitor)
    assert state(moving, "orders-api") is State.HALTED


async def test_pressed_twice_it_is_one_order(moving: ServedScene, visit) -> None:
    """Whoever is in a hurry presses twice; the ledger has it once."""
    visitor = await visit(moving, acting_as="dev-a")
    page = visitor.page
    await visitor.open(path_of(moving, "checkout"))
    await page.keyboard.press("h")

    await page.locator("dialog[open] button", has_text="Halt").dblclick()

    await halted(visitor)
    assert orders_to_halt(moving, "checkout") == 1


async def test_a_page_that_is_behind_halts_and_refuses_the_rest(moving: ServedScene, visit) -> None:
    """What was seen has moved: a yes to it is refused with that reason, a stop is never."""
    visitor = await visit(moving, acting_as="lead-b")
    page = visitor.page
    await page.route("**/live*", lambda route: route.abort())
    await visitor.open(path_of(moving, "search"))
    rollout = moving.staged.rollouts["search"]
    await page.request.post(
        f"{moving.url}/v1/rollouts/{rollout}/reject",
        headers={"authorization": f"Bearer {TOKEN}", "tidegate-actor": "lead-a"},
        data={"comment": "not tonight"},
    )

    await page.keyboard.press("a")
    await page.keyboard.press("Enter")
    problem = page.locator("dialog[open] .problem")
    await problem.filter(has_text="moved").wait_for()
    refused = await problem.inner_text()
    await page.keyboard.press("Escape")
    await page.keyboard.press("h")
    await page.keyboard.press("Enter")

    await halted(visitor)
    assert refused.startswith("The phase you saw has moved.")
    assert state(moving, "search") is State.HALTED


# --- the log -----------------------------------------------------------------------------------------


async def test_a_refresh_adds_what_is_new_once(moving: ServedScene, visit) -> None:
    """After a change in the backend the log has it, without a reload, and every entry once."""
    visitor = await visit(moving, acting_as="dev-a")
    page = visitor.page
    await visitor.open(path_of(moving, "search-next"))
    before = await page.locator(".log li").count()

    await page.request.post(
        f"{moving.url}/v1/rollouts/{moving.staged.rollouts['search-next']}/halt",
        headers={"authorization": f"Bearer {TOKEN}", "tidegate-actor": "lead-a"},
        data={"reason": "another one comes"},
    )
    await page.locator(".log", has_text="another one comes").wait_for()

    ids = await page.locator(".log li").evaluate_all("rows => rows.map(row => row.id)")
    assert len(ids) == len(set(ids)) > before


async def test_w_opens_why_the_latest_decision_was_made(scenes, visit) -> None:
    """One key leads to its sentence, its inputs and its replay."""
    server = await scenes(Scene.NORMAL)
    visitor = await visit(server)
    await visitor.open(path_of(server, "gateway"))

    await visitor.page.keyboard.press("w")

    await visitor.page.wait_for_url(re.compile(r"/decisions/\d+$"))
    assert "The same." in await visitor.page.locator(".replay").inner_text()


# --- charts ------------------------------------------------------------------------------------------


async def with_charts(server: ServedScene, visit: Any, **options: Any) -> Visitor:
    """Return somebody in front of the charts of orders-api, drawn."""
    visitor: Visitor = await visit(server, **options)
    await visitor.open(path_of(server, "orders-api"))
    await visitor.page.get_by_role("button", name="Go through").click()
    await visitor.page.locator("[data-chart=errors] canvas").wait_for()
    return visitor


async def test_nobody_pays_for_charts_who_does_not_ask(scenes, visit) -> None:
    """The drawing library is loaded when the charts are opened, and not before."""
    server = await scenes(Scene.NORMAL)
    visitor = await visit(server)
    await visitor.open(path_of(server, "orders-api"))
    before = [one for one in visitor.asked if "uPlot" in one]

    await visitor.page.get_by_role("button", name="Go through").click()
    await visitor.page.locator("[data-chart=errors] canvas").wait_for()

    assert before == []
    assert [one for one in visitor.asked if "uPlot" in one] != []
    assert visitor.complaints == []


async def test_a_keyboard_goes_from_point_to_point(scenes, visit) -> None:
    """Each point is told in words, with its time."""
    visitor = await with_charts(await scenes(Scene.NORMAL), visit)
    page = visitor.page
    told = page.locator("[data-chart=errors] output").first

    await page.locator("[data-chart=errors] .chart-panel").first.focus()
    await page.keyboard.press("End")
    last = await told.inner_text()
    await page.keyboard.press("ArrowLeft")

    assert re.match(r"\d\d:\d\d:\d\d UTC: candidate [\d.]+%, baseline [\d.]+%", last)
    assert await told.inner_text() != last


async def test_t_shows_the_numbers_that_the_api_gives(scenes, visit) -> None:
    """In place of the pictures: the same points, in the same order."""
    server = await scenes(Scene.NORMAL)
    visitor = await visit(server)
    page = visitor.page
    await visitor.open(path_of(server, "orders-api"))

    await page.keyboard.press("t")
    await page.locator("[data-chart=errors] table").wait_for()

    shown = await page.locator("[data-chart=errors] tbody tr").evaluate_all(
        "rows => rows.map(row => [...row.cells].slice(3, 7).map(cell => Number(cell.innerText)))"
    )
    answer = await page.request.get(
        f"{server.url}/v1{path_of(server, 'orders-api')}/evidence?since=2000-01-01T00:00:00Z",
        headers={"authorization": f"Bearer {TOKEN}"},
    )
    points = (await answer.json())["points"]
    given = [
        [*signal["candidate"], *signal["baseline"]]
        for point in points
        for signal in point["signals"]
        if signal["name"] == "errors"
    ]
    assert len(given) > 5
    assert shown == given


async def test_charts_shut_nobody_out(scenes, visit) -> None:
    """Open charts and tables are as fit for everybody as the rest of the page."""
    visitor = await with_charts(await scenes(Scene.NORMAL), visit, width=320)

    assert await visitor.shut_out() == []
    assert await visitor.too_wide() == []
    await visitor.page.keyboard.press("t")
    await visitor.page.locator("[data-chart=errors] table").wait_for()
    assert await visitor.shut_out() == []
    assert await visitor.unreachable_scrollers() == []


async def test_a_chart_looks_as_it_did(scenes, visit) -> None:
    """Drawn from the same numbers it is the picture that is kept; drawn from others it isn't."""
    visitor = await with_charts(await scenes(Scene.NORMAL), visit)
    kept = base64.b64encode(PICTURE.read_bytes()).decode()

    same = await visitor.page.evaluate(_MISSING, [kept, "errors"])
    other = await visitor.page.evaluate(_MISSING, [kept, "latency"])

    assert same <= MOST_MISSING
    assert other > MOST_MISSING


_MISSING: Final = """async ([kept, signal]) => {
  const canvas = document.querySelector(`[data-chart=${signal}] canvas`);
  const bytes = Uint8Array.from(atob(kept), one => one.charCodeAt(0));
  const picture = await createImageBitmap(new Blob([bytes], {type: "image/png"}));
  const { width, height } = canvas;
  if (picture.width !== width || picture.height !== height) return 1;
  const pixels = (source) => {
    const place = new OffscreenCanvas(width, height).getContext("2d");
    place.drawImage(source, 0, 0);
    return place.getImageData(0, 0, width, height).data;
  };
  const left = pixels(picture);
  const right = pixels(canvas);
  const isIn = (x, y) => x >= 0 && y >= 0 && x < width && y < height;
  const drawn = (data, x, y) => isIn(x, y) && data[(y * width + x) * 4 + 3] > 96;
  const near = (data, x, y) => {
    for (let dx = -1; dx <= 1; dx++)
      for (let dy = -1; dy <= 1; dy++) if (drawn(data, x + dx, y + dy)) return true;
    return false;
  };
  let all = 0, lost = 0;
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) {
    for (const [one, other] of [[left, right], [right, left]]) {
      if (!drawn(one, x, y)) continue;
      all++;
      if (!near(other, x, y)) lost++;
    }
  }
  return all ? lost / all : 1;
}"""
