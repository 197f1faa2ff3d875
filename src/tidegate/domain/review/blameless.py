"""
People as roles, and words that blame one: for texts that many will read after something went wrong.

Rule 1: a name becomes a role wherever it stands, so that a review is about what happened. The ledger
keeps the names. Rule 2: a wording that makes a person the cause is found and never changed: whoever
wrote it says it better themselves. Found by phrases that people use for it, so some are missed.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

_WORDINGS: Final = (
    (r"\bhuman error\b", "say what made the error possible and what let it through"),
    (r"\b(?:forgot|neglected|failed|didn['’]t bother) to\b", "say what would have reminded anyone"),
    (
        r"\b(?:was|were|is|being) (?:sloppy|lazy|incompetent|negligent)\b",
        "say what happened",
    ),
    (r"\bcareless(?:ly|ness)?\b", "say what happened"),
    (r"\b(?:the )?fault of\b", "say which condition led to it"),
    (r"\b(?:is|was|are|were) to blame\b", "say which condition led to it"),
    (
        r"\bshould(?:n['’]t| not)? have (?:known|noticed|seen|checked|done)\b",
        "say what was known then",
    ),
    (
        r"\bcaused by (?:the )?(?:proposer|approver|operator|person|developer|engineer)\b",
        "say which change or condition caused it",
    ),
    (r"\bstupid(?:ly|ity)?\b", "say what happened"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Blame:
    """A wording that makes a person the cause: what was written, and what to say instead."""

    wording: str
    instead: str


def blaming(text: str) -> tuple[Blame, ...]:
    """Return the wordings of *text* that blame somebody, in their order."""
    found = [
        (match.start(), Blame(wording=match.group(0), instead=instead))
        for pattern, instead in _WORDINGS
        for match in re.finditer(pattern, text, re.IGNORECASE)
    ]
    # Two patterns may find the same words.
    by_place = dict(sorted(found, key=lambda pair: pair[0]))
    return tuple(by_place.values())


def roles_of(actors: Iterable[str], *, engine: str, proposer: str) -> Mapping[str, str]:
    """
    Return what each of *actors* is called, in the order in which they acted.

    The engine keeps its name, who proposed the change is `the proposer`, others are counted.
    """
    roles: dict[str, str] = {engine: engine}
    others = 0
    for actor in actors:
        if actor in roles:
            continue
        if actor == proposer:
            roles[actor] = "the proposer"
        else:
            others += 1
            roles[actor] = f"person {others}"
    return roles


def without_names(text: str, roles: Mapping[str, str]) -> str:
    """Return *text* with each name of *roles* replaced by what it is called."""
    for name in sorted(roles, key=len, reverse=True):
        # Part of a longer word or address isn't the name.
        text = re.sub(rf"(?<![\w.@+-]){re.escape(name)}(?![\w@+-])", roles[name], text)
    return text
