"""
Rollouts, the claims they have on targets, and the generations issued for them.

Who writes a rollout names the revision that it saw, and loses when that isn't the stored one any
more. A claim is a row whose key is the service and the target: the database itself refuses a second
one. It goes when the rollout is over.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    bindparam,
    case,
    delete,
    func,
    insert,
    select,
    union,
    update,
)
from sqlalchemy import and_ as all_of
from sqlalchemy import or_ as one_of
from sqlalchemy.exc import IntegrityError

from tidegate.domain.quantities import Generation, RolloutId, ServiceName, TargetName
from tidegate.domain.rollout.machine import FINAL, WATCHED, State
from tidegate.domain.rollout.model import Rollout
from tidegate.errors import NotFoundError, StateMovedError, StoreError
from tidegate.store.records import RESTORE, PoisonedRollout, RolloutReader, plan_text, rollout_text
from tidegate.store.refusals import (
    MOST_SUGGESTED,
    already_there,
    moved_on,
    no_such_rollout,
    target_taken,
    targets_of,
)
from tidegate.store.rows import Rows
from tidegate.store.tables import claims, generations, plans, rollouts

_ACTIVE: Final = sorted(set(State) - FINAL)

_PLAN = select(plans.c.record).where(plans.c.digest == bindparam("digest"))
_ADD_PLAN = insert(plans)
_ADD = insert(rollouts)
_SAVE = (
    update(rollouts)
    .where(
        rollouts.c.id == bindparam("of_id"),
        rollouts.c.revision == bindparam("seen_revision"),
        rollouts.c.plan_hash == bindparam("same_plan_hash"),
    )
    .values({name: bindparam(name) for name in ("state", "settled", "revision", "record")})
)
_HELD = select(rollouts.c.revision, rollouts.c.plan_hash).where(rollouts.c.id == bindparam("id"))
_ONE = select(rollouts).where(rollouts.c.id == bindparam("id"))
_NEWEST = select(rollouts).order_by(rollouts.c.created_at.desc(), rollouts.c.id.desc())
_NEWEST_OF_ALL = _NEWEST.limit(bindparam("limit"))
_NEWEST_OF_SERVICE = _NEWEST.where(rollouts.c.service == bindparam("service")).limit(
    bindparam("limit")
)
_ACTIVE_OF_SERVICE = (
    select(rollouts)
    .where(rollouts.c.service == bindparam("service"), rollouts.c.state.in_(_ACTIVE))
    # What moves something comes before what waits for its turn: a halt by name must stop that.
    .order_by(
        case((rollouts.c.state == State.PLANNED, 1), else_=0),
        rollouts.c.created_at.desc(),
        rollouts.c.id.desc(),
    )
    .limit(1)
)
_QUEUED = (
    select(rollouts)
    .where(rollouts.c.service == bindparam("service"), rollouts.c.state == State.PLANNED)
    .order_by(rollouts.c.created_at, rollouts.c.id)
)
_BEGINNING_WITH = (
    select(rollouts.c.id)
    # The bounds use the index; LIKE would not mind upper and lower case in SQLite.
    .where(
        rollouts.c.id >= bindparam("prefix"),
        rollouts.c.id < bindparam("beyond"),
    )
    .order_by(rollouts.c.id)
    .limit(MOST_SUGGESTED)
)
_IS_UNFINISHED = one_of(
    rollouts.c.state.in_(_ACTIVE),
    all_of(rollouts.c.state == State.COMPLETED, rollouts.c.settled.is_(False)),
)
_UNFINISHED = select(rollouts).where(_IS_UNFINISHED).order_by(rollouts.c.created_at, rollouts.c.id)
_UNFINISHED_OF_SERVICE = _UNFINISHED.where(rollouts.c.service == bindparam("service"))
_WATCHED = (
    select(rollouts)
    .where(rollouts.c.state.in_(sorted(WATCHED)))
    .order_by(rollouts.c.created_at, rollouts.c.id)
)


def _fleet(*only: ColumnElement[bool]) -> Select[Any]:
    """Return what reads the fleet, of the services that *only* leaves."""
    # Found by ids first: records are large, and most of a long history is neither.
    latest = (
        select(rollouts.c.service, func.max(rollouts.c.created_at).label("at"))
        .where(*only)
        .group_by(rollouts.c.service)
        .subquery()
    )
    newest = (
        select(func.max(rollouts.c.id))
        .join(
            latest,
            all_of(rollouts.c.service == latest.c.service, rollouts.c.created_at == latest.c.at),
        )
        .group_by(rollouts.c.service)
    )
    unfinished = select(rollouts.c.id).where(_IS_UNFINISHED, *only)
    return (
        select(rollouts)
        .where(rollouts.c.id.in_(union(newest, unfinished)))
        .order_by(rollouts.c.service, rollouts.c.created_at, rollouts.c.id)
    )


_FLEET = _fleet()
_FLEET_OF_SERVICES = _fleet(rollouts.c.service.in_(bindparam("services", expanding=True)))

_CLAIMED = (
    select(claims.c.target, claims.c.rollout_id)
    .where(
        claims.c.service == bindparam("service"),
        claims.c.target.in_(bindparam("targets", expanding=True)),
    )
    .order_by(claims.c.target)
)
_HOLDER = _CLAIMED.limit(1)
_CLAIM = insert(claims)
_GIVE_UP_CLAIMS = delete(claims).where(claims.c.rollout_id == bindparam("of_id"))

_ABOVE = bindparam("above", type_=generations.c.generation.type)
_NEXT_GENERATION = (
    update(generations)
    .where(
        generations.c.service == bindparam("of_service"),
        generations.c.target == bindparam("of_target"),
    )
    .values(
        generation=case((generations.c.generation > _ABOVE, generations.c.generation), else_=_ABOVE)
        + 1
    )
    .returning(generations.c.generation)
)
_FIRST_GENERATION = insert(generations)


class RolloutRows(Rows):
    """The part of a transaction that is about rollouts."""

    def __init__(self, connection: Connection, *, read_only: bool, reader: RolloutReader) -> None:
        super().__init__(connection, read_only=read_only)
        self._reader = reader

    def add_rollout(self, rollout: Rollout) -> None:
        """Add a new rollout and claim its targets; see the port."""
        self._refuse_known(rollout)
        targets = targets_of(rollout) if not rollout.is_final else []
        # Before anything is written: whoever catches the refusal may still commit.
        self._refuse_taken(rollout.service, targets)
        self.queue_rollout(rollout)
        if targets:
            self._claim(rollout, targets)

    def queue_rollout(self, rollout: Rollout) -> None:
        """Add a new rollout without a claim on its targets; see the port."""
        self._refuse_known(rollout)
        digest, text = plan_text(rollout.plan)
        if self._read(_PLAN, digest=digest).first() is None:
            self._write(_ADD_PLAN, {"digest": digest, "record": text})
        self._write(
            _ADD,
            {
                "id": rollout.id,
                "service": rollout.service,
                "created_at": rollout.created_at,
                "plan_hash": rollout.plan_hash,
                "plan_digest": digest,
                **_columns(rollout),
            },
        )

    def claim_targets(self, rollout: Rollout) -> None:
        """Claim the targets of a queued rollout for it; see the port."""
        targets = targets_of(rollout)
        self._refuse_taken(rollout.service, targets)
        self._claim(rollout, targets)

    def holders(self, service: ServiceName, targets: Sequence[TargetName]) -> Sequence[RolloutId]:
        """Return the rollouts that have a claim on one of *targets*, by id."""
        claimed = self._read(_CLAIMED, service=service, targets=list(targets))
        return sorted({RolloutId(row.rollout_id) for row in claimed})

    def queued(self, service: ServiceName) -> Sequence[Rollout]:
        """Return the rollouts of *service* that haven't begun and can be read, oldest first."""
        return self._readable(self._read(_QUEUED, service=service).all())

    def save_rollout(self, rollout: Rollout) -> Rollout:
        """Save *rollout* over the stored one of the same revision; see the port."""
        saved = replace(rollout, revision=rollout.revision + 1)
        result = self._write(
            _SAVE,
            {
                "of_id": rollout.id,
                "seen_revision": rollout.revision,
                "same_plan_hash": rollout.plan_hash,
                **_columns(saved),
            },
        )
        if result.rowcount == 0:
            raise self._why_not_saved(rollout)
        if saved.is_final:
            self._write(_GIVE_UP_CLAIMS, {"of_id": rollout.id})
        return saved

    def rollout(self, rollout_id: RolloutId) -> Rollout:
        """Return one rollout; see the port."""
        row = self._read(_ONE, id=rollout_id).first()
        if row is None:
            raise no_such_rollout(rollout_id)
        return self._parsed(row)

    def rollouts(
        self, *, service: ServiceName | None = None, limit: int = 100
    ) -> Sequence[Rollout]:
        """Return rollouts, newest first, without those that can't be read."""
        if service is None:
            return self._readable(self._read(_NEWEST_OF_ALL, limit=limit).all())
        return self._readable(self._read(_NEWEST_OF_SERVICE, service=service, limit=limit).all())

    def rollouts_with_prefix(self, prefix: str) -> Sequence[RolloutId]:
        """Return the ids that begin with *prefix*, at most 10."""
        found = self._read(_BEGINNING_WITH, prefix=prefix, beyond=prefix + "\U0010ffff")
        return [RolloutId(row.id) for row in found]

    def active_rollout(self, service: ServiceName) -> Rollout | None:
        """Return the service's newest rollout that has begun and isn't over, else a queued one."""
        row = self._read(_ACTIVE_OF_SERVICE, service=service).first()
        return None if row is None else self._parsed(row)

    def unfinished(self, *, service: ServiceName | None = None) -> Sequence[Rollout]:
        """Return every rollout that is still to be worked on and can be read, oldest first."""
        if service is None:
            return self._readable(self._read(_UNFINISHED).all())
        return self._readable(self._read(_UNFINISHED_OF_SERVICE, service=service).all())

    def fleet(self, services: Sequence[ServiceName] | None = None) -> Sequence[Rollout]:
        """Return each service's newest rollout and all that aren't over or settled, by service."""
        if services is None:
            return self._readable(self._read(_FLEET).all())
        return self._readable(self._read(_FLEET_OF_SERVICES, services=list(services)).all())

    def watched(self) -> Sequence[Rollout]:
        """Return every rollout that is baking or held and can be read, oldest first."""
        return self._readable(self._read(_WATCHED).all())

    def issue_generation(
        self, service: ServiceName, target: TargetName, *, above: int = 0
    ) -> Generation:
        """Return a number greater than any issued before for this pair, and than *above*."""
        pair = {"of_service": service, "of_target": target, "above": above}
        issued = self._write(_NEXT_GENERATION, pair).scalar()
        if issued is None:
            # Two first writers at once: the key refuses one of them, with an error worth retrying.
            issued = above + 1
            first = {"service": service, "target": target, "generation": issued}
            self._write(_FIRST_GENERATION, first)
        return Generation(issued)

    def _refuse_known(self, rollout: Rollout) -> None:
        if self._read(_HELD, id=rollout.id).first() is not None:
            raise already_there(rollout.id)

    def _refuse_taken(self, service: ServiceName, targets: Sequence[TargetName]) -> None:
        taken = self._read(_HOLDER, service=service, targets=targets).first()
        if taken is not None:
            raise target_taken(service, taken.target, holder=taken.rollout_id)

    def _claim(self, rollout: Rollout, targets: Sequence[TargetName]) -> None:
        rows = [
            {"service": rollout.service, "target": target, "rollout_id": rollout.id}
            for target in targets
        ]
        try:
            self._write(_CLAIM, rows)
        except StoreError as exc:
            if isinstance(exc.__cause__, IntegrityError):
                # Only a writer that didn't wait for its turn gets here.
                raise target_taken(rollout.service, targets[0], holder="another") from exc
            raise

    def _why_not_saved(self, rollout: Rollout) -> NotFoundError | StateMovedError:
        held = self._read(_HELD, id=rollout.id).first()
        if held is None:
            return no_such_rollout(rollout.id)
        if held.revision != rollout.revision:
            return moved_on(rollout, stored_revision=held.revision)
        raise AssertionError(f"the plan of rollout {rollout.id} can't change")

    def _readable(self, rows: Sequence[Row[Any]]) -> list[Rollout]:
        """Leave out what can't be read: one broken row must not stop all other rollouts."""
        found = (self._reader.read(row, self._plan_text) for row in rows)
        return [rollout for rollout in found if not isinstance(rollout, PoisonedRollout)]

    def _parsed(self, row: Row[Any]) -> Rollout:
        rollout = self._reader.read(row, self._plan_text)
        if isinstance(rollout, PoisonedRollout):
            raise StoreError(f"rollout {rollout.rollout_id}: {rollout.because}", hint=RESTORE)
        return rollout

    def _plan_text(self, digest: str) -> str:
        return str(self._read(_PLAN, digest=digest).scalar_one())


def _columns(rollout: Rollout) -> dict[str, Any]:
    return {
        "state": rollout.state.value,
        "settled": rollout.settled,
        "revision": rollout.revision,
        "record": rollout_text(rollout),
    }
