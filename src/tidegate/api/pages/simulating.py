"""
Simulations that pages asked for: one at a time, in a thread of its own, for a bounded time.

The watch and the halts of this process come first. So at most one simulation runs and few wait; between
two looks it lets others have the processor; it ends when its time is up or nobody asks for it any more.
What ended is kept for a while by what was asked, so that an address shows the same again at once.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

import structlog

from tidegate.telemetry import events
from tidegate.usecases.simulation.comparing import Comparison, Row, compare

log = structlog.get_logger("tidegate.simulations")

BREATH_SECONDS: Final = 0.001
"""Asleep between two looks: the interpreter's lock goes to whoever waits for it."""


class Progress(StrEnum):
    """How far a simulation is."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    OUT_OF_TIME = "out of time"
    """Its time was up; the results it has are whole."""
    LEFT = "left"
    """Nobody asked for it any more."""
    FAILED = "failed"


_OVER: Final = frozenset({Progress.DONE, Progress.OUT_OF_TIME, Progress.LEFT, Progress.FAILED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """
    How much simulations may take.

    `longest` is what one may run, `left_after` how long it goes on without being asked for, `most_waiting`
    how many wait for their turn and `most_kept` how many are kept that have ended.
    """

    longest: timedelta = timedelta(minutes=2)
    left_after: timedelta = timedelta(seconds=60)
    most_waiting: int = 3
    most_kept: int = 16


class _Over(Exception):  # noqa: N818 - not an error: it carries how a simulation ended
    def __init__(self, ended: Progress) -> None:
        self.ended = ended


class Simulation:
    """
    One comparison under way, or ended. Read by pages while its thread writes; each write is one step.

    Attributes:
        asked: What is simulated.
        progress: How far it is.
        rows: The results so far, in the order of the scenarios that were asked for.
        ended_runs: How many of `asked.run_count` have ended.
    """

    def __init__(self, asked: Comparison, *, now: float) -> None:
        self.asked: Comparison = asked
        self.progress: Progress = Progress.WAITING
        self.rows: tuple[Row, ...] = ()
        self.ended_runs: int = 0
        self._asked_for_at = now

    @property
    def is_over(self) -> bool:
        """Whether nothing more comes of it."""
        return self.progress in _OVER

    def was_asked_for(self, now: float) -> None:
        """Note that somebody still wants it."""
        self._asked_for_at = now

    def run(self, bounds: Bounds, clock: Callable[[], float]) -> None:
        """Simulate until it is done or has to end. Nothing is raised: `progress` says how it ended."""
        until = clock() + bounds.longest.total_seconds()
        self.progress = Progress.RUNNING

        def pause() -> None:
            now = clock()
            if now >= until:
                raise _Over(Progress.OUT_OF_TIME)
            if now - self._asked_for_at >= bounds.left_after.total_seconds():
                raise _Over(Progress.LEFT)
            time.sleep(BREATH_SECONDS)

        try:
            for row in compare(self.asked, tell=self._count, pause=pause):
                self.rows = (*self.rows, row)
            self.progress = Progress.DONE
        except _Over as over:
            self.progress = over.ended
        except Exception:  # a thread that died unseen would leave pages waiting for ever
            log.exception(events.SIMULATION_FAILED, service=self.asked.plans[0].spec.name)
            self.progress = Progress.FAILED

    def _count(self, ended: int) -> None:
        self.ended_runs += ended


class Simulations:
    """The simulations of one server: found by what was asked for, begun in turn."""

    def __init__(
        self,
        bounds: Bounds | None = None,
        *,
        clock: Callable[
            [], float
        ] = time.monotonic,  # lint-skip: clock - bounds work, is not recorded
    ) -> None:
        self.bounds: Bounds = bounds or Bounds()
        self._clock = clock
        self._lock = threading.Lock()
        self._known: OrderedDict[str, Simulation] = OrderedDict()
        self._waiting: list[Simulation] = []
        self._works = False

    def ask(self, key: str, asked: Comparison) -> Simulation | None:
        """
        Return the simulation *key*, begun or put behind the others if there is none; None for too many.

        One that nobody wanted any more, or that failed, begins anew.
        """
        with self._lock:
            found = self._known.get(key)
            if found is not None and found.progress not in (Progress.LEFT, Progress.FAILED):
                self._known.move_to_end(key)
                found.was_asked_for(self._clock())
                return found
            if len(self._waiting) >= self.bounds.most_waiting:
                return None
            fresh = Simulation(asked, now=self._clock())
            self._known[key] = fresh
            self._waiting.append(fresh)
            self._forget_oldest()
            if not self._works:
                self._works = True
                # A daemon, for a server that stops doesn't wait for it.
                threading.Thread(target=self._work, name="simulations", daemon=True).start()
            return fresh

    def before(self, simulation: Simulation) -> int:
        """Return how many go before *simulation*, one that runs among them."""
        with self._lock:
            ahead = self._waiting.index(simulation) if simulation in self._waiting else 0
        return ahead + 1

    def _forget_oldest(self) -> None:
        ended = [key for key, one in self._known.items() if one.is_over]
        for key in ended[: max(0, len(ended) - self.bounds.most_kept)]:
            del self._known[key]

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._works = False
                    return
                following = self._waiting.pop(0)
            following.run(self.bounds, self._clock)
