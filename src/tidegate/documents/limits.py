"""
How a fixed limit is written in `tidegate.yaml`: `1s`, `80%`, `0.5`, `"< 80%"`, `"> 100"`.

Rule: the value is compared with the number that the source gives, in its base unit: durations are
seconds and percents are shares, as the conventions of Prometheus have it. Without a sign the limit is
the most that is allowed.
"""

import re
from collections.abc import Iterator
from typing import Annotated, Final

from pydantic import WithJsonSchema

from tidegate.documents.notation import (
    DURATION_PATTERN,
    NotationError,
    checked_by,
    parse_duration,
    shown,
)
from tidegate.domain.plan.model import Effect, Limit

_NUMBER: Final = r"-?[0-9]{1,15}(\.[0-9]{1,9})?"
LIMIT_PATTERN: Final = rf"([<>] ?)?({_NUMBER}%?|{DURATION_PATTERN})"
_FIX: Final = 'write it like 1s, 80% or 0.5; or with the side that is good: "< 80%", "> 100"'


def parse_limit(written: object) -> tuple[float, bool]:
    """Return the value *written* in its base unit, and whether values above it are bad."""
    if isinstance(written, int | float) and not isinstance(written, bool):
        return float(written), True
    if not isinstance(written, str) or not re.fullmatch(LIMIT_PATTERN, written):
        raise NotationError(f"a limit is needed, got {shown(written)}", _FIX)
    above = not written.startswith(">")
    number = written.lstrip("<> ")
    if re.fullmatch(DURATION_PATTERN, number):
        return parse_duration(number).total_seconds(), above
    if number.endswith("%"):
        return float(number[:-1]) / 100, above
    return float(number), above


def resolve_limit(written: tuple[float, bool] | None, on_breach: str | None) -> Limit | None:
    """Return the limit *written*, which halts unless *on_breach* says otherwise; None for none."""
    if written is None:
        return None
    value, above = written
    return Limit(value=value, above=above, effect=Effect(on_breach or Effect.HALT))


def limit_flaws(
    *, is_limit: bool, has_limit: bool, has_effect: bool, tolerates: bool, gates: bool
) -> Iterator[tuple[str, str, str]]:
    """
    Yield what keys of one signal demand of one another: the key, what is wrong, and the fix.

    Args:
        is_limit: Its kind is `limit`.
        has_limit: `limit` is written.
        has_effect: `on_breach` is written.
        tolerates: `tolerate` is written.
        gates: `gate: true` is written.
    """
    if not is_limit:
        for key, written in (("limit", has_limit), ("on_breach", has_effect)):
            if written:
                yield (
                    key,
                    f"`{key}` is for signals of kind limit",
                    "write kind: limit, or remove it",
                )
        return
    if not has_limit:
        yield (
            "kind",
            "a signal of kind limit needs its `limit`",
            "add limit: 1s, limit: 80% or such",
        )
    if tolerates:
        yield "tolerate", "a limit isn't compared with a baseline", "remove it: `limit` says it all"
    if gates:
        yield (
            "gate",
            "a limit proves nothing, so it can't be a gate",
            "remove it: it halts all the same",
        )


WrittenLimit = Annotated[
    tuple[float, bool],
    checked_by(parse_limit),
    WithJsonSchema(
        {
            "type": ["number", "string"],
            "pattern": f"^{LIMIT_PATTERN}$",
            "description": "The most that is allowed, or the least after a >.",
            "examples": ["1s", "80%", "> 100"],
        }
    ),
]
