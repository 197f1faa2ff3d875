"""
Records of the domain as JSON text and back, exactly.

The store keeps observations, decisions and plans as text; a decision can only be made again from
them when nothing is lost on the way. So instants, durations, enums, tuples, infinities and NaN come
back equal to what they were, and a record with an unknown or missing field is refused, never
half-read.

Rule: the types are the frozen dataclasses of `domain`, which know nothing of this. Unions are told
apart by a `Literal` field. A union of text with a number would be ambiguous for "Infinity": don't.
Text for people (`tidegate.yaml`) is not read here.
"""

from dataclasses import is_dataclass
from functools import cache
from typing import Any, TypeVar, overload

import pydantic_core
from pydantic import TypeAdapter, ValidationError

from tidegate.errors import StoreError

Record = TypeVar("Record")


def to_json(record: object) -> str:
    """
    Return *record* as JSON text that `from_json` reads back equal.

    Args:
        record: An instance of a frozen dataclass of numbers, text, enums, aware datetimes,
            timedeltas, tuples, dicts (keys text or enums) and other such dataclasses.

    Raises:
        TypeError: a value inside has no JSON form.
    """
    assert is_dataclass(record) and not isinstance(record, type), f"not a record: {record!r}"
    try:
        text = pydantic_core.to_json(record, inf_nan_mode="strings", timedelta_mode="iso8601")
    except pydantic_core.PydanticSerializationError as exc:
        raise TypeError(f"{type(record).__name__} has no JSON form: {exc}") from exc
    return text.decode("utf-8")


@overload
def from_json(kind: type[Record], text: str) -> Record: ...
@overload
def from_json(kind: object, text: str) -> Any: ...
def from_json(kind: Any, text: str) -> Any:
    """
    Return the record of type *kind* that *text* holds.

    Args:
        kind: The dataclass, or a union of dataclasses that a `Literal` field tells apart.
        text: What `to_json` wrote.

    Raises:
        StoreError: *text* isn't JSON, or has a field too many, too few or of another type.
    """
    try:
        return _adapter(kind).validate_json(text, extra="forbid")
    except ValidationError as exc:
        # A type that is asserted in the domain (a weight of 20000) arrives here too.
        raise StoreError(
            f"a stored {_name_of(kind)} can't be read: {_first_problem(exc)}",
            hint="It was written by another version of Tidegate, or changed by hand. "
            "Start the version that wrote it, or restore the store from a backup.",
        ) from exc


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _name_of(kind: Any) -> str:
    return kind.__name__ if isinstance(kind, type) else "record"


def _first_problem(error: ValidationError) -> str:
    problem = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in problem["loc"])
    return f"{where}: {problem['msg'].lower()}" if where else problem["msg"].lower()
