"""
How fast a candidate is used: the measured pace of its phase, carried on by the hours of the week.

Only for what people are told of the time to come; a tick is counted when it comes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

from tidegate.domain.health.evidence import Evidence
from tidegate.domain.plan.model import Counting, SignalKind
from tidegate.domain.plan.traffic import (
    Split,
    TrafficHour,
    profile_of,
    served,
    time_to_serve,
)
from tidegate.domain.quantities import FULL_WEIGHT_BPS, TargetName
from tidegate.domain.rollout.model import Rollout
from tidegate.usecases.forecast import LONGEST
from tidegate.usecases.traffic import ENOUGH_HOURS


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """
    How fast the candidate is used: `per_second` in this phase so far, and by hour of the week.

    `splits` is empty where too little of the week is known. `scale` is how much busier than usual the
    phase has been, `seconds` how long it was watched.
    """

    per_second: float
    splits: tuple[Split, ...]
    scale: float
    at: datetime
    seconds: float

    def until(self, requests: float) -> timedelta | None:
        """Return how long the candidate takes to serve so many requests more, None for too long."""
        if requests <= 0.0:
            return timedelta(0)
        if self.splits and self.scale > 0.0:
            return time_to_serve(self.splits, requests / self.scale, self.at, LONGEST)
        if self.per_second <= 0.0 or requests / self.per_second > LONGEST.total_seconds():
            return None
        return timedelta(seconds=requests / self.per_second)


def shares_of(rollout: Rollout, phase_index: int) -> dict[TargetName, float]:
    """Return the candidate's share on every target whose users meet it in the phase."""
    shares: dict[TargetName, float] = {}
    for placement, exposure in rollout.plan.exposure_within(phase_index).items():
        share = exposure.weight_bps / FULL_WEIGHT_BPS
        if share > 0.0:
            shares[placement.target] = max(share, shares.get(placement.target, 0.0))
    return shares


def planned_share(shares: dict[TargetName, float]) -> float | None:
    """Return the share that was assigned where both arms are served, None where they nowhere are."""
    beside = [share for share in shares.values() if share < 1.0]
    return sum(beside) / len(beside) if beside else None


def pace_of(
    rollout: Rollout,
    evidence: Evidence,
    shares: dict[TargetName, float],
    hours: Sequence[TrafficHour],
    now: datetime,
) -> Pace:
    """
    Return how fast the candidate of *rollout* is used in the phase that *evidence* is of.

    *shares* are the candidate's by target, *hours* past traffic of the service by target and time.
    """
    began, length = _watched(rollout, evidence)
    requests = requests_of(evidence)
    per_second = requests / length.total_seconds() if length > timedelta(0) else 0.0
    profiles = {
        target: profile_of(found) for target, found in groupby(hours, key=lambda one: one.target)
    }
    splits = []
    for target, share in shares.items():
        profile = profiles.get(target)
        if share < 1.0 and profile is not None and profile.hours_known >= ENOUGH_HOURS:
            splits.append(Split(profile=profile, share=share))
    beside = sum(1 for share in shares.values() if share < 1.0)
    usual = 0.0
    if began is not None and len(splits) == beside:
        usual = served(splits, began, length).candidate_requests
    return Pace(
        per_second=per_second,
        splits=tuple(splits) if usual > 0.0 else (),
        scale=requests / usual if usual > 0.0 else 0.0,
        at=now,
        seconds=length.total_seconds(),
    )


def _watched(rollout: Rollout, evidence: Evidence) -> tuple[datetime | None, timedelta]:
    """Return from when on, and how long, what the evidence counts was counted."""
    began, last = evidence.phase_began_at, evidence.last_tick_at
    if began is None or last is None:
        return None, timedelta(0)
    if not evidence.warming:
        began += rollout.plan.warm_up
    return began, max(timedelta(0), last - began)


def requests_of(evidence: Evidence) -> int:
    """Return the candidate's requests in the phase: of the signals that count requests."""
    counting = [
        signal.candidate_total
        for signal in evidence.signals
        if signal.kind in (SignalKind.TRAFFIC, SignalKind.LATENCY)
        or (signal.kind is SignalKind.ERRORS and signal.counting is Counting.EVENTS)
    ]
    return max(counting, default=0)
