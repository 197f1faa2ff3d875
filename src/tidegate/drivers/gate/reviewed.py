"""
Which commits of a history nobody but their authors has read, and how old the work was that was merged.

A commit is read when its own message says so, or that of a merge which brought it in. Persons are counted
and not addresses; whoever had a hand in a commit doesn't count as its reader. No git here: what is known
of the commits comes in as values.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from fnmatch import fnmatchcase

from tidegate.drivers.gate.history import Commit, Person

Commits = Mapping[str, Commit]


def unread(commits: Commits, *, reviews: int, reviewers: Sequence[str]) -> list[Commit]:
    """
    Return those of *commits* that fewer than *reviews* other people have read, newest first.

    *reviewers* are patterns of the addresses that count; any address does without one.
    """
    readers: dict[str, set[Person]] = {
        commit.id: {one for one in commit.reviewers if _counts(one, reviewers)}
        for commit in commits.values()
    }
    for merge in commits.values():
        if len(merge.parents) > 1 and readers[merge.id]:
            for brought in merged_by(merge, commits):
                readers[brought] |= readers[merge.id]
    found = [
        commit
        for commit in commits.values()
        if len({mapped for _, mapped in _others(readers[commit.id], commit)}) < reviews
    ]
    return sorted(found, key=lambda commit: commit.at, reverse=True)


def merged_by(merge: Commit, commits: Commits) -> frozenset[str]:
    """Return those of *commits* that *merge* brought in beside its first parent."""
    first, *others = merge.parents
    return _ancestors(others, commits) - _ancestors([first], commits)


def oldest_work(commits: Commits) -> tuple[timedelta, Commit] | None:
    """Return the longest time between a commit on a branch and its merge, with the merge."""
    ages = []
    for merge in commits.values():
        brought = merged_by(merge, commits) if len(merge.parents) > 1 else frozenset[str]()
        if brought:
            ages.append((merge.at - min(commits[one].at for one in brought), merge))
    return max(ages, key=lambda age: age[0], default=None)


def _counts(person: Person, patterns: Sequence[str]) -> bool:
    return not patterns or any(fnmatchcase(person[1], pattern.lower()) for pattern in patterns)


def _others(people: set[Person], commit: Commit) -> set[Person]:
    return {person for person in people if not set(person) & commit.authors}


def _ancestors(start: Sequence[str], commits: Commits) -> frozenset[str]:
    """
    Return *start* and what is before it, as far as it is among *commits*.

    The commits that are new in something are closed upwards: between two of them there are no others.
    """
    found: set[str] = set()
    waiting = [one for one in start if one in commits]
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            waiting += [parent for parent in commits[one].parents if parent in commits]
    return frozenset(found)
