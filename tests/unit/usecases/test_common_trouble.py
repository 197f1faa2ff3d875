"""Noticing that both arms got worse, and that it is over; not being fooled by the course of a day."""

import json
import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from tidegate.usecases import common_trouble
from tidegate.usecases.common_trouble import CommonState

BEGAN = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
TICK = timedelta(seconds=10)


def run(state: CommonState, counts: list[tuple[int, int]], *, begin: int = 0) -> CommonState:
    """Put the baseline's ``(bad, total)`` of each tick through the fold."""
    for number, (bad, total) in enumerate(counts, start=begin + 1):
        state = common_trouble.absorb(
            state,
            at=BEGAN + number * TICK,
            passed=TICK,
            bad=bad,
            total=total,
            tolerance=0.001,
        )
    return state


def test_the_limit_is_three_times_what_is_usual_and_the_tolerance() -> None:
    """10 bad of 10,000: (10 + 1 + 2 sqrt(11)) / 10,002 is taken as usual, cautiously."""
    state = CommonState(test=common_trouble.begin().test, usual_bad=10.0, usual_total=10_000.0)

    found = common_trouble.limit(state, 0.001)

    assert found == pytest.approx(3 * (11 + 2 * math.sqrt(11)) / 10_002 + 0.001)


def test_a_failing_baseline_is_trouble_within_a_few_ticks() -> None:
    """A tenth of all requests failing after one in a thousand is noticed in three ticks of 100."""
    calm = run(common_trouble.begin(), [(0, 1000)] * 30)

    troubled = run(calm, [(10, 100)] * 3, begin=30)

    assert calm.since is None
    assert troubled.since is not None
    rate, usual = common_trouble.rates(troubled)
    assert (rate, usual) == (pytest.approx(0.1), 0.0)


def test_trouble_ends_after_a_calm_stretch_and_not_before() -> None:
    """Eighteen ticks in a row at the usual rate end it; seventeen don't."""
    calm = run(common_trouble.begin(), [(1, 1000)] * 30)
    troubled = run(calm, [(300, 1000)] * 5, begin=30)
    # What just failed fades within so many ticks.
    faded = run(troubled, [(1, 1000)] * 40, begin=35)

    assert troubled.since is not None
    assert run(troubled, [(1, 1000)] * 17, begin=35).since is not None
    assert faded.since is None


def test_a_short_pause_in_an_outage_is_not_its_end() -> None:
    """Ten good ticks between bad ones begin the count anew."""
    calm = run(common_trouble.begin(), [(1, 1000)] * 30)
    state = run(calm, [(300, 1000)] * 5, begin=30)

    for again in range(3):
        state = run(state, [(1, 1000)] * 14 + [(300, 1000)] * 2, begin=35 + 16 * again)

    assert state.since is not None


def test_what_is_trouble_is_never_learned_as_usual() -> None:
    """After an hour of outage the usual rate is still that of before."""
    calm = run(common_trouble.begin(), [(1, 1000)] * 30)

    after = run(calm, [(300, 1000)] * 360, begin=30)

    assert common_trouble.rates(after)[1] == pytest.approx(0.001)


def _runs_held_by_a_day() -> int:
    """Return how many of 20 days, whose rate swings by a factor of 5, were taken for trouble."""
    held = 0
    for seed in range(20):
        random = np.random.default_rng(seed)
        hours = np.arange(0.0, 24.0, 1 / 60)
        rate = 0.003 * np.exp(0.8 * np.sin(hours * math.tau / 24))
        bad = random.binomial(6000, rate)
        state = common_trouble.begin()
        for minute, count in enumerate(bad):
            state = common_trouble.absorb(
                state,
                at=BEGAN + timedelta(minutes=minute),
                passed=timedelta(minutes=1),
                bad=int(count),
                total=6000,
                tolerance=0.001,
            )
            if state.since is not None:
                held += 1
                break
    return held


def test_the_course_of_a_day_is_no_trouble() -> None:
    """Rates that swing by a factor of 5 over a day hold nobody."""
    assert _runs_held_by_a_day() == 0


def test_a_limit_without_a_margin_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit at half of the last hour's rate takes the same days for trouble: the check has teeth."""
    monkeypatch.setattr(common_trouble, "FACTOR", 0.5)

    assert _runs_held_by_a_day() > 10


def test_a_tick_without_requests_changes_nothing() -> None:
    """Silence says nothing of a rate."""
    state = run(common_trouble.begin(), [(1, 1000)] * 3)

    assert run(state, [(0, 0)], begin=3) is state


def test_the_state_survives_being_stored() -> None:
    """Through JSON and back it is the same, to the last bit, in and out of trouble."""
    calm = run(common_trouble.begin(), [(1, 1000)] * 30)
    for state in (calm, run(calm, [(300, 1000)] * 5, begin=30)):
        lists = common_trouble.to_lists(state)

        again = common_trouble.from_lists(json.loads(json.dumps(lists)))

        assert common_trouble.to_lists(again) == lists
