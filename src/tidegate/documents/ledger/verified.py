"""What verifying a dump gives: the kinds of trouble, where the first of it is, and what was relied on."""

from dataclasses import dataclass
from enum import StrEnum


class Wrong(StrEnum):
    """What kind of trouble it is."""

    NOT_A_DUMP = "not_a_dump"
    ALTERED = "altered"
    """A line isn't what it was: its hash, or its spelling, doesn't fit."""
    MISSING = "missing"
    """Entries that should stand here don't."""
    MISPLACED = "misplaced"
    """A line that belongs elsewhere, or stands here a second time."""
    REWRITTEN = "rewritten"
    """It fits itself but not what is chained to it: entries were made anew."""
    SIGNATURE = "signature"
    TRUNCATED = "truncated"
    """The end is missing: somebody knows more entries than there are."""
    UNSIGNED = "unsigned"
    """The last entries are covered by no head."""
    OTHER_HISTORY = "other_history"
    """A witness was shown other entries than these."""
    WITNESS = "witness"
    """What a witness is said to have can't be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """
    One thing that is wrong. `line` counts from 1; `number` is the first entry that can't be relied
    on, None when it isn't about one; `where` is empty for the dump, else the witness.
    """

    wrong: Wrong
    line: int
    number: int | None
    detail: str
    where: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """
    What a dump is worth. It holds when nothing was found.

    `is_trusted` is whether the key of its heads was one that the caller knows; without that the heads
    only show that the dump fits itself. `witness_heads` counts the heads of witnesses that agree.
    """

    entries: int
    heads: int
    last_hash: str
    key_ids: tuple[str, ...]
    is_trusted: bool
    witness_heads: int
    findings: tuple[Finding, ...]

    @property
    def holds(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings
