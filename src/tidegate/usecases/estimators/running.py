"""
What every estimator works on: the counts of a tick, and the running tests of one signal.

Only data is here. `sequential` sends each signal to the file that knows its kind; what a number means
is said where it is computed, in `stats`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple, TypeAlias

from tidegate.domain.health.readings import ArmTick
from tidegate.domain.plan.model import SignalKind, SignalSpec
from tidegate.domain.quantities import FULL_WEIGHT_BPS
from tidegate.stats.bounds import ExcessBoundState, RatioBoundState
from tidegate.stats.difference import DifferenceState
from tidegate.stats.harm import HarmState
from tidegate.stats.history import HistoryState
from tidegate.stats.latency_family import FamilyState
from tidegate.stats.members import MembersState
from tidegate.stats.placebo import PlaceboState
from tidegate.stats.safe import RatioState
from tidegate.stats.traffic import TrafficState

HARM_MARGIN_ERRORS = 1.1
"""Ratios up to this are no harm: below it, members of one version differ from each other too."""

HARM_MARGIN_LATENCY = 1.05
"""The same for how often an edge is exceeded. Slowdowns move that little at the median, and a wider
margin would hide a tail that's a fifth slower."""

WARM_UP_MARGIN = 2.0
"""While caches are cold only a ratio beyond this is harm, for less good events its reciprocal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stratum:
    """
    What one placement did in one tick, in one group of it (a zone, or all of it).

    `weight_bps` is the share that was assigned to the candidate; 10,000 means that nothing ran beside
    it and only the weak comparison is possible.
    """

    placement: str
    weight_bps: int
    candidate: ArmTick
    baseline: ArmTick
    bounds: tuple[float, ...] = ()
    group: str = ""

    @property
    def is_beside(self) -> bool:
        """Whether a baseline ran beside the candidate."""
        return self.weight_bps < FULL_WEIGHT_BPS

    @property
    def assigned(self) -> float:
        """The candidate's assigned share, as a fraction."""
        return self.weight_bps / FULL_WEIGHT_BPS


HarmTest: TypeAlias = HarmState | PlaceboState | FamilyState | TrafficState
SafeTest: TypeAlias = DifferenceState | RatioState
Bound: TypeAlias = ExcessBoundState | RatioBoundState


@dataclass(frozen=True, slots=True, kw_only=True)
class Tests:
    """
    The running tests of one signal of one rollout, each a batch of one stream.

    `harm`, `weak` and `siblings` run since the attempt began, `safe` and `bound` since the phase began.
    `weak` compares with the baseline's own past, `siblings` with the baselines of other targets; both are
    None until something ran without a baseline beside it. `past_*` are the baseline's counts since
    the attempt began, `past_requests` the requests that its `past_total` good events came from (usage).

    `edge` is the latency that counts as slow, None until the baseline has shown what it is;
    `edge_ratio` is how much more often it would be exceeded if all took longer by the tolerance. Both
    were learned from `past_buckets`, counts between `past_bounds`. `members` are the tests of a saturation
    signal by target and zone, in the order they were first seen. `value` is the last one of a limit.
    `renewals` and `kept` are those of proofs that trouble has spoilt in this phase, see `stats.renewal`.
    """

    kind: SignalKind
    harm: HarmTest | None = None
    weak: HistoryState | None = None
    siblings: HarmState | None = None
    safe: SafeTest | None = None
    bound: Bound | None = None
    past_bad: int = 0
    past_total: int = 0
    past_requests: int = 0
    past_buckets: tuple[int, ...] = ()
    past_bounds: tuple[float, ...] = ()
    edge: float | None = None
    edge_ratio: float = 1.0
    members: tuple[tuple[str, MembersState], ...] = ()
    value: float | None = None
    renewals: int = 0
    kept: float = 0.0


class Entry(NamedTuple):
    """
    One signal in one tick.

    It ended at `at`. `starting` is whether an hour or a phase begins with it, `lasted` how long ago the tick
    before it was, or the phase began, and `warm` whether the phase is still warming up. `troubled` is
    whether both arms were in trouble before it: then nothing is proven, and nothing is held against the past.
    `requests` holds the requests of candidate and baseline by placement and group, for signals that
    don't count them themselves.
    """

    tests: Tests
    spec: SignalSpec
    strata: tuple[Stratum, ...]
    at: datetime
    starting: bool
    lasted: timedelta
    warm: bool = False
    requests: Mapping[tuple[str, str], tuple[int, int]] = {}
    troubled: bool = False

    @property
    def proves(self) -> bool:
        """Whether what is seen in this tick may be proof of safety."""
        return not (self.warm or self.troubled)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """One stratum reduced to what the tests count: bad (or good, for usage) events and exposure."""

    candidate_events: int
    candidate_total: int
    baseline_events: int
    baseline_total: int
    share: float


class Shown(NamedTuple):
    """What one tick adds to the counts that people see: all and bad (slow, high) of each arm."""

    candidate_total: int
    candidate_bad: int
    baseline_total: int
    baseline_bad: int


def shown_totals(strata: tuple[Stratum, ...]) -> Shown:
    """Return the totals and bad events of *strata* together."""
    return Shown(
        candidate_total=sum(stratum.candidate.total for stratum in strata),
        candidate_bad=sum(stratum.candidate.bad for stratum in strata),
        baseline_total=sum(stratum.baseline.total for stratum in strata),
        baseline_bad=sum(stratum.baseline.bad for stratum in strata),
    )
