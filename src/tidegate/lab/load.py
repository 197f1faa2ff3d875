"""
The lab's users: an open-loop load on one address, with a report of what each of them got.

Run as `python -m tidegate.lab.load --url URL --rate 200 --users 20000 --report FILE --control FILE`.

Open loop: requests are sent when they are due, whatever the service does, as people do. A slow service
therefore meets as many requests as a fast one, and its slowness can't hide its own harm.

The control file, a JSON object, is read several times a second: `rate` in requests per second, and
`avoid_version`, a version that users shall stay away from.
"""

import argparse
import asyncio
import random
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TextIO
from urllib.parse import urlsplit

from tidegate.errors import LabError
from tidegate.lab.files import WatchedFile, read_json
from tidegate.lab.load_client import HttpPool
from tidegate.lab.load_report import Recorder
from tidegate.lab.load_users import Users

CONTROL_READ_EVERY_SECONDS: Final = 0.2
GREATEST_RATE: Final = 20_000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where the load goes and how a request of one user looks. `sticky` is `cookie:N` or `header:N`."""

    host: str
    port: int
    sticky: str

    def request(self, user: int, *, is_order: bool) -> bytes:
        """Return a whole request of *user*, for the page or for an order."""
        kind, _, name = self.sticky.partition(":")
        key = f"u{user:06d}"
        identity = f"cookie: {name}={key}" if kind == "cookie" else f"{name}: {key}"
        if is_order:
            first, rest = "POST /order HTTP/1.1", "content-length: 2\r\n\r\n{}"
        else:
            first, rest = "GET / HTTP/1.1", "\r\n"
        return f"{first}\r\nhost: {self.host}:{self.port}\r\n{identity}\r\n{rest}".encode()


class Load:
    """One running load. The rate may be changed while it runs."""

    def __init__(
        self,
        *,
        target: Target,
        rate: float,
        order_share: float,
        users: Users,
        chance: random.Random,
        report: TextIO,
    ) -> None:
        self.rate = rate
        self.users = users
        self._target = target
        self._order_share = order_share
        self._chance = chance
        self._report = report
        self._recorder = Recorder()
        self._pool = HttpPool(host=target.host, port=target.port)
        self._in_flight: set[asyncio.Task[None]] = set()

    async def run(self, stop: asyncio.Event, control: Callable[[], None]) -> None:
        """
        Send until *stop* is set, then wait for what is in flight and write the last lines.

        *control* is called several times a second and may change `rate` and `users`.
        """
        pacing = asyncio.create_task(self._pace())
        try:
            while not stop.is_set():
                control()
                self._write_report(time.time())
                try:
                    async with asyncio.timeout(CONTROL_READ_EVERY_SECONDS):
                        await stop.wait()
                except TimeoutError:
                    continue
        finally:
            pacing.cancel()
            await asyncio.gather(pacing, return_exceptions=True)
        await asyncio.gather(*self._in_flight)
        self._pool.close()
        self._write_report(time.time() + 1)

    async def _pace(self) -> None:
        """Send each request when it is due. Due times come from a count, so no delay adds up."""
        loop = asyncio.get_running_loop()
        while True:
            began, rate, sent = loop.time(), self.rate, 0
            while rate == self.rate:
                due = int((loop.time() - began) * rate) + 1 if rate > 0 else 0
                while sent < due:
                    sent += 1
                    self._send()
                wait = began + sent / rate - loop.time() if rate > 0 else CONTROL_READ_EVERY_SECONDS
                await asyncio.sleep(min(max(wait, 0.0), CONTROL_READ_EVERY_SECONDS))

    def _send(self) -> None:
        if self._pool.busy >= self._pool.maximum:
            self._recorder.unsent(time.time())
            return
        user = self.users.next()
        if user is None:
            return
        is_order = self._chance.random() < self._order_share
        task = asyncio.create_task(self._exchange(user, is_order=is_order))
        self._in_flight.add(task)
        task.add_done_callback(self._in_flight.discard)

    async def _exchange(self, user: int, *, is_order: bool) -> None:
        self._recorder.sent(time.time())
        outcome = await self._pool.send(self._target.request(user, is_order=is_order))
        if outcome.version:
            self.users.met(user, outcome.version)
        self._recorder.settled(time.time(), user=user, outcome=outcome, is_order=is_order)

    def _write_report(self, now: float) -> None:
        lines = self._recorder.finished_lines(now)
        if lines:
            self._report.write("".join(lines))
            self._report.flush()


class Control:
    """Follows the control file and passes on what it says."""

    def __init__(self, *, path: Path, load: Load, usual_rate: float) -> None:
        self._file = WatchedFile(path)
        self._load = load
        self._usual_rate = usual_rate

    def __call__(self) -> None:
        """Take up what the file says, if it has changed; what can't be understood changes nothing."""
        if not self._file.has_changed():
            return
        try:
            document = read_json(self._file.path)
        except LabError as problem:
            print(f"{problem.message}; {problem.hint}", file=sys.stderr, flush=True)
            return
        rate = document.get("rate", self._usual_rate)
        avoided = document.get("avoid_version")
        if not isinstance(rate, int | float) or not 0 <= rate <= GREATEST_RATE:
            print(f"rate must be 0..{GREATEST_RATE:g}, got {rate!r}", file=sys.stderr, flush=True)
            return
        self._load.rate = float(rate)
        self._load.users.avoid(avoided if isinstance(avoided, str) else None)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the load until SIGTERM, SIGINT or the end of `--seconds`; return the exit status."""
    parser = argparse.ArgumentParser(prog="tidegate.lab.load", description="The lab's users.")
    parser.add_argument("--url", required=True, help="http://host:port")
    parser.add_argument("--rate", type=float, default=200.0, help="requests per second")
    parser.add_argument("--users", type=int, default=20_000)
    parser.add_argument("--report", type=Path, required=True, help="JSON lines, appended")
    parser.add_argument("--control", type=Path, required=True)
    parser.add_argument("--sticky", default="cookie:tg", help="cookie:NAME or header:NAME")
    parser.add_argument("--order-share", type=float, default=0.1)
    parser.add_argument("--seconds", type=float, default=None, help="end by itself after so long")
    parser.add_argument("--seed", type=int, default=None, help="makes chance repeat itself")
    options = parser.parse_args(arguments)
    parts = urlsplit(options.url)
    if parts.scheme != "http" or not parts.hostname:
        parser.error("--url must be http://host:port")
    if options.sticky.partition(":")[0] not in ("cookie", "header"):
        parser.error("--sticky must be cookie:NAME or header:NAME")
    if not 0 <= options.rate <= GREATEST_RATE or options.users < 1:
        parser.error(f"--rate must be 0..{GREATEST_RATE:g} and --users at least 1")
    target = Target(host=parts.hostname, port=parts.port or 80, sticky=options.sticky)
    asyncio.run(_run(target, options))
    return 0


async def _run(target: Target, options: argparse.Namespace) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if options.seconds is not None:
        loop.call_later(options.seconds, stop.set)
    chance = random.Random(options.seed)
    with options.report.open("a", encoding="utf-8") as report:
        load = Load(
            target=target,
            rate=options.rate,
            order_share=options.order_share,
            users=Users(count=options.users, chance=chance),
            chance=chance,
            report=report,
        )
        control = Control(path=options.control, load=load, usual_rate=options.rate)
        await load.run(stop, control)


if __name__ == "__main__":
    sys.exit(main())
