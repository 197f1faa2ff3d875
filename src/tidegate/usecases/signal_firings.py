"""
When each signal of a service last held or halted a rollout, by the observations that the ledger keeps.

A halt is put down to the signals that prove harm by themselves; where none does and they prove it together,
to the one that shows most. Nothing is judged again: the evidence and its thresholds are those of then.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from tidegate.documents.records import from_json
from tidegate.domain.health.evidence import (
    Evidence,
    SignalEvidence,
    alpha_for_attempt,
    is_broken,
    is_culprit,
)
from tidegate.domain.plan.model import Effect
from tidegate.domain.quantities import RolloutId, ServiceName
from tidegate.domain.rollout.decisions import Observation
from tidegate.ports.store import LedgerEntry, LedgerQuery, Transaction
from tidegate.usecases.access import Access
from tidegate.usecases.reading import sees_entry

ENTRIES_READ: Final = 25
"""How many halts, and how many holds, are looked through; a signal that fired before them all isn't known."""

HALTED: Final = "harm-proven"
HELD: Final = "harm-suspected"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fired:
    """The last time that a signal stopped a rollout: which decision, and whether it halted or held."""

    signal: str
    at: datetime
    entry: int
    rollout: RolloutId
    halted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Firings:
    """The last firing of each signal, by name. `since` is when on is known; None for from the beginning."""

    last: dict[str, Fired]
    since: datetime | None


def last_firings(transaction: Transaction, access: Access, service: ServiceName) -> Firings:
    """Return when the signals of *service* last fired, of what the caller may read. Raises StoreError."""
    last: dict[str, Fired] = {}
    since: datetime | None = None
    for rule in (HALTED, HELD):
        query = LedgerQuery(service=service, rule=rule)
        entries = transaction.search_ledger(query, limit=ENTRIES_READ)
        if len(entries) == ENTRIES_READ:
            since = max(filter(None, (since, entries[-1].at)))
        for entry in entries:
            if sees_entry(transaction, access, entry):
                _note(last, entry, halted=rule == HALTED)
    return Firings(last=last, since=since)


def _note(last: dict[str, Fired], entry: LedgerEntry, *, halted: bool) -> None:
    if entry.observation_json is None:
        return
    seen = from_json(Observation, entry.observation_json)
    alpha = alpha_for_attempt(seen.rollout.plan.budget, seen.rollout.attempt)
    for name in fired(seen.evidence, alpha=alpha, halted=halted):
        if name not in last or last[name].at < entry.at:
            last[name] = Fired(
                signal=name,
                at=entry.at,
                entry=entry.number,
                rollout=entry.rollout_id,
                halted=halted,
            )


def fired(evidence: Evidence, *, alpha: float, halted: bool) -> list[str]:
    """
    Return the signals to which a halt, or a hold for likely harm, on *evidence* is put down.

    Args:
        evidence: What was known.
        alpha: The share of the halting budget that the attempt had.
        halted: Whether it halted; else it held.
    """
    effect = Effect.HALT if halted else Effect.HOLD
    named = [one.signal for one in evidence.signals if _breaks(one, effect)]
    if halted:
        named += [one.signal for one in evidence.signals if is_culprit(one, alpha)]
    return named or _most(evidence.signals)


def _breaks(signal: SignalEvidence, effect: Effect) -> bool:
    limit, value = signal.limit, signal.value
    if limit is None or value is None or limit.effect is not effect or signal.shadow:
        return False
    return is_broken(limit, value)


def _most(signals: Iterable[SignalEvidence]) -> list[str]:
    tested = [one for one in signals if one.weight > 0 and not math.isnan(one.log_e_harm)]
    if not tested:
        return []
    return [max(tested, key=lambda one: one.log_e_harm).signal]
