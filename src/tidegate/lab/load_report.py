"""
What the load saw, second by second, and what that adds up to.

The report is a file of JSON lines, one per second in which something was sent or answered, written once
the second is over and never changed. Times are Unix seconds by the wall clock. A request belongs to the
second in which its fate was known, and to the version that answered; the version is empty where nobody
answered, or a proxy did by itself.

Users stand in each line by number, because the people who met a version in ten minutes aren't the sum
of those who met it in each.
"""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from tidegate.lab.load_client import Outcome

NO_VERSION: Final = ""
FIRST_SERVER_ERROR: Final = 500
_SECONDS_PER_MINUTE: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionLoad:
    """
    What users had from one version.

    `total` counts requests whose fate is known, `failed` those answered with 5xx, `lost` those without
    a whole answer, `orders` those that were thanked for an order. A user-minute is one user who met
    the version in one minute of the clock.
    """

    total: int
    failed: int
    lost: int
    orders: int
    user_minutes: int
    first_failed_at: datetime | None
    last_response_at: datetime | None


NOTHING: Final = VersionLoad(
    total=0,
    failed=0,
    lost=0,
    orders=0,
    user_minutes=0,
    first_failed_at=None,
    last_response_at=None,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadSummary:
    """What users had in a span of time. `unsent` counts requests that the load itself couldn't send."""

    total: int
    failed: int
    lost: int
    unsent: int
    user_minutes: int
    versions: Mapping[str, VersionLoad]

    def version(self, name: str) -> VersionLoad:
        """Return what users had from version *name*, nothing when nobody met it."""
        return self.versions.get(name, NOTHING)

    def exposed_share(self, name: str) -> float:
        """Return the share of all user-minutes in which the user met version *name*, 0..1."""
        return self.version(name).user_minutes / self.user_minutes if self.user_minutes else 0.0


def summarise(lines: Iterable[str], since: datetime, until: datetime) -> LoadSummary:
    """
    Return what the report's *lines* add up to, for whole seconds from *since* to before *until*.

    *since* is rounded down and *until* up to the second, so nothing at the edges is left out.

    Raises:
        ValueError: a line isn't one of the report, or *since* isn't before *until*.
    """
    if since >= until:
        raise ValueError(f"since must be before until, got {since} and {until}")
    first, after_last = math.floor(since.timestamp()), math.ceil(until.timestamp())
    unsent = 0
    tallies: dict[str, _Tally] = {}
    everyone: set[tuple[int, int]] = set()
    for line in lines:
        entry = _entry(line)
        if not first <= entry["second"] < after_last:
            continue
        unsent += entry["unsent"]
        minute = entry["second"] // _SECONDS_PER_MINUTE
        for name, seen in entry["versions"].items():
            met = {(user, minute) for user in seen["users"]}
            everyone |= met
            tallies.setdefault(name, _Tally()).add(seen, met)
    versions = {name: tally.load() for name, tally in sorted(tallies.items())}
    return LoadSummary(
        total=sum(version.total for version in versions.values()),
        failed=sum(version.failed for version in versions.values()),
        lost=sum(version.lost for version in versions.values()),
        unsent=unsent,
        user_minutes=len(everyone),
        versions=versions,
    )


def report_lines(path: Path) -> list[str]:
    """Return the whole lines of the report at *path*; one that is being written isn't there yet."""
    text = path.read_text(encoding="utf-8")
    return text[: text.rfind("\n") + 1].splitlines()


def recent_lines(path: Path, *, at_most_bytes: int) -> list[str]:
    """Return the last whole lines of the report at *path*, from its end; none where there is no report."""
    try:
        with path.open("rb") as report:
            size = report.seek(0, 2)
            report.seek(max(0, size - at_most_bytes))
            found = report.read()
    except FileNotFoundError:
        return []
    whole = found[: found.rfind(b"\n") + 1]
    if size > at_most_bytes:
        # What comes first is the rest of a line.
        whole = whole[whole.find(b"\n") + 1 :]
    return whole.decode("utf-8").splitlines()


def _entry(line: str) -> dict[str, Any]:
    entry = json.loads(line)
    if not isinstance(entry, dict) or not entry.keys() >= {"second", "unsent", "versions"}:
        raise ValueError(f"not a line of a load's report: {line[:80]!r}")
    return entry


class Recorder:
    """Counts what happens and gives out each second's line once the second is over."""

    def __init__(self) -> None:
        self._seconds: dict[int, _Second] = {}

    def sent(self, at: float) -> None:
        """Count a request sent at *at*, Unix seconds."""
        self._second(at).sent += 1

    def unsent(self, at: float) -> None:
        """Count a request that was due and couldn't be sent."""
        self._second(at).unsent += 1

    def settled(self, at: float, *, user: int, outcome: Outcome, is_order: bool) -> None:
        """Count what became of one request of *user* at *at*."""
        tally = self._second(at).versions.setdefault(outcome.version, _Tally())
        tally.total += 1
        tally.users.add(user)
        if outcome.status is None:
            tally.lost += 1
            return
        tally.last_response_at = max(tally.last_response_at or at, at)
        if outcome.status >= FIRST_SERVER_ERROR:
            tally.failed += 1
            tally.first_failed_at = min(tally.first_failed_at or at, at)
        elif is_order:
            tally.orders += 1

    def finished_lines(self, now: float) -> list[str]:
        """Return the lines of all seconds before that of *now*, oldest first, and forget them."""
        over = sorted(second for second in self._seconds if second < math.floor(now))
        return [self._seconds.pop(second).line(second) for second in over]

    def _second(self, at: float) -> "_Second":
        return self._seconds.setdefault(math.floor(at), _Second())


@dataclass(slots=True)
class _Tally:
    total: int = 0
    failed: int = 0
    lost: int = 0
    orders: int = 0
    first_failed_at: float | None = None
    last_response_at: float | None = None
    users: set[int] = field(default_factory=set)
    user_minutes: set[tuple[int, int]] = field(default_factory=set)

    def add(self, seen: Mapping[str, Any], met: set[tuple[int, int]]) -> None:
        """Add what a line says of one version."""
        self.total += seen["total"]
        self.failed += seen["failed"]
        self.lost += seen["lost"]
        self.orders += seen["orders"]
        self.user_minutes |= met
        firsts = [at for at in (self.first_failed_at, seen["first_failed_at"]) if at is not None]
        lasts = [at for at in (self.last_response_at, seen["last_response_at"]) if at is not None]
        self.first_failed_at = min(firsts, default=None)
        self.last_response_at = max(lasts, default=None)

    def load(self) -> VersionLoad:
        return VersionLoad(
            total=self.total,
            failed=self.failed,
            lost=self.lost,
            orders=self.orders,
            user_minutes=len(self.user_minutes),
            first_failed_at=_moment(self.first_failed_at),
            last_response_at=_moment(self.last_response_at),
        )

    def document(self) -> dict[str, Any]:
        return {
            "total": self.total,
            "failed": self.failed,
            "lost": self.lost,
            "orders": self.orders,
            "first_failed_at": self.first_failed_at,
            "last_response_at": self.last_response_at,
            "users": sorted(self.users),
        }


@dataclass(slots=True)
class _Second:
    sent: int = 0
    unsent: int = 0
    versions: dict[str, _Tally] = field(default_factory=dict)

    def line(self, second: int) -> str:
        document = {
            "second": second,
            "sent": self.sent,
            "unsent": self.unsent,
            "versions": {name: tally.document() for name, tally in self.versions.items()},
        }
        return json.dumps(document, separators=(",", ":")) + "\n"


def _moment(unix_seconds: float | None) -> datetime | None:
    return None if unix_seconds is None else datetime.fromtimestamp(unix_seconds, tz=UTC)
