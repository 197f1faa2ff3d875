"""
The simulated service: what both arms would have been seen to do, drawn from a seed.

Targets apply at once and sources tell the truth, but where a fault says otherwise. What is drawn are the
counts of one look: as many requests as are due, failing, slow or fruitless as often as the scenario has
it. The same look also tells what the change did to users, which no watch could know.

Whole looks are drawn, not requests: one binomial draw of a minute is what sixty of a second add up to.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple

import numpy as np

from tidegate.domain.health.coverage import CellCount
from tidegate.domain.plan.model import Phase, Plan
from tidegate.domain.plan.traffic import hour_of_week
from tidegate.domain.quantities import FULL_WEIGHT_BPS, TargetName
from tidegate.usecases.coverage import cell_counts
from tidegate.usecases.evidence import ExerciseInput, SignalInput
from tidegate.usecases.simulation.recording import Course, Rates, courses_of
from tidegate.usecases.simulation.scenario import (
    CALM,
    Effect,
    Fault,
    Scenario,
    Situation,
    situation,
)
from tidegate.usecases.simulation.telling import Drawn, Telling
from tidegate.usecases.simulation.usage import (
    GOOD_EVENTS_PER_REQUEST,
    REQUESTS_PER_VISIT,
    SLOW_PART,
    Usage,
    assumed_cells,
)

HOUR: Final = timedelta(hours=1)


class Tally(NamedTuple):
    """
    What the change did to users, as expected numbers: which of the candidate's requests failed by it.

    `hit` also counts slow answers and lost good events.
    """

    candidate_requests: float = 0.0
    failed: float = 0.0
    hit: float = 0.0
    users: float = 0.0

    def plus(self, other: "Tally") -> "Tally":
        """Return both together."""
        return Tally(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))


NOTHING: Final = Tally()


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One look at the world: what the watch would have read, and what only the world knows."""

    inputs: tuple[SignalInput, ...]
    exercises: tuple[ExerciseInput, ...]
    cells: tuple[CellCount, ...]
    trips: int
    tally: Tally
    fault_is_there: bool


class Change(NamedTuple):
    """When the world changes next, and whether a fault comes or goes then."""

    at: datetime
    is_event: bool


class World:
    """
    One service under one scenario.

    Args:
        plan: Says which targets and signals there are.
        scenario: What goes wrong.
        usage: How the service is used.
        random: Draws everything; the world owns it.
        start: When the rollout begins.
    """

    def __init__(
        self,
        plan: Plan,
        scenario: Scenario,
        usage: Usage,
        *,
        random: np.random.Generator,
        start: datetime,
    ) -> None:
        self._plan = plan
        self._scenario = scenario
        self._usage = usage
        self._random = random
        self._start = start
        self._targets = tuple(dict.fromkeys(place.target for place in plan.placements()))
        self._exposed_since: dict[TargetName, datetime] = {}
        self._telling = Telling(usage, random)
        self._courses = {} if scenario.recording is None else courses_of(scenario.recording)

    def expose(self, phase_index: int, at: datetime) -> None:
        """Take note that users meet the candidate where the phase *phase_index* exposes them."""
        for target in _weights(self._plan, phase_index):
            self._exposed_since.setdefault(target, at)

    def next_change(self, now: datetime) -> Change:
        """Return the next moment at which the world isn't what it is at *now*."""
        hour = _next_hour(now)
        events = [moment for moment in self._events() if moment > now]
        if self._load_matters(now, hour):
            events.append(hour)
        moments = [hour, *events]
        for target, since in self._exposed_since.items():
            course = self._course(target)
            if course is not None:
                moments.extend(since + begins for begins in course.begins if since + begins > now)
        at = min(moments)
        return Change(at=at, is_event=at in events)

    def _events(self) -> Iterator[datetime]:
        for fault in self._scenario.faults:
            for target in self._targets:
                if not fault.concerns(target, self._targets):
                    continue
                began = fault.begins(self._start, self._exposed_since.get(target))
                if began is not None:
                    yield began
                    if fault.lasts is not None:
                        yield began + fault.lasts

    def _load_matters(self, now: datetime, hour: datetime) -> bool:
        """Return whether traffic crosses what a fault waits for with the next *hour*."""
        return any(
            (usage.load(now) >= fault.load_above) != (usage.load(hour) >= fault.load_above)
            for fault in self._scenario.faults
            if fault.load_above > 0.0
            for usage in self._usage.targets.values()
        )

    def look(self, phase_index: int, begin: datetime, end: datetime) -> Look:
        """Return what happens from *begin* to *end* while the phase *phase_index* is in force."""
        phase = self._plan.phases[phase_index]
        drawn = [
            self._draw(target, weight_bps, begin, end)
            for target, weight_bps in _weights(self._plan, phase_index).items()
        ]
        inputs: tuple[SignalInput, ...] = ()
        if phase.exposes_users:
            inputs = tuple(self._telling.input(spec, drawn) for spec in phase.signals)
        used = sum(one.candidate for one in drawn)
        tally = NOTHING
        for one in drawn:
            tally = tally.plus(self._tally(one))
        return Look(
            inputs=inputs,
            exercises=tuple(
                ExerciseInput(
                    name=spec.name,
                    count=int(self._random.binomial(used, self._scenario.changed_path)),
                )
                for spec in phase.exercises
            ),
            cells=self._cells(phase, drawn, begin + (end - begin) / 2),
            trips=self._trips(drawn, end - begin),
            tally=tally,
            fault_is_there=any(one.here is not CALM or one.rates is not None for one in drawn),
        )

    # --- one target ----------------------------------------------------------------------------

    def _draw(self, target: TargetName, weight_bps: int, begin: datetime, end: datetime) -> Drawn:
        middle = begin + (end - begin) / 2
        here = self._situation(target, weight_bps, middle)
        rates = self._rates(target, middle)
        profile = self._usage.targets[target].profile
        hour = hour_of_week(middle)
        speed, error_rate = profile.requests_per_second[hour], profile.error_rate[hour]
        changed_rate = error_rate
        if rates is not None:
            speed = speed if rates.requests_per_second is None else rates.requests_per_second
            error_rate, changed_rate = rates.error_rate, rates.candidate_error_rate
        draw = self._random
        requests = int(draw.poisson(speed * (end - begin).total_seconds()))
        share = min(1.0, weight_bps / FULL_WEIGHT_BPS * here.arrives)
        candidate = int(draw.binomial(requests, share))
        baseline = 0 if weight_bps == FULL_WEIGHT_BPS else requests - candidate
        return Drawn(
            target=target,
            weight_bps=weight_bps,
            candidate=candidate,
            baseline=baseline,
            candidate_bad=int(draw.binomial(candidate, _failing(changed_rate, here.candidate))),
            baseline_bad=int(draw.binomial(baseline, _failing(error_rate, here.baseline))),
            here=here,
            rates=rates,
        )

    def _situation(self, target: TargetName, weight_bps: int, at: datetime) -> Situation:
        faults = self._scenario.faults
        if not faults:
            return CALM
        load = self._usage.targets[target].load(at)
        return situation(
            [
                (fault, self._strength(fault, target, weight_bps, at, load))
                for fault in faults
                if fault.concerns(target, self._targets)
            ]
        )

    def _strength(
        self, fault: Fault, target: TargetName, weight_bps: int, at: datetime, load: float
    ) -> float:
        began = fault.begins(self._start, self._exposed_since.get(target))
        return fault.strength(at, began=began, weight_bps=weight_bps, load=load)

    def _course(self, target: TargetName) -> Course | None:
        """Return the recorded course of *target*; of a target that wasn't recorded, another's."""
        if not self._courses:
            return None
        return self._courses.get(target) or next(iter(self._courses.values()))

    def _rates(self, target: TargetName, at: datetime) -> Rates | None:
        course = self._course(target)
        since = self._exposed_since.get(target)
        return None if course is None or since is None else course.at(at - since)

    def _cells(
        self, phase: Phase, drawn: Sequence[Drawn], middle: datetime
    ) -> tuple[CellCount, ...]:
        """Spread the use over invented kinds of it: which there really are can't be known here."""
        spec = phase.coverage
        if spec is None:
            return ()
        names, shares = assumed_cells(spec)
        candidate = self._random.multinomial(sum(one.candidate for one in drawn), shares)
        baseline = self._random.multinomial(sum(one.baseline for one in drawn), shares)
        counts = zip(names, candidate.tolist(), baseline.tolist(), strict=True)
        return cell_counts(spec, counts, at=middle, target_zone=None)

    def _trips(self, drawn: Sequence[Drawn], length: timedelta) -> int:
        expected = sum(one.here.restarts_per_hour for one in drawn if one.candidate) * length / HOUR
        return int(self._random.poisson(expected)) if expected else 0

    def _tally(self, one: Drawn) -> Tally:
        """Return what of it all is the change's doing."""
        hit = self._hit(one, one.here.hit, one.candidate)
        others = self._hit(one, one.here.hit_baseline, one.baseline)
        if one.rates is not None:
            excess = max(0.0, one.rates.candidate_error_rate - one.rates.error_rate)
            hit = hit.plus(_tally_of(one.candidate, one.candidate * excess, 0.0))
        return hit.plus(others)._replace(candidate_requests=float(one.candidate))

    def _hit(self, one: Drawn, effect: Effect, requests: int) -> Tally:
        failed = requests * effect.errors
        slow = requests * SLOW_PART if effect.slower > 1.0 else 0.0
        fruitless = requests * GOOD_EVENTS_PER_REQUEST * max(0.0, 1.0 - effect.usage)
        return _tally_of(requests, failed, slow + fruitless)


def _weights(plan: Plan, phase_index: int) -> Mapping[TargetName, int]:
    """Return the candidate's share where ordinary users meet it, by target in the plan's order."""
    weights: dict[TargetName, int] = {}
    for placement, exposure in plan.exposure_within(phase_index).items():
        if exposure.weight_bps > 0:
            before = weights.get(placement.target, 0)
            weights[placement.target] = max(before, exposure.weight_bps)
    return weights


def _next_hour(now: datetime) -> datetime:
    return now.replace(minute=0, second=0, microsecond=0) + HOUR


def _failing(error_rate: float, effect: Effect) -> float:
    return 1.0 - (1.0 - error_rate) * (1.0 - effect.errors)


def _tally_of(requests: int, failed: float, otherwise: float) -> Tally:
    if not requests or failed + otherwise <= 0.0:
        return NOTHING
    share = min(1.0, (failed + otherwise) / requests)
    spared = (1.0 - share) ** REQUESTS_PER_VISIT
    return Tally(
        failed=failed,
        hit=failed + otherwise,
        users=requests / REQUESTS_PER_VISIT * (1.0 - spared),
    )
