"""
What an unquoted word of YAML means, and which words we refuse to guess at.

YAML 1.1 and 1.2 readers disagree about many plain words: `no` is false or text, `010` is 8 or 10,
`22:22` is 1342 or text, `1.10` loses its zero everywhere. A file that two tools read differently is
not safe, so each such word is refused with the way to write what was meant. What is left reads the
same under both versions.
"""

import re
from dataclasses import dataclass
from typing import Final

Scalar = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Trap:
    """A plain word that readers disagree about: what it is, and what to write instead."""

    what: str
    fix: str


_NULLS: Final = frozenset({"", "~", "null"})
_BOOLEANS: Final = {"true": True, "false": False}
_BOOLEAN_LOOKALIKES: Final = frozenset({"yes", "no", "on", "off", "y", "n", "true", "false"})

_INTEGER: Final = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT: Final = re.compile(r"[-+]?(0|[1-9][0-9]*)\.[0-9]+([eE][-+][0-9]+)?")
_TRAILING_ZERO: Final = re.compile(r"[-+]?[0-9]+\.[0-9]+0")
_SEXAGESIMAL: Final = re.compile(r"[-+]?[0-9][0-9_]*(:[0-9]{1,2})+(\.[0-9_]*)?")
_UNDERSCORED: Final = re.compile(r"[-+]?(?=.*[0-9])[0-9._][0-9_]*(\.[0-9_]*)?([eE][-+]?[0-9]+)?")
_LEADING_ZERO: Final = re.compile(r"[-+]?0[0-9]+(\.[0-9]*)?")
_OTHER_BASE: Final = re.compile(r"[-+]?0[xob][0-9a-fA-F_]+")
_HALF_WRITTEN: Final = re.compile(r"[-+]?([0-9]+\.|\.[0-9]+)([eE][-+]?[0-9]+)?")
_EXPONENT: Final = re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+")
_NOT_FINITE: Final = re.compile(r"[-+]?\.(inf|nan)", re.IGNORECASE)
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ].*)?")

MAX_NUMBER_LENGTH: Final = 30
"""Reading a number of many digits takes quadratic time, and nothing here needs one."""


def read_plain(word: str) -> Scalar | Trap:
    """Return the value of the unquoted *word*, or why it isn't clear what it means."""
    if word in _NULLS:
        return None
    if word in _BOOLEANS:
        return _BOOLEANS[word]
    if _looks_like_number(word):
        return _read_number(word)
    return _trap(word) or word


def _looks_like_number(word: str) -> bool:
    return bool(_INTEGER.fullmatch(word) or _FLOAT.fullmatch(word))


def _read_number(word: str) -> Scalar | Trap:
    if len(word) > MAX_NUMBER_LENGTH:
        return Trap(f"the number {word[:12]}… has {len(word)} digits", f'quote it: "{word[:12]}…"')
    if _INTEGER.fullmatch(word):
        return int(word)
    if _TRAILING_ZERO.fullmatch(word):
        # 1.10 is meant as a version more often than as a number, and reads as 1.1.
        return Trap(
            f"{word} reads as the number {float(word)} and loses its last zero",
            f'quote it, "{word}", if it is a name; write {float(word)} if it is a number',
        )
    number = float(word)
    if number in (float("inf"), float("-inf")):
        return Trap(f"{word} is too large a number", f'quote it: "{word}"')
    return number


def _trap(word: str) -> Trap | None:
    quoted = f'quote it: "{word}"'
    if word.lower() in _BOOLEAN_LOOKALIKES:
        meant = "true" if word.lower() in {"yes", "on", "y", "true"} else "false"
        return Trap(
            f"`{word}` without quotes is {meant} to some readers of YAML and text to others",
            f'write {meant}, or quote it: "{word}"',
        )
    if word.lower() == "null":
        return Trap(f"`{word}` is nothing to some readers of YAML and text to others", quoted)
    if _SEXAGESIMAL.fullmatch(word):
        return Trap(f"{word} without quotes is a number in base 60 to some readers of YAML", quoted)
    if _DATE.fullmatch(word):
        return Trap(f"{word} without quotes is a date to some readers of YAML", quoted)
    return _number_trap(word, quoted)


def _number_trap(word: str, quoted: str) -> Trap | None:
    if _LEADING_ZERO.fullmatch(word):
        return Trap(
            f"{word} is octal to some readers of YAML and decimal to others",
            f"write it without the leading zero, or {quoted}",
        )
    if _OTHER_BASE.fullmatch(word):
        return Trap(
            f"{word} is a number in another base to some readers of YAML and text to others",
            f"write it in decimal, or {quoted}",
        )
    if _HALF_WRITTEN.fullmatch(word):
        return Trap(
            f"{word} is a number to some readers of YAML and text to others",
            f"write a digit on both sides of the point, or {quoted}",
        )
    if _EXPONENT.fullmatch(word):
        return Trap(
            f"{word} is a number to some readers of YAML and text to others",
            f"write it without an exponent, or {quoted}",
        )
    if "_" in word and _UNDERSCORED.fullmatch(word):
        return Trap(
            f"{word} is a number to some readers of YAML and text to others",
            f"write it without underscores, or {quoted}",
        )
    if _NOT_FINITE.fullmatch(word):
        return Trap(f"{word} isn't a number that can be used here", f"write a number, or {quoted}")
    return None
