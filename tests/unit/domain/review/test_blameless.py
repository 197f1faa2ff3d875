"""Names become roles, and wordings that blame are found."""

import pytest

from tidegate.domain.review.blameless import Names, blaming, findings, roles_of, without_names


def test_people_are_counted_in_the_order_in_which_they_acted() -> None:
    """The proposer is told apart; the engine keeps its name."""
    roles = roles_of(
        ["dev-a", "tidegate", "lead-a", "dev-a", "lead-b"], engine="tidegate", proposer="dev-a"
    )

    assert roles == {
        "tidegate": "tidegate",
        "dev-a": "the proposer",
        "lead-a": "person 1",
        "lead-b": "person 2",
    }


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("halted by lead-a", "halted by person 1"),
        ("lead-a: looks wrong", "person 1: looks wrong"),
        ("lead-a, then dev-a.", "person 1, then the proposer."),
        # Part of a longer word, address or name isn't the name.
        ("lead-ab and xlead-a", "lead-ab and xlead-a"),
        ("mail lead-a@example.org", "mail lead-a@example.org"),
        ("team/lead-a+x", "team/lead-a+x"),
    ],
)
def test_a_name_is_replaced_wherever_it_stands_alone(text: str, shown: str) -> None:
    """A review that many read is about what happened; other words are left as they are."""
    roles = {"lead-a": "person 1", "dev-a": "the proposer"}

    assert without_names(text, roles) == shown


@pytest.mark.parametrize(
    "text",
    [
        "human error",
        "the approver forgot to look",
        "They failed to check the graph",
        "this was careless",
        "it is the fault of the night shift",
        "dev-a was to blame",
        "somebody should have noticed",
        "shouldn't have done that",
        "caused by the proposer",
        "a stupid mistake",
    ],
)
def test_wordings_that_make_a_person_the_cause_are_found(text: str) -> None:
    """Each with what to say instead."""
    found = blaming(text)

    assert len(found) == 1
    assert found[0].wording.lower() in text.lower()
    assert found[0].instead


@pytest.mark.parametrize(
    "text",
    [
        "the request failed with 500",
        "errors rose at 25 %",
        "caused by a missing index",
        "default timeout",
        "the fault was injected",
        "",
    ],
)
def test_words_about_things_are_left_alone(text: str) -> None:
    """A lint that cries at every failure would be turned off."""
    assert blaming(text) == ()


@pytest.mark.parametrize(
    ("text", "wordings"),
    [
        ("the list was old", []),
        ("lead-a should have known", ["should have known", "person 1"]),
        ("dev-a was careless, and kim too", ["careless", "the proposer", "kim"]),
        # Part of a longer word isn't a name, and neither is the engine.
        ("kimono, tidegate and lead-ab", []),
    ],
)
def test_names_and_blame_are_found_in_what_people_write(text: str, wordings: list[str]) -> None:
    """Who acted is told by the role, so that the finding itself names nobody who had a part in it."""
    names = Names(
        roles={"tidegate": "tidegate", "lead-a": "person 1", "dev-a": "the proposer"},
        people=frozenset({"kim", "dev-a"}),
    )

    assert [one.wording for one in findings(text, names)] == wordings
