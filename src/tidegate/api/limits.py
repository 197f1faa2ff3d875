"""
How fast one token may ask, so that no one keeps the server from the others.

A token bucket per token or session, in memory: it fills steadily, each request takes one, and what is full
needn't be remembered. Rule: what stops something is never limited, and takes nothing from the bucket.
"""

import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tidegate.domain.access.permissions import Permission

NEVER_LIMITED: Final = frozenset({Permission.HALT, Permission.ALARM, Permission.PUBLIC})
"""Stopping, saying that something is wrong, and whether the server lives."""

MOST_REMEMBERED: Final = 10_000


@dataclass(slots=True)
class _Bucket:
    level: float
    at_seconds: float


class RateLimit:
    """
    Buckets by key. Not for threads: it is used in the server's loop alone.

    Args of the constructor: `per_second` is how fast a bucket fills; `burst` how much it holds;
    `seconds` a clock that only goes forward.
    """

    def __init__(self, *, per_second: float, burst: int, seconds: Callable[[], float]) -> None:
        if not (per_second > 0 and burst >= 1):
            raise ValueError(f"a limit of {per_second} per second and {burst} at once lets none in")
        self._per_second = per_second
        self._burst = float(burst)
        self._seconds = seconds
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def wait_seconds(self, key: str) -> int:
        """
        Take one request of *key* from its bucket.

        Returns:
            0 when it may go on; else after how many seconds it may ask again, and nothing was taken.
        """
        now = self._seconds()
        bucket = self._buckets.setdefault(key, _Bucket(level=self._burst, at_seconds=now))
        self._buckets.move_to_end(key)
        filled = bucket.level + (now - bucket.at_seconds) * self._per_second
        bucket.level, bucket.at_seconds = min(self._burst, filled), now
        if len(self._buckets) > MOST_REMEMBERED:
            # The one that has asked for nothing for the longest time is full again, or nearly.
            self._buckets.popitem(last=False)
        if bucket.level < 1:
            return max(1, math.ceil((1 - bucket.level) / self._per_second))
        bucket.level -= 1
        return 0
