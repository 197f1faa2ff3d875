"""
What of a service is served where: asked at the targets, beside what the record says was put there.

Only reads. A target that doesn't answer in time is unknown and says why: what was put there once is shown
as the record that it is, never as what is served. Whoever asks "is my change out?" is answered from what
was seen alone.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

from tidegate.domain.plan.model import ServiceSpec
from tidegate.domain.quantities import FULL_WEIGHT_BPS, Placement, Version
from tidegate.domain.rollout.decisions import Seen
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import Rollout
from tidegate.errors import TidegateError
from tidegate.ports.store import LastKnownGood, Transaction
from tidegate.usecases.observe import placements_of_interest, seen
from tidegate.usecases.outside import Outside

ANSWERS_WITHIN: Final = timedelta(seconds=2)
"""A page of twenty targets waits for all of them at once, and for none of them longer."""

ROLLOUTS_READ: Final = 100
"""How many of the newest rollouts of a service are looked through for who moved a placement last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OnRecord:
    """
    What is on record of one placement.

    `latest` is the newest rollout that has come to it, None for none that is known. `good` is its
    chain of versions that outlived their quarantine, newest first.
    """

    placement: Placement
    latest: Rollout | None
    good: tuple[LastKnownGood, ...]

    @property
    def in_quarantine(self) -> Version | None:
        """The version that has completed here and may still be returned from; None for none."""
        latest = self.latest
        if latest is None or latest.state is not State.COMPLETED or latest.settled:
            return None
        return latest.change.version_of(self.placement.component)


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """One placement: the record, and what was seen; `seen` is None with `why_not` where nobody knows."""

    record: OnRecord
    seen: Seen | None
    why_not: str = ""


class Reach(StrEnum):
    """Whom a version serves at one placement."""

    EVERYONE = "everyone"
    SOME = "some"
    INTERNAL = "internal"
    """Internal users only."""
    NOBODY = "nobody"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Whereabouts:
    """Where a version is at one placement; `share_bps` is its share of everyone, None where unknown."""

    placement: Placement
    reach: Reach
    share_bps: int | None


def on_record(
    transaction: Transaction, spec: ServiceSpec, newest: Sequence[Rollout]
) -> tuple[OnRecord, ...]:
    """
    Return what is on record of every placement of *spec*, in the order of its plan.

    Args:
        transaction: Where the last known good is read.
        spec: The service.
        newest: Its rollouts that may be shown, newest first.
    """
    begun = [one for one in newest if has_begun(one)]
    return tuple(
        OnRecord(
            placement=placement,
            latest=next((one for one in begun if placement in placements_of_interest(one)), None),
            good=tuple(transaction.last_known_good(placement)),
        )
        for placement in spec.plan.placements()
    )


async def look_at_targets(
    outside: Outside,
    spec: ServiceSpec,
    records: Sequence[OnRecord],
    *,
    within: timedelta = ANSWERS_WITHIN,
) -> tuple[Served, ...]:
    """Return what each placement of *records* serves now; asks all at once, none longer than *within*."""
    return tuple(
        await asyncio.gather(*(_look(outside, spec, record, within) for record in records))
    )


def whereabouts(served: Sequence[Served], version: str) -> tuple[Whereabouts, ...]:
    """
    Return where the version called *version* is, by what was seen; in the order of *served*.

    A digest, or the beginning of one of at least twelve characters, names a version as well.
    """
    return tuple(_whereabouts(one, version) for one in served)


def is_called(version: Version, given: str) -> bool:
    """Return whether *given* names *version*: its name, its digest or the beginning of that."""
    digest = version.digest.removeprefix("sha256:")
    short = given.removeprefix("sha256:")
    return given == version.name or (len(short) >= LEAST_OF_DIGEST and digest.startswith(short))


LEAST_OF_DIGEST: Final = 12


def _whereabouts(one: Served, version: str) -> Whereabouts:
    placement, here = one.record.placement, one.seen
    if here is None:
        return Whereabouts(placement=placement, reach=Reach.UNKNOWN, share_bps=None)
    is_candidate = here.candidate is not None and is_called(here.candidate, version)
    is_baseline = here.serving is not None and is_called(here.serving, version)
    share = 0
    if is_candidate:
        share += here.exposure.weight_bps
    if is_baseline:
        # What no candidate takes is served by the baseline.
        share += FULL_WEIGHT_BPS - (0 if here.candidate is None else here.exposure.weight_bps)
    if share == FULL_WEIGHT_BPS:
        reach = Reach.EVERYONE
    elif share:
        reach = Reach.SOME
    else:
        reach = Reach.INTERNAL if is_candidate and here.exposure.internal else Reach.NOBODY
    return Whereabouts(placement=placement, reach=reach, share_bps=share)


def has_begun(rollout: Rollout) -> bool:
    """Return whether *rollout* has moved anything: one that never left the queue hasn't."""
    if rollout.state is State.PLANNED:
        return False
    # What left the queue without ever having a turn is over, and was issued no generation.
    came_to_something = rollout.state is State.COMPLETED or rollout.is_return
    return bool(rollout.generations) or came_to_something or not rollout.is_final


async def _look(outside: Outside, spec: ServiceSpec, record: OnRecord, within: timedelta) -> Served:
    component = spec.component(record.placement.component)
    try:
        async with asyncio.timeout(within.total_seconds()):
            applied = await outside.driver(component.driver).observe(record.placement)
    except TimeoutError:
        why = f"it didn't answer within {within.total_seconds():g} s"
        return Served(record=record, seen=None, why_not=why)
    except TidegateError as exc:
        return Served(record=record, seen=None, why_not=exc.message)
    found = seen(applied)
    if found.serving is None and found.candidate is None and not found.settled:
        return Served(record=record, seen=None, why_not=found.why_not or "nothing was seen there")
    return Served(record=record, seen=found)
