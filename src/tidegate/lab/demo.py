"""
The lab's demo service: a small web shop whose versions can be broken while they run.

Run as `python -m tidegate.lab.demo --port PORT --version VERSION --faults FOLDER`. It stands for the
user's own service, so it knows nothing of Tidegate: it serves, counts, shows `/metrics` and ends cleanly
on SIGTERM. What is wrong with a version is read from its file (`faults.py`) while it runs.

Healthy, it fails in one request of 2,000 and answers in about 8 ms (lognormal).
"""

import argparse
import asyncio
import html
import json
import math
import os
import random
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tidegate.errors import LabError
from tidegate.lab.faults import ActiveFaults, fault_path, read_faults
from tidegate.lab.files import WatchedFile
from tidegate.lab.shop_metrics import CONTENT_TYPE, ShopMetrics
from tidegate.lab.web import Request, Response, WebServer

HEALTHY_ERROR_RATE: Final = 0.0005
MEDIAN_LATENCY_SECONDS: Final = 0.008
LATENCY_SPREAD: Final = 0.35
"""Sigma of the lognormal: the 99th percentile is 2.3 times the median, as in a calm service."""
LONGEST_LATENCY_SECONDS: Final = 30.0
FAULTS_READ_EVERY_SECONDS: Final = 0.2
IDLE_GRACE_SECONDS: Final = 1.0
"""How long a connection without a request stays open while draining; proxies stop using it sooner."""
CRASH_EXIT_STATUS: Final = 70

_GOODS: Final = (("Kettle", "19.00"), ("Lamp", "34.50"), ("Teapot", "27.00"), ("Tray", "12.00"))


class Shop:
    """The shop of one process: its pages, its orders and its faults."""

    def __init__(self, *, version: str, faults_path: Path, chance: random.Random) -> None:
        self.metrics = ShopMetrics(version=version, started_unix_seconds=time.time())
        self.faults = ActiveFaults()
        self.is_draining = False
        self._version = version
        self._chance = chance
        self._file = WatchedFile(faults_path)
        self._crash_at: float | None = None
        self._headers = (("x-demo-version", version), ("cache-control", "no-store"))

    def read_faults(self) -> None:
        """
        Take up what the fault file says if it has changed.

        Raises:
            LabError: it can't be understood; the faults stay what they were.
        """
        if not self._file.has_changed():
            return
        self.faults = read_faults(self._file.path)
        after = self.faults.crash_after_seconds
        self._crash_at = None if after is None else time.monotonic() + after

    def crash_is_due(self) -> bool:
        """Return whether this process is meant to end now, without any drain."""
        return self._crash_at is not None and time.monotonic() >= self._crash_at

    async def handle(self, request: Request) -> Response:
        """Answer one request; what users ask for is slow, may fail, and is counted."""
        if request.path == "/metrics":
            return Response(body=self.metrics.page(), content_type=CONTENT_TYPE)
        if request.path == "/healthz":
            status, word = (503, b"draining\n") if self.is_draining else (200, b"ok\n")
            return Response(status=status, body=word, headers=self._headers)
        began = time.perf_counter()
        await asyncio.sleep(self._latency_seconds())
        response = self._serve(request)
        if request.path in self.metrics.visits:
            self.metrics.visits[request.path] += 1
        self.metrics.answered(response.status, time.perf_counter() - began)
        return response

    def _serve(self, request: Request) -> Response:
        allowed = {"/": ("GET", "HEAD"), "/order": ("POST",)}.get(request.path)
        if allowed is None:
            return self._text(404, "there is no such page\n")
        if request.method not in allowed:
            return self._text(405, f"use {allowed[0]}\n", ("allow", ", ".join(allowed)))
        rate = max(HEALTHY_ERROR_RATE, self.faults.error_rate_at(time.monotonic()))
        if self._chance.random() < rate:
            return self._text(500, "something broke\n")
        if request.path == "/order":
            return self._order()
        return Response(
            body=self._page(), content_type="text/html; charset=utf-8", headers=self._headers
        )

    def _order(self) -> Response:
        # A forgotten order looks like a placed one from outside: only the count tells.
        if self._chance.random() >= self.faults.usage_drop:
            self.metrics.orders += 1
        number = f"{os.getpid()}-{self._chance.getrandbits(40):010x}"
        body = json.dumps({"order": number, "thanks": True}).encode() + b"\n"
        return Response(body=body, content_type="application/json", headers=self._headers)

    def _page(self) -> bytes:
        goods = "\n".join(f"<li>{name} <b>{price}</b></li>" for name, price in _GOODS)
        return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Demo shop</title></head>
<body><h1>Demo shop</h1>
<ul>
{goods}
</ul>
<form method="post" action="/order"><button>Order</button></form>
<p>You are served by version {html.escape(self._version)}.</p>
</body></html>
""".encode()

    def _text(self, status: int, text: str, *headers: tuple[str, str]) -> Response:
        return Response(status=status, body=text.encode(), headers=(*self._headers, *headers))

    def _latency_seconds(self) -> float:
        usual = self._chance.lognormvariate(math.log(MEDIAN_LATENCY_SECONDS), LATENCY_SPREAD)
        slowed = usual * self.faults.latency_factor + self.faults.latency_ms / 1000
        return min(slowed, LONGEST_LATENCY_SECONDS)


async def serve(shop: Shop, *, host: str, port: int) -> None:
    """
    Serve *shop* until SIGTERM or SIGINT, then drain.

    Raises:
        OSError: the port can't be had.
    """
    server = WebServer(shop.handle)
    bound = await server.start(host, port)
    print(f"listening on {host}:{bound}", flush=True)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    watching = asyncio.create_task(_watch_faults(shop))
    try:
        await stop.wait()
        shop.is_draining = True
        await server.drain(idle_grace_seconds=IDLE_GRACE_SECONDS)
    finally:
        watching.cancel()


async def _watch_faults(shop: Shop) -> None:
    while True:
        try:
            shop.read_faults()
        except LabError as problem:
            print(f"{problem.message}; {problem.hint}", file=sys.stderr, flush=True)
        if shop.crash_is_due():
            print("crashing, as the fault asks", file=sys.stderr, flush=True)
            os._exit(CRASH_EXIT_STATUS)
        await asyncio.sleep(FAULTS_READ_EVERY_SECONDS)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one process of the shop; return its exit status."""
    parser = argparse.ArgumentParser(prog="tidegate.lab.demo", description="A small demo shop.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True, help="0 takes a free one")
    parser.add_argument("--version", required=True)
    parser.add_argument("--faults", type=Path, required=True, help="the folder of fault files")
    parser.add_argument("--seed", type=int, default=None, help="makes chance repeat itself")
    options = parser.parse_args(arguments)
    if not (options.version.isascii() and options.version.isprintable()):
        parser.error("--version stands in a header, so it must be printable ASCII")
    shop = Shop(
        version=options.version,
        faults_path=fault_path(options.faults, options.version),
        chance=random.Random(options.seed),
    )
    try:
        shop.read_faults()
    except LabError as problem:
        print(f"{problem.message}; {problem.hint}", file=sys.stderr)
    if shop.faults.crash_at_start:
        print("crashing at start, as the fault asks", file=sys.stderr)
        return CRASH_EXIT_STATUS
    try:
        asyncio.run(serve(shop, host=options.host, port=options.port))
    except OSError as problem:
        print(f"can't listen on {options.host}:{options.port}: {problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
