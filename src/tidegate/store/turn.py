"""
One writer at a time inside a process.

A database keeps writers apart too, but by polling (SQLite) or by holding a connection each
(PostgreSQL). Waiting here is cheaper, and a thread that opens a second transaction inside its first,
which would wait for itself, is caught at once. Between processes only the database decides.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from threading import Lock, get_ident
from typing import Final

from tidegate.errors import StoreError

WRITER_WAITS_AT_MOST: Final = timedelta(seconds=5)
"""A recorded step takes milliseconds; who waits this long is behind something that hangs."""


class Turn:
    """The right to write. Not reentrant. Who can't have it within *waits_at_most* is told so."""

    def __init__(self, *, waits_at_most: timedelta = WRITER_WAITS_AT_MOST) -> None:
        self._waits_at_most_seconds = waits_at_most.total_seconds()
        self._free = Lock()
        self._holder: int | None = None

    @contextmanager
    def taken(self) -> Iterator[None]:
        """
        Hold the turn for the length of a block.

        Raises:
            StoreError: another thread didn't give it back in time.
        """
        thread = get_ident()
        assert self._holder != thread, (
            "this thread has a transaction open: it would wait for itself"
        )
        if not self._free.acquire(timeout=self._waits_at_most_seconds):
            raise StoreError(
                f"another writer has held the store for {self._waits_at_most_seconds:g} s",
                hint="Try again. When it stays so, restart the server: nothing is lost by it.",
            )
        self._holder = thread
        try:
            yield
        finally:
            self._holder = None
            self._free.release()
