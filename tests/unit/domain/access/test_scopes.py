"""Scopes: paths compared part by part."""

import pytest

from tidegate.domain.access.model import Resource
from tidegate.domain.access.scopes import Place, check_scope, covers, fits, meets, places_of
from tidegate.errors import InvalidRequestError

EU: Place = ("acme", "pay", "production", "eu-1")


@pytest.mark.parametrize(
    ("scope", "inside"),
    [
        ("acme", True),
        ("acme/pay", True),
        ("acme/*/production", True),
        ("acme/pay/production/eu-1", True),
        ("acme/pay/production/eu-*", True),
        ("acme/p*y", True),
        ("acm", False),
        ("acme2", False),
        ("acme/pa", False),
        ("acme/payments", False),
        ("acme/pay/staging", False),
        ("acme/pay/production/eu", False),
        ("acme/pay/production/*-2", False),
        # A star reaches over no slash, and a name into no other part.
        ("acme/*", True),
        ("acme/*/eu-1", False),
        ("acme/pay/*-1", False),
        ("acme/pay/production/eu-1/deeper", False),
        ("", False),
        ("ACME", False),
    ],
)
def test_a_scope_covers_what_is_inside_it(scope: str, inside: bool) -> None:
    """Part by part, and each part whole."""
    assert covers(scope, EU) is inside


@pytest.mark.parametrize("scope", ["acme/pay", "acme/*", "acme/pay/production", "acme/*/*/*"])
def test_what_is_wider_than_a_scope_is_not_covered_but_met(scope: str) -> None:
    """A right in every project is none in the organisation itself."""
    whole: Place = ("acme", None, None, None)

    assert not covers(scope, whole)
    assert meets(scope, whole)


def test_a_name_with_a_slash_fits_no_pattern() -> None:
    """A target that is called like a path doesn't become one."""
    assert not fits("*", "production/eu")
    assert not covers("acme/*", ("acme", "pay/production", None, None))


def test_a_pattern_of_many_stars_comes_to_an_end() -> None:
    """Nobody can make a ruling take forever by what they are granted."""
    assert not fits("*a" * 140 + "b", "a" * 250)


@pytest.mark.parametrize(
    ("pattern", "name", "answer"),
    [
        ("*", "", True),
        ("**", "x", True),
        ("a*a", "a", False),
        ("a*a", "aa", True),
        ("*ab*", "xaab", True),
        ("ab*ba", "aba", False),
        ("a*b*c", "a-b-b-c", True),
        ("a*b*c", "a-c-b", False),
    ],
)
def test_stars_stand_for_letters(pattern: str, name: str, answer: bool) -> None:
    """Any number of them, and none is used twice."""
    assert fits(pattern, name) is answer


@pytest.mark.parametrize("scope", ["acme", "acme/*", "acme/pay-*/staging", "a/b/lab/eu*"])
def test_takes_a_scope_as_it_is(scope: str) -> None:
    """What is a scope stays the text it was."""
    assert check_scope(scope) == scope


@pytest.mark.parametrize(
    "scope",
    [
        "",
        "*",
        "a*/pay",
        "acme/",
        "/acme",
        "acme//production",
        "acme/pay/lab/eu/more",
        "acme/../other",
        "acme/pay production",
        "acme/" + "x" * 300,
        "acme/pay/*",
        "acme/pay/prod*",
        "acme/*/*/eu",
    ],
)
def test_refuses_what_is_no_scope(scope: str) -> None:
    """Among them every wildcard over organisations or environments."""
    with pytest.raises(InvalidRequestError):
        check_scope(scope)


def test_the_places_of_a_resource_are_its_targets() -> None:
    """Each in its own environment; without targets what is wider."""
    two = Resource(
        organisation="acme",
        project="pay",
        environments=("staging", "production"),
        targets=("eu", "us"),
    )

    assert places_of(two) == (
        ("acme", "pay", "staging", "eu"),
        ("acme", "pay", "production", "us"),
    )
    assert places_of(Resource(organisation="acme")) == (("acme", None, None, None),)
    assert places_of(Resource(organisation="acme", project="pay", environments=("lab",))) == (
        ("acme", "pay", "lab", None),
    )


def test_a_target_without_an_environment_is_a_bug() -> None:
    """Nothing could be ruled about it."""
    with pytest.raises(AssertionError):
        Resource(organisation="acme", project="pay", targets=("eu",))
