"""
Judging a condition by facts: true, false or unknown, with the reason in words. Pure and total.

A fact that is missing, isn't finite or is of another type than what it's compared with is unknown, and
never an error: whoever asks can only be told less than they hoped, not something else.
"""

import math
import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, assert_never, cast

from tidegate.domain.conditions.model import (
    Among,
    And,
    Compare,
    Comparison,
    Condition,
    Constant,
    Fact,
    Known,
    Not,
    Or,
    Truth,
    Value,
)
from tidegate.domain.conditions.write import write, write_value


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """
    What a condition came to.

    `unmet` says, one part each, what keeps it from being true: what is false and why, what is unknown
    and what for. Empty exactly when it is true.
    """

    truth: Truth
    unmet: tuple[str, ...]

    @property
    def is_true(self) -> bool:
        """Whether it is met. Unknown isn't."""
        return self.truth is Truth.TRUE


def judge(condition: Condition, facts: Mapping[str, object]) -> Judged:
    """
    Return what *condition* comes to by *facts*. Raises nothing, whatever the facts hold.

    Args:
        condition: What `parse` returned; its size and depth are bounded by that.
        facts: Values by name. Anything but a truth value, a finite number, text or a duration, and
            whatever isn't there, is unknown.
    """
    known = _all_known(facts)
    answer = _truth(condition, known)
    unmet = () if answer is Truth.TRUE else tuple(dict.fromkeys(_against(condition, known, True)))
    return Judged(truth=answer, unmet=unmet)


def truth(condition: Condition, facts: Mapping[str, object]) -> Truth:
    """Return what *condition* comes to by *facts*, as `judge` does, without the words."""
    return _truth(condition, _all_known(facts))


def negation(truth: Truth) -> Truth:
    """Return Kleene's `not`."""
    match truth:
        case Truth.TRUE:
            return Truth.FALSE
        case Truth.FALSE:
            return Truth.TRUE
        case Truth.UNKNOWN:
            return Truth.UNKNOWN
        case _:
            assert_never(truth)


def conjunction(truths: Iterable[Truth]) -> Truth:
    """Return Kleene's `and`: false if any is, else unknown if any is, else true."""
    answer = Truth.TRUE
    for one in truths:
        if one is Truth.FALSE:
            return one
        if one is Truth.UNKNOWN:
            answer = one
    return answer


def disjunction(truths: Iterable[Truth]) -> Truth:
    """Return Kleene's `or`: true if any is, else unknown if any is, else false."""
    answer = Truth.FALSE
    for one in truths:
        if one is Truth.TRUE:
            return one
        if one is Truth.UNKNOWN:
            answer = one
    return answer


LARGEST_INTEGER: Final = 2**53
"""Beyond it an integer has no exact double, and two that differ may look equal: then it's unknown."""

_OPERATORS: Final[Mapping[Comparison, Callable[[Any, Any], bool]]] = {
    Comparison.EQUAL: operator.eq,
    Comparison.UNEQUAL: operator.ne,
    Comparison.LESS: operator.lt,
    Comparison.AT_MOST: operator.le,
    Comparison.MORE: operator.gt,
    Comparison.AT_LEAST: operator.ge,
}


def _truth(condition: Condition, facts: Mapping[str, Value]) -> Truth:
    match condition:
        case Constant(value):
            return _of(value)
        case Fact(name):
            fact = facts.get(name)
            return _of(fact) if isinstance(fact, bool) else Truth.UNKNOWN
        case Known(name):
            # Not false when it isn't: a `not` around it would make missing data green.
            return Truth.TRUE if name in facts else Truth.UNKNOWN
        case Compare(name, comparison, other):
            return _compared(facts.get(name), comparison, _value(other, facts))
        case Among(name, values):
            fact = facts.get(name)
            return disjunction(_compared(fact, Comparison.EQUAL, value) for value in values)
        case Not(part):
            return negation(_truth(part, facts))
        case And(parts):
            return conjunction(_truth(part, facts) for part in parts)
        case Or(parts):
            return disjunction(_truth(part, facts) for part in parts)
        case _:
            assert_never(condition)


def _compared(one: Value | None, comparison: Comparison, other: Value | None) -> Truth:
    if one is None or other is None or _type(one) != _type(other):
        return Truth.UNKNOWN
    if comparison.needs_order and isinstance(one, bool | str):
        return Truth.UNKNOWN
    return _of(_OPERATORS[comparison](one, other))


def _of(value: bool) -> Truth:
    return Truth.TRUE if value else Truth.FALSE


def _value(other: Value | Fact, facts: Mapping[str, Value]) -> Value | None:
    return facts.get(other.name) if isinstance(other, Fact) else other


def _all_known(facts: Mapping[str, object]) -> dict[str, Value]:
    return {name: value for name in facts if (value := _known(facts[name])) is not None}


def _known(value: object) -> Value | None:
    # By exact type: what a subclass compares like is its own business.
    if type(value) in (bool, str, timedelta):
        return cast("Value", value)
    if type(value) is int and abs(value) <= LARGEST_INTEGER:
        return value
    if type(value) is float and math.isfinite(value):
        return value
    return None


def _type(value: Value) -> str:
    match value:
        case bool():
            return "a truth value"
        case str():
            return "text"
        case timedelta():
            return "a duration"
        case _:
            return "a number"


# --- words -----------------------------------------------------------------------------------


def _against(condition: Condition, facts: Mapping[str, Value], wanted: bool) -> list[str]:
    """Return what keeps *condition* from being *wanted*, one part each; empty when nothing does."""
    if _truth(condition, facts) is _of(wanted):
        return []
    match condition:
        case Not(part):
            return _against(part, facts, not wanted)
        case And(parts) | Or(parts):
            return [word for part in parts for word in _against(part, facts, wanted)]
        case _:
            return [f"{write(condition)} is {_truth(condition, facts)}{_why(condition, facts)}"]


def _why(condition: Condition, facts: Mapping[str, Value]) -> str:
    """Return what is known of the facts that the leaf *condition* names."""
    match condition:
        case Fact(name) | Known(name) | Among(name):
            names = [name]
        case Compare(name, _, other):
            names = [name, other.name] if isinstance(other, Fact) else [name]
        case _:
            names = []
    said = "; ".join(_said(name, facts) for name in dict.fromkeys(names))
    return f" ({said})" if said else ""


def _said(name: str, facts: Mapping[str, Value]) -> str:
    fact = facts.get(name)
    if fact is None:
        return f"{name} isn't known"
    return f"{name} is {_type(fact)}: {_short(write_value(fact))}"


def _short(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:79]}…"
