"""
Ports with a place before and after each effect where a process may end, wait or be refused.

A server is killed between any two effects of its; another may act meanwhile; a call that was on its
way arrives much later. All of that is done by what is called at these points. The ports behind them
are the usual ones, and outlive whoever was killed.
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from tidegate.domain.health.readings import Reading
from tidegate.domain.quantities import Generation, Placement, Version
from tidegate.ports.component import Applied, Assignment, ComponentDriver
from tidegate.ports.signals import SignalQuery, SignalSource
from tidegate.ports.store import Store, Transaction


class CrashedError(Exception):
    """The process was killed here. Not an error of Tidegate's: nothing may handle it."""


Reached = Callable[[str], Awaitable[None]]
"""Called with the name of a point; may raise `CrashedError`, or return later."""

ReachedInStore = Callable[[str], None]
"""As `Reached`, where nothing can be waited for; may also raise `StoreError` before a transaction."""

BEFORE: Final = "before"
AFTER: Final = "after"


class InterruptedComponent:
    """A component driver that is interrupted before and after each call."""

    def __init__(self, component: ComponentDriver, reached: Reached) -> None:
        self._component = component
        self._reached = reached

    async def resolve(self, version: str, settings_json: str) -> Version:
        """Return *version*; see the port."""
        return await self._component.resolve(version, settings_json)

    async def apply(self, assignment: Assignment) -> None:
        """Apply; see the port."""
        await self._reached(f"{BEFORE} apply")
        await self._component.apply(assignment)
        await self._reached(f"{AFTER} apply")

    async def observe(self, placement: Placement) -> Applied:
        """Observe; see the port."""
        await self._reached(f"{BEFORE} observe")
        applied = await self._component.observe(placement)
        await self._reached(f"{AFTER} observe")
        return applied

    async def withdraw(self, placement: Placement, generation: Generation | None) -> None:
        """Withdraw; see the port."""
        await self._reached(f"{BEFORE} withdraw")
        await self._component.withdraw(placement, generation)
        await self._reached(f"{AFTER} withdraw")

    async def finish(self, placement: Placement, generation: Generation) -> None:
        """Finish; see the port."""
        await self._reached(f"{BEFORE} finish")
        await self._component.finish(placement, generation)
        await self._reached(f"{AFTER} finish")

    async def retire(self, placement: Placement) -> None:
        """Retire; see the port."""
        await self._reached(f"{BEFORE} retire")
        await self._component.retire(placement)
        await self._reached(f"{AFTER} retire")


class InterruptedSignals:
    """A source of signals that is interrupted before and after each read."""

    def __init__(self, signals: SignalSource, reached: Reached) -> None:
        self._signals = signals
        self._reached = reached

    async def read(self, queries: Sequence[SignalQuery]) -> Sequence[Reading | None]:
        """Read; see the port."""
        await self._reached(f"{BEFORE} read")
        readings = await self._signals.read(queries)
        await self._reached(f"{AFTER} read")
        return readings


class InterruptedStore:
    """A store that is interrupted before each transaction and after its commit."""

    def __init__(self, store: Store, reached: ReachedInStore) -> None:
        self._store = store
        self._reached = reached

    @contextmanager
    def begin(self, *, read_only: bool = False) -> Iterator[Transaction]:
        """Return a transaction; see the port."""
        self._reached(f"{BEFORE} transaction")
        with self._store.begin(read_only=read_only) as transaction:
            yield transaction
        self._reached(f"{AFTER} commit")
