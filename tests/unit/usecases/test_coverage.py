"""From uses per cell to what a phase still has to see: counting, hours, and words."""

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tidegate.domain.health.coverage import (
    MOST_CELLS,
    CellCount,
    CoverageState,
    begin_phase,
    fold,
    missing_reasons,
)
from tidegate.domain.plan.model import CoverageSpec
from tidegate.usecases.coverage import cell_counts, coverage_evidence, is_zone, time_to_fill

MONDAY = datetime(2030, 1, 7, tzinfo=UTC)
TICK = timedelta(minutes=10)
SPEC = CoverageSpec(
    by=("region", "client"),
    smallest_cell=0.001,
    smallest_failure=0.01,
    share=0.99,
    unseen=0.01,
    busy_hours=0,
    timezone_label=None,
    source="memory",
)
BY_ZONE = replace(SPEC, by=("tz", "client"), busy_hours=2, timezone_label="tz")
FILLED = (("eu | web", 5_000, 90_000), ("eu | ios", 400, 9_000), ("us | web", 300, 1_000))


def seen(*counts, spec=SPEC, at=MONDAY, zone=None, state=None, ticks=1, by=TICK):
    """Return the state after *ticks* ticks of the same counts, *by* after each other."""
    state = state or CoverageState()
    for index in range(ticks):
        cells = cell_counts(spec, counts, at=at + by * (index + 1), target_zone=zone)
        state = fold(state, cells, looked=by, baked=by)
    return state


def missing(state, spec=SPEC):
    return missing_reasons(coverage_evidence(spec, state), spec)


# --- cells -----------------------------------------------------------------------------------


def test_what_was_met_often_enough_is_covered():
    """Every kind of use that matters had its 300 uses: nothing is missing."""
    state = seen(*FILLED)

    found = coverage_evidence(SPEC, state)

    assert (found.cells, found.covered, found.uses_needed) == (3, 3, 300)
    assert found.covered_share == 1.0
    assert found.missing == ()
    assert missing(state) == ()


def test_a_kind_that_was_met_too_rarely_is_named():
    """Phones were met 40 times of 300: that is what the bake waits for."""
    state = seen(FILLED[0], ("eu | ios", 40, 9_000), FILLED[2])

    assert missing(state) == (
        "coverage: kinds of use seen enough hold 91.0% of it, 99.0% is needed"
        " (not yet: eu | ios 40 of 300)",
    )


def test_uses_add_up_over_ticks():
    """Ten ticks of 30 uses are 300."""
    state = seen(("eu | web", 30, 1_000), ticks=9)

    assert "eu | web 270 of 300" in missing(state)[0]
    assert not any(
        "kinds of use seen" in why for why in missing(seen(("eu | web", 30, 1_000), ticks=10))
    )


def test_a_small_kind_may_stay_uncovered():
    """Half a percent of the use that was never met is less than what may be missed."""
    state = seen(FILLED[0], ("us | tv", 0, 400))

    assert missing(state) == ()


def test_what_nothing_is_known_of_is_not_covered():
    """Without use of the baseline nobody can say what kinds there are; not a number never passes."""
    nothing = coverage_evidence(SPEC, CoverageState())
    only_ours = seen(("eu | web", 5_000, 0))
    broken = replace(coverage_evidence(SPEC, seen(*FILLED)), covered_share=math.nan)

    assert missing_reasons(None, SPEC)
    assert missing_reasons(nothing, SPEC)
    assert missing(only_ours)
    assert missing_reasons(broken, SPEC)
    assert missing_reasons(replace(broken, covered_share=1.0, unseen_candidate=math.nan), SPEC)


@pytest.mark.parametrize(("arm", "counts"), [("candidate", (1, 900)), ("baseline", (400, 1))])
def test_too_many_kinds_that_were_met_once_hold(arm, counts):
    """Much of what is met is new: then much of what there is was never met, in either arm."""
    rare = [(f"rare {index}", *counts) for index in range(200)]

    reasons = missing(seen(("eu | web", 9_000, 9_000), *rare))

    assert any(f"of the {arm}'s use may be of kinds never seen" in why for why in reasons)


def test_a_new_phase_knows_the_kinds_but_has_met_none():
    """What the baseline's users do stays known; the candidate has to meet them again."""
    state = begin_phase(seen(*FILLED))

    assert state.cells == tuple((cell, 0, baseline) for cell, _, baseline in sorted(FILLED))
    assert "not yet" in missing(state)[0]
    assert begin_phase(None) == CoverageState()


def test_at_a_hundred_percent_the_shares_of_before_count():
    """Without a baseline beside it, its use in earlier phases says what there is to be met."""
    state = seen(*((cell, 400, 0) for cell, _, _ in FILLED), state=begin_phase(seen(*FILLED)))

    assert coverage_evidence(SPEC, state).covered_share == 1.0


def test_endless_values_are_told_and_not_kept():
    """A label that holds an id would grow for ever, and could never be covered."""
    cells = [
        CellCount(cell=f"{n}", zone="UTC", hour=1, candidate=9, baseline=9) for n in range(7_000)
    ]

    state = fold(CoverageState(), cells, looked=TICK, baked=TICK)

    assert len(state.cells) == MOST_CELLS
    assert "must have fewer values" in missing(state)[0]


# --- hours -----------------------------------------------------------------------------------


def hours(state, spec=BY_ZONE):
    return {zone.zone: zone for zone in coverage_evidence(spec, state).zones}


@pytest.mark.parametrize(
    ("zone", "at", "hour"),
    [
        ("Europe/Paris", MONDAY + timedelta(hours=12), 13),
        ("Asia/Kolkata", MONDAY + timedelta(hours=12), 17),
        ("America/New_York", MONDAY + timedelta(hours=3), 22),
        (None, MONDAY + timedelta(hours=12), 12),
        ("Europe/Nowhere", MONDAY, None),
        ("", MONDAY, 0),
        ("../../etc/passwd", MONDAY, None),
    ],
)
def test_each_use_is_counted_at_the_hour_that_it_is_there(zone, at, hour):
    """An unknown name has no hours, and no name is UTC."""
    (count,) = cell_counts(SPEC, [("eu | web", 1, 1)], at=at, target_zone=zone)

    assert count.hour == hour


def test_a_label_may_tell_the_time_zone_of_the_user():
    """What is asleep here is awake elsewhere."""
    counts = [("Europe/Paris | web", 9, 9), ("Asia/Tokyo | web", 9, 9)]

    found = cell_counts(BY_ZONE, counts, at=MONDAY, target_zone="UTC")

    assert [(count.zone, count.hour) for count in found] == [("Europe/Paris", 1), ("Asia/Tokyo", 9)]


def test_a_time_zone_must_have_been_busy_for_as_long_as_asked():
    """From eight in the morning on it counts; two hours later it is enough."""
    uses = ("Europe/Paris | web", 500, 5_000)
    early = seen(uses, spec=BY_ZONE, at=MONDAY, ticks=18)
    morning = seen(uses, spec=BY_ZONE, at=MONDAY + timedelta(hours=6), ticks=18)

    assert hours(early)["Europe/Paris"].busy_for == timedelta(0)
    assert any(
        "0 s of 2 h in the busy hours of Europe/Paris" in why for why in missing(early, BY_ZONE)
    )
    assert hours(morning)["Europe/Paris"].busy_for >= timedelta(hours=2)
    assert missing(morning, BY_ZONE) == ()


def test_a_zone_with_little_use_may_sleep_through_it():
    """Less than one use in twenty doesn't keep everybody waiting."""
    counts = [("Europe/Paris | web", 500, 9_700), ("Asia/Tokyo | web", 400, 300)]

    state = seen(*counts, spec=BY_ZONE, at=MONDAY + timedelta(hours=8), ticks=24)

    assert set(hours(state)) == {"Europe/Paris"}


def test_a_day_of_its_own_says_which_hours_are_busy():
    """Where people use it at night, its nights are what has to be seen."""
    state = CoverageState()
    for index in range(144):
        at = MONDAY + TICK * (index + 1)
        uses = 9_000 if at.hour < 4 else 10
        cells = cell_counts(SPEC, [("eu | web", 500, uses)], at=at, target_zone="UTC")
        state = fold(state, cells, looked=TICK, baked=TICK)

    (zone,) = coverage_evidence(SPEC, state).zones
    assert zone.is_measured
    assert zone.busy_for == timedelta(hours=4)


def test_hours_pass_in_silence_too():
    """Ten quiet minutes at noon are ten minutes at noon."""
    busy = seen(("eu | web", 500, 5_000), at=MONDAY + timedelta(hours=9))
    state = seen(("eu | web", 0, 0), at=MONDAY + timedelta(hours=10), ticks=6, state=busy)

    (zone,) = coverage_evidence(SPEC, state).zones
    assert zone.busy_for == timedelta(minutes=70)


def test_time_that_is_not_baked_is_no_hour_of_the_bake():
    """While it is held its users are seen, but the hours don't count."""
    cells = cell_counts(
        SPEC, [("eu | web", 5, 5)], at=MONDAY + timedelta(hours=9), target_zone=None
    )

    state = fold(CoverageState(), cells, looked=TICK, baked=timedelta(0))

    (zone,) = coverage_evidence(SPEC, state).zones
    assert zone.busy_for == timedelta(0)


def test_a_zone_that_is_not_known_never_passes():
    """Unless hardly anybody is there: one odd header must not hold everyone."""
    strange, few = ("Mars/Olympus | web", 500, 5_000), ("Mars/Olympus | web", 1, 1)
    paris = ("Europe/Paris | web", 500, 5_000)
    morning = {"spec": BY_ZONE, "at": MONDAY + timedelta(hours=7), "ticks": 24}

    reasons = missing(seen(strange, paris, **morning), BY_ZONE)

    assert "coverage: Mars/Olympus is no known time zone" in reasons
    assert missing(seen(few, paris, **morning), BY_ZONE) == ()


def test_only_names_of_the_database_are_zones():
    """Neither paths nor folders of it are."""
    assert is_zone("Europe/Paris")
    assert not any(is_zone(name) for name in ("Europe", "../etc", "/etc/passwd", "", "Nowhere"))


# --- forecast --------------------------------------------------------------------------------


def test_a_phase_that_can_t_fill_is_told_what_would_do():
    """At 1 % the phones need 6 h 15 min; in one hour 6.25 % would do."""
    use = {"eu | web": 98.0, "eu | ios": 4 / 3}
    spec = replace(SPEC, share=1.0)

    found = time_to_fill(spec, use, weight_bps=100, bake=timedelta(hours=1))

    assert found.slowest_cell == "eu | ios"
    assert found.takes == timedelta(hours=6, minutes=15)
    assert found.share_bps == 625


def test_what_never_fills_is_told_so():
    """No use, no exposure, or too little use for any share."""
    use = {"eu | web": 0.01}

    assert time_to_fill(SPEC, {}, weight_bps=100, bake=TICK).takes is None
    assert time_to_fill(SPEC, use, weight_bps=0, bake=TICK).takes is None
    assert time_to_fill(SPEC, use, weight_bps=100, bake=TICK).share_bps is None
