"""
How soon a halt is taken while the server is asked for ten times what it can answer.

Three processes: a real server with rollouts that bake, users who ask for everything else (lists, single
rollouts, ledgers, evidence, plans, health), and this one, which halts rollouts one after the other over a
connection of its own. First the users ask as fast as they are answered, which gives the capacity; then
they ask at a multiple of it, in an open loop. A halt's time is from connecting to the whole answer: it is
in force at the targets and recorded by then. At the end some halts are given by `tidegate halt`, a process
each; most of their time is the start of Python, so it is shown beside that of the idle server.

Run: `python benchmarks/halt_overload.py [--baking N] [--trials N] [--times X] [--fresh] [-o json]`.
"""

import argparse
import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import engine
from reporting import report

from tidegate.documents.service_file import read_service

BUDGETS = {"halt_p99_ms": 200.0}
CAPACITY_SECONDS = 6.0
CAPACITY_CONNECTIONS = 16
CONNECTIONS = 2000
"""Of the users; on each one thing is asked at a time. With fewer the server slows them down: less is sent."""
STARTS_WITHIN_SECONDS = 60.0
BETWEEN_SECONDS = 0.1
SETTLES_SECONDS = 3.0
STARTS_FOR_SECONDS = 5.0
LOAD = Path(__file__).parent / "overload" / "load.py"

DOCUMENT = """\
version: 1
service: words
owner: team-words
components:
  greeting: {driver: file, path: v1.json, dir: consumers}
targets: [{name: here, environment: production}]
health:
  source: openmetrics
  signals: [{name: errors, kind: errors, metric: http_requests_total, bad: 'code=~"5.."'}]
prove: {errors: 5pp}
plan:
  phases:
    - {name: few, traffic: 1%, bake: 1h}
    - {name: some, traffic: 10%, bake: 1h}
    - {name: all, traffic: 100%, bake: 2h}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A server that runs, and how it is spoken to."""

    state_dir: Path
    port: int
    token: str
    pid: int

    def request(self, method: str, path: str, body: object = None) -> str:
        """Return the text of a request."""
        content = "" if body is None else json.dumps(body)
        return (
            f"{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {self.token}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(content.encode())}\r\n\r\n{content}"
        )

    def halt(self, rollout_id: str) -> float:
        """Halt a rollout; return how many milliseconds it took."""
        return self._post(f"/v1/rollouts/{rollout_id}/halt", {"reason": "benchmark"}, 202)

    def order(self, service: str) -> float:
        """Give a stop order for a service; return how many milliseconds it took."""
        body = {"scope": "service", "name": service, "withdraw": False, "reason": "benchmark"}
        return self._post("/v1/stops", body, 201)

    def _post(self, path: str, body: object, expected: int) -> float:
        began = time.perf_counter()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {"authorization": f"Bearer {self.token}", "content-type": "application/json"}
        connection.request("POST", path, json.dumps(body), headers)
        answer = connection.getresponse()
        text = answer.read()
        took = (time.perf_counter() - began) * 1000
        connection.close()
        assert answer.status == expected, f"{path}: {answer.status} {text[:500]!r}"
        return took

    def halt_by_command(self, rollout_id: str) -> float:
        """Halt with the command line; return how many milliseconds that took, start of Python included."""
        began = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "tidegate.cli.app", "halt", rollout_id, "--reason", "benchmark"],
            env={**os.environ, "TIDEGATE_STATE_DIR": str(self.state_dir)},
            stdout=subprocess.DEVNULL,
            check=True,
        )
        return (time.perf_counter() - began) * 1000


@contextmanager
def a_server(folder: Path, baking: int) -> Iterator[Served]:
    """Run a server with *baking* rollouts while the block runs."""
    state_dir = folder / "state"
    process = subprocess.Popen(
        [sys.executable, "-m", "overload.server", str(state_dir), str(baking)],
        cwd=Path(__file__).parent,
    )
    try:
        announced = state_dir / "server.json"
        until = time.monotonic() + STARTS_WITHIN_SECONDS
        while not announced.exists():
            assert process.poll() is None, "the server ended"
            assert time.monotonic() < until, "the server didn't start"
            time.sleep(0.05)
        url = json.loads(announced.read_text())["url"]
        token = (state_dir / "token").read_text().strip()
        yield Served(
            state_dir=state_dir,
            port=int(url.rpartition(":")[2]),
            token=token,
            pid=process.pid,
        )
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def everything_else(served: Served, folder: Path) -> list[str]:
    """Return what the users ask, in turn."""
    (folder / "v1.json").write_text("{}")
    document = read_service(DOCUMENT, file="benchmark", base_dir=folder).canonical
    plan = {"service": document, "change": {"greeting": "v1.json"}}
    return [
        served.request("GET", "/v1/rollouts?limit=50"),
        served.request("GET", "/v1/rollouts/r-0000"),
        served.request("GET", "/v1/rollouts/r-0001/ledger"),
        served.request("GET", "/healthz"),
        served.request("GET", "/v1/rollouts/r-0002/evidence"),
        served.request("POST", "/v1/plans", plan),
        served.request("GET", "/v1/ledger?limit=100"),
        served.request("GET", "/healthz"),
    ]


@contextmanager
def users(served: Served, requests: list[str], *words: str) -> Iterator["subprocess.Popen[str]"]:
    """Let users ask while the block runs."""
    process = subprocess.Popen(
        [sys.executable, str(LOAD), "--port", str(served.port), *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(requests))
    process.stdin.close()
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def said(process: "subprocess.Popen[str]") -> dict[str, Any]:
    """Return what the users got, once they are through."""
    assert process.stdout is not None
    found: dict[str, Any] = json.loads(process.stdout.read())
    return found


def percentiles(name: str, took: list[float]) -> dict[str, float]:
    """Return what is told of a row of times."""
    if not took:
        return {}
    shares = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
    found = {f"{name}_{key}_ms": engine.quantile(took, share) for key, share in shares.items()}
    return {**found, f"{name}_max_ms": max(took)}


def measure(
    baking: int, trials: int, times: float, *, commands: int, connections: int, fresh: bool
) -> dict[str, float]:
    """Return how long halts took, and what became of everything else."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        halted = (f"r-{baking + index:04d}" for index in range(2 * trials + 2 * commands))
        with a_server(folder, baking + 2 * trials + 2 * commands) as served:
            requests = everything_else(served, folder)
            # At the start every rollout is looked at; then each at its own time.
            time.sleep(STARTS_FOR_SECONDS)
            idle = [served.halt(next(halted)) for _ in range(trials)]
            idle_cli = [served.halt_by_command(next(halted)) for _ in range(commands)]
            closed = ("--connections", str(CAPACITY_CONNECTIONS))
            with users(served, requests, *closed, "--seconds", str(CAPACITY_SECONDS)) as asking:
                could = said(asking)
            capacity = could["answered"] / CAPACITY_SECONDS
            words = ["--rate", str(capacity * times), "--connections", str(connections)]
            words += ["--fresh"] if fresh else []
            with users(served, requests, *words) as asking:
                time.sleep(SETTLES_SECONDS)
                halts, orders = [], []
                for index in range(trials):
                    halts.append(served.halt(next(halted)))
                    time.sleep(BETWEEN_SECONDS)
                    orders.append(served.order(f"service-{index % baking:04d}"))
                    time.sleep(BETWEEN_SECONDS)
                by_command = [served.halt_by_command(next(halted)) for _ in range(commands)]
                assert asking.poll() is None, "the users went home before the last halt"
                asking.terminate()
                got = said(asking)
    seconds = got["seconds"]
    return {
        "capacity_per_s": capacity,
        "capacity_answer_ms": could["took_median_ms"],
        "offered_per_s": got["offered"] / seconds,
        "sent_per_s": got["sent"] / seconds,
        "answered_per_s": got["answered"] / seconds,
        "refused_per_s": got["refused"] / seconds,
        "otherwise_per_s": (sum(got["other"].values()) + got["broken"]) / seconds,
        **percentiles("idle_halt", idle),
        **percentiles("halt", halts),
        # On a machine that others use as well, this says what the overload alone costs.
        "halt_p95_over_idle": engine.quantile(halts, 0.95) / engine.quantile(idle, 0.95),
        **percentiles("order", orders),
        **percentiles("idle_command", idle_cli),
        **percentiles("command", by_command),
        "load_average": os.getloadavg()[0],
    }


def main() -> int:
    """Measure, print, and say whether the budget is met."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--baking", type=int, default=50)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--commands", type=int, default=5, help="Halts by the command line.")
    parser.add_argument("--times", type=float, default=10.0, help="How much of the capacity.")
    parser.add_argument("--connections", type=int, default=CONNECTIONS, help="Of those who ask.")
    parser.add_argument("--fresh", action="store_true", help="A new connection for each request.")
    parser.add_argument("-o", choices=["table", "json"], default="table")
    options = parser.parse_args()
    results = measure(
        options.baking,
        options.trials,
        options.times,
        commands=options.commands,
        connections=options.connections,
        fresh=options.fresh,
    )
    return report(results, BUDGETS, as_json=options.o == "json", digits=1)


if __name__ == "__main__":
    sys.exit(main())
