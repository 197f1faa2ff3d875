"""
Past traffic as gates that judge it need it: the hours of the targets in question, and how much is known.

An hour counts by the part of it that was watched. A target of which nothing is known makes the whole
unknown: nobody may take the others for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from tidegate.domain.plan.traffic import HOUR, TrafficHour
from tidegate.domain.quantities import TargetName
from tidegate.ports.gate import GateQuestion

LEAST_WATCHED: Final = timedelta(minutes=10)
"""An hour of which less was seen tells no rate: a burst of a minute would be its peak."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PastTraffic:
    """
    What was seen of some targets since a time.

    `known` is the share of the time that was watched at the target of which least is known.
    """

    requests: int
    bad: int
    known: float
    unseen: tuple[TargetName, ...]


def past_traffic(question: GateQuestion, over: timedelta) -> PastTraffic:
    """Return what was seen of the targets in question in the last *over*."""
    hours = hours_since(question, question.now - over)
    watched = dict.fromkeys((target.name for target in question.targets), timedelta(0))
    for hour in hours:
        watched[hour.target] += min(hour.watched, HOUR)
    return PastTraffic(
        requests=sum(hour.requests for hour in hours),
        bad=sum(min(hour.bad, hour.requests) for hour in hours),
        known=min((seen / over for seen in watched.values()), default=0.0),
        unseen=tuple(name for name, seen in watched.items() if not seen),
    )


def peak_rates(question: GateQuestion, over: timedelta) -> dict[TargetName, float]:
    """Return the requests per second of the busiest hour of each target in the last *over*."""
    peaks: dict[TargetName, float] = {}
    for hour in hours_since(question, question.now - over):
        if hour.watched >= LEAST_WATCHED:
            rate = hour.requests / min(hour.watched, HOUR).total_seconds()
            peaks[hour.target] = max(rate, peaks.get(hour.target, 0.0))
    return peaks


def hours_since(question: GateQuestion, since: datetime) -> Sequence[TrafficHour]:
    """Return the hours of the targets in question that ended after *since* and have begun by now."""
    targets = {target.name for target in question.targets}
    return [
        hour
        for hour in question.known.hours
        if hour.target in targets and hour.hour + HOUR > since and hour.hour <= question.now
    ]
