"""
Reading a dump line by line until something in it is wrong.

Every line has to be the one way of writing what it says, to follow the line before, and to fit what the
header and the heads say of the whole. Only hashes are kept, so a long ledger fits.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tidegate.documents.canonical import canonical_json
from tidegate.documents.ledger.chain import GENESIS_HASH, hash_of
from tidegate.documents.ledger.dump import FORMAT_KEY, FORMAT_VERSION
from tidegate.documents.ledger.heads import head_hash, head_of, key_id_of, signature_holds
from tidegate.documents.ledger.verified import Finding, Wrong
from tidegate.domain.ledger.model import NO_HEAD, Head
from tidegate.errors import InvalidDocumentError

_HASH_BYTES: Final = 32


class Bad(Exception):  # noqa: N818 - never leaves this package
    """Something is wrong here; becomes a `Finding` with its line."""

    def __init__(self, wrong: Wrong, detail: str, *, number: int | None = None) -> None:
        super().__init__(detail)
        self.wrong, self.detail, self.number = wrong, detail, number


@dataclass(slots=True)
class Reading:
    """What was read of a dump so far. `hashes` holds those of all entries, 32 bytes each."""

    trusted: Mapping[str, str]
    keys: Mapping[str, str] = field(default_factory=dict)
    told_entries: int = 0
    told_heads: int = 0
    hashes: bytearray = field(default_factory=bytearray)
    heads: list[Head] = field(default_factory=list)
    last_hash: str = GENESIS_HASH

    @property
    def entries(self) -> int:
        """How many entries were read and hold."""
        return len(self.hashes) // _HASH_BYTES

    def hash_at(self, number: int) -> str:
        """Return the hash of entry *number*, which must have been read."""
        end = number * _HASH_BYTES
        return self.hashes[end - _HASH_BYTES : end].hex()

    def first_problem(self, lines: Iterable[bytes]) -> Finding | None:
        """Read *lines* up to the first that is wrong; return what is, None when they hold."""
        line = 0
        try:
            for line, text in enumerate(lines, start=1):
                self._take(line, _parsed(text))
            self._check_end(is_empty=not line)
        except Bad as bad:
            number = bad.number
            if number is None and not self.heads and bad.wrong is not Wrong.NOT_A_DUMP:
                number = self.entries + 1
            return Finding(wrong=bad.wrong, line=line, number=number, detail=bad.detail)
        return None

    def _take(self, line: int, content: dict[str, Any]) -> None:
        if line == 1:
            self._take_header(content)
        elif content.keys() == {"entry", "hash"}:
            self._take_entry(content["entry"], content["hash"])
        elif content.keys() == {"head"}:
            self._take_head(content["head"])
        else:
            raise Bad(Wrong.ALTERED, "the line is neither an entry nor a head")

    def _take_header(self, content: dict[str, Any]) -> None:
        if content.get(FORMAT_KEY) != FORMAT_VERSION:
            raise Bad(
                Wrong.NOT_A_DUMP, f"the first line isn't that of a dump of version {FORMAT_VERSION}"
            )
        told = (content.get("entries"), content.get("heads"))
        keys = _keys_of(content.get("keys"))
        if (
            content.keys() != {FORMAT_KEY, "entries", "heads", "keys"}
            or any(type(count) is not int for count in told)
            or keys is None
        ):
            raise Bad(Wrong.NOT_A_DUMP, "the first line isn't that of a dump")
        self.told_entries, self.told_heads = content["entries"], content["heads"]
        self.keys = keys

    def _take_entry(self, entry: Any, told_hash: Any) -> None:
        expected = self.entries + 1
        if self.heads:
            raise Bad(Wrong.MISPLACED, "an entry stands behind the heads")
        if not isinstance(entry, dict) or type(entry.get("number")) is not int:
            raise Bad(Wrong.ALTERED, f"entry {expected} has no number")
        if hash_of(entry) != told_hash:
            raise Bad(Wrong.ALTERED, f"entry {expected} doesn't have the hash that it says")
        number = entry["number"]
        if number > expected:
            raise Bad(Wrong.MISSING, f"entry {number} stands where {expected} should")
        if number < expected:
            raise Bad(Wrong.MISPLACED, f"entry {number} stands where {expected} should")
        if entry.get("previous_hash") != self.last_hash:
            raise Bad(Wrong.REWRITTEN, f"entry {expected} follows another entry than the one here")
        if expected > self.told_entries:
            raise Bad(
                Wrong.ALTERED, f"the header says {self.told_entries} entries; here is one more"
            )
        self.hashes += bytes.fromhex(told_hash)
        self.last_hash = told_hash

    def _take_head(self, content: Any) -> None:
        if self.entries != self.told_entries:
            raise Bad(
                Wrong.TRUNCATED,
                f"the header says {self.told_entries} entries, here are {self.entries}",
                number=self.entries + 1,
            )
        try:
            head = head_of(content)
        except InvalidDocumentError as exc:
            raise Bad(Wrong.ALTERED, exc.message) from exc
        self._check_place(head)
        self._check_signature(head)
        if head.entries > self.entries:
            raise Bad(
                Wrong.TRUNCATED,
                f"head {head.number} is of {head.entries} entries, here are {self.entries}",
                number=self.entries + 1,
            )
        if self.hash_at(head.entries) != head.entry_hash:
            raise Bad(
                Wrong.REWRITTEN,
                f"head {head.number} was signed over another entry {head.entries}",
                number=(self.heads[-1].entries if self.heads else 0) + 1,
            )
        self.heads.append(head)

    def _check_place(self, head: Head) -> None:
        expected = len(self.heads) + 1
        if head.number != expected:
            wrong = Wrong.MISSING if head.number > expected else Wrong.MISPLACED
            raise Bad(wrong, f"head {head.number} stands where {expected} should")
        if head.previous_head != (head_hash(self.heads[-1]) if self.heads else NO_HEAD):
            raise Bad(Wrong.REWRITTEN, f"head {head.number} follows another head than the one here")
        if self.heads and head.entries <= self.heads[-1].entries:
            raise Bad(
                Wrong.REWRITTEN, f"head {head.number} is of no more entries than the one before"
            )

    def _check_signature(self, head: Head) -> None:
        self.check_signed(head)
        if not signature_holds(head, self.keys.get(head.key_id, "0" * 64)):
            raise Bad(Wrong.SIGNATURE, f"head {head.number} isn't signed by a key of the header")

    def check_signed(self, head: Head) -> None:
        """Raise when *head* isn't signed by a key that is trusted, or without such by the dump's."""
        keys = self.trusted or self.keys
        public = keys.get(head.key_id)
        if public is None:
            raise Bad(
                Wrong.SIGNATURE,
                f"head {head.number} is signed by key {head.key_id}, which isn't one that you named"
                if self.trusted
                else f"head {head.number} is signed by key {head.key_id}, which the dump doesn't name",
            )
        if not signature_holds(head, public):
            raise Bad(Wrong.SIGNATURE, f"the signature of head {head.number} doesn't hold")

    def _check_end(self, *, is_empty: bool) -> None:
        if is_empty:
            raise Bad(Wrong.NOT_A_DUMP, "it is empty")
        if self.entries < self.told_entries or len(self.heads) < self.told_heads:
            raise Bad(
                Wrong.TRUNCATED,
                f"the header says {self.told_entries} entries and {self.told_heads} heads, here are"
                f" {self.entries} and {len(self.heads)}",
            )
        if len(self.heads) > self.told_heads:
            raise Bad(Wrong.ALTERED, f"the header says {self.told_heads} heads; here are more")
        signed = self.heads[-1].entries if self.heads else 0
        if signed < self.entries:
            raise Bad(
                Wrong.UNSIGNED,
                f"the last head covers {signed} of {self.entries} entries",
                number=signed + 1,
            )
        unused = self.keys.keys() - {head.key_id for head in self.heads}
        if unused:
            # A name that nothing here bears out could be anybody's.
            raise Bad(Wrong.ALTERED, f"no head is signed by key {min(unused)} of the header")


def _keys_of(listed: object) -> dict[str, str] | None:
    """Return the public keys of a header by their names, None when they aren't such."""
    if not isinstance(listed, list):
        return None
    keys: dict[str, str] = {}
    for key in listed:
        if not isinstance(key, dict) or key.keys() != {"key_id", "public"}:
            return None
        public = key["public"]
        try:
            name = key_id_of(public if isinstance(public, str) else "")
        except InvalidDocumentError:
            return None
        if name != key["key_id"] or name in keys:
            return None
        keys[name] = public
    return keys


def _parsed(text: bytes) -> dict[str, Any]:
    if not text.endswith(b"\n"):
        raise Bad(Wrong.TRUNCATED, "the line has no end")
    try:
        content = json.loads(text)
        canonical = canonical_json(content).encode("utf-8") + b"\n"
    except (ValueError, TypeError, RecursionError) as exc:
        raise Bad(Wrong.ALTERED, "the line isn't JSON") from exc
    if canonical != text or not isinstance(content, dict):
        raise Bad(Wrong.ALTERED, "the line isn't written as a dump writes it")
    return content
