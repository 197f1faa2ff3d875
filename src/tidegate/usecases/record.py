"""
Recording: the rollout, its ledger entry and its outbox message in one transaction, or none of them.

Every change of a rollout goes through `record_decision` or `record_command`; nothing else saves one.
"""

import json
from collections.abc import Mapping
from datetime import datetime

from tidegate.documents.records import to_json
from tidegate.domain.quantities import RolloutId, ServiceName
from tidegate.domain.rollout.decisions import Decision, Observation
from tidegate.domain.rollout.model import Rollout
from tidegate.ports.store import LedgerEntry, NewEntry, Transaction

ENGINE = "tidegate"
"""The actor of decisions that no person made."""

_EVENT_OF_STATE = {
    "waiting": "dev.tidegate.rollout.advanced",
    "held": "dev.tidegate.rollout.held",
    "halted": "dev.tidegate.rollout.halted",
    "rolled_back": "dev.tidegate.rollout.rolledback",
    "completed": "dev.tidegate.rollout.completed",
}


def record_decision(
    transaction: Transaction, seen: Observation, decision: Decision, after: Rollout
) -> Rollout:
    """
    Save *after* with the decision that led to it and all that it was made from.

    Raises:
        StateMovedError: somebody else moved the rollout meanwhile; nothing was written.
    """
    saved = transaction.save_rollout(after)
    entry = transaction.append(
        NewEntry(
            at=seen.now,
            rollout_id=after.id,
            service=after.service,
            actor=ENGINE,
            kind="decision",
            rule=decision.rule,
            because=decision.because,
            state_before=seen.rollout.state.value,
            state_after=after.state.value,
            observation_json=to_json(seen),
            decision_json=to_json(decision),
        )
    )
    _tell(transaction, entry)
    return saved


def record_command(
    transaction: Transaction,
    before: Rollout,
    after: Rollout,
    *,
    actor: str,
    verb: str,
    reason: str,
    at: datetime,
) -> Rollout:
    """
    Save *after* with the command of a person that led to it, said *at* that time.

    Raises:
        StateMovedError: somebody else moved the rollout meanwhile; nothing was written.
    """
    saved = transaction.save_rollout(after)
    note_command(transaction, before, after, actor=actor, verb=verb, reason=reason, at=at)
    return saved


def note_command(
    transaction: Transaction,
    before: Rollout,
    after: Rollout,
    *,
    actor: str,
    verb: str,
    reason: str,
    at: datetime,
) -> None:
    """Write the ledger entry and outbox message of a command, said *at* that time, that is saved already."""
    entry = transaction.append(
        NewEntry(
            at=at,
            rollout_id=after.id,
            service=after.service,
            actor=actor,
            kind="command",
            rule=verb,
            because=reason,
            state_before=before.state.value,
            state_after=after.state.value,
        )
    )
    _tell(transaction, entry)


def note_fact(
    transaction: Transaction,
    *,
    at: datetime,
    actor: str,
    kind: str,
    rule: str,
    because: str,
    service: str = "",
    rollout_id: str = "",
    details: Mapping[str, object] | None = None,
) -> LedgerEntry:
    """
    Write a fact that moves no rollout: a stop order, a grant, a gate's evidence, a refusal.

    *kind* is `command`, `evidence` or `refusal`; *details* must have a JSON form.
    """
    return transaction.append(
        NewEntry(
            at=at,
            rollout_id=RolloutId(rollout_id),
            service=ServiceName(service),
            actor=actor,
            kind=kind,
            rule=rule,
            because=because,
            state_before="",
            state_after="",
            details_json=None if details is None else json.dumps(details, sort_keys=True),
        )
    )


def _tell(transaction: Transaction, entry: LedgerEntry) -> None:
    moved = entry.state_after != entry.state_before
    known = _EVENT_OF_STATE.get(entry.state_after) if moved else None
    transaction.enqueue(
        at=entry.at,
        type=known or "dev.tidegate.decision.made",
        rollout_id=entry.rollout_id,
        payload_json=json.dumps(
            {
                "entry": entry.number,
                "rule": entry.rule,
                "because": entry.because,
                "state_before": entry.state_before,
                "state_after": entry.state_after,
            },
            sort_keys=True,
        ),
    )
