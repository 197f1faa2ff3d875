"""
The words of PromQL, and a place in them: what every reader of a query or of names is made with.

Also reads the names of OpenTelemetry, which have dots, dashes and slashes in them.

Rule: nothing is known here of what a signal needs.
"""

import re
import warnings
from typing import Final

from tidegate.errors import InvalidDocumentError

MAXIMUM_QUERY_LENGTH: Final = 4_096
"""Far above any query a person writes, and small enough that reading one costs nothing."""

LABEL_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
"""A label of Prometheus."""

ATTRIBUTE_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-/]*")
"""An attribute or a metric of OpenTelemetry."""

_WORDS: Final = r"""
      (?P<space>\s+)
    | (?P<string>"(?:[^"\\\n]|\\.)*" | '(?:[^'\\\n]|\\.)*' | `[^`]*`)
    | (?P<variable>\$[A-Za-z_]\w*)
    | (?P<duration>(?:\d+(?:ms|[smhdwy]))+(?!\w))
    | (?P<number>\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)
    | (?P<name>NAME)
    | (?P<symbol>=~|!~|!=|==|>=|<=|[=(){}\[\],/*+\-<>^%@])
"""
_PROMETHEUS_WORD: Final = re.compile(_WORDS.replace("NAME", "[A-Za-z_:][A-Za-z0-9_:]*"), re.VERBOSE)
_DOTTED_WORD: Final = re.compile(_WORDS.replace("NAME", ATTRIBUTE_NAME.pattern), re.VERBOSE)

_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"', "'": "'", "`": "`"}


class Reader:
    """
    The words of one query, with a place in them.

    `forms` is the hint of every error that has no better one. With *dotted*, names are those of
    OpenTelemetry.
    """

    def __init__(self, text: str, *, forms: str, dotted: bool = False) -> None:
        self.forms = forms
        self.names = ATTRIBUTE_NAME if dotted else LABEL_NAME
        self.shown = text if len(text) <= 120 else f"{text[:117]}…"
        self._words: list[tuple[str, str]] = []
        self._place = 0
        if len(text) > MAXIMUM_QUERY_LENGTH:
            raise self.error(
                f"is longer than {MAXIMUM_QUERY_LENGTH} characters ({len(text)})",
                "shorten it, or count the event in the service under one name",
            )
        position = 0
        word = _DOTTED_WORD if dotted else _PROMETHEUS_WORD
        while position < len(text):
            found = word.match(text, position)
            if found is None:
                raise self.error(f"can't be read at `{text[position : position + 10]}`", self.forms)
            if found.lastgroup is not None and found.lastgroup != "space":
                self._words.append((found.lastgroup, found.group()))
            position = found.end()
        if not self._words:
            raise self.error("is empty", self.forms)

    def error(self, what: str, hint: str) -> InvalidDocumentError:
        """Return the error that says *what* is wrong with the text."""
        return InvalidDocumentError(f"query `{self.shown}` {what}", hint=hint)

    def at_end(self) -> bool:
        """Return whether nothing is left."""
        return self._place >= len(self._words)

    def peek(self, ahead: int = 0) -> tuple[str, str]:
        """Return the sort and text of the word *ahead* of here, without taking it."""
        place = self._place + ahead
        return self._words[place] if place < len(self._words) else ("end", "the end")

    def next(self) -> tuple[str, str]:
        """Take the next word; return its sort and text."""
        word = self.peek()
        self._place += 1
        return word

    def take(self, word: str) -> bool:
        """Take the next word if it is *word*; return whether it was."""
        if self.at_end() or self.peek()[1] != word or self.peek()[0] == "string":
            return False
        self._place += 1
        return True

    def expect(self, word: str, hint: str | None = None) -> None:
        """Take *word*; refuse anything else."""
        if not self.take(word):
            found = self.peek()[1]
            raise self.error(f"has {found} where {word} is needed", hint or self.forms)

    def expect_end(self) -> None:
        """Refuse anything that is left, with what to do about it."""
        if self.at_end():
            return
        word = self.peek()[1]
        if word in ("by", "without"):
            raise self.error(
                f"groups its result with `{word}`",
                f"leave `{word} (…)` out: Tidegate keeps the processes of an arm apart by itself",
            )
        if word in ("offset", "@"):
            raise self.error(
                f"looks at another time with `{word}`", "leave it out: the present is compared"
            )
        if word == "*":
            raise self.error(
                "multiplies", "leave the factor out: the tolerance carries the unit, as in 0.1pp"
            )
        raise self.error(f"goes on with `{word}`", self.forms)


def unquoted(reader: Reader, quoted: str) -> str:
    """Return what stands between the quotes of *quoted*."""
    inside = quoted[1:-1]
    if quoted[0] == "`":
        return inside

    def replaced(found: re.Match[str]) -> str:
        character = found.group(1)
        if character not in _ESCAPES:
            raise reader.error(
                f"has the escape \\{character} in {quoted}",
                "double the backslash, or quote the value with backticks",
            )
        return _ESCAPES[character]

    return re.sub(r"\\(.)", replaced, inside)


def check_pattern(reader: Reader, pattern: str) -> None:
    """Refuse a pattern that Python and Prometheus don't both understand, and alike."""
    try:
        with warnings.catch_warnings():
            # Python only warns where a character class means something else to it than to RE2.
            warnings.simplefilter("error", FutureWarning)
            re.compile(pattern, re.DOTALL)
    except (re.error, FutureWarning) as problem:
        raise reader.error(
            f"has the pattern {pattern}, which can't be used: {problem}",
            "use only what Python and RE2 both know: no \\p classes and no [[:alpha:]]",
        ) from problem
