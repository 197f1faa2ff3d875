"""
A trusted root as of the time when something was signed: the authorities and logs that were valid then.

The library leaves that open: it takes those that have ended for all times, and asks the machine's clock
whether others have begun. Nothing is verified here.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from tidegate.drivers.gate.strict_json import Object, as_object, object_in, text_in
from tidegate.drivers.gate.submitted import read_time


def root_at(root: Mapping[str, Any], moments: Sequence[datetime]) -> dict[str, Any]:
    """
    Return *root* with only those authorities and logs that were valid at all *moments*.

    Raises:
        UnreadableError: one of them can't be read.
    """
    narrowed = dict(root)
    for key in ("tlogs", "ctlogs", "certificateAuthorities", "timestampAuthorities"):
        members = [as_object(one, key) for one in root.get(key, [])]
        narrowed[key] = [
            _timeless(one)
            for one in members
            if all(_is_valid(_dated(one), moment) for moment in moments)
        ]
    return narrowed


def _dated(member: Object) -> Object:
    """Return the part of an authority or a log of a root that says since when it is valid."""
    return object_in(member, "publicKey") if "publicKey" in member else member


def _is_valid(dated: Object, moment: datetime) -> bool:
    """Return whether what is *dated* counts at *moment*, both ends included."""
    begins, ends = (text_in(object_in(dated, "validFor"), key) for key in ("start", "end"))
    # Without a start nothing would tell since when.
    return (
        begins is not None
        and read_time(begins) <= moment
        and (ends is None or moment <= read_time(ends))
    )


def _timeless(member: Object) -> Object:
    """Return *member* as valid at any time: the library would compare with the machine's clock."""
    always: Object = {"validFor": {"start": "1970-01-01T00:00:00Z"}}
    if "publicKey" in member:
        return {**member, "publicKey": {**object_in(member, "publicKey"), **always}}
    return {**member, **always}
