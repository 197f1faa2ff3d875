"""
The component port: one for all kinds of change. The engine knows no other way to move anything.

A driver puts versions of one component where they are served, and tells what is really served. It
never decides: it does what it is told, refuses what is late, and reports what it sees.

Promises every driver keeps (held by `testing.contracts.component`):

- Each method may be called again with the same arguments; the second call changes nothing.
- **Accepted is not applied.** `apply` returns when the target has taken note. `observe` tells what is
  served, by whom, with which digest; `settled` is true only when every member agrees.
- **Late is refused.** `apply` with a generation older than the target has seen, or at or below a
  latched stop, raises `StaleGenerationError` and changes nothing.
- **Withdraw always works.** It needs nothing but the placement; it brings ordinary and internal users
  back to the baseline, and no apply in flight can undo it.
- Nothing is lost: a change of exposure drops no request in flight.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from tidegate.domain.quantities import Arm, Environment, Exposure, Generation, Placement, Version

ArmLabels = Mapping[str, str]
"""What tells one arm's telemetry from the other's. Known keys: `version`, `digest`, `cluster` (the
proxy's name for the pool) and `members` (comma-separated host:port). Sources use those they know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """
    What one placement shall serve.

    `generation` orders assignments of a service on a target. `settings_json` is the component's own
    part of the resolved document, `target_settings_json` the target's, both canonical JSON.
    """

    placement: Placement
    candidate: Version
    baseline: Version
    exposure: Exposure
    generation: Generation
    environment: Environment
    settings_json: str
    target_settings_json: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One process, host or consumer that serves, with the digest it was seen to serve."""

    name: str
    arm: Arm
    digest: str
    ready: bool
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """
    What was observed at one placement.

    `generation` is read back from the target; 0 when nothing of ours was ever written there.
    `stopped_at_generation` is a latched stop: only a later generation opens it. `serving` is the
    version of the baseline arm, None when nothing is served. `settled` means that every member serves
    what the generation asked for; else `why_not` says what is missing. `trips` counts protective
    cut-offs of candidate members by the proxy (outlier ejections, open breakers) since it was applied.
    """

    placement: Placement
    exposure: Exposure
    generation: Generation
    settled: bool
    why_not: str
    serving: Version | None
    candidate: Version | None
    members: tuple[Member, ...] = ()
    arms: Mapping[Arm, ArmLabels] = field(default_factory=dict)
    stopped_at_generation: Generation | None = None
    trips: int = 0


class ComponentDriver(Protocol):
    """Moves one kind of component. Deadlines are the caller's."""

    async def resolve(self, version: str, settings_json: str) -> Version:
        """
        Return *version* with its digest, reading the artifact's source but changing nothing.

        Raises:
            VersionNotFoundError: there is no such version, or its digest isn't the one asked for
                (`NAME@sha256:…`).
        """
        ...

    async def apply(self, assignment: Assignment) -> None:
        """
        Start moving the placement to what *assignment* says; call again until `observe` is settled.

        Raises:
            StaleGenerationError: a newer generation, or a latched stop, is in force.
            WorkloadError, TrafficError: it can't be done now; nothing is half-applied.
        """
        ...

    async def observe(self, placement: Placement) -> Applied:
        """Return what *placement* serves now, seen at the target, never from memory."""
        ...

    async def withdraw(self, placement: Placement, generation: Generation | None) -> None:
        """
        Bring everyone back to the baseline at once, and latch the stop.

        With *generation* (issued by the store) the target moves to it. With None (the store can't be
        reached) the stop is latched above anything that can be in flight.
        """
        ...

    async def finish(self, placement: Placement, generation: Generation) -> None:
        """
        Let the candidate, which serves everyone, become the baseline; the old version stays warm.

        Raises:
            StaleGenerationError: *generation* isn't the one in force.
        """
        ...

    async def retire(self, placement: Placement) -> None:
        """
        Take away what serves nobody: an old version after its quarantine, or a withdrawn candidate.

        Requests in flight are drained first. Never touches an arm that has exposure.
        """
        ...
