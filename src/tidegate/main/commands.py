"""What the command line asks for: running a server, ending it, running the lab. Settings are read here."""

import asyncio
import os
import signal
import sys

from tidegate.drivers.processes.supervisor import ShimSupervisor
from tidegate.errors import (
    ServerUnreachableError,
)
from tidegate.lab.live import live
from tidegate.lab.pages import LabPage, lab_pages
from tidegate.lab.world import LabOptions, LabServer, end_processes, prepare_state_dir
from tidegate.main.serving import serving
from tidegate.main.state_folder import PROCESSES_DIR, announced_pid, default_state_dir, wait_for_end
from tidegate.settings import Settings
from tidegate.telemetry import logs


def run_server(listen_host: str | None = None, listen_port: int | None = None) -> int:
    """
    Run the server until it is told to end (SIGINT, SIGTERM). Returns the exit code.

    Raises:
        StoreError, WorkloadError: it can't start; nothing was left running.
    """
    settings = Settings()
    chosen = settings.model_copy(
        update={
            key: value
            for key, value in (("listen_host", listen_host), ("listen_port", listen_port))
            if value is not None
        }
    )
    logs.set_up(chosen.log_level)
    return asyncio.run(_serve_until_told(chosen))


def stop_server(*, workloads: bool) -> str:
    """
    End the server of this user's state folder; with *workloads* also the proxies and services it keeps.

    Returns:
        What was ended, in words.

    Raises:
        ServerUnreachableError: no server runs and nothing else was asked for.
    """
    state_dir = Settings().state_dir or default_state_dir()
    ended = []
    pid = announced_pid(state_dir)
    if pid is not None:
        os.kill(pid, signal.SIGTERM)
        wait_for_end(pid)
        ended.append(f"the server (process {pid})")
    if workloads:
        supervisor = ShimSupervisor(state_dir / PROCESSES_DIR)
        names = asyncio.run(_end_all(supervisor))
        ended.append(f"{len(names)} supervised processes")
    if not ended:
        raise ServerUnreachableError(
            f"no server runs on {state_dir}", hint="start one with `tidegate server run`"
        )
    return " and ".join(ended)


async def _end_all(supervisor: ShimSupervisor) -> tuple[str, ...]:
    names = await supervisor.names()
    await asyncio.gather(*(supervisor.end(name) for name in names))
    return names


def run_lab(options: LabOptions) -> int:
    """
    Run the lab: a server of its own, a demo service, users, two rollouts. Returns the exit code.

    Raises:
        LabError: its folder can't be used, or a part of it can't start.
    """
    logs.set_up("warning")
    return asyncio.run(_live_in_lab(options))


async def _live_in_lab(options: LabOptions) -> int:
    settings = Settings(
        state_dir=await prepare_state_dir(options.state_dir, ShimSupervisor),
        lab_allowed=True,
        listen_port=options.port,
        # Its people are made up, and it listens on this machine alone.
        listen_host="127.0.0.1",
        identity="claimed",
        log_level="warning",
    )
    page = LabPage()
    supervisor = ShimSupervisor(options.state_dir / PROCESSES_DIR)
    try:
        async with serving(settings, lab_pages(page)) as running:
            server = LabServer(
                url=running.url,
                token=running.token,
                state_dir=running.state_dir,
                processes=supervisor,
            )
            return await live(server, options, page)
    finally:
        # Only now: a server that lives starts again what a rollout under way needs.
        await end_processes(supervisor)


async def _serve_until_told(settings: Settings) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with serving(settings) as running:
        print(f"tidegate listens on {running.url}", file=sys.stderr, flush=True)
        await stop.wait()
    return 0
