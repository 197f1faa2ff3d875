"""
Windows at the targets of a phase: their time zones, holidays and recurrences, for the domain to judge.

Rule: a zone or a country that isn't known here keeps the calendar closed, and says so; what isn't known
is never open.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from tidegate.documents.recurrence import beginnings
from tidegate.documents.zones import public_holidays, zone
from tidegate.domain.calendar.local_time import Offset
from tidegate.domain.calendar.openings import Closed, Closer
from tidegate.domain.calendar.window_times import LocalCalendar, window_closer
from tidegate.domain.calendar.windows import Holidays, Recurrence, Window, describe
from tidegate.domain.calendar.working_days import first_working_day
from tidegate.domain.plan.model import TargetSpec
from tidegate.domain.quantities import Environment

UTC_ZONE: Final = "UTC"
"""Where a target is taken to be that doesn't say where it is."""


def bound_targets(window: Window, targets: Iterable[TargetSpec]) -> tuple[TargetSpec, ...]:
    """Return those of *targets* that *window* binds."""
    return tuple(
        target
        for target in targets
        if not window.production_only or target.environment is Environment.PRODUCTION
    )


def window_closers(window: Window | None, targets: Sequence[TargetSpec]) -> tuple[Closer, ...]:
    """Return what *window* closes at *targets*: one closer for each time zone of those it binds."""
    if window is None:
        return ()
    of_zone: dict[str, list[str]] = {}
    for target in bound_targets(window, targets):
        of_zone.setdefault(zone_of(target), []).append(target.name)
    return tuple(_closer(window, name, names) for name, names in of_zone.items())


def working_day_missing(
    hours: Window, targets: Iterable[TargetSpec], since: datetime, now: datetime
) -> tuple[str, datetime | None]:
    """
    Return where no whole working day lies between *since* and *now*, in words, and when all have one.

    The words are empty when every target has; the instant is None when no such day is in sight.
    """
    of_zone: dict[str, list[str]] = {}
    for target in targets:
        of_zone.setdefault(zone_of(target), []).append(target.name)
    missing: list[str] = []
    ends: list[datetime | None] = []
    for name, names in of_zone.items():
        info = zone(name)
        day = None if info is None else first_working_day(hours, local_calendar(hours, info), since)
        if day is not None and day.end <= now:
            continue
        known = f"{describe(hours)} ({name})" if info else f"the time zone {name} isn't known here"
        missing.append(f"{', '.join(names)}: no whole working day yet, {known}")
        ends.append(None if day is None else day.end)
    latest = [end for end in ends if end is not None]
    return "; ".join(missing), max(latest) if latest and len(latest) == len(ends) else None


def zone_of(target: TargetSpec) -> str:
    """Return the name of the time zone that *target* is in."""
    return written_zone(target.settings_json) or UTC_ZONE


def local_calendar(window: Window, info: ZoneInfo) -> LocalCalendar:
    """Return the time of the zone *info* with the holidays and the recurrence of *window*."""
    return LocalCalendar(
        offset=offset_in(info),
        is_holiday=_Holidays(window.holidays),
        occurrences=_Occurrences(window.recurrence),
    )


def offset_in(info: ZoneInfo) -> Offset:
    """Return the offsets from UTC of the zone *info*."""

    def offset(at: datetime) -> timedelta:
        found = at.astimezone(info).utcoffset()
        assert found is not None, "an aware instant has an offset"
        return found

    return offset


def _closer(window: Window, name: str, targets: Sequence[str]) -> Closer:
    where = ", ".join(targets)
    info = zone(name)
    if info is None:
        unknown = Closed(because=f"{where}: the time zone {name} isn't known here", until=None)
        return lambda _: unknown
    because = f"{where}: outside the window {describe(window)} ({name})"
    return window_closer(window, local_calendar(window, info), because)


class _Holidays:
    """Whether a day is one on which nothing rises."""

    def __init__(self, of: Holidays) -> None:
        self._of = of
        self._dates = frozenset(of.dates)

    def __call__(self, day: date) -> bool:
        if day in self._dates:
            return True
        if not self._of.country:
            return False
        return day in public_holidays(self._of.country, self._of.subdivision, day.year)


class _Occurrences:
    """The beginnings of a recurrence between two local times."""

    def __init__(self, of: Recurrence | None) -> None:
        self._of = of

    def __call__(self, begin: datetime, end: datetime) -> Sequence[datetime]:
        if self._of is None:
            return ()
        return tuple(at for at in self._years(begin.year, end.year) if begin <= at < end)

    def _years(self, first: int, last: int) -> Iterator[datetime]:
        assert self._of is not None, "asked only where there is a recurrence"
        for year in range(first, last + 1):
            yield from beginnings(self._of.rule, self._of.starting, year)


@lru_cache(maxsize=10_000)
def written_zone(settings_json: str) -> str | None:
    """Return the time zone that a target's settings name, None when they name none."""
    found = json.loads(settings_json).get("timezone")
    return found if isinstance(found, str) else None
