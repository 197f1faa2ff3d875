"""
When a calendar opens: pure interval arithmetic over whatever closes it.

What closes it (freezes, windows) is given as functions of an instant, so that nothing here knows of time
zones, stores or the present. Instants are aware and UTC.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

SEARCHED: Final = timedelta(days=400)
"""How far an opening is looked for: over a whole year with its holidays and any freeze in it."""

STEPS_AT_MOST: Final = 10_000
"""Each step passes the end of one closed time; more of them than this is a calendar gone wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """
    That the calendar is closed at an instant, and why.

    `until` is the first instant after it at which this reason is gone, None when none is in sight.
    """

    because: str
    until: datetime | None


Closer = Callable[[datetime], Closed | None]
"""Says of an instant whether one thing closes the calendar then, None when it doesn't."""


def closed_at(closers: Sequence[Closer], at: datetime) -> tuple[Closed, ...]:
    """Return everything that closes the calendar at *at*."""
    return tuple(closed for closer in closers if (closed := closer(at)) is not None)


def opens_at(closers: Sequence[Closer], at: datetime) -> datetime | None:
    """
    Return the first instant from *at* on at which none of *closers* closes.

    None when there is none within `SEARCHED`: two windows that never meet, or one that never opens.
    """
    latest = at + SEARCHED
    for _ in range(STEPS_AT_MOST):
        ends = [closed.until for closed in closed_at(closers, at)]
        if not ends:
            return at
        known = [end for end in ends if end is not None]
        if len(known) < len(ends):
            return None
        # The latest of them: until then at least one is closed, so nothing is skipped.
        after = max(known)
        assert after > at, f"a closed time can't end before it is asked for: {after} <= {at}"
        if after > latest:
            return None
        at = after
    return None
