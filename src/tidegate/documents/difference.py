"""
What differs between two JSON documents: each place, with what was there and what is there now.

A place is written as people look it up: `limits.rps`, `rules[2].match`. Items of lists are compared by
their position. What can't be told in so many places is told as one change of the whole around them.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import unified_diff
from typing import Any, Final

MOST_PLACES: Final = 200
MOST_LINES: Final = 4_000
"""Of both texts together: comparing lines takes time that grows with their square."""

_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One place that differs. `before` and `after` are JSON, None where there is nothing."""

    place: str
    before: str | None
    after: str | None


def differences(before: str, after: str) -> tuple[Difference, ...]:
    """
    Return where two JSON texts differ, in the order of the later one; nothing for equal ones.

    With more than `MOST_PLACES` the rest is left out; ask for one more than you show.
    """
    found: list[Difference] = []
    for one in _compared("", json.loads(before), json.loads(after)):
        found.append(one)
        if len(found) > MOST_PLACES:
            break
    return tuple(found)


def readable(text: str) -> str:
    """Return JSON in lines that people read, keys in order."""
    return json.dumps(json.loads(text), indent=2, ensure_ascii=False, sort_keys=True)


def line_differences(before: str, after: str, *, around: int = 3) -> tuple[str, ...] | None:
    """
    Return two JSON texts as lines of a unified diff, without its header; None when they are too long.

    Each line begins with `+`, `-`, a blank, or `@@` where lines are left out.
    """
    old, new = readable(before).splitlines(), readable(after).splitlines()
    if len(old) + len(new) > MOST_LINES:
        return None
    return tuple(unified_diff(old, new, n=around, lineterm=""))[2:]


def _compared(place: str, before: Any, after: Any) -> Iterator[Difference]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in [*after, *(key for key in before if key not in after)]:
            yield from _side_by_side(_below(place, key), before, after, key)
    elif isinstance(before, list) and isinstance(after, list):
        for index in range(max(len(before), len(after))):
            yield from _side_by_side(
                f"{place}[{index}]", dict(enumerate(before)), dict(enumerate(after)), index
            )
    elif _written(before) != _written(after):
        # By what is written: 1 and 1.0 and true are equal in Python and not the same document.
        yield Difference(place=place or "(all)", before=_written(before), after=_written(after))


def _side_by_side(
    place: str, before: dict[Any, Any], after: dict[Any, Any], key: Any
) -> Iterator[Difference]:
    if key in before and key in after:
        yield from _compared(place, before[key], after[key])
    else:
        yield Difference(
            place=place,
            before=_written(before[key]) if key in before else None,
            after=_written(after[key]) if key in after else None,
        )


def _below(place: str, key: str) -> str:
    name = key if _PLAIN_KEY.fullmatch(key) else f"[{_written(key)}]"
    return f"{place}.{name}" if place and not name.startswith("[") else f"{place}{name}"


def _written(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
