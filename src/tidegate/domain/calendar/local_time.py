"""
Local time as arithmetic: where an offset from UTC changes, and which instant a local time is.

A zone is a function from an instant to its offset from UTC, so no database of time zones is needed here.
Instants are aware and UTC; local times have no zone.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

Offset = Callable[[datetime], timedelta]
"""The offset from UTC at an instant: what the local clock shows is the instant plus this."""

LOOKED_EVERY: Final = timedelta(days=1)
"""No zone has changed its offset twice within a day; an exact instant is found within such a step."""

_SECOND: Final = timedelta(seconds=1)
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Stretch:
    """A time, from `begin` until before `end`, in which the offset from UTC doesn't change."""

    begin: datetime
    end: datetime
    offset: timedelta

    def local(self, at: datetime) -> datetime:
        """Return what the local clock shows at *at*."""
        return (at + self.offset).replace(tzinfo=None)

    def instant(self, local: datetime) -> datetime:
        """Return when the local clock shows *local*, if it does within this stretch."""
        return local.replace(tzinfo=UTC) - self.offset


def stretches(offset: Offset, begin: datetime, end: datetime) -> Iterator[Stretch]:
    """Yield the time from *begin* to *end* in stretches of one offset each, in order."""
    since, at, now = begin, begin, offset(begin)
    while at < end:
        after = min(at + LOOKED_EVERY, end)
        then = offset(after)
        if then != now:
            change = _change(offset, at, after, now)
            if since < change:
                yield Stretch(since, change, now)
            since, now = change, then
        at = after
    if since < end:
        yield Stretch(since, end, now)


def instant_of(local: datetime, offset: Offset) -> datetime:
    """
    Return the instant of the local time *local*.

    One that the clocks show twice is its first instant, and one that they skip is told by the offset
    from before the gap (RFC 5545, section 3.3.5).
    """
    taken = local.replace(tzinfo=UTC)
    before, after = offset(taken - _DAY), offset(taken + _DAY)
    for candidate in (before, after):
        at = taken - candidate
        if offset(at) == candidate:
            return at
    return taken - before


def _change(offset: Offset, early: datetime, late: datetime, now: timedelta) -> datetime:
    """Return the first instant, to the second, after *early* at which the offset isn't *now*."""
    while late - early > _SECOND:
        middle = early + (late - early) // 2
        middle -= timedelta(microseconds=middle.microsecond)
        if middle <= early:
            middle = early + _SECOND
        if offset(middle) == now:
            early = middle
        else:
            late = middle
    return late
