"""The lab's page: what it shows before and while there is a lab, and what its buttons do."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tidegate.api.app import create_app
from tidegate.api.tokens import acting_key, page_key
from tidegate.drivers.processes.memory import MemoryProcesses
from tidegate.lab.faults import Fault, break_candidate
from tidegate.lab.pages import LAB_PATH, WHAT_THEY_DO, LabPage, lab_pages
from tidegate.lab.world import LabServer, World
from tidegate.testing.memory_world import MemoryWorld

TOKEN = "a-token-for-tests"
URL = "http://127.0.0.1:7180"
ACTING = {"tidegate-script": "1", "tidegate-acting": f"you.{acting_key(TOKEN, 'you')}"}


@pytest.fixture
def lab() -> LabPage:
    return LabPage()


@pytest.fixture
async def browser(lab: LabPage) -> AsyncIterator[httpx.AsyncClient]:
    """Return a browser that may act, in front of a server with the lab's page."""
    app = create_app(MemoryWorld().outside, token=TOKEN, version="0", more=lab_pages(lab))
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    cookie = f"tidegate_pages_7180={page_key(TOKEN)}; tidegate_as_7180=you"
    async with httpx.AsyncClient(
        transport=transport, base_url=URL, headers={"cookie": cookie}
    ) as client:
        yield client


def a_world(folder: Path) -> World:
    """Return a lab whose server can't be reached: what needs none works all the same."""
    server = LabServer(
        url="http://127.0.0.1:1", token=TOKEN, state_dir=folder, processes=MemoryProcesses()
    )
    faults = folder / "faults"
    faults.mkdir()
    (faults / "load.control").write_text("{}")
    return World(
        server=server,
        api=httpx.AsyncClient(base_url=server.url),
        shop_url="http://127.0.0.1:8080",
        shop_document=folder / "tidegate.yaml",
        faults_dir=faults,
        report=folder / "load.jsonl",
    )


async def test_before_there_is_a_lab_the_page_says_so(browser: httpx.AsyncClient) -> None:
    """It is opened by the first line that the lab prints, while the shop is still being installed."""
    shown = await browser.get(LAB_PATH)
    refused = await browser.post(f"{LAB_PATH}/heal", headers=ACTING)

    assert shown.status_code == 200
    assert "Nobody has come yet" in shown.text
    assert "being built" in refused.json()["detail"]


async def test_it_tells_the_story_newest_first_and_what_users_get(
    browser: httpx.AsyncClient, lab: LabPage, tmp_path: Path
) -> None:
    """Figures are those of the users' own report, words those of the terminal."""
    lab.world = a_world(tmp_path)
    lab.book.note("lab", "installs shop 1.0.0")
    lab.book.note("healthy", "shop <b>1.1.0</b>")
    tally = {
        "total": 40,
        "failed": 4,
        "lost": 0,
        "orders": 7,
        "first_failed_at": None,
        "last_response_at": None,
        "users": [1, 2],
    }
    second = int(MemoryWorld().clock.now().timestamp()) - 2
    entry = {"second": second, "sent": 40, "unsent": 0, "versions": {"1.1.0": tally}}
    lab.world.report.write_text(json.dumps(entry) + "\n")

    text = (await browser.get(LAB_PATH)).text

    assert text.index("shop &lt;b&gt;1.1.0") < text.index("installs shop 1.0.0")
    assert "4 (10.0%)" in text
    assert 'href="/lab" aria-current="page"' in text


async def test_healing_takes_every_fault_away(
    browser: httpx.AsyncClient, lab: LabPage, tmp_path: Path
) -> None:
    """What is broken is shown until it is healed."""
    lab.world = a_world(tmp_path)
    break_candidate(lab.world.faults_dir, "1.2.0", "errors")
    before = (await browser.get(LAB_PATH)).text

    healed = await browser.post(f"{LAB_PATH}/heal", headers=ACTING)

    after = (await browser.get(LAB_PATH)).text
    assert healed.status_code == 200
    assert "shop 1.2.0 is broken: errors 0.1" in before
    assert "is broken" not in after


async def test_whoever_only_looks_breaks_nothing(
    browser: httpx.AsyncClient, lab: LabPage, tmp_path: Path
) -> None:
    """No button, and no way round it."""
    lab.world = a_world(tmp_path)
    looking = {"cookie": f"tidegate_pages_7180={page_key(TOKEN)}"}

    shown = await browser.get(LAB_PATH, headers=looking)
    refused = await browser.post(f"{LAB_PATH}/break", data={"fault": "errors"}, headers=looking)

    assert "Break it, heal it" not in shown.text
    assert refused.status_code == 401
    assert list(lab.world.faults_dir.glob("*.json")) == []


async def test_the_usual_server_has_no_lab() -> None:
    """Nothing of it is on a server that runs real rollouts."""
    app = create_app(MemoryWorld().outside, token=TOKEN, version="0")
    transport = httpx.ASGITransport(app=app)
    cookie = {"cookie": f"tidegate_pages_7180={page_key(TOKEN)}"}
    async with httpx.AsyncClient(transport=transport, base_url=URL, headers=cookie) as client:
        assert (await client.get(LAB_PATH)).status_code == 404
        assert 'href="/lab"' not in (await client.get("/")).text


def test_every_fault_has_a_button() -> None:
    """One that is added to the lab is added to its page."""
    assert set(WHAT_THEY_DO) == set(Fault)
