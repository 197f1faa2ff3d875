"""
A condition as text: the one way to write it, with the fewest parentheses, which `parse` reads back equal.

Text that people wrote is kept where it was written; this is for answers, reasons and tests.
"""

from datetime import timedelta
from decimal import Decimal
from typing import assert_never

from tidegate.domain.conditions.model import (
    Among,
    And,
    Compare,
    Condition,
    Constant,
    Fact,
    Known,
    Not,
    Or,
    Value,
)
from tidegate.domain.durations import format_duration


def write(condition: Condition) -> str:
    """Return *condition* as text."""
    match condition:
        case Constant(value):
            return write_value(value)
        case Fact(name):
            return name
        case Known(name):
            return f"{name} is known"
        case Compare(name, comparison, other):
            written = other.name if isinstance(other, Fact) else write_value(other)
            return f"{name} {comparison.value} {written}"
        case Among(name, values):
            return f"{name} in [{', '.join(map(write_value, values))}]"
        case Not(part):
            return f"not {_inside(part, And | Or)}"
        case And(parts):
            return " and ".join(_inside(part, And | Or) for part in parts)
        case Or(parts):
            return " or ".join(_inside(part, Or) for part in parts)
        case _:
            assert_never(condition)


def write_value(value: Value) -> str:
    """
    Return *value* as a literal.

    A number that isn't finite and a negative duration have none: they are written for people only.
    """
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            escaped = value.replace("\\", "\\\\").replace('"', '\\"')
            return f'"{escaped}"'
        case timedelta() if value < timedelta(0):
            return f"-{format_duration(-value)}"
        case timedelta():
            return format_duration(value)
        case _:
            return _number(value)


def _number(value: float) -> str:
    exact = Decimal(repr(value))
    if not exact.is_finite():
        return str(value)
    text = format(exact, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text


def _inside(part: Condition, needs_parentheses: object) -> str:
    return f"({write(part)})" if isinstance(part, needs_parentheses) else write(part)  # type: ignore[arg-type]
