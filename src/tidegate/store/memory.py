"""
The store without a database, for tests and for simulating thousands of worlds. It passes the same
contract as the others.

Nothing is copied: what is kept can't change, and each change notes how to take it back. A transaction
that raises takes back its changes, newest first. What is kept is gone with the process.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from tidegate.domain.plan.traffic import TrafficHour
from tidegate.domain.quantities import Generation, Placement, RolloutId, ServiceName, TargetName
from tidegate.domain.rollout.alarms import Alarm, AlarmId
from tidegate.domain.rollout.machine import WATCHED, State
from tidegate.domain.rollout.model import Rollout
from tidegate.ports.store import (
    EvidencePoint,
    Filed,
    LastKnownGood,
    LedgerEntry,
    LedgerQuery,
    NewEntry,
    OutboxMessage,
    Remembered,
    ServiceRecord,
    StoredEvidence,
    StoredTick,
)
from tidegate.store.ledger import GENESIS_HASH, chained
from tidegate.store.refusals import (
    MOST_SUGGESTED,
    already_good,
    already_there,
    moved_on,
    no_such_alarm,
    no_such_entry,
    no_such_rollout,
    target_taken,
    targets_of,
)
from tidegate.store.turn import Turn

_MISSING: Final = object()


@dataclass(slots=True)
class _Kept:
    """Everything that is remembered. Values are never changed in place."""

    services: dict[ServiceName, ServiceRecord] = field(default_factory=dict)
    rollouts: dict[RolloutId, Rollout] = field(default_factory=dict)
    claims: dict[tuple[ServiceName, TargetName], RolloutId] = field(default_factory=dict)
    generations: dict[tuple[ServiceName, TargetName], int] = field(default_factory=dict)
    ledger: list[LedgerEntry] = field(default_factory=list)
    outbox: list[OutboxMessage] = field(default_factory=list)
    evidence: dict[RolloutId, StoredEvidence] = field(default_factory=dict)
    ticks: dict[tuple[RolloutId, int], dict[int, StoredTick]] = field(default_factory=dict)
    points: dict[RolloutId, tuple[EvidencePoint, ...]] = field(default_factory=dict)
    traffic: dict[tuple[ServiceName, TargetName, datetime], TrafficHour] = field(
        default_factory=dict
    )
    alarms: dict[AlarmId, Alarm] = field(default_factory=dict)
    filed: dict[tuple[str, str], Filed] = field(default_factory=dict)
    good: dict[Placement, tuple[LastKnownGood, ...]] = field(default_factory=dict)
    remembered: dict[str, Remembered] = field(default_factory=dict)


class MemoryTransaction:
    """One transaction; see the port."""

    def __init__(self, kept: _Kept, *, read_only: bool) -> None:
        self._kept = kept
        self._read_only = read_only
        self._undo: list[Callable[[], object]] = []

    # services

    def put_service(self, record: ServiceRecord) -> None:
        """Add or replace a service's document."""
        self._put(self._kept.services, record.name, record)

    def service(self, name: ServiceName) -> ServiceRecord | None:
        """Return the latest document of *name*."""
        return self._kept.services.get(name)

    def services(self) -> Sequence[ServiceRecord]:
        """Return all services, by name."""
        return [self._kept.services[name] for name in sorted(self._kept.services)]

    # rollouts

    def add_rollout(self, rollout: Rollout) -> None:
        """Add a new rollout and claim its targets; see the port."""
        self._refuse_known(rollout)
        if not rollout.is_final:
            self.claim_targets(rollout)
        self.queue_rollout(rollout)

    def queue_rollout(self, rollout: Rollout) -> None:
        """Add a new rollout without a claim on its targets; see the port."""
        self._refuse_known(rollout)
        self._put(self._kept.rollouts, rollout.id, rollout)

    def _refuse_known(self, rollout: Rollout) -> None:
        if rollout.id in self._kept.rollouts:
            raise already_there(rollout.id)

    def claim_targets(self, rollout: Rollout) -> None:
        """Claim the targets of a queued rollout for it; see the port."""
        targets = sorted(targets_of(rollout))
        for target in targets:
            holder = self._kept.claims.get((rollout.service, target))
            if holder is not None:
                raise target_taken(rollout.service, target, holder=holder)
        for target in targets:
            self._put(self._kept.claims, (rollout.service, target), rollout.id)

    def holders(self, service: ServiceName, targets: Sequence[TargetName]) -> Sequence[RolloutId]:
        """Return the rollouts that have a claim on one of *targets*, by id."""
        claims = self._kept.claims
        return sorted({claims[service, one] for one in targets if (service, one) in claims})

    def queued(self, service: ServiceName) -> Sequence[Rollout]:
        """Return the rollouts of *service* that haven't begun, oldest first."""
        waiting = [
            rollout
            for rollout in self._kept.rollouts.values()
            if rollout.service == service and rollout.state is State.PLANNED
        ]
        return sorted(waiting, key=_age)

    def save_rollout(self, rollout: Rollout) -> Rollout:
        """Save *rollout* over the stored one of the same revision; see the port."""
        stored = self.rollout(rollout.id)
        if stored.revision != rollout.revision:
            raise moved_on(rollout, stored_revision=stored.revision)
        assert stored.plan_hash == rollout.plan_hash, (
            f"the plan of rollout {rollout.id} can't change"
        )
        saved = replace(rollout, revision=rollout.revision + 1)
        self._put(self._kept.rollouts, rollout.id, saved)
        if saved.is_final:
            for target in targets_of(saved):
                if self._kept.claims.get((saved.service, target)) == saved.id:
                    self._drop(self._kept.claims, (saved.service, target))
        return saved

    def rollout(self, rollout_id: RolloutId) -> Rollout:
        """Return one rollout; see the port."""
        rollout = self._kept.rollouts.get(rollout_id)
        if rollout is None:
            raise no_such_rollout(rollout_id)
        return rollout

    def rollouts(
        self, *, service: ServiceName | None = None, limit: int = 100
    ) -> Sequence[Rollout]:
        """Return rollouts, newest first."""
        of_service = [
            rollout
            for rollout in self._kept.rollouts.values()
            if service is None or rollout.service == service
        ]
        return sorted(of_service, key=_age, reverse=True)[:limit]

    def rollouts_with_prefix(self, prefix: str) -> Sequence[RolloutId]:
        """Return the ids that begin with *prefix*, at most 10."""
        found = [rollout_id for rollout_id in self._kept.rollouts if rollout_id.startswith(prefix)]
        return sorted(found)[:MOST_SUGGESTED]

    def active_rollout(self, service: ServiceName) -> Rollout | None:
        """Return the service's newest rollout that has begun and isn't over, else a queued one."""
        active = [
            rollout
            for rollout in self._kept.rollouts.values()
            if rollout.service == service and not rollout.is_final
        ]
        begun = [rollout for rollout in active if rollout.state is not State.PLANNED]
        return max(begun or active, key=_age, default=None)

    def unfinished(self, *, service: ServiceName | None = None) -> Sequence[Rollout]:
        """Return every rollout that isn't final, or is completed and not settled yet, oldest first."""
        open_ones = [
            rollout
            for rollout in self._kept.rollouts.values()
            if service in (None, rollout.service)
            and (not rollout.is_final or (rollout.state is State.COMPLETED and not rollout.settled))
        ]
        return sorted(open_ones, key=_age)

    def fleet(self, services: Sequence[ServiceName] | None = None) -> Sequence[Rollout]:
        """Return each service's newest rollout and all that aren't over or settled, by service."""
        newest: dict[ServiceName, Rollout] = {}
        for rollout in sorted(self._kept.rollouts.values(), key=_age):
            newest[rollout.service] = rollout
        ids = {one.id for one in (*self.unfinished(), *newest.values())}
        found = (self._kept.rollouts[one] for one in ids)
        wanted = [one for one in found if services is None or one.service in services]
        return sorted(wanted, key=lambda one: (one.service, _age(one)))

    def watched(self) -> Sequence[Rollout]:
        """Return every rollout that is baking or held."""
        watched = [rollout for rollout in self._kept.rollouts.values() if rollout.state in WATCHED]
        return sorted(watched, key=_age)

    # fencing

    def issue_generation(
        self, service: ServiceName, target: TargetName, *, above: int = 0
    ) -> Generation:
        """Return a number greater than any issued before for this pair, and than *above*."""
        issued = max(self._kept.generations.get((service, target), 0), above) + 1
        self._put(self._kept.generations, (service, target), issued)
        return Generation(issued)

    # ledger and outbox

    def append(self, entry: NewEntry) -> LedgerEntry:
        """Add *entry* at the end of the chain."""
        ledger = self._kept.ledger
        placed = chained(
            entry, after=(ledger[-1].number, ledger[-1].hash) if ledger else (0, GENESIS_HASH)
        )
        self._add(ledger, placed)
        return placed

    def ledger(
        self, *, rollout_id: RolloutId | None = None, after: int = 0, limit: int = 1000
    ) -> Sequence[LedgerEntry]:
        """Return entries with a number greater than *after*, oldest first."""
        later = self._kept.ledger[max(after, 0) :]
        return [entry for entry in later if rollout_id in (None, entry.rollout_id)][:limit]

    def ledger_entry(self, number: int) -> LedgerEntry:
        """Return one entry; see the port."""
        if not 1 <= number <= len(self._kept.ledger):
            raise no_such_entry(number)
        return self._kept.ledger[number - 1]

    def latest_entry(self) -> LedgerEntry | None:
        """Return the last entry of the chain."""
        return self._kept.ledger[-1] if self._kept.ledger else None

    def search_ledger(self, query: LedgerQuery, *, limit: int = 100) -> Sequence[LedgerEntry]:
        """Return the entries that *query* wants, newest first."""
        return [entry for entry in reversed(self._kept.ledger) if query.wants(entry)][:limit]

    def enqueue(self, *, at: datetime, type: str, rollout_id: RolloutId, payload_json: str) -> None:
        """Add a message to the outbox."""
        outbox = self._kept.outbox
        message = OutboxMessage(
            id=len(outbox) + 1, at=at, type=type, rollout_id=rollout_id, payload_json=payload_json
        )
        self._add(outbox, message)

    def outbox(self, *, after: int = 0, limit: int = 100) -> Sequence[OutboxMessage]:
        """Return messages with an id greater than *after*, oldest first."""
        return self._kept.outbox[max(after, 0) :][:limit]

    # evidence

    def save_evidence(self, stored: StoredEvidence, ticks: Sequence[StoredTick]) -> None:
        """Replace the evidence of a rollout and add the *ticks* that led to it; see the port."""
        self._put(self._kept.evidence, stored.rollout_id, stored)
        attempt = (stored.rollout_id, stored.attempt)
        if ticks and attempt not in self._kept.ticks:
            self._put(self._kept.ticks, attempt, {})
        for tick in ticks:
            if tick.number not in self._kept.ticks[attempt]:
                self._put(self._kept.ticks[attempt], tick.number, tick)

    def evidence(self, rollout_id: RolloutId) -> StoredEvidence | None:
        """Return the latest evidence of a rollout."""
        return self._kept.evidence.get(rollout_id)

    def ticks(
        self, rollout_id: RolloutId, attempt: int, *, through: int | None = None
    ) -> Sequence[StoredTick]:
        """Return the ticks of an attempt in order, up to number *through*."""
        of_attempt = self._kept.ticks.get((rollout_id, attempt), {})
        return [
            of_attempt[number]
            for number in sorted(of_attempt)
            if through is None or number <= through
        ]

    # charts and traffic

    def add_evidence_point(self, point: EvidencePoint) -> None:
        """Add a point to the charts of a rollout."""
        before = self._kept.points.get(point.rollout_id, ())
        self._put(self._kept.points, point.rollout_id, (*before, point))

    def evidence_points(
        self, rollout_id: RolloutId, *, since: datetime, limit: int
    ) -> Sequence[EvidencePoint]:
        """Return the points of a rollout after *since*, oldest first."""
        points = self._kept.points.get(rollout_id, ())
        later = [point for point in points if point.at > since]
        return sorted(later, key=lambda point: point.at)[:limit]

    def add_traffic(self, service: ServiceName, hours: Sequence[TrafficHour]) -> None:
        """Add what was seen of a service's traffic to its hours; see the port."""
        for one in hours:
            key = (service, one.target, one.hour)
            before = self._kept.traffic.get(key)
            self._put(self._kept.traffic, key, one if before is None else _together(before, one))

    def traffic(self, service: ServiceName, *, since: datetime) -> Sequence[TrafficHour]:
        """Return the hours of a service's traffic from *since* on, by target and time."""
        found = [
            one
            for (of_service, _, hour), one in self._kept.traffic.items()
            if of_service == service and hour >= since
        ]
        return sorted(found, key=lambda one: (one.target, one.hour))

    # alarms

    def put_alarm(self, alarm: Alarm) -> None:
        """Add or replace an alarm."""
        self._put(self._kept.alarms, alarm.id, alarm)

    def alarm(self, alarm_id: AlarmId) -> Alarm:
        """Return one alarm; see the port."""
        alarm = self._kept.alarms.get(alarm_id)
        if alarm is None:
            raise no_such_alarm(alarm_id)
        return alarm

    def latest_alarm(
        self, source: str, fingerprint: str, *, organisation: str | None = None
    ) -> Alarm | None:
        """Return the newest alarm that *source* of *organisation* calls *fingerprint*."""
        wanted = (source, fingerprint, organisation)
        same = [
            alarm
            for alarm in self._kept.alarms.values()
            if (alarm.source, alarm.fingerprint, alarm.organisation) == wanted
        ]
        return max(same, key=_alarm_age, default=None)

    def active_alarms(self) -> Sequence[Alarm]:
        """Return every alarm that isn't resolved, oldest first."""
        active = [alarm for alarm in self._kept.alarms.values() if alarm.is_active]
        return sorted(active, key=_alarm_age)

    def alarms(self, *, limit: int = 100) -> Sequence[Alarm]:
        """Return alarms, newest first."""
        return sorted(self._kept.alarms.values(), key=_alarm_age, reverse=True)[:limit]

    # records of governance

    def file(self, filed: Filed) -> None:
        """Add or replace a record."""
        self._put(self._kept.filed, (filed.kind, filed.id), filed)

    def filed(self, kind: str, record_id: str) -> Filed | None:
        """Return one record, None when there is none."""
        return self._kept.filed.get((kind, record_id))

    def open_filed(self, kind: str, *, service: ServiceName | None = None) -> Sequence[Filed]:
        """Return the records of *kind* that are open, oldest first."""
        return [one for one in self._filed_of(kind, service) if one.is_open]

    def latest_filed(
        self, kind: str, *, service: ServiceName | None = None, limit: int = 100
    ) -> Sequence[Filed]:
        """Return the records of *kind*, newest first."""
        return self._filed_of(kind, service)[::-1][:limit]

    def forget_filed(self, kind: str, *, before: datetime) -> int:
        """Remove old records of *kind* that aren't open."""
        old = [
            key
            for key, one in self._kept.filed.items()
            if one.kind == kind and one.at < before and not one.is_open
        ]
        for key in old:
            self._drop(self._kept.filed, key)
        return len(old)

    def _filed_of(self, kind: str, service: ServiceName | None) -> list[Filed]:
        found = [
            one
            for one in self._kept.filed.values()
            if one.kind == kind and (service is None or one.service == service)
        ]
        return sorted(found, key=lambda one: (one.at, one.id))

    # last known good

    def add_last_known_good(self, good: LastKnownGood) -> None:
        """Put a version at the head of a placement's chain; see `already_good` for when not."""
        chain = self._kept.good.get(good.placement, ())
        if not already_good(chain, good):
            self._put(self._kept.good, good.placement, (good, *chain))

    def last_known_good(self, placement: Placement) -> Sequence[LastKnownGood]:
        """Return a placement's chain, newest first."""
        return self._kept.good.get(placement, ())

    # idempotency

    def remember(self, key: str, answer: Remembered, *, at: datetime) -> None:
        """Keep the answer to an idempotency key; the first one stays."""
        if key not in self._kept.remembered:
            self._put(self._kept.remembered, key, answer)

    def remembered(self, key: str) -> Remembered | None:
        """Return the answer that was given to *key*."""
        return self._kept.remembered.get(key)

    # taking back

    def undo(self) -> None:
        """Take back everything that this transaction has changed."""
        for take_back in reversed(self._undo):
            take_back()

    def _put(self, table: dict[Any, Any], key: Any, value: object) -> None:
        assert not self._read_only, "this transaction was opened for reading"
        before = table.get(key, _MISSING)
        if before is _MISSING:
            self._undo.append(lambda: table.pop(key))
        else:
            self._undo.append(lambda: table.__setitem__(key, before))
        table[key] = value

    def _drop(self, table: dict[Any, Any], key: Any) -> None:
        before = table.pop(key)
        self._undo.append(lambda: table.__setitem__(key, before))

    def _add(self, rows: list[Any], row: object) -> None:
        assert not self._read_only, "this transaction was opened for reading"
        rows.append(row)
        self._undo.append(rows.pop)


class MemoryStore:
    """Keeps everything in memory. Threads may share it; transactions take turns."""

    def __init__(self) -> None:
        self._kept = _Kept()
        self._turn = Turn()

    @contextmanager
    def begin(self, *, read_only: bool = False) -> Iterator[MemoryTransaction]:
        """Return a transaction; see the port. One that only reads waits for its turn too."""
        with self._turn.taken():
            transaction = MemoryTransaction(self._kept, read_only=read_only)
            try:
                yield transaction
            except BaseException:
                transaction.undo()
                raise


def _together(before: TrafficHour, more: TrafficHour) -> TrafficHour:
    counts = [people for people in (before.people, more.people) if people is not None]
    return replace(
        before,
        watched=before.watched + more.watched,
        requests=before.requests + more.requests,
        bad=before.bad + more.bad,
        people=max(counts, default=None),
    )


def _alarm_age(alarm: Alarm) -> tuple[datetime, AlarmId]:
    return alarm.raised_at, alarm.id


def _age(rollout: Rollout) -> tuple[datetime, RolloutId]:
    return rollout.created_at, rollout.id
