"""
Writing into a postmortem, as commands on the bus: contributing factors, and actions with owner and day.

What a change is, and what refuses it, is in `domain.review.written`. Each is recorded with its entry in the
ledger in one transaction: the entry says what was there before and what is there now, so that nothing that
was written is ever gone, also what was removed.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import ClassVar, Generic, TypeVar

from tidegate.documents.records import to_json
from tidegate.domain.access.model import Caller, Resource
from tidegate.domain.access.permissions import Permission
from tidegate.domain.review.written import (
    Action,
    Changed,
    Factor,
    Hand,
    Review,
    add_action,
    add_factor,
    change_action,
    change_factor,
    mark_action,
    remove_action,
    remove_factor,
)
from tidegate.domain.rollout.model import Rollout
from tidegate.ports.store import Transaction
from tidegate.usecases.bus import Command
from tidegate.usecases.outside import Outside
from tidegate.usecases.postmortem_records import REVIEWS, refuse_unless_worth_it, review_of
from tidegate.usecases.reading import find_rollout
from tidegate.usecases.record import note_fact
from tidegate.usecases.resources import resource_of_rollout

Item = TypeVar("Item", bound=Factor)


@dataclass(frozen=True, slots=True, kw_only=True)
class WritePostmortem(Command[Changed[Item]], Generic[Item]):
    """
    What all of these have in common: the rollout, as a person types it, and how a change is recorded.

    All raise what their function in `domain.review.written` raises; RefusedError when nothing went wrong
    with the rollout; StoreError when it couldn't be recorded, and then nothing was changed.
    """

    permission: ClassVar[Permission] = Permission.POSTMORTEM_EDIT

    rollout: str

    def touches(self, outside: Outside, caller: Caller) -> Resource:
        """Return the rollout's targets."""
        return resource_of_rollout(find_rollout(outside, caller, self.rollout))

    def write(
        self, outside: Outside, caller: Caller, change: Callable[[Review, Hand], Changed[Item]]
    ) -> Changed[Item]:
        """Let *change* be made to the review as it is at this moment, and record both."""
        rollout = find_rollout(outside, caller, self.rollout)
        refuse_unless_worth_it(rollout)
        hand = Hand(by=caller.name, at=outside.clock.now())
        with outside.store.begin() as transaction:
            changed = change(review_of(transaction, rollout), hand)
            REVIEWS.put(transaction, changed.review)
            _note(transaction, rollout, changed, hand)
        return changed


@dataclass(frozen=True, slots=True, kw_only=True)
class AddFactor(WritePostmortem[Factor]):
    """Say what contributed. `suggestion` is the key of what it is taken over from, empty for none."""

    text: str
    suggestion: str = ""

    async def carry_out(self, outside: Outside, caller: Caller) -> Changed[Factor]:
        """Add it."""
        return self.write(
            outside,
            caller,
            lambda review, hand: add_factor(review, self.text, hand, suggestion=self.suggestion),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeFactor(WritePostmortem[Factor]):
    """Say it otherwise. `version` is what was seen."""

    factor: str
    version: int
    text: str

    async def carry_out(self, outside: Outside, caller: Caller) -> Changed[Factor]:
        """Change its text."""
        return self.write(
            outside,
            caller,
            lambda review, hand: change_factor(
                review, self.factor, self.text, hand, version=self.version
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveFactor(WritePostmortem[Factor]):
    """Take one out that is none. `version` is what was seen."""

    factor: str
    version: int

    async def carry_out(self, outside: Outside, caller: Caller) -> Changed[Factor]:
        """Remove it."""
        return self.write(
            outside,
            caller,
            lambda review, hand: remove_factor(review, self.factor, hand, version=self.version),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AddAction(WritePostmortem[Action]):
    """Say what shall be done, by whom and until when."""

    text: str
    owner: str
    due: date
    suggestion: str = ""

    async def carry_out(self, outside: Outside, caller: Caller) -> Changed[Action]:
        """Add it."""
        return self.write(
            outside,
            caller,
            lambda review, hand: add_action(
                review,
                self.text,
                hand,
                owner=self.owner,
                due=self.due,
                suggestion=self.suggestion,
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeAction(WritePostmortem[Action]):
    """Change what shall be done, by whom or until when. `version` is what was seen."""

    action: str
    version: int
    text: str
    owner: str
    due: date

    async def carry_out(self, outside: Outside, caller: Caller) -> Changed[Action]:
        """Change it."""
        return self.write(
            outside,
            caller,
            lambda review, hand: change_action(
                review,
                self.action,
                self.text,
                hand,
                owner=self.owner,
                due=self.due,
                version=self.version,
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkAction(WritePostmortem[Action]):
    """Say that an action is done, or that it isn't after all. `version` is what was seen."""

    action: str
    version: int
    is_done: bool

    async def carry_out(self, outside: Outside, caller: Caller) -> Changed[Action]:
        """Mark it."""
        return self.write(
            outside,
            caller,
            lambda review, hand: mark_action(
                review, self.action, hand, is_done=self.is_done, version=self.version
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveAction(WritePostmortem[Action]):
    """Take one out that nobody shall do. `version` is what was seen."""

    action: str
    version: int

    async def carry_out(self, outside: Outside, caller: Caller) -> Changed[Action]:
        """Remove it."""
        return self.write(
            outside,
            caller,
            lambda review, hand: remove_action(review, self.action, hand, version=self.version),
        )


def _note(transaction: Transaction, rollout: Rollout, changed: Changed[Item], hand: Hand) -> None:
    item = changed.item
    note_fact(
        transaction,
        at=hand.at,
        actor=hand.by,
        kind="command",
        rule=changed.verb.value,
        because=f"{item.id}: {item.text}",
        service=rollout.service,
        rollout_id=rollout.id,
        details={
            "item": item.id,
            "before": _as_written(changed.before),
            "after": _as_written(changed.after),
        },
    )


def _as_written(item: Factor | None) -> object:
    return None if item is None else json.loads(to_json(item))
