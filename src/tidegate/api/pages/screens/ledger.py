"""
The ledger: what was decided and done, each entry with its place in the chain, and whether that holds.

Everything here is read. What an entry was decided from is shown as the API shows it: without settings.
"""

import json
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from tidegate.api.exporting import ExportFormat, exported
from tidegate.api.pages.guarding import PageRoute
from tidegate.api.pages.ledger_filter import KINDS, NAMES, filter_of
from tidegate.api.pages.onlooker import Looks
from tidegate.api.pages.rendering import page
from tidegate.api.showing.audit import show_found, show_head, show_key, show_witness
from tidegate.api.showing.ledger import show_decision, show_entry, show_replay
from tidegate.api.state import World
from tidegate.domain.access.model import Caller
from tidegate.errors import InvalidRequestError, NotFoundError
from tidegate.usecases.audit_access import audited_by
from tidegate.usecases.explain import replay_decision
from tidegate.usecases.ledger_heads import LEDGER_HEADS, LEDGER_KEYS
from tidegate.usecases.ledger_pages import ledger_page, seen_entry
from tidegate.usecases.ledger_verify import verify_ledger
from tidegate.usecases.ledger_witness import witness_lags
from tidegate.usecases.outside import Outside

ENTRIES_ON_A_PAGE: Final = 50
HEADS_SHOWN: Final = 20
LATEST_NUMBER: Final = 2**53

router = APIRouter(prefix="/ledger", include_in_schema=False, route_class=PageRoute)


@router.get("")
def ledger(request: Request, outside: World, onlooker: Looks) -> Response:
    """Show the entries that fit what the address asks for, newest first."""
    asked = filter_of(request.query_params)
    found = ledger_page(
        outside, onlooker.caller, asked.query(outside.clock.now()), limit=ENTRIES_ON_A_PAGE
    )
    return page(
        request,
        "screens/ledger.html",
        asked=asked,
        said={name: asked.said.get(name, "") for name in NAMES},
        kinds=KINDS,
        entries=[show_found(one) for one in found.entries],
        next_before=found.next_before,
        chain=_chain(outside, onlooker.caller),
    )


@router.get("/verify")
async def verify(request: Request, outside: World, onlooker: Looks) -> Response:
    """Verify the whole ledger now, and show what was found and what every witness says."""
    result = await verify_ledger(outside, onlooker.caller)
    return page(
        request,
        "screens/ledger_verify.html",
        result=result,
        chain=await run_in_threadpool(_chain, outside, onlooker.caller),
    )


@router.get("/heads")
def heads(request: Request, outside: World, onlooker: Looks) -> Response:
    """Show the signed heads, the keys that they are signed with, and who keeps them elsewhere."""
    return page(request, "screens/ledger_heads.html", chain=_chain(outside, onlooker.caller))


@router.get("/export")
def export(request: Request, outside: World, onlooker: Looks) -> Response:
    """Hand out what the address asks for as a file, or the whole ledger as a dump."""
    written = request.query_params.get("format", ExportFormat.CSV)
    try:
        kind = ExportFormat(written)
    except ValueError:
        raise InvalidRequestError(
            f"no format {written[:32]!r}", hint=f"it can be: {', '.join(ExportFormat)}"
        ) from None
    query = filter_of(request.query_params).query(outside.clock.now())
    answer = exported(outside, onlooker.caller, kind, query)
    ending = "jsonl" if kind is ExportFormat.DUMP else kind.value
    answer.headers["content-disposition"] = f'attachment; filename="ledger.{ending}"'
    return answer


@router.get("/{number}")
def one_entry(
    number: str,
    request: Request,
    outside: World,
    onlooker: Looks,
    replay: Annotated[str | None, Query(max_length=8)] = None,
) -> Response:
    """Show one entry with its details, what it was decided from, and its place in the chain."""
    seen = seen_entry(outside, onlooker.caller, _number(number))
    is_decision = seen.entry.decision_json is not None
    again = replay is not None and is_decision
    return page(
        request,
        "screens/ledger_entry.html",
        entry=show_found(seen.entry) if seen.as_auditor else show_entry(seen.entry),
        details=_pretty(seen.entry.details_json) if seen.as_auditor else "",
        as_auditor=seen.as_auditor,
        place=seen.place,
        keepers=_keepers(outside, seen.place.head.number) if seen.place.head else [],
        decision=show_decision(seen.entry),
        is_decision=is_decision,
        replay=show_replay(replay_decision(outside, seen.entry.number)) if again else None,
    )


def _number(written: str) -> int:
    # `d-12` is how a decision is called everywhere else.
    digits = written.removeprefix("d-")
    if not (digits.isascii() and digits.isdecimal() and 0 < int(digits[:20]) <= LATEST_NUMBER):
        raise NotFoundError(
            f"the ledger has no entry {written[:32]!r}", hint="entries are numbered from 1"
        )
    return int(digits)


def _chain(outside: Outside, caller: Caller) -> dict[str, object]:
    """Return how the chain stands: entries, signed heads, keys, witnesses. Raises ForbiddenError."""
    audited_by(outside, caller)
    with outside.store.begin(read_only=True) as transaction:
        found = LEDGER_HEADS.latest(transaction, limit=HEADS_SHOWN)
        keys = LEDGER_KEYS.open(transaction)
        last = transaction.latest_entry()
    return {
        "entries": 0 if last is None else last.number,
        "heads": [show_head(one) for one in found],
        "signed": found[0].entries if found else 0,
        "has_signer": outside.signer is not None,
        "keys": [show_key(one) for one in keys],
        "witnesses": [show_witness(lag) for lag in witness_lags(outside)],
    }


def _keepers(outside: Outside, head: int) -> list[str]:
    """Return the witnesses that confirmed head *number*, or a later one, and know no other history."""
    return [
        lag.state.name
        for lag in witness_lags(outside)
        if lag.state.head >= head and not lag.state.conflict
    ]


def _pretty(details_json: str | None) -> str:
    if details_json is None:
        return ""
    return json.dumps(json.loads(details_json), indent=2, ensure_ascii=False)
