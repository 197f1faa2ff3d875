"""
Reviews under any sequence of hands, some of which saw something older: nothing is lost, nothing is renamed.

Each hand looks at some moment and writes later. What is refused changes nothing; what is taken is in the
review or in what a change left for the ledger.
"""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tidegate.documents.records import from_json, to_json
from tidegate.domain.quantities import RolloutId, ServiceName
from tidegate.domain.review.blameless import Names, findings, without_names
from tidegate.domain.review.written import (
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
from tidegate.errors import NotFoundError, RefusedError, StateMovedError

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)

hands = st.sampled_from(["ann", "ben", "cem"])
texts = st.text(st.characters(categories=("L", "N", "P", "S")), min_size=1, max_size=40)


@dataclass
class Seen:
    """What everybody saw last; they write about that, however old it is."""

    of: dict[str, Review] = field(default_factory=dict)


class Reviewing(RuleBasedStateMachine):
    """Three hands at one review."""

    def __init__(self) -> None:
        super().__init__()
        self.review = Review(
            rollout_id=RolloutId("r-1"), service=ServiceName("shop"), changed_at=START
        )
        self.seen = Seen()
        self.now = START
        self.left: list[Changed[Any]] = []
        self.ids_given: list[str] = []

    def write(self, name: str) -> Hand:
        self.now += timedelta(minutes=1)
        return Hand(by=name, at=self.now)

    def take(self, changed: Changed[Any]) -> None:
        self.left.append(changed)
        self.review = changed.review

    def saw(self, name: str) -> Review:
        return self.seen.of.get(name, self.review)

    @rule(name=hands)
    def look(self, name: str) -> None:
        """See what is there now."""
        self.seen.of[name] = self.review

    @rule(name=hands, text=texts, is_action=st.booleans())
    def add(self, name: str, text: str, is_action: bool) -> None:
        """Add something, whatever was seen."""
        hand = self.write(name)
        changed: Changed[Any] = (
            add_action(self.review, text, hand, owner="team", due=self.now.date())
            if is_action
            else add_factor(self.review, text, hand)
        )
        self.ids_given.append(changed.item.id)
        self.take(changed)

    @precondition(lambda self: self.review.factors_given or self.review.actions_given)
    @rule(
        name=hands, text=texts, verb=st.sampled_from(["change", "remove", "mark"]), data=st.data()
    )
    def touch(self, name: str, text: str, verb: str, data: st.DataObject) -> None:
        """Change, mark or remove something as it was seen."""
        saw = self.saw(name)
        items = [*saw.actions] if verb == "mark" else [*saw.factors, *saw.actions]
        if not items:
            return
        item = data.draw(st.sampled_from(items))
        there = {one.id: one for one in (*self.review.factors, *self.review.actions)}
        is_fresh = item.id in there and there[item.id].version == item.version
        before = self.review
        try:
            self.take(self.touched(verb, item, text, self.write(name)))
        except (StateMovedError, NotFoundError):
            assert not is_fresh, "it is as it was seen"
            assert self.review is before
        except RefusedError:
            assert verb == "mark" and is_fresh
        else:
            assert is_fresh, "what was seen isn't there any more"

    def touched(self, verb: str, item: Factor, text: str, hand: Hand) -> Changed[Any]:
        review, seen = self.review, item.version
        is_action = item.id.startswith("a-")
        if verb == "mark":
            return mark_action(review, item.id, hand, is_done=True, version=seen)
        if verb == "remove":
            remove = remove_action if is_action else remove_factor
            return remove(review, item.id, hand, version=seen)
        if is_action:
            due = self.now.date()
            return change_action(review, item.id, text, hand, owner="team", due=due, version=seen)
        return change_factor(review, item.id, text, hand, version=seen)

    @invariant()
    def ids_are_given_once_and_stay_in_order(self) -> None:
        """An id means one thing for ever."""
        assert len(self.ids_given) == len(set(self.ids_given))
        for items in (self.review.factors, self.review.actions):
            ids = [one.id for one in items]
            assert ids == [one for one in self.ids_given if one in ids]

    @invariant()
    def whatever_was_taken_is_there_or_in_the_ledger(self) -> None:
        """Every version of everything, as a chain without gaps."""
        there = {one.id: one for one in (*self.review.factors, *self.review.actions)}
        for item_id in self.ids_given:
            chain = [one for one in self.left if one.item.id == item_id]
            assert chain[0].before is None
            for earlier, later in pairwise(chain):
                assert later.before == earlier.after
            assert there.get(item_id) == chain[-1].after

    @invariant()
    def it_is_read_back_as_it_was_kept(self) -> None:
        """Nothing is lost on the way into the store."""
        assert from_json(Review, to_json(self.review)) == self.review


TestReviewing = Reviewing.TestCase


@st.composite
def planted(draw: st.DrawFn) -> tuple[str, str]:
    """Return a text with a name in it, where people put names, and the name."""
    name = draw(st.from_regex(r"[a-z]{2,8}(-[a-z0-9]{1,4})?", fullmatch=True))
    around = st.sampled_from(["", "the list was old", "it was 12:30", "(see below)", "“so”", "x,"])
    before, after = draw(around), draw(around)
    joined = draw(st.sampled_from(["{} {} {}", "{}\n{}, {}", "{} ({}) {}", "{} {}: {}"]))
    return joined.format(before, name, after), name


@given(planted())
def test_a_planted_name_is_found_and_shown_as_a_role(made: tuple[str, str]) -> None:
    """Wherever it stands between spaces, breaks and signs; and the text is found clean without it."""
    text, name = made
    names = Names(roles={name: "person 1"})

    found = findings(text, names)
    shown = without_names(text, names.roles)

    assert [one.wording for one in found] == ["person 1"]
    assert not re.search(rf"\b{re.escape(name)}\b", shown)
    assert findings(shown, names) == ()
