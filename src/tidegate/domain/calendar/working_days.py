"""
Whole working days: the first one at a place that lies within a time, from its first hour to its last.

A day's peak is where trouble shows, so a bake that has to see a working day sees all of its hours, in
local time, on a day that is no holiday there.
"""

from datetime import datetime, time, timedelta

from tidegate.domain.calendar.local_time import instant_of
from tidegate.domain.calendar.openings import SEARCHED
from tidegate.domain.calendar.window_times import LocalCalendar, Span, open_spans
from tidegate.domain.calendar.windows import DAY, Window

_TWO_DAYS = timedelta(days=2)


def first_working_day(hours: Window, place: LocalCalendar, since: datetime) -> Span | None:
    """
    Return the first whole working day at *place* that begins at *since* or later.

    *hours* are those of a working day, by day of the week. None when no day within `SEARCHED` is one.
    """
    assert hours.recurrence is None, "a working day has hours"
    local = since + place.offset(since)
    # The day before, whose hours may begin after midnight where the clocks are turned back.
    day = local.date() - DAY
    while day <= (local + SEARCHED).date():
        found = _hours_of(hours, place, datetime.combine(day, time()))
        if found is not None and found.begin >= since:
            return found
        day += DAY
    return None


def _hours_of(hours: Window, place: LocalCalendar, midnight: datetime) -> Span | None:
    """Return the time from the first to the last hour of the day of *midnight*, None when it has none."""
    today = tuple(one for one in hours.hours if one.weekday == midnight.weekday())
    if not today or place.is_holiday(midnight.date()):
        return None
    begin = instant_of(midnight, place.offset)
    spans = open_spans(
        Window(hours=today, holidays=hours.holidays), place, begin, begin + _TWO_DAYS
    )
    return Span(spans[0].begin, spans[-1].end) if spans else None
