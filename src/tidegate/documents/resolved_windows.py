"""Windows in the resolved document: written whole, and read back to exactly what they were made from."""

from datetime import timedelta
from typing import Annotated, Any

from pydantic import Field

from tidegate.documents.components import Text, Written
from tidegate.documents.notation import NotationError, checked_by, parse_long_duration
from tidegate.documents.recurrence import check_comes_true
from tidegate.documents.windows import (
    LONGEST_OPENING,
    WEEKDAYS,
    Country,
    Day,
    Hours,
    Rule,
    Starting,
)
from tidegate.documents.zones import countries
from tidegate.domain.calendar.windows import (
    DAY,
    DEFAULT_EXCEPTIONS,
    DayHours,
    ExceptionBudget,
    Holidays,
    Recurrence,
    Window,
)
from tidegate.domain.durations import format_duration

_Duration = Annotated[timedelta, checked_by(parse_long_duration)]


class ResolvedHolidays(Written):
    """Days on which no phase begins."""

    country: Country | None = None
    subdivision: Text | None = None
    dates: Annotated[list[Day], Field(max_length=1000)] = Field(default_factory=list)


class ResolvedRecurrence(Written):
    """Openings by an RRULE."""

    rule: Rule
    starting: Starting
    lasts: _Duration = Field(alias="for")


class ResolvedHours(Written):
    """The hours of each day; a day that isn't here has none."""

    mon: Hours | None = None
    tue: Hours | None = None
    wed: Hours | None = None
    thu: Hours | None = None
    fri: Hours | None = None
    sat: Hours | None = None
    sun: Hours | None = None


class ResolvedWindow(Written):
    """A window: either hours or a recurrence."""

    hours: ResolvedHours | None = None
    rrule: ResolvedRecurrence | None = None
    holidays: ResolvedHolidays | None = None
    production_only: bool = False


class ResolvedExceptions(Written):
    """How often the calendar may be passed over."""

    budget: Annotated[int, Field(ge=0, le=100)]
    per: _Duration


def window_document(window: Window | None, *, key: str = "window") -> dict[str, Any]:
    """Return *window* as the part *key* of a resolved phase: nothing where there is none."""
    if window is None:
        return {}
    written: dict[str, Any] = {}
    if window.recurrence is not None:
        written["rrule"] = {
            "rule": window.recurrence.rule,
            "starting": window.recurrence.starting,
            "for": format_duration(window.recurrence.lasts),
        }
    else:
        written["hours"] = _hours_document(window.hours)
    if window.holidays != Holidays():
        written["holidays"] = _holidays_document(window.holidays)
    if window.production_only:
        written["production_only"] = True
    return {key: written}


def window_from(document: ResolvedWindow | None) -> Window | None:
    """
    Return the window that a resolved phase holds; the inverse of `window_document`.

    Raises:
        ValueError: it isn't one that a file can be resolved to.
    """
    if document is None:
        return None
    if (document.hours is None) == (document.rrule is None):
        raise ValueError("a window has either hours or an rrule")
    return Window(
        hours=() if document.hours is None else _hours(document.hours),
        recurrence=None if document.rrule is None else _recurrence(document.rrule),
        holidays=_holidays(document.holidays),
        production_only=document.production_only,
    )


def working_day_from(document: ResolvedWindow | None) -> Window | None:
    """
    Return the hours of a working day that a resolved phase holds.

    Raises:
        ValueError: they aren't hours.
    """
    if document is not None and (document.rrule is not None or document.production_only):
        raise ValueError("a working day has hours")
    return window_from(document)


def exceptions_document(budget: ExceptionBudget) -> dict[str, Any]:
    """Return *budget*; nothing for the default, so that digests from before it stay."""
    if budget == DEFAULT_EXCEPTIONS:
        return {}
    return {"exceptions": {"budget": budget.count, "per": format_duration(budget.per)}}


def exceptions_from(document: ResolvedExceptions | None) -> ExceptionBudget:
    """Return the budget that a resolved plan holds; the inverse of `exceptions_document`."""
    if document is None:
        return DEFAULT_EXCEPTIONS
    return ExceptionBudget(count=document.budget, per=document.per)


def _hours_document(hours: tuple[DayHours, ...]) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    for one in hours:
        found.setdefault(WEEKDAYS[one.weekday], []).append(
            f"{_clock(one.begins)}-{_clock(one.ends)}"
        )
    return {day: ", ".join(spans) for day, spans in found.items()}


def _clock(since_midnight: timedelta) -> str:
    # The end of the day is 24:00; what ends in the next day is written as its time there.
    shown = since_midnight if since_midnight <= DAY else since_midnight - DAY
    minutes = shown // timedelta(minutes=1)
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _holidays_document(holidays: Holidays) -> dict[str, Any]:
    written: dict[str, Any] = {}
    if holidays.country:
        written["country"] = holidays.country
    if holidays.subdivision:
        written["subdivision"] = holidays.subdivision
    if holidays.dates:
        written["dates"] = [day.isoformat() for day in holidays.dates]
    return written


def _hours(document: ResolvedHours) -> tuple[DayHours, ...]:
    found = tuple(
        DayHours(weekday=weekday, begins=begins, ends=ends)
        for weekday, day in enumerate(WEEKDAYS)
        for begins, ends in getattr(document, day) or ()
    )
    if not found:
        raise ValueError("a window has hours on some day")
    return found


def _recurrence(document: ResolvedRecurrence) -> Recurrence:
    if not timedelta(0) < document.lasts <= LONGEST_OPENING:
        raise ValueError("an opening lasts more than 0s and at most 7d")
    try:
        check_comes_true(document.rule, document.starting)
    except NotationError as exc:
        raise ValueError(exc.what) from exc
    return Recurrence(rule=document.rule, starting=document.starting, lasts=document.lasts)


def _holidays(document: ResolvedHolidays | None) -> Holidays:
    if document is None:
        return Holidays()
    parts = countries().get(document.country or "", ())
    if document.subdivision is not None and document.subdivision not in parts:
        raise ValueError(f"{document.country} has no part {document.subdivision!r}")
    return Holidays(
        country=document.country or "",
        subdivision=document.subdivision or "",
        dates=tuple(document.dates),
    )
