"""
Looking at one rollout: the record, with what its targets and its signals say at this moment.

Waits are recorded when their reason begins, not with every word that changes. Whoever looks gets the
words of now: they are what the next step would say, from the same rules.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from tidegate.api.shapes import evidence as evidence_shapes
from tidegate.api.shapes import rollout as shapes
from tidegate.api.showing.evidence import show_evidence
from tidegate.api.showing.rollout import show_rollout
from tidegate.domain.health.evidence import Evidence
from tidegate.domain.health.meter import Meter
from tidegate.domain.quantities import Arm
from tidegate.domain.rollout import decisions as rules
from tidegate.domain.rollout.decide import decide
from tidegate.domain.rollout.decisions import Observation
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import Rollout, WaitingOn
from tidegate.ports.store import EvidencePoint, StoredEvidence
from tidegate.usecases.governance import governance_of
from tidegate.usecases.meter import read_meter
from tidegate.usecases.observe import observe
from tidegate.usecases.outside import Outside
from tidegate.usecases.step import evidence_of

MOST_POINTS: Final = 10_000
"""A rollout of fifty phases. Whoever wants more asks again from the last point on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A rollout with its stored evidence, both of the same instant."""

    rollout: Rollout
    stored: StoredEvidence | None

    @property
    def evidence(self) -> Evidence:
        """What is known of its signals; nothing where nothing is stored."""
        return evidence_of(self.stored)


def look_at(outside: Outside, rollout: Rollout) -> Look:
    """Return *rollout* as it is stored now, with its evidence."""
    with outside.store.begin(read_only=True) as transaction:
        return Look(
            rollout=transaction.rollout(rollout.id), stored=transaction.evidence(rollout.id)
        )


def show_meter(
    outside: Outside,
    look: Look,
    people: Mapping[Arm, int] | None,
    since: datetime | None,
    meter: Meter | None = None,
) -> evidence_shapes.Evidence:
    """
    Return the evidence of a rollout with its meter, read at this moment.

    Args:
        outside: The world.
        look: The rollout with its evidence.
        people: How many people each arm has served, None where that isn't known.
        since: Adds the points for charts that are later; None adds none.
        meter: The meter, where it was just read; None reads it.
    """
    points: Sequence[EvidencePoint] = ()
    if since is not None:
        with outside.store.begin(read_only=True) as transaction:
            points = transaction.evidence_points(look.rollout.id, since=since, limit=MOST_POINTS)
    return show_evidence(
        look.rollout,
        look.evidence,
        look.stored,
        people,
        meter=meter or read_meter(outside, look.rollout, look.evidence, look.stored),
        points=points,
    )


def show_record(outside: Outside, look: Look) -> shapes.Rollout:
    """Return what is on record, without asking the targets."""
    return show_rollout(look.rollout, now=outside.clock.now(), evidence=look.evidence)


async def show_now(outside: Outside, look: Look) -> shapes.Rollout:
    """Return the rollout as its targets serve it now, and what it waits for in the words of now."""
    rollout = look.rollout
    if rollout.is_final and (rollout.state is not State.COMPLETED or rollout.settled):
        # What the targets serve now may be the work of a later rollout.
        return show_record(outside, look)
    seen = await observe(outside, rollout)
    now = outside.clock.now()
    with outside.store.begin(read_only=True) as transaction:
        said = governance_of(transaction, rollout, now)
    return show_rollout(
        rollout,
        now=now,
        evidence=look.evidence,
        seen=seen,
        waiting_on=_waiting_now(
            Observation(
                now=now,
                rollout=rollout,
                placements=seen,
                evidence=look.evidence,
                stop_orders=said.stop_orders,
                gates=said.gates,
                calendar=said.calendar,
                void_approvals=said.void_approvals,
                debts=said.debts,
                queued=said.queued,
                is_reviewed=said.is_reviewed,
            )
        ),
    )


def _waiting_now(seen: Observation) -> WaitingOn | None:
    """Return what the next step would wait for, None when it would do something else than wait."""
    match decide(seen):
        case (
            rules.Hold()
            | rules.Reapply()
            | rules.Withdraw()
            | rules.Retire()
            | rules.BringBack()
            | rules.Pause() as waits
        ):
            return waits.waiting_on
        case _:
            return None
