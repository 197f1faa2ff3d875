"""
Alarms: what is said to be wrong, one row each, changed only by resolving it or by what its source adds.

Those that are active are asked for at every step of every rollout; they are few, and found by an index.
"""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, Text, bindparam, insert, select, update

from tidegate.domain.rollout.alarms import Alarm, AlarmId, AlarmKind, Severity
from tidegate.store.refusals import no_such_alarm
from tidegate.store.rows import Rows
from tidegate.store.tables import alarms

_CHANGING = tuple(column.name for column in alarms.columns if column.name != "id")

_REPLACE = (
    update(alarms)
    .where(alarms.c.id == bindparam("of_id"))
    .values({name: bindparam(name) for name in _CHANGING})
)
_ADD = insert(alarms)
_ONE = select(alarms).where(alarms.c.id == bindparam("id"))
_NEWEST = select(alarms).order_by(alarms.c.raised_at.desc(), alarms.c.id.desc())
_LATEST = _NEWEST.limit(bindparam("limit"))
_LATEST_OF = _NEWEST.where(
    alarms.c.source == bindparam("source"),
    alarms.c.fingerprint == bindparam("fingerprint"),
    alarms.c.organisation.is_not_distinct_from(bindparam("organisation", type_=Text)),
).limit(1)
_ACTIVE = (
    select(alarms).where(alarms.c.resolved_at.is_(None)).order_by(alarms.c.raised_at, alarms.c.id)
)


class AlarmRows(Rows):
    """The part of a transaction that is about alarms."""

    def put_alarm(self, alarm: Alarm) -> None:
        """Add or replace an alarm."""
        content = _columns(alarm)
        if self._write(_REPLACE, {"of_id": alarm.id, **content}).rowcount == 0:
            self._write(_ADD, {"id": alarm.id, **content})

    def alarm(self, alarm_id: AlarmId) -> Alarm:
        """Return one alarm; see the port."""
        row = self._read(_ONE, id=alarm_id).first()
        if row is None:
            raise no_such_alarm(alarm_id)
        return _alarm(row)

    def latest_alarm(
        self, source: str, fingerprint: str, *, organisation: str | None = None
    ) -> Alarm | None:
        """Return the newest alarm that *source* of *organisation* calls *fingerprint*."""
        row = self._read(
            _LATEST_OF, source=source, fingerprint=fingerprint, organisation=organisation
        ).first()
        return None if row is None else _alarm(row)

    def active_alarms(self) -> Sequence[Alarm]:
        """Return every alarm that isn't resolved, oldest first."""
        return [_alarm(row) for row in self._read(_ACTIVE)]

    def alarms(self, *, limit: int = 100) -> Sequence[Alarm]:
        """Return alarms, newest first."""
        return [_alarm(row) for row in self._read(_LATEST, limit=limit)]


def _columns(alarm: Alarm) -> dict[str, Any]:
    return {
        "kind": alarm.kind.value,
        "severity": alarm.severity.value,
        "service": alarm.service,
        "target": alarm.target,
        "summary": alarm.summary,
        "source": alarm.source,
        "fingerprint": alarm.fingerprint,
        "labels_json": json.dumps(alarm.labels, ensure_ascii=False),
        "raised_at": alarm.raised_at,
        "raised_by": alarm.raised_by,
        "resolved_at": alarm.resolved_at,
        "resolved_by": alarm.resolved_by,
        "resolution": alarm.resolution,
        "organisation": alarm.organisation,
    }


def _alarm(row: Row[Any]) -> Alarm:
    return Alarm(
        id=AlarmId(row.id),
        kind=AlarmKind(row.kind),
        severity=Severity(row.severity),
        service=row.service,
        target=row.target,
        summary=row.summary,
        source=row.source,
        fingerprint=row.fingerprint,
        labels=tuple((name, value) for name, value in json.loads(row.labels_json)),
        raised_at=row.raised_at,
        raised_by=row.raised_by,
        resolved_at=row.resolved_at,
        resolved_by=row.resolved_by,
        resolution=row.resolution,
        organisation=row.organisation,
    )
