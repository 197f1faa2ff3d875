"""
Records of governance: one row each, read by kind and by whether they still have a say.

What a record means is the business of who files it; here it is text beside the columns that are
searched. Those that are open are few, and asked for at every step.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, delete, insert, select, update

from tidegate.domain.quantities import ServiceName
from tidegate.ports.store import Filed
from tidegate.store.rows import Rows
from tidegate.store.tables import filed

_REPLACE = (
    update(filed)
    .where(filed.c.kind == bindparam("of_kind"), filed.c.id == bindparam("of_id"))
    .values(
        {name: bindparam(name) for name in ("service", "is_open", "at", "record_json")},
    )
)
_ADD = insert(filed)
_FORGET = delete(filed).where(
    filed.c.kind == bindparam("of_kind"),
    filed.c.at < bindparam("before"),
    filed.c.is_open.is_(False),
)
_ONE = select(filed).where(filed.c.kind == bindparam("kind"), filed.c.id == bindparam("id"))
_OF_KIND = select(filed).where(filed.c.kind == bindparam("kind"))
_OPEN = _OF_KIND.where(filed.c.is_open).order_by(filed.c.at, filed.c.id)
_OPEN_OF = _OPEN.where(filed.c.service == bindparam("service"))
_LATEST = _OF_KIND.order_by(filed.c.at.desc(), filed.c.id.desc()).limit(bindparam("limit"))
_LATEST_OF = _LATEST.where(filed.c.service == bindparam("service"))


class FiledRows(Rows):
    """The part of a transaction that is about records of governance."""

    def file(self, filed: Filed) -> None:
        """Add or replace a record."""
        content = {
            "service": filed.service,
            "is_open": filed.is_open,
            "at": filed.at,
            "record_json": filed.record_json,
        }
        named = {"of_kind": filed.kind, "of_id": filed.id}
        if self._write(_REPLACE, {**named, **content}).rowcount == 0:
            self._write(_ADD, {"kind": filed.kind, "id": filed.id, **content})

    def filed(self, kind: str, record_id: str) -> Filed | None:
        """Return one record; see the port."""
        row = self._read(_ONE, kind=kind, id=record_id).first()
        return None if row is None else _filed(row)

    def open_filed(self, kind: str, *, service: ServiceName | None = None) -> Sequence[Filed]:
        """Return the records of *kind* that are open, oldest first."""
        if service is None:
            rows = self._read(_OPEN, kind=kind)
        else:
            rows = self._read(_OPEN_OF, kind=kind, service=service)
        return [_filed(row) for row in rows]

    def latest_filed(
        self, kind: str, *, service: ServiceName | None = None, limit: int = 100
    ) -> Sequence[Filed]:
        """Return the records of *kind*, newest first."""
        if service is None:
            rows = self._read(_LATEST, kind=kind, limit=limit)
        else:
            rows = self._read(_LATEST_OF, kind=kind, service=service, limit=limit)
        return [_filed(row) for row in rows]

    def forget_filed(self, kind: str, *, before: datetime) -> int:
        """Remove old records of *kind* that aren't open."""
        return self._write(_FORGET, {"of_kind": kind, "before": before}).rowcount


def _filed(row: Row[Any]) -> Filed:
    return Filed(**row._mapping)
