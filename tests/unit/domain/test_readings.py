"""What happened between two measurements, or why that can't be said: nothing is ever guessed."""

import math
from dataclasses import replace
from datetime import timedelta

import pytest

from tidegate.domain.health.readings import (
    ArmTick,
    Gap,
    Quality,
    Reading,
    SeriesCounts,
    Tick,
    difference,
)
from tidegate.domain.quantities import Arm
from tidegate.testing.builders import START

LATER = START + timedelta(seconds=10)


def a_reading(at=START, *, candidate=None, baseline=None, bounds=()):
    """Return a reading with one series `a` per arm, unless an arm's series are given."""
    return Reading(
        at=at,
        arms={
            Arm.CANDIDATE: {"a": SeriesCounts(total=10.0, bad=1.0)}
            if candidate is None
            else candidate,
            Arm.BASELINE: {"a": SeriesCounts(total=100.0, bad=2.0)}
            if baseline is None
            else baseline,
        },
        bounds=bounds,
    )


def counts(total, bad=0.0, buckets=()):
    return {"a": SeriesCounts(total=total, bad=bad, buckets=buckets)}


def test_two_good_readings_make_a_tick():
    """A tick holds what each arm did in between, and when."""
    before = a_reading()
    now = a_reading(LATER, candidate=counts(15.0, 3.0), baseline=counts(200.0, 2.0))

    tick = difference(before, now, needs_baseline=True)

    assert tick == Tick(
        begin=START,
        end=LATER,
        candidate=ArmTick(total=5, bad=2),
        baseline=ArmTick(total=100, bad=0),
    )


def test_several_series_of_an_arm_add_up():
    """Members of an arm count together."""
    before = a_reading(candidate={"a": SeriesCounts(total=1.0), "b": SeriesCounts(total=10.0)})
    now = a_reading(
        LATER, candidate={"a": SeriesCounts(total=3.0), "b": SeriesCounts(total=15.0, bad=1.0)}
    )

    tick = difference(before, now, needs_baseline=True)

    assert isinstance(tick, Tick)
    assert tick.candidate == ArmTick(total=7, bad=1)


def test_a_new_series_counts_from_its_first_sight():
    """What a series counted before it was seen happened at another time, and isn't this tick's."""
    before = a_reading()
    now = a_reading(
        LATER,
        candidate={"a": SeriesCounts(total=12.0, bad=1.0), "new": SeriesCounts(total=900.0)},
    )

    tick = difference(before, now, needs_baseline=True)

    assert isinstance(tick, Tick)
    assert tick.candidate == ArmTick(total=2, bad=0)


def test_a_series_that_went_away_takes_nothing_with_it():
    """A member that ended doesn't make the counts of the others negative."""
    before = a_reading(candidate={"a": SeriesCounts(total=10.0), "b": SeriesCounts(total=500.0)})
    now = a_reading(LATER, candidate={"a": SeriesCounts(total=14.0)})

    tick = difference(before, now, needs_baseline=True)

    assert isinstance(tick, Tick)
    assert tick.candidate == ArmTick(total=4, bad=0)


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (counts(100.0, 5.0), counts(7.0, 2.0)),
        (counts(100.0, 5.0), counts(120.0, 2.0)),
    ],
    ids=["fewer in all", "fewer bad"],
)
def test_a_restarted_series_counts_from_zero_again(before, now):
    """A process that restarted began at zero: what it counted since is what happened."""
    tick = difference(
        a_reading(candidate=before), a_reading(LATER, candidate=now), needs_baseline=True
    )

    assert isinstance(tick, Tick)
    assert tick.candidate == ArmTick(total=round(now["a"].total), bad=round(now["a"].bad))


def test_a_histogram_is_subtracted_bucket_by_bucket():
    """Buckets are per bucket, not piled up, and the last is everything beyond the last bound."""
    before = a_reading(
        candidate=counts(6.0, buckets=(1.0, 2.0, 3.0)),
        baseline=counts(3.0, buckets=(1.0, 1.0, 1.0)),
        bounds=(10.0, 100.0),
    )
    now = a_reading(
        LATER,
        candidate=counts(12.0, buckets=(4.0, 4.0, 4.0)),
        baseline=counts(3.0, buckets=(1.0, 1.0, 1.0)),
        bounds=(10.0, 100.0),
    )

    tick = difference(before, now, needs_baseline=True)

    assert isinstance(tick, Tick)
    assert tick.candidate == ArmTick(total=6, bad=0, buckets=(3, 2, 1))
    assert tick.bounds == (10.0, 100.0)


def test_a_restarted_histogram_counts_from_zero_again():
    """A restart is seen by any count that went back, a bucket too, however busy the new process is."""
    before = a_reading(
        candidate=counts(6.0, buckets=(4.0, 2.0)),
        baseline=counts(1.0, buckets=(1.0, 0.0)),
        bounds=(10.0,),
    )
    now = a_reading(
        LATER,
        candidate=counts(8.0, buckets=(1.0, 7.0)),
        baseline=counts(1.0, buckets=(1.0, 0.0)),
        bounds=(10.0,),
    )

    tick = difference(before, now, needs_baseline=True)

    assert isinstance(tick, Tick)
    assert tick.candidate == ArmTick(total=8, bad=0, buckets=(1, 7))


def test_a_bucket_that_went_back_in_one_series_is_not_hidden_by_another():
    """Series are compared one by one: a restart of one member isn't evened out by the others."""
    before = a_reading(
        candidate={
            "a": SeriesCounts(total=10.0, buckets=(10.0, 0.0)),
            "b": SeriesCounts(total=10.0, buckets=(0.0, 10.0)),
        },
        baseline=counts(1.0, buckets=(1.0, 0.0)),
        bounds=(10.0,),
    )
    now = a_reading(
        LATER,
        candidate={
            "a": SeriesCounts(total=10.0, buckets=(5.0, 5.0)),
            "b": SeriesCounts(total=30.0, buckets=(20.0, 10.0)),
        },
        baseline=counts(1.0, buckets=(1.0, 0.0)),
        bounds=(10.0,),
    )

    tick = difference(before, now, needs_baseline=True)

    assert isinstance(tick, Tick)
    assert tick.candidate == ArmTick(total=30, bad=0, buckets=(25, 5))


@pytest.mark.parametrize("arm", list(Arm))
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("field", ["total", "bad"])
def test_what_is_not_a_number_is_never_counted(arm, value, field):
    """NaN and infinity hold the rollout, in either arm and either count."""
    now = a_reading(LATER)
    now.arms[arm] = {"a": replace(now.arms[arm]["a"], **{field: value})}

    gap = difference(a_reading(), now, needs_baseline=True)

    assert isinstance(gap, Gap)
    assert gap.quality is Quality.NOT_A_NUMBER
    assert arm.value in gap.why


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("field", ["total", "bad"])
def test_a_tick_is_not_made_from_a_reading_before_that_was_not_a_number(value, field):
    """The reading after NaN can't be subtracted from: it is a gap too, not an error and not a count."""
    before = a_reading(candidate={"a": replace(counts(10.0, 1.0)["a"], **{field: value})})

    gap = difference(before, a_reading(LATER), needs_baseline=True)

    assert isinstance(gap, Gap)
    assert gap.quality is Quality.NOT_A_NUMBER


@pytest.mark.parametrize(
    "now",
    [counts(-1.0), counts(20.0, -1.0), counts(5.0, 6.0)],
    ids=["negative", "negative bad", "more bad than all"],
)
def test_numbers_that_cannot_be_true_together_are_contradictory(now):
    """A count below zero, or more bad requests than requests, is never taken for data."""
    gap = difference(a_reading(), a_reading(LATER, candidate=now), needs_baseline=True)

    assert isinstance(gap, Gap)
    assert gap.quality is Quality.CONTRADICTORY


def test_more_bad_than_all_within_a_tick_is_contradictory():
    """The totals may each be possible and their growth not."""
    now = a_reading(LATER, candidate=counts(11.0, 5.0))

    gap = difference(a_reading(), now, needs_baseline=True)

    assert isinstance(gap, Gap)
    assert gap.quality is Quality.CONTRADICTORY
    assert gap.why == "candidate: 4 bad of 1 in one tick"


@pytest.mark.parametrize("seconds", [0, -5])
def test_a_reading_that_is_not_newer_is_stale(seconds):
    """The same measurement twice, or an older one, says nothing new."""
    gap = difference(
        a_reading(), a_reading(START + timedelta(seconds=seconds)), needs_baseline=True
    )

    assert isinstance(gap, Gap)
    assert gap.quality is Quality.STALE


@pytest.mark.parametrize("arm", list(Arm))
@pytest.mark.parametrize("absent", ["no arm", "no series"])
def test_an_arm_without_series_is_missing(arm, absent):
    """Not there isn't zero."""
    now = a_reading(LATER)
    if absent == "no arm":
        del now.arms[arm]
    else:
        now.arms[arm] = {}

    gap = difference(a_reading(), now, needs_baseline=True)

    assert gap == Gap(quality=Quality.MISSING, why=f"no series for the {arm.value}")


def test_a_baseline_is_not_missed_where_there_is_none():
    """Where the candidate serves everyone, only the candidate is read."""
    now = a_reading(LATER, candidate=counts(30.0, 1.0), baseline={})

    tick = difference(a_reading(), now, needs_baseline=False)

    assert isinstance(tick, Tick)
    assert tick.candidate == ArmTick(total=20, bad=0)
    assert tick.baseline == ArmTick(total=0)


def test_a_histogram_with_other_buckets_is_contradictory():
    """Counts of other buckets can't be subtracted."""
    before = a_reading(candidate=counts(1.0, buckets=(1.0, 0.0)), bounds=(10.0,))
    now = a_reading(LATER, candidate=counts(1.0, buckets=(1.0, 0.0)), bounds=(20.0,))

    gap = difference(before, now, needs_baseline=True)

    assert gap == Gap(quality=Quality.CONTRADICTORY, why="the histogram's buckets changed")


@pytest.mark.parametrize("buckets", [(), (1.0,), (1.0, 2.0, 3.0)])
def test_a_series_without_the_reading_s_buckets_is_contradictory(buckets):
    """A source that mixes histograms holds its rollout and stops nobody else's watch."""
    good = counts(6.0, buckets=(4.0, 2.0))
    before = a_reading(candidate=good, baseline=good, bounds=(10.0,))
    now = a_reading(LATER, candidate=counts(9.0, buckets=buckets), baseline=good, bounds=(10.0,))

    gap = difference(before, now, needs_baseline=True)

    assert isinstance(gap, Gap)
    assert gap.quality is Quality.CONTRADICTORY
