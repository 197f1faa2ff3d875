"""Records of the domain as JSON text and back."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Literal

import pytest

from tidegate.documents.records import from_json, to_json
from tidegate.domain.quantities import Exposure
from tidegate.errors import StoreError
from tidegate.testing.builders import a_rollout


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Square:
    kind: Literal["square"] = "square"
    side: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Circle:
    kind: Literal["circle"] = "circle"
    radius: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    shapes: tuple[Square | Circle, ...]
    weights: dict[Colour, float]
    at: datetime
    lasts: timedelta
    note: str | None = None


def _drawing() -> Drawing:
    return Drawing(
        shapes=(Circle(radius=math.inf), Square(side=-0.0)),
        weights={Colour.RED: 0.1, Colour.BLUE: -math.inf},
        at=datetime(2030, 1, 7, 9, 0, 0, 7, tzinfo=UTC),
        lasts=timedelta(days=-3, microseconds=1),
    )


def test_a_record_comes_back_equal() -> None:
    """Instants, durations, enums, tuples, unions and infinities are all there again."""
    text = to_json(_drawing())

    assert from_json(Drawing, text) == _drawing()


def test_numbers_that_json_lacks_are_text() -> None:
    """Any JSON reader can read the stored text."""
    assert '"Infinity"' in to_json(_drawing())


def test_nan_comes_back() -> None:
    """A measurement that isn't a number is still none after it was stored."""
    again = from_json(Square, to_json(Square(side=math.nan)))

    assert math.isnan(again.side)


def test_a_union_is_told_apart_by_its_literal_field() -> None:
    """A stored event comes back as the type it was."""
    again = from_json(Square | Circle, to_json(Circle(radius=1.5)))

    assert again == Circle(radius=1.5)


def test_a_rollout_of_the_domain_comes_back_equal() -> None:
    """The greatest record there is survives the store."""
    rollout = a_rollout()

    assert from_json(type(rollout), to_json(rollout)) == rollout


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"kind":"square","side":1,"colour":"red"}', "colour"),
        ('{"kind":"square"}', "side"),
        ('{"kind":"circle","side":1}', "kind"),
        ('{"kind":"square","side":"wide"}', "side"),
        ("side: 1", "json"),
    ],
)
def test_a_record_of_another_version_is_refused(text: str, reason: str) -> None:
    """A record with a field too many, too few or of another type is never half-read."""
    with pytest.raises(StoreError, match=reason):
        from_json(Square, text)


def test_what_the_domain_forbids_is_refused() -> None:
    """A stored weight above 100 % isn't taken for one."""
    with pytest.raises(StoreError, match=r"weight must be 0\.\.10000"):
        from_json(Exposure, '{"internal":true,"weight_bps":20000}')


def test_a_value_without_json_form_is_told() -> None:
    """A record with something unstorable inside fails when written, not when read."""

    @dataclass(frozen=True)
    class Holder:
        inside: object

    with pytest.raises(TypeError, match="Holder has no JSON form"):
        to_json(Holder(inside=object()))
