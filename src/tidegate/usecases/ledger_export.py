"""
The ledger for whoever checks it elsewhere: a dump that can be verified, and rows for auditors.

Read page by page, each page in a snapshot of its own: the ledger is append-only, so what is before the
last number that was seen at the beginning stays as it is. Records that decisions were made from aren't
handed out, only their digests: they hold settings of services.
"""

import csv
import io
import json
from collections.abc import Callable, Iterator
from typing import Any, Final

from tidegate.documents.ledger.chain import record_digest
from tidegate.documents.ledger.dump import entry_line, head_line, header_line
from tidegate.ports.store import LedgerEntry, LedgerQuery
from tidegate.usecases.ledger_heads import LEDGER_KEYS, heads_after, latest_head, sign_head
from tidegate.usecases.outside import Outside

PAGE: Final = 500

AUDIT_COLUMNS: Final = (
    "number",
    "at_utc",
    "actor",
    "on_behalf_of",
    "service",
    "rollout",
    "kind",
    "rule",
    "reason",
    "before",
    "after",
    "evidence_sha256",
    "hash",
)
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""How a cell begins that a spreadsheet would calculate."""


def dump(outside: Outside) -> Iterator[bytes]:
    """
    Return the lines of a dump of the whole ledger, signed up to its last entry.

    Raises:
        StoreError: the ledger can't be read.
    """
    if outside.signer is not None:
        sign_head(outside, outside.signer)
    with outside.store.begin(read_only=True) as transaction:
        last, head = transaction.latest_entry(), latest_head(transaction)
        keys = {key.key_id: key for key in LEDGER_KEYS.open(transaction)}
    # Without a signer the ledger may go on behind its last head, and the dump then says so.
    entries = 0 if last is None else last.number
    if head is not None and outside.signer is not None:
        entries = head.entries
    heads = 0 if head is None else head.number
    used: set[str] = set()
    for place in range(0, heads, PAGE):
        with outside.store.begin(read_only=True) as transaction:
            found = heads_after(transaction, place, limit=min(PAGE, heads - place))
            used.update(one.key_id for one in found)
    named = [keys[key_id] for key_id in sorted(used & keys.keys())]
    yield header_line(entries=entries, heads=heads, keys=named)
    for entry in _entries(outside, through=entries):
        yield entry_line(
            entry,
            number=entry.number,
            previous_hash=entry.previous_hash,
            entry_hash=entry.hash,
        )
    for place in range(0, heads, PAGE):
        with outside.store.begin(read_only=True) as transaction:
            page = list(heads_after(transaction, place, limit=min(PAGE, heads - place)))
        for one in page:
            yield head_line(one)


def audit_rows(
    outside: Outside, query: LedgerQuery, is_shown: Callable[[LedgerEntry], bool]
) -> Iterator[dict[str, str]]:
    """Return what *query* wants of the ledger and *is_shown*, as rows of `AUDIT_COLUMNS`, oldest first."""
    with outside.store.begin(read_only=True) as transaction:
        last = transaction.latest_entry()
    for entry in _entries(outside, through=0 if last is None else last.number):
        if query.wants(entry) and is_shown(entry):
            yield _row(entry)


def csv_lines(rows: Iterator[dict[str, str]]) -> Iterator[bytes]:
    """
    Return *rows* as lines of CSV (RFC 4180), the names first.

    A cell that a spreadsheet would take for a formula gets an apostrophe before it, so that words of a
    person are shown and never run.
    """
    yield _csv_line(AUDIT_COLUMNS)
    for row in rows:
        yield _csv_line([_harmless(row[name]) for name in AUDIT_COLUMNS])


def json_lines(rows: Iterator[dict[str, str]]) -> Iterator[bytes]:
    """Return *rows* as one JSON array, a row a line."""
    yield b"["
    for index, row in enumerate(rows):
        yield (b",\n" if index else b"\n") + json.dumps(row, ensure_ascii=False).encode("utf-8")
    yield b"\n]\n"


def on_behalf_of(entry: LedgerEntry) -> str:
    """Return the person behind the actor of *entry*, empty when none is on record."""
    details = _details(entry)
    for name in ("person", "on_behalf_of"):
        value = details.get(name)
        if isinstance(value, str):
            return value
    return ""


def _details(entry: LedgerEntry) -> dict[str, Any]:
    details = {} if entry.details_json is None else json.loads(entry.details_json)
    return details if isinstance(details, dict) else {}


def _row(entry: LedgerEntry) -> dict[str, str]:
    evidence = record_digest(entry.observation_json) or record_digest(entry.details_json) or ""
    return {
        "number": str(entry.number),
        "at_utc": entry.at.isoformat(timespec="microseconds"),
        "actor": entry.actor,
        "on_behalf_of": on_behalf_of(entry),
        "service": entry.service,
        "rollout": entry.rollout_id,
        "kind": entry.kind,
        "rule": entry.rule,
        "reason": entry.because,
        "before": entry.state_before,
        "after": entry.state_after,
        "evidence_sha256": evidence,
        "hash": entry.hash,
    }


def _entries(outside: Outside, *, through: int) -> Iterator[LedgerEntry]:
    after = 0
    while after < through:
        with outside.store.begin(read_only=True) as transaction:
            page = transaction.ledger(after=after, limit=min(PAGE, through - after))
        yield from page
        if not page:
            return
        # By count and not by number: an entry that is missing must not end or repeat the reading.
        after = max(after + 1, page[-1].number)


def _harmless(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def _csv_line(cells: "tuple[str, ...] | list[str]") -> bytes:
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow(cells)
    return line.getvalue().encode("utf-8")
