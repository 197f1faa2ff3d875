"""
Recurring openings: the part of RFC 5545's RRULE that a window may be written in.

Rule: what could make a window end, or a reader wait, is refused: COUNT and UNTIL, openings more often than
by the hour, rules that never come true. The rule is carried out by python-dateutil, in local time.
"""

import re
from datetime import date, datetime, time
from functools import lru_cache
from typing import Final

from dateutil.rrule import rrule, rrulestr

from tidegate.documents.notation import NotationError

STARTING: Final = "2024-01-01T00:00"
"""What a rule counts from when the file says nothing: a Monday, at midnight."""

FREQUENCIES: Final = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
_BY_DAY: Final = re.compile(r"([+-]?[1-5])?(MO|TU|WE|TH|FR|SA|SU)")
_PARTS: Final = {
    "FREQ": "|".join(FREQUENCIES),
    "INTERVAL": r"[1-9][0-9]?",
    "BYDAY": rf"({_BY_DAY.pattern})(,({_BY_DAY.pattern})){{0,20}}",
    "BYMONTHDAY": r"-?[1-9][0-9]?(,-?[1-9][0-9]?){0,30}",
    "BYMONTH": r"[1-9][0-2]?(,[1-9][0-2]?){0,11}",
    "BYSETPOS": r"-?[1-9][0-9]?(,-?[1-9][0-9]?){0,9}",
    "BYHOUR": r"[0-9]{1,2}(,[0-9]{1,2}){0,23}",
    "BYMINUTE": r"[0-9]{1,2}(,[0-9]{1,2}){0,3}",
    "WKST": "MO|TU|WE|TH|FR|SA|SU",
}
_ONLY_LONGER: Final = frozenset({"BYMONTHDAY", "BYSETPOS"})
"""Parts that mean nothing within a day or a week."""

_EXAMPLE: Final = 'write it like "FREQ=WEEKLY;BYDAY=TU,TH;BYHOUR=10"'
MOST_A_DAY: Final = 24


def parse_rule(written: object) -> str:
    """
    Return the RRULE *written*, its parts in capitals.

    Raises:
        NotationError: it isn't one, or one that windows don't take.
    """
    if not isinstance(written, str) or not written or len(written) > 300:
        raise NotationError("a recurrence is an RRULE of RFC 5545", _EXAMPLE)
    parts: dict[str, str] = {}
    for part in written.upper().split(";"):
        name, equals, value = part.partition("=")
        if not equals or name in parts or name not in _PARTS:
            raise NotationError(f"{part[:40]} has no place in a window's RRULE", _fix(name))
        if not re.fullmatch(_PARTS[name], value):
            raise NotationError(f"{part[:40]} isn't a part of an RRULE that windows take", _EXAMPLE)
        parts[name] = value
    _check(parts)
    return ";".join(f"{name}={value}" for name, value in parts.items())


def parse_starting(written: object) -> str:
    """Return the local time *written* as `2026-01-05T09:00`. Raises NotationError."""
    if isinstance(written, str) and re.fullmatch(
        r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}", written
    ):
        try:
            at = datetime.fromisoformat(written)
        except ValueError:
            at = None
        if at is not None and 2000 <= at.year <= 2100:
            return written
    raise NotationError(
        "a recurrence starts at a local time of the years 2000 to 2100",
        'write it like "2026-01-05T09:00", quoted',
    )


def check_comes_true(rule: str, starting: str) -> None:
    """Raise NotationError when *rule* never opens from *starting* on."""
    try:
        first = _compiled(rule, starting).after(datetime.fromisoformat(starting), inc=True)
    except ValueError as exc:
        raise NotationError(f"{rule} can't be carried out: {exc}", _EXAMPLE) from exc
    if first is None:
        raise NotationError(f"{rule} never comes true", _EXAMPLE)


@lru_cache(maxsize=1_000)
def beginnings(rule: str, starting: str, year: int) -> tuple[datetime, ...]:
    """Return the local times at which *rule* opens in *year*."""
    first, last = date(year, 1, 1), date(year, 12, 31)
    found = _compiled(rule, starting).between(
        datetime.combine(first, time.min), datetime.combine(last, time.max), inc=True
    )
    return tuple(found)


@lru_cache(maxsize=1_000)
def _compiled(rule: str, starting: str) -> rrule:
    compiled = rrulestr(rule, dtstart=datetime.fromisoformat(starting), cache=False)
    assert isinstance(compiled, rrule), f"one rule, not a set of them: {rule}"
    return compiled


def _check(parts: dict[str, str]) -> None:
    frequency = parts.get("FREQ")
    if frequency is None:
        raise NotationError("an RRULE says how often: FREQ", _EXAMPLE)
    if frequency in ("DAILY", "WEEKLY") and _ONLY_LONGER & parts.keys():
        raise NotationError(
            f"{' and '.join(sorted(_ONLY_LONGER & parts.keys()))} means nothing with FREQ={frequency}",
            "take FREQ=MONTHLY or FREQ=YEARLY",
        )
    if frequency == "DAILY" and "BYDAY" in parts:
        raise NotationError("BYDAY picks days of a week", "take FREQ=WEEKLY with BYDAY")
    if frequency == "WEEKLY" and re.search(r"[0-9]", parts.get("BYDAY", "")):
        raise NotationError("a week has each day once", "leave the number before the day out")
    for name, most in (("BYHOUR", 23), ("BYMINUTE", 59), ("BYMONTH", 12), ("BYMONTHDAY", 31)):
        if any(abs(int(one)) > most for one in parts.get(name, "0").split(",")):
            raise NotationError(f"{name}={parts[name]} is out of range", f"at most {most}")
    a_day = len(parts.get("BYHOUR", "0").split(",")) * len(parts.get("BYMINUTE", "0").split(","))
    if a_day > MOST_A_DAY:
        raise NotationError(
            f"a window opens at most {MOST_A_DAY} times a day, got {a_day}", "open it for longer"
        )


def _fix(name: str) -> str:
    if name in ("COUNT", "UNTIL"):
        return "a window doesn't end by itself: take it out of the file when it shall"
    if name == "DTSTART":
        return "write it as `starting:` beside the rule"
    return _EXAMPLE
