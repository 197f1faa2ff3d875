"""
When a server looks for garbage: at what is new as always, at all that there is at times of its own.

A look at all that there is stops every thread. It comes of itself in the middle of whatever made one object
too many, and under load every few seconds, so halts waited for it: 0.2 s for what a server is made of, 0.1 s
for what it holds of two thousand connections. What a server is made of is never looked at, the rest seldom
and not while a stop is under way.

Not here: what is kept, and for how long.
"""

import asyncio
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from tidegate.usecases.right_of_way import RightOfWay

ALL_EVERY_SECONDS: Final = 30.0
"""How old garbage may get that the looks at what is new didn't find."""

BY_ITSELF_AFTER: Final = 1_000_000
"""Looks at what isn't quite new before Python looks at everything of its own accord: in effect, never."""


@contextmanager
def garbage_in_its_own_time() -> Iterator[None]:
    """Leave alone for the length of a block what is there when it begins, and seldom look at the rest."""
    thresholds = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(thresholds[0], thresholds[1], BY_ITSELF_AFTER)
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()


async def keep_garbage_few(way: RightOfWay, *, every_seconds: float = ALL_EVERY_SECONDS) -> None:
    """Look at everything every so often, between two pieces of other work; without end."""
    while True:
        await asyncio.sleep(every_seconds)
        await way.give_way()
        gc.collect()
