"""
A year of windows, freezes and exceptions in several time zones, held against a scan of the clocks.

The scan knows nothing of spans, offsets or searches: it looks at the clock of the zone every five minutes
(all that happens here happens at such a time), and at who froze or excepted what.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import pytest

from tidegate.domain.calendar.exceptions import LASTS, CalendarException
from tidegate.domain.calendar.freezes import Freeze, FreezeScope
from tidegate.domain.calendar.seen import CalendarSeen
from tidegate.domain.calendar.windows import DayHours, Holidays, Recurrence, Window
from tidegate.domain.plan.model import TargetSpec
from tidegate.domain.quantities import Environment, ServiceName, TargetName
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import Rollout
from tidegate.store.memory import MemoryStore
from tidegate.testing.builders import a_rollout
from tidegate.usecases.calendar import EXCEPTIONS, calendar_seen
from tidegate.usecases.freezes import FREEZES

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
LOOK = timedelta(minutes=5)
DAY = 24 * 12
"""How many looks a day has."""

YEAR = 365 * DAY
FREE_DAYS = (date(2026, 1, 1), date(2026, 4, 3), date(2026, 5, 1), date(2026, 12, 25))

ZONES = [
    ("Europe/Berlin",),
    ("America/New_York",),
    ("Australia/Lord_Howe",),
    ("Asia/Kathmandu",),
    ("America/Sao_Paulo",),
    ("UTC",),
    ("Europe/Berlin", "America/Sao_Paulo"),
]


def days(which: range | list[int], begins: float, ends: float) -> tuple[DayHours, ...]:
    return tuple(
        DayHours(weekday=day, begins=timedelta(hours=begins), ends=timedelta(hours=ends))
        for day in which
    )


OFFICE = Window(
    hours=(*days(range(4), 9, 16), *days([4], 9, 12)), holidays=Holidays(dates=FREE_DAYS)
)
NIGHT = Window(hours=days(range(7), 22.5, 26.75), holidays=Holidays(dates=FREE_DAYS))
EVENINGS = Window(
    recurrence=Recurrence(
        rule="FREQ=WEEKLY;BYDAY=TU,SA;BYHOUR=22",
        starting="2024-01-01T00:00",
        lasts=timedelta(hours=6),
    )
)


def open_times(window: Window, zone: str) -> bytearray:
    """Return for each look of the year whether the window is open in *zone*."""
    info = ZoneInfo(zone)
    found = bytearray(YEAR)
    left = 0
    # From the day before, for what had begun by then.
    for look in range(-DAY, YEAR):
        local = (BEGIN + look * LOOK).astimezone(info)
        if window is EVENINGS:
            begins = local.weekday() in (1, 5) and (local.hour, local.minute) == (22, 0)
            left = 6 * 12 if begins else max(left - 1, 0)
            is_open = left > 0
        else:
            is_open = _shown(window, local) and local.date() not in FREE_DAYS
        if look >= 0:
            found[look] = is_open
    return found


def _shown(window: Window, local: datetime) -> bool:
    clock = local.hour * 60 + local.minute
    for one in window.hours:
        begins, ends = one.begins // MINUTE, one.ends // MINUTE
        if one.weekday == local.weekday() and begins <= clock < ends:
            return True
        if one.weekday == (local.weekday() - 1) % 7 and clock + 24 * 60 < ends:
            return True
    return False


@dataclass
class Year:
    """What is on record in one year, and what the scan says of it."""

    window: Window
    zones: tuple[str, ...]
    chance: random.Random
    store: MemoryStore = field(default_factory=MemoryStore)
    freezes: list[Freeze] = field(default_factory=list)
    exceptions: list[CalendarException] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rollout = self._rollout()
        self.shown = bytearray(b"\1" * YEAR)
        for zone in self.zones:
            self.shown = bytearray(map(int.__and__, self.shown, open_times(self.window, zone)))
        self._freeze()
        self._except()
        self.routine = bytearray(self.shown)
        for freeze in self.freezes:
            if self._covers(freeze):
                begin, end = look_at(freeze.since), min(look_at(freeze.until), YEAR)
                self.routine[begin:end] = bytes(end - begin)
        self.next = self._next_openings()

    def is_open(self, look: int) -> bool:
        return bool(self.routine[look]) or self._by_exception(look)

    def opens(self, look: int) -> int | None:
        """Return the next open look as it can be known at *look*; None beyond the year."""
        routine = self.next[look]
        given = self.exception_at(look)
        last = look if given is None else min(look_at(given.expires_at), YEAR)
        excepted = next((one for one in range(look, last) if self._by_exception(one)), None)
        known = [one for one in (routine, excepted) if one is not None]
        return min(known, default=None)

    def exception_at(self, look: int) -> CalendarException | None:
        now = BEGIN + look * LOOK
        return next((one for one in self.exceptions if one.at <= now < one.expires_at), None)

    def seen(self, look: int, rollout: Rollout | None = None) -> CalendarSeen:
        with self.store.begin() as transaction:
            return calendar_seen(transaction, rollout or self.rollout, BEGIN + look * LOOK)

    def _by_exception(self, look: int) -> bool:
        given = self.exception_at(look)
        now = BEGIN + look * LOOK
        return given is not None and all(
            freeze.allows_exceptions and freeze.at <= given.at
            for freeze in self.freezes
            if self._covers(freeze) and freeze.since <= now < freeze.until
        )

    def _covers(self, freeze: Freeze) -> bool:
        if freeze.organisation not in (None, "default") or freeze.lifted_at is not None:
            return False
        return (freeze.scope.value, freeze.name) in {
            ("everything", ""),
            ("service", "shop"),
            ("ring", "first"),
            ("environment", "production"),
        }

    def _rollout(self) -> Rollout:
        rollout = a_rollout(state=State.WAITING)
        names = dict.fromkeys(one.target for one in rollout.plan.placements())
        (name,) = names
        targets = tuple(
            TargetSpec(
                name=TargetName(name if index == 0 else f"{name}-{index}"),
                ring="first",
                environment=Environment.PRODUCTION,
                settings_json=f'{{"timezone":"{zone}"}}',
            )
            for index, zone in enumerate(self.zones)
        )
        phases = []
        for phase in rollout.plan.phases:
            moves = tuple(
                replace(move, placement=replace(move.placement, target=target.name))
                for move in phase.moves
                for target in targets
            )
            phases.append(replace(phase, moves=moves, window=self.window))
        plan = replace(rollout.plan, phases=tuple(phases))
        return replace(rollout, plan=plan, targets=targets, service=ServiceName("shop"))

    def _freeze(self) -> None:
        scopes = [
            (FreezeScope.EVERYTHING, ""),
            (FreezeScope.SERVICE, "shop"),
            (FreezeScope.SERVICE, "other"),
            (FreezeScope.RING, "first"),
            (FreezeScope.RING, "second"),
            (FreezeScope.ENVIRONMENT, "production"),
            (FreezeScope.ENVIRONMENT, "staging"),
        ]
        for number in range(1, 26):
            begin = self.chance.randrange(YEAR - 1)
            length = self.chance.choice([6, 8 * 12, DAY, 9 * DAY])
            announced = max(begin - self.chance.choice([0, 12, 30 * DAY]), 0)
            scope, name = self.chance.choice(scopes)
            self.freezes.append(
                Freeze(
                    number=number,
                    scope=scope,
                    name=name,
                    since=BEGIN + begin * LOOK,
                    until=BEGIN + (begin + self.chance.randint(1, length)) * LOOK,
                    reason="a busy time",
                    by="alice",
                    at=BEGIN + announced * LOOK,
                    allows_exceptions=self.chance.random() < 0.6,
                    organisation=self.chance.choice([None, None, "default", "other"]),
                    lifted_at=BEGIN if self.chance.random() < 0.1 else None,
                )
            )
        with self.store.begin() as transaction:
            for freeze in self.freezes:
                FREEZES.put(transaction, freeze)

    def _except(self) -> None:
        look = 0
        for number in range(1, 60):
            look += self.chance.randint(5 * 12, 10 * DAY)
            given = BEGIN + look * LOOK
            self.exceptions.append(
                CalendarException(
                    number=number,
                    rollout=self.rollout.id,
                    service=self.rollout.service,
                    phase_index=self.rollout.phase_index,
                    attempt=self.rollout.attempt,
                    reason="it can't wait",
                    by="bob",
                    person="bob",
                    at=given,
                    expires_at=given + LASTS,
                )
            )
        with self.store.begin() as transaction:
            for exception in self.exceptions:
                EXCEPTIONS.put(transaction, exception)

    def _next_openings(self) -> list[int | None]:
        found: list[int | None] = [None] * YEAR
        after: int | None = None
        for look in reversed(range(YEAR)):
            if self.routine[look]:
                after = look
            found[look] = after
        return found


def look_at(at: datetime) -> int:
    return (at - BEGIN) // LOOK


def looks(year: Year, changes: int) -> Iterator[int]:
    """Yield when to ask: at random, and around so many changes of what is open."""
    look = 0
    while look < YEAR:
        yield look
        look += year.chance.randint(1, 2 * DAY)
    known = [one for one in range(1, YEAR) if year.routine[one] != year.routine[one - 1]]
    for look in year.chance.sample(known, min(changes, len(known))):
        yield look - 1
        yield look


WINDOWS = (OFFICE, NIGHT, EVENINGS)


@pytest.mark.parametrize("zones", ZONES, ids="+".join)
def test_a_year_of_windows_and_freezes_is_as_the_clocks_show(
    zones: tuple[str, ...], *, is_full: bool
) -> None:
    """Open exactly when the scan says so, and closed until the very instant at which it will open."""
    # Each kind of window in some zones in every run, all of them in all zones with the full profile.
    first = ZONES.index(zones) % len(WINDOWS)
    for window in WINDOWS if is_full else WINDOWS[first : first + 1]:
        _live_through(Year(window, zones, random.Random(f"{zones}{window}")), is_full=is_full)


def _live_through(year: Year, *, is_full: bool) -> None:
    found = {"open": 0, "closed": 0, "excepted": 0}

    for look in looks(year, 10_000 if is_full else 40):
        seen = year.seen(look)
        where = f"{year.zones} {BEGIN + look * LOOK}: {seen}"
        assert seen.is_open == year.is_open(look), where
        if seen.excepted:
            found["excepted"] += 1
            assert not year.routine[look], where
        if seen.is_open:
            found["open"] += 1
            continue
        found["closed"] += 1
        opens = year.opens(look)
        if opens is not None:
            assert seen.opens_at == BEGIN + opens * LOOK, where
        else:
            assert seen.opens_at is None or seen.opens_at >= BEGIN + YEAR * LOOK, where

    assert min(found.values()) > 0, found


@cache
def _a_berlin_year() -> Year:
    return Year(OFFICE, ("Europe/Berlin",), random.Random(7))


@pytest.mark.parametrize("state", [one for one in State if one is not State.WAITING])
def test_nothing_but_a_wait_for_a_phase_is_closed(state: State) -> None:
    """Whatever else a rollout does is asked of no calendar, in the closed hours of ten days."""
    year = _a_berlin_year()
    rollout = replace(year.rollout, state=state)

    assert not all(year.is_open(look) for look in range(0, 10 * DAY, 40))
    assert all(year.seen(look, rollout).is_open for look in range(0, 10 * DAY, 40))
    returning = replace(year.rollout, is_return=True)
    assert all(year.seen(look, returning).is_open for look in range(0, 10 * DAY, 40))
