"""
The draft of a postmortem: its facts gathered from the ledger and the charts, and its decisions made again.

Reads and changes nothing. What the draft is made of is decided in `domain.review.postmortem`. Slow for a
long rollout, since decisions are replayed: never call it in the server's loop.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from tidegate.documents.records import from_json
from tidegate.domain.health.evidence import Evidence, SignalEvidence, alpha_for_attempt
from tidegate.domain.review.blameless import Names
from tidegate.domain.review.postmortem import (
    Counted,
    Fact,
    Guard,
    Point,
    Postmortem,
    draft,
    guard_of,
)
from tidegate.domain.review.suggestions import Suggested, suggest
from tidegate.domain.review.written import Review
from tidegate.domain.rollout.decisions import Observation
from tidegate.domain.rollout.model import Rollout
from tidegate.ports.store import EvidencePoint, LedgerEntry
from tidegate.usecases.explain import replay_decision
from tidegate.usecases.outside import Outside
from tidegate.usecases.postmortem_records import (
    MOST_ENTRIES,
    names_of,
    refuse_unless_worth_it,
    review_of,
)
from tidegate.usecases.record import ENGINE

MOST_POINTS: Final = 10_000
MOST_REPLAYED: Final = 40
"""Each replay folds every tick before it. The decisions that changed something are the ones that matter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """One decision made again: whether it came out the same, and else what didn't."""

    number: int
    rule: str
    is_same: bool
    differences: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """
    A rollout with the draft of its postmortem and with what people wrote into it.

    `suggested` is what nobody took over yet, `names` what texts must do without. `left_out` counts
    decisions that weren't replayed.
    """

    rollout: Rollout
    postmortem: Postmortem
    review: Review
    suggested: Suggested
    names: Names
    replayed: tuple[Replayed, ...]
    left_out: int


def write_postmortem(outside: Outside, rollout: Rollout) -> Written:
    """
    Return the draft of the postmortem of *rollout*.

    Raises:
        RefusedError: nothing went wrong with it.
        StoreError: the ledger can't be read.
    """
    refuse_unless_worth_it(rollout)
    with outside.store.begin(read_only=True) as transaction:
        entries = transaction.ledger(rollout_id=rollout.id, limit=MOST_ENTRIES)
        points = transaction.evidence_points(
            rollout.id, since=datetime.min.replace(tzinfo=UTC), limit=MOST_POINTS
        )
        review = review_of(transaction, rollout)
        names = names_of(transaction, rollout, entries)
    seen = {entry.number: _seen(entry) for entry in entries}
    decisive = [entry for entry in entries if entry.state_after != entry.state_before]
    replayable = [entry for entry in decisive if seen[entry.number] is not None]
    postmortem = draft(
        [_fact(entry, seen[entry.number]) for entry in entries],
        _counted(rollout, points),
        _guards(rollout, decisive, seen),
        [_point(point) for point in points],
        engine=ENGINE,
        proposer=rollout.created_by,
        threshold=-math.log(alpha_for_attempt(rollout.plan.budget, rollout.attempt)),
    )
    chosen = replayable[-MOST_REPLAYED:]
    return Written(
        rollout=rollout,
        postmortem=postmortem,
        review=review,
        suggested=suggest(postmortem, factors=review.factors, actions=review.actions),
        names=names,
        replayed=tuple(_replayed(outside, entry) for entry in chosen),
        left_out=len(replayable) - len(chosen),
    )


def _seen(entry: LedgerEntry) -> Observation | None:
    if entry.observation_json is None or entry.decision_json is None:
        return None
    return from_json(Observation, entry.observation_json)


def _fact(entry: LedgerEntry, seen: Observation | None) -> Fact:
    return Fact(
        number=entry.number,
        at=entry.at,
        kind=entry.kind,
        rule=entry.rule,
        because=entry.because,
        actor=entry.actor,
        state_before=entry.state_before,
        state_after=entry.state_after,
        exposure_bps=None if seen is None else _exposure_bps(seen),
        phase="" if seen is None else seen.rollout.phase.name,
        by_rule=seen is not None,
    )


def _exposure_bps(seen: Observation) -> int | None:
    """Return the most that any placement was seen to expose; None where none could be seen."""
    if not seen.placements:
        return None
    return max(
        (one.exposure.weight_bps for one in seen.placements if one.candidate is not None), default=0
    )


def _guards(
    rollout: Rollout, decisive: Sequence[LedgerEntry], seen: dict[int, Observation | None]
) -> list[Guard]:
    """Return what each signal had to say when it was stopped; nothing where no rule looked at any."""
    halted = [entry for entry in decisive if entry.state_after == "halted"]
    before = [one for entry in halted if (one := seen[entry.number]) is not None]
    if not before:
        return []
    evidence: Evidence = before[0].evidence
    alpha = alpha_for_attempt(rollout.plan.budget, before[0].rollout.attempt)
    return [guard_of(one, alpha, _detail(one)) for one in evidence.signals]


def _detail(signal: SignalEvidence) -> str:
    counts = (
        f"candidate {signal.candidate_bad} of {signal.candidate_total},"
        f" baseline {signal.baseline_bad} of {signal.baseline_total}"
    )
    note = f"; {signal.quality.value}: {signal.quality_note}" if signal.quality_note else ""
    return counts + note


def _counted(rollout: Rollout, points: Sequence[EvidencePoint]) -> list[Counted]:
    """Return the counts of each phase of each attempt: those of its last point, for counts only grow."""
    last = {(point.attempt, point.phase_index): point for point in points}
    phases = rollout.plan.phases
    return [
        Counted(
            signal=signal["name"],
            phase=phases[point.phase_index].name,
            candidate_total=signal["candidate"][0],
            candidate_bad=signal["candidate"][1],
            baseline_total=signal["baseline"][0],
            baseline_bad=signal["baseline"][1],
        )
        for point in last.values()
        for signal in _signals(point)
        if signal["candidate"][0] > 0
    ]


def _point(point: EvidencePoint) -> Point:
    return Point(
        at=point.at,
        log_e_harm={signal["name"]: signal["log_e_harm"] for signal in _signals(point)},
    )


def _signals(point: EvidencePoint) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(point.numbers_json)["signals"]
    return found


def _replayed(outside: Outside, entry: LedgerEntry) -> Replayed:
    again = replay_decision(outside, entry.number)
    return Replayed(
        number=entry.number,
        rule=entry.rule,
        is_same=again.same_decision and again.same_evidence is not False,
        differences=again.differences,
    )
