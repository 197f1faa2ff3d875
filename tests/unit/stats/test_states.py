"""States are stored, restored, cut apart and put together; broken ones are refused."""

import pytest

from tidegate.stats import bounds, harm, history, placebo, traffic


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"restarts": [float("nan"), 0.0]}, "HarmState.restarts must be finite"),
        ({"restarts": [0.0]}, "must fit"),
        ({"ratios": [2.0]}, "HarmState.log_started must fit 2 streams, got shape (12, 2)"),
        ({"log_started": [[0.0], [0.0, 1.0]]}, "HarmState holds something that isn't a number"),
        ({"log_started": None}, "HarmState.log_started must be finite"),
        ({"surprise": [1.0]}, "HarmState must have the arrays"),
    ],
)
def test_a_broken_stored_state_is_refused(change, message):
    """Evidence that can't be read isn't replaced by none."""
    stored = harm.new(2).to_lists() | change

    with pytest.raises(ValueError) as caught:
        harm.HarmState.from_lists(stored)

    assert message in str(caught.value)


def test_a_missing_array_is_refused():
    """A state of an older shape isn't filled up silently."""
    stored = harm.new(2).to_lists()
    del stored["restarts"]

    with pytest.raises(ValueError) as caught:
        harm.HarmState.from_lists(stored)

    assert "HarmState must have the arrays" in str(caught.value)


def test_batches_of_different_grids_do_not_mix():
    """Evidence on one grid means nothing on another."""
    states = [harm.new(1), harm.new(1, ratios=[2.0])]

    with pytest.raises(ValueError) as caught:
        harm.HarmState.concatenate(states)

    assert str(caught.value) == "HarmState.ratios must be the same in all states"


def test_nothing_makes_no_batch():
    """There is no grid to take from no state."""
    with pytest.raises(ValueError) as caught:
        harm.HarmState.concatenate([])

    assert "at least one HarmState" in str(caught.value)


@pytest.mark.parametrize(
    "new",
    [
        harm.new,
        placebo.new,
        traffic.new,
        history.new,
        bounds.new_ratio,
        bounds.new_excess,
    ],
)
def test_an_empty_batch_is_a_batch(new):
    """A process that watches nothing yet needs no special case."""
    state = new(0)

    restored = type(state).from_lists(state.to_lists())

    assert restored.streams == 0
