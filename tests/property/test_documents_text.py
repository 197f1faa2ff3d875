"""What must hold for any text and any value: the YAML reader, canonical JSON, and records."""

import json
import math
import warnings
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Literal

from hypothesis import example, given
from hypothesis import strategies as st
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from tidegate.documents.canonical import MAX_EXACT_INTEGER, canonical_json
from tidegate.documents.records import from_json, to_json
from tidegate.documents.scalars import Trap, read_plain
from tidegate.documents.yaml import read_yaml
from tidegate.errors import InvalidDocumentError

PIECES = [
    *("a", "b1", ":", ": ", " ", "  ", "\n", "\n  ", "- ", "?", "[", "]", "{", "}", ","),
    *("&x", "*x", "!t ", "!!str ", "|", ">", "'", '"', "\\", "\\x41", "#", "%", "@", "`", "\t"),
    *("---", "...", "<<", "no", "1", "09:00", "\x85", "\u2028", "\ufeff", "\r", "é", "\x00"),
    *("\ud800", "%YAML 1.9", "\n%TAG ! x", "~", "0x1", "1.10", "😀"),
]
yaml_like = st.lists(st.sampled_from(PIECES), max_size=40).map("".join)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-MAX_EXACT_INTEGER, MAX_EXACT_INTEGER)
    | st.floats(-MAX_EXACT_INTEGER, MAX_EXACT_INTEGER)
    | st.floats(min_value=1e21, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=15,
)


@given(yaml_like)
@example("%YAML 1.21")
@example("a: 1\n...\n%YAML 1.21\n---\n")
def test_any_text_is_read_or_refused_with_a_place(text: str) -> None:
    """No text whatever makes the reader fail in another way than by saying what is wrong."""
    try:
        document = read_yaml(text, file="x.yaml")
    except InvalidDocumentError as refusal:
        assert "fix: " in refusal.message
        assert refusal.message.startswith("x.yaml")
    else:
        assert document.positions.values[()].line >= 1


@given(json_values)
def test_json_is_read_as_json_is(value: Any) -> None:
    """Quoted and bracketed text means what any other reader takes it for; numbers are the same."""
    text = json.dumps({"value": value}, ensure_ascii=False)
    try:
        document = read_yaml(text, file="x.yaml")
    except InvalidDocumentError as refusal:
        # Some numbers of JSON (1e+30) are text to YAML 1.1, and some characters can't stand in YAML.
        assert "readers of YAML" in refusal.message or "can't stand" in refusal.message
    else:
        assert document.value == {"value": value}


words = st.text("0123456789.:_-+eExob~ynofNYTtrusalinf", min_size=1, max_size=8)


@given(words)
def test_a_plain_word_that_is_read_means_the_same_to_every_reader(word: str) -> None:
    """What isn't refused is read alike under YAML 1.1 and 1.2 (class O)."""
    found = read_plain(word.strip())

    if not isinstance(found, Trap):
        for version in ((1, 1), (1, 2)):
            other = _reference_reading(word.strip(), version)
            assert other in (found, _NOT_A_WORD), (version, other, found)


_NOT_A_WORD = object()


def _reference_reading(word: str, version: tuple[int, int]) -> object:
    reader = YAML(typ="safe", pure=True)
    reader.version = version
    try:
        with warnings.catch_warnings(action="ignore"):
            loaded = reader.load(f"- {word}\n")
    except (YAMLError, ValueError, IndexError):
        return _NOT_A_WORD
    if not isinstance(loaded, list) or len(loaded) != 1 or isinstance(loaded[0], dict | list):
        return _NOT_A_WORD
    return loaded[0]


@given(json_values)
def test_canonical_text_reads_back_and_is_its_own_canonical_text(value: Any) -> None:
    """Nothing is lost, and there is only one text."""
    text = canonical_json(value)
    again = json.loads(text)

    assert again == value
    assert canonical_json(again) == text


@given(st.floats(-MAX_EXACT_INTEGER, MAX_EXACT_INTEGER) | st.floats(1e21, 1e308))
def test_numbers_keep_every_digit(number: float) -> None:
    """The canonical text of a double is that double."""
    text = canonical_json(number)

    assert float(text) == number
    assert len(text) <= 25


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True, slots=True, kw_only=True)
class First:
    kind: Literal["first"] = "first"
    number: float
    words: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Second:
    kind: Literal["second"] = "second"
    count: int
    by_colour: dict[Colour, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    parts: tuple[First | Second, ...]
    at: datetime
    lasts: timedelta
    colour: Colour | None


numbers = st.floats(allow_nan=False)
firsts = st.builds(
    First, number=numbers, words=st.lists(st.tuples(texts, texts), max_size=3).map(tuple)
)
seconds = st.builds(
    Second,
    count=st.integers(),
    by_colour=st.dictionaries(st.sampled_from(Colour), numbers),
)
wholes = st.builds(
    Whole,
    parts=st.lists(firsts | seconds, max_size=3).map(tuple),
    at=st.datetimes(timezones=st.just(UTC)),
    lasts=st.timedeltas(),
    colour=st.none() | st.sampled_from(Colour),
)


@given(wholes)
def test_records_come_back_equal(record: Whole) -> None:
    """Whatever the values, what is stored is what is read."""
    assert from_json(Whole, to_json(record)) == record


@given(numbers)
def test_signs_of_zero_and_infinities_survive(number: float) -> None:
    """A replayed decision sees the very same number."""
    again = from_json(First, to_json(First(number=number, words=()))).number

    assert math.copysign(1, again) == math.copysign(1, number)
    assert again == number


@given(
    st.dictionaries(
        st.text(st.characters(max_codepoint=127), max_size=4) | st.text(max_size=4),
        st.none()
        | st.booleans()
        | st.text(st.characters(), max_size=8)
        | st.integers(-(2**53) - 2, 2**53 + 2),
        max_size=8,
    )
)
def test_a_flat_document_is_written_as_a_nested_one_is(members: dict[str, object]) -> None:
    """The fast way of writing gives the text, or the refusal, that the general way does."""

    def written(value: object) -> str:
        try:
            return canonical_json(value)
        except ValueError:
            return "refused"

    nested = written([members])

    assert written(members) == (nested if nested == "refused" else nested[1:-1])
