"""Differences of documents: none exactly when they say the same, and both ways the same places."""

import json

from hypothesis import given
from hypothesis import strategies as st

from tidegate.documents.difference import MOST_PLACES, differences

values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text("ab.[", max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("ab. ", max_size=3), inner),
    max_leaves=12,
)


@given(values, values)
def test_none_exactly_for_the_same(one, other):
    """By what is written, so that 1 and true differ."""
    before, after = json.dumps(one, sort_keys=True), json.dumps(other, sort_keys=True)

    found = differences(before, after)
    back = differences(after, before)

    assert (found == ()) == (before == after)
    if len(found) <= MOST_PLACES:
        there = {(each.place, each.before, each.after) for each in found}
        assert there == {(each.place, each.after, each.before) for each in back}
        assert len(there) == len(found)
