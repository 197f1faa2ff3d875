"""A star stays within its part, and matching takes no more time than there is text."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.drivers.gate.patterns import fits


@pytest.mark.parametrize(
    ("text", "pattern", "is_fit"),
    [
        ("refs/heads/main", "refs/heads/main", True),
        ("refs/heads/main", "refs/heads/mai.", False),
        ("refs/tags/v1", "refs/tags/v*", True),
        ("refs/tags/v", "refs/tags/v*", True),
        ("refs/tags/v1/x", "refs/tags/v*", False),
        ("refs/heads/main", "refs/*", False),
        ("abab", "ab*ab", True),
        ("aba", "ab*ba", False),
        ("axbxc", "a*b*c", True),
        ("axcxb", "a*b*c", False),
        ("", "*", True),
        ("", "", True),
    ],
)
def test_a_star_stands_for_anything_within_one_part(
    text: str, pattern: str, *, is_fit: bool
) -> None:
    """And everything else for itself."""
    assert fits(text, pattern) is is_fit


def test_parts_end_where_it_is_said() -> None:
    """A subject's parts end at its ref as well."""
    assert fits("a@b", "*")
    assert not fits("a@b", "*", ends="/@")
    assert fits("a@b", "*@*", ends="/@")


@given(st.text("ab/@.", max_size=12), st.text("ab*/@.", max_size=8))
def test_it_agrees_with_a_regular_expression(text: str, pattern: str) -> None:
    """Which says the same, and may take for ever about it."""
    expected = "[^/@]*".join(re.escape(part) for part in pattern.split("*"))

    assert fits(text, pattern, ends="/@") is (re.fullmatch(expected, text) is not None)


def test_a_hostile_pattern_takes_no_time() -> None:
    """As a regular expression it would try more ways than there are atoms."""
    assert not fits("a" * 50_000 + "c", "*a" * 200 + "b")
