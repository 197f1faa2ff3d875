"""Simulated plans as text: a line per scenario, plans side by side, and why what wasn't caught wasn't."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from rich.text import Text

from tidegate.api import simulation_words as words
from tidegate.cli.text.columns import Cell, columns

if TYPE_CHECKING:
    from tidegate.usecases.simulation.results import Result


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
        lines += [f"  {reason}" for reason in words.reasons(row)]
    return lines


_HARMFUL: Final = ("caught in", "users hit", "failed", "to halt")
_HARMFUL_WIDE: Final = (*_HARMFUL, "requests hit", "from start", "halted", "held", "undecided")
_HARMLESS: Final = ("false halts", "held", "undecided", "takes")


def _cell(kind: str, result: "Result") -> Cell:
    match kind:
        case "caught in":
            return _caught(result)
        case "users hit":
            return words.users_hit(result)
        case "failed":
            return words.failed(result)
        case "to halt":
            return words.length(result.to_stop if result.is_caught else None)
        case "requests hit":
            return words.about(result.requests_hit)
        case "from start":
            return words.length(result.until_stop if result.is_caught else None)
        case "false halts":
            return words.false_halts(result)
        case "takes":
            return words.length(result.took)
        case "halted":
            return words.of_runs(result.halted, result)
        case "held":
            return words.of_runs(result.held, result)
        case "undecided":
            return words.of_runs(result.undecided, result)
        case _:
            raise AssertionError(f"no column {kind}")


def _caught(result: "Result") -> Cell:
    word = words.detected(result)
    if not result.is_caught:
        return Text("NOT CAUGHT" if word == words.MISSED else word, style="bold")
    held = "held, " if word == words.HELD else ""
    return f"{held}{words.caught_in(result)}"
