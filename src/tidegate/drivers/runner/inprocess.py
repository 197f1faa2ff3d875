"""
The runner of one process: asyncio timers over the store's unfinished rollouts. Needs nothing else.

At its start it takes up everything unfinished, so a process that was killed goes on where the store
says it was. Turns of different rollouts run side by side, those of one rollout one after the other; a
rollout that hangs in one turn delays no other. Errors that are worth another try get one, with growing
pauses; others are logged and looked at again later, because a rollout is never forgotten.
"""

import asyncio
import heapq
import itertools
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from tidegate.domain.quantities import RolloutId
from tidegate.errors import NotFoundError, TidegateError
from tidegate.ports.clock import Clock
from tidegate.ports.runner import Pulse, Turn, Work

FIRST_RETRY: Final = timedelta(milliseconds=200)
LONGEST_RETRY: Final = timedelta(seconds=30)
SIDE_BY_SIDE: Final = 64
"""Turns that may be under way at once: enough to hide slow targets, few enough to bound memory."""

Log = Callable[[str, RolloutId | None, BaseException], None]
"""Told what went wrong: in which work, with which rollout (None: the watch), and the error."""


class InProcessRunner:
    """Gives turns in this process."""

    def __init__(self, clock: Clock, *, watch_every: timedelta, log: Log) -> None:
        self._clock = clock
        self._watch_every = watch_every
        self._log = log
        self._due: list[tuple[datetime, int, RolloutId]] = []
        self._latest: dict[RolloutId, datetime] = {}
        self._order = itertools.count()
        self._running: set[RolloutId] = set()
        self._again: set[RolloutId] = set()
        self._watched: set[RolloutId] = set()
        self._failures: dict[RolloutId, int] = {}
        self._changed = asyncio.Event()
        self._last_turn_at: datetime | None = None
        self._watched_at: datetime | None = None

    def wake(self, rollout_id: RolloutId) -> None:
        """Step *rollout_id* as soon as possible; once more if it is being stepped right now."""
        if rollout_id in self._running:
            self._again.add(rollout_id)
        else:
            self._schedule(rollout_id, self._clock.now())

    def pulse(self) -> Pulse:
        """Return how this runner is, for people who look."""
        now = self._clock.now()
        # What a newer date replaced stays in the heap until it is met there; it isn't due.
        due = [at for at, _, rollout_id in self._due if self._latest.get(rollout_id) == at]
        return Pulse(
            last_turn_at=self._last_turn_at,
            late_by=max(timedelta(0), now - min(due, default=now)),
            watched=len(self._watched),
            watched_at=self._watched_at,
            failing=len(self._failures),
        )

    async def run(self, work: Work) -> None:
        """Take up everything unfinished and give turns until cancelled."""
        for rollout_id in work.unfinished():
            # Whatever has exposure is watched from the first moment; its first turn says if it must.
            self._watched.add(rollout_id)
            self._schedule(rollout_id, self._clock.now())
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._give_turns(work, tasks))
            tasks.create_task(self._keep_watch(work))
            tasks.create_task(self._keep_asking(work))

    def _schedule(self, rollout_id: RolloutId, due_at: datetime) -> None:
        known = self._latest.get(rollout_id)
        if known is not None and known <= due_at:
            return
        self._latest[rollout_id] = due_at
        heapq.heappush(self._due, (due_at, next(self._order), rollout_id))
        self._changed.set()

    async def _give_turns(self, work: Work, tasks: asyncio.TaskGroup) -> None:
        while True:
            now = self._clock.now()
            while self._due and self._due[0][0] <= now and len(self._running) < SIDE_BY_SIDE:
                due_at, _, rollout_id = heapq.heappop(self._due)
                if self._latest.get(rollout_id) != due_at:
                    continue
                del self._latest[rollout_id]
                if rollout_id in self._running:
                    self._again.add(rollout_id)
                    continue
                self._running.add(rollout_id)
                tasks.create_task(self._one_turn(work, rollout_id))
            await self._until_something_is_due()

    async def _until_something_is_due(self) -> None:
        self._changed.clear()
        if not self._due or len(self._running) >= SIDE_BY_SIDE:
            await self._changed.wait()
            return
        sleeping = asyncio.ensure_future(self._clock.sleep_until(self._due[0][0]))
        changing = asyncio.ensure_future(self._changed.wait())
        try:
            await asyncio.wait({sleeping, changing}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            changing.cancel()

    async def _one_turn(self, work: Work, rollout_id: RolloutId) -> None:
        turn: Turn | None = None
        try:
            turn = await work.step(rollout_id)
        except NotFoundError as exc:
            self._log("step", rollout_id, exc)
            self._watched.discard(rollout_id)
        except Exception as exc:  # noqa: BLE001 - one rollout's fault must not stop the others
            self._log("step", rollout_id, exc)
            self._schedule(rollout_id, self._clock.now() + self._pause(rollout_id, exc))
        finally:
            self._running.discard(rollout_id)
            self._last_turn_at = self._clock.now()
            self._changed.set()
        if turn is not None:
            self._failures.pop(rollout_id, None)
            self._note(turn)
        if rollout_id in self._again:
            self._again.discard(rollout_id)
            self._schedule(rollout_id, self._clock.now())

    def _note(self, turn: Turn) -> None:
        if turn.watch:
            self._watched.add(turn.rollout_id)
        else:
            self._watched.discard(turn.rollout_id)
        if turn.due_at is not None:
            self._schedule(turn.rollout_id, turn.due_at)

    def _pause(self, rollout_id: RolloutId, error: Exception) -> timedelta:
        failures = self._failures.get(rollout_id, 0) + 1
        self._failures[rollout_id] = failures
        if isinstance(error, TidegateError) and error.retryable and failures == 1:
            return timedelta(0)
        doubled: int = 2 ** min(failures, 10)
        return min(FIRST_RETRY * doubled, LONGEST_RETRY)

    async def _keep_watch(self, work: Work) -> None:
        while True:
            began = self._clock.now()
            if self._watched:
                try:
                    changed = await work.watch(sorted(self._watched))
                except Exception as exc:  # noqa: BLE001 - a lost tick holds rollouts, it must not end the watch
                    self._log("watch", None, exc)
                else:
                    self._watched_at = self._clock.now()
                    for rollout_id in changed:
                        self.wake(rollout_id)
            await self._clock.sleep_until(began + self._watch_every)

    async def _keep_asking(self, work: Work) -> None:
        while True:
            began = self._clock.now()
            try:
                await work.ask()
            except Exception as exc:  # noqa: BLE001 - rollouts wait for gates longer, and for nothing else
                self._log("gates", None, exc)
            await self._clock.sleep_until(began + self._watch_every)
