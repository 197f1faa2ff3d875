"""
Explaining: why a rollout is where it is, and making any decision again from what was stored.

A replay does two things: it runs the stored ticks through the tests from nothing and compares the
evidence, then runs the stored observation through `decide` and compares the decision. Both must come
out the same to the letter; a difference means that the record, or the code, isn't what it was.
"""

from dataclasses import dataclass

from tidegate.documents.records import from_json, to_json
from tidegate.domain.health.evidence import Evidence
from tidegate.domain.quantities import RolloutId
from tidegate.domain.rollout.decide import decide
from tidegate.domain.rollout.decisions import Decision, Observation
from tidegate.domain.rollout.model import Rollout
from tidegate.errors import InvalidRequestError
from tidegate.ports.store import LedgerEntry
from tidegate.usecases import evidence as fold
from tidegate.usecases.outside import Outside
from tidegate.usecases.watch import read_tick


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why a rollout is in its state: what brought it there, what it waits for, on what evidence."""

    rollout: Rollout
    brought_here_by: LedgerEntry | None
    last_decision: LedgerEntry | None
    evidence: Evidence | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """
    A decision made again.

    `same_evidence` is None where the decision rested on no ticks. `differences` says in words what
    didn't come out the same.
    """

    entry: LedgerEntry
    ticks: int
    same_evidence: bool | None
    same_decision: bool
    decision: Decision
    differences: tuple[str, ...]


def explain(outside: Outside, rollout_id: RolloutId) -> Explanation:
    """Return why *rollout_id* is where it is. Raises NotFoundError when there is none."""
    with outside.store.begin(read_only=True) as transaction:
        rollout = transaction.rollout(rollout_id)
        entries = transaction.ledger(rollout_id=rollout_id, limit=100_000)
        stored = transaction.evidence(rollout_id)
    moves = [entry for entry in entries if entry.state_after != entry.state_before]
    decisions = [entry for entry in entries if entry.kind == "decision"]
    return Explanation(
        rollout=rollout,
        brought_here_by=moves[-1] if moves else None,
        last_decision=decisions[-1] if decisions else None,
        evidence=None if stored is None else from_json(Evidence, stored.evidence_json),
    )


def replay_decision(outside: Outside, number: int) -> Replay:
    """
    Make decision *number* of the ledger again.

    Raises:
        NotFoundError: there is no such entry.
        InvalidRequestError: the entry is a person's command, which no rule made.
    """
    with outside.store.begin(read_only=True) as transaction:
        entry = transaction.ledger_entry(number)
        if entry.observation_json is None or entry.decision_json is None:
            raise InvalidRequestError(
                f"d-{number} is a command of {entry.actor}, not a decision of a rule",
                hint="replay a decision: `tidegate why ROLLOUT` names them",
            )
        seen = from_json(Observation, entry.observation_json)
        ticks = transaction.ticks(
            seen.rollout.id, seen.evidence.attempt, through=seen.evidence.ticks
        )
    differences: list[str] = []
    same_evidence: bool | None = None
    if seen.evidence.ticks:
        state = fold.replay(seen.rollout.plan, [read_tick(tick) for tick in ticks])
        made = None
        if state is not None:
            made = fold.summarise(seen.rollout.plan, state, attempt=seen.evidence.attempt)
        same_evidence = made is not None and to_json(made) == to_json(seen.evidence)
        if not same_evidence:
            differences.append(
                f"evidence from {len(ticks)} stored ticks differs from the {seen.evidence.ticks}"
                " it was made of"
            )
    decision = decide(seen)
    made_again = to_json(decision)
    if made_again != entry.decision_json:
        differences.append(f"decided {made_again}, recorded was {entry.decision_json}")
    return Replay(
        entry=entry,
        ticks=len(ticks),
        same_evidence=same_evidence,
        same_decision=made_again == entry.decision_json,
        decision=decision,
        differences=tuple(differences),
    )
