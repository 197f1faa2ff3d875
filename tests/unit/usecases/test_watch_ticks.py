"""From answers of the sources to a tick: groups, members, values, cells, and what is refused."""

from datetime import timedelta

import pytest

from tidegate.domain.health.readings import Quality, Reading, SeriesCounts
from tidegate.domain.plan.model import (
    CoverageSpec,
    Effect,
    ExerciseSpec,
    Limit,
    Noise,
    SignalKind,
)
from tidegate.domain.quantities import Arm
from tidegate.errors import SignalSourceError
from tidegate.ports.signals import LIMIT_SERIES, SignalQuery
from tidegate.testing.builders import START, a_placement, a_signal
from tidegate.usecases.watch_queries import Asked
from tidegate.usecases.watch_ticks import Readings

LATER = START + timedelta(seconds=10)
STALE = timedelta(seconds=30)


def asked(spec, *, kind=SignalKind.ERRORS, weight_bps=500, target="eu", name=None):
    """Return the question for *spec* at one target."""
    placement = a_placement(target=target)
    return Asked(
        spec=spec,
        weight_bps=weight_bps,
        query=SignalQuery(
            placement=placement,
            signal=name or getattr(spec, "name", "coverage:"),
            kind=kind,
            source="prometheus://p",
            settings={},
            arms={},
            component_settings_json="{}",
            target_settings_json='{"timezone": "Asia/Tokyo"}',
        ),
    )


def reading(at, candidate, baseline=None):
    """Return a reading of the series given by name."""
    arms = {Arm.CANDIDATE: candidate}
    if baseline is not None:
        arms[Arm.BASELINE] = baseline
    return Reading(at=at, arms=arms)


def series(*totals, group=""):
    """Return one series for each of *totals*."""
    return {
        f"{group}m{number}": SeriesCounts(total=float(total), group=group)
        for number, total in enumerate(totals)
    }


def gather(readings, one, answer, *, at=LATER):
    """Return what *answer* to one question says."""
    is_signal = not isinstance(one.spec, ExerciseSpec | CoverageSpec)
    return readings.gather(
        [one],
        [answer],
        at=at,
        stale_after=STALE,
        signals=[one.spec] if is_signal else [],
        exercises=[one.spec] if isinstance(one.spec, ExerciseSpec) else [],
    )


def gathered(one, before, now):
    """Return what two readings, one after the other, say."""
    readings = Readings()
    gather(readings, one, before, at=START)
    return gather(readings, one, now)


def test_each_zone_is_a_stratum_of_its_own():
    """Arms are compared within a zone; one that only one arm serves is left out, the others go on."""
    one = asked(a_signal())
    before = reading(
        START,
        series(0, group="a") | series(0, group="b") | series(0, group="only"),
        series(0, group="a") | series(0, group="b"),
    )
    now = reading(
        LATER,
        series(3, group="a") | series(4, group="b") | series(9, group="only"),
        series(30, group="a") | series(40, group="b"),
    )

    [given] = gathered(one, before, now).inputs

    assert given.quality is Quality.GOOD
    assert [(s.group, s.candidate.total, s.baseline.total) for s in given.strata] == [
        ("a", 3, 30),
        ("b", 4, 40),
    ]


def test_without_a_common_zone_the_data_is_missing():
    """Where no zone has both arms there is nothing to compare, and that isn't green."""
    one = asked(a_signal())

    [given] = gathered(
        one,
        reading(START, series(0, group="a"), series(0, group="b")),
        reading(LATER, series(3, group="a"), series(3, group="b")),
    ).inputs

    assert (given.quality, given.strata) == (Quality.MISSING, ())


def test_members_are_kept_where_a_test_looks_at_them():
    """Ticks are stored for good: what no test asks for isn't in them."""
    before = reading(START, series(0, 0), series(0, 0))
    now = reading(LATER, series(3, 0), series(7, 8))

    [plain] = gathered(asked(a_signal()), before, now).inputs
    [bursty] = gathered(asked(a_signal(noise=Noise.CLUSTERED)), before, now).inputs
    [usage] = gathered(asked(a_signal(kind=SignalKind.USAGE)), before, now).inputs

    assert [member.total for member in plain.strata[0].candidate.members] == [3, 0]
    assert plain.strata[0].baseline.members == ()
    assert [member.total for member in bursty.strata[0].baseline.members] == [7, 8]
    assert usage.strata[0].candidate.members == ()


def test_a_limit_is_read_without_arms():
    """It is one number of the target, also where a baseline runs beside the candidate."""
    limit = Limit(value=1.0, above=True, effect=Effect.HOLD)
    one = asked(a_signal("queue", kind=SignalKind.LIMIT, limit=limit), kind=SignalKind.LIMIT)

    def value(number):
        return {LIMIT_SERIES: SeriesCounts(total=0.0, gauge=number)}

    [given] = gathered(one, reading(START, value(0.1)), reading(LATER, value(0.7))).inputs

    assert given.quality is Quality.GOOD
    assert given.strata[0].candidate.members[0].gauge == 0.7


@pytest.mark.parametrize("bad", [None, float("nan"), float("inf")])
def test_a_member_without_a_value_makes_the_signal_bad(bad):
    """How full the others are says nothing of the one that doesn't tell."""
    one = asked(a_signal("memory", kind=SignalKind.SATURATION), kind=SignalKind.SATURATION)
    good = {"a": SeriesCounts(total=0.0, gauge=0.5), "b": SeriesCounts(total=0.0, gauge=0.6)}

    [given] = gathered(
        one,
        reading(START, good, good),
        reading(LATER, good | {"b": SeriesCounts(total=0.0, gauge=bad)}, good),
    ).inputs

    assert given.quality is (Quality.MISSING if bad is None else Quality.NOT_A_NUMBER)
    assert given.strata == ()


def test_cells_are_counted_with_the_hour_it_was_there():
    """What one arm alone was used for is a kind of use too."""
    spec = CoverageSpec(
        by=("client",),
        smallest_cell=0.001,
        smallest_failure=0.01,
        share=0.99,
        unseen=0.01,
        busy_hours=2,
        timezone_label=None,
        source="prometheus://p",
    )
    one = asked(spec, kind=SignalKind.TRAFFIC)

    cells = gathered(
        one,
        reading(START, series(0, group="web"), series(0, group="web") | series(0, group="tv")),
        reading(LATER, series(5, group="web"), series(90, group="web") | series(7, group="tv")),
    ).cells

    assert [(c.cell, c.zone, c.hour, c.candidate, c.baseline) for c in cells] == [
        ("tv", "Asia/Tokyo", 18, 0, 7),
        ("web", "Asia/Tokyo", 18, 5, 90),
    ]


@pytest.mark.parametrize("answer", [None, SignalSourceError("gone", hint="wait")])
def test_coverage_without_data_covers_nothing_and_holds_nothing(answer):
    """It only ever makes a phase wait."""
    spec = CoverageSpec(
        by=("client",),
        smallest_cell=0.001,
        smallest_failure=0.01,
        share=0.99,
        unseen=0.01,
        busy_hours=0,
        timezone_label=None,
        source="prometheus://p",
    )

    found = gather(Readings(), asked(spec, kind=SignalKind.TRAFFIC), answer)

    assert (found.inputs, found.exercises, found.cells) == ((), (), ())


def test_a_reading_that_comes_again_or_late_adds_nothing():
    """The same measurement twice, or an older one, is no new tick and no gap."""
    one, readings = asked(a_signal()), Readings()
    first = reading(START, series(0), series(0))
    second = reading(LATER, series(5), series(50))
    gather(readings, one, first, at=START)
    gather(readings, one, second)

    [again] = gather(readings, one, second).inputs
    [late] = gather(readings, one, first).inputs
    third = reading(LATER + timedelta(seconds=10), series(9), series(90))
    [after] = gather(readings, one, third, at=third.at).inputs

    assert (again.quality, again.strata) == (Quality.GOOD, ())
    assert (late.quality, late.strata) == (Quality.GOOD, ())
    assert after.strata[0].candidate.total == 4


def test_what_a_source_has_nothing_for_is_remembered_as_lost():
    """The members may have other names by now, so they are asked for again."""
    readings = Readings()

    [given] = gather(readings, asked(a_signal()), None).inputs

    assert readings.lost
    assert given.quality is Quality.MISSING
