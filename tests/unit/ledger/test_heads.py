"""Heads are signed when it is time, by a key that only its owner can read."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from ledger_book import Book

from tidegate.documents.ledger.heads import (
    head_hash,
    head_text,
    read_head,
    signature_holds,
    signed_bytes,
)
from tidegate.domain.ledger.model import NO_HEAD, Head
from tidegate.drivers.clock.memory import MemoryClock
from tidegate.drivers.signer.file import FileSigner
from tidegate.errors import InvalidDocumentError, StoreError
from tidegate.usecases.ledger_heads import HEAD_AFTER_ENTRIES, HEAD_EVERY, sign_head


def due(book: Book) -> Head | None:
    return sign_head(book.outside, book.signer, only_when_due=True)


def test_the_first_entry_is_signed_at_once_and_those_that_follow_after_a_minute(
    book: Book,
) -> None:
    """A minute counts from the last head; a ledger that stands still is not signed again."""
    book.sign()
    book.write(1)
    before = due(book)
    book.world.clock.advance(HEAD_EVERY)
    after = due(book)
    book.world.clock.advance(HEAD_EVERY * 100)

    assert before is None
    assert after is not None
    assert (after.number, after.entries) == (4, 13)
    assert due(book) is None
    assert sign_head(book.outside, book.signer) is None


def test_a_thousand_entries_are_signed_at_once(book: Book) -> None:
    """A busy minute isn't a minute in which much could be cut off."""
    book.sign()
    book.write(HEAD_AFTER_ENTRIES - 1)
    before = due(book)
    book.write(1)

    assert before is None
    assert due(book) is not None


def test_heads_are_chained_and_their_times_never_go_back(book: Book) -> None:
    """Also when the clock does; and a clock that was set back doesn't keep heads from being made."""
    first = book.sign()
    book.write(1)
    set_back = replace(book.outside, clock=MemoryClock(first.at - timedelta(days=2)))
    second = sign_head(set_back, book.signer, only_when_due=True)

    assert second is not None
    assert second.previous_head == head_hash(first)
    assert second.at == first.at


def test_anybody_can_check_a_signature(book: Book) -> None:
    """It is plain Ed25519 over canonical JSON after a prefix; the first head follows none."""
    book = Book(book.signer)
    book.write(1)
    head = book.sign()

    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(book.signer.public))
    key.verify(bytes.fromhex(head.signature), signed_bytes(head))

    assert head.previous_head == NO_HEAD
    assert signature_holds(head, book.signer.public)
    assert read_head(head_text(head).encode()) == head


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"null",
        b"{}",
        b"\xff",
        b"[" * 4000,
        b'{"at":"2026-01-01T00:00:00+00:00"}',
    ],
)
def test_what_is_no_head_is_refused(text: bytes) -> None:
    """With the reason, and never another error."""
    with pytest.raises(InvalidDocumentError, match="no head"):
        read_head(text)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"number":3', b'"number":0'),
        (b'"number":3', b'"number":true'),
        (b'"number":3', b'"number":3.0'),
        (b'"number":3', b'"number": 3'),
        (b"+00:00", b""),
        (b"+00:00", b"+01:00"),
        (b"T", b" "),
        (b'"signature":"', b'"signature":"0'),
        (b'"key_id":"', b'"key_id":"G'),
    ],
)
def test_a_head_has_one_spelling(book: Book, old: bytes, new: bytes) -> None:
    """A witness could otherwise hold what looks the same and isn't."""
    text = head_text(book.sign()).encode()
    assert old in text

    with pytest.raises(InvalidDocumentError, match="no head"):
        read_head(text.replace(old, new, 1))


def test_the_key_stays_and_is_its_owners(tmp_path: Path) -> None:
    """Made once with mode 0600; the same at the next start."""
    path = tmp_path / "key"

    first, second = FileSigner(path), FileSigner(path)

    assert first.public == second.public
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["key"]


@pytest.mark.parametrize("content", [b"", b"not a key", b"-----BEGIN PRIVATE KEY-----\n"])
def test_a_file_that_holds_no_key_is_never_replaced(tmp_path: Path, content: bytes) -> None:
    """The heads that follow would be somebody else's."""
    path = tmp_path / "key"
    path.write_bytes(content)
    path.chmod(0o600)

    with pytest.raises(StoreError, match="holds no Ed25519 key"):
        FileSigner(path)
    assert path.read_bytes() == content


def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    """Whoever read it could sign any ledger."""
    path = tmp_path / "key"
    FileSigner(path)
    path.chmod(0o640)

    with pytest.raises(StoreError, match="others than its owner"):
        FileSigner(path)


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """Not a traceback."""
    (tmp_path / "file").touch()

    with pytest.raises(StoreError, match="can't be read or made"):
        FileSigner(tmp_path / "file" / "key")
