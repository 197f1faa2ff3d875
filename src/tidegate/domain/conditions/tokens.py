"""
The words of a condition's text: cutting it up, each with its column. What they mean is `parse`'s.

One pass from left to right; every pattern is linear in what it takes, so no text takes long.
"""

import re
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

from tidegate.domain.conditions.model import MAX_DIGITS, MAX_NAME, RESERVED, Mistake, Value


class TokenKind(StrEnum):
    """What sort of word it is."""

    WORD = "word"
    """One of the language's own."""
    NAME = "name"
    LITERAL = "literal"
    SYMBOL = "symbol"
    END = "end"


@dataclass(frozen=True, slots=True)
class Token:
    """One word with its column, counted from 1. `value` is that of a literal."""

    kind: TokenKind
    text: str
    column: int
    value: Value | None = None


_NAME: Final = re.compile(r"[a-z][a-z0-9_-]*(?:\.[a-z][a-z0-9_-]*)*")
_NUMBER: Final = re.compile(r"-?([0-9]+)(?:\.([0-9]+))?")
_DURATION: Final = re.compile(
    r"(?=[0-9])(?:([0-9]+)d)?(?:([0-9]+)h)?(?:([0-9]+)m(?!s))?(?:([0-9]+)s)?(?:([0-9]+)ms)?"
)
_STRING: Final = re.compile(r'"((?:[^"\\]|\\["\\])*)"')
_SYMBOL: Final = re.compile(r"[=!<>]=|[<>()\[\],]")
_ESCAPED: Final = re.compile(r"\\(.)")
_SPACE: Final = " \t\n"
_UNITS: Final = ("days", "hours", "minutes", "seconds", "milliseconds")
_LONGEST_DIGITS: Final = 9
"""Of a part of a duration: some 2.7 million years in days would be more than `timedelta` holds."""


def cut(text: str) -> list[Token] | Mistake:
    """Return the words of *text* with an end after the last, or what is no word."""
    tokens: list[Token] = []
    at = 0
    while at < len(text):
        if text[at] in _SPACE:
            at += 1
            continue
        token = _token(text, at)
        if isinstance(token, Mistake):
            return token
        tokens.append(token)
        at = token.column - 1 + len(token.text)
    tokens.append(Token(TokenKind.END, "", len(text) + 1))
    return tokens


def _token(text: str, at: int) -> Token | Mistake:
    column = at + 1
    char = text[at]
    if char == '"':
        return _string(text, at)
    if char.isascii() and (char.isdigit() or char == "-"):
        return _number(text, at)
    symbol = _SYMBOL.match(text, at)
    if symbol is not None:
        return Token(TokenKind.SYMBOL, symbol[0], column)
    name = _NAME.match(text, at)
    if name is None:
        return Mistake(
            column=column,
            message=f"{char!r} begins nothing that a condition knows",
            fix=_fix_of(char),
        )
    if len(name[0]) > MAX_NAME:
        return Mistake(
            column=column,
            message=f"a name of {len(name[0])} characters",
            fix=f"use at most {MAX_NAME}",
        )
    if name[0] in ("true", "false"):
        return Token(TokenKind.LITERAL, name[0], column, name[0] == "true")
    kind = TokenKind.WORD if name[0] in RESERVED else TokenKind.NAME
    return Token(kind, name[0], column)


def _fix_of(char: str) -> str:
    if char in "=!":
        return "compare with == or !="
    if char in "&|":
        return "say `and` or `or`"
    if char == "'":
        return 'put text in double quotes: "sev1"'
    if char.isupper():
        return "names of facts are lower case: cve.score"
    return "use names, literals, comparisons, `in`, `is known`, `and`, `or`, `not` and parentheses"


def _string(text: str, at: int) -> Token | Mistake:
    found = _STRING.match(text, at)
    if found is None:
        return Mistake(
            column=at + 1,
            message="the text that begins here isn't closed, or holds an unknown escape",
            fix='close it with "; inside it write \\" and \\\\',
        )
    return Token(TokenKind.LITERAL, found[0], at + 1, _ESCAPED.sub(r"\1", found[1]))


def _number(text: str, at: int) -> Token | Mistake:
    duration = _DURATION.match(text, at)
    if duration is not None and any(duration.groups()):
        token = _duration(duration, at + 1)
        end = duration.end()
    else:
        number = _NUMBER.match(text, at)
        if number is None:
            return Mistake(
                column=at + 1, message="a minus without a number", fix="write a number, as -0.5"
            )
        token = _decimal(number, at + 1)
        end = number.end()
    if isinstance(token, Token) and end < len(text) and (text[end].isalnum() or text[end] in "._"):
        return Mistake(
            column=end + 1,
            message=f"{text[end]!r} can't stand right after {token.text}",
            fix="write numbers as 7 or 0.5, durations as 90s, 30m, 4h or 1h30m",
        )
    return token


def _duration(found: re.Match[str], column: int) -> Token | Mistake:
    numbers = [part or "0" for part in found.groups()]
    if max(map(len, numbers)) > _LONGEST_DIGITS or len(numbers[0]) > _LONGEST_DIGITS - 3:
        return Mistake(
            column=column, message=f"{found[0]} is too long", fix="use a duration of some years"
        )
    length = timedelta(**{unit: int(n) for unit, n in zip(_UNITS, numbers, strict=True)})
    return Token(TokenKind.LITERAL, found[0], column, length)


def _decimal(found: re.Match[str], column: int) -> Token | Mistake:
    whole, fraction = found[1], found[2] or ""
    if len(whole.lstrip("0")) + len(fraction) > MAX_DIGITS or len(found[0]) > 2 * MAX_DIGITS:
        return Mistake(
            column=column,
            message="a number with too many digits",
            fix=f"use at most {MAX_DIGITS} digits",
        )
    return Token(TokenKind.LITERAL, found[0], column, float(found[0]))


def is_name(text: str) -> bool:
    """Return whether *text* can be the name of a fact."""
    return bool(_NAME.fullmatch(text)) and len(text) <= MAX_NAME and text not in RESERVED
