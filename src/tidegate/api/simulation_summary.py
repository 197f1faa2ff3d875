"""
What simulated plans came to in all, in few numbers: above the page's tables, and in the message of a commit.

Rule: made from results alone; what was not simulated is said to be unknown, and is never nought.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from statistics import median
from typing import Final

from tidegate.api import simulation_words as words
from tidegate.usecases.simulation.results import Result
from tidegate.usecases.simulation.scenario import Kind

UNKNOWN: Final = "not simulated"
NOTHING_CAUGHT: Final = "nothing caught"


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """
    One plan in all, in words.

    `missed` is whether a harmful change got by; `alarmed` whether a harmless one was halted.
    """

    plan: str
    caught: str
    users: str
    to_halt: str
    false_halts: str
    takes: str
    missed: bool
    alarmed: bool


def summary(results: Sequence[Result]) -> Summary:
    """Return what the *results* of one plan come to."""
    harmful = [one for one in results if one.is_harmful]
    found = [one for one in harmful if one.is_caught]
    nothing = NOTHING_CAUGHT if harmful else UNKNOWN
    healthy = [one for one in results if one.kind is Kind.AA]
    return Summary(
        plan=results[0].plan,
        caught=f"{len(found)} of {len(harmful)}" if harmful else UNKNOWN,
        users=words.about(sum(one.users_hit for one in found)) if found else nothing,
        to_halt=words.length(_middle(one.to_stop for one in found)) if found else nothing,
        false_halts=words.false_halts(healthy[0]) if healthy else UNKNOWN,
        takes=words.length(healthy[0].took) if healthy and healthy[0].took else UNKNOWN,
        missed=len(found) < len(harmful),
        alarmed=any(one.halted for one in results if not one.is_harmful),
    )


def _middle(lengths: Iterable[timedelta | None]) -> timedelta | None:
    known = [length.total_seconds() for length in lengths if length is not None]
    return timedelta(seconds=median(known)) if known else None
