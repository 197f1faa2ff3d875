"""
What must stop a rollout, or keep it from going on: alarms, proven harm, suspicion, coverage.

What the invariants of the same names are made of: each looks at one decision and at what it was made
from. As there, nothing here uses the code whose promise it checks.
"""

import math
from collections.abc import Iterator
from typing import Final

from tidegate.domain.health.coverage import CoverageEvidence
from tidegate.domain.plan.model import CoverageSpec, Effect
from tidegate.domain.quantities import NO_EXPOSURE
from tidegate.domain.rollout.alarms import Alarm, AlarmKind, Severity
from tidegate.domain.rollout.decisions import Decision, Observation
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import ReasonCode, Rollout

GOES_ON: Final = frozenset({"enter_phase", "advance", "complete", "unpause"})
"""What leads to more exposure, at once or by the next steps."""

MOVED: Final = frozenset({State.APPLYING, State.BAKING, State.HELD})
_STOPPING: Final = frozenset({"halt", "withdraw"})


def in_spite_of_an_alarm(seen: Observation, decision: Decision) -> Iterator[str]:
    """Yield how a page doesn't stop whose candidate is met, or how something goes on while it is red."""
    active = [alarm for alarm in seen.alarms if alarm.resolved_at is None]
    effects = [_effect(seen.rollout, alarm) for alarm in active]
    if Effect.HALT in effects and seen.rollout.state in MOVED and decision.action != "halt":
        yield f"{seen.rollout.id}, {seen.rollout.state.value}: {decision.action} in spite of a page"
    red = Effect.HALT in effects or Effect.HOLD in effects
    if red and decision.action in GOES_ON and not _was_begun(seen, decision):
        yield f"{seen.rollout.id}: {decision.action} in spite of an alarm"


def in_spite_of_harm(seen: Observation, decision: Decision) -> Iterator[str]:
    """Yield how a rollout isn't stopped whose candidate is proven to harm."""
    rollout, evidence = seen.rollout, seen.evidence
    if rollout.state not in {*MOVED, State.WAITING} or not rollout.phase.exposes_users:
        return
    ours = (evidence.attempt, evidence.phase_began_at) == (rollout.attempt, rollout.phase_since)
    needed = rollout.attempt * (rollout.attempt + 1) / rollout.plan.budget.alpha_halt
    stops = decision.action in _STOPPING
    if ours and evidence.log_e_harm >= math.log(needed) and evidence.signals and not stops:
        yield f"{rollout.id}, {rollout.state.value}: {decision.action} in spite of proven harm"


def in_spite_of_suspicion(seen: Observation, decision: Decision) -> Iterator[str]:
    """Yield how a hold that has seen likely harm ends above half of that evidence."""
    rollout, evidence = seen.rollout, seen.evidence
    suspected = rollout.suspected or rollout.waiting_on.reason is ReasonCode.SUSPECTED_HARM
    half = 0.5 * math.log(1.0 / rollout.plan.budget.alpha_hold)
    if decision.action == "unpause" and suspected and not evidence.log_e_harm < half:
        yield f"{rollout.id} goes on with evidence of {evidence.log_e_harm}"


def in_spite_of_trouble(seen: Observation, decision: Decision) -> Iterator[str]:
    """Yield how a rollout goes on while both arms suffer."""
    rollout, evidence = seen.rollout, seen.evidence
    ours = (evidence.attempt, evidence.phase_began_at) == (rollout.attempt, rollout.phase_since)
    goes_on = decision.action in GOES_ON and not _was_begun(seen, decision)
    if ours and evidence.trouble is not None and goes_on:
        yield f"{rollout.id}: {decision.action} while both arms suffer"


def why_not_covered(spec: CoverageSpec, found: CoverageEvidence | None) -> str:
    """Return why *found* doesn't show that every kind of use was met; empty when it does."""
    if found is None or found.is_overfull:
        return "nothing is known of the kinds of use"
    if not found.covered_share >= spec.share:
        return f"{found.covered_share} of the use is covered"
    if not max(found.unseen_candidate, found.unseen_baseline) <= spec.unseen:
        return "too much may be of kinds never seen"
    slept = any(
        not zone.is_known or zone.busy_for.total_seconds() < 3_600 * spec.busy_hours
        for zone in found.zones
    )
    if spec.busy_hours and (slept or not found.zones):
        return "a time zone had no busy hours"
    return ""


def _effect(rollout: Rollout, alarm: Alarm) -> Effect:
    policy = rollout.plan.alerts
    labels = {"service": alarm.service, "target": alarm.target, **dict(alarm.labels)}
    matches = all(labels.get(name) == value for name, value in policy.match)
    is_report = alarm.kind is AlarmKind.REPORT
    if alarm.service != rollout.service or not (is_report or matches):
        return Effect.IGNORE
    is_page = alarm.severity is Severity.PAGE
    effect = policy.page if is_page else policy.ticket
    if is_report:
        effect = Effect.HALT if is_page else Effect.HOLD
    if effect is not Effect.HALT or rollout.state not in MOVED:
        return Effect.HOLD if effect is Effect.HALT else effect
    there = {
        placement.target
        for placement, exposure in rollout.plan.exposure_within(rollout.phase_index).items()
        if exposure != NO_EXPOSURE
    }
    return Effect.HALT if alarm.target is None or alarm.target in there else Effect.HOLD


def _was_begun(seen: Observation, decision: Decision) -> bool:
    """Return whether completing had begun before: it is only recorded, and nothing moves."""
    return decision.action == "complete" and any(
        here.candidate is None
        and here.serving == seen.rollout.change.version_of(here.placement.component)
        for here in seen.placements
    )
