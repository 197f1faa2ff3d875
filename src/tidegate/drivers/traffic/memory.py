"""
The traffic driver without a proxy, for tests and simulation. It passes the same contract as the
others.

It holds what a data plane would hold, and can lag behind, lose members and be unreachable as one
does. Nothing here may be easier on a caller than a real proxy is.
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from hashlib import blake2b

from tidegate.domain.quantities import FULL_WEIGHT_BPS, Generation, ServiceName, TargetName
from tidegate.drivers.traffic.fencing import (
    RouteState,
    after_split,
    after_withdrawal,
    check_split,
    pools_in_use,
)
from tidegate.errors import TrafficError
from tidegate.ports.traffic import AppliedSplit, Pool, Route, Split


@dataclass(slots=True)
class _Kept:
    """One route: what it was told, what it still follows, and how many reads that lasts."""

    told: RouteState = field(default_factory=RouteState)
    followed: RouteState = field(default_factory=RouteState)
    reads_behind: int = 0
    trips: int = 0


class MemoryTraffic:
    """
    Keeps splits in memory.

    *lag_reads* is how many reads after a change still show what was followed before it.
    `unreachable` makes every call fail as a proxy that can't be asked does; `unhealthy` names pools
    without a healthy member.
    """

    def __init__(self, lag_reads: int = 0) -> None:
        assert lag_reads >= 0, f"lag_reads must be 0 or more, got {lag_reads}"
        self._lag_reads = lag_reads
        self._routes: dict[tuple[TargetName, ServiceName], _Kept] = {}
        self.unreachable = False
        self.unhealthy: AbstractSet[str] = frozenset()

    async def set_split(self, route: Route, split: Split) -> None:
        """Ask for *split*; see the port."""
        kept = self._kept(route)
        check_split(split)
        state = after_split(kept.told, split)
        if _candidate_name(state.split) != _candidate_name(kept.told.split):
            kept.trips = 0
        self._tell(kept, state)

    async def read_split(self, route: Route) -> AppliedSplit:
        """Return what is followed now; while that lags behind, it isn't ready."""
        kept = self._kept(route)
        if kept.reads_behind:
            kept.reads_behind -= 1
            why_not = "the last change isn't followed yet"
        else:
            kept.followed = kept.told
            why_not = self._why_not(kept.followed.split)
        return AppliedSplit(
            split=kept.followed.split,
            stopped_at_generation=kept.followed.stopped_at_generation,
            ready=not why_not,
            why_not=why_not,
            candidate_trips=kept.trips,
        )

    async def withdraw(self, route: Route, generation: Generation | None) -> None:
        """Send everyone to the baseline and latch the stop; see the port."""
        kept = self._kept(route)
        self._tell(kept, after_withdrawal(kept.told, generation))

    def serve(self, route: Route, user: str, *, internal: bool = False) -> Pool | None:
        """Return the pool that serves *user* by what was last told; None when unconfigured."""
        split = self._kept(route).told.split
        if split is None or split.candidate is None:
            return split.baseline if split is not None else None
        if internal and split.internal_open:
            return split.candidate
        return split.candidate if _bucket(user) < split.weight_bps else split.baseline

    def trip(self, route: Route, count: int = 1) -> None:
        """Count protective cut-offs of the candidate, as a proxy's outlier ejection would."""
        self._kept(route).trips += count

    def _kept(self, route: Route) -> _Kept:
        if self.unreachable:
            raise TrafficError(
                f"the traffic layer of {route.target} doesn't answer",
                hint="It goes on as it was. Try again.",
            )
        return self._routes.setdefault((route.target, route.service), _Kept())

    def _tell(self, kept: _Kept, state: RouteState) -> None:
        if state == kept.told:
            return
        kept.told = state
        kept.reads_behind = self._lag_reads

    def _why_not(self, split: Split | None) -> str:
        if split is None:
            return "no split was ever set"
        return next(
            (
                f"pool {pool.name} has no healthy member"
                for pool in pools_in_use(split)
                if pool.name in self.unhealthy
            ),
            "",
        )


def _candidate_name(split: Split | None) -> str | None:
    return split.candidate.name if split is not None and split.candidate is not None else None


def _bucket(user: str) -> int:
    digest = blake2b(user.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % FULL_WEIGHT_BPS
