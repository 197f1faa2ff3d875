import os
from datetime import timedelta
from pathlib import Path

import pytest

from tidegate.drivers.durable import locked, read_file, replace_file, try_lock
from tidegate.errors import WorkloadError

SOON = timedelta(seconds=0.05)


def test_a_file_is_replaced_whole_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    """A reader sees the old text or the new one, and no leftovers."""
    path = tmp_path / "folder" / "file.json"
    replace_file(path, "old")

    replace_file(path, "new")

    assert read_file(path) == "new"
    assert list(path.parent.iterdir()) == [path]


def test_a_file_that_can_not_be_replaced_stays_as_it_was(tmp_path: Path) -> None:
    """A failure says which file, and changes nothing."""
    (tmp_path / "taken").mkdir()

    with pytest.raises(WorkloadError, match="taken can't be written"):
        replace_file(tmp_path / "taken", "new")

    assert list(tmp_path.iterdir()) == [tmp_path / "taken"]


def test_a_missing_file_reads_as_nothing_and_an_unreadable_one_is_an_error(tmp_path: Path) -> None:
    """Not there and can't be known are different answers."""
    (tmp_path / "binary").write_bytes(b"\xff\xfe\xff")

    assert read_file(tmp_path / "missing") is None
    with pytest.raises(WorkloadError, match="can't be read"):
        read_file(tmp_path / "binary")


async def test_a_lock_is_held_by_one_and_waited_for(tmp_path: Path) -> None:
    """The second one is told who knows what, in the time it gave."""
    path = tmp_path / "lock"
    async with locked(path, wait=SOON):
        with pytest.raises(WorkloadError, match="has been locked"):
            async with locked(path, wait=SOON):
                pass

    async with locked(path, wait=SOON):
        pass


def test_a_lock_ends_with_its_holder(tmp_path: Path) -> None:
    """Whoever was killed holds nothing."""
    path = tmp_path / "lock"
    holder = os.fork()
    if holder == 0:
        try_lock(path)
        os._exit(0)
    os.waitpid(holder, 0)

    descriptor = try_lock(path)

    assert descriptor is not None
    os.close(descriptor)


def test_a_lock_on_a_file_that_was_taken_away_locks_nothing(tmp_path: Path) -> None:
    """Who waited for a folder that its holder removed gets a lock on the new one, or none."""
    path = tmp_path / "lock"
    held = try_lock(path)
    path.unlink()

    fresh = try_lock(path)

    assert held is not None and fresh is not None
    assert os.fstat(held).st_ino != os.fstat(fresh).st_ino
    os.close(held)
    os.close(fresh)
