"""
Users who ask for too much: an open loop, so that a slow answer makes nobody ask less.

Started by `halt_overload.py` as a process of its own. Requests are due at a fixed rate and go out on a
bounded number of connections; one that is due while all of them wait is counted as unsent. With the rate 0
the loop is closed: each connection asks again as soon as it was answered, which measures what the server
can do. A client of a few lines, because a comfortable one would itself be the bottleneck.
"""

import argparse
import asyncio
import json
import signal
import sys
import time
from collections import Counter
from dataclasses import dataclass, field

GIVES_UP_AFTER_SECONDS = 5.0


@dataclass(slots=True)
class Tally:
    """What became of the requests."""

    seconds: float = 0.0
    offered: int = 0
    sent: int = 0
    by_status: Counter[int] = field(default_factory=Counter)
    broken: int = 0
    took: list[float] = field(default_factory=list)


class Connection(asyncio.Protocol):
    """One connection that asks one thing at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._answered: asyncio.Future[int] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way out."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Take what came; an answer is whole when its body is."""
        self._buffer += data
        head, gap, body = self._buffer.partition(b"\r\n\r\n")
        if not gap:
            return
        lowered = head.lower()
        at = lowered.find(b"content-length:")
        length = int(lowered[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(body) < length:
            return
        self._buffer = b""
        if self._answered is not None and not self._answered.done():
            self._answered.set_result(int(head[9:12]))

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever waits."""
        self._transport = None
        if self._answered is not None and not self._answered.done():
            self._answered.set_exception(ConnectionResetError("closed"))

    @property
    def is_open(self) -> bool:
        """Whether another request may be sent."""
        return self._transport is not None and not self._transport.is_closing()

    async def ask(self, request: bytes) -> int:
        """Send *request*; return the answer's status."""
        assert self._transport is not None
        self._answered = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        async with asyncio.timeout(GIVES_UP_AFTER_SECONDS):
            return await self._answered

    def close(self) -> None:
        """End it."""
        if self._transport is not None:
            self._transport.abort()


class Users:
    """So many connections, and what they ask in turn."""

    def __init__(self, port: int, requests: list[bytes], *, fresh: bool) -> None:
        self._port = port
        self._requests = requests
        self._fresh = fresh
        self._next = 0
        self.tally = Tally()

    async def ask_once(self, connection: Connection | None) -> Connection | None:
        """Ask the next thing; return the connection if it can be used again."""
        request = self._requests[self._next % len(self._requests)]
        self._next += 1
        began = time.perf_counter()
        self.tally.sent += 1
        try:
            if connection is None or not connection.is_open:
                async with asyncio.timeout(GIVES_UP_AFTER_SECONDS):
                    _, connection = await asyncio.get_running_loop().create_connection(
                        Connection, "127.0.0.1", self._port
                    )
            status = await connection.ask(request)
        except (OSError, TimeoutError):
            self.tally.broken += 1
            if connection is not None:
                connection.close()
            return None
        self.tally.by_status[status] += 1
        self.tally.took.append(time.perf_counter() - began)
        if self._fresh:
            connection.close()
            return None
        return connection

    async def closed_loop(self, connections: int, seconds: float) -> None:
        """Ask as fast as answers come."""
        until = time.perf_counter() + seconds

        async def one() -> None:
            connection = None
            while time.perf_counter() < until:
                self.tally.offered += 1
                connection = await self.ask_once(connection)

        await asyncio.gather(*(one() for _ in range(connections)))
        self.tally.seconds = seconds

    async def open_loop(self, connections: int, rate: float) -> None:
        """Ask at *rate*, whatever is answered, until SIGTERM."""
        told = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
        idle: list[Connection | None] = [None] * connections
        under_way: set[asyncio.Task[None]] = set()
        began = time.perf_counter()

        async def one(connection: Connection | None) -> None:
            idle.append(await self.ask_once(connection))

        while not told.is_set():
            now = time.perf_counter() - began
            while self.tally.offered < now * rate:
                self.tally.offered += 1
                if idle:
                    task = asyncio.create_task(one(idle.pop()))
                    under_way.add(task)
                    task.add_done_callback(under_way.discard)
            await asyncio.sleep(0.002)
        self.tally.seconds = time.perf_counter() - began
        await asyncio.gather(*under_way)


def main() -> int:
    """Ask, then print what became of it as one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--rate", type=float, default=0.0)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--fresh", action="store_true", help="A new connection for each request.")
    options = parser.parse_args()
    requests = [text.encode() for text in json.load(sys.stdin)]
    users = Users(options.port, requests, fresh=options.fresh)
    if options.rate:
        run = users.open_loop(options.connections, options.rate)
    else:
        run = users.closed_loop(options.connections, options.seconds)
    asyncio.run(run)
    tally = users.tally
    took = sorted(tally.took)
    answered = sum(count for status, count in tally.by_status.items() if 200 <= status < 300)
    print(
        json.dumps(
            {
                "seconds": tally.seconds,
                "offered": tally.offered,
                "sent": tally.sent,
                "answered": answered,
                "refused": tally.by_status[503] + tally.by_status[429],
                "other": {
                    str(status): count
                    for status, count in tally.by_status.items()
                    if not 200 <= status < 300 and status not in (429, 503)
                },
                "broken": tally.broken,
                "took_median_ms": 1000 * took[len(took) // 2] if took else None,
            }
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
