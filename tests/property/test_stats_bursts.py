"""A bound on what one tick may prove only ever takes evidence of harm away, and never more than it says."""

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.stats import harm, history, latency_family, mixture, pauses, safe

GRIDS = [
    pytest.param(mixture.RATIOS_UP, id="more-is-harm"),
    pytest.param(mixture.RATIOS_DOWN, id="less-is-harm"),
]


@st.composite
def ticks(draw):
    """Draw ticks of one stream: events out of a total, a bound, and whether an hour begins."""
    found = []
    for _ in range(draw(st.integers(1, 12))):
        total = draw(st.integers(0, 5_000))
        found.append(
            (
                float(draw(st.integers(0, total))),
                float(total),
                draw(st.floats(0.0, 5.0)),
                draw(st.booleans()),
            )
        )
    return found


def against_the_past(state, tick, most):
    events, total, _, starting = tick
    return history.update(
        state, [events], [total], limit=0.1, starting=starting, most_log_factor=most
    )


def against_siblings(state, tick, most):
    events, total, _, starting = tick
    return harm.update(state, [events], [total], 0.3, starting=starting, most_log_factor=most)


TESTS = [
    pytest.param(history.new, against_the_past, history.log_e_value, id="past"),
    pytest.param(harm.new, against_siblings, harm.log_e_value, id="siblings"),
]


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize(("new", "update", "value"), TESTS)
@given(given_ticks=ticks())
def test_no_bet_is_ever_above_the_unbounded_one(new, update, value, grid, given_ticks):
    """What was an e-process stays one: it is never worth more than one that is."""
    bounded = unbounded = new(1, ratios=grid)

    for tick in given_ticks:
        bounded = update(bounded, tick, tick[2])
        unbounded = update(unbounded, tick, None)

        # Restarts are added in logarithms, whose last digits differ.
        room = 1e-9 * (1.0 + np.abs(unbounded.log_started))
        assert (bounded.log_started <= unbounded.log_started + room).all()
        assert value(bounded)[0] <= value(unbounded)[0] + 1e-9 * (1.0 + abs(value(unbounded)[0]))


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize(("new", "update", "value"), TESTS)
@given(given_ticks=ticks())
def test_no_tick_proves_more_than_it_may(new, update, value, grid, given_ticks):
    """Whatever it holds and whatever begins with it, the e-value grows by no more than the bound."""
    state = new(1, ratios=grid)

    for tick in given_ticks:
        before = value(state)[0]
        state = update(state, tick, tick[2])

        assert value(state)[0] <= before + tick[2] + 1e-9


# --- beside a baseline -----------------------------------------------------------------------

BOUNDS = (10.0, 20.0, 50.0, 100.0)
PAST = (300.0, 400.0, 200.0, 80.0, 20.0)


@st.composite
def histograms(draw):
    """Draw ticks of one stream: both sides' buckets, how long they lasted, and whether an hour begins."""
    buckets = st.lists(st.integers(0, 2_000), min_size=len(PAST), max_size=len(PAST))
    return [
        (
            np.array(draw(buckets), float)[:, None],
            np.array(draw(buckets), float)[:, None],
            timedelta(seconds=draw(st.floats(0.001, 7_200.0))),
            draw(st.booleans()),
        )
        for _ in range(draw(st.integers(1, 8)))
    ]


@given(given_ticks=histograms())
def test_no_bet_on_latency_is_ever_above_the_unbounded_one_nor_gains_more_than_it_may(given_ticks):
    """Whatever a tick holds and however long it was; no tick gains more than sixty pauses."""
    bounded = unbounded = latency_family.new(BOUNDS, PAST, null_ratio=1.05)

    for candidate, baseline, lasted, starting in given_ticks:
        before = float(latency_family.log_e_value(bounded)[0])
        most = pauses.most_log_factor(candidate, baseline, lasted)
        bounded = latency_family.update(
            bounded, candidate, baseline, starting=starting, most_log_factor=most
        )
        unbounded = latency_family.update(unbounded, candidate, baseline, starting=starting)

        assert 0.0 < most[0] <= 60.0 * pauses.MOST_PER_PAUSE
        assert latency_family.log_e_value(bounded)[0] <= before + most[0] + 1e-9
        room = 1e-9 * (1.0 + np.abs(unbounded.log_started))
        assert (bounded.log_started <= unbounded.log_started + room).all()


@given(given_ticks=histograms(), ratio=st.floats(1.01, 5.0))
def test_no_tick_proves_more_safety_than_it_may(given_ticks, ratio):
    """A baseline that stalls makes no candidate safe at once."""
    state = unbounded = safe.new_ratio(1)

    for candidate, baseline, lasted, _ in given_ticks:
        ours, theirs = candidate[3:].sum(axis=0), baseline[3:].sum(axis=0)
        most = pauses.most_log_factor(baseline, candidate, lasted)
        before = state.log_e
        state = safe.update_ratio(
            state, ours, ours + theirs, 0.5, ratio=ratio, most_log_factor=most
        )
        unbounded = safe.update_ratio(unbounded, ours, ours + theirs, 0.5, ratio=ratio)

        assert state.log_e[0] <= before[0] + most[0] + 1e-9
        assert state.log_e[0] <= unbounded.log_e[0] + 1e-9 * (1.0 + abs(unbounded.log_e[0]))


@given(given_ticks=histograms())
def test_more_seconds_and_more_slowed_requests_grant_never_less(given_ticks):
    """One slow request more is never a reason to believe less."""
    for candidate, baseline, lasted, _ in given_ticks:
        slower = candidate.copy()
        slower[0], slower[-1] = 0.0, candidate[-1] + candidate[0]

        most = pauses.most_log_factor(candidate, baseline, lasted)[0]

        assert pauses.most_log_factor(candidate, baseline, 2.0 * lasted)[0] >= most
        assert pauses.most_log_factor(slower, baseline, lasted)[0] >= most
