"""What is written in arguments: changes, places in a plan, rates, lengths of time."""

import re
from collections.abc import Sequence
from datetime import timedelta

from tidegate.documents.assignments import facts_of, versions_of
from tidegate.errors import InvalidRequestError

_AT = re.compile(r"([1-9][0-9]*)@([1-9][0-9]*)")
_RATE = re.compile(r"([0-9]+(?:\.[0-9]+)?)(?:/s)?")


def parse_changes(written: Sequence[str]) -> dict[str, str]:
    """Return versions by component; see `versions_of`."""
    return versions_of(written, called="--change")


def parse_at(written: str | None) -> dict[str, int] | None:
    """Return `PHASE@REVISION` as the API takes it, None for None. Raises InvalidRequestError."""
    if written is None:
        return None
    match = _AT.fullmatch(written)
    if match is None:
        raise InvalidRequestError(
            f"--at must be PHASE@REVISION, got {written!r}",
            hint="`tidegate status ROLLOUT` shows both, as in --at 3@12",
        )
    return {"phase": int(match[1]), "revision": int(match[2])}


def parse_rate(written: str | None) -> float | None:
    """Return requests per second of `200` or `200/s`, None for None. Raises InvalidRequestError."""
    if written is None:
        return None
    match = _RATE.fullmatch(written)
    if match is None or float(match[1]) <= 0:
        raise InvalidRequestError(
            f"--traffic must be requests per second, got {written!r}",
            hint="as in --traffic 120/s",
        )
    return float(match[1])


def parse_timeout(written: str | None) -> timedelta | None:
    """Return a length of time as in `90s` or `2h`, None for None. Raises InvalidRequestError."""
    return parse_length(written, option="--timeout")


def parse_length(written: str | None, *, option: str) -> timedelta | None:
    """Return the length of time that was given to *option*. Raises InvalidRequestError."""
    if written is None:
        return None
    # It brings the whole language of plans, which a command without a length does without.
    from tidegate.documents.notation import NotationError, parse_duration

    try:
        return parse_duration(written)
    except NotationError as exc:
        raise InvalidRequestError(
            f"{option} must be a length of time, got {written!r}", hint=f"as in {option} 90s"
        ) from exc


def parse_facts(written: Sequence[str]) -> dict[str, str | bool | float]:
    """Return values by name; see `facts_of`."""
    return facts_of(written, called="--fact")
