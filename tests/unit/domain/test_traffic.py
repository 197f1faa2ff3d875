"""Traffic by hour of the week: what past hours amount to, and what they let expect."""

from datetime import UTC, datetime, timedelta

import pytest

from tidegate.domain.plan.traffic import (
    HOUR,
    HOURS_OF_WEEK,
    Split,
    TrafficHour,
    TrafficProfile,
    flat_profile,
    hour_of_week,
    profile_of,
    served,
    time_to_serve,
)
from tidegate.domain.quantities import TargetName

MONDAY = datetime(2030, 1, 7, tzinfo=UTC)


def an_hour(
    index: int,
    requests: int,
    *,
    bad: int = 0,
    people: int | None = None,
    watched: timedelta = HOUR,
    week: int = 0,
) -> TrafficHour:
    return TrafficHour(
        target=TargetName("eu"),
        hour=MONDAY + index * HOUR + week * timedelta(weeks=1),
        watched=watched,
        requests=requests,
        bad=bad,
        people=people,
    )


def a_day_and_a_night() -> TrafficProfile:
    """Return a profile of 10 requests/s by day (8 to 20 o'clock UTC) and 1 by night."""
    speeds = tuple(10.0 if 8 <= hour % 24 < 20 else 1.0 for hour in range(HOURS_OF_WEEK))
    return TrafficProfile(
        requests_per_second=speeds,
        error_rate=(0.01,) * HOURS_OF_WEEK,
        people_per_hour=tuple(60.0 * speed for speed in speeds),
        hours_known=HOURS_OF_WEEK,
    )


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (MONDAY, 0),
        (MONDAY + timedelta(days=6, hours=23, minutes=59), 167),
        (datetime.fromisoformat("2030-01-07T01:30:00+02:00"), 167),
    ],
)
def test_the_week_begins_on_monday_in_utc(at: datetime, expected: int) -> None:
    """Wherever the clock of whoever asks stands."""
    assert hour_of_week(at) == expected


def test_hours_of_several_weeks_are_averaged_by_the_time_watched() -> None:
    """An hour of which ten minutes were watched weighs a sixth, and isn't taken for a quiet one."""
    profile = profile_of(
        [
            an_hour(9, 36_000),
            an_hour(9, 12_000, watched=timedelta(minutes=10), week=1),
        ]
    )

    assert profile is not None
    assert profile.requests_per_second[9] == pytest.approx(48_000 / 4_200)
    assert profile.hours_known == 1


def test_hours_that_were_never_seen_take_the_mean_and_are_counted() -> None:
    """A guess is known to be one."""
    profile = profile_of([an_hour(9, 36_000, people=500), an_hour(10, 3_600, people=100)])

    assert profile is not None
    assert profile.requests_per_second[9:12] == pytest.approx((10.0, 1.0, 5.5))
    assert profile.people_per_hour is not None
    assert profile.people_per_hour[9:12] == (500.0, 100.0, 300.0)
    assert profile.hours_known == 2


def test_a_quiet_hour_without_an_error_has_not_an_error_rate_of_zero() -> None:
    """With few requests of its own it is drawn to the service's rate."""
    profile = profile_of([an_hour(9, 99_000, bad=100), an_hour(3, 1_000, bad=0)])

    assert profile is not None
    assert profile.error_rate[9] == pytest.approx((100 + 1) / 100_000)
    assert profile.error_rate[3] == pytest.approx(1 / 2_000)
    assert profile.error_rate[50] == pytest.approx(0.001)


def test_nothing_seen_is_no_profile() -> None:
    """Nothing is made of nothing, nor of people who were counted without any time watched."""
    assert profile_of([]) is None
    assert profile_of([an_hour(9, 0, people=4, watched=timedelta(0))]) is None


def test_what_is_served_follows_the_hours() -> None:
    """From 19:30 on: half an hour of day, an hour of night; a tenth to the candidate."""
    splits = [Split(profile=a_day_and_a_night(), share=0.1)]

    found = served(splits, MONDAY + timedelta(hours=19, minutes=30), timedelta(minutes=90))

    assert found.candidate_requests == pytest.approx(0.1 * (10 * 1_800 + 1 * 3_600))
    assert found.baseline_requests == pytest.approx(0.9 * (10 * 1_800 + 1 * 3_600))
    assert found.candidate_share == pytest.approx(0.1)
    assert found.error_rate == pytest.approx(0.01)
    assert found.people == pytest.approx(0.1 * (600 * 0.5 + 60))


def test_the_time_to_serve_is_the_inverse_of_what_is_served() -> None:
    """By night it takes ten times as long."""
    splits = [Split(profile=a_day_and_a_night(), share=0.5)]
    begin = MONDAY + timedelta(hours=19, minutes=30)
    length = timedelta(hours=13, minutes=7)

    requests = served(splits, begin, length).candidate_requests
    found = time_to_serve(splits, requests, begin, timedelta(weeks=1))

    assert found is not None
    assert abs(found - length) < timedelta(seconds=1)


def test_the_time_to_serve_has_an_end() -> None:
    """What takes longer than one is ready to wait has no time; nothing takes none."""
    splits = [Split(profile=flat_profile(1.0, 0.0), share=0.5)]

    assert time_to_serve(splits, 1_801, MONDAY, HOUR) is None
    assert time_to_serve(splits, 1_800, MONDAY, HOUR) == HOUR
    assert time_to_serve(splits, 0, MONDAY, HOUR) == timedelta(0)
    assert time_to_serve([], 1, MONDAY, HOUR) is None


def test_targets_with_different_shares_add_up() -> None:
    """The share over all is that of the requests, not of the targets."""
    splits = [
        Split(profile=flat_profile(9.0, 0.0), share=0.5),
        Split(profile=flat_profile(1.0, 0.1), share=0.1),
    ]

    found = served(splits, MONDAY, HOUR)

    assert found.candidate_share == pytest.approx((4.5 + 0.1) / 10)
    assert found.error_rate == pytest.approx(0.01)
    assert found.people is None
