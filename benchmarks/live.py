"""
What open pages cost: a thousand streams of live hints, and the server's time per stream and hint.

A real server on SQLite in a process of its own, real connections from a second process, and hints from a
third: this one, which writes entries into the same store, one at a time. The server's processor time
(user and system) is read while nothing happens and while hints are sent; the difference is theirs. On
loopback the kernel does the receiver's share in the sender's time; that is counted too.

- `key`: every page was opened with the page key, so that all are one onlooker.
- `sessions`: every page is of another session, so that each one's access is looked at.

Run: `python benchmarks/live.py [--streams N] [--hints N] [--quick] [-o json]`. Ends with 1 when a hint was
lost or the budget is broken.
"""

import argparse
import asyncio
import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Final
from urllib.parse import urlsplit

from tidegate.api.pages.cookies import SESSION_COOKIE
from tidegate.api.tokens import page_key
from tidegate.domain.access.model import CallerKind, Grant, GrantEffect
from tidegate.domain.access.sessions import SESSION_PREFIX, Session
from tidegate.domain.access.tokens import Identity
from tidegate.ports.store import Store
from tidegate.store.open import open_store
from tidegate.usecases.access import GRANTS
from tidegate.usecases.record import note_fact
from tidegate.usecases.tokens import SESSIONS, digest_of, id_of, new_secret

BUDGET_MICROSECONDS: Final = 20.0
SECONDS_BETWEEN_HINTS: Final = 0.3
"""Longer than the watcher's look, so that no two hints are sent together."""
STARTS_WITHIN_SECONDS: Final = 60.0
ALL_WITHIN_SECONDS: Final = 30.0
TICKS_PER_SECOND: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What one way of looking cost. Times are the server's processor time but the last, a delay."""

    looked_by: str
    streams: int
    hints: int
    lost: int
    idle_percent: float
    microseconds_per_stream_and_hint: float
    delay_ms_p50: float
    delay_ms_p99: float


@dataclass(frozen=True, slots=True)
class Running:
    """A server, and what opens its pages."""

    pid: int
    url: str
    key_cookie: str
    store: Store


def measured(running: Running, looked_by: str, cookies: Sequence[str], hints: int) -> Row:
    """Open a page per cookie, send *hints*, and return what that cost."""
    with pages(running.url, cookies) as (told, client):
        assert client.stdin is not None
        idle = cpu_share(running.pid, seconds=hints * SECONDS_BETWEEN_HINTS / 2)
        before, began = cpu_seconds(running.pid), time.monotonic()
        for number in range(hints):
            send_hint(running.store, number)
            time.sleep(SECONDS_BETWEEN_HINTS)
        client.stdin.write(f"{hints}\n")
        client.stdin.flush()
        got = json.loads(told.readline())
        spent, lasted = cpu_seconds(running.pid) - before, time.monotonic() - began
    wanted = len(cookies) * hints
    return Row(
        looked_by=looked_by,
        streams=len(cookies),
        hints=hints,
        lost=wanted - got["hints"],
        idle_percent=round(100 * idle, 2),
        microseconds_per_stream_and_hint=round(1e6 * (spent - idle * lasted) / wanted, 2),
        delay_ms_p50=got["delay_ms_p50"],
        delay_ms_p99=got["delay_ms_p99"],
    )


def send_hint(store: Store, number: int) -> None:
    """Write one entry that every onlooker may be told of."""
    with store.begin() as transaction:
        note_fact(
            transaction,
            at=datetime.now(UTC),
            actor="dev-a",
            kind="command",
            rule="give-stop-order",
            because=f"{time.monotonic():.6f} hint {number} of the benchmark, of the usual length",
            details={"organisation": "default"},
        )


def cpu_seconds(pid: int) -> float:
    """Return the processor time of process *pid* so far, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND


def cpu_share(pid: int, *, seconds: float) -> float:
    """Return which share of a processor *pid* takes while nothing happens."""
    before, began = cpu_seconds(pid), time.monotonic()
    time.sleep(seconds)
    return (cpu_seconds(pid) - before) / (time.monotonic() - began)


# --- the three processes -----------------------------------------------------------------------


@contextlib.contextmanager
def a_server(folder: Path) -> Iterator[Running]:
    """Run a server on a store in *folder* while the block runs."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tidegate.cli.app", "server", "run", "--port", "0"],
        env={**os.environ, "TIDEGATE_STATE_DIR": str(folder), "TIDEGATE_LOG_LEVEL": "warning"},
    )
    try:
        announcement = folder / "server.json"
        until = time.monotonic() + STARTS_WITHIN_SECONDS
        while not announcement.exists():
            assert process.poll() is None, "the server ended"
            assert time.monotonic() < until, "the server didn't start"
            time.sleep(0.05)
        url = json.loads(announcement.read_text(encoding="utf-8"))["url"]
        key = page_key((folder / "token").read_text(encoding="ascii").strip())
        yield Running(
            pid=process.pid,
            url=url,
            key_cookie=f"tidegate_pages_{urlsplit(url).port}={key}",
            store=open_store(f"sqlite:///{folder / 'tidegate.db'}"),
        )
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)


@contextlib.contextmanager
def pages(url: str, cookies: Sequence[str]) -> Iterator[tuple[IO[str], "subprocess.Popen[str]"]]:
    """Open a stream per cookie from another process while the block runs."""
    client = subprocess.Popen(
        [sys.executable, __file__, "--as-pages", url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert client.stdin is not None
        assert client.stdout is not None
        client.stdin.write(json.dumps(list(cookies)) + "\n")
        client.stdin.flush()
        assert client.stdout.readline() == "open\n", "the pages couldn't be opened"
        yield client.stdout, client
    finally:
        client.kill()
        client.wait()


async def be_pages(url: str) -> None:
    """Open the streams that are told by standard input, and count hints until as many came as are."""
    soft_limit, hard_limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft_limit, hard_limit), hard_limit))
    cookies = json.loads(await asyncio.to_thread(sys.stdin.readline))
    address = urlsplit(url)
    delays: list[float] = []
    opened: list[asyncio.StreamReader] = []
    writers = []
    for cookie in cookies:
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        asked = f"GET /live HTTP/1.1\r\nhost: {address.netloc}\r\ncookie: {cookie}\r\n\r\n"
        writer.write(asked.encode())
        await reader.readuntil(b"event: hello\n")
        opened.append(reader)
        writers.append(writer)

    async def read(reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                await reader.readuntil(b'"because":"')
                sent_at = float(await reader.readuntil(b" "))
                delays.append(time.monotonic() - sent_at)

    reading = [asyncio.create_task(read(reader)) for reader in opened]
    print("open", flush=True)
    hints = int(await asyncio.to_thread(sys.stdin.readline))
    until = time.monotonic() + ALL_WITHIN_SECONDS
    while len(delays) < hints * len(cookies) and time.monotonic() < until:
        await asyncio.sleep(0.05)
    delays.sort()
    said = {
        "hints": len(delays),
        "delay_ms_p50": round(1000 * delays[len(delays) // 2], 1) if delays else -1.0,
        "delay_ms_p99": round(1000 * delays[len(delays) * 99 // 100], 1) if delays else -1.0,
    }
    print(json.dumps(said), flush=True)
    await asyncio.gather(*reading, return_exceptions=True)


def sessions_in(store: Store, count: int) -> list[str]:
    """Record *count* people who are logged in and may read; return their cookies."""
    cookies = []
    now = datetime.now(UTC)
    with store.begin() as transaction:
        GRANTS.put(
            transaction,
            Grant(
                id="g-bench",
                subject="group:readers",
                role="viewer",
                scope="default",
                effect=GrantEffect.ALLOW,
                granted_by="root",
                granted_at=now,
            ),
        )
        for number in range(count):
            secret = new_secret(SESSION_PREFIX)
            name = f"dev-{number}"
            identity = Identity(
                name=name,
                kind=CallerKind.PERSON,
                person=name,
                organisation="default",
                since=now,
            )
            digest = digest_of(secret)
            session = Session(
                id=id_of(digest),
                digest=digest,
                identity=identity,
                issuer="bench",
                groups=("readers",),
                authenticated_at=now,
                began_at=now,
                used_at=now,
            )
            SESSIONS.put(transaction, session)
            cookies.append(f"{SESSION_COOKIE}={secret}")
    return cookies


def main() -> int:
    """Measure, print, and say by the exit code whether the budget held."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").strip().splitlines()[0])
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--hints", type=int, default=60)
    parser.add_argument("--quick", action="store_true", help="few streams: whether it runs at all")
    parser.add_argument("-o", "--output", choices=["table", "json"], default="table")
    parser.add_argument("--as-pages", metavar="URL", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.as_pages:
        asyncio.run(be_pages(asked.as_pages))
        return 0
    streams, hints = (20, 5) if asked.quick else (asked.streams, asked.hints)
    rows = []
    for looked_by in ("key", "sessions"):
        with tempfile.TemporaryDirectory() as folder, a_server(Path(folder)) as running:
            cookies = (
                [running.key_cookie] * streams
                if looked_by == "key"
                else sessions_in(running.store, streams)
            )
            rows.append(measured(running, looked_by, cookies, hints))
    is_held = all(one.microseconds_per_stream_and_hint <= BUDGET_MICROSECONDS for one in rows)
    is_whole = not any(one.lost for one in rows)
    said: dict[str, Any] = {
        "budget_microseconds": BUDGET_MICROSECONDS,
        "quick": asked.quick,
        "rows": [asdict(one) for one in rows],
        "held": is_held,
    }
    if asked.output == "json":
        print(json.dumps(said, indent=2))
    else:
        print_table(rows)
    # A handful of streams says nothing about the cost of a thousand.
    return 0 if is_whole and (is_held or asked.quick) else 1


def print_table(rows: Sequence[Row]) -> None:
    """Print *rows* for people."""
    print(f"{'looked by':10} {'streams':>7} {'hints':>6} {'lost':>5} {'idle %':>7}", end="")
    print(f" {'µs per stream and hint':>23} {'delay ms p50':>13} {'p99':>7}")
    for one in rows:
        print(f"{one.looked_by:10} {one.streams:7} {one.hints:6} {one.lost:5}", end="")
        print(f" {one.idle_percent:7.2f} {one.microseconds_per_stream_and_hint:23.2f}", end="")
        print(f" {one.delay_ms_p50:13.1f} {one.delay_ms_p99:7.1f}")
    print(f"budget: {BUDGET_MICROSECONDS:g} µs of the server's processor time per stream and hint")


if __name__ == "__main__":
    sys.exit(main())
