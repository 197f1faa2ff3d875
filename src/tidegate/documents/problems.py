"""
What is wrong in a document, where, and how to put it right.

Rule: a problem always carries a fix. All problems of a document are told at once, in the order of
the lines, so that a person mends the file in one go and not one error at a time.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from tidegate.errors import InvalidDocumentError

MAX_SHOWN: Final = 20
"""More than a screenful helps nobody; most of what follows is caused by what was shown."""

KeyPath = tuple[str | int, ...]
"""Where a value stands in a document: `("plan", "phases", 2, "bake")`."""


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """A place in a text; both counted from 1, as editors do."""

    line: int
    column: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong. `mark` is None where no text stands for it."""

    what: str
    fix: str
    mark: Mark | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    """
    One thing that is wrong with the value at `path`, before its place in the text is looked up.

    `on_key` points at the key rather than at its value: the key itself is what is wrong. `missing` is
    the path that should be there, `meant` the path that an unknown key seems to be: of two complaints
    about the same slip, one is enough.
    """

    path: KeyPath
    what: str
    fix: str
    on_key: bool = False
    missing: KeyPath = ()
    meant: KeyPath = ()


def invalid_document(file: str, problems: Iterable[Problem]) -> InvalidDocumentError:
    """Return the error that lists *problems* of *file*, at most `MAX_SHOWN`, by line."""
    ordered = sorted(problems, key=lambda problem: problem.mark or Mark(0, 0))
    assert ordered, "an error needs a problem"
    lines = []
    for problem in ordered[:MAX_SHOWN]:
        lines.append(f"{place(file, problem.mark)}: {problem.what}")
        lines.append(f"    fix: {problem.fix}")
    if len(ordered) > MAX_SHOWN:
        lines.append(f"and {len(ordered) - MAX_SHOWN} more")
    return InvalidDocumentError(
        "\n".join(lines), hint="Correct these places; `tidegate validate` checks the file again."
    )


def place(file: str, mark: Mark | None) -> str:
    """Return `file:line:column` as editors and terminals make links of, or the file alone."""
    return f"{file}:{mark.line}:{mark.column}" if mark else file


def path_text(path: KeyPath) -> str:
    """Return *path* as people write it: `plan.phases[2].bake`."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += f".{step}" if text else step
    return text
