"""
What a hostile world is made of: targets that may be away, and servers that may end anywhere.

A server does what a real one does, through ports that stop or kill it between any two effects. What
happens at each point is the world's decision; see `Fate`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from typing import Any, Protocol

from tidegate.domain.quantities import Generation, Placement
from tidegate.drivers.component.memory import MemoryComponent, Mishap
from tidegate.errors import StaleGenerationError, StoreError, TidegateError, WorkloadError
from tidegate.ports.component import Applied, Assignment
from tidegate.testing.simulation.bench import DRIVER, SOURCE, Bench
from tidegate.testing.simulation.failpoints import (
    AFTER,
    CrashedError,
    InterruptedComponent,
    InterruptedSignals,
    InterruptedStore,
)
from tidegate.usecases.outside import Outside
from tidegate.usecases.work import EngineWork


class Fate(Protocol):
    """Decides what happens to a server at each point."""

    def note(self, what: str) -> None:
        """Hear that an effect has happened."""
        ...

    def draws_crash(self) -> bool:
        """Return whether a server is killed here."""
        ...

    def draws_stop(self, *, is_racing: bool) -> bool:
        """Return whether a server stops here, to go on who knows when."""
        ...

    def store_is_down(self) -> bool:
        """Return whether the store doesn't answer."""
        ...


class AwayTargets(MemoryComponent):
    """Targets that may be away altogether, and that know which stop never reached them."""

    def __init__(self, *, lag_observes: int, mishap: Callable[[str], Mishap]) -> None:
        super().__init__(lag_observes=lag_observes, mishap=mishap)
        self.away: set[Placement] = set()
        self.unreached: set[Placement] = set()

    async def apply(self, assignment: Assignment) -> None:
        """Apply, unless away."""
        self._must_be_there(assignment.placement)
        await super().apply(assignment)

    async def observe(self, placement: Placement) -> Applied:
        """Observe, unless away."""
        self._must_be_there(placement)
        return await super().observe(placement)

    async def withdraw(self, placement: Placement, generation: Generation | None) -> None:
        """Withdraw, unless away; note whether it arrived."""
        self.unreached.add(placement)
        try:
            self._must_be_there(placement)
            await super().withdraw(placement, generation)
        finally:
            there = self.served(placement)
            if (there.stopped_at_generation or 0) >= max(generation or 1, there.generation):
                self.unreached.discard(placement)

    async def finish(self, placement: Placement, generation: Generation) -> None:
        """Finish, unless away."""
        self._must_be_there(placement)
        await super().finish(placement, generation)

    async def retire(self, placement: Placement) -> None:
        """Retire, unless away."""
        self._must_be_there(placement)
        await super().retire(placement)

    def _must_be_there(self, placement: Placement) -> None:
        if placement in self.away:
            raise WorkloadError(f"{placement} doesn't answer", hint="it may be back later")


class Server:
    """One server process: its own watch and its own way to the shared world, which may end anywhere."""

    def __init__(self, fate: Fate, bench: Bench, name: str) -> None:
        self.name = name
        self._fate = fate
        self.is_killed = False
        self.is_racing = False
        self.parked: list[asyncio.Future[None]] = []
        self.task: asyncio.Task[object] | None = None
        self.doing = ""
        self.outside: Outside = replace(
            bench.outside,
            store=InterruptedStore(bench.store, self._reached_in_store),
            components={DRIVER: InterruptedComponent(bench.component, self._reached)},
            signals={SOURCE: InterruptedSignals(bench.signals, self._reached)},
        )
        self.work = EngineWork(self.outside)

    async def act(self, doing: str, action: Coroutine[Any, Any, object]) -> str:
        """Begin *action* and return when it has ended or is stopped at a point."""
        self.doing = doing
        self.task = asyncio.create_task(_as_task(action))
        return await self._settle()

    async def go_on(self) -> str:
        """Let what was stopped go on, until it ends or is stopped again."""
        for parked in self.parked:
            if not parked.done():
                parked.set_result(None)
        self.parked.clear()
        return await self._settle()

    async def _settle(self) -> str:
        task = self.task
        assert task is not None, "a server that has nothing to do doesn't go on"
        patience = 5
        while not task.done() and patience:
            # Calls that were made together go on when one of them is stopped.
            patience -= 1 if self.parked else 0
            await asyncio.sleep(0)
        if not task.done():
            return f"{self.doing}: stopped"
        self.task = None
        return f"{self.doing}: {self._ended(task)}"

    def _ended(self, task: asyncio.Task[object]) -> str:
        try:
            task.result()
        except CrashedError as exc:
            self.is_killed = True
            return f"killed {exc}"
        except StaleGenerationError:
            return "stale"
        except TidegateError as exc:
            if not exc.retryable and self.doing.endswith(("step", "look")):
                raise
            return exc.code
        return "done"

    async def _reached(self, point: str) -> None:
        self._end_if_killed(point)
        if point.startswith(AFTER):
            self._fate.note(f"{self.name} {point}")
        if self._fate.draws_crash():
            self.is_killed = True
            self._end_if_killed(point)
        if self._fate.draws_stop(is_racing=self.is_racing):
            parked = asyncio.get_running_loop().create_future()
            self.parked.append(parked)
            await parked
            self._end_if_killed(point)

    def _reached_in_store(self, point: str) -> None:
        self._end_if_killed(point)
        if point.startswith(AFTER):
            self._fate.note(f"{self.name} {point}")
        elif self._fate.store_is_down():
            raise StoreError("the store doesn't answer", hint="try again")
        if self._fate.draws_crash():
            self.is_killed = True
            self._end_if_killed(point)

    def _end_if_killed(self, point: str) -> None:
        if self.is_killed:
            raise CrashedError(point)


async def _as_task(action: Awaitable[object]) -> object:
    return await action
