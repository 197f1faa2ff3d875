"""
How the simulated service is used when nothing is wrong: traffic by hour, errors, answer times, visits.

Everything here is an assumption, and is told to whoever reads a result. What a person knows better
(traffic, error rate) is given; the rest is plausible and fixed, so that results can be compared.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import pairwise, product
from typing import Final

from tidegate.domain.health.coverage import CELL_SEPARATOR
from tidegate.domain.plan.model import CoverageSpec, TargetSpec
from tidegate.domain.plan.traffic import (
    HOURS_OF_WEEK,
    ServiceTraffic,
    TrafficProfile,
    hour_of_week,
)
from tidegate.domain.quantities import Environment, TargetName
from tidegate.usecases.coverage import UTC_ZONE

ASSUMED_REQUESTS_PER_SECOND: Final = 100.0
ASSUMED_ERROR_RATE: Final = 0.001

DAY_SWING: Final = 0.4
"""Traffic goes this far above and below its mean in a day, most at 14:00 UTC."""

BUSIEST_HOUR: Final = 14

OUTSIDE_PRODUCTION: Final = 0.02
"""Traffic of a target that isn't in production, beside one that is."""

GOOD_EVENTS_PER_REQUEST: Final = 0.05
"""One request in twenty ends in what users came for."""

REQUESTS_PER_VISIT: Final = 10.0
"""A user sends so many requests while they are there: what turns requests hit into users hit."""

VALUE_SHARES: Final = (0.7, 0.25, 0.05)
"""How use is spread over the values of a label that coverage is asked for by."""

# fmt: off
LATENCY_BOUNDS_MS: Final = (
    5.0, 10.0, 25.0, 50.0, 75.0, 100.0, 150.0, 200.0, 250.0,
    300.0, 400.0, 500.0, 750.0, 1_000.0, 1_500.0, 2_500.0, 5_000.0, 10_000.0,
)
# fmt: on
_MEDIAN_MS: Final = 80.0
_SPREAD: Final = 0.8
SLOW_PART: Final = 0.1
"""The part of answers that a slower tail stretches."""


def assumptions(requests_per_second: float, *, replays: bool) -> list[str]:
    """Return in sentences what is assumed; *replays* is whether past rollouts are gone through."""
    sentences = [
        f"{requests_per_second:g} requests/s over all targets, {DAY_SWING:.0%} more by day and less by"
        f" night, {ASSUMED_ERROR_RATE:.1%} failing, {REQUESTS_PER_VISIT:g} requests a visit",
        "targets apply and people approve at once; nobody acts on a hold",
    ]
    if replays:
        sentences.append(
            "a recorded change does to any share of users what it did to those it had, and goes on as"
            " the recording ended"
        )
    return sentences


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetUsage:
    """How one target is used."""

    profile: TrafficProfile
    mean_requests_per_second: float

    def load(self, at: datetime) -> float:
        """Return the traffic at *at* by its weekly mean."""
        mean = self.mean_requests_per_second
        return self.profile.requests_per_second[hour_of_week(at)] / mean if mean else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """How a service is used: its targets, and how many good events a request brings, by signal."""

    targets: dict[TargetName, TargetUsage]
    events_per_request: dict[str, float]

    def good_events(self, signal: str) -> float:
        """Return how many events of the usage signal *signal* one request brings."""
        return self.events_per_request.get(signal, GOOD_EVENTS_PER_REQUEST)


def usage_of(traffic: ServiceTraffic) -> Usage:
    """Return *traffic* as the world draws from it."""
    return Usage(
        targets={
            name: TargetUsage(
                profile=profile,
                mean_requests_per_second=sum(profile.requests_per_second) / HOURS_OF_WEEK,
            )
            for name, profile in traffic.targets
        },
        events_per_request=dict(traffic.events_per_request),
    )


def assumed_traffic(
    targets: Sequence[TargetSpec],
    requests_per_second: float = ASSUMED_REQUESTS_PER_SECOND,
    error_rate: float = ASSUMED_ERROR_RATE,
) -> ServiceTraffic:
    """
    Return traffic with a plausible day, of *requests_per_second* on the mean.

    Targets in production share it equally; the others get little beside it.
    """
    production = [t for t in targets if t.environment is not Environment.STAGING]
    each = requests_per_second / max(1, len(production))
    shape = [1.0 + DAY_SWING * _day(hour % 24) for hour in range(HOURS_OF_WEEK)]
    profiles = []
    for target in targets:
        mean = each if target in production else each * OUTSIDE_PRODUCTION
        profile = TrafficProfile(
            requests_per_second=tuple(mean * part for part in shape),
            error_rate=(error_rate,) * HOURS_OF_WEEK,
            people_per_hour=None,
            hours_known=0,
        )
        profiles.append((target.name, profile))
    return ServiceTraffic(targets=tuple(profiles), source="assumed", assumed=True)


@lru_cache(maxsize=32)
def assumed_cells(spec: CoverageSpec) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """Return invented kinds of use for *spec* and their shares: three values of each label, all in UTC."""
    values = [
        ((UTC_ZONE, 1.0),)
        if label == spec.timezone_label
        else tuple((f"{label}-{rank}", share) for rank, share in enumerate(VALUE_SHARES, start=1))
        for label in spec.by
    ]
    cells = [
        (CELL_SEPARATOR.join(name for name, _ in cell), math.prod(share for _, share in cell))
        for cell in product(*values)
    ]
    return tuple(name for name, _ in cells), tuple(share for _, share in cells)


def latency_shares(slower: float) -> tuple[float, ...]:
    """
    Return how often an answer falls between two bounds, shape ``(len(LATENCY_BOUNDS_MS) + 1,)``.

    Answer times are log-normal; the slowest tenth takes *slower* times as long as when all is well.
    """
    below = [0.0, *(_answered_within(bound, slower) for bound in LATENCY_BOUNDS_MS), 1.0]
    return tuple(upper - lower for lower, upper in pairwise(below))


def _answered_within(bound_ms: float, slower: float) -> float:
    usual = _usually_within(bound_ms)
    begins = 1.0 - SLOW_PART
    if usual <= begins:
        return usual
    return max(begins, _usually_within(bound_ms / slower))


def _usually_within(bound_ms: float) -> float:
    return 0.5 * (1.0 + math.erf(math.log(bound_ms / _MEDIAN_MS) / (_SPREAD * math.sqrt(2.0))))


def _day(hour: int) -> float:
    return math.cos(2.0 * math.pi * (hour - BUSIEST_HOUR) / 24.0)
