"""
The ledger as a whole: finding entries, handing it out for verification, its signed heads.

Plain functions, so that they run in worker threads: a long export delays no halt.
"""

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from pydantic import AwareDatetime
from starlette.responses import StreamingResponse

from tidegate.api.access import Calls, GuardedRoute, operation
from tidegate.api.shapes import audit as shapes
from tidegate.api.showing.audit import show_found, show_head, show_key, show_witness
from tidegate.api.state import World
from tidegate.domain.access.permissions import Permission
from tidegate.errors import ForbiddenError, StoreError
from tidegate.ports.store import LedgerQuery
from tidegate.usecases.audit_access import audited_by, refuse_unless_whole
from tidegate.usecases.ledger_export import audit_rows, csv_lines, dump, json_lines
from tidegate.usecases.ledger_heads import LEDGER_HEADS, LEDGER_KEYS
from tidegate.usecases.ledger_witness import witness_lags

router = APIRouter(prefix="/v1/ledger", tags=["ledger"], route_class=GuardedRoute)

FOUND_AT_MOST: Final = 1_000
CHUNK_BYTES: Final = 64 * 1024

Name = Annotated[str | None, Query(max_length=200)]
Time = Annotated[AwareDatetime | None, Query()]


class ExportFormat(StrEnum):
    """What an export is for: verifying it, or reading it."""

    DUMP = "dump"
    CSV = "csv"
    JSON = "json"


_MEDIA_TYPES: Final = {
    ExportFormat.DUMP: "application/jsonl",
    ExportFormat.CSV: "text/csv; charset=utf-8",
    ExportFormat.JSON: "application/json",
}


def _export_operation() -> dict[str, Any]:
    options = operation(Permission.LEDGER_READ, ForbiddenError, StoreError)
    text = {"schema": {"type": "string"}}
    options["responses"][200] = {
        "description": "The export, whole when it ends.",
        "content": {"application/jsonl": text, "text/csv": text, "application/json": {}},
    }
    return options


@router.get("", **operation(Permission.LEDGER_READ, ForbiddenError, StoreError))
def find_entries(
    outside: World,
    caller: Calls,
    service: Name = None,
    rollout: Annotated[str | None, Query(max_length=200, description="A rollout's id.")] = None,
    actor: Name = None,
    kind: Annotated[
        str | None, Query(max_length=200, description="decision, command, evidence or refusal.")
    ] = None,
    rule: Name = None,
    since: Time = None,
    until: Time = None,
    before: Annotated[int | None, Query(ge=1, le=2**53, description="Lower numbers only.")] = None,
    limit: Annotated[int, Query(ge=1, le=FOUND_AT_MOST)] = 100,
) -> shapes.FoundEntries:
    """Return the entries that you may read and that fit everything that is asked for, newest first."""
    query = LedgerQuery(
        service=service,
        rollout_id=rollout,
        actor=actor,
        kind=kind,
        rule=rule,
        since=since,
        until=until,
        before=before,
    )
    is_shown = audited_by(outside, caller)
    with outside.store.begin(read_only=True) as transaction:
        found = transaction.search_ledger(query, limit=limit + 1)
    shown = [show_found(entry) for entry in found[:limit] if is_shown(entry)]
    return shapes.FoundEntries(
        entries=shown,
        next_before=found[limit - 1].number if len(found) > limit else None,
        as_of=outside.clock.now(),
    )


@router.get("/export", response_class=StreamingResponse, **_export_operation())
def export(
    outside: World,
    caller: Calls,
    format: Annotated[
        ExportFormat, Query(description="dump is verified by `tidegate ledger verify`.")
    ] = ExportFormat.DUMP,
    service: Name = None,
    since: Time = None,
    until: Time = None,
) -> StreamingResponse:
    """
    Return the ledger, oldest first: all of it as a dump, or as CSV or JSON for people.

    A dump is always whole, since a part of a chain proves nothing about the rest; `service`, `since`
    and `until` choose among the rows of the other two.
    """
    query = LedgerQuery(service=service, since=since, until=until)
    match format:
        case ExportFormat.DUMP:
            refuse_unless_whole(outside, caller)
            lines = dump(outside)
        case ExportFormat.CSV:
            lines = csv_lines(audit_rows(outside, query, audited_by(outside, caller)))
        case ExportFormat.JSON:
            lines = json_lines(audit_rows(outside, query, audited_by(outside, caller)))
    return StreamingResponse(_chunks(lines), media_type=_MEDIA_TYPES[format])


@router.get("/heads", **operation(Permission.LEDGER_READ, ForbiddenError, StoreError))
def list_heads(
    outside: World,
    caller: Calls,
    limit: Annotated[int, Query(ge=1, le=FOUND_AT_MOST)] = 100,
) -> shapes.Heads:
    """Return the latest signed heads, newest first, and the keys that heads are signed with."""
    audited_by(outside, caller)
    with outside.store.begin(read_only=True) as transaction:
        heads = LEDGER_HEADS.latest(transaction, limit=limit)
        keys = LEDGER_KEYS.open(transaction)
        last = transaction.latest_entry()
    return shapes.Heads(
        heads=[show_head(head) for head in heads],
        keys=[show_key(key) for key in keys],
        entries=0 if last is None else last.number,
        as_of=outside.clock.now(),
    )


@router.get("/witnesses", **operation(Permission.LEDGER_READ, ForbiddenError, StoreError))
def list_witnesses(outside: World, caller: Calls) -> shapes.Witnesses:
    """Return who keeps heads elsewhere, and how far each of them is."""
    audited_by(outside, caller)
    return shapes.Witnesses(
        witnesses=[show_witness(lag) for lag in witness_lags(outside)], as_of=outside.clock.now()
    )


def _chunks(lines: Iterator[bytes]) -> Iterator[bytes]:
    """Return *lines* put together to pieces that are worth sending."""
    waiting: list[bytes] = []
    size = 0
    for line in lines:
        waiting.append(line)
        size += len(line)
        if size >= CHUNK_BYTES:
            yield b"".join(waiting)
            waiting, size = [], 0
    yield b"".join(waiting)
