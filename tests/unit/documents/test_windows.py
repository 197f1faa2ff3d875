"""Windows as they are written: what they stand for, what is refused and with which fix, and back."""

import json
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from tidegate.documents.canonical import canonical_json
from tidegate.documents.recurrence import parse_rule
from tidegate.documents.resolved import from_document, to_document
from tidegate.documents.service_file import ResolvedService, read_service
from tidegate.documents.windows import TIER_1_WINDOW, parse_days, parse_hours
from tidegate.domain.calendar.windows import (
    DayHours,
    ExceptionBudget,
    Holidays,
    Recurrence,
    Window,
    describe,
)
from tidegate.errors import InvalidDocumentError

HOUR = timedelta(hours=1)
SERVICE = """\
version: 1
service: shop
owner: team-shop
tier: TIER
workload:
  driver: process
  package: shop
  run: shop --port {port}
  probe: {http: /healthz}
  traffic: {driver: envoy, listen: "127.0.0.1:8080", internal: "header:x-internal=1"}
targets:
  - {name: eu, ring: first, timezone: ZONE, environment: ENVIRONMENT}
health:
  source: openmetrics
  signals: [{name: errors, kind: errors}]
plan:
  WINDOW
  phases:
    - {name: us, traffic: internal, bake: 1h}
    - {name: few, traffic: 5%, bake: 2h}
    - {name: more, traffic: 25%, bake: 2hPHASE}
    - {name: all, bake: 8h}
"""


def read(
    window: str = "",
    *,
    phase: str = "",
    tier: int = 2,
    zone: str = "Europe/Berlin",
    environment: str = "production",
) -> ResolvedService:
    text = (
        SERVICE.replace("TIER", str(tier))
        .replace("ZONE", zone)
        .replace("ENVIRONMENT", environment)
        .replace("  WINDOW\n", f"  {window}\n" if window else "")
        .replace("2hPHASE", f"2h{phase}")
    )
    return read_service(text, file="tidegate.yaml", base_dir=Path("/srv"))


def windows(resolved: ResolvedService) -> list[Window | None]:
    return [phase.window for phase in resolved.spec.plan.phases]


def test_a_plan_s_window_holds_for_phases_without_one_of_their_own() -> None:
    """`none` takes it off one phase, another window takes its place."""
    office = 'window: {days: mon-fri, hours: "09:00-16:00", fri_until: "12:00"}'

    plain = windows(read(office))
    without = windows(read(office, phase=", window: none"))
    own = windows(read(office, phase=", window: {days: tue}"))

    assert [describe(one) for one in plain if one] == ["Mon-Thu 09:00-16:00, Fri 09:00-12:00"] * 4
    assert [one is None for one in without] == [False, False, True, False]
    assert own[2] is not None and describe(own[2]) == "Tue 00:00-24:00"


def test_tier_1_keeps_working_hours_in_production_where_nothing_is_written() -> None:
    """Not Fri 12:00 to Mon 09:00 nor 18:00 to 08:00; labs, staging and other tiers are free."""
    assert describe(TIER_1_WINDOW) == "Mon 09:00-18:00, Tue-Thu 08:00-18:00, Fri 08:00-12:00"
    assert windows(read(tier=1)) == [TIER_1_WINDOW] * 4
    assert windows(read(tier=1, environment="staging")) == [None] * 4
    assert windows(read(tier=1, window="window: none")) == [None] * 4
    assert windows(read(tier=2)) == [None] * 4
    assert windows(read(tier=1, window="window: {days: sat}")) != [TIER_1_WINDOW] * 4


def test_everything_of_a_window_is_kept() -> None:
    """Hours, recurrences, holidays and the budget of exceptions, as they were written."""
    by_hours = read(
        'window: {days: "mon, wed", hours: "22:00-02:00, 09:00-12:00", holidays: {country: DE,'
        ' subdivision: BE, dates: ["2026-12-31", "2026-12-24"]}, exceptions: {budget: 1, per: 7d}}'
    )
    by_rule = read(
        "window: {rrule: freq=weekly;byday=TU;interval=2;byhour=10, for: 4h,"
        ' starting: "2026-01-06T00:00"}'
    )

    assert windows(by_hours)[0] == Window(
        hours=tuple(
            DayHours(weekday=day, begins=begins * HOUR, ends=ends * HOUR)
            for day in (0, 2)
            for begins, ends in ((22, 26), (9, 12))
        ),
        holidays=Holidays(
            country="DE", subdivision="BE", dates=(date(2026, 12, 24), date(2026, 12, 31))
        ),
    )
    assert by_hours.spec.plan.exceptions == ExceptionBudget(count=1, per=timedelta(days=7))
    assert windows(by_rule)[0] == Window(
        recurrence=Recurrence(
            rule="FREQ=WEEKLY;BYDAY=TU;INTERVAL=2;BYHOUR=10",
            starting="2026-01-06T00:00",
            lasts=4 * HOUR,
        )
    )


@pytest.mark.parametrize(
    "window",
    [
        "",
        "window: none",
        'window: {days: mon-fri, hours: "09:00-16:00", fri_until: "12:00"}',
        'window: {days: sat-mon, hours: "22:00-00:00,00:00-24:00"}',
        'window: {hours: "22:30-02:15", holidays: {dates: ["2026-12-24"]}}',
        "window: {days: sun, exceptions: {budget: 0}}",
        "window: {rrule: FREQ=MONTHLY;BYDAY=-1FR, for: 90m, holidays: {country: US}}",
    ],
)
@pytest.mark.parametrize("tier", [1, 2])
def test_the_resolved_document_reads_back_to_the_same_window(window: str, tier: int) -> None:
    """Through the text that is hashed and sent, so what was looked at is what is run."""
    spec = read(window, tier=tier).spec

    document = json.loads(canonical_json(to_document(spec)))

    assert from_document(document) == spec


def test_a_window_is_part_of_what_is_hashed_and_none_changes_nothing() -> None:
    """Two windows are two plans; a service without one has the digest that it always had."""
    digests = {
        read(window).digest
        for window in ("", "window: {days: mon}", "window: {days: tue}", "window: {days: mon-tue}")
    }

    assert len(digests) == 4
    assert read("window: none").digest == read("").digest
    assert "window" not in json.dumps(to_document(read("").spec))


@pytest.mark.parametrize(
    ("written", "days"),
    [
        ("mon-fri", (0, 1, 2, 3, 4)),
        ("sat-mon", (0, 5, 6)),
        ("mon,wed", (0, 2)),
        ("mon-tue, thu, sun-sun", (0, 1, 3, 6)),
        ("mon-sun", (0, 1, 2, 3, 4, 5, 6)),
    ],
)
def test_days_are_written_as_people_do(written: str, days: tuple[int, ...]) -> None:
    """Ranges go over the end of the week."""
    assert parse_days(written) == days


def test_hours_may_end_at_midnight_or_after_it() -> None:
    """24:00 is the end of the day; what ends before it begins ends on the next day."""
    assert parse_hours("22:00-24:00") == parse_hours("22:00-00:00") == ((22 * HOUR, 24 * HOUR),)
    assert parse_hours("22:00-06:30") == ((22 * HOUR, 30.5 * HOUR),)


@pytest.mark.parametrize(
    ("window", "said"),
    [
        ("window: {}", "doesn't say when it is open"),
        ("window: {holidays: {country: DE}}", "doesn't say when it is open"),
        ("window: sometimes", "a window is a mapping, or none"),
        ("window: [mon]", "mapping"),
        ("window: {days: monday}", "days of the week are needed"),
        ("window: {days: 1}", "days of the week are needed"),
        ('window: {hours: "9-16"}', "hours of the day are needed"),
        ('window: {hours: "09:00-25:00"}', "hours of the day are needed"),
        ('window: {hours: "09:00-09:00"}', "is no time of a day"),
        ('window: {hours: "24:00-09:00"}', "is no time of a day"),
        ('window: {days: mon-thu, fri_until: "12:00"}', "isn't open on fri"),
        ('window: {days: fri, hours: "13:00-16:00", fri_until: "12:00"}', "is never open"),
        ('window: {days: fri, fri_until: "noon"}', "a time of day is needed"),
        ("window: {days: mon, for: 4h}", "`for` belongs to an rrule"),
        ('window: {days: mon, starting: "2026-01-05T09:00"}', "`starting` belongs to an rrule"),
        ("window: {rrule: FREQ=DAILY, days: mon, for: 4h}", "exclude one another"),
        ("window: {rrule: FREQ=DAILY}", "not for how long"),
        ("window: {rrule: FREQ=DAILY, for: 8d}", "not for how long"),
        ("window: {rrule: FREQ=DAILY;INTERVAL=3, for: 4h}", "counted from somewhere"),
        ("window: {rrule: FREQ=DAILY;COUNT=3, for: 4h}", "COUNT=3 has no place"),
        ("window: {rrule: FREQ=DAILY;UNTIL=20300101, for: 4h}", "UNTIL=20300101 has no place"),
        ("window: {rrule: FREQ=HOURLY, for: 4h}", "isn't a part of an RRULE"),
        ("window: {rrule: BYDAY=MO, for: 4h}", "says how often: FREQ"),
        ("window: {rrule: FREQ=DAILY;BYDAY=MO, for: 4h}", "BYDAY picks days of a week"),
        ("window: {rrule: FREQ=WEEKLY;BYDAY=2MO, for: 4h}", "a week has each day once"),
        ("window: {rrule: FREQ=WEEKLY;BYMONTHDAY=2, for: 4h}", "means nothing with FREQ=WEEKLY"),
        ("window: {rrule: FREQ=DAILY;BYHOUR=24, for: 4h}", "out of range"),
        ("window: {rrule: FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30, for: 4h}", "never comes true"),
        ("window: {rrule: FREQ=DAILY;FREQ=DAILY, for: 4h}", "has no place"),
        (
            'window: {rrule: "FREQ=DAILY;BYHOUR=1,2,3,4,5,6,7;BYMINUTE=0,15,30,45", for: 4h}',
            "at most 24 times a day",
        ),
        (
            'window: {rrule: FREQ=DAILY, for: 4h, starting: "2026-02-30T09:00"}',
            "starts at a local time",
        ),
        ("window: {days: mon, holidays: {country: XX}}", "no holidays are known"),
        ("window: {days: mon, holidays: {country: de}}", "no holidays are known"),
        ("window: {days: mon, holidays: {country: DE, subdivision: CA}}", "take one of: "),
        ("window: {days: mon, holidays: {subdivision: BE}}", "of which country"),
        ('window: {days: mon, holidays: {dates: ["2026-02-30"]}}', "a day is needed"),
        ("window: {days: mon, exceptions: {budget: -1}}", "must be at least 0"),
        ("window: {days: mon, exceptions: {per: 30d}}", "budget"),
        ("window: {days: mon, weeks: 2}", "known here: days, hours"),
    ],
)
def test_what_could_be_meant_otherwise_is_refused(window: str, said: str) -> None:
    """With its line and a fix; no such window is taken for one that is open, or closed."""
    with pytest.raises(InvalidDocumentError) as caught:
        read(window)

    text = f"{caught.value} {caught.value.hint}"
    assert said in text
    assert "tidegate.yaml:17:" in text
    assert "fix: " in text


def test_a_working_day_has_the_hours_of_the_window_and_its_holidays() -> None:
    """Nine to five from Monday to Friday where no window says others; an RRULE has none to take."""
    cover = ", cover: business-day"

    plain = read(phase=cover).spec.plan.phases[2]
    office = read(
        'window: {days: mon-thu, hours: "10:00-16:00", holidays: {country: DE}}', phase=cover
    )
    rule = read("window: {rrule: FREQ=DAILY, for: 4h, holidays: {country: DE}}", phase=cover)

    assert plain.working_day is not None
    assert describe(plain.working_day) == "Mon-Fri 09:00-17:00"
    kept = office.spec.plan.phases[2].working_day
    assert kept is not None and describe(kept) == "Mon-Thu 10:00-16:00, no holidays"
    by_rule = rule.spec.plan.phases[2].working_day
    assert by_rule is not None and describe(by_rule) == "Mon-Fri 09:00-17:00, no holidays"
    assert [one.working_day for one in office.spec.plan.phases[:2]] == [None, None]
    for resolved in (office, rule, read(phase=cover)):
        assert (
            from_document(json.loads(canonical_json(to_document(resolved.spec)))) == resolved.spec
        )


def test_what_covers_nothing_known_is_refused() -> None:
    """A zone that nobody knows has no working day; another word than business-day has no meaning."""
    with pytest.raises(InvalidDocumentError, match="no time zone"):
        read(phase=", cover: business-day", zone="Europe/Atlantis")
    with pytest.raises(InvalidDocumentError, match="cover"):
        read(phase=", cover: weekend")


def test_a_phase_s_window_has_no_budget_of_its_own() -> None:
    """A budget per phase would be as many budgets as there are phases."""
    with pytest.raises(InvalidDocumentError, match="exceptions"):
        read(phase=", window: {days: mon, exceptions: {budget: 9}}")


def test_a_time_zone_that_is_not_known_is_refused_where_a_window_binds() -> None:
    """Else it would be found out by a rollout that waits for ever."""
    with pytest.raises(InvalidDocumentError, match="no time zone"):
        read("window: {days: mon}", zone="Europe/Atlantis")

    assert read(zone="Europe/Atlantis").spec.plan.phases[0].window is None


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"hours": {}},
        {"hours": {"mon": "09:00-16:00"}, "rrule": {}},
        {"hours": {"mon": "9-16"}},
        {"hours": {"monday": "09:00-16:00"}},
        {"rrule": {"rule": "FREQ=SECONDLY", "starting": "2024-01-01T00:00", "for": "4h"}},
        {"rrule": {"rule": "FREQ=DAILY", "starting": "2024-01-01T00:00", "for": "0s"}},
        {"rrule": {"rule": "FREQ=DAILY", "starting": "2024-01-01T00:00", "for": "300d"}},
        {
            "rrule": {
                "rule": "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
                "starting": "2024-01-01T00:00",
                "for": "4h",
            }
        },
        {"hours": {"mon": "09:00-16:00"}, "holidays": {"country": "XX"}},
        {"hours": {"mon": "09:00-16:00"}, "holidays": {"country": "DE", "subdivision": "CA"}},
        {"hours": {"mon": "09:00-16:00"}, "production_only": "yes"},
    ],
)
def test_a_resolved_window_from_outside_is_read_as_strictly(broken: dict[str, Any]) -> None:
    """What no file resolves to isn't run, whoever sends it."""
    document = to_document(read().spec)
    document["plan"]["phases"][0]["window"] = broken

    with pytest.raises(InvalidDocumentError):
        from_document(document)


def test_a_phase_that_moves_no_production_target_has_no_default_window() -> None:
    """A window that binds nothing isn't shown as one."""
    spec = read(tier=1).spec
    staging = replace(spec.plan.phases[0], window=None)

    assert windows(read(tier=1, environment="lab"))[0] == staging.window


@pytest.mark.parametrize("written", [None, 3, "", "X" * 301, "FREQ", "FREQ=DAILY;"])
def test_what_is_no_rule_is_refused_and_never_guessed(written: object) -> None:
    """Whatever it is; an error names the way to write one."""
    with pytest.raises(ValueError, match=r"RRULE"):
        parse_rule(written)
