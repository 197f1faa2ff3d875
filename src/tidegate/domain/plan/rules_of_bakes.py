"""Rules about how long is watched before more people are exposed, and how often is looked."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from typing import Final

from tidegate.domain.durations import format_duration
from tidegate.domain.plan.findings import Flaw, Subject

SHORTEST_PRODUCTION_BAKE: Final = timedelta(hours=1)
"""Hours and days rather than minutes: what goes wrong slowly doesn't show in minutes."""
READINGS_PER_BAKE: Final = 2
"""Counts are differences, so a bake with one reading has measured nothing."""


def bakes_grow_between_rings(subject: Subject) -> Iterator[Flaw]:
    """Yield where a ring doesn't bake longer than the ring before, per component."""
    for component in subject.spec.components:
        for (_, before), (index, after) in pairwise(subject.phases_of(component.name)):
            if after.ring != before.ring and after.bake <= before.bake:
                yield Flaw(
                    message=f"phase {after.name} bakes {component.name} for "
                    f"{format_duration(after.bake)} in ring {after.ring}, after "
                    f"{format_duration(before.bake)} in ring {before.ring}",
                    fix=f"bake longer than {format_duration(before.bake)} there",
                    path=("plan", "phases", index, "bake"),
                )


def bakes_never_shrink_within_ring(subject: Subject) -> Iterator[Flaw]:
    """Yield where a phase bakes shorter than the one before it in the same ring, per component."""
    for component in subject.spec.components:
        for (_, before), (index, after) in pairwise(subject.phases_of(component.name)):
            if after.ring == before.ring and after.bake < before.bake:
                yield Flaw(
                    message=f"phase {after.name} bakes {component.name} for "
                    f"{format_duration(after.bake)}, after {format_duration(before.bake)} in the "
                    "phase before it",
                    fix=f"bake at least {format_duration(before.bake)} there",
                    path=("plan", "phases", index, "bake"),
                )


def production_bake_one_hour(subject: Subject) -> Iterator[Flaw]:
    """Yield phases that touch production and bake for less than an hour."""
    for index, phase in enumerate(subject.spec.plan.phases):
        if phase.bake < SHORTEST_PRODUCTION_BAKE and subject.touches_production(phase):
            yield Flaw(
                message=f"phase {phase.name} bakes for {format_duration(phase.bake)} in production",
                fix=f"bake at least {format_duration(SHORTEST_PRODUCTION_BAKE)}",
                path=("plan", "phases", index, "bake"),
            )


def bake_max_covers_bake(subject: Subject) -> Iterator[Flaw]:
    """Yield phases that give up before their bake is over."""
    for index, phase in enumerate(subject.spec.plan.phases):
        if phase.bake_max < phase.bake:
            yield Flaw(
                message=f"phase {phase.name} bakes for {format_duration(phase.bake)} but gives up "
                f"after {format_duration(phase.bake_max)}",
                fix=f"set bake_max to {format_duration(3 * phase.bake)}, or leave it out",
                path=("plan", "phases", index, "bake_max"),
            )


def warm_up_within_bakes(subject: Subject) -> Iterator[Flaw]:
    """Yield when a phase that exposes users would be over, by its bake, while it still warms up."""
    plan = subject.spec.plan
    bakes = [phase.bake for phase in plan.phases if phase.exposes_users]
    if bakes and plan.warm_up >= min(bakes):
        yield Flaw(
            message=f"phases warm up for {format_duration(plan.warm_up)}, but the shortest bake is "
            f"{format_duration(min(bakes))}",
            fix=f"set warm_up below {format_duration(min(bakes))}, or bake longer",
            path=("plan", "warm_up"),
        )


def clocks_in_order(subject: Subject) -> Iterator[Flaw]:
    """Yield where tick, staleness, halting without data and bakes don't fit one another."""
    plan = subject.spec.plan
    if plan.tick <= timedelta(0):
        yield Flaw(message="tick must be above 0s", fix="set it to 10s", path=("plan", "tick"))
        return
    if plan.apply_within <= timedelta(0):
        yield Flaw(
            message="apply_within must be above 0s",
            fix="set it to 10m",
            path=("plan", "apply_within"),
        )
    if plan.stale_after < plan.tick:
        yield Flaw(
            message=f"data is stale after {format_duration(plan.stale_after)} but read every "
            f"{format_duration(plan.tick)} only",
            fix=f"set stale_after to {format_duration(3 * plan.tick)}",
            path=("plan", "stale_after"),
        )
    if plan.no_data_halt_after < plan.stale_after:
        yield Flaw(
            message=f"it halts after {format_duration(plan.no_data_halt_after)} without data, but "
            f"data is stale only after {format_duration(plan.stale_after)}",
            fix="set no_data.halt_after above stale_after",
            path=("plan", "no_data_halt_after"),
        )
    for index, phase in enumerate(plan.phases):
        if phase.bake < READINGS_PER_BAKE * plan.tick:
            yield Flaw(
                message=f"phase {phase.name} bakes for {format_duration(phase.bake)}, shorter than "
                f"{READINGS_PER_BAKE} readings {format_duration(plan.tick)} apart",
                fix=f"bake at least {format_duration(READINGS_PER_BAKE * plan.tick)}, or read "
                "more often",
                path=("plan", "phases", index, "bake"),
            )


def quarantine_covers_last_bake(subject: Subject) -> Iterator[Flaw]:
    """Yield when production's old version goes away sooner than the last bake took."""
    plan = subject.spec.plan
    last = plan.phases[-1]
    if subject.touches_production(last) and plan.quarantine < last.bake:
        yield Flaw(
            message=f"the old version is kept warm for {format_duration(plan.quarantine)}, the "
            f"last bake takes {format_duration(last.bake)}",
            fix=f"keep it at least {format_duration(last.bake)}, or leave quarantine out",
            path=("plan", "quarantine"),
        )
