"""
What the draft of a postmortem suggests as contributing factors and actions. Pure.

Rule: a suggestion says what the facts show and no more, and nothing of it counts before somebody takes it
over. Its key stays the same as long as the facts do, so that what was taken over isn't suggested again.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from tidegate.domain.review.postmortem import Caught, Guard, Postmortem
from tidegate.domain.review.written import Factor


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """Something that somebody may take over: its key, and what it would say."""

    key: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggested:
    """What a draft suggests."""

    factors: tuple[Suggestion, ...]
    actions: tuple[Suggestion, ...]


_FACTORS: Final = {
    Caught.BLIND: "{signal} had no data while users met the new version, so it could show nothing.",
    Caught.PARTLY: "{signal} was suspicious, and had not proved anything by the time of the stop.",
    Caught.SHADOW: "{signal} only watched: it had no say yet.",
}

_ACTIONS: Final = {
    Caught.BLIND: "Give {signal} data from the first request that the new version serves.",
    Caught.PARTLY: "Look for what lets {signal} prove harm sooner: more traffic, or a longer bake.",
    Caught.SHADOW: "Decide whether {signal} shall have a say.",
}

_BY_A_PERSON: Final = Suggestion(
    key="stopped-by-a-person", text="No rule stopped it: a person saw it and did."
)
_A_SIGNAL_FOR_IT: Final = Suggestion(
    key="stopped-by-a-person",
    text="Find a signal that would have stopped this without anybody having to see it.",
)


def suggest(
    made: Postmortem, *, factors: Iterable[Factor] = (), actions: Iterable[Factor] = ()
) -> Suggested:
    """Return what *made* suggests, without what *factors* and *actions* were taken over from."""
    by_person = _was_stopped_by_a_person(made)
    return Suggested(
        factors=_left(
            [*_of_guards(made.guards, _FACTORS), *([_BY_A_PERSON] if by_person else [])], factors
        ),
        actions=_left(
            [*_of_guards(made.guards, _ACTIONS), *([_A_SIGNAL_FOR_IT] if by_person else [])],
            actions,
        ),
    )


def _of_guards(guards: Iterable[Guard], texts: dict[Caught, str]) -> Iterable[Suggestion]:
    for guard in guards:
        if guard.caught in texts:
            yield Suggestion(
                key=f"{guard.caught.name.lower()}:{guard.signal}",
                text=texts[guard.caught].format(signal=guard.signal),
            )


def _was_stopped_by_a_person(made: Postmortem) -> bool:
    """Return whether the first stop was somebody's word and no rule's."""
    stop = next((one for one in made.timeline if one.is_change and one.state == "halted"), None)
    return stop is not None and stop.is_a_persons


def _left(found: Iterable[Suggestion], taken: Iterable[Factor]) -> tuple[Suggestion, ...]:
    keys = {one.suggestion for one in taken}
    return tuple(one for one in found if one.key not in keys)
