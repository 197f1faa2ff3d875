"""
What the watch keeps for people beside the evidence: points for charts, and traffic by the hour.

Called in the watch's own transaction, so that a tick which another watcher has stored counts once.
Coarse on purpose: a chart of a bake has about two hundred points, traffic a row per hour. Which ticks
make a point follows from their times alone, so nothing has to be remembered for it.
"""

import json
import math
from datetime import datetime, timedelta
from typing import Any, Final

from tidegate.domain.health.evidence import Evidence, SignalEvidence, alpha_for_attempt, shown
from tidegate.domain.plan.model import Phase, Plan
from tidegate.domain.rollout.model import Rollout
from tidegate.ports.store import EvidencePoint, Transaction
from tidegate.usecases.evidence import EvidenceState, TickRecord, ruled_out
from tidegate.usecases.traffic import seen_traffic

POINTS_PER_BAKE: Final = 200
"""More points than a chart on a screen is wide can't be told apart."""


def note_tick(
    transaction: Transaction,
    rollout: Rollout,
    tick: TickRecord,
    *,
    before: EvidenceState | None,
    after: EvidenceState,
    evidence: Evidence,
) -> None:
    """
    Keep what *tick* adds to the charts of *rollout* and to what is known of its service's traffic.

    *before* and *after* are the tests before and after the tick, *evidence* what they now amount to.
    """
    plan = rollout.plan
    phase = plan.phases[tick.phase_index]
    last_at = None if before is None else before.last_at
    if last_at is not None:
        length = min(tick.at - last_at, plan.stale_after)
        seen = seen_traffic(phase, tick, length)
        if seen:
            transaction.add_traffic(rollout.service, seen)
    if phase.exposes_users and is_due(plan, phase, tick, last_at):
        transaction.add_evidence_point(
            EvidencePoint(
                rollout_id=rollout.id,
                attempt=rollout.attempt,
                at=tick.at,
                phase_index=tick.phase_index,
                numbers_json=json.dumps(
                    _numbers(rollout, evidence, after), separators=(",", ":"), allow_nan=False
                ),
            )
        )


def is_due(plan: Plan, phase: Phase, tick: TickRecord, last_at: datetime | None) -> bool:
    """Return whether *tick* is the first one of its part of the phase: then it makes a point."""
    if last_at is None or last_at < tick.phase_began_at:
        return True
    part = max(plan.tick, phase.bake / POINTS_PER_BAKE, timedelta(milliseconds=1))
    return (tick.at - tick.phase_began_at) // part > (last_at - tick.phase_began_at) // part


def _numbers(rollout: Rollout, evidence: Evidence, state: EvidenceState) -> dict[str, Any]:
    excluded = ruled_out(state)
    return {
        "baked_seconds": evidence.baked_for.total_seconds(),
        "signals": [
            _signal(rollout, signal, excluded.get(signal.signal)) for signal in evidence.signals
        ],
    }


def _signal(rollout: Rollout, signal: SignalEvidence, excluded: float | None) -> dict[str, Any]:
    budget = rollout.plan.budget
    word = shown(signal, alpha=alpha_for_attempt(budget, rollout.attempt), beta=budget.beta)
    return {
        "name": signal.signal,
        "shown": word.value,
        "ruled_out": _number(excluded),
        "candidate": [signal.candidate_total, signal.candidate_bad],
        "baseline": [signal.baseline_total, signal.baseline_bad],
        "log_e_harm": _number(signal.log_e_harm),
        "log_e_safe": _number(signal.log_e_safe),
        "value": _number(signal.value),
    }


def _number(value: float | None) -> float | None:
    """Return *value* as JSON can hold it: a chart that can't be drawn must not stop the watch."""
    return value if value is not None and math.isfinite(value) else None
