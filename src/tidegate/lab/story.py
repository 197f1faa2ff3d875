"""
The lab's story: a good version goes out, a bad one is caught and put back. Told as it happens.

Every figure comes from outside the engine: from what the users got (the load's report) and from the
server's public API. The engine's own opinion of itself is only quoted, as decisions.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx

from tidegate.documents.service_file import read_service
from tidegate.errors import LabError
from tidegate.lab.faults import Fault, break_candidate
from tidegate.lab.load_report import LoadSummary, report_lines, summarise
from tidegate.lab.world import (
    FIRST_VERSION,
    HARMFUL_VERSION,
    HEALTHY_VERSION,
    LabOptions,
    World,
    start_users,
)

FINAL_STATES: Final = frozenset({"completed", "rolled_back", "superseded", "abandoned"})
LOOK_EVERY_SECONDS: Final = 0.25
ENDS_WITHIN: Final = timedelta(seconds=150)
SETTLE_SECONDS: Final = 2.0
"""After a rollout ends the users' last answers are waited for, so that none is missed."""

Tell = Callable[[str, str], None]
"""Told a rollout's name and a line about it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One rollout of the story, as its document says it."""

    name: str
    document: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of the story, and of which rollout it is."""

    at: datetime
    name: str
    text: str


class Book:
    """What was told so far, for whoever looks later. Filled by the story, read by the lab's page."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.rollouts: list[Told] = []

    def note(self, name: str, text: str) -> None:
        """Note a line about the rollout *name*."""
        self.lines.append(Line(at=datetime.now(UTC), name=name, text=text))


async def install(world: World, options: LabOptions, tell: Tell) -> None:
    """Install the first version and let the users come. Raises LabError when that fails."""
    tell("lab", f"installs shop {FIRST_VERSION}")
    rollout = await start(world, FIRST_VERSION)
    ended = await _follow(world, rollout["id"], "lab", tell)
    if ended["state"] != "completed":
        raise LabError(
            f"the shop's first version is {ended['state']}: {ended['waiting_on']['detail']}",
            hint=f"see the logs below {world.server.state_dir}",
        )
    await start_users(world, options)
    await _wait_for(lambda: _answers(world), "the users' first answers")


async def healthy(world: World, tell: Tell) -> Told:
    """Roll the good version out."""
    return await _tell_rollout(world, "healthy", HEALTHY_VERSION, FIRST_VERSION, tell)


async def harmful(world: World, tell: Tell) -> Told:
    """Roll the bad version out, which fails in one of ten requests."""
    break_candidate(world.faults_dir, HARMFUL_VERSION, Fault.ERRORS)
    tell("harmful", f"shop {HARMFUL_VERSION} will fail 10 % of its requests")
    return await _tell_rollout(world, "harmful", HARMFUL_VERSION, HEALTHY_VERSION, tell)


async def start(world: World, version: str) -> dict[str, Any]:
    """Start a rollout of the shop's *version* through the API; return it as the API does."""
    document = world.shop_document
    resolved = read_service(
        document.read_text(encoding="utf-8"), file=str(document), base_dir=document.parent
    )
    body = {"service": resolved.canonical, "change": {"code": version}}
    response = await world.api.post("/v1/rollouts", json=body)
    return checked(response)


def checked(response: httpx.Response) -> dict[str, Any]:
    """Return the body of *response*. Raises LabError with the server's own words when it refused."""
    body = response.json()
    if response.is_error:
        raise LabError(
            f"the server refused: {body.get('detail')}", hint=str(body.get("hint", "see its log"))
        )
    found: dict[str, Any] = body
    return found


async def _tell_rollout(world: World, name: str, version: str, baseline: str, tell: Tell) -> Told:
    began = datetime.now(UTC)
    rollout = await start(world, version)
    tell(name, f"shop {version} (from {baseline}), rollout {rollout['id']}")
    ended = await _follow(world, rollout["id"], name, tell)
    await asyncio.sleep(SETTLE_SECONDS)
    entries = checked(await world.api.get(f"/v1/rollouts/{rollout['id']}/ledger"))["entries"]
    load = summarise(report_lines(world.report), began, datetime.now(UTC))
    return Told(
        name=name,
        document=_document(name, ended, entries, load, candidate=version, baseline=baseline),
    )


def _document(
    name: str,
    rollout: dict[str, Any],
    entries: list[dict[str, Any]],
    load: LoadSummary,
    *,
    candidate: str,
    baseline: str,
) -> dict[str, Any]:
    harmed = rollout["state"] != "completed"
    return {
        "name": name,
        "id": rollout["id"],
        "outcome": rollout["state"],
        "change": {"from": baseline, "to": candidate},
        "phases": _phases(rollout, entries),
        "requests": {
            "total": load.total,
            "lost": load.lost,
            "unsent": load.unsent,
            "failed": {
                "candidate": load.version(candidate).failed,
                "baseline": load.version(baseline).failed,
            },
            "served": {
                "candidate": load.version(candidate).total,
                "baseline": load.version(baseline).total,
            },
        },
        "exposed_share": load.exposed_share(candidate) if harmed else 0.0,
        "seconds_to_withdrawal": _seconds_to_withdrawal(load, candidate) if harmed else None,
        "decisions": [_decision(entry) for entry in entries],
    }


def _seconds_to_withdrawal(load: LoadSummary, candidate: str) -> float | None:
    """Return the time from the first harmful response to the candidate's last response of any kind."""
    served = load.version(candidate)
    if served.first_failed_at is None or served.last_response_at is None:
        return None
    return (served.last_response_at - served.first_failed_at).total_seconds()


def _phases(rollout: dict[str, Any], entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the phases that were entered, with when, for how long, and the exposure they gave."""
    entered: list[tuple[int, datetime]] = []
    index = 0
    end: datetime | None = None
    for entry in entries:
        at = datetime.fromisoformat(entry["at"])
        if entry["state_before"] != "applying" and entry["state_after"] == "applying":
            entered.append((index, at))
        if entry["state_before"] == "baking" and entry["state_after"] == "waiting":
            index += 1
        if entry["state_after"] in {"halted", "recovering", *FINAL_STATES} and end is None:
            end = at
    phases = []
    for place, (number, at) in enumerate(entered):
        until = entered[place + 1][1] if place + 1 < len(entered) else end
        phase = rollout["phases"][number]
        phases.append(
            {
                "name": phase["name"],
                "exposure": {move["target"]: move["exposure"] for move in phase["moves"]},
                "entered_at": at.isoformat(),
                "seconds": round((until - at).total_seconds(), 3) if until else None,
            }
        )
    return phases


def _decision(entry: dict[str, Any]) -> dict[str, Any]:
    kept = ("number", "at", "actor", "kind", "rule", "because", "state_before", "state_after")
    return {key: entry[key] for key in kept}


async def _follow(world: World, rollout_id: str, name: str, tell: Tell) -> dict[str, Any]:
    """Tell every decision as it's made, until the rollout is over or waits for a person."""
    told = 0
    deadline = datetime.now(UTC) + ENDS_WITHIN
    while datetime.now(UTC) < deadline:
        rollout = checked(await world.api.get(f"/v1/rollouts/{rollout_id}"))
        page = checked(
            await world.api.get(f"/v1/rollouts/{rollout_id}/ledger", params={"after": told})
        )
        for entry in page["entries"]:
            told = entry["number"]
            if entry["state_after"] != entry["state_before"] or entry["kind"] == "command":
                tell(name, f"{entry['state_after']:<11} {entry['because']}")
        # What is halted for harm goes on by itself, sooner or later.
        is_left = rollout["state"] == "halted" and rollout["waiting_on"]["needs_person"]
        if (rollout["state"] in FINAL_STATES or is_left) and not page["entries"]:
            return rollout
        await asyncio.sleep(LOOK_EVERY_SECONDS)
    raise LabError(
        f"rollout {rollout_id} didn't end within {ENDS_WITHIN.total_seconds():g} s",
        hint=f"see why: tidegate why {rollout_id}",
    )


def _answers(world: World) -> bool:
    return world.report.exists() and bool(report_lines(world.report))


async def _wait_for(holds: Callable[[], bool] | Callable[[], Awaitable[bool]], what: str) -> None:
    for _ in range(100):
        found = holds()
        if found if isinstance(found, bool) else await found:
            return
        await asyncio.sleep(0.1)
    raise LabError(f"{what} didn't come within 10 s", hint="see the log of lab-load")
