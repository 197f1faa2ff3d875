"""
How many different people met each pool, from a managed Envoy's access log.

Envoy's counters know requests, not people. Its log has the sticky key of each request, but only
while a candidate is exposed, and that key may tell who somebody is. Therefore:

- Keys are hashed as soon as they are read, with a key that exists in this process only, so that what
  is kept can't be told back into people, or compared with anything elsewhere.
- Reading removes: each reading takes the log away from Envoy, and deletes what it read at the next
  one. A raw key lies on disk no longer than from one reading to the second one after it. While
  nobody reads, the log of an exposed route stays and grows by about 200 bytes a request.

Someone without a key is known by the one that the answer gives them. A client that never returns it
looks like a new person each time, so the number is an upper bound.

The same lines tell how many different people had trouble (`envoy_user_counts`). A log that isn't there
is unknown, and not nobody: Envoy makes it when it starts, and again within a second of letting go of it.
"""

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

from tidegate.domain.quantities import Arm, Placement, ServiceName, TargetName
from tidegate.drivers.envoy.admin import EnvoyAdminError, open_admin
from tidegate.drivers.envoy.layout import Proxy, cluster_name, proxy_of
from tidegate.drivers.signals.envoy_user_counts import PeopleCounts, UserCounts
from tidegate.errors import SignalSourceError
from tidegate.ports.clock import Clock
from tidegate.ports.component import ArmLabels

_KEY_BYTES: Final = 32
_HASH_BYTES: Final = 8  # among a million people, two are taken for one with a chance of 3 in 10^8
_ANSWER_WITHIN_S: Final = 2.0
_MADE_AGAIN_WITHIN: Final = timedelta(seconds=5)
"""Longer than Envoy takes to make its log again after it was told to."""
_FAILED_FROM: Final = 500


@dataclass(slots=True)
class _Seen:
    """What is known of one target: when each hashed person last met each cluster, and their trouble."""

    counts: UserCounts
    people: dict[str, dict[bytes, datetime]] = field(default_factory=dict)
    read_bytes: int = 0  # of the log that was taken away
    is_complete: bool = False  # whether Envoy was told to let go of it
    let_go_at: datetime | None = None  # when it was


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """One line of the log."""

    cluster: str
    person: str
    at: datetime
    code: int


class EnvoyUsers:
    """
    Counts people by the logs of the managed Envoys below *root*.

    One for a process: reading a log takes it away from every other reader. *interval* is how long one
    person's trouble counts once.
    """

    def __init__(
        self, root: Path, clock: Clock, *, interval: timedelta = timedelta(seconds=10)
    ) -> None:
        self._root = root.resolve()
        self._clock = clock
        self._interval = interval
        self._key = secrets.token_bytes(_KEY_BYTES)
        self._seen: dict[TargetName, _Seen] = {}

    async def read(self, target: TargetName) -> None:
        """
        Take in what Envoy has logged since the last time, and remove it from disk.

        Raises:
            SignalSourceError: the log can't be read.
        """
        proxy = proxy_of(self._root, target, "{}")
        assert proxy.folder is not None, "a bare target's Envoy is managed"
        log, taken = proxy.folder / "access.log", proxy.folder / "access.log.taken"
        seen = self._seen_at(target)
        now = self._clock.now()
        try:
            if _is_lost(log, taken, seen, now):
                seen.counts.lose()
                seen.is_complete, seen.let_go_at = await _reopen_log(proxy), now
                return
            if log.exists() or taken.exists():
                seen.counts.begin(now)
            self._take_in(taken, seen)
            if seen.is_complete:
                taken.unlink(missing_ok=True)
                seen.read_bytes, seen.is_complete = 0, False
            if not taken.exists() and log.exists() and log.stat().st_size > 0:
                log.replace(taken)
                self._take_in(taken, seen)
            if taken.exists():
                # From then on Envoy writes to a new one. What it is writing now is read next time.
                seen.is_complete = await _reopen_log(proxy)
                seen.let_go_at = now
            seen.counts.close(now)
        except OSError as exc:
            raise SignalSourceError(
                f"the access log of {target} can't be read: {exc}",
                hint="Check the owner and mode of the folder.",
            ) from exc

    def count(self, target: TargetName, service: ServiceName, pool: str, since: datetime) -> int:
        """Return how many different people *pool* served at *since* or later, as far as read."""
        people = self._seen_at(target).people.get(cluster_name(service, pool), {})
        return sum(1 for last in people.values() if last >= since)

    async def counts(self, target: TargetName, clusters: Sequence[str]) -> PeopleCounts | None:
        """
        Read the log of *target*; return how many people each cluster served and failed, None if unknown.

        Raises:
            SignalSourceError: the log can't be read.
        """
        await self.read(target)
        return self._seen_at(target).counts.of(clusters)

    async def people(
        self, placement: Placement, arms: Mapping[Arm, ArmLabels], since: datetime
    ) -> Mapping[Arm, int]:
        """Return how many different people each arm has served; see the port."""
        await self.read(placement.target)
        return {
            arm: self.count(placement.target, placement.service, labels["cluster"], since)
            for arm, labels in arms.items()
            if "cluster" in labels
        }

    def forget(self, target: TargetName, service: ServiceName, pool: str) -> None:
        """Drop everybody who met *pool*, once its rollout is over."""
        seen = self._seen_at(target)
        seen.people.pop(cluster_name(service, pool), None)
        seen.counts.forget(cluster_name(service, pool))

    def _seen_at(self, target: TargetName) -> _Seen:
        return self._seen.setdefault(target, _Seen(counts=UserCounts(self._interval)))

    def _take_in(self, path: Path, seen: _Seen) -> None:
        for line in _whole_lines(path, seen):
            entry = _entry(line)
            if entry is None:
                continue
            key = self._key
            hashed = blake2b(entry.person.encode(), digest_size=_HASH_BYTES, key=key).digest()
            people = seen.people.setdefault(entry.cluster, {})
            people[hashed] = max(entry.at, people.get(hashed, entry.at))
            if entry.code:
                # Without a status the user went away first: nobody failed them.
                failed = entry.code >= _FAILED_FROM
                seen.counts.met(entry.cluster, hashed, entry.at, failed=failed)


def _is_lost(log: Path, taken: Path, seen: _Seen, now: datetime) -> bool:
    """Return whether there is no log where Envoy must have made one by now."""
    if log.exists() or (taken.exists() and not seen.is_complete):
        return False
    return seen.let_go_at is None or now - seen.let_go_at > _MADE_AGAIN_WITHIN


def _whole_lines(path: Path, seen: _Seen) -> Iterator[bytes]:
    """Give the lines of *path* that were completed since the last time."""
    try:
        with path.open("rb") as file:
            file.seek(seen.read_bytes)
            content = file.read()
    except FileNotFoundError:
        return
    whole = content[: content.rfind(b"\n") + 1]
    seen.read_bytes += len(whole)
    yield from whole.splitlines()


def _entry(line: bytes) -> _Entry | None:
    """Return what a line of the log says; None for one that names nobody."""
    try:
        fields: dict[str, Any] = json.loads(line)
        person = fields["user"] or fields["request"]
        if not person or not fields["cluster"]:
            return None
        return _Entry(
            cluster=str(fields["cluster"]),
            person=str(person),
            at=datetime.fromisoformat(fields["time"]),
            code=int(fields["code"] or 0),
        )
    except (ValueError, KeyError, TypeError):
        return None  # a line cut short by a full disk or a kill; the people in it are met again


async def _reopen_log(proxy: Proxy) -> bool:
    """Tell Envoy to write to a new log; return whether it heard."""
    try:
        async with open_admin(proxy.admin, answer_within_s=_ANSWER_WITHIN_S) as admin:
            await admin.post("/reopen_logs")
    except EnvoyAdminError:
        return False  # it may come back with the old one open, or start with a new one: ask again
    return True
