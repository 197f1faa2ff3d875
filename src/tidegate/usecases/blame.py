"""
Whose change is it? Contrasts what each rollout exposes with what it doesn't, for every watched service.

A service's units are the arms of its targets. Its own rollout exposes one arm; a rollout of something it
needs, or of anything else on the same target, exposes both arms of that target by its weight. What only
grows where one of them is, and when it is, is that one's doing. Rollouts that expose the same units alike
can't be told apart from here, and it is said so.

Kept in memory and lost at a restart: naming a suspect puts nothing back and lets nothing through. What
was said is stored with the tick it was said in, so that a decision that repeats it can be replayed.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np

from tidegate.domain.durations import rough_duration
from tidegate.domain.health.trouble import Suspect, SuspectKind
from tidegate.domain.quantities import FULL_WEIGHT_BPS, Arm, RolloutId, ServiceName, TargetName
from tidegate.stats import blame

NEEDED_WEIGHT: Final = 1.0
"""How likely a rollout of the service itself or of something it needs is beforehand."""

BESIDE_WEIGHT: Final = 0.2
"""The same of one that only shares a target."""

MOST_BESIDE: Final = 8
"""So many of those that only share a target are weighed, the latest to move: the others are old news."""

HALF_LIFE: Final = timedelta(hours=1)
SLOW_HALF_LIVES: Final = (timedelta(hours=24), timedelta(hours=72))
SLOW_PARTS: Final = (0.25, 0.1)
"""A change is suspected less the longer ago it moved; some harm takes a day or three to show."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitCounts:
    """What one arm of one target did in this tick."""

    target: TargetName
    arm: Arm
    bad: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposing:
    """A rollout that exposes something now: to how much of which target, and since when."""

    rollout_id: RolloutId
    service: ServiceName
    change: str
    weights_bps: Mapping[TargetName, int]
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A watched service in this tick, what it needs (all the way down), and its error budget."""

    service: ServiceName
    rollout_id: RolloutId
    needs: frozenset[str]
    units: tuple[UnitCounts, ...]
    alpha: float


@dataclass(slots=True)
class _Contrast:
    """The running contrast of one service: its units and the rollouts that touch them."""

    units: tuple[tuple[TargetName, Arm], ...]
    rollouts: tuple[RolloutId, ...]
    state: blame.BlameState
    hour: int
    moved: dict[RolloutId, datetime]


class Blame:
    """The contrasts of all watched services of one process."""

    def __init__(self) -> None:
        self._contrasts: dict[RolloutId, _Contrast] = {}

    def look(
        self, measured: Sequence[Measured], exposing: Sequence[Exposing], now: datetime
    ) -> dict[RolloutId, tuple[Suspect, ...]]:
        """
        Take in one tick; return who may be behind trouble of each rollout's service, worst first.

        Its own rollout is weighed with the others and never listed: that is what the arms' own
        contrast is for.
        """
        index = self.begin(measured, exposing)
        return {one.rollout_id: self.suspects(one, index, now) for one in measured}

    def begin(self, measured: Sequence[Measured], exposing: Sequence[Exposing]) -> "Index":
        """Begin a look whose services are taken one by one with `suspects`; forget the other ones."""
        for gone in self._contrasts.keys() - {one.rollout_id for one in measured}:
            del self._contrasts[gone]
        return Index(exposing)

    def suspects(self, one: Measured, index: "Index", now: datetime) -> tuple[Suspect, ...]:
        """Take in one service of a look; return who may be behind its trouble, worst first."""
        targets = {unit.target for unit in one.units}
        touching = index.touching(one, targets)
        if not one.units or not touching:
            return ()
        # With nobody else under way it still learns how the units differ, for when somebody comes.
        contrast = self._contrast(one, touching, now)
        exposures = np.array([[_exposure(one, o, u) for u in one.units] for o in touching])
        hour = int(now.timestamp() // 3600)
        contrast.state = blame.update(
            contrast.state,
            [unit.bad for unit in one.units],
            exposures,
            [unit.total for unit in one.units],
            starting=np.array(
                [
                    hour != contrast.hour or contrast.moved.get(other.rollout_id) != other.since
                    for other in touching
                ]
            ),
        )
        contrast.hour = hour
        contrast.moved = {other.rollout_id: other.since for other in touching}
        weights = np.array([_topology(one, other, targets) for other in touching])
        weights /= weights.sum()
        proven = set(blame.blamed(contrast.state, weights, one.alpha)[:1])
        values = blame.log_e_values(contrast.state)
        found = [
            Suspect(
                kind=SuspectKind.ROLLOUT,
                name=f"{other.service} {other.change}",
                detail=_detail(other, now, alike=bool(np.ptp(exposures[place]) == 0.0)),
                strength=float(
                    values[place] + math.log(weights[place] * recency(now - other.since))
                ),
                proven=place in proven,
            )
            for place, other in enumerate(touching)
            if other.rollout_id != one.rollout_id
        ]
        return tuple(sorted(found, key=lambda s: (not s.proven, -s.strength, s.name)))

    def _contrast(self, one: Measured, touching: Sequence[Exposing], now: datetime) -> _Contrast:
        units = tuple((unit.target, unit.arm) for unit in one.units)
        rollouts = tuple(other.rollout_id for other in touching)
        kept = self._contrasts.get(one.rollout_id)
        if kept is None:
            made = _Contrast(
                units=units,
                rollouts=rollouts,
                state=blame.new(len(units), len(rollouts)),
                hour=int(now.timestamp() // 3600),
                moved={other.rollout_id: other.since for other in touching},
            )
            self._contrasts[one.rollout_id] = made
            return made
        if (kept.units, kept.rollouts) != (units, rollouts):
            kept.state = blame.rearranged(
                kept.state,
                [kept.units.index(unit) if unit in kept.units else None for unit in units],
                [kept.rollouts.index(id) if id in kept.rollouts else None for id in rollouts],
            )
            kept.units, kept.rollouts = units, rollouts
            for other in touching:
                kept.moved.setdefault(other.rollout_id, other.since)
        return kept


class Index:
    """Who exposes what, found by service and by target: a thousand rollouts may share one target."""

    def __init__(self, exposing: Sequence[Exposing]) -> None:
        self._by_service: dict[str, list[Exposing]] = {}
        self._by_target: dict[TargetName, list[Exposing]] = {}
        self._by_rollout = {one.rollout_id: one for one in exposing}
        for one in sorted(exposing, key=lambda one: (one.since, one.rollout_id), reverse=True):
            self._by_service.setdefault(one.service, []).append(one)
            for target in one.weights_bps:
                self._by_target.setdefault(target, []).append(one)

    def touching(self, one: Measured, targets: set[TargetName]) -> list[Exposing]:
        """Return what touches *one*'s service, by id: itself, what it needs, the latest beside it."""
        found = [other for name in one.needs for other in self._by_service.get(name, ())]
        for target in sorted(targets):
            found += self._by_target.get(target, ())[:MOST_BESIDE]
        own = self._by_rollout.get(one.rollout_id)
        if own is not None:
            found.append(own)
        return sorted({o.rollout_id: o for o in found}.values(), key=lambda o: o.rollout_id)


def _topology(one: Measured, other: Exposing, targets: set[TargetName]) -> float:
    if other.rollout_id == one.rollout_id or other.service in one.needs:
        return NEEDED_WEIGHT
    return BESIDE_WEIGHT if targets & other.weights_bps.keys() else 0.0


def _exposure(one: Measured, other: Exposing, unit: UnitCounts) -> float:
    if other.rollout_id == one.rollout_id:
        return 1.0 if unit.arm is Arm.CANDIDATE else 0.0
    if unit.target in other.weights_bps:
        return other.weights_bps[unit.target] / FULL_WEIGHT_BPS
    if not set(other.weights_bps) & {each.target for each in one.units}:
        # What is needed and stands elsewhere is needed from everywhere.
        return max(other.weights_bps.values(), default=0) / FULL_WEIGHT_BPS
    return 0.0


def recency(age: timedelta) -> float:
    """Return how much a change that moved *age* ago is suspected, 1 for one that moves now."""
    age = max(age, timedelta(0))
    slow = (
        part * math.pow(0.5, age / half_life)
        for part, half_life in zip(SLOW_PARTS, SLOW_HALF_LIVES, strict=True)
    )
    return max(math.pow(0.5, age / HALF_LIFE), *slow)


def _detail(other: Exposing, now: datetime, *, alike: bool) -> str:
    share = max(other.weights_bps.values(), default=0) / FULL_WEIGHT_BPS
    told = f"rollout {other.rollout_id}, at {share:.0%} for {rough_duration(now - other.since)}"
    return (
        f"{told}; it touches all of this alike, so it can't be proven from here" if alike else told
    )
