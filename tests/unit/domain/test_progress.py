"""How far a bake is in evidence: full exactly when nothing that the phase demands is missing."""

from dataclasses import replace

import pytest

from tidegate.domain.health.evidence import NO_EVIDENCE, ExerciseEvidence, Verdict, judge
from tidegate.domain.health.progress import NEARLY, progress
from tidegate.domain.plan.model import ErrorBudget, ExerciseSpec
from tidegate.domain.rollout.machine import State
from tidegate.testing.builders import START, a_phase, a_plan, a_rollout, a_signal
from tidegate.testing.simulation.situations import evidence_of

BUDGET = ErrorBudget(alpha_halt=0.01, alpha_hold=0.05, beta=0.05)
CHECKOUT = ExerciseSpec(name="checkout", minimum_count=100, source="envoy")


def far(phase, evidence, carried=()):
    return progress(evidence, phase=phase, beta=BUDGET.beta, carried=carried)


def proven_in(phase, **changes):
    """Return evidence of *phase* that proves everything, but for *changes* to it."""
    rollout = a_rollout(state=State.BAKING, plan=replace(a_plan(), phases=(phase,)))
    return replace(evidence_of(rollout, at=START), **changes)


def exercised(count):
    return (ExerciseEvidence(name="checkout", count=count, minimum_count=100),)


def test_everything_proven_fills_the_bar():
    """All that is demanded is there, so nothing is the slowest."""
    phase = a_phase()

    assert far(phase, proven_in(phase)).share == 1.0


def test_without_evidence_the_bar_is_empty():
    """What isn't known counts as nothing, never as enough."""
    found = far(a_phase(exercises=(CHECKOUT,)), NO_EVIDENCE)

    assert found.share == 0.0
    assert [one.name for one in found.demands] == ["exercise checkout", "requests", "errors"]
    assert {one.share for one in found.demands} == {0.0}


def test_the_slowest_demand_is_named():
    """A bake is as far as what is furthest behind."""
    phase = a_phase(exercises=(CHECKOUT,))

    found = far(phase, proven_in(phase, exercises=exercised(25)))

    assert found.slowest is not None
    assert (found.slowest.name, found.share) == ("exercise checkout", 0.25)


def test_what_is_nearly_there_is_not_shown_as_full():
    """A bar that looks full while the rollout waits would be a lie."""
    phase = a_phase(exercises=(ExerciseSpec(name="x", minimum_count=10_000, source="envoy"),))
    counted = (ExerciseEvidence(name="x", count=9_999, minimum_count=10_000),)

    assert far(phase, proven_in(phase, exercises=counted)).share == NEARLY


def test_warm_caches_are_waited_for():
    """Nothing counts as proven while it warms up."""
    phase = a_phase()

    assert far(phase, proven_in(phase, warming=True)).share == NEARLY


def test_a_phase_that_demands_nothing_has_no_bar():
    """Internal users only, and no exercise: there is nothing to prove."""
    found = far(a_phase(weight_bps=0), NO_EVIDENCE)

    assert found.share is None
    assert found.slowest is None


@pytest.mark.parametrize(("carried", "share"), [((), 0.0), (("errors",), 1.0)])
def test_without_a_baseline_earlier_proof_is_all_there_is(carried, share):
    """Where everyone is served the candidate, a signal is proven only by an earlier phase."""
    phase = a_phase(weight_bps=10_000)

    assert far(phase, proven_in(phase), carried).share == share


@pytest.mark.parametrize("count", [0, 99, 100])
@pytest.mark.parametrize("warming", [True, False])
@pytest.mark.parametrize("gate", [True, False])
def test_the_bar_is_full_exactly_when_the_verdict_is_pass(count, warming, gate):
    """The bar and the verdict demand the same things."""
    phase = a_phase(exercises=(CHECKOUT,), signals=(a_signal(gate=gate),))
    evidence = proven_in(phase, exercises=exercised(count), warming=warming)

    verdict = judge(evidence, phase=phase, budget=BUDGET, attempt=1, carried=()).verdict

    assert (far(phase, evidence).share == 1.0) is (verdict is Verdict.PASS)
