"""
The ledger as a file to keep: the same for the API and for the pages, which differ in who sends for it.

Made while it is sent, so that a long ledger is never held in memory.
"""

from collections.abc import Iterator
from enum import StrEnum
from typing import Final

from starlette.responses import StreamingResponse

from tidegate.domain.access.model import Caller
from tidegate.ports.store import LedgerQuery
from tidegate.usecases.audit_access import audited_by, refuse_unless_whole
from tidegate.usecases.ledger_export import audit_rows, csv_lines, dump, json_lines
from tidegate.usecases.outside import Outside

CHUNK_BYTES: Final = 64 * 1024


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


def exported(
    outside: Outside, caller: Caller, format: ExportFormat, query: LedgerQuery
) -> StreamingResponse:
    """
    Return the answer that holds the ledger in *format*; of a dump always all of it.

    Raises:
        ForbiddenError: *caller* may not read the ledger, or for a dump not the whole of it.
        StoreError: it can't be read.
    """
    with outside.store.begin(read_only=True):
        # Asked before anything is sent: what fails later can only cut the file off.
        pass
    match format:
        case ExportFormat.DUMP:
            refuse_unless_whole(outside, caller)
            lines = dump(outside)
        case ExportFormat.CSV:
            lines = csv_lines(audit_rows(outside, query, audited_by(outside, caller)))
        case ExportFormat.JSON:
            lines = json_lines(audit_rows(outside, query, audited_by(outside, caller)))
    return StreamingResponse(_chunks(lines), media_type=_MEDIA_TYPES[format])


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
