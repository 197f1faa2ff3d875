"""
The filter of the ledger's screen: read from an address, and written back as one or as a command.

Rule: what isn't understood is refused with a sentence. A filter that is dropped in silence would show
entries that nobody asked for, and hide the mistake.
"""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlencode

from tidegate.documents.notation import NotationError, parse_duration
from tidegate.errors import InvalidRequestError
from tidegate.ports.store import LedgerQuery

KINDS: Final = ("decision", "command", "evidence", "refusal")
"""Of entries. Others may come; these can be chosen."""

NAMES: Final = ("text", "service", "rollout", "actor", "kind", "rule", "since", "until")
"""The parts of a filter, as they stand in addresses and as the options of the command."""

LONGEST: Final = 200
_LATEST_NUMBER: Final = 2**53


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerFilter:
    """
    What somebody asks the ledger for, as they wrote it.

    `said` holds what isn't empty, by name. `before` is where a page goes on, None for the newest.
    """

    said: Mapping[str, str]
    before: int | None = None

    def query(self, now: datetime) -> LedgerQuery:
        """
        Return what to look for.

        Args:
            now: What "24h ago" is counted from.

        Raises:
            InvalidRequestError: `since` or `until` is no instant and no length of time.
        """
        return LedgerQuery(
            service=self.said.get("service"),
            rollout_id=self.said.get("rollout"),
            actor=self.said.get("actor"),
            kind=self.said.get("kind"),
            rule=self.said.get("rule"),
            since=_instant("since", self.said.get("since"), now),
            until=_instant("until", self.said.get("until"), now),
            before=self.before,
            text=self.said.get("text"),
        )

    def address(self, path: str = "/ledger", **changed: str | int | None) -> str:
        """Return the address of this filter at *path*; *changed* puts parts in or, with None, out."""
        parts: dict[str, str | int | None] = {**self.said, **changed}
        asked = [(name, value) for name, value in parts.items() if value not in (None, "")]
        return f"{path}?{urlencode(asked)}" if asked else path

    def command(self, verb: str) -> str:
        """Return the command line that gives the same: `query`, or `export -o csv`."""
        options = [f"--{name} {shlex.quote(value)}" for name, value in self.said.items()]
        if self.before is not None and verb == "query":
            options.append(f"--before {self.before}")
        return " ".join(["tidegate ledger", verb, *options])


def filter_of(asked: Mapping[str, str]) -> LedgerFilter:
    """
    Return the filter that an address has.

    Raises:
        InvalidRequestError: `before` is no number of an entry, or something is too long.
    """
    # A database takes no zero byte, and nothing in the ledger has one.
    stripped = {name: asked.get(name, "").replace("\0", "").strip() for name in NAMES}
    said = {name: value for name, value in stripped.items() if value}
    for name, value in said.items():
        if len(value) > LONGEST:
            raise InvalidRequestError(
                f"{name} has {len(value)} characters, at most {LONGEST} are looked for",
                hint="ask for a part of it",
            )
    return LedgerFilter(said=said, before=_number(asked.get("before", "")))


def _number(written: str) -> int | None:
    if not written:
        return None
    if not (written.isascii() and written.isdecimal() and len(written) <= len(str(_LATEST_NUMBER))):
        raise InvalidRequestError(
            f"before must be the number of an entry, got {written[:32]!r}",
            hint="leave it out to begin with the newest",
        )
    return int(written)


def _instant(name: str, written: str | None, now: datetime) -> datetime | None:
    if written is None:
        return None
    try:
        at = datetime.fromisoformat(written)
        return (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        try:
            return now - parse_duration(written)
        except (NotationError, OverflowError):
            raise InvalidRequestError(
                f"{name} must be an instant in UTC or how long ago, got {written!r}",
                hint="as in 2026-03-01T09:00, 2026-03-01 or 24h",
            ) from None
