"""
How soon a stop is felt at the proxy: from `halt` to the last request that the candidate served.

A real Envoy, real processes, the real engine on SQLite; meanwhile other rollouts bake in the same
process. A client that is on the candidate's side keeps asking; the time is that from the call of the
halt to the end of the last answer it got from the candidate. After each trial the rollout is resumed
and proven on the proxy again.

Run: `python benchmarks/withdrawal.py [--trials N] [--baking N] [-o json]`.
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import engine
import httpx

from tidegate.documents.service_file import read_service
from tidegate.domain.quantities import RolloutId
from tidegate.domain.rollout.machine import State
from tidegate.drivers.clock.system import SystemClock
from tidegate.drivers.component.process import ProcessComponent
from tidegate.drivers.processes.supervisor import ShimSupervisor
from tidegate.drivers.runner.inprocess import InProcessRunner
from tidegate.drivers.signals.envoy import EnvoySignals
from tidegate.drivers.traffic.envoy import EnvoyTraffic
from tidegate.lab.world import end_processes
from tidegate.testing.ports import free_port
from tidegate.usecases.halt import halt_rollout
from tidegate.usecases.outside import Outside
from tidegate.usecases.resume import resume_rollout
from tidegate.usecases.start import start_rollout
from tidegate.usecases.work import EngineWork

DOCUMENT = """\
version: 1
service: shop
owner: benchmark
workload:
  driver: process
  command: ["{python}", -m, tidegate.lab.demo,
            --port, "{{port}}", --version, "{{version}}", --faults, "{faults}"]
  members: 1
  probe: {{http: /healthz, every: 1s}}
  drain: 2s
  traffic: {{driver: envoy, listen: "127.0.0.1:{port}", sticky: "header:x-user"}}
targets: [{{name: bench, environment: lab}}]
health: {{source: envoy, signals: [http]}}
plan:
  phases:
    - {{name: half, to: first, traffic: 50%, bake: 1h}}
    - {{name: all, to: first, traffic: 100%, bake: 2h}}
"""
QUIET = 0.15
"""Seconds without an answer from the candidate after which it counts as withdrawn."""


async def measure(trials: int, baking: int) -> dict[str, float]:
    """Return how long withdrawals took, in milliseconds."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        outside, _ = await engine.a_world(folder, baking, bake=timedelta(hours=1))
        processes = ShimSupervisor(folder / "processes")
        runner = InProcessRunner(
            outside.clock,
            watch_every=timedelta(milliseconds=250),
            log=lambda work, rollout_id, error: print(work, rollout_id, error, file=sys.stderr),
        )
        outside = with_real_parts(outside, folder, processes, runner)
        running = asyncio.create_task(runner.run(EngineWork(outside)))
        try:
            return await withdraw_again_and_again(outside, folder, trials)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await end_processes(processes)


def with_real_parts(
    outside: Outside, folder: Path, processes: ShimSupervisor, runner: InProcessRunner
) -> Outside:
    """Return *outside* with a real workload and a real proxy beside what is in memory."""
    traffic = EnvoyTraffic(folder / "envoy", processes)
    component = ProcessComponent(processes, traffic, folder / "workloads")
    return replace(
        outside,
        components={**outside.components, "process": component},
        signals={**outside.signals, "envoy": EnvoySignals(folder / "envoy", SystemClock())},
        wake=runner.wake,
        lab_allowed=True,
    )


async def withdraw_again_and_again(outside: Outside, folder: Path, trials: int) -> dict[str, float]:
    """Roll the shop out to half of its users and stop it, *trials* times."""
    port = free_port()
    faults = folder / "faults"
    faults.mkdir()
    text = DOCUMENT.format(python=sys.executable, faults=faults, port=port)
    resolved = read_service(text, file="benchmark", base_dir=folder)
    first = await start_rollout(outside, resolved, {"code": "1.0.0"}, actor="benchmark")
    await until(outside, first.id, State.COMPLETED)
    rollout = await start_rollout(outside, resolved, {"code": "1.1.0"}, actor="benchmark")
    took: list[float] = []
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        for trial in range(trials):
            await until(outside, rollout.id, State.BAKING)
            user = await someone_on(client, "1.1.0")
            took.append(await one_trial(outside, rollout.id, client, user))
            await until(outside, rollout.id, State.HALTED)
            resume_rollout(outside, rollout.id, actor="benchmark", reason=f"trial {trial}")
    ordered = sorted(took)
    return {
        "trials": trials,
        "median_ms": statistics.median(ordered),
        "p99_ms": engine.quantile(ordered, 0.99),
        "longest_ms": ordered[-1],
    }


async def one_trial(
    outside: Outside, rollout_id: RolloutId, client: httpx.AsyncClient, user: str
) -> float:
    """Halt while *user* keeps asking; return the milliseconds until the candidate's last answer."""
    asking = asyncio.create_task(ask_until_quiet(client, user))
    await asyncio.sleep(0.05)
    began = time.perf_counter()
    await halt_rollout(outside, rollout_id, actor="benchmark", reason="trial")
    last = await asking
    return max(0.0, (last - began) * 1000)


async def ask_until_quiet(client: httpx.AsyncClient, user: str) -> float:
    """Ask as fast as answers come, until the candidate has been quiet for a while."""
    last = time.perf_counter()
    while time.perf_counter() - last < QUIET:
        response = await client.get("/healthz", headers={"x-user": user})
        if response.headers["x-demo-version"] == "1.1.0":
            last = time.perf_counter()
    return last


async def someone_on(client: httpx.AsyncClient, version: str) -> str:
    """Return a user who is on the side of *version*."""
    for number in range(10_000):
        user = f"user-{number}"
        response = await client.get("/healthz", headers={"x-user": user})
        if response.headers["x-demo-version"] == version:
            return user
    raise SystemExit(f"nobody is on {version}")


async def until(outside: Outside, rollout_id: RolloutId, state: State) -> None:
    """Return once the rollout is in *state* and waits for a person or for time."""
    async with asyncio.timeout(60):
        while True:
            with outside.store.begin() as transaction:
                rollout = transaction.rollout(rollout_id)
            settled = rollout.waiting_on.reason.value != "withdrawing"
            if rollout.state is state and settled:
                return
            await asyncio.sleep(0.02)


def main() -> int:
    """Measure, print, and say whether the budget is met."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--baking", type=int, default=50)
    parser.add_argument("-o", choices=["table", "json"], default="table")
    options = parser.parse_args()
    results = asyncio.run(measure(options.trials, options.baking))
    results["baking"] = options.baking
    budgets = {"median_ms": 100.0, "p99_ms": 1000.0}
    if options.o == "json":
        print(json.dumps({"results": results, "budgets": budgets}, indent=2))
    else:
        for name, value in results.items():
            budget = f"budget {budgets[name]:g}" if name in budgets else ""
            print(f"{name:<12} {value:10.2f}   {budget}".rstrip())
    return 0 if all(results[name] <= budget for name, budget in budgets.items()) else 1


if __name__ == "__main__":
    sys.exit(main())
