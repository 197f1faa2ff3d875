"""When windows are open: held against a scan of every minute of the local clock, over changes of it."""

import itertools
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tidegate.domain.calendar.openings import opens_at
from tidegate.domain.calendar.window_times import open_spans, window_closer
from tidegate.domain.calendar.windows import DayHours, Holidays, Recurrence, Window, describe
from tidegate.domain.plan.model import TargetSpec
from tidegate.domain.quantities import Environment, TargetName
from tidegate.usecases.windows import local_calendar, window_closers, working_day_missing

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
BERLIN = "Europe/Berlin"


def hours(days, begins, ends):
    return tuple(DayHours(weekday=day, begins=begins * HOUR, ends=ends * HOUR) for day in days)


OFFICE = Window(hours=(*hours(range(4), 9, 16), *hours([4], 9, 12)))
NIGHTS = Window(hours=hours([5, 6], 22, 26.5))
SMALL_HOURS = Window(hours=hours(range(7), 1.5, 2.75))
WITH_HOLIDAYS = Window(
    hours=hours(range(7), 20, 30),
    holidays=Holidays(country="DE", subdivision="BE", dates=(date(2026, 3, 27),)),
)


def utc(*parts):
    return datetime(*parts, tzinfo=UTC)


def minutes_open(window, zone, begin, end):
    """Return the minutes in which *window* is open, by looking at the clock of the zone in each."""
    info = ZoneInfo(zone)
    found = set()
    at = begin
    while at < end:
        local = at.astimezone(info)
        minute = timedelta(hours=local.hour, minutes=local.minute)
        today, yesterday = local.weekday(), (local.weekday() - 1) % 7
        is_open = any(
            (one.weekday == today and one.begins <= minute < one.ends)
            or (one.weekday == yesterday and one.begins <= minute + DAY < one.ends)
            for one in window.hours
        )
        is_free = local.date() in window.holidays.dates or (
            window.holidays.country == "DE" and local.date() in GERMAN
        )
        if is_open and not is_free:
            found.add(at)
        at += MINUTE
    return found


GERMAN = {
    date(2026, 1, 1),
    date(2026, 3, 8),
    date(2026, 4, 3),
    date(2026, 4, 6),
    date(2026, 5, 1),
    date(2026, 5, 14),
    date(2026, 5, 25),
    date(2026, 10, 3),
    date(2026, 12, 25),
    date(2026, 12, 26),
}
"""Public holidays of Berlin in 2026, as its state publishes them."""


@pytest.mark.parametrize("window", [OFFICE, NIGHTS, SMALL_HOURS, WITH_HOLIDAYS])
@pytest.mark.parametrize(
    ("zone", "begin", "days"),
    [
        (BERLIN, utc(2026, 3, 23), 16),
        (BERLIN, utc(2026, 10, 22), 6),
        ("America/New_York", utc(2026, 3, 5), 6),
        ("America/New_York", utc(2026, 10, 30), 4),
        ("Australia/Lord_Howe", utc(2026, 4, 2), 6),
        ("Australia/Lord_Howe", utc(2026, 10, 1), 6),
        ("Asia/Kathmandu", utc(2026, 6, 1), 8),
        ("Africa/Casablanca", utc(2026, 2, 12), 6),
        ("Pacific/Apia", utc(2011, 12, 28), 3),
    ],
)
def test_hours_are_what_the_clock_on_the_wall_shows(window, zone, begin, days):
    """Also where the clocks skip an hour, show one twice, change by half an hour, or leave out a day."""
    end = begin + days * DAY
    place = local_calendar(window, ZoneInfo(zone))

    spans = open_spans(window, place, begin, end)

    found = set()
    for span in spans:
        at = span.begin
        while at < span.end:
            found.add(at)
            at += MINUTE
    assert found == minutes_open(window, zone, begin, end)
    assert all(a.end < b.begin for a, b in itertools.pairwise(spans))


@pytest.mark.parametrize(
    ("window", "at", "opens"),
    [
        # Friday afternoon waits for Monday, and Monday is a summer day.
        (OFFICE, utc(2026, 3, 27, 11, 0), utc(2026, 3, 30, 7, 0)),
        (OFFICE, utc(2026, 3, 27, 10, 59), utc(2026, 3, 27, 10, 59)),
        (OFFICE, utc(2026, 10, 23, 10, 0), utc(2026, 10, 26, 8, 0)),
        # 01:30 to 02:45 on the day that 02:00 to 03:00 is skipped: it ends with 02:00.
        (SMALL_HOURS, utc(2026, 3, 29, 1, 0), utc(2026, 3, 29, 23, 30)),
        # ... and on the day that it is shown twice, 02:00 comes back after 02:45 has passed.
        (SMALL_HOURS, utc(2026, 10, 25, 0, 50), utc(2026, 10, 25, 1, 0)),
        (NIGHTS, utc(2026, 3, 29, 0, 59), utc(2026, 3, 29, 0, 59)),
        (NIGHTS, utc(2026, 3, 29, 1, 0), utc(2026, 3, 29, 20, 0)),
    ],
)
def test_it_opens_when_the_clock_shows_it(window, at, opens):
    """Worked by hand for Berlin, where clocks changed on 29 March and 25 October 2026."""
    closing = window_closer(window, local_calendar(window, ZoneInfo(BERLIN)), "closed")

    assert opens_at([closing], at) == opens


def test_holidays_are_closed_and_so_are_nights_into_them():
    """Good Friday and Easter Monday: from Thursday evening it opens on Tuesday."""
    window = Window(hours=hours(range(5), 9, 16), holidays=Holidays(country="DE"))
    closing = window_closer(window, local_calendar(window, ZoneInfo(BERLIN)), "closed")

    assert opens_at([closing], utc(2026, 4, 2, 14, 0)) == utc(2026, 4, 7, 7, 0)


@pytest.mark.parametrize(
    ("rule", "lasts", "at", "opens"),
    [
        ("FREQ=WEEKLY;BYDAY=TU,TH;BYHOUR=10", 4, utc(2026, 3, 24, 13, 0), utc(2026, 3, 26, 9, 0)),
        ("FREQ=WEEKLY;BYDAY=TU,TH;BYHOUR=10", 4, utc(2026, 3, 26, 13, 0), utc(2026, 3, 31, 8, 0)),
        # In the gap of 29 March: 02:30 is told by the offset before it, and lasts its exact length.
        ("FREQ=DAILY;BYHOUR=2;BYMINUTE=30", 1, utc(2026, 3, 28, 3, 0), utc(2026, 3, 29, 1, 30)),
        ("FREQ=DAILY;BYHOUR=2;BYMINUTE=30", 1, utc(2026, 3, 29, 2, 30), utc(2026, 3, 30, 0, 30)),
        # Twice on 25 October: the first one counts, and only it.
        ("FREQ=DAILY;BYHOUR=2;BYMINUTE=30", 1, utc(2026, 10, 24, 3, 0), utc(2026, 10, 25, 0, 30)),
        ("FREQ=DAILY;BYHOUR=2;BYMINUTE=30", 1, utc(2026, 10, 25, 1, 30), utc(2026, 10, 26, 1, 30)),
        # The last Friday of a month, and one that began on the day before.
        ("FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=8", 3, utc(2026, 3, 2), utc(2026, 3, 27, 7, 0)),
        ("FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=23", 9, utc(2026, 3, 28, 6, 59), utc(2026, 3, 28, 6, 59)),
    ],
)  # fmt: skip
def test_recurrences_open_by_rfc_5545(rule, lasts, at, opens):
    """A beginning in local time and an exact length, with gaps and folds as its section 3.3.5 has them."""
    window = Window(
        recurrence=Recurrence(rule=rule, starting="2024-01-01T00:00", lasts=lasts * HOUR)
    )
    closing = window_closer(window, local_calendar(window, ZoneInfo(BERLIN)), "closed")

    assert opens_at([closing], at) == opens


def a_target(name, zone=None, environment=Environment.PRODUCTION):
    settings = "{}" if zone is None else f'{{"timezone":"{zone}"}}'
    return TargetSpec(
        name=TargetName(name), ring="first", environment=environment, settings_json=settings
    )


def test_all_targets_have_to_be_open():
    """Nine to sixteen in Berlin and in New York is two hours together, on most days of the year."""
    targets = [a_target("eu", BERLIN), a_target("us", "America/New_York"), a_target("eu-2", BERLIN)]

    closers = window_closers(OFFICE, targets)

    assert len(closers) == 2
    assert opens_at(closers, utc(2026, 6, 1, 7, 30)) == utc(2026, 6, 1, 13, 0)
    assert opens_at(closers, utc(2026, 6, 1, 14, 0)) == utc(2026, 6, 2, 13, 0)
    assert "eu, eu-2: outside the window" in closers[0](utc(2026, 6, 1, 14, 0)).because


def test_windows_that_never_meet_have_no_opening():
    """What would wait for ever says so, and doesn't take long to."""
    window = Window(hours=hours(range(7), 9, 10))

    assert (
        opens_at(window_closers(window, [a_target("eu", BERLIN), a_target("utc")]), utc(2026, 1, 1))
        is None
    )


def test_a_zone_that_is_not_known_stays_closed():
    """Not knowing what time it is there is no reason to open."""
    (closing,) = window_closers(OFFICE, [a_target("moon", "Moon/Base")])

    assert "isn't known" in closing(utc(2026, 6, 1, 12)).because
    assert opens_at([closing], utc(2026, 6, 1, 12)) is None


def test_a_window_for_production_leaves_others_free():
    """The default of tier 1 binds neither labs nor staging; without a time zone it's in UTC."""
    window = Window(hours=hours(range(5), 9, 16), production_only=True)
    staging = a_target("stage", environment=Environment.STAGING)

    assert window_closers(window, [staging]) == ()
    (closing,) = window_closers(window, [staging, a_target("eu")])
    assert opens_at([closing], utc(2026, 6, 1, 8)) == utc(2026, 6, 1, 9)


@pytest.mark.parametrize(
    ("window", "said"),
    [
        (OFFICE, "Mon-Thu 09:00-16:00, Fri 09:00-12:00"),
        (NIGHTS, "Sat-Sun 22:00-02:30"),
        (WITH_HOLIDAYS, "Mon-Sun 20:00-06:00, no holidays"),
        (Window(hours=hours([0, 2], 0, 24)), "Mon 00:00-24:00, Wed 00:00-24:00"),
    ],
)
def test_a_window_is_told_in_few_words(window, said):
    """As people say it, runs of days together."""
    assert describe(window) == said


WORKING = Window(hours=hours(range(5), 9, 17), holidays=Holidays(country="DE"))


@pytest.mark.parametrize(
    ("since", "ends"),
    [
        # A Wednesday in winter: the whole day lies ahead, then its first minute is missed.
        (utc(2026, 3, 11, 8), utc(2026, 3, 11, 16)),
        (utc(2026, 3, 11, 8, 1), utc(2026, 3, 12, 16)),
        # Over a weekend, into summer time, and over Easter.
        (utc(2026, 3, 27, 10), utc(2026, 3, 30, 15)),
        (utc(2026, 4, 2, 12), utc(2026, 4, 7, 15)),
    ],
)
def test_a_working_day_is_whole_or_none(since, ends):
    """From its first hour to its last, in local time, and no holiday."""
    just = timedelta(microseconds=1)

    before = working_day_missing(WORKING, [a_target("eu", BERLIN)], since, ends - just)
    after = working_day_missing(WORKING, [a_target("eu", BERLIN)], since, ends)

    assert before == (
        "eu: no whole working day yet, Mon-Fri 09:00-17:00, no holidays (Europe/Berlin)",
        ends,
    )
    assert after == ("", None)


def test_every_target_has_to_have_had_its_own_day():
    """The last of them is waited for; one whose time isn't known has none."""
    targets = [a_target("eu", BERLIN), a_target("us", "America/New_York")]
    since = utc(2026, 6, 1, 6)

    early, by = working_day_missing(WORKING, targets, since, utc(2026, 6, 1, 16))
    lost = working_day_missing(
        WORKING, [*targets, a_target("moon", "Moon/Base")], since, utc(2026, 7, 1)
    )

    assert early.startswith("us: no whole working day yet")
    assert by == utc(2026, 6, 1, 21)
    assert working_day_missing(WORKING, targets, since, utc(2026, 6, 1, 21)) == ("", None)
    assert lost[0].startswith("moon: ") and lost[1] is None


def test_a_working_day_in_a_repeated_hour_is_all_of_it():
    """Hours that the clock shows twice are seen twice before the day has been seen."""
    sunday = Window(hours=hours([6], 1, 2.5))

    missing, by = working_day_missing(
        sunday, [a_target("eu", BERLIN)], utc(2026, 10, 24), utc(2026, 10, 25, 1, 15)
    )

    assert missing and by == utc(2026, 10, 25, 1, 30)
