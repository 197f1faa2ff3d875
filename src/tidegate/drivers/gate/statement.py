"""
Short statements in JSON that somebody submits for a gate: what a backup job, a load test, a drift check says.

Rule: the newest statement counts, whole: a key that isn't known is a slip and not an extra, and makes it
unreadable. A number without bounds, or a time that can't be placed, is never taken for a good one.
"""

from collections.abc import Collection
from datetime import datetime, timedelta

from tidegate.drivers.gate.strict_json import Object, as_object, read_json, text_in
from tidegate.drivers.gate.submitted import (
    CLOCK_SKEW,
    UnreadableError,
    has_zone,
    quoted,
    read_time,
    submitted,
)
from tidegate.ports.gate import GateDocument, GateQuestion


def newest_statement(
    question: GateQuestion, known_keys: Collection[str]
) -> tuple[GateDocument, Object]:
    """
    Return the newest document of *question* with what it states.

    Raises:
        UnreadableError: nothing was submitted, it isn't a JSON object, or it has other keys.
    """
    document = max(submitted(question), key=lambda one: one.submitted_at)
    stated = as_object(read_json(document.content), quoted(document.name))
    strangers = sorted(stated.keys() - set(known_keys))
    if strangers:
        raise UnreadableError(
            f"{quoted(document.name)} has the unknown key {quoted(strangers[0])};"
            f" it may have: {', '.join(sorted(known_keys))}"
        )
    return document, stated


def age_in(stated: Object, key: str, now: datetime) -> timedelta | None:
    """
    Return how long ago the time under *key* is, None when it is absent.

    Raises:
        UnreadableError: it isn't a time with its zone, or it is still to come.
    """
    text = text_in(stated, key)
    if text is None:
        return None
    at = read_time(text)
    if not has_zone(text):
        raise UnreadableError(f"{quoted(key)} says no time zone: write it like {text}Z")
    if at - now > CLOCK_SKEW:
        raise UnreadableError(f"{quoted(key)} is in the future: {quoted(text)}")
    return max(now - at, timedelta(0))


def amount_in(stated: Object, key: str) -> float | None:
    """Return the number under *key*, None when it is absent. Raises UnreadableError below zero."""
    if key not in stated:
        return None
    return amount(stated[key], key)


def amount(value: object, what: str) -> float:
    """Return *value* as a number that isn't negative. Raises UnreadableError."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise UnreadableError(f"{quoted(what)} isn't a number from 0 on")
    return float(value)


def count_in(stated: Object, key: str) -> int:
    """Return the whole number from 0 on under *key*. Raises UnreadableError, also when it is absent."""
    found = amount_in(stated, key)
    if found is None:
        raise UnreadableError(f"the statement doesn't say {quoted(key)}")
    if found != int(found):
        raise UnreadableError(f"{quoted(key)} isn't a whole number")
    return int(found)
