"""
The language of the fleet's filter: `owner:pay* state:held -kind:flag text`. Read, applied, written again.

Terms are all wanted together; the values of one term, parted by commas, are alternatives. What can't be
read is an error that names the word: a filter that was half understood would hide what somebody looks for.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final, Protocol

from tidegate.domain.rollout.machine import FINAL, State
from tidegate.errors import InvalidRequestError

LONGEST: Final = 500
MOST_TERMS: Final = 20

OPEN: Final = "open"
"""Stands for every state that isn't final."""
OVER: Final = "over"
"""Stands for every final state."""

KEYS: Final[Mapping[str, str]] = {
    "service": "its name",
    "owner": "who owns the service",
    "state": f"a state, or {OPEN} or {OVER}",
    "kind": "code, iac, flag, config, schema",
    "target": "a target that it moves",
    "ring": "a ring that it moves",
    "by": "who started it",
    "needs": "person: waits until somebody acts",
}
"""What can stand before a colon, and what it asks about."""

EXAMPLE: Final = "owner:pay* state:held,halted target:eu*"

_STATES: Final = {
    **{state.value: frozenset({state.value}) for state in State},
    OPEN: frozenset(state.value for state in State if state not in FINAL),
    OVER: frozenset(state.value for state in FINAL),
}
_FIXED: Final[Mapping[str, Collection[str]]] = {"state": _STATES, "needs": ("person",)}
_WORD: Final = re.compile(r'(?:"[^"]*"|[^\s"])+')
_MARKED: Final = re.compile(r"(?P<key>[A-Za-z_]+):(?P<values>.*)", re.DOTALL)
_PLAIN_VALUE: Final = re.compile(r'[^\s",:-][^\s",:]*')


class Filterable(Protocol):
    """What a filter asks about."""

    @property
    def about(self) -> Mapping[str, Collection[str]]:
        """The values of each of `KEYS`, in lower case."""
        ...

    @property
    def text(self) -> str:
        """All words that can be searched, in lower case."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One condition. `key` is empty for words that are searched everywhere; `values` are alternatives."""

    key: str
    values: tuple[str, ...]
    is_not: bool = False

    def __str__(self) -> str:
        written = ",".join(map(_quoted, self.values))
        return ("-" if self.is_not else "") + (f"{self.key}:" if self.key else "") + written

    def holds(self, of: Filterable) -> bool:
        """Return whether it is true of something."""
        return self._is_met(of) is not self.is_not

    def _is_met(self, of: Filterable) -> bool:
        if not self.key:
            return all(_fits(f"*{word}*", of.text) for word in self.values)
        held = of.about[self.key]
        if self.key == "state":
            return any(not _STATES[value].isdisjoint(held) for value in self.values)
        return any(_fits(value, one) for value in self.values for one in held)


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetFilter:
    """Terms that must all hold. None: everything."""

    terms: tuple[Term, ...] = ()

    def __str__(self) -> str:
        return " ".join(map(str, self.terms))

    def holds(self, of: Filterable) -> bool:
        """Return whether all terms are true of something."""
        return all(term.holds(of) for term in self.terms)

    def wants(self, key: str, name: str) -> bool:
        """Return whether the terms about *key* alone would take *name*."""
        return all(
            any(_fits(value, name.lower()) for value in term.values) is not term.is_not
            for term in self.terms
            if term.key == key
        )

    def values_of(self, key: str) -> tuple[str, ...]:
        """Return the values that are asked for of *key*."""
        asked = (one for one in self.terms if one.key == key and not one.is_not)
        return tuple(value for term in asked for value in term.values)

    def with_only(self, key: str, *values: str) -> "FleetFilter":
        """Return this filter asking *values* of *key* instead of what it asked; nothing for none."""
        others = tuple(term for term in self.terms if term.key != key)
        return FleetFilter(terms=(*others, Term(key=key, values=values)) if values else others)


def read_filter(written: str) -> FleetFilter:
    """
    Return the filter that *written* means; empty text is everything.

    Raises:
        InvalidRequestError: a word of it means nothing, or there are too many.
    """
    if len(written) > LONGEST:
        raise _wrong(f"a filter has at most {LONGEST} characters, got {len(written)}")
    if written.count('"') % 2:
        raise _wrong("a quotation mark has no end")
    words = _WORD.findall(written)
    if len(words) > MOST_TERMS:
        raise _wrong(f"a filter has at most {MOST_TERMS} terms, got {len(words)}")
    return FleetFilter(terms=tuple(map(_term, words)))


def _term(word: str) -> Term:
    is_not = word.startswith("-") and len(word) > 1
    said = word[1:] if is_not else word
    marked = _MARKED.fullmatch(said)
    if marked is None:
        return Term(key="", values=(said.replace('"', "").lower(),), is_not=is_not)
    key = marked["key"].lower()
    if key not in KEYS:
        raise _wrong(f"a filter knows no {key!r}", _meant(key, KEYS))
    values = tuple(_values(marked["values"]))
    if not values:
        raise _wrong(f"{key}: says nothing", f"write what it shall be: {key}:{_sample(key)}")
    for value in values:
        if key in _FIXED and value not in _FIXED[key]:
            raise _wrong(f"there is no {key} {value!r}", _meant(value, _FIXED[key]))
    return Term(key=key, values=values, is_not=is_not)


def _values(written: str) -> Iterable[str]:
    # Commas within quotation marks belong to the value.
    for value in re.findall(r'(?:"[^"]*"|[^,"])+', written):
        plain = value.replace('"', "").strip().lower()
        if plain:
            yield plain.replace(" ", "_") if plain.replace(" ", "_") in _STATES else plain


def _fits(pattern: str, name: str) -> bool:
    return _pattern(pattern)(name)


def _pattern(pattern: str) -> Callable[[str], bool]:
    if "*" not in pattern:
        return pattern.__eq__
    parts = pattern.split("*")
    return lambda name: _has_in_order(parts, name)


def _has_in_order(parts: list[str], name: str) -> bool:
    """Return whether *name* is *parts* with anything between them. Linear, whatever somebody writes."""
    first, last = parts[0], parts[-1]
    if not (name.startswith(first) and name.endswith(last) and len(name) >= len(first) + len(last)):
        return False
    at, end = len(first), len(name) - len(last)
    for part in parts[1:-1]:
        found = name.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True


def _quoted(value: str) -> str:
    return value if _PLAIN_VALUE.fullmatch(value) else f'"{value}"'


def _sample(key: str) -> str:
    return {"state": "held", "kind": "code", "needs": "person"}.get(key, "pay*")


def _meant(said: str, known: Collection[str]) -> str:
    close = get_close_matches(said, known, n=1)
    listed = ", ".join(known)
    return f"did you mean {close[0]!r}? There are: {listed}" if close else f"there are: {listed}"


def _wrong(message: str, hint: str = "") -> InvalidRequestError:
    return InvalidRequestError(message, hint=hint or f"for example: {EXAMPLE}")
