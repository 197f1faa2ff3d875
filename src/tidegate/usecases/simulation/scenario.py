"""
What goes wrong in a simulated world, to whom, when and how much. Only the types and their arithmetic.

A scenario is a set of faults over a service that is otherwise well. A fault is a program in time: it
begins a while after the rollout began or after a target's users first met the candidate, grows to full
strength, and may end. Nothing here draws or decides; `world` draws what a scenario makes of traffic.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from tidegate.domain.quantities import TargetName
from tidegate.domain.rollout.machine import State
from tidegate.usecases.simulation.recording import Recording

FIRST_TARGET: Final = "first"
LAST_TARGET: Final = "last"
"""Targets of a fault by their place in the plan, where their names can't be known."""


WENT_WELL: Final = frozenset({State.COMPLETED.value, State.ROLLED_FORWARD.value})
"""How a recorded rollout ended when its change did no harm, as far as anybody knows."""


class Kind(StrEnum):
    """Where a scenario comes from; the words of `--against`."""

    INCIDENT = "incidents"
    FAULT = "faults"
    ROLLOUT = "rollouts"
    AA = "aa"


AA_FACTOR: Final = 10
"""A change without a fault is run so many times as often: what is counted there is rare."""


class Whom(StrEnum):
    """Who suffers from a fault."""

    CANDIDATE = "candidate"
    BOTH = "both"


class Since(StrEnum):
    """From when a fault's times count."""

    START = "start"
    """The rollout's beginning."""
    EXPOSURE = "exposure"
    """When the first user of the target met the candidate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """
    One thing that goes wrong.

    It begins `after` and has its full strength after `over` more; it is gone again after it `lasts`
    (None: never). It is there only at `target` (a name, `first`, `last`, or empty for all), only while
    traffic is above `load_above` times its weekly mean, and only where the candidate has at least
    `share_above_bps`.

    `errors` is the share of requests that fail in addition, of those that take the changed `path`, a
    share of all; `usage` a factor on the good events of the same. `slower` says how many times as long
    the slowest tenth of answers takes, `arrives` one on the requests that reach
    the candidate, `saturation` one on gauges such as memory; 1 changes nothing. `restarts_per_hour`
    counts cut-offs of members that the proxy sees. A `silent` candidate tells no signals.
    """

    whom: Whom = Whom.CANDIDATE
    since: Since = Since.EXPOSURE
    after: timedelta = timedelta(0)
    over: timedelta = timedelta(0)
    lasts: timedelta | None = None
    target: str = ""
    path: float = 1.0
    load_above: float = 0.0
    share_above_bps: int = 0
    errors: float = 0.0
    slower: float = 1.0
    usage: float = 1.0
    arrives: float = 1.0
    saturation: float = 1.0
    restarts_per_hour: float = 0.0
    silent: bool = False

    @property
    def is_of_the_change(self) -> bool:
        """Whether the change does it. What both suffer at a given time comes from elsewhere."""
        return self.whom is Whom.CANDIDATE or self.since is Since.EXPOSURE

    def concerns(self, target: TargetName, targets: Sequence[TargetName]) -> bool:
        """Return whether it can be at *target*, one of *targets* in the plan's order."""
        match self.target:
            case "":
                return True
            case one if one == FIRST_TARGET:
                return target == targets[0]
            case one if one == LAST_TARGET:
                return target == targets[-1]
            case name:
                return target == name

    def begins(self, start: datetime, exposed_since: datetime | None) -> datetime | None:
        """Return when it begins at a target, None while its users haven't met the candidate."""
        since = start if self.since is Since.START else exposed_since
        return None if since is None else since + self.after

    def strength(
        self, at: datetime, *, began: datetime | None, weight_bps: int, load: float
    ) -> float:
        """
        Return how much of it there is, 0 to 1.

        Args:
            at: The moment.
            began: What `begins` returned.
            weight_bps: The candidate's share at the target.
            load: Traffic by its weekly mean.
        """
        if began is None or at < began or load < self.load_above:
            return 0.0
        if weight_bps < self.share_above_bps or (self.is_of_the_change and weight_bps == 0):
            return 0.0
        if self.lasts is not None and at >= began + self.lasts:
            return 0.0
        return 1.0 if not self.over else min(1.0, (at - began) / self.over)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """
    What goes wrong, and how the service is used.

    `changed_path` is the share of requests that use what the change touches: what exercises count; 0
    where nobody does until the plan is through. `recording` is the past rollout that it repeats.
    """

    name: str
    title: str
    kind: Kind
    faults: tuple[Fault, ...] = ()
    text: str = ""
    expected: str = ""
    changed_path: float = 0.05
    recording: Recording | None = None

    @property
    def is_harmful(self) -> bool:
        """Whether the change does harm, so that a halt is right. A recorded one did if it was stopped."""
        if self.recording is not None:
            return self.recording.ended not in WENT_WELL
        return any(fault.is_of_the_change for fault in self.faults)

    def run_count(self, runs: int) -> int:
        """Return how often it is run where *runs* of each are asked for."""
        return runs * AA_FACTOR if self.kind is Kind.AA else runs


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What all faults together make of one arm of one target at one moment."""

    errors: float = 0.0
    slower: float = 1.0
    usage: float = 1.0
    saturation: float = 1.0


WELL: Final = Effect()


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """
    What one target is in at one moment.

    `hit` is how much of what the candidate's users suffer the change does, `hit_baseline` the same for
    the others.
    """

    candidate: Effect = WELL
    baseline: Effect = WELL
    hit: Effect = WELL
    hit_baseline: Effect = WELL
    arrives: float = 1.0
    restarts_per_hour: float = 0.0
    silent: bool = False


CALM: Final = Situation()


def situation(faults: Sequence[tuple[Fault, float]]) -> Situation:
    """Return what *faults*, each with its strength, come to together."""
    present = [(fault, strength) for fault, strength in faults if strength > 0.0]
    if not present:
        return CALM
    arrives, restarts = 1.0, 0.0
    for fault, strength in present:
        arrives *= 1.0 + (fault.arrives - 1.0) * strength
        restarts += fault.restarts_per_hour * strength
    both = [(fault, strength) for fault, strength in present if fault.whom is Whom.BOTH]
    return Situation(
        candidate=_together(present),
        baseline=_together(both),
        hit=_together([one for one in present if one[0].is_of_the_change]),
        hit_baseline=_together([one for one in both if one[0].is_of_the_change]),
        arrives=arrives,
        restarts_per_hour=restarts,
        silent=any(fault.silent for fault, _ in present),
    )


def _together(faults: Sequence[tuple[Fault, float]]) -> Effect:
    if not faults:
        return WELL
    served = slower = usage = saturation = 1.0
    for fault, strength in faults:
        served *= 1.0 - fault.errors * fault.path * strength
        slower *= 1.0 + (fault.slower - 1.0) * strength
        usage *= 1.0 + (fault.usage - 1.0) * fault.path * strength
        saturation *= 1.0 + (fault.saturation - 1.0) * strength
    return Effect(errors=1.0 - served, slower=slower, usage=usage, saturation=saturation)
