"""Verifying a dump offline: whatever was done to it is found, and nothing is found where nothing was."""

import json
import os
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from ledger_book import Book

from tidegate.documents.canonical import canonical_json
from tidegate.documents.ledger.chain import hash_of
from tidegate.documents.ledger.heads import head_text
from tidegate.documents.ledger.verified import Wrong
from tidegate.documents.ledger.verify import verify_dump
from tidegate.drivers.signer.file import FileSigner
from tidegate.errors import InvalidDocumentError
from tidegate.usecases.ledger_heads import sign_head

TAMPERINGS = int(os.environ.get("TIDEGATE_TEST_TAMPERINGS", "1500"))
"""How many are tried by default; 10,000 for the figure that is promised."""


def test_a_dump_that_nobody_touched_holds(book: Book) -> None:
    """It is signed up to its last entry, whenever it is made."""
    verified = verify_dump(book.dump(), trusted=[book.signer.public])

    assert verified.holds, verified.findings
    assert (verified.entries, verified.heads, verified.is_trusted) == (12, 3, True)


def test_an_empty_ledger_holds_and_an_empty_file_does_not(new_book: Callable[[], Book]) -> None:
    """No entries is something that a dump says; a file without a line says nothing."""
    assert verify_dump(new_book().dump()).holds
    assert verify_dump([]).findings[0].wrong is Wrong.NOT_A_DUMP


def test_every_tampering_with_a_dump_is_found(book: Book) -> None:
    """Bytes edited, deleted, added; lines moved, repeated, removed; the end cut off: all of them."""
    chance = random.Random(30)
    whole = b"".join(book.dump())

    unnoticed = []
    for _ in range(TAMPERINGS):
        how, tampered = _tampered(whole, chance)
        if verify_dump(tampered.splitlines(keepends=True)).holds:
            unnoticed.append((how, tampered))

    assert unnoticed == []


def test_each_single_byte_matters(new_book: Callable[[], Book]) -> None:
    """There is no byte in a dump, white space or not, that could be another one or be left out."""
    book = new_book()
    book.write(2)
    whole = b"".join(book.dump())

    for place in range(len(whole)):
        for other in (bytes([whole[place] ^ 1]), bytes([whole[place] ^ 32]), b""):
            if other != whole[place : place + 1]:
                changed = whole[:place] + other + whole[place + 1 :]
                assert not verify_dump(changed.splitlines(keepends=True)).holds, (place, other)


@pytest.mark.parametrize(
    ("change", "wrong", "number"),
    [
        (lambda lines: [lines[0], *lines[2:]], Wrong.MISSING, 1),
        (lambda lines: [*lines[:6], *lines[8:]], Wrong.MISSING, 6),
        (lambda lines: [*lines[:6], lines[5], *lines[6:]], Wrong.MISPLACED, 6),
        (lambda lines: [*lines[:5], lines[6], lines[5], *lines[7:]], Wrong.MISSING, 5),
        (lambda lines: lines[:8], Wrong.TRUNCATED, 8),
        (lambda lines: lines[:-1], Wrong.TRUNCATED, None),
        (lambda lines: [*lines, lines[-1]], Wrong.MISPLACED, None),
        (lambda lines: [*lines[:12], *lines[13:]], Wrong.TRUNCATED, 12),
        (lambda lines: lines[1:], Wrong.NOT_A_DUMP, None),
        (lambda lines: [lines[0], lines[1].replace(b"reason 0", b"reason 9")], Wrong.ALTERED, 1),
        (lambda lines: [lines[0], b" " + lines[1]], Wrong.ALTERED, 1),
        (lambda lines: [lines[0], b"[" * 100_000 + b"\n"], Wrong.ALTERED, 1),
        (lambda lines: [lines[0], b'{"entry":' + b"9" * 5000 + b"}\n"], Wrong.ALTERED, 1),
    ],
)
def test_the_first_bad_entry_and_the_kind_are_told(
    book: Book, change: Callable[[list[bytes]], list[bytes]], wrong: Wrong, number: int | None
) -> None:
    """Whoever looks into it knows where to begin."""
    (finding,) = verify_dump(change(book.dump())).findings

    assert (finding.wrong, finding.number) == (wrong, number), finding


def test_an_entry_made_anew_with_its_hash_breaks_the_chain_behind_it(book: Book) -> None:
    """Making the hash fit isn't enough: the next entry knows the old one."""
    lines = book.dump()
    lines[3] = _rehashed(lines[3], because="all was well")

    (finding,) = verify_dump(lines).findings

    assert (finding.wrong, finding.number) == (Wrong.REWRITTEN, 4)


def test_a_chain_made_anew_as_a_whole_fails_at_the_heads(book: Book) -> None:
    """Without the key nobody can sign the other history."""
    lines = _rechained(book.dump(), at=3, because="all was well")

    (finding,) = verify_dump(lines).findings

    assert (finding.wrong, finding.number) == (Wrong.REWRITTEN, 1)


def test_a_history_signed_with_another_key_is_found_by_who_knows_the_key(
    book: Book, new_book: Callable[[], Book], tmp_path: Path
) -> None:
    """Without a key from elsewhere it fits itself, and the report says that nothing vouches for it."""
    forged = new_book()
    forged.signer = FileSigner(tmp_path / "other_key")
    forged.write(12)
    lines = forged.dump()

    unknowing, knowing = verify_dump(lines), verify_dump(lines, trusted=[book.signer.public])

    assert (unknowing.holds, unknowing.is_trusted) == (True, False)
    assert knowing.findings[0].wrong is Wrong.SIGNATURE


def test_a_dump_cut_off_at_an_earlier_head_is_found_by_a_witness(
    book: Book, new_book: Callable[[], Book]
) -> None:
    """Whoever holds the key can sign a shorter ledger; the witness knows the longer one."""
    shorter = new_book()
    shorter.write(4)
    later = [head_line(book)]

    (finding,) = verify_dump(shorter.dump(), witnesses={"w": later}).findings

    assert (finding.wrong, finding.number, finding.where) == (Wrong.TRUNCATED, 5, "w")


def test_two_histories_are_found_by_a_witness(book: Book, new_book: Callable[[], Book]) -> None:
    """The same key, as many entries, others: what the witness was shown isn't what is shown here."""
    witnessed = head_line(book)
    other = new_book()
    other.write(33)

    (finding,) = verify_dump(other.dump(), witnesses={"w": [witnessed]}).findings

    assert finding.wrong is Wrong.OTHER_HISTORY


@pytest.mark.parametrize("signed_over", ["entries", "head"])
def test_a_witness_that_agrees_is_counted(book: Book, signed_over: str) -> None:
    """All its heads are in the dump; the dump may have more of both."""
    first = book.sign() if signed_over == "head" else None
    lines = [head_line(book)] if first is None else [f"{head_text(first)}\n".encode()]
    book.write(2)

    verified = verify_dump(book.dump(), trusted=[book.signer.public], witnesses={"w": lines})

    assert verified.holds
    assert verified.witness_heads == 1


@pytest.mark.parametrize(
    "lines",
    [[], [b"{}\n"], [b"x\n"], [b"\n"], [b"{" * 5000]],
    ids=["nothing", "no head", "no JSON", "empty line", "long"],
)
def test_a_witness_that_says_nothing_usable_is_no_witness(book: Book, lines: list[bytes]) -> None:
    """An empty or broken file isn't taken for agreement."""
    (finding,) = verify_dump(book.dump(), witnesses={"w": lines}).findings

    assert finding.wrong is Wrong.WITNESS


def test_a_forged_witness_is_told_apart_from_a_broken_ledger(book: Book, tmp_path: Path) -> None:
    """A head that the ledger's key didn't sign says something of whoever wrote it."""
    head = book.sign()
    line = f"{head_text(replace(head, signature='0' * 128))}\n".encode()

    (finding,) = verify_dump(book.dump(), witnesses={"w": [line]}).findings

    assert (finding.wrong, finding.line) == (Wrong.WITNESS, 1)


def test_a_key_that_is_none_is_refused(book: Book) -> None:
    """Rather than verified with nothing."""
    with pytest.raises(InvalidDocumentError, match="no public key"):
        verify_dump(book.dump(), trusted=["abc"])


def test_a_ledger_goes_on_under_a_new_key(book: Book, tmp_path: Path) -> None:
    """Both keys have to be known to who names keys at all."""
    old = book.signer.public
    book.dump()
    book.signer = FileSigner(tmp_path / "new_key")
    book.write(1)
    lines = book.dump()

    assert verify_dump(lines, trusted=[old, book.signer.public]).holds
    assert verify_dump(lines).holds
    (finding,) = verify_dump(lines, trusted=[old]).findings
    assert finding.wrong is Wrong.SIGNATURE


def test_entries_of_the_first_scheme_are_dumped_as_they_were_hashed(book: Book) -> None:
    """An old ledger can be dumped and verified; new entries show only digests of their records."""
    line = json.loads(book.dump()[1])["entry"]

    assert "observation_json" not in line
    assert line["observation_digest"] is not None


def head_line(book: Book) -> bytes:
    """Return the line of the last head of *book*, as a witness has it."""
    signed = sign_head(book.outside, book.signer)
    assert signed is not None
    return f"{head_text(signed)}\n".encode()


def _rehashed(line: bytes, **changes: object) -> bytes:
    entry = {**json.loads(line)["entry"], **changes}
    return canonical_json({"entry": entry, "hash": hash_of(entry)}).encode() + b"\n"


def _rechained(lines: list[bytes], *, at: int, because: str) -> list[bytes]:
    made = list(lines)
    made[at] = _rehashed(made[at], because=because)
    for following in range(at + 1, len(made)):
        if b'"entry"' not in made[following]:
            break
        before = json.loads(made[following - 1])["hash"]
        made[following] = _rehashed(made[following], previous_hash=before)
    return made


def _tampered(whole: bytes, chance: random.Random) -> tuple[str, bytes]:
    """Return what was done, and *whole* with it done; never *whole* itself."""
    while True:
        how = chance.choice(
            ["edit", "edit", "drop", "add", "space", "move", "repeat", "remove", "cut", "flip"]
        )
        place = chance.randrange(len(whole))
        lines = whole.splitlines(keepends=True)
        index, other = chance.randrange(len(lines)), chance.randrange(len(lines))
        match how:
            case "edit":
                made = whole[:place] + bytes([chance.randrange(256)]) + whole[place + 1 :]
            case "flip":
                made = whole[:place] + bytes([whole[place] ^ 1 << chance.randrange(8)])
                made += whole[place + 1 :]
            case "drop":
                made = whole[:place] + whole[place + chance.randrange(1, 200) :]
            case "add":
                made = whole[:place] + chance.randbytes(chance.randrange(1, 9)) + whole[place:]
            case "space":
                made = whole[:place] + chance.choice([b" ", b"\n", b"\t"]) + whole[place:]
            case "move":
                lines.insert(other, lines.pop(index))
                made = b"".join(lines)
            case "repeat":
                lines.insert(other, lines[index])
                made = b"".join(lines)
            case "remove":
                del lines[index : index + chance.randrange(1, 4)]
                made = b"".join(lines)
            case _:  # cut
                made = whole[:place]
        if made != whole:
            return how, made
