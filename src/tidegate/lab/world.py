"""
The lab's world: a demo shop in several versions behind a real proxy, with users, on this machine alone.

It uses the server as anyone would, over its HTTP API, and the shop as its users do, through the proxy.
Nothing here knows how a rollout is decided.
"""

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from tidegate.drivers.component import process_sockets
from tidegate.errors import LabError
from tidegate.lab.faults import LOAD_CONTROL_NAME
from tidegate.lab.files import write_json
from tidegate.ports.processes import ProcessSpec, ProcessSupervisor

FIRST_VERSION: Final = "1.0.0"
HEALTHY_VERSION: Final = "1.1.0"
HARMFUL_VERSION: Final = "1.2.0"
SERVICE: Final = "shop"
TARGET: Final = "lab-1"
LAB_FILE: Final = "lab.json"
PROCESSES: Final = "processes"
MARKER: Final = "this-is-a-tidegate-lab"
LOAD_PROCESS: Final = "lab-load"
ORDER_SHARE: Final = 0.25
"""A quarter of the requests are orders: at 5 % that proves in seconds that they still arrive."""

SHOP_DOCUMENT: Final = """\
# The lab's shop, as its team would write it. Bakes are seconds because the target is a lab.
version: 1
service: {service}
owner: lab
workload:
  driver: process
  command: ["{python}", -m, tidegate.lab.demo,
            --port, "{{port}}", --version, "{{version}}", --faults, "{faults}"]
  members: 2
  probe: {{http: /healthz, every: 1s}}
  drain: 5s
  traffic:
    {{driver: envoy, listen: "127.0.0.1:{port}", sticky: "cookie:tg",
      internal: "header:x-tidegate-internal=1"}}
targets:
  - {{name: {target}, environment: lab}}
health:
  source: envoy
  signals:
    - http
    - {{name: orders, kind: usage, source: openmetrics, metric: demo_orders_total}}
prove: {{errors: 5pp, usage: 50%}}
plan: lab
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabOptions:
    """
    How the lab is run.

    `once` ends it after both rollouts; `output` is `text` or `json`; `port` is the API's, 0 for a
    free one; `rate` is in requests per second.
    """

    state_dir: Path
    once: bool
    output: str
    port: int = 0
    rate: float = 200.0
    users: int = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class LabServer:
    """The server that the lab uses, and the supervisor that keeps the lab's processes."""

    url: str
    token: str
    state_dir: Path
    processes: ProcessSupervisor


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A lab that runs: its shop's address, its folders, and a client of the server."""

    server: LabServer
    api: httpx.AsyncClient
    shop_url: str
    shop_document: Path
    faults_dir: Path
    report: Path


async def prepare_state_dir(path: Path, supervised: Callable[[Path], ProcessSupervisor]) -> Path:
    """
    Return an empty folder for a lab at *path*, once what an earlier lab left there is ended.

    Args:
        path: The folder; made when it's missing.
        supervised: Returns the supervisor of the processes kept below a folder.

    Raises:
        LabError: something that isn't a lab is there, or it can't be written.
    """
    try:
        _refuse_other_things(path)
        await end_processes(supervised(path / PROCESSES))
        _make_empty(path)
    except OSError as exc:
        raise LabError(
            f"the lab's folder {path} can't be written: {exc.strerror}",
            hint="give it another one: --state-dir DIR",
        ) from exc
    return path


def _refuse_other_things(path: Path) -> None:
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    if any(path.iterdir()) and not (path / MARKER).exists():
        raise LabError(
            f"{path} holds something that isn't a lab",
            hint="give the lab an empty folder: --state-dir DIR",
        )


def _make_empty(path: Path) -> None:
    shutil.rmtree(path)
    path.mkdir(parents=True, mode=0o700)
    (path / MARKER).touch()


@asynccontextmanager
async def built(server: LabServer, options: LabOptions) -> AsyncIterator[World]:
    """
    Build the world for the time of the block: the document and the client.

    Processes are left to whoever runs the lab: while its server lives it starts again what a rollout needs.
    """
    folder = server.state_dir / "shop"
    faults = folder / "faults"
    faults.mkdir(parents=True, exist_ok=True)
    port = process_sockets.free_port(avoid=())
    document = folder / "tidegate.yaml"
    document.write_text(
        SHOP_DOCUMENT.format(
            service=SERVICE, python=sys.executable, faults=faults, port=port, target=TARGET
        ),
        encoding="utf-8",
    )
    write_json(faults / LOAD_CONTROL_NAME, {})
    headers = {"authorization": f"Bearer {server.token}"}
    async with httpx.AsyncClient(base_url=server.url, headers=headers, timeout=30.0) as api:
        world = World(
            server=server,
            api=api,
            shop_url=f"http://127.0.0.1:{port}",
            shop_document=document,
            faults_dir=faults,
            report=folder / "load.jsonl",
        )
        write_json(
            server.state_dir / LAB_FILE,
            {
                "pid": os.getpid(),
                "url": server.url,
                "shop_url": world.shop_url,
                "document": str(document),
                "faults": str(faults),
            },
        )
        try:
            yield world
        finally:
            (server.state_dir / LAB_FILE).unlink(missing_ok=True)


async def start_users(world: World, options: LabOptions) -> None:
    """Let the users come. Raises LabError when the load can't be started."""
    await world.server.processes.ensure(
        ProcessSpec(
            name=LOAD_PROCESS,
            argv=(
                sys.executable,
                "-m",
                "tidegate.lab.load",
                "--url",
                world.shop_url,
                "--rate",
                str(options.rate),
                "--users",
                str(options.users),
                "--order-share",
                str(ORDER_SHARE),
                "--report",
                str(world.report),
                "--control",
                str(world.faults_dir / LOAD_CONTROL_NAME),
            ),
            env={"PATH": os.environ.get("PATH", "")},
            cwd=world.shop_document.parent,
            keep_alive=False,
            drain_seconds=6.0,
        )
    )


async def stop_users(world: World) -> None:
    """Let the users go and wait until their last answers are on record."""
    await world.server.processes.end(LOAD_PROCESS)


async def end_processes(processes: ProcessSupervisor) -> None:
    """End every process of the lab, users first: a shop that closes before they leave loses requests."""
    names = await processes.names()
    if LOAD_PROCESS in names:
        await processes.end(LOAD_PROCESS)
    await asyncio.gather(*(processes.end(name) for name in names if name != LOAD_PROCESS))
