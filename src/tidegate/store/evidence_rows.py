"""
Evidence and the ticks it was made from.

A day of bake has 8,640 ticks of 10 s. They are added one row each, and every 64 that follow each
other without a gap are packed into one compressed segment. Who reads ticks sees no difference.
"""

import json
import zlib
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Table, bindparam, delete, insert, select, update
from sqlalchemy import and_ as all_of

from tidegate.domain.quantities import RolloutId
from tidegate.ports.store import StoredEvidence, StoredTick
from tidegate.store.rows import Rows
from tidegate.store.tables import evidence, tick_segments, ticks

SEGMENT_LENGTH: Final = 64
"""Ticks per segment, about 10 minutes of them: longer ones are hardly smaller for each tick."""

COMPRESSION_LEVEL: Final = 4
"""Six times as fast as zlib's own choice, 6, for a tenth more bytes; writers wait meanwhile."""


def _given(name: str) -> Any:
    return bindparam(name, type_=ticks.c[name].type)


def _of_attempt(table: Table) -> ColumnElement[bool]:
    return all_of(table.c.rollout_id == _given("rollout_id"), table.c.attempt == _given("attempt"))


_REPLACE = (
    update(evidence)
    .where(evidence.c.rollout_id == bindparam("of_id"))
    .values(
        {
            column: bindparam(column.name)
            for column in evidence.columns
            if column is not evidence.c.rollout_id
        }
    )
)
_ADD = insert(evidence)
_EVIDENCE = select(evidence).where(evidence.c.rollout_id == bindparam("rollout_id"))

_IS_LOOSE = select(ticks.c.number).where(_of_attempt(ticks), ticks.c.number == _given("number"))
_IS_PACKED = select(tick_segments.c.last_number).where(
    _of_attempt(tick_segments),
    tick_segments.c.last_number >= _given("number"),
    tick_segments.c.first_number <= _given("number"),
)
_ADD_TICK = insert(ticks).from_select(
    ["rollout_id", "attempt", "number", "tick_json"],
    select(_given("rollout_id"), _given("attempt"), _given("number"), _given("tick_json")).where(
        ~_IS_LOOSE.exists(), ~_IS_PACKED.exists()
    ),
)

_LOOSE = (
    select(ticks.c.number, ticks.c.tick_json)
    .where(_of_attempt(ticks), ticks.c.number.between(bindparam("first"), bindparam("last")))
    .order_by(ticks.c.number)
)
_DROP_LOOSE = delete(ticks).where(
    ticks.c.rollout_id == bindparam("of_id"),
    ticks.c.attempt == bindparam("of_attempt"),
    ticks.c.number.between(bindparam("first"), bindparam("last")),
)
_ADD_SEGMENT = insert(tick_segments)
_SEGMENTS = select(tick_segments.c.first_number, tick_segments.c.compressed).where(
    _of_attempt(tick_segments), tick_segments.c.first_number <= bindparam("last")
)

_NO_END: Final = 2**31 - 1


class EvidenceRows(Rows):
    """The part of a transaction that is about evidence and ticks."""

    def save_evidence(self, stored: StoredEvidence, ticks: Sequence[StoredTick]) -> None:
        """Replace the evidence of a rollout and add the *ticks* that led to it; see the port."""
        content = {
            "attempt": stored.attempt,
            "ticks": stored.ticks,
            "at": stored.at,
            "state_json": stored.state_json,
            "evidence_json": stored.evidence_json,
        }
        if self._write(_REPLACE, {"of_id": stored.rollout_id, **content}).rowcount == 0:
            self._write(_ADD, {"rollout_id": stored.rollout_id, **content})
        if ticks:
            self._add_ticks(stored.rollout_id, stored.attempt, ticks)

    def evidence(self, rollout_id: RolloutId) -> StoredEvidence | None:
        """Return the latest evidence of a rollout."""
        row = self._read(_EVIDENCE, rollout_id=rollout_id).first()
        return None if row is None else StoredEvidence(**row._mapping)

    def ticks(
        self, rollout_id: RolloutId, attempt: int, *, through: int | None = None
    ) -> Sequence[StoredTick]:
        """Return the ticks of an attempt in order, up to number *through*."""
        last = _NO_END if through is None else through
        of_attempt = {"rollout_id": rollout_id, "attempt": attempt}
        found = [
            StoredTick(number=row.number, tick_json=row.tick_json)
            for row in self._read(_LOOSE, first=0, last=last, **of_attempt)
        ]
        for row in self._read(_SEGMENTS, last=last, **of_attempt):
            segment = _unpacked(row.first_number, row.compressed)
            found += [tick for tick in segment if tick.number <= last]
        return sorted(found, key=lambda tick: tick.number)

    def _add_ticks(self, rollout_id: RolloutId, attempt: int, ticks: Sequence[StoredTick]) -> None:
        self._write(
            _ADD_TICK,
            [
                {
                    "rollout_id": rollout_id,
                    "attempt": attempt,
                    "number": tick.number,
                    "tick_json": tick.tick_json,
                }
                for tick in ticks
            ],
        )
        for tick in ticks:
            if tick.number % SEGMENT_LENGTH == 0:
                self._pack(rollout_id, attempt, last=tick.number)

    def _pack(self, rollout_id: RolloutId, attempt: int, *, last: int) -> None:
        """Pack the ticks up to *last* into a segment; where one is missing they stay as they are."""
        first = last - SEGMENT_LENGTH + 1
        loose = self._read(
            _LOOSE, rollout_id=rollout_id, attempt=attempt, first=first, last=last
        ).all()
        if len(loose) < SEGMENT_LENGTH:
            return
        self._write(
            _ADD_SEGMENT,
            {
                "rollout_id": rollout_id,
                "attempt": attempt,
                "first_number": first,
                "last_number": last,
                "compressed": _packed([row.tick_json for row in loose]),
            },
        )
        self._write(
            _DROP_LOOSE,
            {"of_id": rollout_id, "of_attempt": attempt, "first": first, "last": last},
        )


def _packed(texts: Sequence[str]) -> bytes:
    return zlib.compress(json.dumps(texts, ensure_ascii=False).encode("utf-8"), COMPRESSION_LEVEL)


def _unpacked(first: int, compressed: bytes) -> list[StoredTick]:
    texts = json.loads(zlib.decompress(compressed))
    return [
        StoredTick(number=number, tick_json=text) for number, text in enumerate(texts, start=first)
    ]
