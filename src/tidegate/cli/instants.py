"""
Instants as people write them in arguments: with an offset from UTC, or as local time of a named zone.

Rule: nothing is guessed. A local time without a zone, one that the clocks skip and one that they show
twice are refused, each with the way to write what was meant.
"""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tidegate.errors import InvalidRequestError


def parse_instant(written: str, *, option: str, zone: str | None) -> datetime:
    """
    Return the instant *written* in ISO 8601, in UTC.

    Args:
        written: As `2026-12-18T18:00+01:00` or `2026-12-18T17:00Z`; with *zone* also without an offset.
            A date alone is its first instant.
        option: What it was given to, for the message.
        zone: An IANA name, None when none was given.

    Raises:
        InvalidRequestError: it isn't written so, or is no single instant.
    """
    try:
        at = datetime.fromisoformat(written)
        return (at if at.tzinfo is not None else _local(at, option, zone)).astimezone(UTC)
    except (ValueError, OverflowError) as exc:
        raise InvalidRequestError(
            f"{option} must be an instant, got {written!r}",
            hint=f"as in {option} 2026-12-18T18:00+01:00, or {option} 2026-12-18T18:00"
            " --timezone Europe/Berlin",
        ) from exc


def _local(at: datetime, option: str, name: str | None) -> datetime:
    if name is None:
        raise InvalidRequestError(
            f"{option} {at.isoformat(timespec='minutes')} doesn't say of which time zone",
            hint="add its offset from UTC, as +01:00 or Z; or say --timezone Europe/Berlin",
        )
    try:
        zone = ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as exc:
        raise InvalidRequestError(
            f"there is no time zone {name!r}", hint="write an IANA name, as Europe/Berlin"
        ) from exc
    early, late = at.replace(tzinfo=zone, fold=0), at.replace(tzinfo=zone, fold=1)
    if early.utcoffset() == late.utcoffset():
        return early
    skipped = early.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != at
    what = "doesn't exist there: the clocks skip it" if skipped else "is there twice"
    raise InvalidRequestError(
        f"{option} {at.isoformat(timespec='minutes')} {name} {what}",
        hint="write it with its offset from UTC, as +01:00 or +02:00",
    )
