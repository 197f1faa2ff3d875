"""Silence of members, and noise that can't be measured: what makes a tick's data unusable."""

from dataclasses import replace

import pytest
from tests.support.ticks import TICK, a_stratum, a_tick, an_input, fold, gauges, members

from tidegate.domain.health.evidence import Verdict, judge
from tidegate.domain.health.readings import Quality
from tidegate.domain.plan.model import Counting, Noise, SignalKind
from tidegate.testing.builders import a_phase, a_plan, a_signal
from tidegate.usecases.evidence import summarise


def arm(*counts, **changes):
    """Return a tick in which the candidate's members got *counts*, and the split is right."""
    changes = {"baseline": 19 * sum(counts), "baseline_bad": 0} | changes
    return an_input(a_stratum(candidate=sum(counts), candidate_members=members(*counts), **changes))


def quality_after(*inputs, plan=None):
    plan = plan or a_plan()
    state = fold(plan, [a_tick(number, given) for number, given in enumerate(inputs, start=1)])
    return state.signals[0].quality


def test_a_member_without_requests_is_quiet_then_silent():
    """Three requests that its peers got fail the tick, five hold the rollout."""
    slow = arm(2, 2, 0)

    assert quality_after(slow) is Quality.GOOD
    assert quality_after(slow, slow) is Quality.QUIET
    assert quality_after(slow, slow, slow) is Quality.SILENT


def test_a_quiet_member_stops_the_clock_and_nothing_else():
    """Too little to hold on, and too little to bake on."""
    plan = a_plan()
    slow = arm(2, 2, 0)

    state = fold(plan, [a_tick(1, slow), a_tick(2, slow)])

    judgement = judge(
        summarise(plan, state, attempt=1),
        phase=plan.phases[0],
        budget=plan.budget,
        attempt=1,
        carried=(),
    )
    assert state.baked_for == TICK
    assert judgement.verdict is Verdict.INSUFFICIENT
    assert any(reason.startswith("errors: quiet, m2 at") for reason in judgement.reasons)


def test_a_member_that_gets_a_request_is_heard_again():
    """Silence ends with the first request."""
    assert quality_after(arm(50, 50, 0), arm(50, 50, 1)) is Quality.GOOD


def test_a_member_that_ended_is_not_silent():
    """What isn't there can't answer; that the arm is smaller shows elsewhere."""
    assert quality_after(arm(50, 50, 0), arm(50, 50)) is Quality.GOOD


def test_a_tick_that_says_nothing_forgets_no_silence():
    """A source that has nothing new leaves the account as it was."""
    slow = arm(2, 2, 0)

    assert quality_after(slow, an_input(), slow) is Quality.QUIET


def test_one_member_has_no_peers():
    """Whether it is silent is told by what was due to the candidate."""
    assert quality_after(arm(0, baseline=90)) is Quality.GOOD


def test_people_are_not_shared_evenly_among_members():
    """Where users are counted, a member without new ones says nothing."""
    signal = a_signal(counting=Counting.USERS)
    plan = replace(a_plan(), phases=(a_phase(signals=(signal,)),))

    assert quality_after(arm(50, 50, 0), plan=plan) is Quality.GOOD


@pytest.mark.parametrize(("shards", "quality"), [(7, Quality.MISSING), (8, Quality.GOOD)])
def test_clustered_noise_needs_members_to_be_measured_on(shards, quality):
    """With too few of them how events cluster isn't known, and what isn't known isn't green."""
    signal = a_signal(noise=Noise.CLUSTERED)
    plan = replace(a_plan(), phases=(a_phase(signals=(signal,)),))
    given = an_input(a_stratum(baseline=100 * shards, baseline_members=members(*(100,) * shards)))

    state = fold(plan, [a_tick(1, given)])

    assert state.signals[0].quality is quality
    if quality is Quality.MISSING:
        assert "measured on 8 members of the baseline, there are 7" in state.signals[0].note


def test_fullness_that_cannot_be_ranked_says_so_and_holds_nothing():
    """With two members to compare with a rank means nothing; the signal proves nothing in any case."""
    signal = a_signal("memory", kind=SignalKind.SATURATION, gate=False)
    plan = replace(a_plan(), phases=(a_phase(signals=(signal,)),))
    stratum = a_stratum(
        candidate_members=gauges(0.5), baseline_members=gauges(0.5, 0.5, name="old")
    )

    state = fold(plan, [a_tick(1, an_input(stratum, signal="memory"))])

    assert state.signals[0].quality is Quality.GOOD
    assert "3 members of the baseline are needed" in state.signals[0].note
