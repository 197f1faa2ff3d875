"""
A condition over facts: what may be said in one, and what it can come to. Only the types.

The language is closed. It has no functions, no loops and no names of its own, so that judging one always
ends, costs about as much as its text is long, and can reach nothing. There are three answers, as in
Kleene's strong logic of indeterminacy (S. C. Kleene, Introduction to Metamathematics, 1952, section 64):
a fact that isn't known makes the answer UNKNOWN unless the rest settles it.

Rule: nothing in the language is true *because* something isn't known. `is known` is true or unknown,
never false, so that no `not` can turn missing data green.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

MAX_TEXT_BYTES: Final = 4096
"""How long a condition's text may be, as UTF-8."""

MAX_NODES: Final = 200
"""How many parts (operators, comparisons, listed values) a condition may have."""

MAX_DEPTH: Final = 20
"""How deep parts may be nested; bounds the recursion of whoever walks a condition."""

MAX_NAME: Final = 100
"""How long the name of a fact may be, in characters."""

MAX_DIGITS: Final = 15
"""How many digits a number may have in all: so many a double keeps exactly."""

RESERVED: Final = frozenset({"and", "or", "not", "in", "is", "known", "true", "false", "unknown"})
"""Words of the language, which no fact can be called by."""

Value = bool | float | str | timedelta
"""What a fact or a literal is: a truth value, a number, text or a length of time."""


class Truth(StrEnum):
    """What a condition comes to."""

    TRUE = "true"
    FALSE = "false"
    UNKNOWN = "unknown"


class Comparison(StrEnum):
    """How a fact is compared. Numbers and durations have an order; truth values and text have none."""

    EQUAL = "=="
    UNEQUAL = "!="
    LESS = "<"
    AT_MOST = "<="
    MORE = ">"
    AT_LEAST = ">="

    @property
    def needs_order(self) -> bool:
        """Whether it asks which one is greater."""
        return self not in (Comparison.EQUAL, Comparison.UNEQUAL)


@dataclass(frozen=True, slots=True)
class Constant:
    """`true` or `false`."""

    value: bool


@dataclass(frozen=True, slots=True)
class Fact:
    """A fact by its name: `severity`, `incident.id`, `cve.score`. Alone it must be a truth value."""

    name: str


@dataclass(frozen=True, slots=True)
class Known:
    """`NAME is known`: true when the fact is known, unknown when it isn't; never false."""

    name: str


@dataclass(frozen=True, slots=True)
class Compare:
    """`NAME OPERATOR VALUE`, the value being a literal or another fact."""

    name: str
    comparison: Comparison
    other: Value | Fact


@dataclass(frozen=True, slots=True)
class Among:
    """`NAME in [VALUE, ...]`: whether the fact is one of some literals of one type. Never empty."""

    name: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """`not CONDITION`."""

    part: "Condition"


@dataclass(frozen=True, slots=True)
class And:
    """`CONDITION and CONDITION ...`; at least two."""

    parts: "tuple[Condition, ...]"


@dataclass(frozen=True, slots=True)
class Or:
    """`CONDITION or CONDITION ...`; at least two."""

    parts: "tuple[Condition, ...]"


Condition = Constant | Fact | Known | Compare | Among | Not | And | Or


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """Why a text is no condition: where (the column counted from 1), what is wrong, and the fix."""

    column: int
    message: str
    fix: str

    def __str__(self) -> str:
        return f"column {self.column}: {self.message}"
