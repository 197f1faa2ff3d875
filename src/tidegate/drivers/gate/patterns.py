"""
Patterns of names that have parts: refs, subjects of certificates.

Rule: matching takes time in proportion to both lengths at most, whatever strangers wrote; no regular
expression is made of a pattern.
"""

import re


def fits(text: str, pattern: str, *, ends: str = "/") -> bool:
    """
    Return whether *text* is *pattern*, in which `*` stands for anything within one part.

    Args:
        text: What was found.
        pattern: What is wanted; all but `*` stands for itself.
        ends: The letters at which a part ends.
    """
    between = re.compile(f"([{re.escape(ends)}])")
    parts, wanted = between.split(text), between.split(pattern)
    return len(parts) == len(wanted) and all(map(_part_fits, parts, wanted))


def _part_fits(part: str, wanted: str) -> bool:
    first, *others = wanted.split("*")
    if not others:
        return part == wanted
    *middle, last = others
    if len(part) < len(first) + len(last) or not part.startswith(first) or not part.endswith(last):
        return False
    at, end = len(first), len(part) - len(last)
    for piece in middle:
        found = part.find(piece, at, end)
        if found < 0:
            return False
        at = found + len(piece)
    return True
