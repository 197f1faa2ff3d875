"""
Plays a world to rules and notes when each would have halted.

A run's clock and its information stop at its halt, one clock per rule and level.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from detecting.information import Floats
from detecting.peers import Rule
from detecting.streams import TICK_SECONDS


class Moment(Protocol):
    """What a tick of any world has."""

    @property
    def index(self) -> int:
        """Number of the tick, from 0."""
        ...

    @property
    def candidate_total(self) -> Floats:
        """Requests of the candidate, shape ``(runs,)``."""
        ...

    @property
    def information(self) -> Floats:
        """Nats against the candidate in the tick, shape ``(runs,)``."""
        ...


@dataclass(frozen=True, kw_only=True)
class Halts:
    """When one rule halted at one level, and what had passed until then; one number per run."""

    rule: str
    alpha: float
    halted_at_tick: Floats
    """Index of the tick of the halt; infinite where it never halted."""
    information: Floats
    """Nats until the halt, or until the end of the day."""
    candidate_requests: Floats
    """Requests to the candidate until then."""

    @property
    def halted(self) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
        """Whether it halted at all, per run."""
        return np.isfinite(self.halted_at_tick)

    def median_delay_seconds(self, *, since_tick: int = 0) -> float:
        """Return the median time from *since_tick* to the end of the halting tick; may be infinite."""
        late = self.halted_at_tick[self.halted_at_tick >= since_tick]
        return float(np.median(late + 1.0 - since_tick)) * TICK_SECONDS if late.size else np.inf


def play(ticks: Iterable[Moment], rules: Sequence[Rule[Any]]) -> list[Halts]:
    """Return what each rule did at each of its levels, in order; ends when nothing is left to halt."""
    watches = [_Watch(rule) for rule in rules]
    nats = requests = np.zeros(0)
    for tick in ticks:
        if not nats.size:
            nats, requests = np.zeros(tick.information.shape), np.zeros(tick.information.shape)
        nats = nats + tick.information
        requests = requests + tick.candidate_total
        for watch in watches:
            watch.look(tick, nats, requests)
        if not any(watch.waits for watch in watches):
            break
    return [halts for watch in watches for halts in watch.results(nats, requests)]


class _Watch:
    """One rule, and what is known of its halts so far."""

    def __init__(self, rule: Rule[Any]) -> None:
        self.waits = True
        self._rule = rule
        self._at = np.full((len(rule.alphas), 0), np.inf)
        self._nats = self._requests = self._at

    def look(self, tick: Moment, nats: Floats, requests: Floats) -> None:
        if not self.waits:
            return
        if not self._at.size:
            shape = (len(self._rule.alphas), nats.size)
            self._at = np.full(shape, np.inf)
            self._nats, self._requests = np.zeros(shape), np.zeros(shape)
        new = self._rule.look(tick) & np.isinf(self._at)
        if new.any():
            self._at[new] = tick.index
            self._nats[new] = np.broadcast_to(nats, new.shape)[new]
            self._requests[new] = np.broadcast_to(requests, new.shape)[new]
            self.waits = bool(np.isinf(self._at).any())

    def results(self, nats: Floats, requests: Floats) -> list[Halts]:
        never = np.isinf(self._at)
        return [
            Halts(
                rule=self._rule.name,
                alpha=alpha,
                halted_at_tick=self._at[level],
                information=np.where(never[level], nats, self._nats[level]),
                candidate_requests=np.where(never[level], requests, self._requests[level]),
            )
            for level, alpha in enumerate(self._rule.alphas)
        ]
