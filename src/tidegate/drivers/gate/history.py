"""
What the history of a repository says: where a commit is, what is new in it, who wrote and reviewed that.

Rule: names of refs and ids are checked here before git sees them; what git says of people is taken as
claims. What is demanded of a history is the gate's business.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from tidegate.drivers.gate.git import Git
from tidegate.drivers.gate.submitted import UnreadableError, quoted

MAXIMUM_COMMITS: Final = 2_000
"""What was deployed before is rarely a hundred commits back; each merge looks at all of them."""

_ID: Final = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+/-]{0,199}")
_PERSON: Final = re.compile(r"[^<>\0\r\n]*<([^<>\s@]+@[^<>\s@]+)>")

_FIELDS: Final = 8
_FORMAT: Final = "".join(
    f"%{field}%x00"
    for field in (
        "H",
        "P",
        "ae",
        "aE",
        "ce",
        "cE",
        "ct",
        "(trailers:key=Reviewed-by,key=Co-authored-by,unfold)",
    )
)
"""Fields end with NUL, which neither an address nor a message can hold."""


Person = tuple[str, str]
"""An address as it was written, and what the mailmap of the trunk makes of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """
    One commit: `authors` are all who had a hand in it, by each of their addresses; `reviewers` who say
    to have read it, by the address written and the one that the mailmap makes of it.
    """

    id: str
    parents: tuple[str, ...]
    authors: frozenset[str]
    reviewers: frozenset[Person]
    at: datetime

    @property
    def short(self) -> str:
        """The id as people write it."""
        return self.id[:10]


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """One branch, with when its newest commit was made."""

    name: str
    tip: str
    at: datetime


def is_id(text: str) -> bool:
    """Return whether *text* is a whole commit id."""
    return _ID.fullmatch(text) is not None


def is_ref_name(text: str) -> bool:
    """Return whether *text* is a plain name of a branch or tag, which no option can look like."""
    return bool(_NAME.fullmatch(text)) and not any(
        sign in text for sign in ("..", "//", "/.", ".lock", "@{")
    )


class History:
    """Questions about commits, in the words of gates."""

    def __init__(self, git: Git, trunk: str) -> None:
        self._git = git
        self._trunk = f"refs/heads/{trunk}"

    async def check(self) -> None:
        """
        Make sure that the whole history and the trunk are there.

        Raises:
            UnreadableError: they aren't.
        """
        _, shallow = await self._git.ask("rev-parse", "--is-shallow-repository")
        if shallow.strip() != "false":
            raise UnreadableError("the repository holds only a part of its history")
        if await self.commit_at(self._trunk) is None:
            raise UnreadableError(f"the repository has no branch {quoted(self._trunk)}")

    async def commit_at(self, ref: str) -> str | None:
        """Return the id of the commit at *ref* (in full, or an id); None when there is none."""
        assert is_id(ref) or ref.startswith("refs/"), f"{ref!r} could be an option"
        code, found = await self._git.ask(
            "rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}", accept=(0, 1, 128)
        )
        found = found.strip()
        return found if code == 0 and is_id(found) else None

    async def tagged(self, tag: str) -> str | None:
        """Return the id of the commit that is tagged *tag*; None when there is none."""
        return await self.commit_at(f"refs/tags/{tag}") if is_ref_name(tag) else None

    async def is_on_trunk(self, commit: str) -> bool:
        """Return whether *commit* is part of the trunk."""
        return await self._is_part(commit, self._trunk)

    async def branch_of(self, commit: str, branches: Iterable[Branch]) -> Branch | None:
        """Return one of the *branches* that *commit* is part of."""
        for branch in branches:
            if await self._is_part(commit, branch.tip):
                return branch
        return None

    async def _is_part(self, commit: str, ref: str) -> bool:
        code, _ = await self._git.ask("merge-base", "--is-ancestor", commit, ref, accept=(0, 1))
        return code == 0

    async def branches(self, pattern: str = "**") -> list[Branch]:
        """Return the branches whose name is *pattern*, newest first."""
        _, text = await self._git.ask(
            "for-each-ref",
            "--sort=-committerdate",
            "--format=%(objectname) %(committerdate:unix) %(refname:lstrip=2)",
            f"refs/heads/{pattern}",
        )
        found = []
        for line in text.splitlines():
            tip, at, name = line.split(" ", 2)
            found.append(Branch(name=name, tip=tip, at=datetime.fromtimestamp(int(at), UTC)))
        return found

    async def not_on_trunk(self, commit: str) -> list[str]:
        """
        Return the commits up to *commit* whose change isn't on the trunk, by their patch.

        A merge can't be compared, so one that isn't part of the trunk counts as not there.
        """
        _, text = await self._git.ask("cherry", self._trunk, commit)
        lacking = [line[2:] for line in text.splitlines() if line.startswith("+ ")]
        _, merges = await self._git.ask("rev-list", "--merges", commit, f"^{self._trunk}")
        return lacking + merges.split()

    async def new_in(self, commit: str, since: Sequence[str]) -> dict[str, Commit]:
        """
        Return the commits that are part of *commit* and missing in one of *since*, by id.

        With nothing in *since* these are all.

        Raises:
            UnreadableError: there are more than `MAXIMUM_COMMITS`.
        """
        found: dict[str, Commit] = {}
        for earlier in since or [""]:
            without = [f"^{earlier}"] if earlier else []
            _, text = await self._git.ask(
                "log",
                f"--max-count={MAXIMUM_COMMITS + 1}",
                f"--format=tformat:{_FORMAT}",
                commit,
                *without,
                "--",
            )
            found.update(await self._commits(text))
        if len(found) > MAXIMUM_COMMITS:
            raise UnreadableError(f"it has more than {MAXIMUM_COMMITS} commits to look at")
        return found

    async def is_plain_merge(self, merge: Commit) -> bool:
        """Return whether *merge* is what git makes of its two parents, with nothing put in by hand."""
        if len(merge.parents) != 2:
            return False
        code, text = await self._git.ask(
            "merge-tree", "--write-tree", *merge.parents, accept=(0, 1)
        )
        _, tree = await self._git.ask("rev-parse", "--verify", f"{merge.id}^{{tree}}")
        return code == 0 and text.split()[:1] == tree.split()

    async def conflicts_with_trunk(self, tip: str) -> bool:
        """Return whether merging *tip* into the trunk needs a person."""
        code, _ = await self._git.ask(
            "merge-tree", "--write-tree", "--name-only", self._trunk, tip, accept=(0, 1)
        )
        return code == 1

    async def _commits(self, text: str) -> Mapping[str, Commit]:
        words = text.split("\0")
        rows = [words[at : at + _FIELDS] for at in range(0, len(words) - 1, _FIELDS)]
        people = await self._mapped([line for row in rows for line in row[-1].split("\n")])
        commits = (_commit(row, people) for row in rows)
        return {commit.id: commit for commit in commits}

    async def _mapped(self, trailers: Sequence[str]) -> Mapping[str, Person]:
        """Return who stands in each of *trailers* that names somebody."""
        written = {line: match for line in trailers if (match := _PERSON.fullmatch(_value(line)))}
        if not written:
            return {}
        asked = "".join(f"{_value(line)}\n" for line in written)
        _, answer = await self._git.ask("check-mailmap", "--stdin", given=asked)
        answers = answer.removesuffix("\n").split("\n")
        return {
            line: (normal_address(match[1]), normal_address(mapped.rpartition("<")[2].rstrip(">")))
            for (line, match), mapped in zip(written.items(), answers, strict=True)
        }


def _commit(row: Sequence[str], people: Mapping[str, Person]) -> Commit:
    identity, parents, *addresses, at, trailers = row
    authors = {normal_address(address) for address in addresses}
    reviewers: set[Person] = set()
    for line in trailers.split("\n"):
        person = people.get(line)
        if person is not None and line.lower().startswith("reviewed-by:"):
            reviewers.add(person)
        elif person is not None:
            authors |= set(person)
    return Commit(
        id=identity.strip(),
        parents=tuple(parents.split()),
        authors=frozenset(authors),
        reviewers=frozenset(reviewers),
        at=datetime.fromtimestamp(int(at), UTC),
    )


def _value(trailer: str) -> str:
    return trailer.partition(":")[2].strip()


def normal_address(address: str) -> str:
    """
    Return the one form of an e-mail *address*: small letters, without a tag after `+`.

    GitHub's private addresses have the account after the `+`, and a number before it.
    """
    local, _, domain = address.strip().lower().rpartition("@")
    account, plus, tag = local.partition("+")
    if plus and domain == "users.noreply.github.com":
        account = tag
    return f"{account}@{domain}"
