"""
The store port: the safety authority. State, ledger entry and outbox row are written together or not at all.

A `Transaction` sees one consistent state and commits when its block ends without an error. Writers
compare revisions; the loser of a race gets `StateMovedError` and looks again. Two promises need the
database itself and not only our code: at most one active rollout per service and target, and
generations that never repeat.

Promises every driver keeps are held by `testing.contracts.store`.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from tidegate.domain.plan.traffic import TrafficHour
from tidegate.domain.quantities import (
    Generation,
    Placement,
    RolloutId,
    ServiceName,
    TargetName,
    Version,
)
from tidegate.domain.rollout.alarms import Alarm, AlarmId
from tidegate.domain.rollout.model import Rollout


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceRecord:
    """The latest resolved document of a service. `canonical_json` is what `digest` is made of."""

    name: ServiceName
    canonical_json: str
    digest: str
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEntry:
    """
    One fact for the ledger, before it has a place in the chain.

    `kind` is `decision`, `command`, `evidence` or `refusal`; `rule` says which rule or verb;
    `observation_json` and `decision_json` hold what a decision was made from and what it was, so that it
    can be made again. A fact that is of no rollout, or of no service, has an empty name there.
    `details_json` holds what else belongs to the fact: the person behind the actor, ids of evidence.
    """

    at: datetime
    rollout_id: RolloutId
    service: ServiceName
    actor: str
    kind: str
    rule: str
    because: str
    state_before: str
    state_after: str
    observation_json: str | None = None
    decision_json: str | None = None
    details_json: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry(NewEntry):
    """A fact in its place: `number` counts from 1, no gaps; `hash` covers it and `previous_hash`."""

    number: int
    previous_hash: str
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerQuery:
    """
    Which entries of the ledger are wanted; None for any.

    `since` and `until` are the earliest instant and the first that is too late; `before` is a number,
    to go on behind what was seen already. `text` stands somewhere in the reason or in the details as
    they are stored, letters of ASCII in either case.
    """

    service: str | None = None
    rollout_id: str | None = None
    actor: str | None = None
    kind: str | None = None
    rule: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    before: int | None = None
    text: str | None = None

    def wants(self, entry: LedgerEntry) -> bool:
        """Return whether *entry* fits everything that is asked for."""
        return (
            self.service in (None, entry.service)
            and self.rollout_id in (None, entry.rollout_id)
            and self.actor in (None, entry.actor)
            and self.kind in (None, entry.kind)
            and self.rule in (None, entry.rule)
            and (self.since is None or entry.at >= self.since)
            and (self.until is None or entry.at < self.until)
            and (self.before is None or entry.number < self.before)
            and (self.text is None or self._says(self.text.lower(), entry))
        )

    @staticmethod
    def _says(wanted: str, entry: LedgerEntry) -> bool:
        return wanted in entry.because.lower() or wanted in (entry.details_json or "").lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxMessage:
    """Something to tell the outside, written in the transaction that made it true."""

    id: int
    at: datetime
    type: str
    rollout_id: RolloutId
    payload_json: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEvidence:
    """
    The state of a rollout's tests after `ticks` ticks of `attempt`, and its readable summary.

    `state_json` restores the tests exactly; `evidence_json` is the `Evidence` they amount to.
    """

    rollout_id: RolloutId
    attempt: int
    ticks: int
    at: datetime
    state_json: str
    evidence_json: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTick:
    """What one tick folded in, numbered from 1 within its attempt."""

    number: int
    tick_json: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidencePoint:
    """What was known of a rollout at one moment, for charts. `numbers_json` is the meter's own."""

    rollout_id: RolloutId
    attempt: int
    at: datetime
    phase_index: int
    numbers_json: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LastKnownGood:
    """A version that completed its plan at a placement and outlived its quarantine."""

    placement: Placement
    version: Version
    rollout_id: RolloutId
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Filed:
    """
    One record of governance: a stop order, a gate's evidence, a freeze, a token, a grant.

    `kind` says what it is and `id` which; together they name it. `is_open` is whether it still has a
    say, `at` when it began. `record_json` is the record itself, which the store doesn't read.
    """

    kind: str
    id: str
    service: ServiceName | None
    is_open: bool
    at: datetime
    record_json: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """The answer once given to an idempotency key, and a digest of the request it was given to."""

    request_digest: str
    status: int
    body_json: str


class Transaction(Protocol):
    """One consistent view of the store. Nothing is visible to others before it commits."""

    # services
    def put_service(self, record: ServiceRecord) -> None:
        """Add or replace a service's document."""
        ...

    def service(self, name: ServiceName) -> ServiceRecord | None:
        """Return the latest document of *name*."""
        ...

    def services(self) -> Sequence[ServiceRecord]:
        """Return all services, by name."""
        ...

    # rollouts
    def add_rollout(self, rollout: Rollout) -> None:
        """
        Add a new rollout and claim its targets for it.

        Raises:
            ActiveRolloutError: the service already has an active rollout on one of the targets.
        """
        ...

    def queue_rollout(self, rollout: Rollout) -> None:
        """Add a new rollout that waits for its turn: it has no claim on its targets yet."""
        ...

    def claim_targets(self, rollout: Rollout) -> None:
        """
        Claim the targets of a queued *rollout*, whose turn has come, for it.

        Raises:
            ActiveRolloutError: the service already has an active rollout on one of the targets.
        """
        ...

    def holders(self, service: ServiceName, targets: Sequence[TargetName]) -> Sequence[RolloutId]:
        """Return the rollouts of *service* that have a claim on one of *targets*, by id."""
        ...

    def queued(self, service: ServiceName) -> Sequence[Rollout]:
        """Return the rollouts of *service* that haven't begun and can be read, oldest first."""
        ...

    def save_rollout(self, rollout: Rollout) -> Rollout:
        """
        Save *rollout* over the stored one of the same revision; return it with the next revision.

        A rollout that has become final gives up its claim on its targets.

        Raises:
            StateMovedError: the stored revision is another one.
            NotFoundError: there is no such rollout.
        """
        ...

    def rollout(self, rollout_id: RolloutId) -> Rollout:
        """Return one rollout. Raises NotFoundError."""
        ...

    def rollouts(
        self, *, service: ServiceName | None = None, limit: int = 100
    ) -> Sequence[Rollout]:
        """Return rollouts, newest first."""
        ...

    def rollouts_with_prefix(self, prefix: str) -> Sequence[RolloutId]:
        """Return the ids that begin with *prefix*, at most 10."""
        ...

    def active_rollout(self, service: ServiceName) -> Rollout | None:
        """Return the service's newest rollout that has begun and isn't over, else its newest queued one."""
        ...

    def unfinished(self, *, service: ServiceName | None = None) -> Sequence[Rollout]:
        """
        Return every rollout that isn't final, or is completed and not settled yet, oldest first.

        Only those of *service* when it is given. What can't be read is left out.
        """
        ...

    def fleet(self, services: Sequence[ServiceName] | None = None) -> Sequence[Rollout]:
        """
        Return each service's newest rollout and all that aren't over or settled, by service, oldest first.

        Only those of *services* when they are given. What can't be read is left out.
        """
        ...

    def watched(self) -> Sequence[Rollout]:
        """Return every rollout in one of the states that are watched (`machine.WATCHED`)."""
        ...

    # fencing
    def issue_generation(
        self, service: ServiceName, target: TargetName, *, above: int = 0
    ) -> Generation:
        """Return a number greater than any issued before for this pair, and greater than *above*."""
        ...

    # ledger and outbox
    def append(self, entry: NewEntry) -> LedgerEntry:
        """Add *entry* at the end of the chain. There is no way to change or remove one."""
        ...

    def ledger(
        self, *, rollout_id: RolloutId | None = None, after: int = 0, limit: int = 1000
    ) -> Sequence[LedgerEntry]:
        """Return entries with a number greater than *after*, oldest first."""
        ...

    def ledger_entry(self, number: int) -> LedgerEntry:
        """Return one entry. Raises NotFoundError."""
        ...

    def latest_entry(self) -> LedgerEntry | None:
        """Return the last entry of the chain, None when there is none yet."""
        ...

    def search_ledger(self, query: LedgerQuery, *, limit: int = 100) -> Sequence[LedgerEntry]:
        """Return the entries that *query* wants, newest first."""
        ...

    def enqueue(self, *, at: datetime, type: str, rollout_id: RolloutId, payload_json: str) -> None:
        """Add a message to the outbox."""
        ...

    def outbox(self, *, after: int = 0, limit: int = 100) -> Sequence[OutboxMessage]:
        """Return messages with an id greater than *after*, oldest first."""
        ...

    # evidence
    def save_evidence(self, stored: StoredEvidence, ticks: Sequence[StoredTick]) -> None:
        """
        Replace the evidence of a rollout and add the *ticks* that led to it.

        A tick whose number is already stored for this attempt is the same tick and is ignored.
        """
        ...

    def evidence(self, rollout_id: RolloutId) -> StoredEvidence | None:
        """Return the latest evidence of a rollout."""
        ...

    def ticks(
        self, rollout_id: RolloutId, attempt: int, *, through: int | None = None
    ) -> Sequence[StoredTick]:
        """Return the ticks of an attempt in order, up to number *through*."""
        ...

    # charts and traffic
    def add_evidence_point(self, point: EvidencePoint) -> None:
        """Add a point to the charts of a rollout. No other of it may have the same instant."""
        ...

    def evidence_points(
        self, rollout_id: RolloutId, *, since: datetime, limit: int
    ) -> Sequence[EvidencePoint]:
        """Return the points of a rollout later than *since*, oldest first, at most *limit*."""
        ...

    def add_traffic(self, service: ServiceName, hours: Sequence[TrafficHour]) -> None:
        """
        Add what was seen of a service's traffic to its hours, made when they aren't there yet.

        Requests and watched time add up. Of the people of an hour the greatest count stays, because
        each count is of the same people so far.
        """
        ...

    def traffic(self, service: ServiceName, *, since: datetime) -> Sequence[TrafficHour]:
        """Return the hours of a service's traffic from *since* on, by target and time."""
        ...

    # alarms
    def put_alarm(self, alarm: Alarm) -> None:
        """Add an alarm, or replace the one with its id."""
        ...

    def alarm(self, alarm_id: AlarmId) -> Alarm:
        """Return one alarm. Raises NotFoundError."""
        ...

    def latest_alarm(
        self, source: str, fingerprint: str, *, organisation: str | None = None
    ) -> Alarm | None:
        """
        Return the newest alarm that *source* calls *fingerprint*, active or not.

        What another *organisation* calls by the same words is another alarm; None is everybody's.
        """
        ...

    def active_alarms(self) -> Sequence[Alarm]:
        """Return every alarm that isn't resolved, oldest first."""
        ...

    def alarms(self, *, limit: int = 100) -> Sequence[Alarm]:
        """Return alarms, newest first."""
        ...

    # records of governance
    def file(self, filed: Filed) -> None:
        """Add a record, or replace the one of its kind and id."""
        ...

    def filed(self, kind: str, record_id: str) -> Filed | None:
        """Return one record, None when there is none."""
        ...

    def open_filed(self, kind: str, *, service: ServiceName | None = None) -> Sequence[Filed]:
        """Return the records of *kind* that are open, oldest first; of *service* when it's given."""
        ...

    def latest_filed(
        self, kind: str, *, service: ServiceName | None = None, limit: int = 100
    ) -> Sequence[Filed]:
        """Return the records of *kind*, newest first; of *service* when it's given."""
        ...

    def forget_filed(self, kind: str, *, before: datetime) -> int:
        """Remove the records of *kind* that began before then and aren't open; return how many."""
        ...

    # last known good
    def add_last_known_good(self, good: LastKnownGood) -> None:
        """Put a version at the head of a placement's chain; adding it again changes nothing."""
        ...

    def last_known_good(self, placement: Placement) -> Sequence[LastKnownGood]:
        """Return a placement's chain, newest first."""
        ...

    # idempotency
    def remember(self, key: str, answer: Remembered, *, at: datetime) -> None:
        """Keep the answer to an idempotency key."""
        ...

    def remembered(self, key: str) -> Remembered | None:
        """Return the answer that was given to *key*."""
        ...


class Store(Protocol):
    """Opens transactions."""

    def begin(self, *, read_only: bool = False) -> AbstractContextManager[Transaction]:
        """
        Return a transaction that commits when its block ends, and is undone when it raises.

        With *read_only* it is a snapshot that waits for nobody and makes nobody wait.

        Raises:
            StoreError: the store can't be read or written.
        """
        ...
