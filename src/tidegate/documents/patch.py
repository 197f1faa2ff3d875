"""
The difference of two texts of a file as a patch that `git apply` takes, to the last character.

Lines end at a line feed and at nothing else, as git sees it: a carriage return before it is part of the
line, and a last line without an end says so.
"""

from difflib import unified_diff
from typing import Final

_NO_END: Final = "\\ No newline at end of file\n"


def patch_of(before: str, after: str, *, path: str) -> str:
    """Return the patch from *before* to *after* of the file at *path*; nothing for equal texts."""
    lines = unified_diff(_lines(before), _lines(after), f"a/{path}", f"b/{path}")
    return "".join(line if line.endswith("\n") else f"{line}\n{_NO_END}" for line in lines)


def _lines(text: str) -> list[str]:
    *ended, last = text.split("\n")
    lines = [f"{line}\n" for line in ended]
    return [*lines, last] if last else lines
