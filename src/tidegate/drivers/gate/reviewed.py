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
    read_merges = [
        (merge, frozenset(readers[merge.id]))
        for merge in commits.values()
        if len(merge.parents) > 1 and readers[merge.id]
    ]
    ancestry = Ancestry(commits)
    for merge, people in read_merges:
        for brought in ancestry.merged_by(merge):
            readers[brought.id] |= people
    found = [
        commit
        for commit in commits.values()
        if len({mapped for _, mapped in _others(readers[commit.id], commit)}) < reviews
    ]
    return sorted(found, key=lambda commit: commit.at, reverse=True)


def oldest_work(commits: Commits) -> tuple[timedelta, Commit] | None:
    """Return the longest time between a commit on a branch and its merge, with the merge."""
    ancestry = Ancestry(commits)
    ages = [
        (merge.at - min(one.at for one in brought), merge)
        for merge in commits.values()
        if (brought := ancestry.merged_by(merge))
    ]
    return max(ages, key=lambda age: age[0], default=None)


class Ancestry:
    """
    Which of some commits come before which.

    The commits that are new in something are closed upwards: between two of them there are no others. Each
    has a bit, and its ancestors are one number, so that a history of merges is looked at in one pass.
    """

    def __init__(self, commits: Commits) -> None:
        self._commits = list(commits.values())
        self._bits = {commit.id: 1 << at for at, commit in enumerate(self._commits)}
        self._up_to: dict[str, int] = {}
        for commit in self._commits:
            self._fill(commit.id, commits)

    def merged_by(self, merge: Commit) -> list[Commit]:
        """Return the commits that *merge* brought in beside its first parent; none for no merge."""
        first, *others = merge.parents or ("",)
        brought = 0
        for other in others:
            brought |= self._up_to.get(other, 0)
        brought &= ~self._up_to.get(first, 0)
        found = []
        while brought:
            lowest = brought & -brought
            found.append(self._commits[lowest.bit_length() - 1])
            brought ^= lowest
        return found

    def _fill(self, start: str, commits: Commits) -> None:
        """Note the ancestors of *start*, parents first; a long history mustn't exhaust the stack."""
        waiting = [start]
        while waiting:
            one = waiting[-1]
            parents = [parent for parent in commits[one].parents if parent in commits]
            missing = [parent for parent in parents if parent not in self._up_to]
            if missing:
                waiting += missing
                continue
            waiting.pop()
            mask = self._bits[one]
            for parent in parents:
                mask |= self._up_to[parent]
            self._up_to[one] = mask


def _counts(person: Person, patterns: Sequence[str]) -> bool:
    return not patterns or any(fnmatchcase(person[1], pattern.lower()) for pattern in patterns)


def _others(people: set[Person], commit: Commit) -> set[Person]:
    return {person for person in people if not set(person) & commit.authors}
