"""
When a gate is asked again: soon while it isn't green, and before a green answer is too old.

Nothing is asked here and nobody waits; these are only times.
"""

from datetime import datetime, timedelta
from typing import Final

from tidegate.domain.gates.model import GateVerdict

FIRST_AGAIN: Final = timedelta(seconds=5)
"""Soon enough for whoever has just mended what was red."""

LONGEST_AGAIN: Final = timedelta(minutes=5)
"""Rare enough for what is asked: a repository, another team's system."""

RENEWED_AFTER: Final = 0.8
"""The part of an answer's life after which it is renewed, so that there is always one that counts."""


def ask_again_at(
    asked_at: datetime, verdict: GateVerdict, *, lasts: timedelta, times_not_green: int
) -> datetime:
    """
    Return when a gate is due again that gave *verdict* at *asked_at*.

    Args:
        asked_at: When it was asked.
        verdict: What it said.
        lasts: How long the answer is good.
        times_not_green: How often in a row it wasn't green, this answer included.
    """
    renewal = asked_at + lasts * RENEWED_AFTER
    if verdict is GateVerdict.GREEN:
        # One that lasts for no time at all would be asked without end.
        return max(renewal, asked_at + FIRST_AGAIN)
    pause: timedelta = FIRST_AGAIN * 2 ** min(max(times_not_green - 1, 0), 10)
    return asked_at + min(pause, LONGEST_AGAIN)
