"""
Names and numbers that every other module of the domain speaks in.

Ids are distinct types so that a target can't be passed where a service is meant. Weights are basis
points (hundredths of a percent, integers) so that shares add up exactly. What belongs to one subject
only (a phase, a signal) must not be here.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NewType

RolloutId = NewType("RolloutId", str)
ServiceName = NewType("ServiceName", str)
ComponentName = NewType("ComponentName", str)
TargetName = NewType("TargetName", str)
Generation = NewType("Generation", int)
"""Monotone per service and target, issued by the store, read back from the target. 0 = never written."""

FULL_WEIGHT_BPS: Final = 10_000


class Arm(StrEnum):
    """The two sides of every comparison."""

    CANDIDATE = "candidate"
    BASELINE = "baseline"


class Environment(StrEnum):
    """How much a target matters. Only production is bound by the hour rule and the two-group rule."""

    LAB = "lab"
    STAGING = "staging"
    PRODUCTION = "production"


@dataclass(frozen=True, slots=True, order=True, kw_only=True)
class Placement:
    """One component of one service on one target: the smallest thing that can be moved."""

    service: ServiceName
    component: ComponentName
    target: TargetName

    def __str__(self) -> str:
        return f"{self.service}/{self.component}@{self.target}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A version by name and by content. Two versions are the same exactly when their digests are."""

    name: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """
    Who meets the candidate: internal users or not, and which share of everyone.

    Exposures of one placement are ordered: `internal` opens first, then `weight_bps` grows.
    """

    internal: bool
    weight_bps: int

    def __post_init__(self) -> None:
        assert 0 <= self.weight_bps <= FULL_WEIGHT_BPS, (
            f"weight must be 0..{FULL_WEIGHT_BPS} basis points, got {self.weight_bps}"
        )

    def exceeds(self, other: "Exposure") -> bool:
        """Return whether anyone meets the candidate here who doesn't under *other*."""
        return (self.internal and not other.internal) or self.weight_bps > other.weight_bps

    def __str__(self) -> str:
        if self.weight_bps == 0:
            return "internal only" if self.internal else "nobody"
        return format_bps(self.weight_bps)


NO_EXPOSURE: Final = Exposure(internal=False, weight_bps=0)


def format_bps(weight_bps: int) -> str:
    """Return *weight_bps* as people write it: `5%`, `0.25%`."""
    text = f"{weight_bps / 100:.2f}".rstrip("0").rstrip(".")
    return f"{text}%"
