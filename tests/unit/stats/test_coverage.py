"""How much use of a kind is enough, how much is unknown, and which hours are busy."""

import math

import numpy as np
import pytest

from tidegate.stats.coverage import (
    busy_hours,
    covered_share,
    share_to_fill,
    time_to_fill,
    unseen_share,
    unseen_share_at_most,
    uses_needed,
)

USE = {"eu | web": 90.0, "eu | ios": 8.0, "us | web": 1.5, "us | ios": 0.5}


@pytest.mark.parametrize(
    ("failure", "needed"), [(0.01, 300), (0.05, 60), (0.001, 2_996), (1.0, 3), (0.5, 6)]
)
def test_the_rule_of_three_says_how_much_is_enough(failure: float, needed: int) -> None:
    """log(20) / h, rounded up: 300 uses without a failure exclude 1 %."""
    assert uses_needed(failure) == needed


def test_what_is_needed_misses_a_failure_as_rarely_as_promised(runs: int) -> None:
    """Among so many uses a failure of just that share is seen nineteen times in twenty."""
    random = np.random.default_rng(7)
    chance = 0.05

    seen = random.binomial(uses_needed(0.01), 0.01, size=runs)
    too_few = random.binomial(uses_needed(0.01) // 2, 0.01, size=runs)

    slack = 2.0 * math.sqrt(chance * (1.0 - chance) / runs)
    assert np.mean(seen == 0) <= chance + slack
    assert np.mean(too_few == 0) > chance + slack


def test_the_covered_share_counts_use_and_not_cells() -> None:
    """Two of four cells hold 98 % of the use: that, and not a half, is covered."""
    exposures = {"eu | web": 5_000.0, "eu | ios": 300.0, "us | web": 299.0}

    assert covered_share(USE, exposures, needed=300) == pytest.approx(0.98)
    assert covered_share(USE, {}, needed=300) == 0.0
    assert covered_share({}, exposures, needed=300) == 0.0


def test_good_s_estimate_by_hand() -> None:
    """Of ten uses, two were of kinds seen once: a fifth may be of kinds not seen yet."""
    assert unseen_share([1, 1, 2, 6]) == pytest.approx(0.2)
    assert unseen_share([5, 5]) == 0.0
    assert unseen_share([]) == unseen_share([0, 0]) == 1.0


def test_the_bound_of_the_unseen_by_hand() -> None:
    """f1/n, 1.645 standard errors after Esty, and the rule of three: 0.2 + 0.311 + 0.0300."""
    spread = math.sqrt(20 * (1 - 20 / 100) + 2 * 10) / 100
    expected = 0.2 + 1.6448536269514722 * spread + math.log(20) / 100

    assert unseen_share_at_most([1] * 20 + [2] * 10 + [60]) == pytest.approx(expected)


def test_without_singletons_the_bound_is_the_rule_of_three() -> None:
    """Few uses of few kinds prove little: 300 uses leave 1 % open, 3,000 leave 0.1 %."""
    assert unseen_share_at_most([100, 200]) == pytest.approx(math.log(20) / 300)
    assert unseen_share_at_most([1_000, 2_000]) == pytest.approx(math.log(20) / 3_000)
    assert unseen_share_at_most([]) == 1.0


KINDS = {
    "many alike": np.full(2_000, 1 / 2_000),
    "a long tail": (lambda w: w / w.sum())(1.0 / np.arange(1, 5_001)),
    "a short tail": (lambda w: w / w.sum())(0.7 ** np.arange(40)),
}


def unseen_of(chances, uses: int, runs: int, seed: int):
    """Yield the counts of *runs* samples, and the share of use of the kinds that they missed."""
    random = np.random.default_rng(seed)
    for _ in range(runs):
        counts = random.multinomial(uses, chances)
        yield counts[counts > 0], float(chances[counts == 0].sum())


@pytest.mark.parametrize("kinds", KINDS)
@pytest.mark.parametrize("uses", [100, 1_000])
def test_the_unseen_exceeds_its_bound_as_rarely_as_promised(kinds: str, uses: int) -> None:
    """One time in twenty at most, however the use is spread over kinds."""
    samples = list(unseen_of(KINDS[kinds], uses, 400, seed=11))

    wrong = [unseen > unseen_share_at_most(counts) for counts, unseen in samples]

    assert np.mean(wrong) <= 0.05 + 2.0 * math.sqrt(0.05 * 0.95 / 400)


def test_the_estimate_alone_is_no_bound() -> None:
    """The test above would notice: what isn't widened is exceeded about every second time."""
    samples = list(unseen_of(KINDS["a long tail"], 1_000, 400, seed=11))

    wrong = [unseen > unseen_share(counts) for counts, unseen in samples]

    assert np.mean(wrong) > 0.05 + 2.0 * math.sqrt(0.05 * 0.95 / 400)


def test_busy_hours_hold_at_least_an_even_share() -> None:
    """Nine to five is busy where the night has a tenth of the day's use."""
    day = [1.0] * 9 + [10.0] * 8 + [1.0] * 7

    assert busy_hours(day) == frozenset(range(9, 17))
    assert busy_hours([2.0] * 24) == frozenset(range(24))


def test_hours_that_nobody_saw_tell_nothing() -> None:
    """A half-known day, and one without any use, leave the question open."""
    assert busy_hours([1.0] * 23 + [None]) is None
    assert busy_hours([0.0] * 24) is None


def test_the_slowest_cell_that_is_needed_sets_the_time() -> None:
    """For 98 % the second largest cell is needed: 300 uses at 8 a second and 5 % take 750 s."""
    filling = time_to_fill(USE, candidate_share=0.05, needed=300, share=0.98)

    assert filling is not None
    assert (filling.cell, filling.seconds) == ("eu | ios", pytest.approx(750.0))


def test_more_must_be_covered_takes_longer() -> None:
    """The last half percent waits for the smallest cell, and no use is never enough."""
    times = [
        time_to_fill(USE, candidate_share=0.05, needed=300, share=share)
        for share in (0.9, 0.98, 0.995, 1.0)
    ]

    seconds = [filling.seconds for filling in times if filling is not None]
    assert seconds == sorted(seconds)
    assert len(seconds) == 4
    assert time_to_fill({}, candidate_share=0.05, needed=300, share=0.9) is None
    assert time_to_fill({"a": 0.0}, candidate_share=0.05, needed=300, share=0.9) is None


def test_the_share_that_would_do_does() -> None:
    """At the share that is named, filling takes just the time there is."""
    share = share_to_fill(USE, within_seconds=600.0, needed=300, share=0.98)

    assert share is not None
    filling = time_to_fill(USE, candidate_share=share, needed=300, share=0.98)
    assert filling is not None
    assert filling.seconds == pytest.approx(600.0)
    assert share_to_fill(USE, within_seconds=1.0, needed=300, share=0.98) is None
    assert share_to_fill({}, within_seconds=1.0, needed=300, share=0.98) is None


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: uses_needed(0.0), "smallest_failure"),
        (lambda: uses_needed(1.1), "smallest_failure"),
        (lambda: uses_needed(0.1, missed=1.0), "missed"),
        (lambda: covered_share({"a": -1.0}, {}, needed=1), "use of 'a'"),
        (lambda: covered_share({"a": 1.0}, {"a": math.nan}, needed=1), "exposures of 'a'"),
        (lambda: unseen_share([-1]), "counts"),
        (lambda: unseen_share_at_most([math.inf]), "counts"),
        (lambda: unseen_share_at_most([1], missed=0.0), "missed"),
        (lambda: busy_hours([1.0]), "24 hours"),
        (lambda: busy_hours([-1.0] * 24), "at least 0"),
        (lambda: time_to_fill(USE, candidate_share=0.0, needed=1, share=1.0), "candidate_share"),
        (lambda: time_to_fill(USE, candidate_share=0.1, needed=0, share=1.0), "needed"),
        (lambda: time_to_fill(USE, candidate_share=0.1, needed=1, share=2.0), "share"),
        (lambda: share_to_fill(USE, within_seconds=0.0, needed=1, share=1.0), "within_seconds"),
    ],
)
def test_bad_arguments_are_refused(call, says: str) -> None:
    """Each with the name of what is wrong and its value."""
    with pytest.raises(ValueError, match=says):
        call()
