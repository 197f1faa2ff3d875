"""
Which writes to a route are taken and which are too late: the same rules for every traffic driver.

Pure functions over what the data plane holds. Generations order the writes of one service on one
target. Reading and writing the data plane is each driver's own business and must not be here.
"""

from dataclasses import dataclass, replace
from typing import Final

from tidegate.domain.quantities import FULL_WEIGHT_BPS, Generation
from tidegate.errors import StaleGenerationError, TrafficError
from tidegate.ports.traffic import Pool, Split

IN_FLIGHT_BOUND: Final = 16
"""
How far a stop made without the store is latched above the newest generation that was seen.

The store issues a generation per write and waits for the target to follow it before the next rise,
so a target that shows N can have N + 1 in flight, and a few more when writes failed or were
retried. Sixteen leaves room; a larger number would cost nothing but readable generations.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteState:
    """What one route was last told: its split, and the stop that is latched against it, if any."""

    split: Split | None = None
    stopped_at_generation: Generation | None = None


def check_split(split: Split) -> None:
    """
    Refuse a split that can't be meant.

    Raises:
        TrafficError: the weight leaves 0..10,000, there is a weight but no candidate, two pools
            share a name, or requests would go to a pool without members.
    """
    hint = "Nothing was changed. This is a fault of the caller, please report it."
    if not 0 <= split.weight_bps <= FULL_WEIGHT_BPS:
        raise TrafficError(
            f"weight must be 0..{FULL_WEIGHT_BPS} basis points, got {split.weight_bps}", hint=hint
        )
    if split.candidate is None and is_exposed(split):
        raise TrafficError(
            f"generation {split.generation} exposes a candidate but has none", hint=hint
        )
    names = [pool.name for pool in pools_of(split)]
    if len(set(names)) != len(names):
        raise TrafficError(f"pools share a name: {', '.join(sorted(names))}", hint=hint)
    for pool in pools_in_use(split):
        if not pool.endpoints:
            raise TrafficError(f"pool {pool.name} has no members to send requests to", hint=hint)


def after_split(state: RouteState, split: Split) -> RouteState:
    """
    Return what *state* becomes by *split*; a later generation than the latched stop opens it.

    The generation in force may be written again: that's how a retry and a change of members come
    in. Under a latched stop it may only be written to tidy up, which is to say with nobody exposed
    and the same baseline, so that a withdrawn candidate can be taken away without asking the store.

    Raises:
        StaleGenerationError: *split* is older than what is in force, or latched out.
    """
    in_force = state.split.generation if state.split is not None else Generation(0)
    if split.generation < in_force:
        raise StaleGenerationError(
            f"generation {split.generation} is older than {in_force}, which is in force",
            hint="Read the split again and decide anew; a newer write has won.",
        )
    stopped_at = state.stopped_at_generation
    if stopped_at is None or split.generation > stopped_at:
        return RouteState(split=split)
    if _only_tidies(state, split):
        return replace(state, split=split)
    raise StaleGenerationError(
        f"generation {split.generation} is latched out by the stop at {stopped_at}",
        hint=f"The route was stopped. Only a generation above {stopped_at} opens it again.",
    )


def after_withdrawal(state: RouteState, generation: Generation | None) -> RouteState:
    """
    Return what *state* becomes when everyone goes back to the baseline.

    A withdrawal is never too late: one that comes after newer writes stops those as well, since it
    is always the safe direction. Without *generation* the latch lies `IN_FLIGHT_BOUND` above
    everything seen, once: asking again changes nothing.
    """
    split = state.split
    in_force = split.generation if split is not None else Generation(0)
    latched = state.stopped_at_generation or Generation(0)
    if generation is None:
        already = not is_exposed(split) and latched > in_force
        stop = latched if already else Generation(max(in_force, latched) + IN_FLIGHT_BOUND)
    else:
        stop = Generation(max(in_force, latched, generation))
        in_force = Generation(max(in_force, generation))
    withdrawn = (
        replace(split, generation=in_force, weight_bps=0, internal_open=False)
        if split is not None
        else None
    )
    return RouteState(split=withdrawn, stopped_at_generation=stop)


def is_exposed(split: Split | None) -> bool:
    """Return whether anyone, internal users included, meets the candidate under *split*."""
    return split is not None and (split.weight_bps > 0 or split.internal_open)


def pools_of(split: Split) -> tuple[Pool, ...]:
    """Return every pool of *split*: the baseline, the candidate if any, and those kept warm."""
    candidate = (split.candidate,) if split.candidate is not None else ()
    return (split.baseline, *candidate, *split.warm)


def pools_in_use(split: Split) -> tuple[Pool, ...]:
    """Return the pools that requests can reach under *split*."""
    if split.candidate is None or not is_exposed(split):
        return (split.baseline,)
    if split.weight_bps == FULL_WEIGHT_BPS:
        # Nobody meets the baseline: that it died is no reason not to be served by the candidate.
        return (split.candidate,)
    return (split.baseline, split.candidate)


def _only_tidies(state: RouteState, split: Split) -> bool:
    return (
        state.split is not None
        and split.generation == state.split.generation
        and split.baseline.name == state.split.baseline.name
        and not is_exposed(split)
    )
