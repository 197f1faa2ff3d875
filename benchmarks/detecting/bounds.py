"""
What a figure is held to. A bound says what was measured, what is promised, and whether it holds.

A rate that was measured over so many runs is held to its promise plus two standard errors of the
promise: more would be found by chance once in forty honest runs.
"""

import math
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Bound:
    """One promise, measured."""

    name: str
    measured: float
    limit: float
    at_least: bool = False
    """Whether *limit* is a floor instead of a ceiling."""

    @property
    def holds(self) -> bool:
        """Whether the promise is kept; what isn't a number isn't kept."""
        return self.measured >= self.limit if self.at_least else self.measured <= self.limit

    def to_dict(self) -> dict[str, Any]:
        """Return the bound for JSON."""
        return {**asdict(self), "ok": self.holds}


def standard_error(rate: float, runs: int) -> float:
    """Return the standard error of a rate measured over *runs* independent runs."""
    return math.sqrt(rate * (1.0 - rate) / runs)


def rate_at_most(name: str, measured: float, promised: float, runs: int) -> Bound:
    """Return the bound of an error rate: its promise and two standard errors."""
    limit = promised + 2.0 * standard_error(promised, runs)
    return Bound(name=name, measured=measured, limit=limit)
