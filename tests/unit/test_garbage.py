"""Garbage is looked for in its own time: found in the end, and not in the middle of a stop."""

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from tidegate.main.garbage import BY_ITSELF_AFTER, garbage_in_its_own_time, keep_garbage_few
from tidegate.usecases.right_of_way import RightOfWay


class Knot:
    """Something that keeps itself alive."""

    def __init__(self) -> None:
        self.itself = self


def old_garbage() -> "weakref.ref[Knot]":
    """Return a reference to garbage that looks at what is new don't find any more."""
    knot = Knot()
    gc.collect(1)
    gc.collect(1)
    return weakref.ref(knot)


@pytest.fixture
async def way() -> AsyncIterator[RightOfWay]:
    """Return the right of way of a loop in which garbage is looked for all the time."""
    made = RightOfWay(most_seconds=3600.0)
    keeping = asyncio.create_task(keep_garbage_few(made, every_seconds=0.001))
    yield made
    keeping.cancel()
    with suppress(asyncio.CancelledError):
        await keeping


def test_python_itself_looks_at_everything_never() -> None:
    """Only while the block runs; afterwards all is as before."""
    thresholds, frozen = gc.get_threshold(), gc.get_freeze_count()

    with garbage_in_its_own_time():
        meanwhile = gc.get_threshold()
        frozen_meanwhile = gc.get_freeze_count()

    assert meanwhile == (thresholds[0], thresholds[1], BY_ITSELF_AFTER)
    assert frozen_meanwhile > frozen
    assert gc.get_threshold() == thresholds
    assert gc.get_freeze_count() == 0


async def test_garbage_is_found_in_the_end(way: RightOfWay) -> None:
    """What Python doesn't look for by itself any more is looked for."""
    with garbage_in_its_own_time():
        garbage = old_garbage()
        async with asyncio.timeout(60):
            while garbage() is not None:
                await asyncio.sleep(0.001)


async def test_nothing_is_looked_for_while_a_stop_is_under_way(way: RightOfWay) -> None:
    """The look waits until it is over."""
    with way.stopping():
        # The one that may have begun to wait before is let through.
        await asyncio.sleep(0.01)
        with garbage_in_its_own_time():
            garbage = old_garbage()
            for _ in range(20):
                await asyncio.sleep(0.002)
            was_found = garbage() is None
    async with asyncio.timeout(60):
        while garbage() is not None:
            await asyncio.sleep(0.001)

    assert not was_found
