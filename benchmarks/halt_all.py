"""
How soon one order stops a fleet: a thousand rollouts that keep rising, and `halt --all`.

The real `usecases.step`, `Watch`, in-process runner, guarded drivers and SQLite store; targets and signals
are in memory. Three things are measured, each on a fleet of its own:

- `freeze`: the last rise of exposure at a target, after the order was asked for. Then quiet is waited for.
- `withdraw`: until no target exposes anything, with an order that withdraws.
- `killed`: a process of its own gives the order and is killed (SIGKILL) at once; another one takes the same
  store up. Rises in it are counted.

Run: `python benchmarks/halt_all.py [--rollouts N] [--watched S] [-o json]`.
"""

import argparse
import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import engine
from reporting import report

from tidegate.domain.access.model import Caller, CallerKind
from tidegate.domain.quantities import NO_EXPOSURE, Generation, Placement, Version
from tidegate.domain.rollout.model import Rollout
from tidegate.domain.stops.model import StopScope
from tidegate.drivers.clock.system import SystemClock
from tidegate.drivers.component.memory import MemoryComponent
from tidegate.drivers.runner.inprocess import InProcessRunner
from tidegate.ports.component import Applied, Assignment
from tidegate.ports.store import Store
from tidegate.store.open import open_store
from tidegate.usecases.bus import perform
from tidegate.usecases.outside import Outside, assignment
from tidegate.usecases.stop_commands import GiveStopOrder
from tidegate.usecases.stop_guard import GuardedComponent
from tidegate.usecases.work import EngineWork

OPERATOR = Caller(name="operator", kind=CallerKind.PERSON, person="operator", is_root=True)
BAKE = timedelta(seconds=5)
"""Short, so that rollouts rise all the time. Each bakes up to 40 s longer than this."""

BUDGETS = {"freeze_last_rise_s": 2.0, "withdraw_all_s": 20.0, "killed_rises": 0.0}


@dataclass(slots=True)
class Counted:
    """A component driver that notes when a target came to expose more than before."""

    component: MemoryComponent
    rises: list[float] = field(default_factory=list)
    is_told: bool = False

    async def resolve(self, version: str, settings_json: str) -> Version:
        """See the port."""
        return await self.component.resolve(version, settings_json)

    async def apply(self, told: Assignment) -> None:
        """See the port; a rise is noted once the target has it."""
        before = (await self.component.observe(told.placement)).exposure if self.is_told else None
        await self.component.apply(told)
        if before is not None and told.exposure.exceeds(before):
            self.rises.append(time.monotonic())

    async def observe(self, placement: Placement) -> Applied:
        """See the port."""
        return await self.component.observe(placement)

    async def withdraw(self, placement: Placement, generation: Generation | None) -> None:
        """See the port."""
        await self.component.withdraw(placement, generation)

    async def finish(self, placement: Placement, generation: Generation) -> None:
        """See the port."""
        await self.component.finish(placement, generation)

    async def retire(self, placement: Placement) -> None:
        """See the port."""
        await self.component.retire(placement)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """A world under way."""

    outside: Outside
    targets: Counted
    placements: tuple[Placement, ...]


async def a_fleet(folder: Path, count: int) -> Fleet:
    """Return a world with *count* rollouts that bake and rise, not yet under way."""
    outside, ids = await engine.a_world(folder, count, bake=BAKE)
    component = outside.components["memory"]
    assert isinstance(component, MemoryComponent)
    with outside.store.begin(read_only=True) as transaction:
        placements = [transaction.rollout(one).plan.placements()[0] for one in ids]
    return guarded(outside, component, tuple(placements))


async def taken_up(folder: Path) -> Fleet:
    """Return the world of a store that another process left, with targets as its records say."""
    store = open_store(f"sqlite:///{folder / 'bench.db'}")
    component = MemoryComponent()
    clock = SystemClock()
    with store.begin(read_only=True) as transaction:
        rollouts = transaction.unfinished()
    for rollout in rollouts:
        await put_up(component, rollout)
    outside = Outside(
        store=store,
        clock=clock,
        components={"memory": component},
        signals={"memory": engine.SteadyTraffic(clock)},
        wake=lambda _: None,
        lab_allowed=False,
    )
    return guarded(outside, component, tuple(one.plan.placements()[0] for one in rollouts))


async def put_up(component: MemoryComponent, rollout: Rollout) -> None:
    """Let the target serve what *rollout* last told it."""
    placement = rollout.plan.placements()[0]
    told = assignment(rollout, placement, rollout.phase.moves[0].exposure)
    await component.apply(
        replace(told, candidate=told.baseline, exposure=NO_EXPOSURE, generation=Generation(1))
    )
    await component.apply(told)


def guarded(
    outside: Outside, component: MemoryComponent, placements: tuple[Placement, ...]
) -> Fleet:
    """Return *outside* with the drivers as a server has them, and each rise noted."""
    targets = Counted(component=component, is_told=True)
    store: Store = outside.store
    components = {"memory": GuardedComponent(targets, store)}
    return Fleet(
        outside=replace(outside, components=components), targets=targets, placements=placements
    )


@asynccontextmanager
async def under_way(fleet: Fleet) -> AsyncIterator[Outside]:
    """Run the engine over *fleet* while the block runs."""
    runner = InProcessRunner(
        fleet.outside.clock,
        watch_every=timedelta(seconds=1),
        log=lambda work, rollout_id, error: None,
    )
    outside = replace(fleet.outside, wake=runner.wake)
    running = asyncio.create_task(runner.run(EngineWork(outside)))
    try:
        yield outside
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def give(outside: Outside, *, withdraw: bool) -> float:
    """Stop everything, as `tidegate halt --all` does; return when it was asked for."""
    asked = time.monotonic()
    order = GiveStopOrder(
        scope=StopScope.EVERYTHING, name="", withdraw=withdraw, reason="benchmark"
    )
    await perform(outside, OPERATOR, order)
    return asked


async def measure_freeze(count: int, watched: float) -> dict[str, float]:
    """Return how late the last rise was after the order, and how many there were before."""
    with tempfile.TemporaryDirectory() as folder:
        fleet = await a_fleet(Path(folder), count)
        async with under_way(fleet) as outside:
            await asyncio.sleep(watched)
            before = len(fleet.targets.rises)
            asked = await give(outside, withdraw=False)
            answered = time.monotonic()
            await asyncio.sleep(watched)
        late = [at - asked for at in fleet.targets.rises if at >= asked]
        return {
            "freeze_rises_before": before,
            "freeze_answered_s": answered - asked,
            "freeze_rises_after": len(late),
            "freeze_last_rise_s": max(late, default=0.0),
        }


async def measure_withdraw(count: int, watched: float) -> dict[str, float]:
    """Return how long it takes until nothing is exposed anywhere."""
    with tempfile.TemporaryDirectory() as folder:
        fleet = await a_fleet(Path(folder), count)
        async with under_way(fleet) as outside:
            await asyncio.sleep(watched)
            asked = await give(outside, withdraw=True)
            while True:
                served = [fleet.targets.component.served(place) for place in fleet.placements]
                if all(one.exposure == NO_EXPOSURE for one in served):
                    return {"withdraw_all_s": time.monotonic() - asked}
                if time.monotonic() - asked > 120:
                    return {"withdraw_all_s": float("inf")}
                await asyncio.sleep(0.05)


async def order_and_die(folder: Path, count: int, watched: float) -> None:
    """Run a fleet in *folder*, give the order, and be killed before anything else is done."""
    fleet = await a_fleet(folder, count)
    async with under_way(fleet) as outside:
        await asyncio.sleep(watched)
        await give(outside, withdraw=False)
        os.kill(os.getpid(), signal.SIGKILL)


async def measure_killed(count: int, watched: float) -> dict[str, float]:
    """Return how many rises there are in a process that takes a stopped fleet up."""
    with tempfile.TemporaryDirectory() as name:
        arguments = ["--order-and-die", name, "--rollouts", str(count), "--watched", str(watched)]
        died = await asyncio.to_thread(
            subprocess.run, [sys.executable, __file__, *arguments], check=False
        )
        assert died.returncode == -signal.SIGKILL, f"it ended with {died.returncode}"
        fleet = await taken_up(Path(name))
        async with under_way(fleet):
            await asyncio.sleep(2 * watched)
        return {
            "killed_rollouts_taken_up": len(fleet.placements),
            "killed_rises": len(fleet.targets.rises),
        }


async def measure(count: int, watched: float) -> dict[str, float]:
    """Return all three measurements."""
    return {
        "rollouts": count,
        **await measure_freeze(count, watched),
        **await measure_withdraw(count, watched),
        **await measure_killed(count, watched),
    }


def main() -> int:
    """Measure, print, and say whether the budgets are met."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--rollouts", type=int, default=1000)
    parser.add_argument("--watched", type=float, default=40.0, help="Seconds before and after.")
    parser.add_argument("--order-and-die", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("-o", choices=["table", "json"], default="table")
    options = parser.parse_args()
    if options.order_and_die:
        asyncio.run(order_and_die(options.order_and_die, options.rollouts, options.watched))
        return 1
    results = asyncio.run(measure(options.rollouts, options.watched))
    if results["freeze_rises_before"] == 0:
        print("nothing rose before the order: this measured nothing", file=sys.stderr)
        return 1
    return report(results, BUDGETS, as_json=options.o == "json", digits=3)


if __name__ == "__main__":
    sys.exit(main())
