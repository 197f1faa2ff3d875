"""The strict reader of YAML: values, places and bounds. What it refuses is in test_bad_files."""

import pytest

from tidegate.documents.problems import Mark
from tidegate.documents.yaml import MAX_BYTES, MAX_DEPTH, MAX_NODES, read_yaml
from tidegate.errors import InvalidDocumentError

TEXT = """\
name: shop
list:
  - one
  - {two: 2, three: "3"}
text: |
  first
  second
"""


def test_values_come_out_plain() -> None:
    """Mappings, lists, quoted and block text have their obvious values."""
    document = read_yaml(TEXT, file="x.yaml")

    assert document.value == {
        "name": "shop",
        "list": ["one", {"two": 2, "three": "3"}],
        "text": "first\nsecond\n",
    }


def test_every_key_and_value_has_its_place() -> None:
    """A message can point at the very word."""
    positions = read_yaml(TEXT, file="x.yaml").positions

    assert positions.keys[("list",)] == Mark(2, 1)
    assert positions.values[("list", 0)] == Mark(3, 5)
    assert positions.values[("list", 1, "three")] == Mark(4, 21)


def test_what_isn_t_written_is_placed_at_what_is_around_it() -> None:
    """A message about a missing key still has a line."""
    positions = read_yaml(TEXT, file="x.yaml").positions

    assert positions.of_value(("list", 1, "four", "five")) == Mark(4, 5)
    assert positions.of_key(("absent",)) == Mark(1, 1)


def test_quoted_words_are_text() -> None:
    """The fix that messages give works: in quotes, every word is itself."""
    document = read_yaml("a: 'no'\nb: \"09:00\"\n'1': '*x'\n", file="x.yaml")

    assert document.value == {"a": "no", "b": "09:00", "1": "*x"}


def test_a_byte_order_mark_and_windows_line_ends_are_read() -> None:
    """Files from other systems work."""
    assert read_yaml("\ufeffa: 1\r\nb: 2\r\n", file="x.yaml").value == {"a": 1, "b": 2}


@pytest.mark.parametrize("character", ["\x85", "\u2028", "\u2029"])
def test_characters_that_only_some_readers_take_for_line_ends_are_refused(character: str) -> None:
    """A text isn't folded, nor a line hidden, by a character that nobody sees."""
    with pytest.raises(InvalidDocumentError, match=r"x\.yaml:2:8: the character U"):
        read_yaml(f"a: 1\nb: 'two{character}'\n", file="x.yaml")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("a: " + "x" * MAX_BYTES, f"at most {MAX_BYTES} are read"),
        ("{a: " * (MAX_DEPTH + 1), f"deeper than {MAX_DEPTH}"),
        ("[" * 100_000, f"deeper than {MAX_DEPTH}"),
        ("- " * 100_000, f"deeper than {MAX_DEPTH}"),
        ("- a\n" * (MAX_NODES + 1), f"more than {MAX_NODES} values"),
        ("a: &a [" + ",".join(["*a"] * 9) + "]", "anchors"),
        ("a: " + "9" * 100_000, "100000 digits"),
    ],
)
def test_bombs_are_refused_within_bounds(text: str, what: str) -> None:
    """A small file can't become a large value, deep recursion or endless work (class O)."""
    with pytest.raises(InvalidDocumentError, match=what):
        read_yaml(text, file="x.yaml")


def test_at_most_twenty_problems_are_shown() -> None:
    """A file full of mistakes still gives a message that can be read."""
    text = "".join(f"k{number}: no\n" for number in range(30))

    with pytest.raises(InvalidDocumentError) as caught:
        read_yaml(text, file="x.yaml")

    assert caught.value.message.count("fix:") == 20
    assert caught.value.message.endswith("and 10 more")
