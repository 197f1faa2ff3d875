"""Series that come and go between two readings: what an arm counted isn't known then, and isn't none."""

from datetime import timedelta

import pytest

from tidegate.domain.health.readings import (
    Gap,
    Quality,
    Reading,
    SeriesCounts,
    ticks_by_group,
)
from tidegate.domain.quantities import Arm
from tidegate.testing.builders import START

LATER = START + timedelta(seconds=10)


def series(*names, total, group="", gauge=None):
    """Return series of these names that have counted *total* each."""
    return {name: SeriesCounts(total=total, group=group, gauge=gauge) for name in names}


def readings(candidate, baseline):
    """Return two readings from what each arm had in the first and in the second."""
    return [
        Reading(at=at, arms={Arm.CANDIDATE: ours, Arm.BASELINE: theirs})
        for at, ours, theirs in zip((START, LATER), candidate, baseline, strict=True)
    ]


BASELINE = (series("b", total=100.0), series("b", total=164.0))


@pytest.mark.parametrize("needs_all", [True, False])
@pytest.mark.parametrize("before", [{}, series("old", total=5.0)])
def test_an_arm_whose_series_are_all_new_is_unknown_and_not_idle(before, needs_all):
    """A candidate without a single order beside 64 of the baseline was halted: nobody had counted it."""
    pair = readings((before, series("new", total=16.0)), BASELINE)

    gap = ticks_by_group(*pair, needs_baseline=True, needs_all=needs_all)

    assert gap == Gap(
        quality=Quality.MISSING,
        why="all series of the candidate are new, and count from their next reading on",
    )


def test_so_is_a_baseline_whose_series_are_all_new():
    """Beside it any candidate would look busy."""
    pair = readings(BASELINE, ({}, series("new", total=16.0)))

    gap = ticks_by_group(*pair, needs_baseline=True)

    assert isinstance(gap, Gap)
    assert "of the baseline are new" in gap.why


def test_a_candidate_alone_needs_a_series_that_was_seen_before_as_well():
    """At 100 % it would look as if nobody came any more."""
    pair = readings((series("old", total=9.0), series("new", total=16.0)), ({}, {}))

    assert isinstance(ticks_by_group(*pair, needs_baseline=False), Gap)


def test_the_next_reading_counts():
    """What is new is unknown for one reading."""
    ours = (series("new", total=16.0), series("new", total=30.0))

    (tick,) = ticks_by_group(*readings(ours, BASELINE), needs_baseline=True, needs_all=True)

    assert (tick.candidate.total, tick.baseline.total) == (14, 64)


def test_values_of_a_moment_count_from_their_first_sight():
    """A gauge needs nothing before it."""
    now = series("new", total=0.0, gauge=7.0)
    pair = readings(({}, now), (now, now))

    (tick,) = ticks_by_group(*pair, needs_baseline=True, with_members=True)

    assert [member.gauge for member in tick.candidate.members] == [7.0]


@pytest.mark.parametrize("arm", list(Arm))
@pytest.mark.parametrize(
    ("before", "now", "why"),
    [
        pytest.param("ab", "abcd", "2 of 4 series", id="two-came"),
        pytest.param("abcd", "ab", "2 of 4 series", id="two-went"),
        pytest.param("abcd", "abce", "2 of 5 series", id="one-took-the-place-of-another"),
    ],
)
def test_a_sum_held_against_what_was_assigned_needs_all_series(arm, before, now, why):
    """Two members more, whose first seconds nobody counted, are no users who stayed away."""
    changing = (series(*before, total=10.0), series(*now, total=20.0))
    arms = (changing, BASELINE) if arm is Arm.CANDIDATE else (BASELINE, changing)
    pair = readings(*arms)

    gap = ticks_by_group(*pair, needs_baseline=True, needs_all=True)
    rates = ticks_by_group(*pair, needs_baseline=True)

    assert gap == Gap(quality=Quality.MISSING, why=f"{why} of the {arm.value} came or went")
    assert not isinstance(rates, Gap), "of a rate each series brings both parts"


def test_few_of_many_may_change():
    """Some member of a large service is always being replaced."""
    names = [f"b{number}" for number in range(100)]
    changing = (series(*names[:95], total=10.0), series(*names, total=20.0))

    ticks = ticks_by_group(*readings(BASELINE, changing), needs_baseline=True, needs_all=True)

    assert not isinstance(ticks, Gap)


@pytest.mark.parametrize(
    ("before", "needs_all", "why"),
    [
        pytest.param("x", False, "all series of the candidate in odd are new", id="all-are-new"),
        pytest.param(
            "c", True, "1 of 2 series of the candidate in odd came or went", id="one-came"
        ),
    ],
)
def test_one_group_that_is_unknown_makes_it_unknown_for_all(before, needs_all, why):
    """A zone whose members begin anew all the time isn't passed over for the others' sake."""
    calm = tuple(series("a", "b", total=total, group="calm") for total in (10.0, 20.0))
    odd = (
        series(before, total=10.0, group="odd"),
        series("c", *(["d"] if needs_all else []), total=20.0, group="odd"),
    )
    steady = tuple(series("e", total=total, group="odd") for total in (10.0, 20.0))
    ours = tuple(calm[index] | odd[index] for index in (0, 1))
    theirs = tuple(calm[index] | steady[index] for index in (0, 1))

    gap = ticks_by_group(*readings(ours, theirs), needs_baseline=True, needs_all=needs_all)

    assert isinstance(gap, Gap)
    assert gap.quality is Quality.MISSING
    assert gap.why.startswith(why)
