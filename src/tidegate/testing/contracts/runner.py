"""
The contract of the runner port: what every runner promises the engine.

A runner that keeps it can be one process or a cluster of workers; nothing else in the code needs to
know. Subclass it and give it a `runner` and a `clock` that moves with the runner's time.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import pytest

from tidegate.domain.quantities import RolloutId
from tidegate.errors import StateMovedError
from tidegate.ports.clock import Clock
from tidegate.ports.runner import Runner, Turn

ONE = RolloutId("one")
TWO = RolloutId("two")
WITHIN_SECONDS = 10.0
SOON = timedelta(milliseconds=30)
LATER = timedelta(hours=1)


class ScriptedWork:
    """Work that does what a test says and remembers what it was asked."""

    def __init__(self, clock: Clock, unfinished: Sequence[RolloutId] = ()) -> None:
        self.clock = clock
        self.stepped: list[RolloutId] = []
        self.watched: list[tuple[RolloutId, ...]] = []
        self.at_once: dict[RolloutId, int] = {}
        self.most_at_once: dict[RolloutId, int] = {}
        self.on_step: Callable[[RolloutId, int], Turn | Exception] = self._over
        self.verdicts: list[RolloutId] = []
        self.asked = 0
        self.ask_fails = False
        self.hang: set[RolloutId] = set()
        self.released = asyncio.Event()
        self._unfinished = tuple(unfinished)

    async def step(self, rollout_id: RolloutId) -> Turn:
        """Count the turn, hang if told to, and answer as scripted."""
        self.at_once[rollout_id] = self.at_once.get(rollout_id, 0) + 1
        most = max(self.most_at_once.get(rollout_id, 0), self.at_once[rollout_id])
        self.most_at_once[rollout_id] = most
        try:
            self.stepped.append(rollout_id)
            if rollout_id in self.hang:
                await self.released.wait()
            await asyncio.sleep(0)
            answer = self.on_step(rollout_id, self.stepped.count(rollout_id))
            if isinstance(answer, Exception):
                raise answer
            return answer
        finally:
            self.at_once[rollout_id] -= 1

    async def watch(self, rollout_ids: Sequence[RolloutId]) -> Sequence[RolloutId]:
        """Remember who is watched; return the scripted verdicts once."""
        self.watched.append(tuple(rollout_ids))
        verdicts, self.verdicts = self.verdicts, []
        return verdicts

    async def ask(self) -> None:
        """Count the round, and fail if told to."""
        self.asked += 1
        if self.ask_fails:
            raise RuntimeError("a gate's fault")

    def unfinished(self) -> Sequence[RolloutId]:
        """Return what the test says is unfinished."""
        return self._unfinished

    def turn(
        self, rollout_id: RolloutId, *, due_in: timedelta | None = None, watch: bool = False
    ) -> Turn:
        """Return a turn that is due after *due_in*, never again for None."""
        due_at: datetime | None = None if due_in is None else self.clock.now() + due_in
        return Turn(rollout_id=rollout_id, due_at=due_at, watch=watch)

    def _over(self, rollout_id: RolloutId, _: int) -> Turn:
        return self.turn(rollout_id)


async def until(holds: Callable[[], bool]) -> None:
    """Return once *holds*; fail after a while."""
    async with asyncio.timeout(WITHIN_SECONDS):
        while not holds():
            await asyncio.sleep(0.005)


class RunnerContract:
    """Tests that hold for every runner. No test may ask which one it's on."""

    @pytest.fixture
    def clock(self) -> Clock:
        """Return the clock that the runner goes by."""
        raise NotImplementedError

    @pytest.fixture
    def runner(self, clock: Clock) -> Runner:
        """Return a runner that hasn't begun."""
        raise NotImplementedError

    async def _run(self, runner: Runner, work: ScriptedWork, holds: Callable[[], bool]) -> None:
        running = asyncio.ensure_future(runner.run(work))
        try:
            await until(lambda: running.done() or holds())
            assert holds(), "the runner ended by itself"
        finally:
            work.released.set()
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    async def test_takes_up_everything_unfinished(self, runner: Runner, clock: Clock) -> None:
        """After a restart no rollout waits for somebody to remember it."""
        work = ScriptedWork(clock, [ONE, TWO])

        await self._run(runner, work, lambda: {ONE, TWO} <= set(work.stepped))

    async def test_steps_again_when_due(self, runner: Runner, clock: Clock) -> None:
        """A turn that asks for another one gets it."""
        work = ScriptedWork(clock, [ONE])
        work.on_step = lambda rollout_id, count: work.turn(
            rollout_id, due_in=SOON if count < 4 else None
        )

        await self._run(runner, work, lambda: work.stepped.count(ONE) == 4)

    async def test_wakes_before_it_is_due(self, runner: Runner, clock: Clock) -> None:
        """A command or a verdict need not wait for a timer."""
        work = ScriptedWork(clock, [ONE])
        work.on_step = lambda rollout_id, _: work.turn(rollout_id, due_in=LATER)

        running = asyncio.ensure_future(runner.run(work))
        await until(lambda: work.stepped == [ONE])
        runner.wake(ONE)
        await until(lambda: work.stepped == [ONE, ONE])

        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    async def test_takes_turns_of_one_rollout_one_after_the_other(
        self, runner: Runner, clock: Clock
    ) -> None:
        """Waking in the middle of a turn leads to one more turn after it, not to two at once."""
        work = ScriptedWork(clock, [ONE])

        def wake_meanwhile(rollout_id: RolloutId, count: int) -> Turn:
            if count < 5:
                runner.wake(rollout_id)
            return work.turn(rollout_id, due_in=LATER)

        work.on_step = wake_meanwhile

        await self._run(runner, work, lambda: work.stepped.count(ONE) == 5)
        assert work.most_at_once[ONE] == 1

    async def test_a_turn_that_hangs_delays_no_other_rollout(
        self, runner: Runner, clock: Clock
    ) -> None:
        """A stuck target of one service is no reason for another to wait."""
        work = ScriptedWork(clock, [ONE, TWO])
        work.hang.add(ONE)
        work.on_step = lambda rollout_id, _: work.turn(rollout_id, due_in=SOON)

        await self._run(runner, work, lambda: work.stepped.count(TWO) >= 3)
        assert work.stepped.count(ONE) == 1

    async def test_tries_again_after_an_error(self, runner: Runner, clock: Clock) -> None:
        """A lost race, or a fault nobody foresaw, never ends a rollout's turns."""
        work = ScriptedWork(clock, [ONE])
        problems: list[Exception] = [StateMovedError("moved", hint="again"), RuntimeError("bug")]
        work.on_step = lambda rollout_id, _: problems.pop(0) if problems else work.turn(rollout_id)

        await self._run(runner, work, lambda: work.stepped.count(ONE) == 3)

    async def test_watches_what_asks_for_it_and_steps_on_a_verdict(
        self, runner: Runner, clock: Clock
    ) -> None:
        """Signals are read while a rollout is exposed; what they say is acted on at once."""
        work = ScriptedWork(clock, [ONE, TWO])
        work.on_step = lambda rollout_id, _: work.turn(
            rollout_id, due_in=LATER, watch=rollout_id == ONE
        )

        running = asyncio.ensure_future(runner.run(work))
        await until(lambda: (ONE,) in work.watched)
        work.verdicts.append(ONE)
        await until(lambda: work.stepped.count(ONE) == 2)

        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert work.stepped.count(TWO) == 1

    async def test_forgets_what_is_over(self, runner: Runner, clock: Clock) -> None:
        """A rollout that never wants a turn again gets none, and isn't watched."""
        work = ScriptedWork(clock, [ONE, TWO])
        work.on_step = lambda rollout_id, _: work.turn(
            rollout_id, due_in=None if rollout_id == ONE else SOON, watch=False
        )

        await self._run(runner, work, lambda: work.stepped.count(TWO) >= 5)
        assert work.stepped.count(ONE) == 1

    async def test_keeps_asking_gates(self, runner: Runner, clock: Clock) -> None:
        """Again and again, also when nothing is unfinished, and after a round that failed."""
        work = ScriptedWork(clock)
        work.ask_fails = True

        await self._run(runner, work, lambda: work.asked >= 3)
