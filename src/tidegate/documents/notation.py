"""
How durations, shares, tolerances and addresses are written in `tidegate.yaml`, and read back.

Rule: everything that has a unit is written with it; a bare number is refused. Reading and writing are
exact inverses, so the resolved document can be shown, hashed and read again. Each `parse_…` function
raises `NotationError` with the fix; the types for the models stand at the end.
"""

import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from tidegate.domain.plan.model import Tolerance, ToleranceUnit
from tidegate.domain.quantities import FULL_WEIGHT_BPS, format_bps

NAME_PATTERN: Final = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
DURATION_PATTERN: Final = r"([0-9]{1,9}(ms|s|m|h|d|w))+"
SHARE_PATTERN: Final = r"[0-9]{1,3}(\.[0-9]{1,2})?%"
ADDRESS_PATTERN: Final = r"(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+):[0-9]{1,5}"
STICKY_PATTERN: Final = r"(cookie|header):[A-Za-z0-9_-]+"
INTERNAL_PATTERN: Final = r"(cookie|header):[A-Za-z0-9_-]+=[^\s\"']+"
GROUP_PATTERN: Final = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}"
APPROVAL_PATTERN: Final = r"[1-9] of [A-Za-z0-9][A-Za-z0-9_.-]*"

MAX_DURATION: Final = timedelta(days=366)

_MILLISECONDS: Final = {
    "w": 604_800_000,
    "d": 86_400_000,
    "h": 3_600_000,
    "m": 60_000,
    "s": 1_000,
    "ms": 1,
}
_DURATION_PART: Final = re.compile(r"([0-9]+)(ms|s|m|h|d|w)")
_DECIMAL: Final = r"[0-9]{1,5}(\.[0-9]{1,4})?"


class NotationError(ValueError):
    """
    Something isn't written the way it must be; says what and how to write it.

    `key` names the key that is wrong, where it is one of several in a mapping.
    """

    def __init__(self, what: str, fix: str, *, key: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.fix = fix
        self.key = key


def parse_duration(written: object) -> timedelta:
    """Return the duration *written* as `30s`, `4h`, `1h30m`; whole numbers, at most 366 days."""
    duration = parse_long_duration(written)
    if duration > MAX_DURATION:
        raise NotationError(f"{written} is longer than 366 days", "write a shorter duration")
    return duration


def parse_long_duration(written: object) -> timedelta:
    """Return the duration *written*, as of the resolved document, which also holds multiples."""
    if isinstance(written, int | float) and not isinstance(written, bool):
        raise NotationError(
            f"a duration needs a unit, got {written}", f"write {written}s, {written}m or {written}h"
        )
    if not isinstance(written, str) or not re.fullmatch(DURATION_PATTERN, written):
        raise NotationError(
            f"a duration is needed, got {shown(written)}", "write it like 30s, 15m, 4h, 1h30m or 2d"
        )
    parts = [(unit, int(number)) for number, unit in _DURATION_PART.findall(written)]
    units = [unit for unit, _ in parts]
    if sorted(set(units), key=list(_MILLISECONDS).index) != units:
        raise NotationError(
            f"the units of {written} aren't in order, each once", "write it like 1d12h or 1h30m"
        )
    return timedelta(milliseconds=sum(number * _MILLISECONDS[unit] for unit, number in parts))


def parse_share(written: object) -> int:
    """Return the share *written* as `5%` or `0.25%` in basis points, 1 to 10000."""
    if isinstance(written, int | float) and not isinstance(written, bool):
        raise NotationError(f"a share needs its unit, got {written}", f"write {written}%")
    if not isinstance(written, str) or not re.fullmatch(SHARE_PATTERN, written):
        raise NotationError(
            f"a share is needed, got {shown(written)}",
            "write it like 5% or 0.25%, at most two decimals",
        )
    weight_bps = int(Decimal(written[:-1]) * 100)
    if not 0 < weight_bps <= FULL_WEIGHT_BPS:
        raise NotationError(f"a share must be above 0% and at most 100%, got {written}", "write 5%")
    return weight_bps


def format_share(weight_bps: int) -> str:
    """Return *weight_bps* as `parse_any_share` reads it."""
    return format_bps(weight_bps)


def parse_any_share(written: object) -> int:
    """Return the share *written* in basis points; 0% too, which only the resolved document has."""
    return 0 if written == "0%" else parse_share(written)


def parse_points(written: object) -> Tolerance:
    """Return the tolerance for a rate, *written* in percentage points: `0.1pp` is 0.001."""
    number = _number_before(written, "pp")
    if number is None:
        raise NotationError(
            f"errors are tolerated in percentage points, got {shown(written)}",
            "write it like 0.1pp: of 1,000 more requests one may fail",
        )
    if not 0 < number <= 100:
        raise NotationError(
            f"a tolerance must be above 0pp and at most 100pp, got {written}", "write 0.1pp"
        )
    return Tolerance(value=float(number / 100), unit=ToleranceUnit.RATE)


def parse_relative(written: object) -> Tolerance:
    """Return the tolerance *written* as a share of the baseline's value: `20%` is 0.2."""
    number = _number_before(written, "%")
    if number is None:
        raise NotationError(
            f"this is tolerated in percent of the baseline, got {shown(written)}",
            "write it like 10%",
        )
    if not 0 < number <= 1000:
        raise NotationError(
            f"a tolerance must be above 0% and at most 1000%, got {written}", "write 10%"
        )
    return Tolerance(value=float(number / 100), unit=ToleranceUnit.RELATIVE)


def parse_slowdown(written: object) -> Tolerance:
    """Return the tolerance of latency *written* as percent of the baseline's (`10%`), or as `20ms`."""
    if isinstance(written, str) and re.fullmatch(DURATION_PATTERN, written):
        slower = parse_duration(written)
        if slower == timedelta(0):
            raise NotationError("a tolerance must be above 0ms", "write it like 20ms or 10%")
        milliseconds = slower / timedelta(milliseconds=1)
        return Tolerance(value=milliseconds, unit=ToleranceUnit.DURATION)
    return parse_relative(written)


def parse_tolerance(written: object) -> Tolerance:
    """Return the tolerance *written* in points (`0.1pp`), percent (`10%`) or as a duration (`20ms`)."""
    if isinstance(written, str) and written.endswith("pp"):
        return parse_points(written)
    if isinstance(written, str) and (
        written.endswith("%") or re.fullmatch(DURATION_PATTERN, written)
    ):
        return parse_slowdown(written)
    raise NotationError(
        f"a tolerance is needed, got {shown(written)}",
        "write 0.1pp for errors, 10% for usage and latency, or 20ms for latency",
    )


def parse_exposure(written: object) -> int | Literal["internal"]:
    """Return the share *written* in basis points, or `internal`."""
    return "internal" if written == "internal" else parse_share(written)


def parse_approval(written: object) -> tuple[int, str]:
    """Return how many of whom must approve, *written* as `2 of team-release`."""
    if not isinstance(written, str) or not re.fullmatch(APPROVAL_PATTERN, written):
        raise NotationError(
            f"an approval says how many of which group, got {shown(written)}",
            "write it like: 1 of team-release",
        )
    count, _, group = written.partition(" of ")
    return int(count), group


def parse_address(written: object) -> str:
    """Return *written* when it is `host:port` with a port of 1 to 65535."""
    if isinstance(written, str) and re.fullmatch(ADDRESS_PATTERN, written):
        port = int(written.rpartition(":")[2])
        if 0 < port < 65_536:
            return written
    raise NotationError(
        f"an address with a port is needed, got {shown(written)}", 'write it like "127.0.0.1:8080"'
    )


def parse_admin(written: object) -> str:
    """Return *written* when it is `host:port` or the absolute path of a unix socket."""
    if isinstance(written, str) and re.fullmatch(r"/\S+", written):
        return written
    return parse_address(written)


def shown(written: object) -> str:
    """Return *written* as messages quote it, cut where it is long."""
    if written is None:
        return "nothing"
    if isinstance(written, list):
        return "a list"
    if isinstance(written, dict):
        return "a mapping"
    text = str(written).lower() if isinstance(written, bool) else str(written)
    return f"`{text}`" if len(text) <= 60 else f"`{text[:59]}…`"


def _number_before(written: object, unit: str) -> Decimal | None:
    if not isinstance(written, str) or not re.fullmatch(_DECIMAL + unit, written):
        return None
    return Decimal(written.removesuffix(unit))


def flaw(what: str, fix: str) -> PydanticCustomError:
    """Return the error by which pydantic carries *what* is wrong together with its *fix*."""
    # Passed as values, since the texts may hold braces that pydantic would expand.
    return PydanticCustomError("notation", "{what}", {"what": what, "fix": fix})


def checked_by(parse: Callable[[object], Any]) -> BeforeValidator:
    """Return the validator that runs *parse* and lets pydantic carry its fix."""

    def validate(written: object) -> Any:
        try:
            return parse(written)
        except NotationError as exc:
            raise flaw(exc.what, exc.fix) from exc

    return BeforeValidator(validate)


def matching(pattern: str, what: str, fix: str) -> Callable[[object], str]:
    """Return a parse function for text that matches the whole of *pattern*."""

    def parse(written: object) -> str:
        if not isinstance(written, str) or not re.fullmatch(pattern, written):
            raise NotationError(f"{what}, got {shown(written)}", fix)
        return written

    return parse


def _as_json(pattern: str, description: str, *examples: str) -> WithJsonSchema:
    return WithJsonSchema(
        {
            "type": "string",
            "pattern": f"^{pattern}$",
            "description": description,
            "examples": list(examples),
        }
    )


PLAN_NAMES: Final = ("standard", "quick", "lab")

Duration = Annotated[
    timedelta,
    checked_by(parse_duration),
    _as_json(DURATION_PATTERN, "A duration with its unit.", "30s", "4h", "1h30m"),
]
Share = Annotated[
    int,
    checked_by(parse_share),
    _as_json(SHARE_PATTERN, "A share of everyone.", "5%", "0.25%"),
]
Points = Annotated[
    Tolerance,
    checked_by(parse_points),
    _as_json(_DECIMAL + "pp", "Percentage points.", "0.1pp"),
]
Relative = Annotated[
    Tolerance,
    checked_by(parse_relative),
    _as_json(_DECIMAL + "%", "Percent of the baseline's value.", "10%"),
]
Approval = Annotated[
    tuple[int, str],
    checked_by(parse_approval),
    _as_json(APPROVAL_PATTERN, "How many of which group.", "1 of team-release"),
]
GroupName = Annotated[
    str,
    checked_by(
        matching(
            GROUP_PATTERN,
            "a group's name is made of letters, digits and _.-, at most 100",
            "write it like team-release",
        )
    ),
    _as_json(GROUP_PATTERN, "The name of a group.", "team-release"),
]
Address = Annotated[
    str,
    checked_by(parse_address),
    _as_json(ADDRESS_PATTERN, "Host and port.", "127.0.0.1:8080"),
]
AdminAddress = Annotated[
    str,
    checked_by(parse_admin),
    WithJsonSchema({"type": "string", "examples": ["127.0.0.1:9901", "/run/envoy/admin.sock"]}),
]
AnyTolerance = Annotated[
    Tolerance,
    checked_by(parse_tolerance),
    _as_json(
        f"({_DECIMAL}(pp|%)|{DURATION_PATTERN})",
        "Percentage points, percent of the baseline, or a duration.",
        "0.1pp",
        "5%",
        "20ms",
    ),
]
Slowdown = Annotated[
    Tolerance,
    checked_by(parse_slowdown),
    _as_json(
        f"({_DECIMAL}%|{DURATION_PATTERN})",
        "Percent of the baseline's latency, or a duration.",
        "10%",
        "20ms",
    ),
]
ShareOrInternal = Annotated[
    int | Literal["internal"],
    checked_by(parse_exposure),
    _as_json(f"(internal|{SHARE_PATTERN})", "A share of everyone, or internal.", "5%", "internal"),
]
PackName = Annotated[
    str,
    checked_by(
        matching("http", "there is one pack of signals, http", "write http, or {name: …, kind: …}")
    ),
    WithJsonSchema({"type": "string", "enum": ["http"]}),
]
PlanName = Annotated[
    str,
    checked_by(
        matching(
            "|".join(PLAN_NAMES),
            "there is no plan of this name",
            f"take one of {', '.join(PLAN_NAMES)}, or write {{phases: …}}",
        )
    ),
    WithJsonSchema({"type": "string", "enum": list(PLAN_NAMES)}),
]
Name = Annotated[
    str,
    checked_by(
        matching(
            NAME_PATTERN,
            "a name is made of small letters, digits and hyphens, at most 63",
            "write it like eu-1; quote it when it is only digits",
        )
    ),
    _as_json(NAME_PATTERN, "A name: small letters, digits and hyphens.", "eu-1"),
]
Sticky = Annotated[
    str,
    checked_by(
        matching(
            STICKY_PATTERN,
            "what keeps a user on one side is a cookie or a header",
            'write it like "cookie:tg" or "header:x-user-id"',
        )
    ),
    _as_json(STICKY_PATTERN, "What keeps a user on one side.", "cookie:tg", "header:x-user-id"),
]
InternalMark = Annotated[
    str,
    checked_by(
        matching(
            INTERNAL_PATTERN,
            "internal users are marked by a header or a cookie with its value",
            'write it like "header:x-internal=1"',
        )
    ),
    _as_json(INTERNAL_PATTERN, "What marks an internal user.", "header:x-internal=1"),
]
