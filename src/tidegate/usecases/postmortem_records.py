"""
What people wrote about a rollout, on record: where it is kept, and the names that it must do without.

Read here and never changed; who writes does so by a command (see `postmortem_commands`).
"""

from collections.abc import Iterable
from typing import Final

from tidegate.domain.review.blameless import Names, roles_of
from tidegate.domain.review.postmortem import HARMED
from tidegate.domain.review.written import REVIEWING, Review
from tidegate.domain.rollout.model import Rollout
from tidegate.errors import RefusedError
from tidegate.ports.store import LedgerEntry, Transaction
from tidegate.usecases.outside import Outside
from tidegate.usecases.policies import policy_in_force
from tidegate.usecases.record import ENGINE
from tidegate.usecases.shelves import Shelf

REVIEWS: Final = Shelf(
    kind="review",
    type=Review,
    id_of=lambda review: review.rollout_id,
    at=lambda review: review.changed_at,
    # What is open has somebody who still has to do something.
    is_open=lambda review: any(not action.is_done for action in review.actions),
    service_of=lambda review: review.service,
)

MOST_ENTRIES: Final = 100_000


def is_worth_a_postmortem(rollout: Rollout) -> bool:
    """Return whether something went wrong with *rollout*: it was stopped, or went back."""
    return rollout.halt is not None or rollout.state.value in HARMED


def refuse_unless_worth_it(rollout: Rollout) -> None:
    """Raise RefusedError when nothing went wrong with *rollout*."""
    if not is_worth_a_postmortem(rollout):
        raise RefusedError(
            f"nothing went wrong with rollout {rollout.id}: it is {rollout.state.value}",
            hint="a rollout that was halted or went back has a postmortem: /postmortems lists them",
        )


def review_of(transaction: Transaction, rollout: Rollout) -> Review:
    """Return what was written about *rollout*; an empty review when nothing was."""
    known = REVIEWS.get(transaction, rollout.id)
    return known or Review(
        rollout_id=rollout.id, service=rollout.service, changed_at=rollout.created_at
    )


def names_in(outside: Outside, rollout: Rollout) -> Names:
    """Return the names that the postmortem of *rollout* must do without. Raises StoreError."""
    with outside.store.begin(read_only=True) as transaction:
        entries = transaction.ledger(rollout_id=rollout.id, limit=MOST_ENTRIES)
        return names_of(transaction, rollout, entries)


def names_of(transaction: Transaction, rollout: Rollout, entries: Iterable[LedgerEntry]) -> Names:
    """Return those of who acted in *entries*, the ledger of *rollout*, and of people its policy knows."""
    acted = (entry.actor for entry in entries if entry.rule not in REVIEWING)
    people = policy_in_force(transaction, rollout.organisation).people
    return Names(
        roles=roles_of(acted, engine=ENGINE, proposer=rollout.created_by),
        people=frozenset(name for person in people for name in (person.name, *person.accounts)),
    )
