"""
Rollouts as text and back, without reading the same text twice.

The plan inside a rollout never changes and is most of its text. It's kept once, by its digest, and
a rollout's record holds the plan without its phases. What was read is kept too, and used again as
long as the row is the same in every byte: so nothing can be stale, whoever wrote the row.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from hashlib import sha256
from threading import Lock
from typing import Any, Final

from sqlalchemy import Row

from tidegate.documents.records import from_json, to_json
from tidegate.domain.plan.model import Plan
from tidegate.domain.quantities import RolloutId
from tidegate.domain.rollout.model import Rollout
from tidegate.errors import StoreError

REMEMBERS_AT_MOST: Final = 5_000
"""Rollouts kept parsed: all of a large fleet's active ones, at about 4 kB each."""

RESTORE: Final = (
    "It was written by another version of Tidegate, or changed by hand. "
    "Start the version that wrote it, or restore the store from a backup."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PoisonedRollout:
    """A rollout whose row can't be read, and why. The others go on without it."""

    rollout_id: RolloutId
    because: str


def rollout_text(rollout: Rollout) -> str:
    """Return the record of *rollout*: all of it but the phases of its plan."""
    return to_json(replace(rollout, plan=replace(rollout.plan, phases=())))


def plan_text(plan: Plan) -> tuple[str, str]:
    """Return the digest and the text of *plan*."""
    text = to_json(plan)
    return _digest(text), text


class RolloutReader:
    """Reads rows of `rollouts`. One for all transactions of a store; threads may share it."""

    def __init__(self) -> None:
        self._plans: dict[str, Plan] = {}
        self._rollouts: dict[RolloutId, tuple[Hashable, Rollout]] = {}
        self._poisoned: dict[RolloutId, str] = {}
        self._changing = Lock()

    def read(self, row: Row[Any], plan_text_of: Callable[[str], str]) -> Rollout | PoisonedRollout:
        """
        Return the rollout in *row*, or why there is none.

        Args:
            row: A row with all columns of `rollouts`.
            plan_text_of: Returns the text of the plan with a digest; asked when it's not known yet.
        """
        content = tuple(row)
        known = self._rollouts.get(row.id)
        if known is not None and known[0] == content:
            return known[1]
        plan = self._plans.get(row.plan_digest)
        # Asked out here: a database that fails doesn't make a row a poisoned one.
        plan_text = plan_text_of(row.plan_digest) if plan is None else ""
        try:
            plan = plan or _read_plan(row.plan_digest, plan_text)
            rollout = replace(_read_record(row), plan=plan)
        except StoreError as exc:
            return self._set_aside(row.id, exc.message)
        self._keep(content, rollout, plan_digest=row.plan_digest)
        return rollout

    def poisoned(self) -> tuple[PoisonedRollout, ...]:
        """Return the rollouts that couldn't be read when they were last asked for."""
        with self._changing:
            found = sorted(self._poisoned.items())
        return tuple(
            PoisonedRollout(rollout_id=rollout_id, because=because) for rollout_id, because in found
        )

    def _set_aside(self, rollout_id: RolloutId, because: str) -> PoisonedRollout:
        with self._changing:
            self._rollouts.pop(rollout_id, None)
            self._poisoned[rollout_id] = because
        return PoisonedRollout(rollout_id=rollout_id, because=because)

    def _keep(self, content: Hashable, rollout: Rollout, *, plan_digest: str) -> None:
        with self._changing:
            self._poisoned.pop(rollout.id, None)
            _put_newest(self._plans, plan_digest, rollout.plan)
            _put_newest(self._rollouts, rollout.id, (content, rollout))


def _digest(text: str) -> str:
    return sha256(text.encode("utf-8")).hexdigest()


def _read_plan(digest: str, text: str) -> Plan:
    if _digest(text) != digest:
        raise StoreError(f"its plan isn't the one with digest {digest}", hint=RESTORE)
    return from_json(Plan, text)


def _read_record(row: Row[Any]) -> Rollout:
    rollout = from_json(Rollout, row.record)
    columns = (row.id, row.service, row.state, row.revision, row.settled)
    told = (rollout.id, rollout.service, rollout.state, rollout.revision, rollout.settled)
    if columns != told:
        raise StoreError(
            f"its columns say {columns} and its record says {told}",
            hint=RESTORE,
        )
    return rollout


def _put_newest(kept: dict[Any, Any], key: Hashable, value: object) -> None:
    """Keep *value*, and forget what was put longest ago when that's too much."""
    kept.pop(key, None)
    while len(kept) >= REMEMBERS_AT_MOST:
        kept.pop(next(iter(kept)))
    kept[key] = value
