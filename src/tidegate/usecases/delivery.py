"""
How a service delivers, in numbers: how often, how many of its changes fail, how long it takes to be back.

They are the five of DORA as far as what is on record carries them, each with the count that it rests on.
Rule: a number that few events would make isn't given (`None`): whoever shows it says "not enough yet" and
the counts. What isn't known here, as when a commit was made or when harm really began, isn't made up.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from tidegate.domain.quantities import RolloutId
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import Rollout
from tidegate.ports.store import LedgerEntry, Transaction
from tidegate.usecases.make_way import REPLACED_BY

WINDOW: Final = timedelta(days=28)
"""Whole weeks, so that no weekday counts twice."""

LEAST_WATCHED: Final = timedelta(days=7)
"""A frequency of less than a week says what day it is."""

LEAST_DEPLOYMENTS: Final = 5
"""Of four, one more failure moves the share by twenty percent points."""

LEAST_RECOVERIES: Final = 3
"""The middle of two is a guess."""

ENTRIES_READ: Final = 10_000

_ACTIVE: Final = frozenset({State.APPLYING.value, State.BAKING.value, State.HELD.value})
_STOPPED: Final = frozenset({State.HALTED.value, State.RECOVERING.value})
_FAILED: Final = frozenset(
    {
        State.HALTED,
        State.RECOVERING,
        State.ROLLED_BACK,
        State.ROLLED_FORWARD,
        State.ABANDONED,
    }
)


class Outcome(StrEnum):
    """What became of a change that users met."""

    STAYED = "stayed"
    FAILED = "failed"
    """It was stopped after users had met it and didn't complete, or was brought back afterwards."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """
    One change that users met, and that is decided.

    `at` is when it completed or was stopped. `took` is from its start to everyone, None for one that
    failed. `stopped_at` is when it was stopped or somebody asked for the way back, `back_at` when what was
    served before was served everywhere again; None while it isn't. `was_resumed` is whether it was halted
    on its way and completed all the same; `is_urgent` whether an emergency carried it.
    """

    rollout: RolloutId
    outcome: Outcome
    at: datetime
    took: timedelta | None = None
    stopped_at: datetime | None = None
    back_at: datetime | None = None
    was_resumed: bool = False
    is_urgent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """
    The numbers of the time from `since` to `until`.

    `per_week`, `failed_share`, `urgent_share`, `median_back` and `median_took` are None while too little
    is known to say them. `stopped_before_users` counts changes that were stopped before any user met them:
    they are in no other number. `not_back` counts failed ones whose way back isn't over.
    """

    since: datetime
    until: datetime
    deployments: int
    failed: int
    resumed: int
    urgent: int
    stopped_before_users: int
    recovered: int
    not_back: int
    per_week: float | None
    failed_share: float | None
    urgent_share: float | None
    median_back: timedelta | None
    median_took: timedelta | None


def delivery_of(transaction: Transaction, rollouts: Sequence[Rollout], now: datetime) -> Delivery:
    """
    Return how a service delivered in the last four weeks, or since the oldest of *rollouts*.

    Args:
        transaction: Where the moves of what was stopped are read.
        rollouts: The newest of one service that may be shown, newest first. Of a service with more of
            them in four weeks, fewer days are looked at.
        now: The end of the time.

    Raises:
        StoreError: the ledger can't be read.
    """
    since = _known_since(rollouts, now)
    found: list[Deployment] = []
    stopped_before_users = 0
    for rollout in rollouts:
        if not _is_decided(rollout) or _decided_at(rollout) < since:
            continue
        if rollout.state in _FAILED and not _met_users(transaction, rollout):
            stopped_before_users += 1
            continue
        found.append(_deployment(rollout, rollouts))
    return numbers_of(found, since=since, until=now, stopped_before_users=stopped_before_users)


def numbers_of(
    deployments: Sequence[Deployment],
    *,
    since: datetime,
    until: datetime,
    stopped_before_users: int = 0,
) -> Delivery:
    """
    Return the numbers that *deployments*, all of the time from *since* to *until*, amount to.

    Args:
        deployments: What users met, in any order.
        since: From when on all of them are known.
        until: The end of the time, not before *since*.
        stopped_before_users: How many changes were stopped before any user met them.
    """
    count = len(deployments)
    failed = [one for one in deployments if one.outcome is Outcome.FAILED]
    urgent = sum(one.is_urgent for one in deployments)
    backs = [
        one.back_at - one.stopped_at
        for one in failed
        if one.back_at is not None and one.stopped_at is not None
    ]
    tooks = [one.took for one in deployments if one.took is not None]
    watched = until - since
    enough = count >= LEAST_DEPLOYMENTS
    return Delivery(
        since=since,
        until=until,
        deployments=count,
        failed=len(failed),
        resumed=sum(one.was_resumed for one in deployments),
        urgent=urgent,
        stopped_before_users=stopped_before_users,
        recovered=len(backs),
        not_back=len(failed) - len(backs),
        per_week=count / (watched / timedelta(days=7)) if watched >= LEAST_WATCHED else None,
        failed_share=len(failed) / count if enough else None,
        urgent_share=urgent / count if enough else None,
        median_back=_middle(backs) if len(backs) >= LEAST_RECOVERIES else None,
        median_took=_middle(tooks) if len(tooks) >= LEAST_RECOVERIES else None,
    )


def _middle(lengths: Sequence[timedelta]) -> timedelta:
    """Return the median; of an even number the mean of the two in the middle."""
    ordered = sorted(lengths)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def _known_since(rollouts: Sequence[Rollout], now: datetime) -> datetime:
    """Return from when on everything is known: at most the window, at least since the oldest read."""
    if not rollouts:
        return now
    return max(now - WINDOW, min(one.created_at for one in rollouts))


def _is_decided(rollout: Rollout) -> bool:
    """Return whether *rollout* brought something new, and it is known what became of that."""
    if rollout.is_return or rollout.state is State.SUPERSEDED:
        return False
    # One that a newer change replaced says nothing of itself: neither that it was good nor that it failed.
    replaced = rollout.halt is not None and rollout.halt.because.startswith(REPLACED_BY)
    return not replaced and (rollout.state is State.COMPLETED or rollout.state in _FAILED)


def _decided_at(rollout: Rollout) -> datetime:
    if rollout.state is State.COMPLETED:
        return rollout.finished_at or rollout.state_since
    return rollout.halt.at if rollout.halt is not None else rollout.state_since


def _deployment(rollout: Rollout, others: Sequence[Rollout]) -> Deployment:
    at = _decided_at(rollout)
    returned = _return_of(rollout, others) if rollout.state is State.COMPLETED else None
    if rollout.state is State.COMPLETED and returned is None:
        return Deployment(
            rollout=rollout.id,
            outcome=Outcome.STAYED,
            at=at,
            took=at - rollout.created_at,
            was_resumed=rollout.attempt > 1,
            is_urgent=rollout.emergency_id is not None,
        )
    return Deployment(
        rollout=rollout.id,
        outcome=Outcome.FAILED,
        at=at,
        stopped_at=at if returned is None else returned.created_at,
        back_at=(rollout if returned is None else returned).finished_at,
        is_urgent=rollout.emergency_id is not None,
    )


def _return_of(completed: Rollout, others: Sequence[Rollout]) -> Rollout | None:
    """Return the way back from what *completed* brought, None where nobody asked for it."""
    brought = {part.to for part in completed.change.components}
    return next(
        (
            other
            for other in others
            if other.is_return
            and other.created_at >= _decided_at(completed)
            and any(version in brought for _, version in other.baselines)
        ),
        None,
    )


def _met_users(transaction: Transaction, rollout: Rollout) -> bool:
    """
    Return whether ordinary users met the candidate of a *rollout* that was stopped.

    They did where a phase before the present one served them, or the present one was being applied when
    it was stopped: then nobody knows that nobody did.
    """
    phases = rollout.plan.phases
    if any(phase.exposes_users for phase in phases[: rollout.phase_index]):
        return True
    if not rollout.phase.exposes_users:
        return False
    entries = transaction.ledger(rollout_id=rollout.id, limit=ENTRIES_READ)
    began = next(
        (done.at for done in rollout.passes if done.phase_index == rollout.phase_index - 1),
        rollout.created_at,
    )
    return any(_stops_what_is_served(entry) and entry.at >= began for entry in entries)


def _stops_what_is_served(entry: LedgerEntry) -> bool:
    return entry.state_before in _ACTIVE and entry.state_after in _STOPPED
