"""What the evidence and the alarms of a moment amount to. What follows from it is decided elsewhere."""

from tidegate.domain.health.evidence import Judgement, Verdict, judge
from tidegate.domain.health.trouble import describe as trouble_in_words
from tidegate.domain.plan.model import Effect, Phase
from tidegate.domain.rollout.alarms import describe
from tidegate.domain.rollout.decisions import Observation
from tidegate.domain.rollout.seen import (
    alarms_with,
    certified_before,
    evidence_in_force,
    is_suspected,
    phase_in_force,
)


def judged(seen: Observation, phase: Phase) -> Judgement:
    """Return what the evidence says of *phase*, as this attempt may weigh it."""
    return judge(
        evidence_in_force(seen),
        phase=phase,
        budget=seen.rollout.plan.budget,
        attempt=seen.rollout.attempt,
        carried=certified_before(seen.rollout),
        was_suspect=is_suspected(seen.rollout),
    )


def present_verdict(seen: Observation) -> Verdict | None:
    """Return what the evidence of the phase in force amounts to, None when no phase is."""
    phase = phase_in_force(seen.rollout)
    return None if phase is None else judged(seen, phase).verdict


def alarmed_in_words(seen: Observation) -> str:
    """Return which alarms keep exposure from rising, in words; empty when none does."""
    return "; ".join(map(describe, alarms_with(seen, Effect.HOLD)))


def troubled_in_words(seen: Observation) -> str:
    """Return what both arms suffer from and whom to look at, in words; empty when nothing."""
    trouble = evidence_in_force(seen).trouble
    return "" if trouble is None else trouble_in_words(trouble)
