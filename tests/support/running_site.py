"""
Real servers in real processes, for tests that kill them. Everything is on loopback and ended by its pid.

A `Site` is one state folder with a shop: servers come and go on it, what they started stays, as in
production. It talks to a server over HTTP only.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import httpx
from no_tls import NO_TLS

from tidegate.documents.service_file import ResolvedService, read_service
from tidegate.drivers.processes.supervisor import ShimSupervisor
from tidegate.lab.files import write_json
from tidegate.lab.load_report import LoadSummary, report_lines, summarise
from tidegate.lab.world import LOAD_PROCESS, SHOP_DOCUMENT, end_processes
from tidegate.ports.processes import ProcessSpec
from tidegate.testing.ports import free_port

SHORT_DOCUMENT: Final = SHOP_DOCUMENT.replace(
    "plan: lab",
    """plan:
  phases:
    - {{name: few, to: first, traffic: 10%, bake: 4s, bake_max: 60s}}
    - {{name: half, to: first, traffic: 50%, bake: 6s, bake_max: 60s}}
    - {{name: all, to: first, traffic: 100%, bake: 8s, bake_max: 60s}}
""",
).replace("    - http\n", "    - {{name: errors, kind: errors}}\n")
"""
The shop with bakes long enough to prove something and short enough to kill things often.

Latency isn't judged: on a machine that is full it turns bad by itself, and nothing here is about it.
"""

STARTS_WITHIN_SECONDS: Final = 90.0
"""On a machine with eight times as much to do as it can, a start has taken 31 s."""
FINAL: Final = frozenset({"completed", "rolled_back", "superseded", "abandoned"})


@dataclass(slots=True)
class Server:
    """One server process. `url` is its own, whoever else serves the same folder."""

    process: "subprocess.Popen[bytes]"
    url: str
    token: str

    @property
    def pid(self) -> int:
        """The process's id."""
        return self.process.pid

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self.process.wait()

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def stop(self) -> None:
        """End it as an operator would."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    async def get(self, path: str, **params: Any) -> dict[str, Any]:
        """Return what the API says."""
        return await self._ask("GET", path, params=params)

    async def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Send a command; return what the API answers."""
        return await self._ask("POST", path, json=body)

    async def _ask(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        headers = {"authorization": f"Bearer {self.token}"}
        async with httpx.AsyncClient(
            base_url=self.url, headers=headers, timeout=20.0, verify=NO_TLS
        ) as client:
            response = await client.request(method, path, **options)
        assert not response.is_error, f"{method} {path}: {response.status_code} {response.text}"
        body: dict[str, Any] = response.json()
        return body


@dataclass(slots=True)
class Site:
    """One state folder with a shop behind a proxy, and the servers on it."""

    folder: Path
    port: int = field(default_factory=free_port)
    servers: list[Server] = field(default_factory=list)

    @property
    def faults(self) -> Path:
        """Where the shop's faults are written."""
        return self.folder / "faults"

    @property
    def state_dir(self) -> Path:
        """The servers' state folder."""
        return self.folder / "state"

    @property
    def processes(self) -> ShimSupervisor:
        """The supervisor of everything that the servers started."""
        return ShimSupervisor(self.state_dir / "processes")

    async def serve(self) -> Server:
        """Start one more server on this folder; return it when it listens."""
        announcement = self.state_dir / "server.json"
        announcement.unlink(missing_ok=True)
        process = self._start_process()
        try:
            await until(
                lambda: announcement.exists() or process.poll() is not None,
                "the server to listen",
                within_seconds=STARTS_WITHIN_SECONDS,
            )
        except AssertionError:
            # Nobody knows of it yet, so nobody else would end it.
            process.kill()
            process.wait()
            raise
        assert process.poll() is None, (self.folder / f"server-{len(self.servers)}.log").read_text()
        url = json.loads(announcement.read_text(encoding="utf-8"))["url"]
        token = (self.state_dir / "token").read_text(encoding="ascii").strip()
        server = Server(process=process, url=url, token=token)
        self.servers.append(server)
        return server

    def _start_process(self) -> "subprocess.Popen[bytes]":
        with (self.folder / f"server-{len(self.servers)}.log").open("wb") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "tidegate.cli.app", "server", "run", "--port", "0"],
                env={
                    **os.environ,
                    "TIDEGATE_STATE_DIR": str(self.state_dir),
                    "TIDEGATE_LAB_ALLOWED": "true",
                    "TIDEGATE_LOG_LEVEL": "info",
                },
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def filled(self, text: str) -> str:
        """Return *text*, a document with the blanks of the lab's, for this site."""
        self.faults.mkdir(exist_ok=True)
        return text.format(
            service="shop",
            python=sys.executable,
            faults=self.faults,
            port=self.port,
            target="lab-1",
        )

    def document(self, text: str = SHOP_DOCUMENT) -> ResolvedService:
        """Return the shop's document, resolved; *text* is another one with the same blanks."""
        return read_service(self.filled(text), file="tidegate.yaml", base_dir=self.folder)

    async def start(self, server: Server, version: str, text: str = SHOP_DOCUMENT) -> str:
        """Start a rollout of the shop's *version*; return its id."""
        body = {"service": self.document(text).canonical, "change": {"code": version}}
        rollout = await server.post("/v1/rollouts", body)
        rollout_id: str = rollout["id"]
        return rollout_id

    def load_since(self, began: datetime) -> LoadSummary:
        """Return what the users got since *began*, as far as it is written; they go on."""
        report = self.folder / "load.jsonl"
        lines = report_lines(report) if report.exists() else []
        return summarise(lines, began, datetime(2100, 1, 1, tzinfo=UTC))

    async def let_users_come(self, rate: float = 200.0) -> None:
        """Start the load; it stays when servers die."""
        write_json(self.faults / "load.control", {})
        await self.processes.ensure(
            ProcessSpec(
                name=LOAD_PROCESS,
                argv=(
                    *(sys.executable, "-m", "tidegate.lab.load"),
                    *("--url", f"http://127.0.0.1:{self.port}", "--rate", str(rate)),
                    *("--order-share", "0.25"),
                    *("--report", str(self.folder / "load.jsonl")),
                    *("--control", str(self.faults / "load.control")),
                ),
                env={"PATH": os.environ.get("PATH", "")},
                cwd=self.folder,
                keep_alive=False,
                drain_seconds=6.0,
            )
        )

    async def let_users_go(self) -> LoadSummary:
        """End the load; return all that the users got."""
        await self.processes.end(LOAD_PROCESS)
        lines = report_lines(self.folder / "load.jsonl")
        return summarise(lines, datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))

    async def close(self) -> None:
        """End every server and everything they started."""
        for server in self.servers:
            if server.process.poll() is None:
                server.send(signal.SIGCONT)
            server.stop()
        await end_processes(self.processes)


async def until(
    holds: Callable[[], bool] | Callable[[], Awaitable[bool]],
    what: str,
    *,
    within_seconds: float = 60.0,
) -> None:
    """Return once *holds*; fail with what was waited for when it never does."""
    try:
        async with asyncio.timeout(within_seconds):
            while True:
                found = holds()
                if found if isinstance(found, bool) else await found:
                    return
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"waited {within_seconds:g} s in vain for {what}") from None
