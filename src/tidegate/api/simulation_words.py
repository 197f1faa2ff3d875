"""
Words for what simulations came to: caught or not, where, whom it hit, how long. For pages and commands.

Rule: made from results alone. Numbers are told as roughly as they are known.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from tidegate.domain.durations import rough_duration

if TYPE_CHECKING:
    # Results take the statistics, which take long to load; words don't need them.
    from tidegate.usecases.simulation.results import Result

NONE: Final = "-"

CAUGHT: Final = "caught"
HELD: Final = "held"
UNDECIDED: Final = "undecided"
MISSED: Final = "not caught"


def detected(result: "Result") -> str:
    """Return whether a harmful change was found in most runs: `CAUGHT`, `HELD`, `UNDECIDED`, `MISSED`."""
    if result.is_caught:
        return HELD if result.held > result.halted else CAUGHT
    return UNDECIDED if 2 * result.undecided > result.runs else MISSED


def caught_in(result: "Result") -> str:
    """Return the phase in which most runs were stopped, and in how many where not all agree."""
    if not result.is_caught:
        return NONE
    phase, count = result.caught_in[0]
    return phase if count == result.runs else f"{phase} ({count} of {result.runs})"


def reached_all(result: "Result") -> bool:
    """Return whether most runs let it go on to everyone."""
    return not result.is_caught and 2 * result.completed > result.runs


def users_hit(result: "Result") -> str:
    """Return how many users a change hurt until it was stopped."""
    return "all" if reached_all(result) else about(result.users_hit)


def failed(result: "Result") -> str:
    """Return how many requests failed because of a change until it was stopped."""
    return NONE if reached_all(result) else about(result.failed)


def false_halts(result: "Result") -> str:
    """Return how often a change that does no harm was halted, with the standard error in points."""
    return f"{result.halt_rate:.1%} ±{result.halt_rate_standard_error * 100:.1f}"


def about(number: float) -> str:
    """Return *number* as roughly as it is known."""
    if number < 0.05:
        return "0"
    if number < 1:
        return "<1"
    if number < 1_000:
        return f"~{number:.0f}"
    if number < 1_000_000:
        return f"~{number / 1_000:.3g}k"
    return f"~{number / 1_000_000:.3g}M"


def length(length: timedelta | None) -> str:
    """Return a length of time as people say it."""
    if length is None:
        return NONE
    days = length // timedelta(days=1)
    if days < 2:
        return rough_duration(length)
    return f"{days} d {(length - timedelta(days=days)) // timedelta(hours=1)} h"


def of_runs(count: int, result: "Result") -> str:
    """Return *count* of the result's runs."""
    return f"{count} of {result.runs}" if count else NONE


def reasons(row: "Sequence[Result]") -> list[str]:
    """Return why what wasn't caught wasn't and what would help, once where it is the same for all plans."""
    said: dict[str, list[str]] = {}
    for result in row:
        if result.is_harmful and not result.is_caught:
            said.setdefault(f"{result.why}; {result.hint}", []).append(result.plan)
    everywhere = len(row) == 1 or any(len(plans) == len(row) for plans in said.values())
    return [
        f"reason{'' if everywhere else f' (plan {plans[0]})'}: {reason}"
        for reason, plans in said.items()
    ]
