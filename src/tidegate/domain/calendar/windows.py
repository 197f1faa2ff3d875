"""
Windows: at which local times exposure may rise. Only what they are; when they open is in `openings`.

Hours are what the clock on the wall shows: a local hour that the clocks skip is no part of a window, and
one that they show twice is twice. A recurrence is a beginning and an exact length instead, as RFC 5545
has it. A holiday is closed from its midnight to the next, whatever else is said.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class DayHours:
    """
    The hours of one day of the week, 0 for Monday: local times since its midnight.

    `ends` may lie in the next day, by at most a day.
    """

    weekday: int
    begins: timedelta
    ends: timedelta

    def __post_init__(self) -> None:
        """Refuse hours that no clock shows."""
        assert 0 <= self.weekday <= 6, f"a week has seven days, got {self.weekday}"
        assert timedelta(0) <= self.begins < DAY, f"{self.begins} is no time of a day"
        assert self.begins < self.ends <= self.begins + DAY, f"{self.begins} to {self.ends}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recurrence:
    """
    Openings by an RRULE of RFC 5545, each of the exact length `lasts`.

    `starting` is the local time that the rule counts from, as `2026-01-05T09:00`.
    """

    rule: str
    starting: str
    lasts: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Holidays:
    """Days on which nothing rises: those of a country (ISO 3166) and its part, and single ones."""

    country: str = ""
    subdivision: str = ""
    dates: tuple[date, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """
    When exposure may rise, in the time zone of each target: in `hours`, or by `recurrence`.

    `production_only` leaves other targets free.
    """

    hours: tuple[DayHours, ...] = ()
    recurrence: Recurrence | None = None
    holidays: Holidays = Holidays()
    production_only: bool = False

    def __post_init__(self) -> None:
        """Refuse a window that says nothing, or two things."""
        assert bool(self.hours) != (self.recurrence is not None), "hours, or a recurrence"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExceptionBudget:
    """How often the calendar may be passed over by exception: `count` times per service in `per`."""

    count: int
    per: timedelta


DEFAULT_EXCEPTIONS: Final = ExceptionBudget(count=2, per=timedelta(days=30))
"""Rare enough that a third in a month is a talk about the window, and not a third exception."""

_NAMES: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def describe(window: Window) -> str:
    """Return *window* in a few words, as `Mon-Thu 09:00-16:00, Fri 09:00-12:00`."""
    if window.recurrence is not None:
        what = f"{window.recurrence.rule} for {_clock(window.recurrence.lasts)} h"
    else:
        what = ", ".join(_days(window.hours))
    return what if window.holidays == Holidays() else f"{what}, no holidays"


def _days(hours: tuple[DayHours, ...]) -> list[str]:
    """Return one text per run of days with the same hours."""
    of_day: list[tuple[int, str]] = []
    for weekday in range(7):
        spans = sorted((one.begins, one.ends) for one in hours if one.weekday == weekday)
        if spans:
            text = "+".join(f"{_clock(begins)}-{_clock(ends)}" for begins, ends in spans)
            of_day.append((weekday, text))
    texts: list[str] = []
    while of_day:
        first, text = of_day.pop(0)
        last = first
        while of_day and of_day[0] == (last + 1, text):
            last = of_day.pop(0)[0]
        days = _NAMES[first] if first == last else f"{_NAMES[first]}-{_NAMES[last]}"
        texts.append(f"{days} {text}")
    return texts


def _clock(since_midnight: timedelta) -> str:
    minutes = since_midnight // timedelta(minutes=1)
    # The end of a day is 24:00; what is after it belongs to the next.
    hours = minutes // 60 if minutes <= 24 * 60 else minutes // 60 - 24
    return f"{hours:02}:{minutes % 60:02}"
