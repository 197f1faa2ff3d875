"""
How fast the engine turns: one step on SQLite, and a thousand baking rollouts in one process.

The real `usecases.step`, `Watch`, in-process runner and SQLite store; targets and signals are in
memory, so that what is measured is ours. Run: `python benchmarks/engine.py [--rollouts N]
[--seconds S] [-o json]`.

A decision's lag is the time from when the tick that allowed it was due to when it was recorded.
"""

import argparse
import asyncio
import json
import math
import statistics
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from tidegate.documents.records import from_json
from tidegate.domain.health.readings import Reading, SeriesCounts
from tidegate.domain.plan.model import ComponentSpec, TargetSpec
from tidegate.domain.quantities import (
    NO_EXPOSURE,
    Arm,
    ComponentName,
    Environment,
    Generation,
    RolloutId,
    TargetName,
)
from tidegate.domain.rollout.decisions import Observation
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import Rehearsal, Rollout
from tidegate.drivers.clock.system import SystemClock
from tidegate.drivers.component.memory import MemoryComponent
from tidegate.drivers.runner.inprocess import InProcessRunner
from tidegate.ports.signals import SignalQuery
from tidegate.store.open import open_store
from tidegate.testing.builders import a_phase, a_placement, a_plan, a_rollout
from tidegate.usecases.outside import Outside, assignment
from tidegate.usecases.step import step
from tidegate.usecases.work import EngineWork

REQUESTS_PER_SECOND = 200.0
ERROR_RATE = 0.001
TICK = timedelta(seconds=10)


class SteadyTraffic:
    """A source whose counters grow with the clock: healthy, 5 % of the requests to the candidate."""

    def __init__(self, clock: SystemClock) -> None:
        self._clock = clock
        self._began = clock.now()

    async def read(self, queries: Sequence[SignalQuery]) -> Sequence[Reading | None]:
        """Return what was served since the benchmark began."""
        now = self._clock.now()
        seconds = (now - self._began) / timedelta(seconds=1)
        return [self._reading(now, seconds) for _ in queries]

    def _reading(self, now: datetime, seconds: float) -> Reading:
        arms = {}
        for arm, share in ((Arm.CANDIDATE, 0.05), (Arm.BASELINE, 0.95)):
            total = int(seconds * REQUESTS_PER_SECOND * share)
            counts = SeriesCounts(total=total, bad=int(total * ERROR_RATE))
            arms[arm] = {"pool": counts}
        return Reading(at=now, arms=arms)


async def a_world(folder: Path, count: int, *, bake: timedelta) -> tuple[Outside, list[RolloutId]]:
    """Return a world with *count* rollouts that bake at 5 %."""
    clock = SystemClock()
    component = MemoryComponent()
    outside = Outside(
        store=open_store(f"sqlite:///{folder / 'bench.db'}"),
        clock=clock,
        components={"memory": component},
        signals={"memory": SteadyTraffic(clock)},
        wake=lambda _: None,
        lab_allowed=False,
    )
    ids = []
    with outside.store.begin() as transaction:
        for number in range(count):
            rollout = a_baking_rollout(number, clock, bake=bake)
            transaction.add_rollout(rollout)
            for target, generation in rollout.generations:
                # The targets below were told this one: the next to be issued has to be a later one.
                issued = transaction.issue_generation(
                    rollout.service, target, above=Generation(generation - 1)
                )
                assert issued == generation, f"{issued} was issued for {rollout.id}"
            ids.append(rollout.id)
    for number in range(count):
        rollout = a_baking_rollout(number, clock, bake=bake)
        placement = rollout.plan.placements()[0]
        told = assignment(rollout, placement, rollout.phase.moves[0].exposure)
        installed = replace(
            told, candidate=told.baseline, exposure=NO_EXPOSURE, generation=Generation(1)
        )
        await component.apply(installed)
        await component.apply(told)
    return outside, ids


def a_baking_rollout(number: int, clock: SystemClock, *, bake: timedelta) -> Rollout:
    """Return rollout *number*: at 5 %, six phases, the bake a little different for each."""
    service = f"service-{number:04d}"
    placement = a_placement(service)
    weights = (500, 1_000, 2_500, 5_000, 7_500, 10_000)
    own_bake = bake + timedelta(seconds=number % 40)
    phases = tuple(
        replace(
            phase,
            bake=own_bake,
            bake_max=own_bake * 3,
            minimum_requests=50,
            signals=tuple(replace(spec, source="memory") for spec in phase.signals),
        )
        for phase in (
            a_phase(f"{weight / 100:g}%", weight_bps=weight, placements=[placement])
            for weight in weights
        )
    )
    plan = replace(a_plan(placements=[placement]), phases=phases, tick=TICK)
    now = clock.now()
    rollout = a_rollout(
        f"r-{number:04d}",
        service=service,
        plan=plan,
        state=State.BAKING,
        at=now,
        rehearsal=Rehearsal.PROVEN,
        generations=(("eu", Generation(2)),),
    )
    return replace(
        rollout,
        components=(
            ComponentSpec(
                name=ComponentName("code"),
                kind="code",
                driver="memory",
                settings_json="{}",
                after=(),
            ),
        ),
        targets=(
            TargetSpec(
                name=TargetName("eu"),
                ring="first",
                environment=Environment.PRODUCTION,
                settings_json="{}",
            ),
        ),
    )


async def measure_steps(count: int) -> dict[str, float]:
    """Return how long steps take that record nothing, and that record a decision, in milliseconds."""
    with tempfile.TemporaryDirectory() as folder:
        outside, ids = await a_world(Path(folder), count, bake=timedelta(hours=1))
        idle: list[float] = []
        for rollout_id in ids:
            began = time.perf_counter()
            await step(outside, rollout_id)
            idle.append((time.perf_counter() - began) * 1000)
        with outside.store.begin() as transaction:
            held = [transaction.rollout(rollout_id) for rollout_id in ids]
            # Each is put back by a record of the quarter of an hour before: the step must record.
            for rollout in held:
                waiting = replace(rollout, state=State.APPLYING)
                transaction.save_rollout(waiting)
        recorded: list[float] = []
        for rollout_id in ids:
            began = time.perf_counter()
            await step(outside, rollout_id)
            recorded.append((time.perf_counter() - began) * 1000)
    return {
        "step_idle_median_ms": statistics.median(idle),
        "step_recorded_median_ms": statistics.median(recorded),
        "step_recorded_p99_ms": quantile(recorded, 0.99),
    }


async def measure_fleet(count: int, seconds: float) -> dict[str, float]:
    """Return the lag of decisions and the memory while *count* rollouts bake for *seconds*."""
    with tempfile.TemporaryDirectory() as folder:
        outside, _ = await a_world(Path(folder), count, bake=timedelta(seconds=20))
        problems: list[str] = []
        runner = InProcessRunner(
            outside.clock,
            watch_every=timedelta(seconds=1),
            log=lambda work, rollout_id, error: problems.append(
                "".join(traceback.format_exception(error))
            ),
        )
        busy_before = time.process_time()
        running = asyncio.create_task(runner.run(EngineWork(replace(outside, wake=runner.wake))))
        await asyncio.sleep(seconds)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        busy = time.process_time() - busy_before
        lags = decision_lags(outside)
        if problems:
            print(f"problems: {len(problems)}, first: {problems[0]}", file=sys.stderr)
        return {
            "rollouts": count,
            "seconds": seconds,
            "decisions": len(lags),
            "problems": len(problems),
            "lag_median_s": statistics.median(lags) if lags else float("nan"),
            "lag_p99_s": quantile(lags, 0.99) if lags else float("nan"),
            "cpu_share": busy / seconds,
            "rss_mb": resident_megabytes(),
        }


def decision_lags(outside: Outside) -> list[float]:
    """Return the lag of every decision that rested on a tick."""
    lags: list[float] = []
    after = 0
    while True:
        with outside.store.begin() as transaction:
            page = transaction.ledger(after=after, limit=500)
        if not page:
            return lags
        after = page[-1].number
        for entry in page:
            if entry.rule != "phase-passed" or entry.observation_json is None:
                continue
            seen = from_json(Observation, entry.observation_json)
            with outside.store.begin() as transaction:
                ticks = transaction.ticks(seen.rollout.id, 1, through=seen.evidence.ticks)
            ends = [json.loads(tick.tick_json)["at"] for tick in ticks[-2:]]
            if len(ends) < 2:
                continue
            previous, last = (parse(text) for text in ends)
            late = max(timedelta(0), last - previous - TICK)
            lags.append((late + (entry.at - last)) / timedelta(seconds=1))


def parse(text: str) -> datetime:
    """Return the time that a stored tick names."""
    return datetime.fromisoformat(text)


def quantile(values: Sequence[float], share: float) -> float:
    """Return the least of *values* that at least *share* of them don't exceed (nearest rank)."""
    ordered = sorted(values)
    # Rounded: 0.07 * 100 is more than 7 by what a float can't hold.
    return ordered[max(0, math.ceil(round(len(ordered) * share, 9)) - 1)]


def resident_megabytes() -> float:
    """Return the memory of this process that is in use now."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return float("nan")


def main() -> int:
    """Measure, print, and say whether the budgets are met."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--rollouts", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=90.0)
    parser.add_argument("-o", choices=["table", "json"], default="table")
    options = parser.parse_args()
    results = asyncio.run(measure_steps(options.steps))
    results |= asyncio.run(measure_fleet(options.rollouts, options.seconds))
    budgets = {"step_recorded_median_ms": 5.0, "lag_p99_s": 5.0, "rss_mb": 400.0}
    if options.o == "json":
        print(json.dumps({"results": results, "budgets": budgets}, indent=2))
    else:
        for name, value in results.items():
            budget = budgets.get(name)
            verdict = (
                ""
                if budget is None
                else f"   budget {budget:g}: {'met' if value <= budget else 'MISSED'}"
            )
            print(f"{name:<26} {value:10.3f}{verdict}")
    return 0 if all(results[name] <= budget for name, budget in budgets.items()) else 1


if __name__ == "__main__":
    sys.exit(main())
