"""Tables as plain lines: columns as wide as they need to be, so that nothing is cut in a pipe."""

from collections.abc import Sequence
from itertools import zip_longest

from rich.cells import cell_len
from rich.text import Text

Cell = str | Text
GAP = "  "


def columns(
    rows: Sequence[Sequence[Cell]], *, indent: str = "", free: int | None = None
) -> list[Text]:
    """
    Return *rows* as lines with their columns aligned to the left.

    A row of exactly *free* cells is a remark: its last cell may be longer than its column is wide.
    """
    measured = [row[:-1] if free is not None and len(row) == free else row for row in rows]
    widths = [
        max(cell_len(_plain(cell)) for cell in column)
        for column in zip_longest(*measured, fillvalue="")
    ]
    lines = []
    for row in rows:
        line = Text(indent)
        for index, cell in enumerate(row):
            line.append_text(cell if isinstance(cell, Text) else Text(cell))
            if index + 1 < len(row):
                line.append(" " * (widths[index] - cell_len(_plain(cell))) + GAP)
        line.rstrip()
        lines.append(line)
    return lines


def _plain(cell: Cell) -> str:
    return cell.plain if isinstance(cell, Text) else cell
