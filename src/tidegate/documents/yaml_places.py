"""
Which characters of a YAML text stand for which value, so that one value can be replaced and the rest kept.

Only for texts that `read_yaml` took: its bounds and refusals aren't repeated here. What the values mean is
not known here either.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from ruamel.yaml.events import (
    DocumentEndEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from tidegate.documents.yaml import yaml_events


@dataclass(slots=True, kw_only=True)
class Place:
    """
    A value and where it stands: `text[begin:end]`, without comments and blank lines after it.

    `in_braces` is whether it is written in the flow style, with braces or brackets. `entries` are the values
    of a mapping by key, and `keys` where each key begins; `items` those of a list.
    """

    begin: int
    end: int
    in_braces: bool = False
    entries: dict[str, "Place"] = field(default_factory=dict)
    keys: dict[str, int] = field(default_factory=dict)
    items: list["Place"] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """The root of a text, and where its document ends: at a line of `...`, or with the text."""

    root: Place
    end: int


def places_of(text: str) -> Places:
    """Return where everything in *text* stands, which `read_yaml` has read without a complaint."""
    events = yaml_events(text)
    root = Place(begin=0, end=0)
    end = len(text)
    for event in events:
        if isinstance(event, ScalarEvent | MappingStartEvent | SequenceStartEvent):
            root = _place(event, events, text)
        elif isinstance(event, DocumentEndEvent) and event.explicit:
            end = event.start_mark.index
    return Places(root=root, end=end)


def _place(event: Event, events: Iterator[Event], text: str) -> Place:
    begin: int = event.start_mark.index
    if isinstance(event, ScalarEvent):
        return Place(begin=begin, end=_without_blanks(text, begin, event.end_mark.index))
    assert isinstance(event, MappingStartEvent | SequenceStartEvent), f"{event!r} is no value"
    place = Place(begin=begin, end=begin, in_braces=bool(event.flow_style))
    closing = _fill(place, isinstance(event, MappingStartEvent), events, text)
    if place.in_braces:
        place.end = closing.end_mark.index
    return place


def _fill(place: Place, is_mapping: bool, events: Iterator[Event], text: str) -> Event:
    """Put what is in *place* into it, and return the event that closes it."""
    for event in events:
        if isinstance(event, MappingEndEvent | SequenceEndEvent):
            return event
        first = _place(event, events, text)
        if not is_mapping:
            place.items.append(first)
            place.end = first.end
            continue
        assert isinstance(event, ScalarEvent), "read_yaml takes words as keys only"
        value = _place(next(events), events, text)
        place.entries[event.value] = value
        place.keys[event.value] = first.begin
        # A key without a value is followed by a value of no characters, somewhere after its colon.
        place.end = max(first.end, value.end)
    raise AssertionError("the parser closes what it opens")


def _without_blanks(text: str, begin: int, end: int) -> int:
    """Return *end* before the line breaks that a block of text takes with it."""
    return begin + len(text[begin:end].rstrip())
