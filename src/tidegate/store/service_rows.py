"""
Services, the last known good versions of their placements, and answers to idempotency keys.

What outlives single rollouts. Nothing here is written by a step, but for the last known good.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, bindparam, insert, select, update
from sqlalchemy import and_ as all_of

from tidegate.domain.quantities import Placement, ServiceName, Version
from tidegate.ports.store import LastKnownGood, Remembered, ServiceRecord
from tidegate.store.refusals import already_good
from tidegate.store.rows import Rows
from tidegate.store.tables import last_known_good, remembered, services

_REPLACE_SERVICE = (
    update(services)
    .where(services.c.name == bindparam("of_name"))
    .values(
        canonical_json=bindparam("canonical_json"),
        digest=bindparam("digest"),
        updated_at=bindparam("updated_at"),
    )
)
_ADD_SERVICE = insert(services)
_SERVICES = select(services).order_by(services.c.name)
_SERVICE = select(services).where(services.c.name == bindparam("name"))


def _of_placement() -> ColumnElement[bool]:
    return all_of(
        last_known_good.c.service == bindparam("service"),
        last_known_good.c.component == bindparam("component"),
        last_known_good.c.target == bindparam("target"),
    )


_GOOD = select(last_known_good).where(_of_placement()).order_by(last_known_good.c.position.desc())
_ADD_GOOD = insert(last_known_good)

_REMEMBERED = select(remembered).where(remembered.c.key == bindparam("key"))
_REMEMBER = insert(remembered)


class ServiceRows(Rows):
    """The part of a transaction that is about what outlives single rollouts."""

    def put_service(self, record: ServiceRecord) -> None:
        """Add or replace a service's document."""
        content = {
            "canonical_json": record.canonical_json,
            "digest": record.digest,
            "updated_at": record.updated_at,
        }
        if self._write(_REPLACE_SERVICE, {"of_name": record.name, **content}).rowcount == 0:
            self._write(_ADD_SERVICE, {"name": record.name, **content})

    def service(self, name: ServiceName) -> ServiceRecord | None:
        """Return the latest document of *name*."""
        row = self._read(_SERVICE, name=name).first()
        return None if row is None else ServiceRecord(**row._mapping)

    def services(self) -> Sequence[ServiceRecord]:
        """Return all services, by name."""
        return [ServiceRecord(**row._mapping) for row in self._read(_SERVICES)]

    def add_last_known_good(self, good: LastKnownGood) -> None:
        """Put a version at the head of a placement's chain; see `already_good` for when not."""
        if already_good(self.last_known_good(good.placement), good):
            return
        self._write(
            _ADD_GOOD,
            {
                **_placement_values(good.placement),
                "version_name": good.version.name,
                "version_digest": good.version.digest,
                "rollout_id": good.rollout_id,
                "since": good.since,
            },
        )

    def last_known_good(self, placement: Placement) -> Sequence[LastKnownGood]:
        """Return a placement's chain, newest first."""
        rows = self._read(_GOOD, **_placement_values(placement))
        return [_good(placement, row) for row in rows]

    def remember(self, key: str, answer: Remembered, *, at: datetime) -> None:
        """Keep the answer to an idempotency key; the first one stays."""
        if self.remembered(key) is None:
            self._write(
                _REMEMBER,
                {
                    "key": key,
                    "at": at,
                    "request_digest": answer.request_digest,
                    "status": answer.status,
                    "body_json": answer.body_json,
                },
            )

    def remembered(self, key: str) -> Remembered | None:
        """Return the answer that was given to *key*."""
        row = self._read(_REMEMBERED, key=key).first()
        if row is None:
            return None
        return Remembered(
            request_digest=row.request_digest, status=row.status, body_json=row.body_json
        )


def _placement_values(placement: Placement) -> dict[str, Any]:
    return {
        "service": placement.service,
        "component": placement.component,
        "target": placement.target,
    }


def _good(placement: Placement, row: Row[Any]) -> LastKnownGood:
    return LastKnownGood(
        placement=placement,
        version=Version(name=row.version_name, digest=row.version_digest),
        rollout_id=row.rollout_id,
        since=row.since,
    )
