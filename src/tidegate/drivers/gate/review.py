"""
The gate `review`: what is deployed is on the trunk (or a release branch) and was read by somebody else.

It looks at a repository that the server's operator keeps in a folder, and never fetches: a commit that
isn't there yet isn't known. Rule: what is looked at are all commits since the version that serves now;
where that isn't known, all there are. Trailers are what their writers say: a forge that enforces reviews
knows better, and this gate doesn't replace one.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from tidegate.documents.gates import settings_of
from tidegate.documents.gates_verifying import ReviewSettings
from tidegate.domain.durations import format_duration, rough_duration
from tidegate.domain.gates.model import GateVerdict
from tidegate.domain.plan.model import ComponentChange
from tidegate.domain.quantities import Version
from tidegate.drivers.gate.git import Git
from tidegate.drivers.gate.history import Branch, Commit, History, is_id
from tidegate.drivers.gate.reviewed import oldest_work, unread
from tidegate.drivers.gate.strict_json import as_object, object_in, read_json, text_in
from tidegate.drivers.gate.submitted import UnreadableError, answer, quoted, submitted, unknown
from tidegate.ports.gate import GateAnswer, GateQuestion

ENVIRONMENTS: Final = frozenset(
    {"dev", "develop", "development", "test", "testing", "qa", "uat", "stage", "staging"}
    | {"preprod", "preproduction", "prod", "production", "live"}
)
"""Branches of these names are the environment-based branching that this gate is meant to prevent."""

_BRANCHES_TRIED: Final = 10
"""So many of the newest branches are merged on trial, to tell of conflicts early."""


@dataclass(slots=True)
class _Findings:
    """What was found so far: reasons against it, and facts."""

    wrong: list[str] = field(default_factory=list)
    good: list[str] = field(default_factory=list)
    facts: list[tuple[str, str]] = field(default_factory=list)


class ReviewGate:
    """Answers the gate `review` from git repositories in *folder*; None when the server has none."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    async def check(self, question: GateQuestion) -> GateAnswer:
        """Return whether what is deployed was reviewed and is where it should be; see `ports.gate`."""
        settings = settings_of(question.spec, ReviewSettings)
        try:
            repository = self._repository(settings.repository)
            git = Git(repository, mailmap_ref=f"refs/heads/{settings.trunk}")
            look = _Look(question, settings, History(git, settings.trunk))
            found = await look.take()
        except UnreadableError as exc:
            return unknown(f"the review isn't known: {exc}", question.documents)
        if found.wrong:
            return answer(GateVerdict.RED, "; ".join(found.wrong), question.documents, found.facts)
        because = "; ".join(found.good) or "the change leaves what is built from it alone"
        return answer(GateVerdict.GREEN, because, question.documents, found.facts)

    def _repository(self, name: str) -> Path:
        if self._folder is None:
            raise UnreadableError("this server has no folder of repositories")
        folder = self._folder.resolve()
        repository = (folder / name).resolve()
        if not repository.is_relative_to(folder) or not repository.is_dir():
            raise UnreadableError(f"this server has no repository {quoted(name)}")
        return repository


class _Look:
    """One look at one repository."""

    def __init__(self, question: GateQuestion, settings: ReviewSettings, history: History) -> None:
        self._question = question
        self._settings = settings
        self._history = history
        self._found = _Findings()

    async def take(self) -> _Findings:
        """
        Return what is found about all components that are built from the repository.

        Raises:
            UnreadableError: something that has to be known isn't.
            GateError: git failed.
        """
        if not self._question.change.components:
            raise UnreadableError("the change holds nothing")
        await self._history.check()
        for part in self._question.change.components:
            if not self._settings.components or part.component in self._settings.components:
                await self._look_at(part)
        await self._look_around()
        return self._found

    async def _look_at(self, part: ComponentChange) -> None:
        commit = await self._commit_of(part.to) or await self._stated(part)
        if commit is None:
            raise UnreadableError(
                f"the commit of {part.component} {quoted(part.to.name)} isn't known in "
                f"{quoted(self._settings.repository)}"
            )
        self._found.facts.append((f"{part.component}: commit", commit))
        where = await self._place_of(commit)
        if where is None:
            return
        new = await self._history.new_in(commit, await self._before(part))
        await self._check_reviews(new)
        await asyncio.to_thread(self._check_ages, new)
        read = "" if self._settings.reviews == 0 else ", all read by others"
        self._found.facts.append((f"{part.component}: new commits", str(len(new))))
        self._found.good.append(
            f"{part.component} {commit[:10]} is on {where}, with {len(new)} new commits{read}"
        )

    # --- which commit ------------------------------------------------------------------------

    async def _commit_of(self, version: Version) -> str | None:
        """Return the commit of *version* by its tag, or by its name when that is a commit."""
        if self._settings.tag is not None:
            return await self._history.tagged(self._settings.tag.replace("{version}", version.name))
        return await self._history.commit_at(version.name) if is_id(version.name) else None

    async def _stated(self, part: ComponentChange) -> str | None:
        """Return the commit that a submitted statement names, where the version itself says nothing."""
        if self._settings.tag is not None or is_id(part.to.name) or not self._question.documents:
            return None
        statement = as_object(read_json(submitted(self._question)[-1].content), "the statement")
        commits = object_in(statement, "commits")
        commit = text_in(commits, part.component) or text_in(statement, "commit") or ""
        return await self._history.commit_at(commit) if is_id(commit) else None

    async def _before(self, part: ComponentChange) -> Sequence[str]:
        """Return the commits that serve now, all of them; or where to begin when one isn't known."""
        start = [self._settings.since] if self._settings.since else []
        serving = {
            version
            for placement, version in self._question.known.serving
            if placement.component == part.component
        }
        commits = [await self._commit_of(version) for version in serving]
        known = [commit for commit in commits if commit is not None]
        if not known or len(known) < len(commits):
            self._found.facts.append((f"{part.component}: looked at", "everything"))
            return start
        return known

    # --- what is demanded --------------------------------------------------------------------

    async def _place_of(self, commit: str) -> str | None:
        """Return the branch that *commit* may be deployed from; note what is wrong when None."""
        settings = self._settings
        if await self._history.is_on_trunk(commit):
            return settings.trunk
        branch = None
        if settings.branching == "release-flow":
            releases = await self._history.branches(settings.release)
            branch = await self._history.branch_of(commit, releases)
        if branch is None:
            may = settings.trunk
            if settings.branching == "release-flow":
                may += f" or {settings.release}"
            self._found.wrong.append(f"commit {commit[:10]} isn't on {may}")
            return None
        lacking = await self._history.not_on_trunk(commit)
        if lacking:
            self._found.wrong.append(
                f"{_some(lacking)} of {branch.name} isn't on {settings.trunk}: a fix goes there first"
            )
            return None
        return branch.name

    async def _check_reviews(self, new: dict[str, Commit]) -> None:
        settings = self._settings
        if settings.reviews == 0:
            return
        left = await asyncio.to_thread(
            unread, new, reviews=settings.reviews, reviewers=settings.reviewers
        )
        # What git makes of two reviewed sides by itself holds nothing that nobody has read.
        left = [
            commit
            for commit in left
            if len(commit.parents) < 2 or not await self._history.is_plain_merge(commit)
        ]
        if left:
            wanted = "nobody else" if settings.reviews == 1 else f"fewer than {settings.reviews}"
            self._found.wrong.append(
                f"{_some([commit.id for commit in left])} was reviewed by {wanted}"
            )

    def _check_ages(self, new: dict[str, Commit]) -> None:
        oldest = oldest_work(new)
        if oldest is None:
            return
        age, merge = oldest
        self._found.facts.append(("oldest work merged", rough_duration(age)))
        limit = self._settings.branch_age
        if limit is not None and age > limit:
            self._found.wrong.append(
                f"{merge.short} merged work that was {rough_duration(age)} old, "
                f"{format_duration(limit)} is allowed"
            )

    # --- what is told only -------------------------------------------------------------------

    async def _look_around(self) -> None:
        """Note which branches look like trouble to come; none of it is held against the change."""
        settings = self._settings
        branches = [one for one in await self._history.branches() if one.name != settings.trunk]
        warned = [one.name for one in branches if _is_environment(one)]
        if warned:
            self._found.facts.append(("branches named after environments", ", ".join(warned)))
        old = [one for one in branches if _is_old(one, settings, self._question.now)]
        self._found.facts.append(("branches without work for long", str(len(old))))
        conflicts = [
            one.name
            for one in branches[:_BRANCHES_TRIED]
            if await self._history.conflicts_with_trunk(one.tip)
        ]
        if conflicts:
            self._found.facts.append(("would conflict with the trunk", ", ".join(conflicts)))


def _is_environment(branch: Branch) -> bool:
    return any(word in ENVIRONMENTS for word in branch.name.lower().split("/"))


def _is_old(branch: Branch, settings: ReviewSettings, now: datetime) -> bool:
    return settings.branch_age is not None and now - branch.at > settings.branch_age


def _some(commits: Sequence[str]) -> str:
    """Return *commits* as a sentence names them, the first of many."""
    others = f" and {len(commits) - 1} more" if len(commits) > 1 else ""
    return f"commit {commits[0][:10]}{others}"
