"""Instants as text: how long ago or ahead, as ISO 8601, or in seconds."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum

from tidegate.domain.durations import format_duration


class TimeFormat(StrEnum):
    """How instants are written."""

    RELATIVE = "relative"
    ISO = "iso"
    RAW = "raw"
    """Seconds since 1970."""


def write_instant(at: datetime, *, now: datetime, form: TimeFormat) -> str:
    """Return *at* in *form*, seen from *now* (the server's time)."""
    match form:
        case TimeFormat.ISO:
            return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        case TimeFormat.RAW:
            return f"{at.timestamp():.3f}"
        case TimeFormat.RELATIVE:
            return _relative(at - now)


def _relative(distance: timedelta) -> str:
    whole = timedelta(seconds=round(abs(distance).total_seconds()))
    if whole < timedelta(seconds=1):
        return "now"
    if whole >= timedelta(hours=48):
        whole -= timedelta(seconds=whole.seconds % 3600)
    elif whole >= timedelta(hours=1):
        whole -= timedelta(seconds=whole.seconds % 60)
    words = format_duration(whole)
    return f"in {words}" if distance > timedelta(0) else f"{words} ago"
