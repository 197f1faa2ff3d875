"""
A lab at one moment of its story, made of what its processes would have left: no shop, no proxy, no users.

The bad version has just been caught, and one of the shop's faults is in force.
"""

from datetime import timedelta
from pathlib import Path

import httpx

from tidegate.drivers.processes.memory import MemoryProcesses
from tidegate.lab.faults import LOAD_CONTROL_NAME, Fault, break_candidate
from tidegate.lab.load_client import Outcome
from tidegate.lab.load_report import Recorder
from tidegate.lab.pages import LabPage
from tidegate.lab.story import Line, Told
from tidegate.lab.world import FIRST_VERSION, HARMFUL_VERSION, HEALTHY_VERSION, LabServer, World
from tidegate.testing.scenes import HOSTILE_TEXT, Scene, Staged

ADDRESS = "http://127.0.0.1:8080"
LOOKED_AT = timedelta(seconds=20)


def lab_in(staged: Staged, folder: Path) -> LabPage:
    """Return the page of a lab in a scene: in the empty one it is still being built."""
    page = LabPage()
    if staged.scene is Scene.EMPTY:
        return page
    now = staged.world.clock.now()
    server = LabServer(url=ADDRESS, token="", state_dir=folder, processes=MemoryProcesses())
    page.world = World(
        server=server,
        api=httpx.AsyncClient(base_url=ADDRESS),
        shop_url=ADDRESS,
        shop_document=folder / "tidegate.yaml",
        faults_dir=folder,
        report=folder / "load.jsonl",
    )
    (folder / LOAD_CONTROL_NAME).write_text("{}")
    break_candidate(folder, HARMFUL_VERSION, Fault.ERRORS)
    page.world.report.write_text("".join(_seen(now.timestamp())))
    said = HOSTILE_TEXT if staged.scene is Scene.HOSTILE else "harm proven: errors 10.3% vs 0.1%"
    page.book.lines += [
        Line(at=now - timedelta(seconds=before), name=name, text=text)
        for before, name, text in (
            (95, "lab", f"installs shop {FIRST_VERSION}"),
            (80, "healthy", f"shop {HEALTHY_VERSION} (from {FIRST_VERSION}), rollout 4f9c1e"),
            (30, "healthy", "completed   everyone has it, and nothing was worse"),
            (25, "harmful", f"shop {HARMFUL_VERSION} will fail 10 % of its requests"),
            (3, "harmful", f"halted      {said}"),
        )
    ]
    page.book.rollouts.append(Told(name="healthy", document=_told(staged)))
    return page


def _seen(now: float) -> list[str]:
    """Return what users saw in the last seconds: both versions answer, the bad one not always."""
    recorder = Recorder()
    for number in range(400):
        at = now - LOOKED_AT.total_seconds() * (1 - number / 400)
        is_bad = number % 8 == 0
        status = 500 if number % 40 == 0 else 200
        outcome = Outcome(version=HARMFUL_VERSION if is_bad else HEALTHY_VERSION, status=status)
        recorder.sent(at)
        recorder.settled(at, user=number % 90, outcome=outcome, is_order=number % 5 == 1)
    return recorder.finished_lines(now)


def _told(staged: Staged) -> dict[str, object]:
    rollout = next(iter(staged.rollouts.values()))
    return {
        "id": rollout,
        "name": "healthy",
        "change": {"from": FIRST_VERSION, "to": HEALTHY_VERSION},
        "outcome": "completed",
        "requests": {
            "total": 9_800,
            "lost": 0,
            "served": {"candidate": 4_100, "baseline": 5_700},
            "failed": {"candidate": 4, "baseline": 6},
        },
        "seconds_to_withdrawal": None,
        "exposed_share": 0.0,
    }
