"""A bound on what one tick may prove only ever takes evidence of harm away, and never more than it says."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.stats import harm, history, mixture

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
