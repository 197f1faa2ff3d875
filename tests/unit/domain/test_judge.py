"""What evidence amounts to: harm first, then usability, then suspicion, then sufficiency."""

import math
from dataclasses import replace

import pytest

from tidegate.domain.health.evidence import (
    NO_EVIDENCE,
    Shown,
    Verdict,
    alpha_for_attempt,
    certified,
    describe_counts,
    judge,
    shown,
)
from tidegate.domain.health.readings import Quality
from tidegate.domain.plan.model import Effect, ErrorBudget, ExerciseSpec, Limit, SignalKind
from tidegate.domain.rollout.machine import State
from tidegate.testing.builders import START, a_phase, a_plan, a_rollout, a_signal
from tidegate.testing.simulation.situations import evidence_of, log_odds, signal_evidence

BUDGET = ErrorBudget(alpha_halt=0.01, alpha_hold=0.05, beta=0.05)
PROVEN_HARM = log_odds(0.005)
LIKELY_HARM = log_odds(0.05)
EXERCISE = ExerciseSpec(name="checkout", minimum_count=5, source="envoy")


def judged(phase=None, *, attempt=1, carried=(), exercises=None, **evidence):
    """Return the judgement of evidence that is good and proven but for *evidence*."""
    phase = phase or a_phase()
    plan = replace(a_plan(), phases=(phase,))
    rollout = a_rollout(state=State.BAKING, plan=plan, attempt=attempt)
    found = evidence_of(rollout, at=START, **evidence)
    if exercises is not None:
        found = replace(found, exercises=exercises)
    return judge(found, phase=phase, budget=BUDGET, attempt=attempt, carried=carried)


def test_good_data_and_proof_pass():
    """PASS needs every gate proven, enough requests, good data and no suspicion."""
    judgement = judged()

    assert judgement.verdict is Verdict.PASS
    assert judgement.reasons == ("errors: proven",)


@pytest.mark.parametrize("concurrent", [True, False])
def test_a_gate_without_a_say_proves_nothing(concurrent):
    """In shadow, or of a kind that is never proven: however good it looks, the phase doesn't pass."""
    ignored = Limit(value=1.0, above=True, effect=Effect.IGNORE)
    gates = (
        a_signal(shadow=True),
        a_signal(kind=SignalKind.LIMIT, limit=ignored),
    )
    weight = 500 if concurrent else 10_000

    for gate in gates:
        phase = a_phase(weight_bps=weight, signals=(gate,), minimum_requests=0)
        assert judged(phase).verdict is Verdict.INSUFFICIENT


@pytest.mark.parametrize("attempts", [1, 2, 10, 1_000, 100_000])
def test_all_attempts_together_spend_no_more_than_the_budget(attempts):
    """However often a rollout is resumed, its false halts stay below alpha."""
    spent = math.fsum(alpha_for_attempt(BUDGET, attempt) for attempt in range(1, attempts + 1))

    assert spent < BUDGET.alpha_halt


def test_the_first_attempt_has_half_of_the_budget():
    """Most rollouts have one attempt: it isn't starved for those that have many."""
    assert alpha_for_attempt(BUDGET, 1) == pytest.approx(0.005)
    assert alpha_for_attempt(BUDGET, 2) == pytest.approx(0.01 / 6)


def test_attempts_count_from_one():
    """An attempt 0 is a bug."""
    with pytest.raises(AssertionError):
        alpha_for_attempt(BUDGET, 0)


def test_harm_is_proven_exactly_at_the_threshold():
    """Ville's inequality allows the threshold itself; anything below isn't proven."""
    assert judged(log_e_harm=PROVEN_HARM).verdict is Verdict.FAIL
    assert judged(log_e_harm=PROVEN_HARM - 1e-9).verdict is Verdict.SUSPECT


def test_a_later_attempt_needs_more_to_halt():
    """What the first attempt has spent isn't spent twice."""
    assert judged(log_e_harm=PROVEN_HARM, attempt=2).verdict is Verdict.SUSPECT
    assert judged(log_e_harm=log_odds(0.01 / 6), attempt=2).verdict is Verdict.FAIL


def test_harm_comes_before_everything():
    """Proven harm stays proven when the data stops and the proof of safety is missing."""
    judgement = judged(log_e_harm=PROVEN_HARM, quality=Quality.MISSING, log_e_safe=0.0)

    assert judgement.verdict is Verdict.FAIL
    assert judgement.reasons[0].startswith("harm proven: errors")


def test_usability_comes_before_suspicion():
    """Data that can't be used says nothing, not even that harm is likely."""
    judgement = judged(log_e_harm=LIKELY_HARM, quality=Quality.STALE)

    assert judgement.verdict is Verdict.UNUSABLE


def test_suspicion_comes_before_sufficiency():
    """However well proven a signal is, likely harm is held."""
    judgement = judged(log_e_harm=LIKELY_HARM)

    assert judgement.verdict is Verdict.SUSPECT


@pytest.mark.parametrize("quality", [quality for quality in Quality if quality is not Quality.GOOD])
def test_no_quality_but_good_passes(quality):
    """Unknown is never green, whatever its name."""
    judgement = judged(quality=quality, quality_note="why")

    # What is only quiet doesn't hold yet, but nothing passes on it.
    quiet = quality is Quality.QUIET
    assert judgement.verdict is (Verdict.INSUFFICIENT if quiet else Verdict.UNUSABLE)
    assert judgement.reasons[0] == f"errors: {quality.value.replace('_', ' ')}, why"


def test_one_bad_signal_among_many_is_enough():
    """Data is as good as its worst signal."""
    phase = a_phase(signals=(a_signal("errors"), a_signal("usage", kind=SignalKind.USAGE)))
    good, other = (signal_evidence(spec, phase) for spec in phase.signals)

    judgement = judged(phase, signals=(good, replace(other, quality=Quality.MISSING)))

    assert judgement.verdict is Verdict.UNUSABLE


def test_a_signal_that_was_never_seen_is_unusable():
    """A signal that the plan names and the watch doesn't know of isn't forgotten."""
    phase = a_phase(signals=(a_signal("errors"), a_signal("usage", kind=SignalKind.USAGE)))

    judgement = judged(phase, signals=(signal_evidence(phase.signals[0], phase),))

    assert judgement.verdict is Verdict.UNUSABLE
    assert judgement.reasons == ("usage: no data yet",)


def test_no_evidence_is_unusable():
    """Before the first tick nothing is known."""
    judgement = judge(NO_EVIDENCE, phase=a_phase(), budget=BUDGET, attempt=1, carried=())

    assert judgement.verdict is Verdict.UNUSABLE


@pytest.mark.parametrize("value", [math.nan, -math.inf])
def test_an_e_value_that_is_no_number_never_passes(value):
    """A test that broke can't let a phase pass."""
    assert judged(log_e_safe=value).verdict is Verdict.INSUFFICIENT
    assert judged(log_e_harm=math.nan).verdict is Verdict.UNUSABLE


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"log_e_safe": 0.0}, "errors: 0% of the proof"),
        ({"log_e_safe": log_odds(0.05) / 2}, "errors: 50% of the proof"),
        ({"log_e_safe": log_odds(0.05) - 1e-9}, "errors: 99% of the proof"),
        ({"candidate_total": 999}, "999 of 1000 requests to the candidate"),
        ({"concurrent": False}, "errors: 99% of the proof"),
    ],
)
def test_too_little_keeps_baking_and_says_how_much_is_missing(changes, reason):
    """What isn't enough yet is neither a pass nor a fail."""
    judgement = judged(**changes)

    assert judgement.verdict is Verdict.INSUFFICIENT
    assert judgement.reasons == (reason,)


def test_a_signal_that_is_no_gate_needs_no_proof():
    """It can hold and halt, but it keeps nobody waiting."""
    phase = a_phase(signals=(a_signal("errors"), a_signal("latency", gate=False)))
    gate, other = (signal_evidence(spec, phase) for spec in phase.signals)

    judgement = judged(phase, signals=(gate, replace(other, log_e_safe=0.0)))

    assert judgement.verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("carried", "verdict"),
    [((), Verdict.INSUFFICIENT), (("usage",), Verdict.INSUFFICIENT), (("errors",), Verdict.PASS)],
)
def test_without_a_baseline_only_what_was_proven_before_counts(carried, verdict):
    """Weak evidence advances nothing by itself."""
    phase = a_phase(weight_bps=10_000)

    judgement = judged(phase, carried=carried)

    assert judgement.verdict is verdict


def test_certified_before_does_not_replace_a_proof_beside_a_baseline():
    """Each phase with a baseline is proven by its own data."""
    judgement = judged(log_e_safe=0.0, carried=("errors",))

    assert judgement.verdict is Verdict.INSUFFICIENT


@pytest.mark.parametrize("count", [0, 4, 5])
def test_a_path_that_was_not_used_passes_nothing(count):
    """Proof that the changed path was used is part of the proof."""
    phase = a_phase(exercises=(EXERCISE,))
    good = evidence_of(
        a_rollout(state=State.BAKING, plan=replace(a_plan(), phases=(phase,))), at=START
    ).exercises[0]

    judgement = judged(phase, exercises=(replace(good, count=count),))

    assert judgement.verdict is (Verdict.PASS if count >= 5 else Verdict.INSUFFICIENT)


def test_an_exercise_that_was_never_seen_passes_nothing():
    """Absent isn't done."""
    judgement = judged(a_phase(exercises=(EXERCISE,)), exercises=())

    assert judgement.reasons == ("exercise checkout: not seen yet",)


def test_a_phase_for_internal_users_needs_no_data():
    """Nothing can be compared where ordinary users don't come."""
    judgement = judge(
        NO_EVIDENCE, phase=a_phase(weight_bps=0), budget=BUDGET, attempt=1, carried=()
    )

    assert judgement.verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({}, Shown.PROVEN),
        ({"log_e_safe": 0.0}, Shown.PARTLY),
        ({"concurrent": False}, Shown.CANNOT),
        ({"quality": Quality.MISSING}, Shown.NO_DATA),
        ({"log_e_harm": PROVEN_HARM}, Shown.HARM),
        ({"log_e_harm": PROVEN_HARM, "quality": Quality.MISSING}, Shown.HARM),
        ({"log_e_harm": PROVEN_HARM, "weight": 0.0}, Shown.PROVEN),
        ({"log_e_harm": PROVEN_HARM, "weight": 0.5}, Shown.PROVEN),
    ],
)
def test_the_display_word_of_a_signal(changes, word):
    """People see one word per signal, and it never says more than is known."""
    phase = a_phase()
    signal = signal_evidence(phase.signals[0], phase, **changes)

    assert shown(signal, alpha=0.005, beta=0.05) is word


def test_only_good_concurrent_data_certifies():
    """Certifying needs a baseline, good data and the proof, all three."""
    phase = a_phase()
    proven = signal_evidence(phase.signals[0], phase)

    assert certified(proven, 0.05)
    assert not certified(replace(proven, concurrent=False), 0.05)
    assert not certified(replace(proven, quality=Quality.STALE), 0.05)
    assert not certified(replace(proven, log_e_safe=log_odds(0.05) - 1e-9), 0.05)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (
            SignalKind.ERRORS,
            "candidate 10.000% failed (1 of 10), baseline none (0 of 0)",
        ),
        (SignalKind.LATENCY, "candidate 10.000% slow (1 of 10), baseline none (0 of 0)"),
        (SignalKind.USAGE, "candidate 10, baseline 0"),
    ],
)
def test_counts_are_shown_as_people_compare_them(kind, words):
    """Shares with their counts, and no share of nothing."""
    phase = a_phase()
    signal = signal_evidence(
        a_signal(kind=kind),
        phase,
        candidate_total=10,
        candidate_bad=1,
        baseline_total=0,
        baseline_bad=0,
    )

    assert describe_counts(signal) == words
