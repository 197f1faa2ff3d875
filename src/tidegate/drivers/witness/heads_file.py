"""
A file of heads: one canonical line each, only ever appended, synced before it counts.

Only the last line is read to go on; the whole file only to compare what should be there already.
"""

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tidegate.documents.ledger.heads import MAX_LINE_BYTES, head_text, read_head
from tidegate.domain.ledger.model import Head
from tidegate.drivers.witness.refusals import another_head, cannot_keep
from tidegate.errors import InvalidDocumentError

HEADS_FILE: Final = "heads.jsonl"


class HeadsFile:
    """The file in *folder*. Every method blocks."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._name = name

    @property
    def path(self) -> Path:
        """Where it is."""
        return self._folder / HEADS_FILE

    def append(self, heads: Sequence[Head]) -> list[Head]:
        """Append those of *heads* that aren't there; return them. Raises as `Witness.keep`."""
        with self._opened() as descriptor:
            last = self._last(descriptor)
            known = 0 if last is None else last.number
            self._compare(descriptor, [head for head in heads if head.number <= known])
            new = [head for head in heads if head.number > known]
            for head in new:
                os.write(descriptor, f"{head_text(head)}\n".encode())
            if new:
                os.fsync(descriptor)
            return new

    def last(self) -> Head | None:
        """Return the last head. Raises WitnessError."""
        if not self.path.exists():
            return None
        with self._opened() as descriptor:
            return self._last(descriptor)

    @contextmanager
    def _opened(self) -> Iterator[int]:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(
                self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644
            )
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                self._sync_folder()
                yield descriptor
            finally:
                os.close(descriptor)
        except OSError as exc:
            raise cannot_keep(self._name, exc.strerror or str(exc)) from exc

    def _last(self, descriptor: int) -> Head | None:
        size = os.fstat(descriptor).st_size
        begin = max(0, size - 2 * MAX_LINE_BYTES)
        tail = os.pread(descriptor, size - begin, begin)
        whole, _, torn = tail.rpartition(b"\n")
        if torn:
            # A line without its end was never confirmed to anybody.
            os.ftruncate(descriptor, size - len(torn))
        line = whole.rpartition(b"\n")[2]
        return self._read(line) if line else None

    def _compare(self, descriptor: int, heads: Sequence[Head]) -> None:
        if not heads:
            return
        wanted = {head.number: head for head in heads}
        with os.fdopen(os.dup(descriptor), "rb") as file:
            file.seek(0)
            for line in file:
                kept = self._read(line.removesuffix(b"\n"))
                if wanted.pop(kept.number, kept) != kept:
                    raise another_head(self._name, kept)
        if any(number > kept.number for number in wanted):
            raise cannot_keep(self._name, f"head {max(wanted)} is missing in {self.path}")

    def _read(self, line: bytes) -> Head:
        try:
            return read_head(line)
        except InvalidDocumentError as exc:
            raise cannot_keep(self._name, f"{self.path}: {exc.message}") from exc

    def _sync_folder(self) -> None:
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
