"""What the fleet decides next: when, and never more hopeful than the evidence is."""

import math
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from tidegate.domain.health.evidence import Evidence, ExerciseEvidence, SignalEvidence
from tidegate.domain.health.readings import Quality
from tidegate.domain.plan.model import ExerciseSpec, SignalKind, Tolerance, ToleranceUnit
from tidegate.domain.quantities import RolloutId
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import Approval, ReasonCode, Rollout, WaitingOn, WhoCanAct
from tidegate.testing.builders import START, a_plan, a_rollout
from tidegate.usecases.fleet import Fleet
from tidegate.usecases.fleet_next import NextDecision, Outlook, bake_left, next_decisions

NOW = START + timedelta(minutes=4)
PROVEN = math.log(1 / 0.05) + 0.1
BAKE = timedelta(minutes=10)


def a_bake(rollout_id: str = "r-1", **changes) -> Rollout:
    return a_rollout(rollout_id, service=rollout_id, state=State.BAKING, **changes)


def an_evidence(
    *,
    safe: float = PROVEN,
    harm: float = 0.0,
    total: int = 40_000,
    bad: int = 40,
    last_tick_at: datetime = NOW,
    **changes,
) -> Evidence:
    """Return what four minutes of a bake have shown: as many failures in both arms."""
    signal = SignalEvidence(
        signal="errors",
        kind=SignalKind.ERRORS,
        gate=True,
        weight=1.0,
        tolerance=Tolerance(value=0.05, unit=ToleranceUnit.RATE),
        concurrent=True,
        log_e_harm=harm,
        log_e_safe=safe,
        quality=Quality.GOOD,
        quality_note="",
        quality_since=START,
        candidate_total=total,
        candidate_bad=bad,
        baseline_total=total,
        baseline_bad=bad,
    )
    evidence = Evidence(
        attempt=1,
        phase_index=0,
        phase_began_at=START,
        ticks=24,
        last_tick_at=last_tick_at,
        baked_for=timedelta(minutes=4),
        log_e_harm=harm,
        signals=(signal,),
        exercises=(),
    )
    return replace(evidence, **changes)


def foreseen(rollout: Rollout, evidence: Evidence | None) -> NextDecision:
    (found,) = next_decisions(a_fleet({rollout.id: evidence}, rollout), most=5)
    return found


def a_fleet(evidence: dict[RolloutId, Evidence | None], *rollouts: Rollout) -> Fleet:
    return Fleet(
        now=NOW,
        rollouts=rollouts,
        owners={},
        evidence={one: known for one, known in evidence.items() if known is not None},
        stop_orders=(),
        debts=(),
        read_in=timedelta(0),
    )


def test_what_is_proven_goes_on_when_its_time_is_over() -> None:
    """Likely, and no more than that."""
    ahead = foreseen(a_bake(), an_evidence())

    assert ahead.outlook is Outlook.LIKELY
    assert ahead.at == START + BAKE
    assert ahead.to is not None
    assert ahead.to.name == "25%"


def test_the_last_phase_leads_to_the_end_of_the_plan() -> None:
    """There is no phase after it."""
    rollout = a_bake(plan=a_plan(weights_bps=(5_000,)))

    assert foreseen(rollout, an_evidence()).to is None


def test_a_pause_makes_the_end_of_the_bake_later() -> None:
    """Only time with good data counts."""
    ahead = foreseen(a_bake(), an_evidence(baked_for=timedelta(minutes=1)))

    assert ahead.at == NOW + timedelta(minutes=9)


def test_a_slow_proof_says_how_much_longer_it_needs() -> None:
    """From the pace of the phase so far."""
    ahead = foreseen(a_bake(), an_evidence(safe=0.0, total=300, bad=1))

    assert ahead.outlook is Outlook.NEEDS_TIME
    assert ahead.at is not None
    assert ahead.at > START + BAKE + timedelta(minutes=1)
    assert "more than its bake" in ahead.because


def test_a_proof_that_comes_in_time_is_likely() -> None:
    """Though it isn't there yet."""
    assert foreseen(a_bake(), an_evidence(safe=PROVEN - 0.2)).outlook is Outlook.LIKELY


def test_without_traffic_no_proof_is_in_sight() -> None:
    """It ends undecided, and when that is can be said."""
    ahead = foreseen(a_bake(), an_evidence(safe=0.5, total=2, bad=0))

    assert ahead.outlook is Outlook.NO_PROOF
    assert ahead.at == START + timedelta(minutes=30)
    assert ahead.because == "ends undecided: 2 of 1000 requests to the candidate"


@pytest.mark.parametrize(
    ("evidence", "because"),
    [
        (None, "nothing of this bake was watched yet"),
        (an_evidence(phase_began_at=START - timedelta(hours=1)), "nothing of this bake"),
        (an_evidence(attempt=2), "nothing of this bake"),
        (an_evidence(last_tick_at=NOW - timedelta(minutes=3)), "nothing was watched for 3 min"),
        (an_evidence(harm=20.0), "harm proven"),
        (an_evidence(harm=4.0), "harm is likely"),
        (an_evidence(signals=()), "no data yet"),
    ],
)
def test_what_is_not_known_is_called_unknown(evidence: Evidence | None, because: str) -> None:
    """Missing, of another bake, stale or bad: nothing is foretold of it."""
    ahead = foreseen(a_bake(), evidence)

    assert ahead.outlook is Outlook.UNKNOWN
    assert ahead.at is None
    assert because in ahead.because


def test_when_an_exercise_comes_nobody_can_say() -> None:
    """The rest may be proven as it likes."""
    spec = ExerciseSpec(name="refund", minimum_count=10, source="envoy")
    plan = a_plan()
    phases = (replace(plan.phases[0], exercises=(spec,)), *plan.phases[1:])
    rollout = a_bake(plan=replace(plan, phases=phases))
    few = (ExerciseEvidence(name="refund", count=0, minimum_count=10),)

    ahead = foreseen(rollout, an_evidence(exercises=few))

    assert ahead.outlook is Outlook.UNKNOWN
    assert ahead.because == "exercise refund: 0 of 10"


def test_an_approval_that_is_missing_comes_next() -> None:
    """Until enough people have agreed; a no stands against it."""
    plan = a_plan()
    asks = replace(plan.phases[1], approvals=1, approvers="team-release")
    rollout = a_bake(plan=replace(plan, phases=(plan.phases[0], asks, *plan.phases[2:])))
    yes = Approval(
        by="lead-a",
        at=START,
        phase_index=1,
        attempt=1,
        plan_hash=rollout.plan_hash,
        comment="",
    )

    asked = foreseen(rollout, an_evidence())
    agreed = foreseen(replace(rollout, approvals=(yes,)), an_evidence())
    refused = foreseen(replace(rollout, approvals=(replace(yes, is_yes=False),)), an_evidence())

    assert (asked.outlook, asked.because) == (Outlook.APPROVAL, "1 of team-release")
    assert agreed.outlook is Outlook.LIKELY
    assert refused.outlook is Outlook.APPROVAL


def test_a_wait_for_the_calendar_is_a_decision_ahead() -> None:
    """The phase that is waited for begins when the window opens."""
    opens = NOW + timedelta(hours=8)
    rollout = a_rollout(
        state=State.WAITING,
        phase_index=1,
        waiting_on=WaitingOn(
            reason=ReasonCode.WINDOW, detail="closed", until=opens, who_can_act=WhoCanAct.NOBODY
        ),
    )

    ahead = foreseen(rollout, None)

    assert ahead.at == opens
    assert ahead.to == rollout.phase


def test_the_soonest_comes_first_and_no_more_than_asked_for() -> None:
    """What nobody can say when comes last."""
    rollouts = [a_bake(f"r-{number}") for number in range(4)]
    evidence: dict[RolloutId, Evidence | None] = {
        RolloutId(f"r-{number}"): an_evidence(baked_for=timedelta(minutes=number))
        for number in range(3)
    }

    found = next_decisions(a_fleet(evidence, *rollouts), most=3)

    assert [one.rollout.id for one in found] == ["r-2", "r-1", "r-0"]


def test_counted_time_never_outruns_the_clock() -> None:
    """A clock that jumped makes no bake shorter."""
    evidence = an_evidence(baked_for=timedelta(minutes=9))

    assert bake_left(a_bake(), evidence, NOW) == timedelta(minutes=6)
    assert bake_left(a_bake(), None, NOW) is None
