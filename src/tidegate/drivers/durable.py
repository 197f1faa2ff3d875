"""
Files that survive a crash, and locks that end with their holder.

Drivers keep on disk only what the outside can't tell them. A file is replaced whole or not at all,
so a reader never sees half of it. A lock is the kernel's (`flock`): it is gone when the process that
holds it is, however that ended.

What the files mean must not be known here.
"""

import asyncio
import fcntl
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Final

from tidegate.errors import WorkloadError

LOCK_POLL_SECONDS: Final = 0.01


def replace_file(path: Path, content: str, *, durable: bool = True) -> None:
    """
    Make *path* hold *content*, at once for every reader; its folder is made when missing.

    With *durable* it also survives a power cut: the file and then its folder are synced.

    Raises:
        WorkloadError: it can't be written; the file holds what it held before.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as exc:
        raise unwritable(path, exc) from exc
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(content)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        Path(temporary).replace(path)
        if durable:
            _sync_folder(path.parent)
    except OSError as exc:
        with suppress(OSError):
            Path(temporary).unlink()
        raise unwritable(path, exc) from exc


def read_file(path: Path) -> str | None:
    """
    Return what *path* holds, or None when there is no such file.

    Raises:
        WorkloadError: it exists but can't be read.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError) as exc:
        raise WorkloadError(
            f"{path} can't be read: {exc}", hint="Check the file's owner, mode and disk."
        ) from exc


def try_lock(path: Path) -> int | None:
    """
    Lock *path* and return the open file descriptor that holds the lock, or None when it's taken.

    Closing the descriptor opens the lock, unless another process got it too: then it's held until
    the last of them has ended.

    Raises:
        WorkloadError: the lock file can't be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except FileNotFoundError:
        return None  # its folder was taken away at this moment by the holder
    except OSError as exc:
        raise unwritable(path, exc) from exc
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(descriptor).st_ino == path.stat().st_ino:
            return descriptor
    except (BlockingIOError, FileNotFoundError):
        pass
    # Taken, or we locked a file that its last holder has just deleted: that lock locks nothing.
    os.close(descriptor)
    return None


@asynccontextmanager
async def locked(path: Path, *, wait: timedelta) -> AsyncIterator[None]:
    """
    Hold the lock *path* for the body.

    Raises:
        WorkloadError: another process held it for longer than *wait*.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + wait.total_seconds()
    descriptor = try_lock(path)
    while descriptor is None:
        if loop.time() >= deadline:
            raise WorkloadError(
                f"{path} has been locked by another process for {wait.total_seconds():g} s",
                hint="Another server works on the same placement, or hangs in it. Nothing changed.",
            )
        await asyncio.sleep(LOCK_POLL_SECONDS)
        descriptor = try_lock(path)
    try:
        yield
    finally:
        os.close(descriptor)


def unwritable(path: Path, cause: OSError) -> WorkloadError:
    """Return the error for a file or folder that can't be written."""
    return WorkloadError(
        f"{path} can't be written: {cause.strerror or cause}",
        hint="Check the owner and mode of the folder and the free space of the disk.",
    )


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
