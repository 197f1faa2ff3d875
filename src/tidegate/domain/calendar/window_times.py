"""
When a window is open at one place, as spans of time, and the window as something that closes a calendar.

Pure: the zone, the holidays and the recurrences of the place are given as functions.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final

from tidegate.domain.calendar.local_time import Offset, Stretch, instant_of, stretches
from tidegate.domain.calendar.openings import SEARCHED, Closed, Closer
from tidegate.domain.calendar.windows import DAY, Window

LOOKED_AHEAD: Final = timedelta(days=8)
"""A week and a day: most windows open within it, so most questions need one look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalCalendar:
    """
    What the time at a place is.

    `occurrences` returns the local beginnings of the window's recurrence from one local time until
    before another; it isn't asked where the window has hours.
    """

    offset: Offset
    is_holiday: Callable[[date], bool]
    occurrences: Callable[[datetime, datetime], Sequence[datetime]]


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A time, from `begin` until before `end`."""

    begin: datetime
    end: datetime


def open_spans(window: Window, place: LocalCalendar, begin: datetime, end: datetime) -> list[Span]:
    """Return the times from *begin* to *end* in which *window* is open at *place*, in order."""
    found: list[Span] = []
    recurring = list(_recurring(window, place, begin, end))
    for stretch in stretches(place.offset, begin, end):
        spans = recurring if window.recurrence is not None else _hours(window, stretch)
        for span in spans:
            clipped = Span(max(span.begin, stretch.begin), min(span.end, stretch.end))
            if clipped.begin < clipped.end:
                found += _working(clipped, stretch, place)
    return merged(found)


def window_closer(window: Window, place: LocalCalendar, because: str) -> Closer:
    """Return *window* at *place* as something that closes the calendar, with the words *because*."""

    def closed(at: datetime) -> Closed | None:
        begin = at
        while begin < at + SEARCHED:
            spans = open_spans(window, place, begin, begin + LOOKED_AHEAD)
            if spans:
                opens = spans[0].begin
                return None if opens == at else Closed(because=because, until=opens)
            begin += LOOKED_AHEAD
        return Closed(because=f"{because}; no opening is in sight", until=None)

    return closed


def merged(spans: Iterable[Span]) -> list[Span]:
    """Return *spans* in order, with those that touch or overlap made one."""
    whole: list[Span] = []
    for span in sorted(spans):
        if whole and span.begin <= whole[-1].end:
            whole[-1] = Span(whole[-1].begin, max(whole[-1].end, span.end))
        else:
            whole.append(span)
    return whole


def _hours(window: Window, stretch: Stretch) -> Iterator[Span]:
    """Yield when the local clock shows the hours of *window*, as if the offset were always this."""
    first, last = stretch.local(stretch.begin), stretch.local(stretch.end)
    # Hours of the day before may end in this one.
    day = first.date() - DAY
    while day <= last.date():
        midnight = datetime.combine(day, time())
        for hours in window.hours:
            if hours.weekday == day.weekday():
                yield Span(
                    stretch.instant(midnight + hours.begins), stretch.instant(midnight + hours.ends)
                )
        day += DAY


def _recurring(
    window: Window, place: LocalCalendar, begin: datetime, end: datetime
) -> Iterator[Span]:
    if window.recurrence is None:
        return
    lasts = window.recurrence.lasts
    # Local time is never a whole day away from UTC.
    early = (begin - lasts - DAY).replace(tzinfo=None)
    late = (end + DAY).replace(tzinfo=None)
    for local in place.occurrences(early, late):
        opens = instant_of(local, place.offset)
        yield Span(opens, opens + lasts)


def _working(span: Span, stretch: Stretch, place: LocalCalendar) -> Iterator[Span]:
    """Yield the parts of *span*, which lies in *stretch*, that are on no holiday."""
    begin = span.begin
    while begin < span.end:
        today = stretch.local(begin).date()
        tomorrow = stretch.instant(datetime.combine(today + DAY, time()))
        until = min(tomorrow, span.end)
        if not place.is_holiday(today):
            yield Span(begin, until)
        begin = until
