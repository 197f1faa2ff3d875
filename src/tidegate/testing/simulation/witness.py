"""
The witness of a world: sees what is really so, notes it after every effect, and checks every invariant.

It looks at targets themselves, whatever reads of them say, and at the store, behind every failure of it.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from tidegate.documents.records import from_json
from tidegate.domain.quantities import Placement, RolloutId
from tidegate.domain.rollout.decisions import Decision, Observation
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import Rollout
from tidegate.drivers.component.fencing import Served
from tidegate.ports.store import LastKnownGood, LedgerEntry
from tidegate.store.ledger import GENESIS_HASH
from tidegate.testing.simulation.bench import Bench
from tidegate.testing.simulation.invariants import Moment, check
from tidegate.testing.simulation.servers import AwayTargets

_JUDGED_RULES: Final = frozenset(
    {
        "phase-passed",
        "all-phases-passed",
        "rehearse-way-back",
        "observed-everywhere",
        "enter-phase",
        "hold-ended",
    }
)
"""Decisions that invariants look at from within; reading back the others would only cost time."""


class Witness:
    """Sees the world of *bench* and *targets*. `moments` counts how often it has looked."""

    def __init__(self, bench: Bench, targets: AwayTargets) -> None:
        self._bench = bench
        self._targets = targets
        self._last: Moment | None = None
        self._baked: dict[RolloutId, tuple[object, timedelta]] = {}
        self.moments = 0

    def note(self, what: str) -> None:
        """
        Look at everything as it is now and check every invariant since the last look.

        Raises:
            BrokenInvariantError: one doesn't hold.
        """
        moment = self._moment(what)
        self.moments += 1
        if self._last is not None:
            check(self._last, moment)
        self._last = moment

    def rollouts(self) -> list[Rollout]:
        """Return every rollout as it is recorded, oldest first."""
        with self._bench.store.begin(read_only=True) as transaction:
            return sorted(transaction.rollouts(), key=lambda found: (found.created_at, found.id))

    def time_passes(self, by: timedelta) -> None:
        """Count for each rollout how long it has been baking in its phase."""
        for rollout in self.rollouts():
            key = (rollout.attempt, rollout.phase_since)
            before, baked = self._baked.get(rollout.id, (key, timedelta(0)))
            if before != key:
                baked = timedelta(0)
            self._baked[rollout.id] = key, baked + by * (rollout.state is State.BAKING)

    def _moment(self, what: str) -> Moment:
        head, entries = self._new_entries()
        rollouts, targets = self._rollouts_by_id(), self._served()
        if self._last is not None:
            # The same again is said by the same object, which the invariants look for.
            rollouts = self._last.rollouts if rollouts == self._last.rollouts else rollouts
            targets = self._last.targets if targets == self._last.targets else targets
        return Moment(
            at=self._bench.clock.now(),
            what=what,
            rollouts=rollouts,
            targets=targets,
            decided=[_decided(entry) for entry in entries if _is_judged(entry)],
            unreached=frozenset(self._targets.unreached),
            baked_at_most={
                rollout_id: self._baked_at_most(rollout_id) for rollout_id in self._baked
            },
            ledger=entries,
            ledger_head=head,
            good=self._new_good(entries),
        )

    def _rollouts_by_id(self) -> Mapping[RolloutId, Rollout]:
        return {rollout.id: rollout for rollout in self.rollouts()}

    def _served(self) -> Mapping[Placement, Served]:
        return {place: self._targets.served(place) for place in self._bench.plan.placements()}

    def _new_entries(self) -> tuple[tuple[int, str], list[LedgerEntry]]:
        head = (0, GENESIS_HASH)
        if self._last is not None:
            latest = self._last.ledger[-1] if self._last.ledger else None
            head = (latest.number, latest.hash) if latest else self._last.ledger_head
        with self._bench.store.begin(read_only=True) as transaction:
            return head, list(transaction.ledger(after=head[0]))

    def _new_good(self, entries: list[LedgerEntry]) -> list[LastKnownGood]:
        moved = {entry.rollout_id for entry in entries}
        if not moved:
            return []
        with self._bench.store.begin(read_only=True) as transaction:
            return [
                good
                for place in self._bench.plan.placements()
                for good in transaction.last_known_good(place)
                if good.rollout_id in moved and good.since == self._bench.clock.now()
            ]

    def _baked_at_most(self, rollout_id: RolloutId) -> timedelta:
        """Return the most that can count as baked: the time, and one stale time after each hold."""
        holds = sum(
            1
            for entry in self._bench.ledger(rollout_id)
            if entry.state_after == State.HELD and entry.state_before != State.HELD
        )
        return self._baked[rollout_id][1] + self._bench.plan.stale_after * (holds + 1)


def _is_judged(entry: LedgerEntry) -> bool:
    return entry.rule in _JUDGED_RULES and entry.kind == "decision"


def _decided(entry: LedgerEntry) -> tuple[Observation, Decision]:
    assert entry.observation_json is not None, "a decision keeps what it was made from"
    assert entry.decision_json is not None, "a decision is kept"
    return (
        from_json(Observation, entry.observation_json),
        from_json(Decision, entry.decision_json),
    )
