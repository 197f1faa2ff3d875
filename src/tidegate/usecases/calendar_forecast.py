"""
What the calendar would do to a plan: when each phase may begin, what it waits for, and what to know of it.

The same windows and freezes that a decision reads, asked about days to come. Nothing is changed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from tidegate.domain.access.model import DEFAULT_ORGANISATION
from tidegate.domain.calendar.freezes import closer
from tidegate.domain.calendar.openings import SEARCHED, Closer, closed_at, opens_at
from tidegate.domain.calendar.windows import describe
from tidegate.domain.plan.findings import Finding, Severity
from tidegate.domain.plan.model import Phase, ServiceSpec, TargetSpec
from tidegate.domain.quantities import ServiceName
from tidegate.ports.store import Transaction
from tidegate.usecases.forecast import Forecast
from tidegate.usecases.freezes import freezes_over, place_of, target_of
from tidegate.usecases.outside import Outside
from tidegate.usecases.resources import resource_of_service
from tidegate.usecases.windows import (
    bound_targets,
    window_closers,
    working_day_missing,
    written_zone,
    zone_of,
)

WAITS: Final = "phase-waits-for-calendar"
"""The id of the finding about a phase that would be ready while the calendar is closed."""

NEVER_OPENS: Final = "calendar-opens"
"""The id of the finding about a phase for which no opening is in sight."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanCalendar:
    """The calendar of each phase of a service's plan, as it stands at `now`."""

    spec: ServiceSpec
    closers: tuple[tuple[Closer, ...], ...]
    now: datetime

    def opens_at(self, index: int, at: datetime) -> datetime | None:
        """Return when phase *index* may begin if it is ready *at*; None when no opening is in sight."""
        return opens_at(self.closers[index], at)

    def covered_at(self, index: int, began_at: datetime) -> datetime | None:
        """Return when a bake that *began_at* has had its working day; None where it needs or finds none."""
        phase = self.spec.plan.phases[index]
        if phase.working_day is None:
            return None
        targets = moved_targets(self.spec, phase)
        return working_day_missing(phase.working_day, targets, began_at, began_at)[1]

    def findings(self, foreseen: Forecast) -> Iterator[Finding]:
        """Yield which phases of *foreseen* would be ready while the calendar is closed."""
        ready = foreseen.begins_at
        for index, phase in enumerate(foreseen.phases):
            closed = closed_at(self.closers[index], ready)
            opens = self.opens_at(index, ready)
            because = "; ".join(one.because for one in closed)
            name = phase.phase.name
            if opens is None:
                yield Finding(
                    rule=NEVER_OPENS,
                    severity=Severity.WARNING,
                    message=f"{name} would wait for days without end: {because}; no opening within"
                    f" {SEARCHED.days} days",
                    fix="write windows that meet, or split the phase by time zone",
                    path=("plan", "phases", index),
                )
            elif closed:
                yield Finding(
                    rule=WAITS,
                    severity=Severity.WARNING,
                    message=f"{name} would be ready {_shown(ready)} and wait until {_shown(opens)}:"
                    f" {because}",
                    fix="start earlier or later, bake for another time, or let it wait",
                    path=("plan", "phases", index),
                )
            ready = phase.ends_at

    def notes(self) -> tuple[str, ...]:
        """Return what the windows of the plan are, and where they are taken to be."""
        found: dict[str, list[str]] = {}
        for phase in self.spec.plan.phases:
            for text in _window_notes(phase, moved_targets(self.spec, phase)):
                found.setdefault(text, []).append(phase.name)
        return tuple(f"{', '.join(names)}: {text}" for text, names in found.items())


def plan_calendar(outside: Outside, spec: ServiceSpec) -> PlanCalendar:
    """Return the calendar of the plan of *spec* as it stands now."""
    now = outside.clock.now()
    with outside.store.begin(read_only=True) as transaction:
        organisation = _organisation(transaction, spec.name)
        closers = tuple(
            _closers(transaction, spec, phase, organisation=organisation, now=now)
            for phase in spec.plan.phases
        )
    return PlanCalendar(spec=spec, closers=closers, now=now)


def moved_targets(spec: ServiceSpec, phase: Phase) -> list[TargetSpec]:
    """Return the targets that *phase* moves, in the order of its moves."""
    names = dict.fromkeys(move.placement.target for move in phase.moves)
    return [target_of(spec.targets, name) for name in names]


def _closers(
    transaction: Transaction, spec: ServiceSpec, phase: Phase, *, organisation: str, now: datetime
) -> tuple[Closer, ...]:
    targets = moved_targets(spec, phase)
    places = [place_of(spec.name, target) for target in targets]
    freezes = freezes_over(transaction, places, organisation=organisation, now=now)
    return (
        *(closer(freeze) for freeze in freezes),
        *window_closers(phase.window, targets),
    )


def _organisation(transaction: Transaction, service: ServiceName) -> str:
    known = resource_of_service(transaction, service)
    return DEFAULT_ORGANISATION if known is None else known.organisation


def _window_notes(phase: Phase, targets: list[TargetSpec]) -> Iterator[str]:
    if phase.working_day is not None:
        zones = dict.fromkeys(zone_of(target) for target in targets)
        hours = f"{describe(phase.working_day)} ({', '.join(zones)})"
        yield f"bakes until it has had a whole working day, {hours}"
    if phase.window is None:
        return
    bound = bound_targets(phase.window, targets)
    zones = dict.fromkeys(zone_of(target) for target in bound)
    yield f"begins only {describe(phase.window)} ({', '.join(zones)})"
    nowhere = [target.name for target in bound if written_zone(target.settings_json) is None]
    if nowhere:
        yield f"{', '.join(nowhere)} says no time zone, so its window is in UTC"


def _shown(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%a %d %b %H:%M UTC")
