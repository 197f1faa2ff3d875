"""
Looking up again what the versions of a rollout mean, so that an approval can't outlive its artifact.

A name (a tag, a path) can be made to mean something else. What is served is what was started, by digest;
but whoever approves reads the name. So while a rollout waits and somebody has approved, and whenever
somebody does, the names are resolved again, outside of any transaction and at a bounded pace; the answer
is kept on a shelf, where decisions find it. No answer voids nothing: it makes the rollout wait.
"""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from tidegate.documents.canonical import change_digest
from tidegate.domain.approvals.model import Resolution
from tidegate.domain.plan.model import Change, ComponentChange
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import Rollout
from tidegate.domain.rollout.seen import valid_approvals
from tidegate.errors import TidegateError
from tidegate.ports.store import Transaction
from tidegate.usecases.outside import Outside
from tidegate.usecases.record import ENGINE, note_fact
from tidegate.usecases.shelves import Shelf

LOOKED_UP_EVERY: Final = timedelta(seconds=5)
"""How often the artifact of an approved rollout that still waits is looked up, at most."""

FRESH_FOR: Final = timedelta(seconds=60)
"""For how long an answer lets a phase begin: a few turns of a rollout that nothing wakes."""

ANSWER_SECONDS: Final = 10.0

RESOLUTIONS = Shelf(
    kind="resolution",
    type=Resolution,
    id_of=lambda resolution: resolution.rollout,
    at=lambda resolution: resolution.checked_at,
    is_open=lambda _: False,
    service_of=lambda _: None,
)


async def look_up_for_rise(outside: Outside, rollout: Rollout) -> bool:
    """
    Look up the artifact of *rollout* when a rise may rest on an approval and it wasn't lately.

    Returns:
        Whether it was looked up: what was read of the rollout before may be old.
    """
    waits = rollout.state is State.WAITING and rollout.phase.approvals > 0
    if not waits or not any(one.is_yes for one in valid_approvals(rollout, rollout.phase_index)):
        return False
    with outside.store.begin(read_only=True) as transaction:
        known = RESOLUTIONS.get(transaction, rollout.id)
    now = outside.clock.now()
    # An answer from before the wait began, as of an approval during the bake, is no answer to a rise.
    if (
        known is not None
        and rollout.state_since < known.checked_at
        and (abs(now - known.checked_at) < LOOKED_UP_EVERY)
    ):
        return False
    await look_up(outside, rollout)
    return True


async def look_up(outside: Outside, rollout: Rollout) -> None:
    """Resolve the versions of *rollout* again and keep the answer; that there is none is kept, too."""
    found, unknown = None, ""
    try:
        found = await asyncio.wait_for(_resolved(outside, rollout), ANSWER_SECONDS)
    except TidegateError as exc:
        unknown = f"what the change resolves to can't be known now: {exc.message}"
    except TimeoutError:
        unknown = f"what the change resolves to isn't known: no answer in {ANSWER_SECONDS:.0f} s"
    now = outside.clock.now()
    with outside.store.begin() as transaction:
        before = RESOLUTIONS.get(transaction, rollout.id) or _as_started(rollout, now)
        after = replace(before, checked_at=now, unknown=unknown)
        if found is not None and change_digest(found) != before.change:
            after = replace(after, change=change_digest(found), words=_words(found), moved_at=now)
            note_fact(
                transaction,
                at=now,
                actor=ENGINE,
                kind="evidence",
                rule="artifact-moved",
                because=f"the names of the change resolve to {after.words} now",
                service=rollout.service,
                rollout_id=rollout.id,
                details={"change": after.change, "before": before.change},
            )
        RESOLUTIONS.put(transaction, after)


def resolution_of(transaction: Transaction, rollout: Rollout, now: datetime) -> Resolution:
    """Return what is known of what *rollout*'s names resolve to; an old answer is marked unknown."""
    known = RESOLUTIONS.get(transaction, rollout.id)
    if known is None:
        unknown = "what the change resolves to wasn't looked up yet"
        return replace(_as_started(rollout, now), unknown=unknown)
    if not known.unknown and abs(now - known.checked_at) >= FRESH_FOR:
        return replace(known, unknown="what the change resolves to wasn't looked up lately")
    return known


async def _resolved(outside: Outside, rollout: Rollout) -> Change:
    specs = {component.name: component for component in rollout.components}
    parts = rollout.change.components
    versions = await asyncio.gather(
        *(
            outside.driver(specs[part.component].driver).resolve(
                part.to.name, specs[part.component].settings_json
            )
            for part in parts
        )
    )
    return Change(
        components=tuple(
            ComponentChange(component=part.component, to=version)
            for part, version in zip(parts, versions, strict=True)
        )
    )


def _as_started(rollout: Rollout, now: datetime) -> Resolution:
    return Resolution(
        rollout=rollout.id,
        change=change_digest(rollout.change),
        words=_words(rollout.change),
        checked_at=now,
    )


def _words(change: Change) -> str:
    return ", ".join(
        f"{part.component} {part.to.name} ({part.to.digest[:19]})" for part in change.components
    )
