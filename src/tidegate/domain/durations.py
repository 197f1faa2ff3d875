"""
How durations are written for people: `36h`, `1h30m`, `7d`.

One way everywhere: in `tidegate.yaml`, in findings, on pages. Reading them back belongs to `documents`.
"""

from datetime import timedelta
from typing import Final

_MILLISECOND: Final = timedelta(milliseconds=1)
_UNITS: Final = (("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1))
_DAY_MS: Final = 86_400_000


def format_duration(duration: timedelta) -> str:
    """Return *duration* (not negative) as people write it; below a millisecond it is cut off."""
    assert duration >= timedelta(0), f"a duration can't be negative, got {duration!r}"
    rest = duration // _MILLISECOND
    # One day is 24h, so that bakes of a plan can be compared at a glance; from two days on it's days.
    if rest >= 2 * _DAY_MS and rest % _DAY_MS == 0:
        return f"{rest // _DAY_MS}d"
    text = ""
    for unit, milliseconds in _UNITS:
        number, rest = divmod(rest, milliseconds)
        if number:
            text += f"{number}{unit}"
    return text or "0s"


def rough_duration(length: timedelta) -> str:
    """Return *length* as people say it, to about one part in sixty."""
    seconds = int(length.total_seconds())
    if seconds < 120:
        return f"{seconds} s"
    if seconds < 7200:
        return f"{seconds // 60} min"
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"
