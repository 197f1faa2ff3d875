"""A ledger in memory with two signed heads and more, and its dump."""

from collections.abc import Callable
from pathlib import Path

import pytest
from ledger_book import Book

from tidegate.drivers.signer.file import FileSigner


@pytest.fixture
def new_book(tmp_path: Path) -> Callable[[], Book]:
    """Return a function that makes a ledger of its own, all signed with one key."""
    signer = FileSigner(tmp_path / "ledger_key")
    return lambda: Book(signer)


@pytest.fixture
def book(new_book: Callable[[], Book]) -> Book:
    """Return a ledger of 12 entries with heads after the fourth and the ninth."""
    made = new_book()
    for count in (4, 5, 3):
        made.write(count)
        if count != 3:
            made.sign()
    return made
