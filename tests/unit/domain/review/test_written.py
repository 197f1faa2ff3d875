"""What people write into a review: bounds, versions, ids, and what a change leaves for the ledger."""

from datetime import UTC, date, datetime, timedelta

import pytest

from tidegate.documents.records import from_json, to_json
from tidegate.domain.quantities import RolloutId, ServiceName
from tidegate.domain.review.texts import LONGEST_OWNER, LONGEST_TEXT
from tidegate.domain.review.written import (
    FURTHEST_DUE,
    MOST_ACTIONS,
    MOST_FACTORS,
    Hand,
    Review,
    Verb,
    add_action,
    add_factor,
    change_action,
    change_factor,
    mark_action,
    remove_action,
    remove_factor,
)
from tidegate.errors import InvalidRequestError, NotFoundError, RefusedError, StateMovedError

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
TODAY = NOW.date()
HAND = Hand(by="lead-a", at=NOW)
LATER = Hand(by="lead-b", at=NOW + timedelta(hours=1))
EMPTY = Review(rollout_id=RolloutId("r-1"), service=ServiceName("shop"), changed_at=NOW)


def with_factor(text: str = "the list was old") -> Review:
    return add_factor(EMPTY, text, HAND).review


def with_action(due: date = TODAY) -> Review:
    return add_action(EMPTY, "read it again", HAND, owner="team-shop", due=due).review


def test_a_factor_says_who_wrote_it_and_who_changed_it() -> None:
    """The first hand stays beside the last one."""
    changed = change_factor(with_factor(), "f-1", "  the list was read once\r\n", LATER, version=1)

    assert changed.verb is Verb.CHANGE_FACTOR
    assert changed.before is not None and changed.before.text == "the list was old"
    factor = changed.item
    assert (factor.text, factor.version) == ("the list was read once", 2)
    assert (factor.by, factor.at) == ("lead-a", NOW)
    assert (factor.changed_by, factor.changed_at) == ("lead-b", LATER.at)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        (" \n\t ", "is empty"),
        ("x" * (LONGEST_TEXT + 1), f"has {LONGEST_TEXT + 1} characters"),
        ("a\x00b", "U+0000 as character 2"),
        ("a\x1b[31m", "U+001B"),
        ("a\tb", "U+0009"),
        ("a\u202eb", "U+202E"),
        ("a\u2028b", "U+2028"),
        ("a\ud800", "U+D800"),
    ],
)
def test_what_cannot_be_kept_is_refused_and_never_changed(text: str, says: str) -> None:
    """In a factor as in an action, added or changed."""
    for write in (
        lambda: add_factor(EMPTY, text, HAND),
        lambda: change_factor(with_factor(), "f-1", text, HAND, version=1),
        lambda: add_action(EMPTY, text, HAND, owner="x", due=TODAY),
        lambda: change_action(with_action(), "a-1", text, HAND, owner="x", due=TODAY, version=1),
    ):
        with pytest.raises(InvalidRequestError, match="the text of") as refused:
            write()
        assert says in refused.value.message


@pytest.mark.parametrize("text", ["x" * LONGEST_TEXT, "one\ntwo", "日本語 ünïcode 🚦", "<b>"])
def test_what_people_write_is_kept_as_it_is(text: str) -> None:
    """Also at the bound, in several lines, and in any script; and it is read back equal."""
    review = with_factor(text)

    assert review.factors[0].text == text
    assert from_json(Review, to_json(review)) == review


@pytest.mark.parametrize("owner", ["", " ", "x" * (LONGEST_OWNER + 1), "two\nlines"])
def test_an_action_has_an_owner(owner: str) -> None:
    """Somebody, in one line."""
    with pytest.raises(InvalidRequestError, match="the owner of an action"):
        add_action(EMPTY, "x", HAND, owner=owner, due=TODAY)


@pytest.mark.parametrize(
    ("due", "is_taken"),
    [
        (TODAY, True),
        (TODAY - timedelta(days=1), False),
        (TODAY + FURTHEST_DUE, True),
        (TODAY + FURTHEST_DUE + timedelta(days=1), False),
        (date.min, False),
        (date.max, False),
    ],
)
def test_an_action_is_due_from_today_on(due: date, is_taken: bool) -> None:
    """A day that is over, or years ahead, is a slip of the pen."""
    if is_taken:
        assert with_action(due).actions[0].due == due
        return
    with pytest.raises(InvalidRequestError, match="an action is due from today"):
        with_action(due)


def test_a_day_that_is_over_may_stay_when_the_text_changes() -> None:
    """But it can't be moved to another day that is over."""
    hand = Hand(by="lead-a", at=NOW + timedelta(days=9))
    review = with_action()

    kept = change_action(review, "a-1", "better", hand, owner="x", due=TODAY, version=1).item

    assert (kept.text, kept.due, kept.is_overdue(hand.at)) == ("better", TODAY, True)
    with pytest.raises(InvalidRequestError):
        change_action(review, "a-1", "x", hand, owner="x", due=TODAY + timedelta(days=1), version=1)


def test_an_action_is_overdue_from_the_next_day_on_until_it_is_done() -> None:
    """Its own day still counts, and what is done is late no more."""
    review = with_action()
    action = review.actions[0]
    done = mark_action(review, "a-1", LATER, is_done=True, version=1)
    reopened = mark_action(done.review, "a-1", HAND, is_done=False, version=2)

    assert not action.is_overdue(NOW + timedelta(hours=14))
    assert action.is_overdue(NOW + timedelta(days=1))
    assert not done.item.is_overdue(NOW + timedelta(days=1))
    assert (done.verb, done.item.done_by, done.item.done_at) == (
        Verb.FINISH_ACTION,
        "lead-b",
        LATER.at,
    )
    assert (reopened.verb, reopened.item.is_done, reopened.item.done_by) == (
        Verb.REOPEN_ACTION,
        False,
        "",
    )


def test_what_is_done_is_not_done_again() -> None:
    """Twice would say that somebody else did it."""
    done = mark_action(with_action(), "a-1", HAND, is_done=True, version=1).review

    with pytest.raises(RefusedError, match="done already"):
        mark_action(done, "a-1", LATER, is_done=True, version=2)
    with pytest.raises(RefusedError, match="open already"):
        mark_action(with_action(), "a-1", LATER, is_done=False, version=1)


def test_whoever_was_slower_is_told_and_overwrites_nothing() -> None:
    """Whatever they wanted to do to it."""
    factors = change_factor(with_factor(), "f-1", "quicker", HAND, version=1).review
    actions = mark_action(with_action(), "a-1", HAND, is_done=True, version=1).review

    for late in (
        lambda: change_factor(factors, "f-1", "slower", LATER, version=1),
        lambda: remove_factor(factors, "f-1", LATER, version=1),
        lambda: change_action(actions, "a-1", "x", LATER, owner="x", due=TODAY, version=1),
        lambda: mark_action(actions, "a-1", LATER, is_done=False, version=1),
        lambda: remove_action(actions, "a-1", LATER, version=1),
    ):
        with pytest.raises(StateMovedError, match="is at version 2; you saw version 1"):
            late()


def test_an_id_is_never_given_twice() -> None:
    """What was removed is missing, and what comes after it has an id of its own."""
    removed = remove_factor(with_factor(), "f-1", LATER, version=1)
    again = add_factor(removed.review, "another", HAND)

    assert removed.after is None and removed.item.text == "the list was old"
    assert [one.id for one in again.review.factors] == ["f-2"]
    with pytest.raises(NotFoundError, match="there is no factor 'f-1'"):
        change_factor(again.review, "f-1", "x", HAND, version=1)
    with pytest.raises(NotFoundError, match="there is no action 'f-2'"):
        remove_action(again.review, "f-2", HAND, version=1)


def test_a_suggestion_is_taken_over_once() -> None:
    """The second one is told; once it was removed it can be taken over again."""
    taken = add_factor(EMPTY, "no data", HAND, suggestion="blind:errors").review

    with pytest.raises(StateMovedError, match="taken over already, as f-1"):
        add_factor(taken, "no data", LATER, suggestion="blind:errors")
    removed = remove_factor(taken, "f-1", HAND, version=1).review
    assert add_factor(removed, "no data", LATER, suggestion="blind:errors").item.id == "f-2"
    with pytest.raises(InvalidRequestError, match="a suggestion's key"):
        add_factor(EMPTY, "x", HAND, suggestion="a\nb")


def test_there_is_room_for_so_many() -> None:
    """And no more."""
    review = EMPTY
    for _ in range(MOST_FACTORS):
        review = add_factor(review, "x", HAND).review
    for _ in range(MOST_ACTIONS):
        review = add_action(review, "x", HAND, owner="x", due=TODAY).review

    with pytest.raises(InvalidRequestError, match="50 factors"):
        add_factor(review, "x", HAND)
    with pytest.raises(InvalidRequestError, match="50 actions"):
        add_action(review, "x", HAND, owner="x", due=TODAY)
