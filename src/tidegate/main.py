"""
The composition root: the only module that knows every part, and the only one that reads settings.

It opens the store, makes the drivers, gives them to the use cases, and runs API and runner in one
asyncio loop. Nothing is decided here.
"""

import asyncio
import contextlib
import json
import os
import resource
import secrets
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import timedelta
from importlib.metadata import version as installed_version
from pathlib import Path
from urllib.parse import urlsplit

import anyio.to_thread
import httpx
import structlog
import uvicorn

from tidegate.api.admission import Places
from tidegate.api.app import MorePages, create_app
from tidegate.api.guard import LOOPBACK_NAMES
from tidegate.api.limits import RateLimit
from tidegate.api.live.watcher import MOST_STREAMS
from tidegate.domain.access.proof import IdentityMode
from tidegate.domain.quantities import RolloutId
from tidegate.drivers.clock.system import SystemClock
from tidegate.drivers.component.file import FileComponent
from tidegate.drivers.component.process import ProcessComponent
from tidegate.drivers.egress.addresses import (
    AddressKind,
    AddressPolicy,
    Network,
    parse_networks,
)
from tidegate.drivers.egress.client import EgressClient
from tidegate.drivers.egress.transport import EgressPolicy, GuardedTransport
from tidegate.drivers.egress.urls import read_url
from tidegate.drivers.gate.every import every_gate
from tidegate.drivers.identity.oidc import OidcOptions, OidcProvider
from tidegate.drivers.processes.shim import start_time_of
from tidegate.drivers.processes.supervisor import ShimSupervisor
from tidegate.drivers.runner.inprocess import InProcessRunner
from tidegate.drivers.secrets.folder import SecretFolder
from tidegate.drivers.signals.envoy import EnvoySignals
from tidegate.drivers.signals.envoy_users import EnvoyUsers
from tidegate.drivers.signals.openmetrics import OpenMetricsSignals
from tidegate.drivers.signals.otlp import OtlpSignals
from tidegate.drivers.signals.prometheus import PrometheusSignals
from tidegate.drivers.signals.prometheus_history import PrometheusHistory
from tidegate.drivers.signer.file import FileSigner
from tidegate.drivers.traffic.envoy import EnvoyTraffic
from tidegate.drivers.witness.file import FileWitness
from tidegate.drivers.witness.git import GitWitness
from tidegate.drivers.witness.http import HttpWitness
from tidegate.errors import (
    InvalidRequestError,
    ServerUnreachableError,
    StoreError,
    TidegateError,
    TimedOutError,
    WorkloadError,
)
from tidegate.lab.live import live
from tidegate.lab.pages import LabPage, lab_pages
from tidegate.lab.world import LabOptions, LabServer, prepare_state_dir
from tidegate.ports.witness import Witness
from tidegate.settings import Settings
from tidegate.store.open import open_store
from tidegate.telemetry import events, logs
from tidegate.usecases.audience import read_audiences
from tidegate.usecases.hooks import forget_deliveries
from tidegate.usecases.ledger_heads import sign_head
from tidegate.usecases.ledger_witness import tell_witness
from tidegate.usecases.outside import Outside
from tidegate.usecases.stop_guard import GuardedComponent
from tidegate.usecases.work import EngineWork

SERVER_FILE = "server.json"
TOKEN_FILE = "token"  # noqa: S105 - the name of a file
LEDGER_KEY_FILE = "ledger_key"
REPOSITORIES_DIR = "repositories"
"""Where the operator keeps the git repositories that the gate `review` looks into."""
HOOKS_DIR = "hooks"
PROCESSES_DIR = "processes"
LISTEN_BACKLOG = 2048
"""Connections that may wait to be taken: as many as uvicorn asks for, so that a burst loses no halt."""
LOOPBACK_HOSTS = ("127.0.0.1", "localhost")
SWITCHES_EVERY_SECONDS = 0.0005
"""
How long one thread of Python keeps the others waiting. A halt runs in the loop and gives the interpreter
away at every read, write and wait for the disk; by default it would get it back 5 ms later each time.
"""
READING_THREADS = 2
"""Threads that read for requests: enough to wait for the store side by side; more would only take turns."""
STARTS_WITHIN_SECONDS = 20.0
ENDS_WITHIN_SECONDS = 20.0
AUDIENCES_EVERY_SECONDS = 30.0
LEDGER_LOOKED_AT_EVERY_SECONDS = 2.0
DELIVERIES_FORGOTTEN_EVERY_SECONDS = 3600.0
MOST_FILES = 16_384

log = structlog.get_logger("tidegate")


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A server that listens: its address, its token and the ids of what it runs."""

    url: str
    token: str
    state_dir: Path
    store_url: str


def default_state_dir() -> Path:
    """Return where a user's state belongs (XDG base directories)."""
    base = os.environ.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "tidegate"


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
    pid = _announced_pid(state_dir)
    if pid is not None:
        os.kill(pid, signal.SIGTERM)
        _wait_for_end(pid)
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


def _announced_pid(state_dir: Path) -> int | None:
    """Return the process of the server that announced itself here, None when it isn't alive."""
    try:
        announced = json.loads((state_dir / SERVER_FILE).read_text(encoding="utf-8"))
        pid, start_time = int(announced["pid"]), announced["start_time"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    # Its id alone may be another program's by now: a server that was killed left its file behind.
    return pid if start_time is not None and start_time_of(pid) == start_time else None


def _wait_for_end(pid: int) -> None:
    for _ in range(int(ENDS_WITHIN_SECONDS / 0.05)):
        # One that has ended and whose parent hasn't noticed yet still has its id.
        if start_time_of(pid) is None:
            return
        time.sleep(0.05)
    raise TimedOutError(
        f"the server (process {pid}) didn't end within {ENDS_WITHIN_SECONDS:g} s",
        hint=f"look at its log, or end it with: kill -9 {pid}",
    )


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
    async with serving(settings, lab_pages(page)) as running:
        supervisor = ShimSupervisor(running.state_dir / PROCESSES_DIR)
        server = LabServer(
            url=running.url, token=running.token, state_dir=running.state_dir, processes=supervisor
        )
        return await live(server, options, page)


async def _serve_until_told(settings: Settings) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with serving(settings) as running:
        print(f"tidegate listens on {running.url}", file=sys.stderr, flush=True)
        await stop.wait()
    return 0


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
    state_dir = _writable(settings.state_dir or default_state_dir())
    listener = _listen(settings)
    host, port = listener.getsockname()[:2]
    # Every address is no address: what runs here finds it by this machine's own.
    host = "127.0.0.1" if host == "0.0.0.0" else host  # noqa: S104 - compared, not listened on
    store_url = settings.store_url or f"sqlite:///{state_dir / 'tidegate.db'}"
    running = Running(
        url=f"http://{host}:{port}",
        token=_token(state_dir),
        state_dir=state_dir,
        store_url=store_url,
    )
    networks = _egress_networks(settings)
    async with httpx.AsyncClient(transport=_to_sources(networks), trust_env=False) as client:
        with contextlib.closing(listener):
            outside, runner = (compose or compose_world)(settings, state_dir, store_url, client)
            app = create_app(
                outside,
                token=running.token,
                version=installed_version("tidegate"),
                public_url=settings.public_url,
                hosts=_hosts(settings),
                most_live=_most_live(),
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
                app, log_config=None, lifespan="off", timeout_graceful_shutdown=2
            )
            server = _Server(config)
            tasks = [
                asyncio.create_task(server.serve(sockets=[listener]), name="api"),
                asyncio.create_task(runner.run(EngineWork(outside)), name="runner"),
                asyncio.create_task(_keep_audiences_short(outside), name="audiences"),
                asyncio.create_task(_keep_ledger_signed(outside), name="ledger"),
                asyncio.create_task(_keep_deliveries_few(outside), name="hooks"),
                *(
                    asyncio.create_task(_keep_told(outside, witness), name="witness")
                    for witness in outside.witnesses
                ),
            ]
            try:
                await _started(server, tasks)
                _announce(running)
                log.info(events.SERVER_STARTED, url=running.url, state_dir=str(state_dir))
                async with _failing_with(tasks):
                    yield running
            finally:
                # Pages that are open would keep the server from ending.
                app.state.live.close()
                server.should_exit = True
                for task in tasks[1:]:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                _withdraw_announcement(running)
                log.info(events.SERVER_STOPPED, url=running.url)


def compose_world(
    settings: Settings, state_dir: Path, store_url: str, client: httpx.AsyncClient
) -> tuple[Outside, InProcessRunner]:
    """Return the world of this process: every port with its driver, and the runner."""
    clock = SystemClock()
    runner = InProcessRunner(clock, watch_every=_watch_every(settings), log=_log_failure)
    processes = ShimSupervisor(state_dir / PROCESSES_DIR)
    traffic = EnvoyTraffic(state_dir / "envoy", processes)
    otlp = OtlpSignals(clock=clock)
    users = EnvoyUsers(state_dir / "envoy", clock, interval=_users_interval(settings))
    store = open_store(store_url)
    documents = FileComponent(state_dir / "documents")
    outside = Outside(
        store=store,
        clock=clock,
        components={
            "process": GuardedComponent(
                ProcessComponent(processes, traffic, state_dir / "workloads"), store
            ),
            "file": GuardedComponent(documents, store),
        },
        signals={
            "envoy": EnvoySignals(state_dir / "envoy", clock, users=users),
            "otlp": otlp,
            "openmetrics": OpenMetricsSignals(clock=clock, client=client),
            "prometheus": PrometheusSignals(clock=clock, client=client),
            "prometheus+https": PrometheusSignals(clock=clock, client=client),
        },
        wake=runner.wake,
        pulse=runner.pulse,
        lab_allowed=settings.lab_allowed,
        audience=users,
        intake=otlp,
        histories={
            scheme: PrometheusHistory(client=client)
            for scheme in ("prometheus", "prometheus+https")
        },
        signer=FileSigner(state_dir / LEDGER_KEY_FILE),
        witnesses=_witnesses(settings),
        identity=_identity(settings, clock, client),
        login_organisation=settings.oidc_organisation,
        identity_mode=IdentityMode(settings.identity),
        gates=every_gate(state_dir / REPOSITORIES_DIR),
        secrets=SecretFolder(state_dir / HOOKS_DIR),
        contents={"file": documents},
    )
    return outside, runner


def _egress_networks(settings: Settings) -> tuple[Network, ...]:
    try:
        return parse_networks(settings.egress_allowed_networks)
    except ValueError as exc:
        raise InvalidRequestError(
            f"TIDEGATE_EGRESS_ALLOWED_NETWORKS can't be used: {exc}",
            hint="write networks as 10.1.0.0/16, with commas between",
        ) from exc


def _to_sources(networks: tuple[Network, ...]) -> GuardedTransport:
    """Return the way to sources of signals, which run near: on this machine, on the own network."""
    near = frozenset({AddressKind.GLOBAL, AddressKind.PRIVATE, AddressKind.LOOPBACK})
    addresses = AddressPolicy(kinds=near, networks=networks)
    return GuardedTransport(EgressPolicy(addresses=addresses, hosts=None, plain_to=None))


def _identity(
    settings: Settings, clock: SystemClock, client: httpx.AsyncClient
) -> OidcProvider | None:
    """
    Return the identity provider that is set, None when none is.

    Raises:
        IdentityProviderError: its address can't be used.
        StoreError: the file with the secret can't be read.
    """
    if settings.oidc_issuer is None:
        return None
    options = OidcOptions(
        issuer=settings.oidc_issuer,
        client_id=settings.oidc_client_id,
        client_secret=_secret(settings.oidc_client_secret_file),
        audience=settings.oidc_audience or "",
        person_claim=settings.oidc_person_claim,
        name_claim=settings.oidc_name_claim,
        groups_claim=settings.oidc_groups_claim,
        algorithms=tuple(settings.oidc_algorithms.split(",")),
    )
    return OidcProvider(options, clock=clock, client=client)


def _secret(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        secret = path.read_text(encoding="utf-8").strip()
    except OSError as exc:
        raise StoreError(
            f"{path} can't be read: {exc.strerror}",
            hint="correct TIDEGATE_OIDC_CLIENT_SECRET_FILE; the server's user must be able to read it",
        ) from exc
    if not secret:
        # An empty secret would quietly make this a public client.
        raise StoreError(f"{path} is empty", hint="put the secret there that the provider gave")
    return secret


async def _keep_audiences_short(outside: Outside) -> None:
    """Read the proxies' logs of people often, so that no raw key of anybody stays for long."""
    while True:
        await asyncio.sleep(AUDIENCES_EVERY_SECONDS)
        try:
            await read_audiences(outside)
        except TidegateError as exc:
            _log_failure("audiences", None, exc)


async def _keep_ledger_signed(outside: Outside) -> None:
    """Sign how the ledger stands whenever a head is due; rollouts never wait for it."""
    assert outside.signer is not None, "compose gives one"
    while True:
        try:
            await asyncio.to_thread(sign_head, outside, outside.signer, only_when_due=True)
        except TidegateError as exc:
            _log_failure("ledger", None, exc)
        await asyncio.sleep(LEDGER_LOOKED_AT_EVERY_SECONDS)


async def _keep_deliveries_few(outside: Outside) -> None:
    """Forget the messages of hooks that can't come again."""
    while True:
        try:
            await asyncio.to_thread(forget_deliveries, outside)
        except TidegateError as exc:
            _log_failure("hooks", None, exc)
        await asyncio.sleep(DELIVERIES_FORGOTTEN_EVERY_SECONDS)


async def _keep_told(outside: Outside, witness: Witness) -> None:
    """Tell a witness every head; what can't be told is told later."""
    while True:
        try:
            await tell_witness(outside, witness)
        except TidegateError as exc:
            _log_failure("ledger", None, exc)
        await asyncio.sleep(LEDGER_LOOKED_AT_EVERY_SECONDS)


def _witnesses(settings: Settings) -> tuple[Witness, ...]:
    """Return who keeps heads of the ledger. Raises InvalidRequestError."""
    networks = _egress_networks(settings)
    written = settings.ledger_witnesses.split()
    if len(set(written)) != len(written):
        raise InvalidRequestError(
            "TIDEGATE_LEDGER_WITNESSES names one twice", hint="name each witness once"
        )
    return tuple(_witness(one, networks) for one in written)


def _witness(written: str, networks: tuple[Network, ...]) -> Witness:
    scheme, _, place = written.partition(":")
    if scheme in ("file", "git") and Path(place).is_absolute():
        return FileWitness(Path(place)) if scheme == "file" else GitWitness(Path(place))
    try:
        destination = read_url(written)
    except ValueError as exc:
        raise InvalidRequestError(
            f"TIDEGATE_LEDGER_WITNESSES can't be used: {written[:80]!r}: {exc}",
            hint="as in file:/mnt/elsewhere, git:/srv/heads or https://witness.example/heads",
        ) from exc
    policy = EgressPolicy(
        addresses=AddressPolicy(networks=networks),
        hosts=frozenset({destination.host}),
        # Heads are signed and no secret: whoever runs the server may send them without TLS.
        plain_to=frozenset({destination.host}),
    )
    return HttpWitness(written, EgressClient(policy))


def _users_interval(settings: Settings) -> timedelta:
    """Return how long one person's trouble counts once: a tick, which a lab has every second."""
    return timedelta(seconds=1 if settings.lab_allowed else 10)


def _watch_every(settings: Settings) -> timedelta:
    return (
        min(settings.watch_every, timedelta(milliseconds=250))
        if settings.lab_allowed
        else (settings.watch_every)
    )


def _log_failure(work: str, rollout_id: RolloutId | None, error: BaseException) -> None:
    known = isinstance(error, TidegateError)
    name = {
        "step": events.STEP_FAILED,
        "ledger": events.LEDGER_FAILED,
        "hooks": events.HOOKS_FAILED,
    }.get(work, events.WATCH_FAILED)
    log.warning(
        name,
        rollout_id=rollout_id,
        error=str(error) or type(error).__name__,
        code=error.code if isinstance(error, TidegateError) else type(error).__name__,
        exc_info=None if known else error,
    )


class _Server(uvicorn.Server):
    """Uvicorn without its signal handlers: whoever runs the loop says when it ends."""

    @contextlib.contextmanager
    def capture_signals(self):  # type: ignore[no-untyped-def]
        yield


async def _started(server: _Server, tasks: list["asyncio.Task[None]"]) -> None:
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


def _writable(path: Path) -> Path:
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        probe = path / f".write-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as exc:
        raise StoreError(
            f"the state folder {path} can't be written: {exc.strerror}",
            hint="set TIDEGATE_STATE_DIR to a folder that this user may write",
        ) from exc
    return path.resolve()


def _hosts(settings: Settings) -> frozenset[str]:
    """Return the names that this server goes by."""
    named = (name.strip().lower() for name in settings.allowed_hosts.split(","))
    public = urlsplit(settings.public_url or "").hostname
    return LOOPBACK_NAMES | {name for name in (*named, public, settings.listen_host) if name}


def _listen(settings: Settings) -> socket.socket:
    host, port = settings.listen_host, settings.listen_port
    if host not in LOOPBACK_HOSTS and settings.identity != IdentityMode.VERIFIED:
        raise InvalidRequestError(
            f"the API can't listen on {host}: one token opens everything, so it stays on loopback",
            hint=f"take one of {', '.join(LOOPBACK_HOSTS)}; or let people log in, and set"
            " TIDEGATE_IDENTITY=verified",
        )
    # The protocol is named, because asyncio switches Nagle's waiting off only where it is: without, each
    # answer on a connection that is used again comes 40 ms late (https://bugs.python.org/issue27456).
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(LISTEN_BACKLOG)
    except OSError as exc:
        listener.close()
        raise WorkloadError(
            f"port {port} on {host} can't be listened on: {exc.strerror}",
            hint="another server may run there: set TIDEGATE_LISTEN_PORT, or 0 for a free port",
        ) from exc
    return listener


def _most_live() -> int:
    """
    Return how many pages may be live at once, so that connections are left for everything else.

    Each open page takes a file of this process, of which systems give few until they are asked for more.
    """
    given, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(most, MOST_FILES) if most != resource.RLIM_INFINITY else MOST_FILES
    if given < wanted:
        # Not getting them only means fewer live pages.
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
            given = wanted
    return min(MOST_STREAMS, given // 2)


def _token(state_dir: Path) -> str:
    """Return the token of this state folder, made at the first start, readable by its owner only."""
    path = state_dir / TOKEN_FILE
    if path.exists():
        return path.read_text(encoding="ascii").strip()
    token = secrets.token_urlsafe(32)
    beside = path.with_name(f".{TOKEN_FILE}.{os.getpid()}")
    with open(  # noqa: PTH123 - the mode must hold from the first byte on
        os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii"
    ) as file:
        file.write(token + "\n")
    beside.replace(path)
    return token


def _announce(running: Running) -> None:
    path = running.state_dir / SERVER_FILE
    beside = path.with_name(f".{SERVER_FILE}.{os.getpid()}")
    pid = os.getpid()
    announcement = {"url": running.url, "pid": pid, "start_time": start_time_of(pid)}
    beside.write_text(json.dumps(announcement) + "\n", encoding="utf-8")
    beside.replace(path)


def _withdraw_announcement(running: Running) -> None:
    """Take the address away again, unless another server has announced its own meanwhile."""
    path = running.state_dir / SERVER_FILE
    with contextlib.suppress(OSError, ValueError):
        if json.loads(path.read_text(encoding="utf-8"))["pid"] == os.getpid():
            path.unlink()
