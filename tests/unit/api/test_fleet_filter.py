"""The language of the fleet's filter: what each term means, and that nothing is half understood."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.api.showing.fleet.filtering import KEYS, FleetFilter, Term, read_filter
from tidegate.errors import InvalidRequestError

NOTHING: Mapping[str, Collection[str]] = dict.fromkeys(KEYS, ())


@dataclass
class Row:
    about: Mapping[str, Collection[str]] = field(default_factory=lambda: NOTHING)
    text: str = ""


CHECKOUT = Row(
    about={
        "service": ("checkout",),
        "owner": ("payments",),
        "state": ("held",),
        "kind": ("code", "flag"),
        "target": ("eu-1", "us-1"),
        "ring": ("europe", "america"),
        "by": ("dev-a",),
        "needs": ("person",),
    },
    text="checkout 8f3c code 2.14.1 payments no data: traffic",
)


@pytest.mark.parametrize(
    "written",
    [
        "",
        "   ",
        "owner:payments",
        "OWNER:Payments",
        "owner:pay*",
        "owner:*ments",
        "owner:p*m*s",
        "owner:*",
        "state:held",
        "state:held,halted",
        "state:open",
        "kind:flag",
        "target:eu* kind:code",
        "ring:america",
        "by:dev-a",
        "needs:person",
        "-state:completed",
        "-owner:search service:checkout",
        "traffic",
        '"no data"',
        "2.14",
        "-search",
    ],
)
def test_takes_what_fits(written: str) -> None:
    """All terms together, alternatives within one, in whatever case."""
    assert read_filter(written).holds(CHECKOUT)


@pytest.mark.parametrize(
    "written",
    [
        "owner:pay",
        "owner:ments*",
        "owner:pa*ents*ts",
        "state:over",
        "-state:open",
        "state:baking",
        "kind:schema",
        "state:held kind:schema",
        "target:ap*",
        "-target:eu*",
        "by:dev",
        '"data no"',
        "-traffic",
    ],
)
def test_leaves_out_what_does_not_fit(written: str) -> None:
    """Without a star a value is the whole name; one term that fails is enough."""
    assert not read_filter(written).holds(CHECKOUT)


def test_a_state_may_be_written_as_people_read_it() -> None:
    """`rolled back` is shown, so it can be typed."""
    rolled_back = Row(about={**NOTHING, "state": ("rolled_back",)})

    assert read_filter('state:"rolled back"').holds(rolled_back)
    assert read_filter("state:rolled_back,held").holds(rolled_back)


@pytest.mark.parametrize(
    ("written", "message", "hint"),
    [
        ("ownr:pay*", "a filter knows no 'ownr'", "did you mean 'owner'"),
        ("state:heald", "there is no state 'heald'", "did you mean 'held'"),
        ("state:held,nonsense", "there is no state 'nonsense'", "there are: planned"),
        ("needs:me", "there is no needs 'me'", "person"),
        ("owner:", "owner: says nothing", "owner:pay*"),
        ("owner:,", "owner: says nothing", "owner:pay*"),
        ('"no end', "a quotation mark has no end", "for example"),
        ("x" * 501, "at most 500 characters", "for example"),
        ("a " * 21, "at most 20 terms, got 21", "for example"),
    ],
)
def test_refuses_what_it_does_not_understand(written: str, message: str, hint: str) -> None:
    """The word is named, with what could have been meant."""
    with pytest.raises(InvalidRequestError) as refused:
        read_filter(written)

    assert message in refused.value.message
    assert hint in refused.value.hint


def test_a_filter_asks_something_else_of_one_key() -> None:
    """What counts and chips link to: the rest of what was asked stays."""
    asked = read_filter("owner:pay* state:held -kind:flag free")

    assert str(asked.with_only("state", "halted")) == "owner:pay* -kind:flag free state:halted"
    assert str(asked.with_only("state")) == "owner:pay* -kind:flag free"
    assert asked.values_of("state") == ("held",)
    assert asked.values_of("kind") == ()


def test_a_filter_about_targets_narrows_the_columns() -> None:
    """Terms about other things have no say in it."""
    asked = read_filter("target:eu* -target:eu-2 state:held")

    wanted = [name for name in ("eu-1", "eu-2", "us-1") if asked.wants("target", name)]

    assert wanted == ["eu-1"]


words = st.text(st.characters(blacklist_characters='"', blacklist_categories=("Cs",)), min_size=1)
values = words.map(lambda word: word.strip().lower()).filter(bool)
terms = st.builds(
    Term,
    key=st.sampled_from(["", "owner", "service", "target", "by"]),
    values=st.lists(values, min_size=1, max_size=1).map(tuple),
    is_not=st.booleans(),
)


@given(st.lists(terms, max_size=4).map(tuple))
def test_what_is_written_reads_the_same(made: tuple[Term, ...]) -> None:
    """An address made of a filter gives that filter again, whatever names are in it."""
    asked = FleetFilter(terms=made)
    written = str(asked)
    if len(written) > 500:
        return

    assert read_filter(written) == asked
