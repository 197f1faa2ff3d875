"""Writers of one process take turns."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from tidegate.errors import StoreError
from tidegate.store.turn import Turn


def test_who_waits_too_long_is_told_so() -> None:
    """A writer that hangs doesn't hang the others."""
    turn = Turn(waits_at_most=timedelta(milliseconds=1))

    def take() -> None:
        with turn.taken():
            pass

    with ThreadPoolExecutor(1) as other_thread:
        with turn.taken(), pytest.raises(StoreError, match="held the store"):
            other_thread.submit(take).result()

        other_thread.submit(take).result()


def test_a_thread_that_would_wait_for_itself_is_told_at_once() -> None:
    """It's a bug, and keeps its first turn."""
    turn = Turn()

    with turn.taken():
        with pytest.raises(AssertionError, match="wait for itself"), turn.taken():
            pass
        with pytest.raises(AssertionError, match="wait for itself"), turn.taken():
            pass

    with turn.taken():
        pass


def test_a_turn_is_given_back_after_an_error() -> None:
    """The next writer goes on."""
    turn = Turn()

    with pytest.raises(ZeroDivisionError), turn.taken():
        raise ZeroDivisionError

    with turn.taken():
        pass
