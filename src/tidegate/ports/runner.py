"""
The runner port: says when a rollout is stepped, its signals are watched and its gates are asked. It
decides nothing.

`Work` is all that a runner may ask of the engine, and a runner is all that the engine asks for turns.
Nothing outside `drivers/runner` may assume one process: `step` is level-triggered, fenced and may be
called at any time, twice, by anyone; `watch` may be spread over workers by rollout. A durable
workflow engine fits behind it: one workflow per rollout that alternates `step` and `watch_until`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from tidegate.domain.quantities import RolloutId


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """
    What a step left behind.

    `due_at` is when the rollout wants its next step, None when it never will: it is over and settled.
    `watch` is whether its signals must be read meanwhile.
    """

    rollout_id: RolloutId
    due_at: datetime | None
    watch: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """
    How the runner of this process is.

    `last_turn_at` is when the last turn ended, None when there was none yet. `late_by` is for how long
    the turn that should have been given first has been due, zero when none is. `watched` rollouts have
    their signals read, last at `watched_at`; `failing` had an error in their latest turn.
    """

    last_turn_at: datetime | None
    late_by: timedelta
    watched: int
    watched_at: datetime | None
    failing: int


class Work(Protocol):
    """What a runner runs. Every call may be repeated; errors that are `retryable` should be."""

    async def step(self, rollout_id: RolloutId) -> Turn:
        """Take one turn of a rollout: observe, decide, act, record."""
        ...

    async def watch(self, rollout_ids: Sequence[RolloutId]) -> Sequence[RolloutId]:
        """
        Read the signals of these rollouts that are due, once per source, and store what they prove.

        Returns those that should be stepped now because a verdict may have changed.
        """
        ...

    async def ask(self) -> None:
        """
        Ask the gates that are due, so that rollouts which wait for them can go on.

        Returns soon: a gate that is slow to answer is left to itself. Wakes what has an answer.
        """
        ...

    def unfinished(self) -> Sequence[RolloutId]:
        """Return every rollout that needs turns, from the store: what a runner takes up at its start."""
        ...


class Runner(Protocol):
    """Gives turns to rollouts until it is told to end."""

    async def run(self, work: Work) -> None:
        """Take up everything unfinished and give turns until cancelled."""
        ...

    def wake(self, rollout_id: RolloutId) -> None:
        """Hint that a rollout should be stepped soon: a command, an alert. May be lost, may repeat."""
        ...
