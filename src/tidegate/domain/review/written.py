"""
What people write into the review of a rollout: contributing factors, and actions with an owner and a day.

Rule 1: ids count up within a review and none is given twice, so that one which was removed is never taken
for another. Rule 2: whoever changes something says which version of it they saw; when it was changed
meanwhile they are told so, and nothing is overwritten. Rule 3: order is that of writing, whatever changes.

Pure: a change is returned with what was before and after, for the ledger, which keeps what was removed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final, Generic, TypeVar

from tidegate.domain.quantities import RolloutId, ServiceName
from tidegate.domain.review.texts import checked_owner, checked_text
from tidegate.errors import InvalidRequestError, NotFoundError, RefusedError, StateMovedError

MOST_FACTORS: Final = 50
MOST_ACTIONS: Final = 50
"""More than anybody follows up: what has more is several reviews."""

FURTHEST_DUE: Final = timedelta(days=3 * 366)

LONGEST_SUGGESTION: Final = 200
"""Characters of the key of a suggestion."""


class Verb(StrEnum):
    """What was done to a review, as the ledger calls it."""

    ADD_FACTOR = "add-factor"
    CHANGE_FACTOR = "change-factor"
    REMOVE_FACTOR = "remove-factor"
    ADD_ACTION = "add-action"
    CHANGE_ACTION = "change-action"
    FINISH_ACTION = "finish-action"
    REOPEN_ACTION = "reopen-action"
    REMOVE_ACTION = "remove-action"


REVIEWING: Final = frozenset(verb.value for verb in Verb)
"""Entries of the ledger that look back at a rollout, and are no part of what happened to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Factor:
    """
    Something that contributed. `version` counts its changes from 1.

    `suggestion` is the key of what it was taken over from, empty for one that somebody found.
    """

    id: str
    version: int
    text: str
    by: str
    at: datetime
    changed_by: str = ""
    changed_at: datetime | None = None
    suggestion: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Action(Factor):
    """Something that shall be done about it: by whom and until when. Done when `done_at` says since when."""

    owner: str
    due: date
    done_by: str = ""
    done_at: datetime | None = None

    @property
    def is_done(self) -> bool:
        """Whether somebody said that it is done."""
        return self.done_at is not None

    def is_overdue(self, now: datetime) -> bool:
        """Return whether its day is over at *now* and it isn't done. A day ends at midnight, UTC."""
        return not self.is_done and self.due < now.date()


Item = TypeVar("Item", bound=Factor)


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """All that people wrote about one rollout; `factors_given` and `actions_given` count ids given out."""

    rollout_id: RolloutId
    service: ServiceName
    changed_at: datetime
    factors: tuple[Factor, ...] = ()
    actions: tuple[Action, ...] = ()
    factors_given: int = 0
    actions_given: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed(Generic[Item]):
    """A review after a change: `before` is None for what is new, `after` for what is gone."""

    verb: Verb
    review: Review
    before: Item | None
    after: Item | None

    @property
    def item(self) -> Item:
        """What was changed, as it is now, or as it was when it is gone."""
        item = self.after or self.before
        assert item is not None, "a change is of something"
        return item


@dataclass(frozen=True, slots=True, kw_only=True)
class Hand:
    """Who writes, and when."""

    by: str
    at: datetime


def add_factor(review: Review, text: str, hand: Hand, *, suggestion: str = "") -> Changed[Factor]:
    """
    Return *review* with one factor more.

    Raises:
        InvalidRequestError: the text can't be kept, or there are too many.
        StateMovedError: that suggestion was taken over already.
    """
    _check_room(review.factors, MOST_FACTORS, "factors")
    _check_suggestion(review.factors, suggestion)
    factor = Factor(
        id=f"f-{review.factors_given + 1}",
        version=1,
        text=checked_text(text, of="a factor"),
        by=hand.by,
        at=hand.at,
        suggestion=suggestion,
    )
    after = replace(
        review,
        factors=(*review.factors, factor),
        factors_given=review.factors_given + 1,
        changed_at=hand.at,
    )
    return Changed(verb=Verb.ADD_FACTOR, review=after, before=None, after=factor)


def change_factor(
    review: Review, factor_id: str, text: str, hand: Hand, *, version: int
) -> Changed[Factor]:
    """
    Return *review* with another text of a factor.

    Raises:
        InvalidRequestError: the text can't be kept.
        NotFoundError: there is no such factor.
        StateMovedError: it isn't at *version*.
    """
    before = _seen(review.factors, factor_id, version, "factor")
    after = replace(
        before,
        version=version + 1,
        text=checked_text(text, of="a factor"),
        changed_by=hand.by,
        changed_at=hand.at,
    )
    return _with_factor(review, Verb.CHANGE_FACTOR, before, after, hand)


def remove_factor(review: Review, factor_id: str, hand: Hand, *, version: int) -> Changed[Factor]:
    """Return *review* without a factor. Raises as `change_factor`, but for texts."""
    before = _seen(review.factors, factor_id, version, "factor")
    return _with_factor(review, Verb.REMOVE_FACTOR, before, None, hand)


def add_action(
    review: Review, text: str, hand: Hand, *, owner: str, due: date, suggestion: str = ""
) -> Changed[Action]:
    """
    Return *review* with one action more, which is open.

    Raises:
        InvalidRequestError: the text or the owner can't be kept, *due* is over or years ahead, or there
            are too many.
        StateMovedError: that suggestion was taken over already.
    """
    _check_room(review.actions, MOST_ACTIONS, "actions")
    _check_suggestion(review.actions, suggestion)
    _check_due(due, hand.at)
    action = Action(
        id=f"a-{review.actions_given + 1}",
        version=1,
        text=checked_text(text, of="an action"),
        owner=checked_owner(owner, of="an action"),
        due=due,
        by=hand.by,
        at=hand.at,
        suggestion=suggestion,
    )
    after = replace(
        review,
        actions=(*review.actions, action),
        actions_given=review.actions_given + 1,
        changed_at=hand.at,
    )
    return Changed(verb=Verb.ADD_ACTION, review=after, before=None, after=action)


def change_action(
    review: Review,
    action_id: str,
    text: str,
    hand: Hand,
    *,
    owner: str,
    due: date,
    version: int,
) -> Changed[Action]:
    """
    Return *review* with another text, owner or day of an action. A day that is over may stay as it is.

    Raises:
        InvalidRequestError: as `add_action`.
        NotFoundError: there is no such action.
        StateMovedError: it isn't at *version*.
    """
    before = _seen(review.actions, action_id, version, "action")
    if due != before.due:
        _check_due(due, hand.at)
    after = replace(
        before,
        version=version + 1,
        text=checked_text(text, of="an action"),
        owner=checked_owner(owner, of="an action"),
        due=due,
        changed_by=hand.by,
        changed_at=hand.at,
    )
    return _with_action(review, Verb.CHANGE_ACTION, before, after, hand)


def mark_action(
    review: Review, action_id: str, hand: Hand, *, is_done: bool, version: int
) -> Changed[Action]:
    """
    Return *review* with an action that is done, or open again.

    Raises:
        NotFoundError: there is no such action.
        StateMovedError: it isn't at *version*.
        RefusedError: it is that already.
    """
    before = _seen(review.actions, action_id, version, "action")
    if before.is_done is is_done:
        raise RefusedError(
            f"action {action_id} is {'done' if is_done else 'open'} already",
            hint="there is nothing to mark; the postmortem says since when",
        )
    after = replace(
        before,
        version=version + 1,
        done_by=hand.by if is_done else "",
        done_at=hand.at if is_done else None,
    )
    verb = Verb.FINISH_ACTION if is_done else Verb.REOPEN_ACTION
    return _with_action(review, verb, before, after, hand)


def remove_action(review: Review, action_id: str, hand: Hand, *, version: int) -> Changed[Action]:
    """Return *review* without an action. Raises as `change_action`, but for texts."""
    before = _seen(review.actions, action_id, version, "action")
    return _with_action(review, Verb.REMOVE_ACTION, before, None, hand)


def find_item(items: Sequence[Item], item_id: str, kind: str) -> Item:
    """Return the one of *items* with that id. Raises NotFoundError when it isn't there, or not any more."""
    found = next((one for one in items if one.id == item_id), None)
    if found is None:
        there = ", ".join(one.id for one in items) or "none"
        raise NotFoundError(
            f"there is no {kind} {item_id[:40]!r} in this review",
            hint=f"there are: {there}; what was removed is in the ledger",
        )
    return found


def _seen(items: Sequence[Item], item_id: str, version: int, kind: str) -> Item:
    found = find_item(items, item_id, kind)
    if found.version != version:
        raise StateMovedError(
            f"{kind} {item_id} is at version {found.version}; you saw version {version}",
            hint="somebody changed it meanwhile: look at what it says now and decide anew",
        )
    return found


def _check_room(items: Sequence[Factor], most: int, kind: str) -> None:
    if len(items) >= most:
        raise InvalidRequestError(
            f"the review has {len(items)} {kind}, at most {most} are kept",
            hint="put together what belongs together, or remove what is none",
        )


def _check_suggestion(items: Sequence[Factor], suggestion: str) -> None:
    if len(suggestion) > LONGEST_SUGGESTION or not suggestion.isprintable():
        raise InvalidRequestError(
            f"a suggestion's key is plain text of up to {LONGEST_SUGGESTION} characters",
            hint="leave it out, or send it as the draft has it",
        )
    taken = next((one for one in items if suggestion and one.suggestion == suggestion), None)
    if taken is not None:
        raise StateMovedError(
            f"the suggestion was taken over already, as {taken.id}",
            hint="look at what it says now, and change that",
        )


def _check_due(due: date, now: datetime) -> None:
    today = now.date()
    if not today <= due <= today + FURTHEST_DUE:
        raise InvalidRequestError(
            f"an action is due from today ({today}) to {FURTHEST_DUE.days} days ahead, got {due}",
            hint="say a day as in 2030-12-20",
        )


def _with_factor(
    review: Review, verb: Verb, before: Factor, after: Factor | None, hand: Hand
) -> Changed[Factor]:
    factors = _put(review.factors, before, after)
    changed = replace(review, factors=factors, changed_at=hand.at)
    return Changed(verb=verb, review=changed, before=before, after=after)


def _with_action(
    review: Review, verb: Verb, before: Action, after: Action | None, hand: Hand
) -> Changed[Action]:
    actions = _put(review.actions, before, after)
    changed = replace(review, actions=actions, changed_at=hand.at)
    return Changed(verb=verb, review=changed, before=before, after=after)


def _put(items: tuple[Item, ...], before: Item, after: Item | None) -> tuple[Item, ...]:
    """Return *items* with *after* in the place of *before*, or with one less."""
    places = ((one if one.id != before.id else after) for one in items)
    return tuple(one for one in places if one is not None)
