"""
JSON from strangers, and the few questions that readers of a format ask of it.

Rule: what two readers may understand differently is refused: keys that stand twice, NaN, text that
isn't UTF-8. Every look into a value says which type it expects, and an answer of another type is
unreadable and never taken for absent.
"""

import json
import math
from typing import Any, Final, TypeAlias

from tidegate.drivers.gate.submitted import UnreadableError, quoted

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"
Object: TypeAlias = dict[str, Json]

_MAXIMUM_DIGITS: Final = 400
"""Longer numbers take quadratic time to read; a double has at most 309 digits before its point."""


def read_json(content: bytes) -> Json:
    """
    Return the value that *content* holds.

    Raises:
        UnreadableError: it isn't JSON that everybody reads the same way.
    """
    try:
        text = content.decode("utf-8-sig")
        value: Json = json.loads(
            text,
            object_pairs_hook=_without_doubles,
            parse_constant=_refuse_constant,
            parse_int=_read_integer,
            parse_float=_read_float,
        )
    except UnreadableError:
        raise
    except RecursionError as exc:
        raise UnreadableError("it is nested too deeply") from exc
    except ValueError as exc:
        raise UnreadableError(f"it isn't JSON ({exc})") from exc
    return value


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise UnreadableError(f"the key {quoted(key)} stands twice in one object")
        found[key] = value
    return found


def _refuse_constant(word: str) -> None:
    raise UnreadableError(f"{word} isn't JSON")


def _read_integer(digits: str) -> int:
    if len(digits) > _MAXIMUM_DIGITS:
        raise UnreadableError(f"it has a number of {len(digits)} digits")
    return int(digits)


def _read_float(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise UnreadableError(f"{quoted(digits, 40)} is too large a number")
    return number


def as_object(value: Json, what: str) -> Object:
    """Return *value*, which must be an object; *what* names it in the error."""
    if not isinstance(value, dict):
        raise UnreadableError(f"{what} isn't an object")
    return value


def object_in(holder: Object, key: str, what: str = "") -> Object:
    """Return the object under *key*, an empty one when it is absent."""
    return as_object(holder.get(key, {}), what or quoted(key))


def list_in(holder: Object, key: str) -> list[Json]:
    """Return the list under *key*, an empty one when it is absent; null isn't absent."""
    value = holder.get(key, [])
    if not isinstance(value, list):
        raise UnreadableError(f"{quoted(key)} isn't a list")
    return value


def objects_in(holder: Object, key: str) -> list[Object]:
    """Return the objects in the list under *key*, none when it is absent."""
    return [as_object(member, f"a member of {quoted(key)}") for member in list_in(holder, key)]


def text_in(holder: Object, key: str) -> str | None:
    """Return the text under *key*, None when it is absent."""
    if key not in holder:
        return None
    value = holder[key]
    if not isinstance(value, str):
        raise UnreadableError(f"{quoted(key)} isn't text")
    return value


def number_in(holder: Object, key: str) -> int | None:
    """Return the whole number under *key*, None when it is absent."""
    if key not in holder:
        return None
    value = holder[key]
    if not isinstance(value, int) or isinstance(value, bool):
        raise UnreadableError(f"{quoted(key)} isn't a whole number")
    return value
