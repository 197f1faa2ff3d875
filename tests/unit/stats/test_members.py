"""Whether exposed members fill up faster than the others."""

import json
import math

import numpy as np
import pytest

from tidegate.stats import members

NAMES = tuple(f"member-{index:02d}" for index in range(12))


def halts_within(readings, exposed=3, *, readings_per_block=5, naive=False):
    """Return whether the test halts over *readings*, shape ``(readings, members)``."""
    ours, others = NAMES[:exposed], NAMES[exposed:]
    state = members.new(readings_per_block=readings_per_block)
    log_e = 0.0
    for index, values in enumerate(readings):
        gauges = dict(zip(NAMES, values.tolist(), strict=True))
        if naive:
            above = np.mean(values[:exposed] > np.median(values[exposed:]))
            log_e += math.log1p(0.3 * (2.0 * float(above) - 1.0))
        else:
            state = members.update(
                state,
                {name: gauges[name] for name in ours},
                {name: gauges[name] for name in others},
                starting=index % 60 == 59,
            )
            if state.readings == 0:
                log_e = members.log_e_value(state)
        if log_e >= math.log(20):
            return True
    return False


def load(random, *, remembers, readings=120, leak=0.0):
    """Return gauges of members with hosts that differ for good and an AR(1) load."""
    noise = random.standard_normal((readings, len(NAMES)))
    level = 5.0 * random.standard_normal(len(NAMES)) + np.zeros_like(noise)
    wave = noise[0] / math.sqrt(1.0 - remembers**2) if remembers < 1.0 else noise[0]
    for index in range(readings):
        wave = remembers * wave + noise[index]
        level[index] += wave
    level[:, :3] += leak * np.arange(readings)[:, None]
    return level + 3.0 * np.sin(np.arange(readings) / 40.0)[:, None]


def after_blocks(*blocks, exposed=("a",), unexposed=("b", "c", "d")):
    """Return the state after blocks of one reading each, given by member."""
    state = members.new(readings_per_block=1)
    for block in blocks:
        state = members.update(
            state,
            {name: block[name] for name in exposed if name in block},
            {name: block[name] for name in unexposed if name in block},
        )
    return state


def test_a_block_is_right_by_hand():
    """The only one that grew is 4th of 4, a rank of 7/8: each bet b multiplies by 1 + 3/4 b."""
    flat = {"a": 9.0, "b": 1.0, "c": 2.0, "d": 3.0}

    state = after_blocks(flat, flat | {"a": 10.0})

    won = sum(1.0 + 0.75 * bet for bet in members.BETS) / len(members.BETS)
    assert members.log_e_value(state) == pytest.approx(math.log(0.7 * won + 0.3))


def test_what_a_host_has_for_good_says_nothing():
    """A member far above the others that changes as they do ties with them: no evidence at all."""
    block = {"a": 900.0, "b": 1.0, "c": 2.0, "d": 3.0}

    state = after_blocks(block, block, block)

    assert members.log_e_value(state) == pytest.approx(0.0)


def test_two_exposed_members_are_ranked_one_after_the_other():
    """4th of 4 and then 5th of 5: 7/8 and 9/10."""
    flat = dict.fromkeys("abcde", 1.0)

    state = after_blocks(flat, flat | {"a": 2.0, "b": 3.0}, exposed=("a", "b"), unexposed="cde")

    won = [(1.0 + 0.75 * bet) * (1.0 + 0.8 * bet) for bet in members.BETS]
    assert members.log_e_value(state) == pytest.approx(math.log(0.7 * np.mean(won) + 0.3))


def test_the_expected_value_over_all_orders_of_changes_is_one():
    """Whichever members happen to be exposed: summed over all choices, ties and all, it's exact."""
    changes = (1.0, 1.0, 2.0, 5.0, 5.0, 7.0)
    names = "abcdef"
    values = []
    for first in range(6):
        for second in range(6):
            if first == second:
                continue
            rest = [c for place, c in enumerate(changes) if place not in (first, second)]
            grown = dict(zip(names, (changes[first], changes[second], *rest), strict=True))
            state = after_blocks(
                dict.fromkeys(names, 0.0), grown, exposed=("a", "b"), unexposed="cdef"
            )
            values.append(math.exp(members.log_e_value(state)))

    assert np.mean(values) == pytest.approx(1.0)


def test_a_member_that_becomes_exposed_is_compared_with_what_it_was():
    """Its first block as exposed against its last one before: the jump counts."""
    state = members.new(readings_per_block=1)
    before = {"a": 1.0, "b": 1.0, "c": 1.0, "d": 1.0}
    state = members.update(state, {}, before)

    state = members.update(state, {"a": 5.0}, dict.fromkeys("bcd", 1.0))

    assert members.log_e_value(state) > 0.2


def test_too_few_unexposed_members_are_no_evidence():
    """With two others every third member is the highest by chance: nothing is bet."""
    flat = {"a": 1.0, "b": 1.0, "c": 1.0}

    state = after_blocks(flat, flat | {"a": 99.0}, unexposed=("b", "c"))

    assert members.log_e_value(state) == pytest.approx(0.0)


def test_a_member_not_seen_for_a_block_is_forgotten():
    """It comes back as a new one, without a change to rank."""
    flat = {"a": 1.0, "b": 1.0, "c": 1.0, "d": 1.0}
    gone = dict.fromkeys("bcd", 1.0)

    state = after_blocks(flat, gone, flat | {"a": 99.0})

    assert members.log_e_value(state) == pytest.approx(0.0)


def test_a_restart_begins_a_further_part_of_the_stake():
    """However many hours begin, the stakes are one in all."""
    state = members.new()

    for _ in range(7):
        state = members.update(state, {}, {}, starting=True)

    assert members.log_e_value(state) == pytest.approx(0.0)


@pytest.mark.parametrize("remembers", [0.0, 0.9, 1.0])
def test_harmless_members_are_halted_at_most_as_often_as_promised(runs, stays_below, remembers):
    """Hosts that differ for good, loads that remember nothing, much, or all (a random walk)."""
    random = np.random.default_rng(4)

    halted = [halts_within(load(random, remembers=remembers)) for _ in range(runs)]

    assert stays_below(halted, 0.05)


def test_the_check_rejects_a_bet_on_every_reading(runs, stays_below):
    """A hot host is hot all day: a bet on each reading of levels halts far too often."""
    random = np.random.default_rng(4)

    halted = [halts_within(load(random, remembers=0.9), naive=True) for _ in range(runs)]

    assert not stays_below(halted, 0.05)


def test_a_leak_is_found():
    """Half a unit of noise per reading, within two hours in every run."""
    random = np.random.default_rng(4)

    halted = [halts_within(load(random, remembers=0.5, leak=0.5)) for _ in range(50)]

    assert np.mean(halted) > 0.95


def test_a_restored_state_goes_on_as_if_nothing_happened():
    """Through JSON and back within a block, to the bit."""
    random = np.random.default_rng(6)
    whole = cut = members.new(readings_per_block=3)

    for values in load(random, remembers=0.5, readings=40):
        gauges = dict(zip(NAMES, values.tolist(), strict=True))
        ours = {name: gauges.pop(name) for name in NAMES[:3]}
        whole = members.update(whole, ours, gauges)
        cut = members.MembersState.from_lists(json.loads(json.dumps(cut.to_lists())))
        cut = members.update(cut, ours, gauges)

    assert cut == whole
    assert members.log_e_value(cut) == members.log_e_value(whole)


def test_the_slope_ratio_is_right_by_hand():
    """2 a minute against 1/2 a minute; falling counts as not growing."""
    times = [0.0, 1.0, 2.0]

    assert members.slope_ratio(times, [1.0, 3.0, 5.0], [4.0, 4.5, 5.0]) == pytest.approx(4.0)
    assert members.slope_ratio(times, [1.0, 3.0, 5.0], [4.0, 3.0, 2.0]) == math.inf
    assert members.slope_ratio(times, [1.0, 1.0, 1.0], [4.0, 3.0, 2.0]) == 1.0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: members.new(readings_per_block=0), "readings_per_block must be at least 1, got 0"),
        (
            lambda: members.update(members.new(), {"a": math.nan}, {}),
            "the gauge of a must be finite, got nan",
        ),
        (
            lambda: members.update(members.new(), {"a": 1.0}, {"a": 1.0}),
            "members must not be both exposed and unexposed, got ['a']",
        ),
        (lambda: members.slope_ratio([1.0], [1.0], [1.0]), "times must be at least two and ascend"),
        (
            lambda: members.slope_ratio([1.0, 2.0], [1.0], [1.0, 2.0]),
            "exposed must have shape (2,), got (1,)",
        ),
        (
            lambda: members.MembersState.from_lists(members.new().to_lists() | {"log_started": []}),
            "MembersState must have 3 bets",
        ),
        (lambda: members.MembersState.from_lists({}), "MembersState can't be read"),
    ],
)
def test_says_which_argument_is_wrong(call, message):
    """Nothing that means nothing gets into the evidence."""
    with pytest.raises(ValueError) as caught:
        call()

    assert message in str(caught.value)
