"""
Users and their requests, drawn from a seed: what a real service's counters would show.

Requests arrive at a rate, go to the arm that the target really serves them from, and fail or are slow
as often as that arm truly does. What the source of signals makes of it is another matter: it may lose
an arm, stop, repeat itself or tell nonsense. So the truth here is known, and what a rollout makes of
it can be judged.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

import numpy as np

from tidegate.domain.health.readings import Reading, SeriesCounts
from tidegate.domain.plan.model import Plan, SignalKind
from tidegate.domain.quantities import FULL_WEIGHT_BPS, Arm, Placement, Version
from tidegate.drivers.component.memory import MemoryComponent
from tidegate.drivers.signals.memory import MemorySignals
from tidegate.ports.signals import LIMIT_SERIES
from tidegate.usecases.watch_queries import EXERCISE

LATENCY_BOUNDS_MS: Final = (5.0, 10.0, 20.0, 50.0, 100.0, 200.0)
"""Bounds around which answers lie: a healthy one takes up to 20 ms, a slow one up to 200."""

_HEALTHY_SHARES: Final = (0.30, 0.40, 0.25, 0.04, 0.008, 0.0015, 0.0005)
"""How often an answer falls between two bounds; the last is everything beyond."""


class Fault(StrEnum):
    """What the source of signals may do to what was measured."""

    NONE = "none"
    GAP = "gap"
    """There is nothing."""
    NO_CANDIDATE = "no_candidate"
    """The candidate's series are absent."""
    NOT_A_NUMBER = "not_a_number"
    CONTRADICTORY = "contradictory"
    FROZEN = "frozen"
    """The last measurement is told again and again, with its time."""
    FUTURE = "future"
    """Measured, it says, in an hour."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """
    How a version truly behaves.

    `error_rate` is the share of requests that fail, `slow_rate` the share that takes longer than it
    would otherwise, `usage_rate` the share of requests that end in what users came for. `fullness` is how
    full its members are on average, as a share.
    """

    error_rate: float = 0.001
    slow_rate: float = 0.0
    usage_rate: float = 0.5
    fullness: float = 0.5


HEALTHY: Final = Behaviour()

MEMBERS: Final = 8
"""Members of each arm, as far as how full they are is concerned."""

_FULLNESS_SPREAD: Final = 0.05
"""How much members of one version differ from each other in a moment."""


@dataclass(slots=True)
class _Totals:
    requests: int = 0
    bad: int = 0
    used: int = 0
    buckets: tuple[int, ...] = (0,) * (len(LATENCY_BOUNDS_MS) + 1)


class Traffic:
    """
    The users of one service on all targets of *plan*.

    Args:
        plan: Says which placements and signals there are.
        component: What it really serves decides which arm a request goes to.
        signals: Where the counters are put.
        seed: Repeats the same users.
        requests_per_second: At each placement.
    """

    def __init__(
        self,
        plan: Plan,
        component: MemoryComponent,
        signals: MemorySignals,
        *,
        seed: int = 0,
        requests_per_second: float = 200.0,
    ) -> None:
        self._random = np.random.default_rng(seed)
        self._component = component
        self._signals = signals
        self._rate = requests_per_second
        self._placements = plan.placements()
        self._specs = {spec.name: spec for phase in plan.phases for spec in phase.signals}
        self._exercises = {spec.name for phase in plan.phases for spec in phase.exercises}
        self._totals: dict[tuple[Placement, str], _Totals] = {}
        self.behaviours: dict[str, Behaviour] = {}
        self.fault = Fault.NONE
        self.muted: set[str] = set()

    def behaves(self, version: Version, behaviour: Behaviour) -> None:
        """Let *version* behave so from now on; versions of which nothing was said are healthy."""
        self.behaviours[version.digest] = behaviour

    def pass_time(self, length: timedelta, *, now: datetime) -> None:
        """Let users come for *length*, and let the source measure at *now*."""
        for placement in self._placements:
            self._come(placement, length / timedelta(seconds=1))
            if self.fault is not Fault.FROZEN:
                self._measure(placement, now)

    def forget(self, placement: Placement) -> None:
        """Let every process at *placement* restart: its counters begin at zero."""
        for at, digest in list(self._totals):
            if at == placement:
                self._totals[at, digest] = _Totals()

    def _come(self, placement: Placement, seconds: float) -> None:
        served = self._component.served(placement)
        if served.baseline is None:
            return
        requests = int(self._random.poisson(self._rate * seconds))
        share = served.exposure.weight_bps / FULL_WEIGHT_BPS if served.candidate else 0.0
        to_candidate = int(self._random.binomial(requests, share))
        self._serve(placement, served.baseline, requests - to_candidate)
        if served.candidate is not None:
            self._serve(placement, served.candidate, to_candidate)

    def _serve(self, placement: Placement, version: Version, requests: int) -> None:
        totals = self._totals.setdefault((placement, version.digest), _Totals())
        behaviour = self.behaviours.get(version.digest, HEALTHY)
        draw = self._random
        totals.requests += requests
        totals.bad += int(draw.binomial(requests, behaviour.error_rate))
        totals.used += int(draw.binomial(requests, behaviour.usage_rate))
        slow = int(draw.binomial(requests, behaviour.slow_rate))
        quick = draw.multinomial(requests - slow, _HEALTHY_SHARES)
        totals.buckets = tuple(
            int(before + new + (slow if index == len(quick) - 2 else 0))
            for index, (before, new) in enumerate(zip(totals.buckets, quick, strict=True))
        )

    def _measure(self, placement: Placement, now: datetime) -> None:
        for name, spec in self._specs.items():
            self._put(placement, name, self._reading(placement, spec.kind, now))
        for name in self._exercises:
            self._put(
                placement, f"{EXERCISE}{name}", self._reading(placement, SignalKind.USAGE, now)
            )

    def _put(self, placement: Placement, name: str, reading: Reading) -> None:
        if name in self.muted:
            self._signals.put(placement, name, None)
        else:
            self._signals.put(placement, name, _as_told(reading, self.fault))

    def _reading(self, placement: Placement, kind: SignalKind, now: datetime) -> Reading:
        if kind is SignalKind.LIMIT:
            # What a target has in reserve isn't what these worlds are about: it never runs out.
            value = SeriesCounts(total=0.0, gauge=0.0)
            return Reading(at=now, arms={Arm.CANDIDATE: {LIMIT_SERIES: value}})
        served = self._component.served(placement)
        arms: dict[Arm, dict[str, SeriesCounts]] = {}
        for arm, version in ((Arm.BASELINE, served.baseline), (Arm.CANDIDATE, served.candidate)):
            if version is not None:
                arms[arm] = self._series(placement, version, kind)
        bounds = LATENCY_BOUNDS_MS if kind is SignalKind.LATENCY else ()
        return Reading(at=now, arms=arms, bounds=bounds)

    def _series(
        self, placement: Placement, version: Version, kind: SignalKind
    ) -> dict[str, SeriesCounts]:
        if kind is SignalKind.SATURATION:
            mean = self.behaviours.get(version.digest, HEALTHY).fullness
            values = self._random.normal(mean, _FULLNESS_SPREAD, MEMBERS)
            return {
                f"{version.name}-{number}": SeriesCounts(total=0.0, gauge=float(value))
                for number, value in enumerate(values)
            }
        totals = self._totals.setdefault((placement, version.digest), _Totals())
        return {version.name: _counts(totals, kind)}


def _counts(totals: _Totals, kind: SignalKind) -> SeriesCounts:
    match kind:
        case SignalKind.USAGE:
            return SeriesCounts(total=float(totals.used))
        case SignalKind.LATENCY:
            return SeriesCounts(
                total=float(totals.requests), buckets=tuple(map(float, totals.buckets))
            )
        case _:
            return SeriesCounts(total=float(totals.requests), bad=float(totals.bad))


def _as_told(reading: Reading, fault: Fault) -> Reading | None:
    match fault:
        case Fault.GAP:
            return None
        case Fault.NO_CANDIDATE:
            return replace(reading, arms={Arm.BASELINE: reading.arms.get(Arm.BASELINE, {})})
        case Fault.NOT_A_NUMBER:
            return _with_counts(reading, SeriesCounts(total=float("nan"), bad=0.0))
        case Fault.CONTRADICTORY:
            return _with_counts(reading, SeriesCounts(total=1.0, bad=2.0))
        case Fault.FUTURE:
            return replace(reading, at=reading.at + timedelta(hours=1))
        case Fault.NONE | Fault.FROZEN:
            return reading


def _with_counts(reading: Reading, counts: SeriesCounts) -> Reading:
    arms = {arm: dict.fromkeys(series, counts) for arm, series in reading.arms.items()}
    return replace(reading, arms=arms)
