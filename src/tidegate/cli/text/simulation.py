"""Simulated plans as text: a line per scenario, plans side by side, and why what wasn't caught wasn't."""

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from rich.text import Text

from tidegate.cli.text.columns import Cell, columns
from tidegate.domain.durations import rough_duration

if TYPE_CHECKING:
    from tidegate.usecases.simulation.results import Result

NONE: Final = "-"


def simulation_view(
    results: "Sequence[Sequence[Result]]", *, wide: bool, notes: Sequence[str]
) -> list[Text | str]:
    """
    Return results as text.

    Args:
        results: For each scenario its results, one per plan, in the order of plans.
        wide: Whether every number is shown.
        notes: What stands below: assumptions and the digest.
    """
    harmful = [row for row in results if row[0].is_harmful]
    harmless = [row for row in results if not row[0].is_harmful]
    lines: list[Text | str] = []
    if harmful:
        lines += _table(harmful, _HARMFUL_WIDE if wide else _HARMFUL, harmful_title="fault")
    if harmful and harmless:
        lines.append("")
    if harmless:
        lines += _table(harmless, _HARMLESS, harmful_title="no fault of the change")
    return [*lines, "", *notes]


def _table(
    rows: "Sequence[Sequence[Result]]", kinds: Sequence[str], *, harmful_title: str
) -> list[Text | str]:
    plans = [result.plan for result in rows[0]]
    top: list[Cell] = [""]
    head: list[Cell] = [harmful_title]
    for plan in plans:
        top += [Text(f"plan {plan}", style="bold"), *[""] * (len(kinds) - 1)]
        head += list(kinds)
    cells: list[list[Cell]] = [top, head]
    for row in rows:
        line: list[Cell] = [row[0].title]
        for result in row:
            line += [_cell(kind, result) for kind in kinds]
        cells.append(line)
    aligned = columns(cells)
    lines: list[Text | str] = [*aligned[:2]]
    for row, text in zip(rows, aligned[2:], strict=True):
        lines.append(text)
        lines += _reasons(row)
    return lines


_HARMFUL: Final = ("caught in", "users hit", "failed", "to halt")
_HARMFUL_WIDE: Final = (*_HARMFUL, "requests hit", "from start", "halted", "held", "undecided")
_HARMLESS: Final = ("false halts", "held", "undecided", "takes")


def _cell(kind: str, result: "Result") -> Cell:
    match kind:
        case "caught in":
            return _caught(result)
        case "users hit":
            return "all" if _reached_all(result) else _about(result.users_hit)
        case "failed":
            return NONE if _reached_all(result) else _about(result.failed)
        case "to halt":
            return _length(result.to_stop if result.is_caught else None)
        case "requests hit":
            return _about(result.requests_hit)
        case "from start":
            return _length(result.until_stop if result.is_caught else None)
        case "false halts":
            return f"{result.halt_rate:.1%} ±{result.halt_rate_standard_error * 100:.1f}"
        case "takes":
            return _length(result.took)
        case "halted":
            return _of_runs(result.halted, result)
        case "held":
            return _of_runs(result.held, result)
        case "undecided":
            return _of_runs(result.undecided, result)
        case _:
            raise AssertionError(f"no column {kind}")


def _caught(result: "Result") -> Cell:
    if not result.is_caught:
        undecided = 2 * result.undecided > result.runs
        return Text("undecided" if undecided else "NOT CAUGHT", style="bold")
    phase, count = result.caught_in[0]
    word = "held, " if result.held > result.halted else ""
    how_often = "" if count == result.runs else f" ({count} of {result.runs})"
    return f"{word}{phase}{how_often}"


def _reached_all(result: "Result") -> bool:
    return not result.is_caught and 2 * result.completed > result.runs


def _reasons(row: "Sequence[Result]") -> list[str]:
    """Return why and what would help, once where it is the same for all plans."""
    said: dict[str, list[str]] = {}
    for result in row:
        if result.is_harmful and not result.is_caught:
            said.setdefault(f"{result.why}; {result.hint}", []).append(result.plan)
    everywhere = len(row) == 1 or any(len(plans) == len(row) for plans in said.values())
    return [
        f"  reason{'' if everywhere else f' (plan {plans[0]})'}: {reason}"
        for reason, plans in said.items()
    ]


def _about(number: float) -> str:
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


def _length(length: timedelta | None) -> str:
    if length is None:
        return NONE
    days = length // timedelta(days=1)
    if days < 2:
        return rough_duration(length)
    return f"{days} d {(length - timedelta(days=days)) // timedelta(hours=1)} h"


def _of_runs(count: int, result: "Result") -> str:
    return f"{count} of {result.runs}" if count else NONE
