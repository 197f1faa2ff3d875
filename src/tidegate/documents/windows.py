"""
Windows: as people write them, with their defaults, and in the resolved document.

What is left out of a window is not closed: without `days` it is every day, without `hours` the whole day.
A phase without a window of its own has the plan's; where that is not written either, a service of tier 1
keeps office hours on its production targets.
"""

import re
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Annotated, Any, Final, Literal

from pydantic import Field, WithJsonSchema

from tidegate.documents.components import Text, Written
from tidegate.documents.notation import (
    Duration,
    NotationError,
    checked_by,
    matching,
    shown,
)
from tidegate.documents.problems import Complaint, KeyPath
from tidegate.documents.recurrence import STARTING, check_comes_true, parse_rule, parse_starting
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

NO_WINDOW: Final[Literal["none"]] = "none"
WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
WHOLE_DAY: Final = (timedelta(0), DAY)
LONGEST_OPENING: Final = timedelta(days=7)

_DAY_NAME: Final = "|".join(WEEKDAYS)
DAYS_PATTERN: Final = rf"({_DAY_NAME})(-({_DAY_NAME}))?(, ?({_DAY_NAME})(-({_DAY_NAME}))?){{0,6}}"
_TIME: Final = r"([01][0-9]|2[0-3]):[0-5][0-9]|24:00"
HOURS_PATTERN: Final = rf"({_TIME})-({_TIME})(, ?({_TIME})-({_TIME})){{0,5}}"
_DATE: Final = r"20[0-9]{2}-[01][0-9]-[0-3][0-9]"


def parse_days(written: object) -> tuple[int, ...]:
    """Return the days of the week *written* as `mon-fri` or `mon,wed`, 0 for Monday, in order."""
    if not isinstance(written, str) or not re.fullmatch(DAYS_PATTERN, written):
        raise NotationError(
            f"days of the week are needed, got {shown(written)}",
            "write them like mon-fri or mon,wed",
        )
    days: set[int] = set()
    for part in re.split(r", ?", written):
        first, _, last = part.partition("-")
        begin, end = WEEKDAYS.index(first), WEEKDAYS.index(last or first)
        # sat-mon goes over the end of the week.
        days.update((begin + step) % 7 for step in range((end - begin) % 7 + 1))
    return tuple(sorted(days))


def parse_hours(written: object) -> tuple[tuple[timedelta, timedelta], ...]:
    """Return the hours *written* as `09:00-16:00`; what ends earlier than it begins ends next day."""
    if not isinstance(written, str) or not re.fullmatch(HOURS_PATTERN, written):
        raise NotationError(
            f"hours of the day are needed, got {shown(written)}",
            'write them like "09:00-16:00", quoted; the end of the day is 24:00',
        )
    spans = []
    for part in re.split(r", ?", written):
        first, _, last = part.partition("-")
        begins, ends = parse_clock(first), parse_clock(last)
        if begins in (DAY, ends):
            raise NotationError(
                f"{part} is no time of a day", 'write "00:00-24:00" for the whole day'
            )
        spans.append((begins, ends if begins < ends else ends + DAY))
    return tuple(spans)


def parse_clock(written: object) -> timedelta:
    """Return the time of day *written* as `12:00`, since midnight; `24:00` is the end of the day."""
    if not isinstance(written, str) or not re.fullmatch(_TIME, written):
        raise NotationError(
            f"a time of day is needed, got {shown(written)}", 'write it like "12:00", quoted'
        )
    hour, _, minute = written.partition(":")
    return timedelta(hours=int(hour), minutes=int(minute))


def parse_date(written: object) -> date:
    """Return the day *written* as `2026-12-24`."""
    if isinstance(written, str) and re.fullmatch(_DATE, written):
        try:
            return date.fromisoformat(written)
        except ValueError:
            pass  # No such day: told below, as what isn't written like one.
    raise NotationError(
        f"a day is needed, got {shown(written)}", 'write it like "2026-12-24", quoted'
    )


def parse_country(written: object) -> str:
    """Return the country *written* in capitals of ISO 3166, if its holidays are known."""
    if isinstance(written, str) and written in countries():
        return written
    raise NotationError(
        f"no holidays are known of the country {shown(written)}",
        'write its two letters of ISO 3166, as DE; quote "NO"; or list the days under dates',
    )


def _as_text(pattern: str, *examples: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": f"^({pattern})$", "examples": [*examples]})


Day = Annotated[date, checked_by(parse_date), _as_text(_DATE, "2026-12-24")]
Country = Annotated[str, checked_by(parse_country), _as_text("[A-Z]{2}", "DE")]
Days = Annotated[tuple[int, ...], checked_by(parse_days), _as_text(DAYS_PATTERN, "mon-fri")]
Hours = Annotated[
    tuple[tuple[timedelta, timedelta], ...],
    checked_by(parse_hours),
    _as_text(HOURS_PATTERN, "09:00-16:00"),
]
Clock = Annotated[timedelta, checked_by(parse_clock), _as_text(_TIME, "12:00")]
Rule = Annotated[
    str, checked_by(parse_rule), WithJsonSchema({"type": "string", "pattern": "FREQ="})
]
Starting = Annotated[
    str, checked_by(parse_starting), _as_text(f"{_DATE}T({_TIME})", "2026-01-05T09:00")
]
NoWindow = Annotated[
    str,
    checked_by(
        matching(
            NO_WINDOW,
            "a window is a mapping, or none",
            'write {days: mon-fri, hours: "09:00-16:00"}, or none',
        )
    ),
    WithJsonSchema({"type": "string", "enum": [NO_WINDOW]}),
]


class WrittenHolidays(Written):
    """Days on which no phase begins."""

    country: Country | None = Field(
        default=None, description="Whose public holidays: two letters of ISO 3166, as DE."
    )
    subdivision: Text | None = Field(
        default=None, description="Its part with holidays of its own, as BE."
    )
    dates: Annotated[list[Day], Field(max_length=1000)] = Field(
        default_factory=list, description='Single days, as "2026-12-24".'
    )


class WrittenExceptions(Written):
    """How often the calendar may be passed over, each time by a second person."""

    budget: int = Field(ge=0, le=100, description="How often per service; 0 is never.")
    per: Duration | None = Field(default=None, description="In how long. Default 30d.")


def _until(day: str) -> Any:
    return Field(default=None, description=f"When the hours of a {day} end at the latest.")


class WrittenWindow(Written):
    """When phases may begin, in the time zone of each target: by days and hours, or by an RRULE."""

    days: Days | None = Field(
        default=None, description="Days of the week, as mon-fri or mon,wed. Default: every day."
    )
    hours: Hours | None = Field(
        default=None, description='Hours of these days, as "09:00-16:00". Default: the whole day.'
    )
    mon_until: Clock | None = _until("Monday")
    tue_until: Clock | None = _until("Tuesday")
    wed_until: Clock | None = _until("Wednesday")
    thu_until: Clock | None = _until("Thursday")
    fri_until: Clock | None = _until("Friday")
    sat_until: Clock | None = _until("Saturday")
    sun_until: Clock | None = _until("Sunday")
    rrule: Rule | None = Field(
        default=None,
        description="Openings by RFC 5545, in local time, as FREQ=WEEKLY;BYDAY=TU;BYHOUR=10.",
    )
    lasts: Duration | None = Field(
        default=None, alias="for", description="How long each opening of the rrule lasts, as 4h."
    )
    starting: Starting | None = Field(
        default=None, description='Local time that the rrule counts from, as "2026-01-05T09:00".'
    )
    holidays: WrittenHolidays | None = Field(
        default=None, description="Days on which no phase begins."
    )

    def until(self, weekday: int) -> timedelta | None:
        """Return when the hours of *weekday* end at the latest, None where nothing says so."""
        found: timedelta | None = getattr(self, f"{WEEKDAYS[weekday]}_until")
        return found


class WrittenPlanWindow(WrittenWindow):
    """The window of all phases that have none of their own."""

    exceptions: WrittenExceptions | None = Field(
        default=None,
        description="How often windows and freezes may be passed over. Default: 2 in 30d.",
    )


# --- from written to what is kept to ---------------------------------------------------------

_HOUR: Final = timedelta(hours=1)


def _tier_1_hours(weekday: int) -> DayHours:
    begins = 9 if weekday == 0 else 8
    ends = 12 if weekday == 4 else 18
    return DayHours(weekday=weekday, begins=begins * _HOUR, ends=ends * _HOUR)


TIER_1_WINDOW: Final = Window(
    hours=tuple(_tier_1_hours(weekday) for weekday in range(5)), production_only=True
)
"""No new phase on Fridays from 12:00 to Mondays 09:00, nor from 18:00 to 08:00."""


WORKING_DAY: Final = tuple(
    DayHours(weekday=weekday, begins=9 * _HOUR, ends=17 * _HOUR) for weekday in range(5)
)
"""The hours of a working day where no window says others."""


def working_day_of(window: Window | None) -> Window:
    """Return the hours of a working day where phases begin in *window*; holidays are none."""
    return Window(
        hours=window.hours if window is not None and window.hours else WORKING_DAY,
        holidays=Holidays() if window is None else window.holidays,
    )


def resolve_window(
    written: WrittenWindow, path: KeyPath, complaints: list[Complaint]
) -> Window | None:
    """Return the window that is *written* at *path*, or None after complaining of it."""
    found = list(_complaints(written, path))
    complaints += found
    if found:
        return None
    return Window(
        hours=_hours(written) if written.rrule is None else (),
        recurrence=None
        if written.rrule is None or written.lasts is None
        else Recurrence(
            rule=written.rrule, starting=written.starting or STARTING, lasts=written.lasts
        ),
        holidays=_holidays(written.holidays),
    )


def resolve_exceptions(written: WrittenWindow | str | None) -> ExceptionBudget:
    """Return how often the calendar may be passed over by the window of a plan."""
    asked = written.exceptions if isinstance(written, WrittenPlanWindow) else None
    if asked is None:
        return DEFAULT_EXCEPTIONS
    return ExceptionBudget(count=asked.budget, per=asked.per or DEFAULT_EXCEPTIONS.per)


def _hours(written: WrittenWindow) -> tuple[DayHours, ...]:
    found = []
    for weekday in written.days or range(7):
        until = written.until(weekday)
        for begins, ends in written.hours or (WHOLE_DAY,):
            last = ends if until is None else min(ends, until)
            if begins < last:
                found.append(DayHours(weekday=weekday, begins=begins, ends=last))
    return tuple(found)


def _holidays(written: WrittenHolidays | None) -> Holidays:
    if written is None:
        return Holidays()
    return Holidays(
        country=written.country or "",
        subdivision=written.subdivision or "",
        dates=tuple(sorted(set(written.dates))),
    )


def _complaints(written: WrittenWindow, path: KeyPath) -> Iterator[Complaint]:
    by_hours = written.days is not None or written.hours is not None
    if written.rrule is None and not by_hours:
        yield Complaint(
            path=path,
            what="this window doesn't say when it is open",
            fix='write {days: mon-fri, hours: "09:00-16:00"}, or an rrule; or none',
        )
        return
    yield from (_rule_complaints if written.rrule is not None else _hour_complaints)(written, path)
    yield from _holiday_complaints(written.holidays, (*path, "holidays"))


def _rule_complaints(written: WrittenWindow, path: KeyPath) -> Iterator[Complaint]:
    untils = [f"{day}_until" for day in WEEKDAYS]
    for key in ("days", "hours", *untils):
        if getattr(written, key) is not None:
            yield Complaint(
                path=(*path, key),
                what=f"`rrule` and `{key}` exclude one another",
                fix="say days and hours in the rrule: BYDAY, BYHOUR",
                on_key=True,
            )
    if written.lasts is None or not timedelta(0) < written.lasts <= LONGEST_OPENING:
        yield Complaint(
            path=(*path, "rrule") if written.lasts is None else (*path, "for"),
            what="an rrule says when a window opens, and not for how long",
            fix="add `for: 4h`, at most 7d",
        )
    rule = written.rrule or ""
    if written.starting is None and "INTERVAL" in rule:
        yield Complaint(
            path=(*path, "rrule"),
            what="an INTERVAL is counted from somewhere",
            fix='add `starting: "2026-01-05T09:00"`, the first opening in local time',
        )
    try:
        check_comes_true(rule, written.starting or STARTING)
    except NotationError as exc:
        yield Complaint(path=(*path, "rrule"), what=exc.what, fix=exc.fix)


def _hour_complaints(written: WrittenWindow, path: KeyPath) -> Iterator[Complaint]:
    for key in ("lasts", "starting"):
        if getattr(written, key) is not None:
            name = "for" if key == "lasts" else key
            yield Complaint(
                path=(*path, name),
                what=f"`{name}` belongs to an rrule",
                fix="remove it, or write an rrule in place of days and hours",
                on_key=True,
            )
    days = written.days or tuple(range(7))
    for weekday, day in enumerate(WEEKDAYS):
        if written.until(weekday) is not None and weekday not in days:
            yield Complaint(
                path=(*path, f"{day}_until"),
                what=f"the window isn't open on {day}",
                fix=f"add {day} to days, or remove it",
                on_key=True,
            )
    if not _hours(written):
        yield Complaint(
            path=path, what="this window is never open", fix="let it end later than it begins"
        )


def _holiday_complaints(written: WrittenHolidays | None, path: KeyPath) -> Iterator[Complaint]:
    if written is None or written.subdivision is None:
        return
    if written.country is None:
        yield Complaint(
            path=(*path, "subdivision"), what="a part of which country?", fix="add country"
        )
    elif written.subdivision not in countries()[written.country]:
        known = ", ".join(countries()[written.country])
        yield Complaint(
            path=(*path, "subdivision"),
            what=f"{written.country} has no {shown(written.subdivision)} with holidays of its own",
            fix=f"take one of: {known}" if known else "remove it",
        )
