"""
What the fleet decides next: when each bake ends, what comes then, and what it will most likely be. Pure.

A forecast for people, from the evidence as it is and the pace of the phase so far. It decides nothing, and
what it can't know it calls unknown: a bake is never called likely to pass because nothing speaks against it.
"""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from tidegate.domain.durations import rough_duration
from tidegate.domain.health.coverage import missing_reasons
from tidegate.domain.health.evidence import Evidence, Verdict, certified, judge
from tidegate.domain.plan.model import Phase
from tidegate.domain.rollout.decisions import Observation
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import ReasonCode, Rollout
from tidegate.domain.rollout.seen import (
    certified_before,
    evidence_in_force,
    is_last_phase,
    valid_approvals,
)
from tidegate.usecases.fleet import Fleet
from tidegate.usecases.meter import proofs_in
from tidegate.usecases.pace import pace_of, requests_of, shares_of

WORTH_SAYING: Final = timedelta(minutes=1)
"""A proof that comes so little after the bake's time isn't worth a word."""

_ENDS_BY_ITSELF: Final = frozenset({ReasonCode.WINDOW, ReasonCode.STAGGER, ReasonCode.WORKING_DAY})
"""Waits with a known end, after which the next phase begins."""


class Outlook(StrEnum):
    """What a decision will most likely be."""

    LIKELY = "likely"
    """All that has to be proven is; only time is missing."""
    NEEDS_TIME = "needs_time"
    """It needs longer than its bake."""
    APPROVAL = "approval"
    """Then people have to agree."""
    NO_PROOF = "no_proof"
    """At these rates the proof isn't in sight."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class NextDecision:
    """
    A decision ahead.

    `at` is when it is expected, None where nobody can say. `to` is the phase that it would let begin,
    None for the end of the plan. `because` says what the outlook rests on.
    """

    rollout: Rollout
    at: datetime | None
    to: Phase | None
    outlook: Outlook
    because: str


def bake_left(rollout: Rollout, evidence: Evidence | None, now: datetime) -> timedelta | None:
    """Return how much of the present bake's time is left, None where nothing of it was watched yet."""
    known = _in_force(rollout, evidence, now)
    if known is None:
        return None
    left = rollout.phase.bake - known.baked_for
    # Counted time can't outrun the clock on the wall.
    return max(timedelta(0), left, rollout.phase_since + rollout.phase.bake - now)


def next_decisions(fleet: Fleet, *, most: int) -> tuple[NextDecision, ...]:
    """
    Return the decisions that are expected next, at most *most*, the soonest first.

    Those of which nobody can say when come last.
    """
    ahead = heapq.nsmallest(most, _due(fleet), key=lambda one: (one[0], one[1].id))
    found = [_foreseen(rollout, fleet, at) for at, rollout in ahead]
    return tuple(sorted(found, key=lambda one: (one.at is None, one.at or fleet.now)))


def _due(fleet: Fleet) -> Iterator[tuple[datetime, Rollout]]:
    """Yield what is decided when at the earliest. The forecast, which is dearer, is made of few of them."""
    for rollout in fleet.rollouts:
        if rollout.state is State.BAKING:
            left = bake_left(rollout, fleet.evidence.get(rollout.id), fleet.now)
            yield fleet.now + (rollout.phase.bake if left is None else left), rollout
        elif (
            rollout.state is State.WAITING
            and rollout.waiting_on.reason in _ENDS_BY_ITSELF
            and rollout.waiting_on.until is not None
        ):
            yield max(fleet.now, rollout.waiting_on.until), rollout


def _foreseen(rollout: Rollout, fleet: Fleet, at: datetime) -> NextDecision:
    if rollout.state is State.WAITING:
        return NextDecision(
            rollout=rollout,
            at=at,
            to=rollout.phase,
            outlook=Outlook.LIKELY,
            because=rollout.waiting_on.detail,
        )
    known = _in_force(rollout, fleet.evidence.get(rollout.id), fleet.now)
    if known is None:
        return _unknown(rollout, "nothing of this bake was watched yet")
    silent = fleet.now - (known.last_tick_at or rollout.phase_since)
    if silent > rollout.plan.stale_after + rollout.plan.tick:
        return _unknown(rollout, f"nothing was watched for {rough_duration(silent)}")
    judgement = judge(
        known,
        phase=rollout.phase,
        budget=rollout.plan.budget,
        attempt=rollout.attempt,
        carried=certified_before(rollout),
    )
    because = judgement.reasons[0] if judgement.reasons else ""
    match judgement.verdict:
        case Verdict.PASS:
            return _after_proof(rollout, at, because)
        case Verdict.INSUFFICIENT:
            return _after_more(rollout, known, at, fleet.now, because)
        case _:
            return _unknown(rollout, because)


def _after_more(
    rollout: Rollout, known: Evidence, at: datetime, now: datetime, because: str
) -> NextDecision:
    """Return what is foreseen of a bake that has to prove more."""
    if _waits_for_use(rollout, known):
        return _unknown(rollout, because)
    foretold = proofs_in(rollout, known, now=now)
    beta = rollout.plan.budget.beta
    unproven = [one.signal for one in known.signals if one.gate and not certified(one, beta)]
    if not set(unproven) <= set(foretold):
        return _unknown(rollout, because)
    waits = [foretold[name] for name in unproven] + _request_waits(rollout, known, now)
    if None in waits:
        return _ahead(rollout, None, Outlook.NO_PROOF, because)
    proven_at = now + max((wait for wait in waits if wait is not None), default=timedelta(0))
    undecided_at = now + rollout.phase.bake_max * rollout.bake_allowance - known.baked_for
    if proven_at > undecided_at:
        return _ahead(rollout, undecided_at, Outlook.NO_PROOF, f"ends undecided: {because}")
    if proven_at <= at + WORTH_SAYING:
        return _after_proof(rollout, at, because)
    late = rough_duration(proven_at - at)
    return _ahead(rollout, proven_at, Outlook.NEEDS_TIME, f"{late} more than its bake: {because}")


def _waits_for_use(rollout: Rollout, known: Evidence) -> bool:
    """Return whether an exercise or a kind of use is missing: when that comes, nobody can say."""
    counts = {one.name: one.count for one in known.exercises}
    if any(counts.get(one.name, 0) < one.minimum_count for one in rollout.phase.exercises):
        return True
    coverage = rollout.phase.coverage
    return coverage is not None and bool(missing_reasons(known.coverage, coverage))


def _request_waits(rollout: Rollout, known: Evidence, now: datetime) -> list[timedelta | None]:
    """Return how long it takes until enough requests have come; None for out of sight."""
    missing = rollout.phase.minimum_requests - requests_of(known)
    if missing <= 0:
        return []
    shares = shares_of(rollout, known.phase_index)
    return [pace_of(rollout, known, shares, (), now).until(missing)]


def _after_proof(rollout: Rollout, at: datetime, because: str) -> NextDecision:
    following = _following(rollout)
    if following is not None and following.approvals:
        said = valid_approvals(rollout, rollout.phase_index + 1)
        missing = following.approvals - sum(1 for one in said if one.is_yes)
        if missing > 0 or any(not one.is_yes for one in said):
            asked = f"{following.approvals} of {following.approvers or 'anybody'}"
            return _ahead(rollout, at, Outlook.APPROVAL, asked)
    return _ahead(rollout, at, Outlook.LIKELY, because)


def _unknown(rollout: Rollout, because: str) -> NextDecision:
    return _ahead(rollout, None, Outlook.UNKNOWN, because)


def _ahead(rollout: Rollout, at: datetime | None, outlook: Outlook, because: str) -> NextDecision:
    return NextDecision(
        rollout=rollout, at=at, to=_following(rollout), outlook=outlook, because=because
    )


def _following(rollout: Rollout) -> Phase | None:
    return None if is_last_phase(rollout) else rollout.plan.phases[rollout.phase_index + 1]


def _in_force(rollout: Rollout, evidence: Evidence | None, now: datetime) -> Evidence | None:
    if evidence is None:
        return None
    known = evidence_in_force(
        Observation(now=now, rollout=rollout, placements=(), evidence=evidence)
    )
    return known if known.phase_began_at is not None else None
