"""
What stands above the simulator's tables: what each plan came to in all, in few numbers.

Rule: made from results alone; what was not simulated is said to be unknown, and is never nought.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from difflib import unified_diff
from statistics import median
from typing import Final

from tidegate.api import simulation_words as words
from tidegate.usecases.simulation.results import Result
from tidegate.usecases.simulation.scenario import Kind

KIND_WORDS: Final = {
    Kind.INCIDENT: "Incidents",
    Kind.FAULT: "Synthetic faults",
    Kind.AA: "No fault (A/A)",
    Kind.ROLLOUT: "Past rollouts",
}

MARKS: Final = {words.CAUGHT: "✓", words.HELD: "‖", words.UNDECIDED: "?", words.MISSED: "✕"}
"""One shape per answer to "was it found?"."""

CLASSES: Final = {
    words.CAUGHT: "caught",
    words.HELD: "held",
    words.UNDECIDED: "undecided",
    words.MISSED: "missed",
}

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


def difference(before: str, after: str) -> str:
    """Return what changes from one text of a plan to another, as a patch."""
    lines = unified_diff(
        before.splitlines(), after.splitlines(), "a/tidegate.yaml", "b/tidegate.yaml", lineterm=""
    )
    return "\n".join(lines)
