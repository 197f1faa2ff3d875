"""
Verifying a dump of the ledger, offline: no server, no store, no network.

What is found and what isn't: a change inside is found by the hashes, a lost beginning or middle by the
numbers, a lost end by the heads. A dump that was made anew as a whole needs somebody who knows more
than the dump: a key that was written down (`trusted`), and what a witness has. Without them that is
left open, and the report says so.
"""

from collections.abc import Iterable, Mapping, Sequence

from tidegate.documents.ledger.heads import key_id_of, read_head
from tidegate.documents.ledger.reading import Bad, Reading
from tidegate.documents.ledger.verified import Finding, Verified, Wrong
from tidegate.domain.ledger.model import Head
from tidegate.errors import InvalidDocumentError


def verify_dump(
    lines: Iterable[bytes],
    *,
    trusted: Sequence[str] = (),
    witnesses: Mapping[str, Iterable[bytes]] | None = None,
) -> Verified:
    """
    Return what the dump of *lines* is worth.

    Args:
        lines: The dump's lines, each with its end, as a binary file gives them.
        trusted: Public keys that the caller knows from elsewhere. None: those that the dump names.
        witnesses: By the name of each witness, the lines of heads that it has.

    Raises:
        InvalidDocumentError: one of *trusted* is no public key.
    """
    known = {key_id_of(public): public for public in trusted}
    reading = Reading(trusted=known)
    findings: list[Finding] = []
    found = reading.first_problem(lines)
    if found is not None:
        findings.append(found)
    agreeing = 0
    for name, heads in (witnesses or {}).items():
        count, problem = _compare(reading, name, heads, is_whole=found is None)
        agreeing += count
        if problem is not None:
            findings.append(problem)
    return Verified(
        entries=reading.entries,
        heads=len(reading.heads),
        last_hash=reading.last_hash,
        key_ids=tuple(sorted({head.key_id for head in reading.heads})),
        is_trusted=bool(known),
        witness_heads=agreeing,
        findings=tuple(findings),
    )


def _compare(
    reading: Reading, name: str, lines: Iterable[bytes], *, is_whole: bool
) -> tuple[int, Finding | None]:
    """Return how many heads of a witness agree with what was read, and the first that doesn't."""
    agreeing = line = 0
    try:
        for text in lines:
            line += 1
            head = read_head(text.removesuffix(b"\n"))
            reading.check_signed(head)
            agreeing += _agrees(reading, head, is_whole=is_whole)
    except InvalidDocumentError as exc:
        return agreeing, Finding(
            wrong=Wrong.WITNESS, line=line, number=None, detail=exc.message, where=name
        )
    except Bad as bad:
        wrong = Wrong.WITNESS if bad.wrong is Wrong.SIGNATURE else bad.wrong
        return agreeing, Finding(
            wrong=wrong, line=line, number=bad.number, detail=bad.detail, where=name
        )
    if line:
        return agreeing, None
    nothing = "the witness has no heads"
    return 0, Finding(wrong=Wrong.WITNESS, line=0, number=None, detail=nothing, where=name)


def _agrees(reading: Reading, head: Head, *, is_whole: bool) -> bool:
    """
    Return whether what was read bears out a witness's *head*; False when it wasn't read so far.

    With *is_whole* nothing was found so far, and then everything has been read.
    """
    if head.entries > reading.entries:
        if is_whole:
            raise Bad(
                Wrong.TRUNCATED,
                f"the witness knows {head.entries} entries, here are {reading.entries}",
                number=reading.entries + 1,
            )
        return False
    same_entry = reading.hash_at(head.entries) == head.entry_hash
    listed = reading.heads[head.number - 1] if head.number <= len(reading.heads) else head
    if not same_entry or listed != head:
        raise Bad(
            Wrong.OTHER_HISTORY,
            f"the witness has another head {head.number}, of {head.entries} entries, than this dump",
            number=head.entries,
        )
    return True
