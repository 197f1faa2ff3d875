"""Freezes as lines of text."""

from rich.text import Text

from tidegate.api import words
from tidegate.api.shapes.freezes import (
    ExceptionGiven,
    Freeze,
    FreezeAdded,
    FreezeLifted,
    Freezes,
)
from tidegate.cli.text.columns import Cell, columns
from tidegate.cli.text.times import TimeFormat, write_instant


def freeze_table(found: Freezes, *, times: TimeFormat) -> list[Text | str]:
    """Return one line per freeze."""
    if not found.freezes:
        return ["no freezes"]
    rows: list[list[Cell]] = [
        ["FREEZE", "SCOPE", "FROM", "UNTIL", "BY", "EXCEPTIONS", "STATE", "REASON"]
    ]
    rows += [
        [
            str(freeze.number),
            _scope(freeze),
            write_instant(freeze.since, now=found.as_of, form=times),
            write_instant(freeze.until, now=found.as_of, form=times),
            freeze.by,
            "budgeted" if freeze.allows_exceptions else "none",
            freeze.state.replace("_", " "),
            freeze.reason,
        ]
        for freeze in found.freezes
    ]
    return [*columns(rows)]


def added_lines(added: FreezeAdded, *, times: TimeFormat) -> list[Text | str]:
    """Return what a freeze closes and when, and how it ends."""
    freeze, now = added.freeze, added.as_of
    begins = write_instant(freeze.since, now=now, form=times)
    ends = write_instant(freeze.until, now=now, form=times)
    lines: list[Text | str] = [
        f"FREEZE {freeze.number}  scope: {_scope(freeze)}   from {begins} until {ends}"
        f"   by {freeze.by}",
        "  Exposure of what it covers doesn't rise in that time. Bakes, halts and ways back go on.",
    ]
    if added.waiting:
        lines.append(f"  Unfinished rollouts that it covers: {words.list_words(added.waiting)}")
    lines.append(f'It ends by itself. Earlier: tidegate freeze lift {freeze.number} --reason ".."')
    return lines


def lifted_lines(lifted: FreezeLifted) -> list[Text | str]:
    """Return that a freeze is over, and what goes on."""
    goes_on = words.list_words(lifted.released) if lifted.released else "no rollout"
    return [f"freeze {lifted.freeze.number} is lifted; looked at again: {goes_on}"]


def exception_lines(given: ExceptionGiven, *, times: TimeFormat) -> list[Text | str]:
    """Return what may begin, until when, and what is left of the budget."""
    until = write_instant(given.expires_at, now=given.as_of, form=times)
    return [
        f"EXCEPTION {given.number}  {given.rollout} may begin {given.phase} outside the calendar"
        f"   by {given.by}, expires {until}",
        f"  Proof, gates and approvals are needed as always. Exceptions left: {given.left}.",
    ]


def _scope(freeze: Freeze) -> str:
    return f"{freeze.scope} {freeze.name}".rstrip()
