"""
How many different people a proxy's clusters served and failed, as sums that only grow.

One person's retries say one thing and not many. So people are counted once per interval: whoever was
served in it, and whoever was failed at least once. Intervals lie at fixed times of the clock, whoever
reads and however often; the sums of closed intervals can then be taken apart as counters are.

- An interval closes once its last lines must be on disk. A line that comes later (an answer that took
  long) counts in the oldest interval that is still open: none is lost, and no closed sum changes.
- What was logged before reading began, or after a log was lost, was not seen whole: it isn't counted.
  Then the sums begin anew under another name, so that the time between is nobody's.

Keys come in hashed, and are dropped when their interval closes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

ON_DISK_AFTER: Final = timedelta(seconds=1.5)
"""A managed Envoy writes its log out every second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleCounts:
    """
    Sums of people `(served, failed)` by cluster, of all intervals that ended by `at`.

    `life` tells one unbroken reading of the log from the next.
    """

    at: datetime
    life: str
    by_cluster: Mapping[str, tuple[int, int]]


@dataclass(slots=True)
class _Interval:
    served: dict[str, set[bytes]] = field(default_factory=dict)
    failed: dict[str, set[bytes]] = field(default_factory=dict)


class UserCounts:
    """The sums of one target. Times are those of the log and of whoever reads it."""

    def __init__(self, interval: timedelta) -> None:
        self._interval = interval
        self._began: datetime | None = None
        self._closed_until = 0
        self._open: dict[int, _Interval] = {}
        self._sums: dict[str, tuple[int, int]] = {}

    def begin(self, now: datetime) -> None:
        """Count from *now* on, unless it is counted already."""
        if self._began is None:
            # The log's times are whole milliseconds: a line of this moment mustn't look earlier.
            self._began = now.replace(microsecond=now.microsecond // 1_000 * 1_000)
            self._closed_until = self._number(now)

    def lose(self) -> None:
        """Note that lines may be lost: what was counted does not go on."""
        self._began = None
        self._open.clear()
        self._sums.clear()

    def met(self, cluster: str, person: bytes, at: datetime, *, failed: bool) -> None:
        """Count that *cluster* answered *person* at *at*."""
        if self._began is None or at < self._began:
            return
        number = max(self._number(at), self._closed_until)
        interval = self._open.setdefault(number, _Interval())
        interval.served.setdefault(cluster, set()).add(person)
        if failed:
            interval.failed.setdefault(cluster, set()).add(person)

    def close(self, now: datetime) -> None:
        """Add up the intervals whose lines must all be here at *now*."""
        if self._began is None:
            return
        until = max(self._number(now - ON_DISK_AFTER), self._closed_until)
        for number in [number for number in self._open if number < until]:
            interval = self._open.pop(number)
            for cluster, people in interval.served.items():
                served, failed = self._sums.get(cluster, (0, 0))
                more = len(interval.failed.get(cluster, ()))
                self._sums[cluster] = (served + len(people), failed + more)
        self._closed_until = until

    def of(self, clusters: Sequence[str]) -> PeopleCounts | None:
        """Return the sums of *clusters*, None while nothing can be said of them."""
        if self._began is None:
            return None
        end = datetime.fromtimestamp(self._closed_until * self._interval.total_seconds(), tz=UTC)
        return PeopleCounts(
            at=max(end, self._began),
            life=f"{self._began.timestamp():.3f}",
            by_cluster={cluster: self._sums.get(cluster, (0, 0)) for cluster in clusters},
        )

    def forget(self, cluster: str) -> None:
        """Drop everybody who met *cluster*."""
        self._sums.pop(cluster, None)
        for interval in self._open.values():
            interval.served.pop(cluster, None)
            interval.failed.pop(cluster, None)

    def _number(self, at: datetime) -> int:
        return int(at.timestamp() // self._interval.total_seconds())
