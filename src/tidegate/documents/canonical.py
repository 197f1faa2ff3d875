"""
One text for one value, so that the same document always has the same digest.

Rule: the text follows RFC 8785 (JSON Canonicalization Scheme) for the values that a document can
hold: keys sorted by UTF-16 code units, no spaces, the shortest number that reads back the same.
What has no canonical text (NaN, infinity, keys that aren't strings) is refused, never guessed.

What a value means must not be known here.
"""

import json
import math
from collections.abc import Sequence
from hashlib import sha256
from typing import Final, Protocol

from tidegate.domain.plan.model import Change

MAX_EXACT_INTEGER: Final = 2**53
"""RFC 8785 numbers are IEEE doubles; above this an integer may not read back the same elsewhere."""

_FIRST_WITH_EXPONENT: Final = 1e21
"""From here on ECMAScript writes an exponent, so that it is read back as a double."""

_AS_IT_IS: Final = json.JSONEncoder(ensure_ascii=False)
"""Made once: the ledger hashes a dozen texts with every entry."""

_FLAT: Final = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"))
"""Writes texts and integers as RFC 8785 wants them, sorted as it wants as long as keys are ASCII."""

MAX_NESTING: Final = 100
"""Deeper values are attacks or accidents, and would exhaust the stack of whoever reads them."""


def canonical_json(value: object) -> str:
    """
    Return the one canonical JSON text of *value*.

    Args:
        value: None, bool, int, float, str, or lists, tuples and dicts of those.

    Raises:
        ValueError: *value* holds NaN, an infinity, a number that is written as an integer beyond
            2**53, or a lone surrogate, or is nested deeper than `MAX_NESTING`.
        TypeError: *value* holds a key that isn't text, or a type that JSON doesn't have.

    Source: RFC 8785, sections 3.2.2 and 3.2.3.
    """
    if isinstance(value, dict) and _is_flat(value):
        return _without_surrogates(_FLAT.encode(value))
    pieces: list[str] = []
    _write(value, pieces, 0)
    return "".join(pieces)


def _is_flat(members: dict[object, object]) -> bool:
    """
    Return whether the standard encoder, which is much faster, writes the canonical text of *members*.

    It does for texts, small integers and None under ASCII keys: for entries of the ledger.
    """
    return all(
        type(key) is str
        and key.isascii()
        and (
            member is None
            or type(member) is str
            or (type(member) is int and -MAX_EXACT_INTEGER <= member <= MAX_EXACT_INTEGER)
        )
        for key, member in members.items()
    )


def digest_of(value: object) -> str:
    """
    Return `sha256:` and the hex digest of the canonical text of *value*.

    Raises:
        ValueError, TypeError: *value* has no canonical text, see `canonical_json`.
    """
    return digest_of_bytes(canonical_json(value).encode("utf-8"))


def plan_hash(
    resolved: "HasDigest",
    change: Change,
    *,
    shadowed: Sequence[str] = (),
    emergency: str = "",
    demands: Sequence[dict[str, object]] = (),
) -> str:
    """
    Return the digest of what a start would do: the resolved document with the versions to go to.

    Approvals and `start --plan` are bound to it, so it changes when anything in either does, or when
    other signals begin in shadow (*shadowed*), it is under an *emergency*, by its id and protocol, or the
    policy demands other approvals (*demands*).
    """
    hashed: dict[str, object] = {"document": resolved.digest, "change": _versions(change)}
    if shadowed:
        hashed["shadowed"] = sorted(shadowed)
    if emergency:
        hashed["emergency"] = emergency
    if demands:
        hashed["demands"] = list(demands)
    return digest_of(hashed)


def change_digest(change: Change) -> str:
    """Return the digest of a change: of its components with the versions that they go to."""
    return digest_of(_versions(change))


def _versions(change: Change) -> list[dict[str, str]]:
    return [
        {"component": part.component, "name": part.to.name, "digest": part.to.digest}
        for part in sorted(change.components, key=lambda part: part.component)
    ]


class HasDigest(Protocol):
    """A document that is known by the digest of its canonical text."""

    @property
    def digest(self) -> str:
        """`sha256:` and hex digits."""
        ...


def digest_of_bytes(content: bytes) -> str:
    """Return `sha256:` and the hex digest of *content*."""
    return f"sha256:{sha256(content).hexdigest()}"


def _write(value: object, pieces: list[str], depth: int) -> None:
    if depth > MAX_NESTING:
        raise ValueError(f"nested deeper than {MAX_NESTING} levels")
    match value:
        case None:
            pieces.append("null")
        case bool():
            pieces.append("true" if value else "false")
        case str():
            pieces.append(_text(value))
        case int():
            pieces.append(_integer(value))
        case float():
            pieces.append(_number(value))
        case list() | tuple():
            _write_array(value, pieces, depth)
        case dict():
            _write_object(value, pieces, depth)
        case _:
            raise TypeError(f"a {type(value).__name__} has no canonical JSON: {value!r}")


def _write_array(items: list[object] | tuple[object, ...], pieces: list[str], depth: int) -> None:
    pieces.append("[")
    for index, item in enumerate(items):
        if index:
            pieces.append(",")
        _write(item, pieces, depth + 1)
    pieces.append("]")


def _write_object(members: dict[object, object], pieces: list[str], depth: int) -> None:
    keys = []
    for key in members:
        if not isinstance(key, str):
            raise TypeError(f"a key of canonical JSON must be text, got {key!r}")
        keys.append(key)
    pieces.append("{")
    # RFC 8785 sorts by UTF-16 code units; Python sorts by code points, which differs above U+FFFF.
    in_order = sorted(keys) if "".join(keys).isascii() else sorted(keys, key=_utf16)
    for index, key in enumerate(in_order):
        if index:
            pieces.append(",")
        pieces.append(_text(str(key)))
        pieces.append(":")
        _write(members[key], pieces, depth + 1)
    pieces.append("}")


def _utf16(text: str) -> bytes:
    # A lone surrogate sorts somewhere and is then refused by `_text`.
    return text.encode("utf-16-be", "surrogatepass")


def _text(text: str) -> str:
    return _AS_IT_IS.encode(_without_surrogates(str(text)))


def _without_surrogates(text: str) -> str:
    try:
        if not text.isascii():
            text.encode("utf-8")
    except UnicodeEncodeError as exc:
        raise ValueError(f"text with a lone surrogate has no canonical JSON: {text!r}") from exc
    return text


def _integer(number: int) -> str:
    if abs(number) > MAX_EXACT_INTEGER:
        raise ValueError(f"an integer must be within ±2**53 to be canonical, got {number}")
    return str(int(number))


def _number(number: float) -> str:
    if not math.isfinite(number):
        raise ValueError(f"{number!r} has no canonical JSON")
    if number == 0:
        return "0"
    if MAX_EXACT_INTEGER < abs(number) < _FIRST_WITH_EXPONENT:
        # Written as plain digits, which would be read back as an integer that isn't exact.
        raise ValueError(f"a number must be within ±2**53 to be canonical, got {number!r}")
    # Python and ECMAScript both pick the shortest digits that read back the same; only the layout
    # differs: ECMAScript writes plain digits from 1e-6 up to 1e21, and exponents without padding.
    sign = "-" if number < 0 else ""
    mantissa, _, exponent_text = f"{abs(number)!r}".partition("e")
    whole, _, fraction = mantissa.partition(".")
    if fraction == "0":
        fraction = ""
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(exponent_text or 0) - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0")
    return sign + _layout(digits, point)


def _layout(digits: str, point: int) -> str:
    """Place the decimal point after the first *point* of *digits*, as ECMAScript does."""
    if len(digits) <= point <= 21:
        return digits + "0" * (point - len(digits))
    if 0 < point <= 21:
        return f"{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"0.{'0' * -point}{digits}"
    exponent = point - 1
    rest = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{digits[0]}{rest}e{'+' if exponent > 0 else '-'}{abs(exponent)}"
