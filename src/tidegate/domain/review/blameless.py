"""
People as roles, and words that blame one: for texts that many will read after something went wrong.

Rule 1: a name becomes a role wherever it stands, so that a review is about what happened. The ledger
keeps the names. Rule 2: a wording that makes a person the cause is found and never changed: whoever
wrote it says it better themselves. Found by phrases that people use for it, so some are missed.

Who writes a review and who owns an action is named: that is about what comes, and nobody is blamed by it.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """
    The names that a review must do without.

    `roles` is what those are called who acted, by name; `people` are others who are known, and have no
    role in it. Names of programs that act on their own are in neither.
    """

    roles: Mapping[str, str]
    people: frozenset[str] = frozenset()


def findings(text: str, names: Names) -> tuple[Blame, ...]:
    """
    Return what should be said otherwise in a *text* that somebody wrote into a review.

    Wordings that blame, and names. A name that is shown as a role is told by that role.
    """
    acted = [
        Blame(wording=role, instead="was written as a name, and is shown as a role: write the role")
        for name, role in names.roles.items()
        if name != role and _has(text, name)
    ]
    others = [
        Blame(wording=name, instead="is a name: say what the person's part was")
        for name in sorted(names.people - names.roles.keys())
        if _has(text, name)
    ]
    return (*blaming(text), *acted, *others)


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
        text = re.sub(_alone(name), roles[name], text)
    return text


def _has(text: str, name: str) -> bool:
    return re.search(_alone(name), text) is not None


def _alone(name: str) -> str:
    """Return the pattern of *name* where it is one: part of a longer word or address isn't it."""
    return rf"(?<![\w.@+-]){re.escape(name)}(?![\w@+-])"
