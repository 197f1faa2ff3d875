"""
The traffic port: sets and reads how a route's requests are split between two pools.

Drivers hold no state of their own: the data plane is the truth. Only one weight exists, the
candidate's; the baseline gets the rest, so weights can't fail to add up.

Promises every driver keeps (held by `testing.contracts.traffic`): calls may be repeated; a generation
older than the one in force, or at or below a latched stop, is refused with `StaleGenerationError`;
`read_split` reads back from the data plane; no request is lost by any change; as the weight grows no
user moves back; a weight is honoured to 0.01 %.
"""

from dataclasses import dataclass
from typing import Protocol

from tidegate.domain.quantities import Generation, ServiceName, TargetName


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where one member of a pool listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """
    The members that serve one version. `name` is unique per service and target as long as it lives.

    `digest` and `version` travel with the pool so that the data plane itself can say what it serves.
    """

    name: str
    version: str
    digest: str
    endpoints: tuple[Endpoint, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """
    One service's way in on one target.

    `listen` is where users connect. `sticky` names what keeps a user on one side: `cookie:NAME` or
    `header:NAME`. `internal` names what marks an internal user, `header:NAME=VALUE` or
    `cookie:NAME=VALUE`, or None. `target_settings_json` says which proxy it is (empty object: managed).
    """

    service: ServiceName
    target: TargetName
    listen: Endpoint
    sticky: str
    internal: str | None
    target_settings_json: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """
    Which pools a route has and how its requests are split.

    Without a candidate, `weight_bps` is 0 and `internal_open` false. `warm` pools are kept configured
    without traffic, for an instant return.
    """

    generation: Generation
    baseline: Pool
    candidate: Pool | None
    weight_bps: int
    internal_open: bool
    warm: tuple[Pool, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AppliedSplit:
    """
    What the data plane follows, read back from it.

    `ready` is true when the proxy runs this split and every pool in use has a healthy member; else
    `why_not` says what is missing. `split` is None when the proxy has never been configured.
    `candidate_trips` counts outlier ejections and breaker openings of the candidate pool.
    """

    split: Split | None
    stopped_at_generation: Generation | None
    ready: bool
    why_not: str
    candidate_trips: int


class TrafficDriver(Protocol):
    """Splits traffic. Deadlines are the caller's."""

    async def set_split(self, route: Route, split: Split) -> None:
        """
        Ask for *split*; returns when it is accepted, not when it is followed.

        Raises:
            StaleGenerationError: *split.generation* is older than the one in force, or latched out.
            TrafficError: the data plane refused it; what it followed before, it still follows.
        """
        ...

    async def read_split(self, route: Route) -> AppliedSplit:
        """Return what the data plane follows now. Raises TrafficError when it can't be asked."""
        ...

    async def withdraw(self, route: Route, generation: Generation | None) -> None:
        """
        Send everyone to the baseline at once, and latch the stop.

        With None, latches `stopped_at_generation` above anything the store can have issued without
        having seen the stop. Calling it again changes nothing.
        """
        ...
