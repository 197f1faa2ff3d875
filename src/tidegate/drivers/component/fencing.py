"""
What each call does to a placement, and which calls are refused: the same rules for every component
driver.

Pure functions from what a target was told to what it is told next. A driver reads `Served` from its
target, asks here what it becomes, and makes the target so. How that is done must not be here.
"""

from dataclasses import dataclass, replace
from typing import Final

from tidegate.domain.quantities import (
    FULL_WEIGHT_BPS,
    NO_EXPOSURE,
    Exposure,
    Generation,
    Version,
)
from tidegate.errors import StaleGenerationError, WorkloadError
from tidegate.ports.component import Assignment

IN_FLIGHT_BOUND: Final = 16
"""
How far a stop made without the store is latched above the newest generation seen.

The store issues the next generation only after the target followed the last, so very few can be on
their way; see the same number of the traffic drivers.
"""


NEVER_WRITTEN: Final = Generation(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """
    What a placement was last told.

    `warm` are versions kept without traffic. `finished_at_generation` is the generation whose
    candidate became the baseline, so that a late repeat of that assignment is known as done.
    """

    generation: Generation = NEVER_WRITTEN
    stopped_at_generation: Generation | None = None
    exposure: Exposure = NO_EXPOSURE
    baseline: Version | None = None
    candidate: Version | None = None
    warm: tuple[Version, ...] = ()
    finished_at_generation: Generation | None = None


def after_apply(served: Served, assignment: Assignment) -> Served:
    """
    Return what *served* becomes by *assignment*.

    The first assignment of a placement, and any that only makes sure of the baseline, has the same
    version as candidate and baseline and exposes nobody. After `finish` the roles may be turned
    back: the former candidate as candidate again, the warm version as baseline.

    Raises:
        StaleGenerationError: a newer generation, another assignment of the same one, or a latched
            stop is in force.
        WorkloadError: the assignment doesn't start from what is served, so that applying it would
            move everyone at once.
    """
    refuse_late(assignment.generation, served)
    if assignment.generation == served.finished_at_generation:
        return served
    candidate, baseline = assignment.candidate, assignment.baseline
    alone = same(candidate, baseline)
    if alone and assignment.exposure != NO_EXPOSURE:
        raise WorkloadError(
            f"candidate and baseline of {assignment.placement} are the same, {candidate.digest}",
            hint="There is nothing to roll out: this version is what serves.",
        )
    if not _starts_from(served, assignment):
        serving = served.baseline.name if served.baseline else "nothing"
        raise WorkloadError(
            f"{assignment.placement} serves {serving}, not {baseline.name}",
            hint="Somebody changed what is served, or it was never set up. Plan the rollout again.",
        )
    told = Served(
        generation=assignment.generation,
        exposure=assignment.exposure,
        baseline=baseline,
        candidate=None if alone else candidate,
        warm=_warm(served, keep_out=(candidate, baseline)),
    )
    if assignment.generation == served.generation and _contradicts(told, served):
        raise StaleGenerationError(
            f"generation {served.generation} of {assignment.placement} was used for another "
            f"assignment, with exposure {served.exposure}",
            hint="Read what is served and decide anew; another write came first.",
        )
    return told


def after_withdrawal(served: Served, generation: Generation | None) -> Served:
    """
    Return what *served* becomes when everyone goes back to the baseline and the stop is latched.

    A withdrawal is never too late. Without *generation* the latch lies `IN_FLIGHT_BOUND` above
    everything seen, once: asking again changes nothing.
    """
    latched = served.stopped_at_generation or Generation(0)
    in_force = served.generation
    if generation is None:
        if served.exposure == NO_EXPOSURE and latched > in_force:
            return served
        stop = Generation(max(in_force, latched) + IN_FLIGHT_BOUND)
    else:
        in_force = Generation(max(in_force, generation))
        stop = Generation(max(in_force, latched))
    return replace(served, generation=in_force, exposure=NO_EXPOSURE, stopped_at_generation=stop)


def after_finish(served: Served, generation: Generation) -> Served:
    """
    Return what *served* becomes when the candidate, which serves everyone, is the new baseline.

    Raises:
        StaleGenerationError: *generation* isn't the one in force, or is latched out.
        WorkloadError: the candidate doesn't serve everyone.
    """
    if generation != served.generation or served.stopped_at_generation is not None:
        raise StaleGenerationError(
            f"generation {generation} can't be finished: {served.generation} is in force"
            + (", and stopped" if served.stopped_at_generation is not None else ""),
            hint="Read what is served and decide anew; a newer write has won.",
        )
    if served.finished_at_generation == generation:
        return served
    if served.candidate is None or served.exposure.weight_bps != FULL_WEIGHT_BPS:
        raise WorkloadError(
            f"the candidate can't become the baseline: it serves {served.exposure}",
            hint="Only a candidate that serves 100% can. Nothing was changed.",
        )
    assert served.baseline is not None, "a candidate never serves without a baseline"
    return replace(
        served,
        exposure=NO_EXPOSURE,
        baseline=served.candidate,
        candidate=None,
        warm=(served.baseline, *served.warm),
        finished_at_generation=generation,
    )


def after_retirement(served: Served) -> Served:
    """Return what *served* becomes when all that serves nobody is taken away."""
    exposed = served.exposure != NO_EXPOSURE
    return replace(served, warm=(), candidate=served.candidate if exposed else None)


def refuse_late(generation: Generation, served: Served) -> None:
    """
    Refuse a generation that is older than the one in force, or at or below a latched stop.

    Raises:
        StaleGenerationError: it is.
    """
    if generation < served.generation:
        raise StaleGenerationError(
            f"generation {generation} is older than {served.generation}, which is in force",
            hint="Read what is served and decide anew; a newer write has won.",
        )
    stopped_at = served.stopped_at_generation
    if stopped_at is not None and generation <= stopped_at:
        raise StaleGenerationError(
            f"generation {generation} is latched out by the stop at {stopped_at}",
            hint=f"The placement was stopped. Only a generation above {stopped_at} opens it again.",
        )


def same(one: Version | None, other: Version | None) -> bool:
    """Return whether two versions are the same: their digests decide, whatever their names."""
    return one is not None and other is not None and one.digest == other.digest


def _starts_from(served: Served, assignment: Assignment) -> bool:
    """Return whether *assignment* moves nobody but by its exposure, or back where they were."""
    if served.baseline is None:
        return same(assignment.candidate, assignment.baseline)
    if same(served.baseline, assignment.baseline):
        return True
    return same(served.baseline, assignment.candidate) and any(
        same(kept, assignment.baseline) for kept in (*served.warm, served.candidate)
    )


def _contradicts(told: Served, served: Served) -> bool:
    """Return whether the two can't both be what one generation said (retired arms aside)."""
    return (
        told.exposure != served.exposure
        or not same(told.baseline, served.baseline)
        or (served.candidate is not None and not same(told.candidate, served.candidate))
    )


def _warm(served: Served, *, keep_out: tuple[Version, ...]) -> tuple[Version, ...]:
    """Return the versions that stay warm: a candidate that was replaced joins them."""
    before = (*((served.candidate,) if served.candidate else ()), *served.warm)
    return tuple(kept for kept in before if not any(same(kept, used) for used in keep_out))
