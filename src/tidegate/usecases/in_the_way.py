"""
Whether a completed rollout is still what is served, so that it can be returned from; and if not, what came.

What is served decides, and not which rollout is the newest: one that never began, or went back to just these
versions, has changed nothing. Known from the record alone; what a target serves is looked at by the way back.
"""

from collections.abc import Sequence
from itertools import takewhile
from typing import Final

from tidegate.domain.quantities import Placement, Version
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import Rollout
from tidegate.ports.store import Transaction
from tidegate.usecases.served import has_begun

SEARCHED: Final = (20, 1_000)
"""
So many of a service's latest rollouts are gone through: few as a rule, more where those don't reach back far
enough. Beyond them nothing is taken for certain.
"""

_TAKEN_BACK: Final = frozenset({State.ROLLED_BACK, State.ABANDONED, State.SUPERSEDED})


def in_the_way(transaction: Transaction, completed: Rollout) -> Rollout | None:
    """
    Return the newest rollout because of which *completed* can't be returned from; None for none.

    In the way is what is under way or waits, what completed later and wasn't returned from itself, and what
    left a version served that isn't that of *completed*.
    """
    newer: list[Rollout] = []
    for limit in SEARCHED:
        newest = transaction.rollouts(service=completed.service, limit=limit)
        newer = list(takewhile(lambda one: one.id != completed.id, newest))
        if len(newer) < len(newest):
            break
    else:
        return newer[0]
    for index, one in enumerate(newer):
        if not one.is_final:
            return one
        if _went_through(one) and not any(_returned(late, one) for late in newer[:index]):
            return one
    begun = [one for one in newer if has_begun(one)]
    return next(
        (
            last
            for placement in completed.plan.placements()
            if (last := _last_at(begun, placement)) is not None
            and _left(last, placement) != completed.change.version_of(placement.component)
        ),
        None,
    )


def may_go_back(came: Rollout) -> bool:
    """Return whether what is in the way can itself be rolled back: it is under way, or it completed."""
    return not came.is_final or _went_through(came)


def _went_through(rollout: Rollout) -> bool:
    return rollout.is_final and not rollout.is_return and rollout.state not in _TAKEN_BACK


def _returned(later: Rollout, completed: Rollout) -> bool:
    """Return whether *later* is the way back from *completed*: it gave way everywhere to what was before."""
    if not (later.is_return and later.state is State.ROLLED_BACK):
        return False
    gave_way = dict(later.baselines)
    return all(
        gave_way.get(placement) == completed.change.version_of(placement.component)
        for placement in completed.plan.placements()
    )


def _last_at(begun: Sequence[Rollout], placement: Placement) -> Rollout | None:
    return next((one for one in begun if placement in one.plan.placements()), None)


def _left(rollout: Rollout, placement: Placement) -> Version | None:
    """Return what is served at *placement* since *rollout* is over; None where that isn't on record."""
    if rollout.is_return:
        is_back = rollout.state is State.ROLLED_BACK
        return rollout.change.version_of(placement.component) if is_back else None
    if rollout.state in _TAKEN_BACK:
        return dict(rollout.baselines).get(placement)
    return rollout.change.version_of(placement.component)
