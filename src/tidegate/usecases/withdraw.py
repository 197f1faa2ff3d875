"""
Withdrawing: everyone back to the baseline, now. Used by whoever sees harm; never waits for a record.

Withdraw first, record second. The store is asked for generations because that orders the stop among
everything else; when it can't answer the stop is latched at the targets themselves.
"""

import asyncio
from collections.abc import Sequence

from tidegate.domain.quantities import Generation, Placement, TargetName
from tidegate.domain.rollout.model import Rollout
from tidegate.errors import StoreError, TidegateError
from tidegate.ports.store import Transaction
from tidegate.usecases.observe import placements_of_interest
from tidegate.usecases.outside import Outside

Generations = dict[TargetName, Generation]


class OvertakenError(Exception):
    """
    A rise was recorded after the generations of a withdrawal were issued: withdraw again, then record.

    Raised and handled inside a command. Recorded all the same, the stop would lie below that rise,
    which could still be on its way to a target. The same goes for a rollout that left its queue.
    """


def issue(
    transaction: Transaction,
    rollout: Rollout,
    placements: Sequence[Placement],
    *,
    above: int = 0,
) -> Generations:
    """Return a new generation for each target of *placements*, greater than *above*."""
    targets = dict.fromkeys(placement.target for placement in placements)
    return {
        target: transaction.issue_generation(rollout.service, target, above=above)
        for target in targets
    }


def with_generations(rollout: Rollout, issued: Generations) -> tuple[tuple[str, Generation], ...]:
    """Return *rollout*'s generations with the *issued* ones in their place."""
    latest: dict[str, Generation] = dict(rollout.generations)
    for target, generation in issued.items():
        latest[str(target)] = max(generation, rollout.generation_on(target))
    return tuple(sorted(latest.items()))


def stopped_below(rollout: Rollout, issued: Generations) -> tuple[tuple[str, Generation], ...]:
    """
    Return *rollout*'s generations with those of a withdrawal, if nothing can be above that on its way.

    Raises:
        OvertakenError: a newer generation was issued meanwhile, or the rollout has come to a target
            that wasn't withdrawn.
    """
    for placement in placements_of_interest(rollout):
        ours = issued.get(placement.target)
        if ours is None or ours < rollout.generation_on(placement.target):
            raise OvertakenError(placement)
    return with_generations(rollout, issued)


async def withdraw(
    outside: Outside, rollout: Rollout, placements: Sequence[Placement], *, above: int = 0
) -> tuple[Generations, tuple[str, ...]]:
    """
    Bring every one of *placements* back to the baseline, all at once.

    Returns:
        The generations that were issued (empty when the store couldn't), and for each placement
        that couldn't be reached a sentence that says so. Those stay to be withdrawn by `step`.
    """
    try:
        with outside.store.begin() as transaction:
            issued = issue(transaction, rollout, placements, above=above)
    except StoreError:
        issued = {}
    answers = await asyncio.gather(
        *(_withdraw_one(outside, rollout, place, issued.get(place.target)) for place in placements)
    )
    return issued, tuple(answer for answer in answers if answer)


async def _withdraw_one(
    outside: Outside, rollout: Rollout, placement: Placement, generation: Generation | None
) -> str:
    try:
        await outside.component(rollout, placement).withdraw(placement, generation)
    except TidegateError as exc:
        return f"{placement} couldn't be withdrawn: {exc.message}"
    return ""
