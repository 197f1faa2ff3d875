"""Running API and runner in one asyncio loop, and ending both. Nothing is composed here."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Callable
from importlib.metadata import version as installed_version
from pathlib import Path

import anyio.to_thread
import httpx
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from tidegate.api.admission import Places
from tidegate.api.app import MorePages, create_app
from tidegate.api.limits import RateLimit
from tidegate.drivers.runner.inprocess import InProcessRunner
from tidegate.main.garbage import garbage_in_its_own_time, keep_garbage_few
from tidegate.main.http_server import HttpServer
from tidegate.main.listening import hosts_of, listen, most_live
from tidegate.main.outward import egress_networks, to_sources
from tidegate.main.state_folder import (
    Running,
    announce,
    default_state_dir,
    token_of,
    withdraw_announcement,
    writable,
)
from tidegate.main.upkeep import (
    keep_audiences_short,
    keep_deliveries_few,
    keep_ledger_signed,
    keep_told,
    log,
)
from tidegate.main.world import compose_world
from tidegate.settings import Settings
from tidegate.telemetry import events
from tidegate.usecases.outside import Outside
from tidegate.usecases.work import EngineWork

SWITCHES_EVERY_SECONDS = 0.0005
"""
How long one thread of Python keeps the others waiting. A halt runs in the loop and gives the interpreter
away at every read, write and wait for the disk; by default it would get it back 5 ms later each time.
"""
READING_THREADS = 2
"""Threads that read for requests: enough to wait for the store side by side; more would only take turns."""
STARTS_WITHIN_SECONDS = 20.0
Composing = Callable[[Settings, Path, str, httpx.AsyncClient], tuple[Outside, InProcessRunner]]
"""How the world of a process is made: from settings, state folder, the store's address, a client."""


@contextlib.asynccontextmanager
async def serving(
    settings: Settings, more: MorePages | None = None, *, compose: Composing | None = None
) -> AsyncIterator[Running]:
    """
    Run API and runner while the block runs; on leaving, end both. Traffic stays as it is.

    *more* are pages besides the usual ones. *compose* makes the world, None as `compose_world` does.

    Raises:
        InvalidRequestError: the address isn't one of this machine alone.
        WorkloadError: the port is in use, or the state folder can't be written.
        StoreError: the store can't be opened.
    """
    sys.setswitchinterval(SWITCHES_EVERY_SECONDS)
    anyio.to_thread.current_default_thread_limiter().total_tokens = READING_THREADS
    state_dir = writable(settings.state_dir or default_state_dir())
    listener = listen(settings)
    host, port = listener.getsockname()[:2]
    # Every address is no address: what runs here finds it by this machine's own.
    host = "127.0.0.1" if host == "0.0.0.0" else host  # noqa: S104 - compared, not listened on
    store_url = settings.store_url or f"sqlite:///{state_dir / 'tidegate.db'}"
    running = Running(
        url=f"http://{host}:{port}",
        token=token_of(state_dir),
        state_dir=state_dir,
        store_url=store_url,
    )
    networks = egress_networks(settings)
    async with httpx.AsyncClient(transport=to_sources(networks), trust_env=False) as client:
        with contextlib.closing(listener):
            outside, runner = (compose or compose_world)(settings, state_dir, store_url, client)
            app = create_app(
                outside,
                token=running.token,
                version=installed_version("tidegate"),
                public_url=settings.public_url,
                hosts=hosts_of(settings),
                most_live=most_live(),
                limit=RateLimit(
                    per_second=settings.requests_per_second,
                    burst=settings.requests_at_once,
                    seconds=asyncio.get_running_loop().time,
                ),
                places=Places(
                    working=settings.requests_worked_on,
                    waiting=settings.requests_waiting,
                    lasting=settings.requests_lasting,
                ),
                more=more,
            )
            # A page that stays open must not keep a server from ending.
            config = uvicorn.Config(
                app,
                http=HttpToolsProtocol,
                log_config=None,
                lifespan="off",
                timeout_graceful_shutdown=2,
            )
            server = HttpServer(config)
            tasks = [
                asyncio.create_task(server.serve(sockets=[listener]), name="api"),
                asyncio.create_task(runner.run(EngineWork(outside)), name="runner"),
                asyncio.create_task(keep_audiences_short(outside), name="audiences"),
                asyncio.create_task(keep_ledger_signed(outside), name="ledger"),
                asyncio.create_task(keep_deliveries_few(outside), name="hooks"),
                asyncio.create_task(keep_garbage_few(outside.right_of_way), name="garbage"),
                *(
                    asyncio.create_task(keep_told(outside, witness), name="witness")
                    for witness in outside.witnesses
                ),
            ]
            try:
                await _started(server, tasks)
                announce(running)
                log.info(events.SERVER_STARTED, url=running.url, state_dir=str(state_dir))
                async with _failing_with(tasks):
                    with garbage_in_its_own_time():
                        yield running
            finally:
                # Pages that are open would keep the server from ending.
                app.state.live.close()
                server.should_exit = True
                for task in tasks[1:]:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                withdraw_announcement(running)
                log.info(events.SERVER_STOPPED, url=running.url)


async def _started(server: HttpServer, tasks: list["asyncio.Task[None]"]) -> None:
    async with asyncio.timeout(STARTS_WITHIN_SECONDS):
        while not server.started:
            for task in tasks:
                if task.done():
                    task.result()
            await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def _failing_with(tasks: list["asyncio.Task[None]"]) -> AsyncIterator[None]:
    """Cancel the block when one of *tasks* fails: a server without its runner must not look alive."""
    body = asyncio.current_task()
    failed: list[BaseException] = []

    def ended(task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and task.exception() is not None and body is not None:
            failed.append(task.exception() or AssertionError())
            body.cancel()

    for task in tasks:
        task.add_done_callback(ended)
    try:
        yield
    except asyncio.CancelledError:
        if failed:
            raise failed[0] from None
        raise
    finally:
        for task in tasks:
            task.remove_done_callback(ended)
