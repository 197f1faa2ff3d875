"""
The ledger as a whole: finding entries, handing it out for verification, its signed heads.

Plain functions, so that they run in worker threads: a long export delays no halt.
"""

from dataclasses import replace
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime
from starlette.responses import StreamingResponse

from tidegate.api.access import Calls, GuardedRoute, operation
from tidegate.api.exporting import ExportFormat, exported
from tidegate.api.shapes import audit as shapes
from tidegate.api.showing.audit import show_found, show_head, show_key, show_witness
from tidegate.api.state import World
from tidegate.domain.access.permissions import Permission
from tidegate.errors import ForbiddenError, StoreError
from tidegate.ports.store import LedgerQuery
from tidegate.usecases.audit_access import audited_by
from tidegate.usecases.ledger_heads import LEDGER_HEADS, LEDGER_KEYS
from tidegate.usecases.ledger_witness import witness_lags

router = APIRouter(prefix="/v1/ledger", tags=["ledger"], route_class=GuardedRoute)

FOUND_AT_MOST: Final = 1_000

Name = Annotated[str | None, Query(max_length=200)]
Time = Annotated[AwareDatetime | None, Query()]


def asked_for(
    service: Name = None,
    rollout: Annotated[str | None, Query(max_length=200, description="A rollout's id.")] = None,
    actor: Name = None,
    kind: Annotated[
        str | None, Query(max_length=200, description="decision, command, evidence or refusal.")
    ] = None,
    rule: Name = None,
    since: Time = None,
    until: Time = None,
    text: Annotated[
        str | None, Query(max_length=200, description="Stands in the reason or the details.")
    ] = None,
) -> LedgerQuery:
    """Return what a request wants of the ledger."""
    return LedgerQuery(
        service=service,
        rollout_id=rollout,
        actor=actor,
        kind=kind,
        rule=rule,
        since=since,
        until=until,
        text=text,
    )


Wanted = Annotated[LedgerQuery, Depends(asked_for)]


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
    wanted: Wanted,
    before: Annotated[int | None, Query(ge=1, le=2**53, description="Lower numbers only.")] = None,
    limit: Annotated[int, Query(ge=1, le=FOUND_AT_MOST)] = 100,
) -> shapes.FoundEntries:
    """Return the entries that you may read and that fit everything that is asked for, newest first."""
    query = replace(wanted, before=before)
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
    wanted: Wanted,
    format: Annotated[
        ExportFormat, Query(description="dump is verified by `tidegate ledger verify`.")
    ] = ExportFormat.DUMP,
) -> StreamingResponse:
    """
    Return the ledger, oldest first: all of it as a dump, or as CSV or JSON for people.

    A dump is always whole, since a part of a chain proves nothing about the rest; the filters choose
    among the rows of the other two.
    """
    return exported(outside, caller, format, wanted)


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
