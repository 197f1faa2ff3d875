"""
A stream's evidence depends on its own ticks and on nothing else.

Not on its neighbours in the batch, not on a restart of the server between two ticks, not on how a
tick was cut. To the bit, because a decision is replayed from stored evidence and must be the same.
"""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate.stats import (
    bounds,
    difference,
    harm,
    history,
    latency_family,
    mixture,
    placebo,
    safe,
    traffic,
)


@st.composite
def histories(draw, *, most_streams=9, most_ticks=6):
    """Draw ticks of several streams: totals per arm, bad parts of them, and restarts."""
    streams = draw(st.integers(1, most_streams))
    ticks = draw(st.integers(1, most_ticks))
    seed = draw(st.integers(0, 2**32 - 1))
    largest = draw(st.sampled_from([3, 50, 1_000_000]))
    random = np.random.default_rng(seed)
    history = []
    for _ in range(ticks):
        candidate = random.integers(0, largest + 1, streams)
        baseline = random.integers(0, largest + 1, streams)
        history.append(
            {
                "candidate_bad": random.integers(0, candidate + 1).astype(float),
                "candidate_total": candidate.astype(float),
                "baseline_bad": random.integers(0, baseline + 1).astype(float),
                "baseline_total": baseline.astype(float),
                "share": random.uniform(1e-6, 1.0 - 1e-6, streams),
                "ratio": random.uniform(1.01, 4.0, streams),
                "starting": random.random(streams) < 0.3,
            }
        )
    return history


class Harm:
    def __init__(self, grid):
        self.grid = grid

    def new(self, streams):
        return harm.new(streams, ratios=self.grid, null_ratio=1.1)

    def update(self, state, tick):
        total = tick["candidate_bad"] + tick["baseline_bad"]
        return harm.update(
            state,
            tick["candidate_bad"],
            total,
            tick["share"],
            starting=tick["starting"],
            **self.more(tick),
        )

    def more(self, tick):
        return {}

    def value(self, state):
        return harm.log_e_value(state)


def four(tick):
    names = ("candidate_bad", "candidate_total", "baseline_bad", "baseline_total")
    return [tick[name] for name in names]


class Difference:
    def new(self, streams):
        return difference.new(streams, tolerance=0.01)

    def update(self, state, tick):
        return difference.update(state, *four(tick))

    def value(self, state):
        return difference.log_e_value(state)


class Ratio:
    def new(self, streams):
        return safe.new_ratio(streams)

    def update(self, state, tick):
        total = tick["candidate_bad"] + tick["baseline_bad"]
        return safe.update_ratio(
            state,
            tick["candidate_bad"],
            total,
            tick["share"],
            ratio=tick["ratio"],
            **self.more(tick),
        )

    def more(self, tick):
        return {}

    def value(self, state):
        return state.log_e


class BoundedRatio(Ratio):
    def more(self, tick):
        return {"most_log_factor": tick["ratio"] - 1.0}


class Absolute:
    def new(self, streams):
        return safe.new_absolute(streams)

    def update(self, state, tick):
        return safe.update_absolute(state, tick["candidate_bad"], tick["candidate_total"])

    def value(self, state):
        return safe.log_absolute(state, 0.01)


def shared_out(counts, parts):
    """Return *counts* cut into *parts* unequal whole parts, shape ``(parts, streams)``."""
    weights = np.arange(1.0, parts + 1.0)[:, None]
    return np.floor(counts * weights / weights.sum())


class Family:
    BOUNDS = (0.1, 0.25, 0.5, 1.0, 2.5)

    def new(self, streams):
        return latency_family.new(
            self.BOUNDS, [500.0, 300.0, 150.0, 40.0, 9.0, 1.0], null_ratio=1.05, streams=streams
        )

    def update(self, state, tick):
        buckets = len(self.BOUNDS) + 1
        return latency_family.update(
            state,
            shared_out(tick["candidate_total"], buckets),
            shared_out(tick["baseline_total"], buckets)[::-1],
            starting=tick["starting"],
            # Streams with and without a margin side by side.
            margin=np.where(tick["share"] < 0.5, 1.0, tick["ratio"]),
            **self.more(tick),
        )

    def more(self, tick):
        return {}

    def value(self, state):
        return latency_family.log_e_value(state)


class BoundedFamily(Family):
    def more(self, tick):
        return {"power": tick["share"], "most_log_factor": tick["ratio"] - 1.0}


class Placebo:
    def new(self, streams):
        return placebo.new(streams, null_ratio=1.1)

    def update(self, state, tick):
        return placebo.update(
            state,
            tick["candidate_bad"],
            tick["candidate_bad"] + tick["baseline_bad"],
            tick["share"],
            shared_out(tick["baseline_bad"], 8),
            shared_out(tick["baseline_total"], 8),
            starting=tick["starting"],
        )

    def value(self, state):
        return placebo.log_e_value(state) + placebo.exponent(state, 0.5)


class Traffic:
    def new(self, streams):
        return traffic.new(streams, margin=1.1)

    def update(self, state, tick):
        total = tick["candidate_total"] + tick["baseline_total"]
        return traffic.update(
            state,
            tick["candidate_total"],
            total,
            tick["share"],
            exponent=1.0 / tick["ratio"],
            starting=tick["starting"],
        )

    def value(self, state):
        return traffic.log_e_value(state)


class History:
    def __init__(self, grid):
        self.grid = grid

    def new(self, streams):
        return history.new(streams, ratios=self.grid)

    def update(self, state, tick):
        return history.update(
            state,
            tick["candidate_bad"],
            tick["candidate_total"],
            limit=tick["share"],
            starting=tick["starting"],
            **self.more(tick),
        )

    def more(self, tick):
        return {"exponents": np.linspace(0.1, 1.0, len(self.grid))}

    def value(self, state):
        return history.log_e_value(state)


class BoundedHarm(Harm):
    def more(self, tick):
        # Streams that may gain much and little side by side.
        return {"most_log_factor": tick["ratio"] - 1.0}


class BoundedHistory(History):
    def more(self, tick):
        return {"most_log_factor": tick["ratio"] - 1.0}


class RatioBound:
    def new(self, streams):
        return bounds.new_ratio(streams)

    def update(self, state, tick):
        total = tick["candidate_bad"] + tick["baseline_bad"]
        return bounds.update_ratio(state, tick["candidate_bad"], total, tick["share"])

    def value(self, state):
        return bounds.highest_ratio(state, 0.05)


class ExcessBound:
    def new(self, streams):
        return bounds.new_excess(streams)

    def update(self, state, tick):
        return bounds.update_excess(state, *four(tick))

    def value(self, state):
        return bounds.highest_excess(state, 0.05)


TESTS = [
    pytest.param(Harm(mixture.RATIOS_UP), id="harm"),
    pytest.param(Harm(mixture.RATIOS_DOWN), id="loss"),
    pytest.param(Family(), id="latency-family"),
    pytest.param(BoundedFamily(), id="latency-family-bounded"),
    pytest.param(Placebo(), id="placebo"),
    pytest.param(Traffic(), id="traffic"),
    pytest.param(History(mixture.RATIOS_UP), id="history"),
    pytest.param(History(mixture.RATIOS_DOWN), id="history-of-good-events"),
    pytest.param(BoundedHarm(mixture.RATIOS_UP), id="harm-bounded"),
    pytest.param(BoundedHistory(mixture.RATIOS_UP), id="history-bounded"),
    pytest.param(Difference(), id="difference"),
    pytest.param(Ratio(), id="ratio"),
    pytest.param(BoundedRatio(), id="ratio-bounded"),
    pytest.param(Absolute(), id="absolute"),
    pytest.param(RatioBound(), id="ratio-bound"),
    pytest.param(ExcessBound(), id="excess-bound"),
]


def run(test, history, streams):
    state = test.new(streams)
    for tick in history:
        state = test.update(state, tick)
    return state


def only(history, index):
    return [{name: values[index : index + 1] for name, values in tick.items()} for tick in history]


@pytest.mark.parametrize("test", TESTS)
@given(history=histories())
def test_a_stream_alone_has_the_evidence_it_has_in_a_batch(test, history):
    """Each stream run by itself ends with the same bits as among the others."""
    streams = history[0]["share"].size

    together = run(test, history, streams)

    for index in range(streams):
        alone = run(test, only(history, index), 1)
        assert alone.to_lists() == together.select([index]).to_lists()
        assert np.array_equal(test.value(alone), test.value(together)[index : index + 1])


@pytest.mark.parametrize("test", TESTS)
@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=3)
def test_chunks_do_not_show(test, seed):
    """A batch larger than the chunks worked on at once has the evidence of small batches."""
    streams = mixture.CHUNK_STREAMS + 3
    random = np.random.default_rng(seed)
    total = random.integers(1, 1000, (2, streams)).astype(float)
    tick = {
        "candidate_bad": random.binomial(total[0].astype(int), 0.1).astype(float),
        "candidate_total": total[0],
        "baseline_bad": random.binomial(total[1].astype(int), 0.1).astype(float),
        "baseline_total": total[1],
        "share": total[0] / total.sum(axis=0),
        "ratio": random.uniform(1.01, 4.0, streams),
        "starting": random.random(streams) < 0.5,
    }

    large = run(test, [tick, tick], streams)

    parts = [slice(0, 1), slice(1, 700), slice(700, streams - 1), slice(streams - 1, streams)]
    small = [
        run(
            test,
            [{name: values[part] for name, values in tick.items()}] * 2,
            len(range(*part.indices(streams))),
        )
        for part in parts
    ]
    joined = type(large).concatenate(small)
    assert joined.to_lists() == large.to_lists()
    assert np.array_equal(test.value(joined), test.value(large))


@pytest.mark.parametrize("test", TESTS)
@given(history=histories(), data=st.data())
def test_a_restored_state_goes_on_as_if_nothing_happened(test, history, data):
    """Written to JSON, read back and updated: the same bits as without the interruption."""
    streams = history[0]["share"].size
    stop = data.draw(st.integers(0, len(history)))

    state = run(test, history[:stop], streams)
    restored = type(state).from_lists(json.loads(json.dumps(state.to_lists(), allow_nan=False)))
    for tick in history[stop:]:
        restored = test.update(restored, tick)

    assert restored.to_lists() == run(test, history, streams).to_lists()


@given(history=histories(), share=st.floats(0.001, 0.999))
def test_ticks_of_one_share_may_be_merged(history, share):
    """At an unchanged share a tick cut in parts is worth what the whole is."""
    streams = history[0]["share"].size
    bad = [tick["candidate_bad"] for tick in history]
    total = [tick["candidate_bad"] + tick["baseline_bad"] for tick in history]
    cut, cut_safe = harm.new(streams), safe.new_ratio(streams)

    for tick_bad, tick_total in zip(bad, total, strict=True):
        cut = harm.update(cut, tick_bad, tick_total, share)
        cut_safe = safe.update_ratio(cut_safe, tick_bad, tick_total, share, ratio=2.0)
    whole = harm.update(harm.new(streams), sum(bad), sum(total), share)
    whole_safe = safe.update_ratio(safe.new_ratio(streams), sum(bad), sum(total), share, ratio=2.0)

    assert harm.log_e_value(cut) == pytest.approx(harm.log_e_value(whole), rel=1e-9, abs=1e-9)
    assert cut_safe.log_e == pytest.approx(whole_safe.log_e, rel=1e-9, abs=1e-9)


@given(history=histories(), first=st.floats(0.001, 0.999), second=st.floats(0.001, 0.999))
def test_a_weight_change_changes_only_the_share(history, first, second):
    """After a change the state is what it was, and the next tick's factor is that of its share."""
    streams = history[0]["share"].size
    before = harm.update(
        harm.new(streams), history[0]["candidate_bad"], history[0]["candidate_total"], first
    )
    bad, total = history[-1]["candidate_bad"], history[-1]["candidate_total"]

    after = harm.update(before, bad, total, second)

    fresh = harm.new(streams)
    factor = harm.update(fresh, bad, total, second).log_started - fresh.log_started
    assert after.log_started - before.log_started == pytest.approx(factor, rel=1e-9, abs=1e-6)


@given(history=histories(most_ticks=1), share=st.floats(0.001, 0.999))
def test_more_bad_events_of_the_candidate_are_never_evidence_for_it(history, share):
    """Moving one event from the baseline to the candidate raises harm and lowers safety."""
    tick = history[0]
    streams = tick["share"].size
    bad, total = tick["candidate_bad"], tick["candidate_bad"] + tick["baseline_bad"] + 1.0
    one_more = bad + 1.0

    harms = [harm.update(harm.new(streams), k, total, share) for k in (bad, one_more)]
    safes = [
        safe.update_ratio(safe.new_ratio(streams), k, total, share, ratio=2.0)
        for k in (bad, one_more)
    ]

    assert (harm.log_e_value(harms[1]) >= harm.log_e_value(harms[0])).all()
    assert (safes[1].log_e < safes[0].log_e).all()
