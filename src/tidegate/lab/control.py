"""
Breaking, healing and ending a lab that runs, from another terminal or from its page.

A fault goes to the version that is being rolled out; when none is, the next version gets it before it
starts, and its rollout is begun.
"""

import asyncio
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from tidegate.documents.service_file import read_service
from tidegate.errors import LabError
from tidegate.lab.faults import break_candidate, heal
from tidegate.lab.files import read_json
from tidegate.lab.story import FINAL_STATES, checked
from tidegate.lab.world import HARMFUL_VERSION, LAB_FILE, SERVICE

ENDS_WITHIN_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningLab:
    """A lab as its file says it: its process, its server, its shop."""

    pid: int
    url: str
    token: str
    shop_url: str
    document: Path
    faults: Path


def running_lab(state_dir: Path) -> RunningLab | None:
    """Return the lab that runs in *state_dir*, None when none does."""
    found = read_json(state_dir / LAB_FILE)
    if not found or not _alive(found["pid"]):
        return None
    return RunningLab(
        pid=found["pid"],
        url=found["url"],
        token=(state_dir / "token").read_text(encoding="ascii").strip(),
        shop_url=found["shop_url"],
        document=Path(found["document"]),
        faults=Path(found["faults"]),
    )


def need_running_lab(state_dir: Path) -> RunningLab:
    """Return the lab that runs in *state_dir*. Raises LabError when none does."""
    lab = running_lab(state_dir)
    if lab is None:
        raise LabError("no lab is running", hint="start one in another terminal: tidegate lab up")
    return lab


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """What was broken, by which fault, and the rollout that it is part of."""

    version: str
    fault: str
    rollout: str


def break_lab(lab: RunningLab, fault: str, parameters: dict[str, float]) -> Broken:
    """
    Break the version that is being rolled out, or start a broken one.

    Raises:
        LabError: there is no such fault, or the server refused.
    """
    return asyncio.run(break_running(lab, fault, parameters))


def heal_lab(lab: RunningLab) -> None:
    """Take every fault away."""
    heal(lab.faults)


def end_lab(lab: RunningLab) -> None:
    """Tell the lab to end and wait until it has. Raises LabError when it doesn't."""
    os.kill(lab.pid, signal.SIGTERM)
    deadline = time.monotonic() + ENDS_WITHIN_SECONDS
    while _alive(lab.pid):
        if time.monotonic() > deadline:
            raise LabError(
                f"the lab (process {lab.pid}) didn't end within {ENDS_WITHIN_SECONDS:g} s",
                hint="look at its terminal; end it there with Ctrl-C",
            )
        time.sleep(0.1)


async def break_running(
    lab: RunningLab, fault: str, parameters: dict[str, float], *, actor: str | None = None
) -> Broken:
    """
    Break the version that is being rolled out, or start a broken one under the name of *actor*.

    Raises:
        LabError: there is no such fault, or the server refused.
    """
    headers = {"authorization": f"Bearer {lab.token}"}
    if actor is not None:
        headers["tidegate-actor"] = actor
    async with httpx.AsyncClient(base_url=lab.url, headers=headers, timeout=30.0) as api:
        listed = checked(await api.get("/v1/rollouts", params={"service": SERVICE}))["rollouts"]
        active = [rollout for rollout in listed if rollout["state"] not in FINAL_STATES]
        if active:
            version = _version(active[0])
            break_candidate(lab.faults, version, fault, **parameters)
            return Broken(version=version, fault=fault, rollout=active[0]["id"])
        version = _next_version([_version(rollout) for rollout in listed])
        break_candidate(lab.faults, version, fault, **parameters)
        resolved = read_service(
            lab.document.read_text(encoding="utf-8"),
            file=str(lab.document),
            base_dir=lab.document.parent,
        )
        body = {"service": resolved.canonical, "change": {"code": version}}
        rollout = checked(await api.post("/v1/rollouts", json=body))
        return Broken(version=version, fault=fault, rollout=rollout["id"])


def _version(rollout: dict[str, Any]) -> str:
    version: str = rollout["change"]["code"]["to"]
    return version


def _next_version(used: list[str]) -> str:
    minors = [int(version.split(".")[1]) for version in (*used, HARMFUL_VERSION)]
    return f"1.{max(minors) + 1}.0"


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
