"""Which commits a merge brings in, as git would tell, and in a time that a gate has."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from tidegate.drivers.gate.history import Commit
from tidegate.drivers.gate.reviewed import Ancestry, oldest_work, unread
from tidegate.testing.builders import START

ALICE, BOB = ("alice@example.com", "alice@example.com"), ("bob@example.com", "bob@example.com")


def a_commit(name: str, *parents: str, read: bool = False, hours: int = 0) -> Commit:
    """Return a commit by alice, which bob has read or not."""
    return Commit(
        id=name,
        parents=parents,
        authors=frozenset(ALICE),
        reviewers=frozenset({BOB} if read else ()),
        at=START + timedelta(hours=hours),
    )


def by_id(*commits: Commit) -> dict[str, Commit]:
    return {commit.id: commit for commit in commits}


def before(name: str, commits: dict[str, Commit]) -> set[str]:
    """Return *name* and all that comes before it, told the slow way."""
    if name not in commits:
        return set()
    return {name}.union(*(before(parent, commits) for parent in commits[name].parents))


@st.composite
def histories(draw: st.DrawFn) -> dict[str, Commit]:
    """Any history of a few commits, some of whose parents are outside, in any order."""
    names: list[str] = []
    commits = []
    for number in range(draw(st.integers(1, 9))):
        known = st.sampled_from([*names, "outside"])
        parents = draw(st.lists(known, max_size=3, unique=True))
        commits.append(a_commit(f"c{number}", *parents, read=draw(st.booleans()), hours=number))
        names.append(f"c{number}")
    return by_id(*draw(st.permutations(commits)))


@given(histories())
def test_a_merge_brings_what_its_first_parent_didnt_have(commits: dict[str, Commit]) -> None:
    """Whatever the shape of the history."""
    ancestry = Ancestry(commits)

    for commit in commits.values():
        first, *others = commit.parents or ("",)
        expected = set[str]().union(*(before(one, commits) for one in others))
        brought = {one.id for one in ancestry.merged_by(commit)}
        assert brought == expected - before(first, commits)


@given(histories())
def test_a_commit_that_nobody_read_is_found(commits: dict[str, Commit]) -> None:
    """Only its own reader or the reader of a merge above it takes it off the list."""
    left = {commit.id for commit in unread(commits, reviews=1, reviewers=[])}

    for commit in commits.values():
        above = [
            one
            for one in commits.values()
            if one.reviewers and commit.id in before(one.id, commits)
        ]
        assert (commit.id in left) or above
        assert not (commit.reviewers and commit.id in left)


def test_a_history_of_a_thousand_merges_is_looked_at_in_one_pass() -> None:
    """As deep as it is long, so that neither the stack nor the time runs out."""
    commits: list[Commit] = [a_commit("m0")]
    for number in range(1, 1001):
        trunk = f"m{number - 1}"
        commits.append(a_commit(f"f{number}", trunk, hours=number))
        commits.append(a_commit(f"m{number}", trunk, f"f{number}", read=True, hours=number + 2))
    history = by_id(*reversed(commits))

    left = unread(history, reviews=1, reviewers=[])
    oldest = oldest_work(history)

    assert [commit.id for commit in left] == ["m0"]
    assert oldest is not None
    assert oldest[0] == timedelta(hours=2)
