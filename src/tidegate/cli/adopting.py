"""
Adopting a simulated plan: into the service's file, on a branch of its own where the file is in a repository.

What can stand in the way is looked for before anything is simulated, and the file again after it. Nothing is
said to have happened that didn't: a branch isn't pushed, and a pushed branch isn't a pull request.
"""

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tidegate.api.simulation_summary import summary
from tidegate.cli.forges import pull_request_address
from tidegate.cli.output import harmless
from tidegate.cli.repository import (
    CommittedFile,
    Remote,
    committed_file,
    make_branch,
    push,
    refuse_branch,
    remote_of,
)
from tidegate.cli.session import Session
from tidegate.cli.text.columns import Cell, columns
from tidegate.documents.adopt import adopt_plan, has_same_plan, named_section, plan_section
from tidegate.documents.patch import patch_of
from tidegate.documents.resolved import to_document
from tidegate.documents.service_file import ResolvedService, from_canonical, load_service
from tidegate.errors import InvalidRequestError
from tidegate.usecases.simulation.results import digest_of_results

if TYPE_CHECKING:
    from tidegate.usecases.simulation.comparing import Comparison, NamedPlan, Row

BRANCHES: Final = "tidegate/plan-"
_LONGEST_NAME: Final = 40
_NOT_IN_BRANCHES: Final = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """
    A plan that can be adopted, as things stand.

    Attributes:
        plan: What it is called.
        file: The service's file.
        before: What that holds.
        after: What it will hold.
        patch: The difference, which `git apply` takes at the top of the repository.
        branch: The branch to make.
        committed: The file in its repository; None outside of one.
        remote: Where the branch would be pushed to, if anywhere.
    """

    plan: str
    file: Path
    before: bytes
    after: bytes
    patch: str
    branch: str
    committed: CommittedFile | None
    remote: Remote | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopted:
    """
    What was done: `branch` and `commit` in a repository, else the file was written.

    `push_command` is None without a remote; `pull_request` where the remote's host isn't known. Opening that
    address is up to the person.
    """

    prepared: Prepared
    commit: str | None
    push_command: str | None
    is_pushed: bool
    pull_request: str | None

    def document(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {
            "plan": self.prepared.plan,
            "file": str(self.prepared.file),
            "patch": self.prepared.patch,
            "written": self.commit is None,
            "branch": self.prepared.branch if self.commit else None,
            "commit": self.commit,
            "push": self.push_command,
            "pushed": self.is_pushed,
            "pull_request": self.pull_request,
        }

    def lines(self) -> list[str]:
        """Return it for people, with what to do next."""
        if self.commit is None:
            return [f"wrote {self.prepared.file}; the next rollout takes its plan"]
        branch = self.prepared.branch
        lines = [
            f"branch {branch} has it, in commit {self.commit[:12]}; your files are as they were"
        ]
        if self.is_pushed:
            lines.append("it is pushed")
        elif self.push_command:
            lines.append(f"push it:  {self.push_command}")
        else:
            lines.append("this repository has no remote to push it to")
        if self.pull_request:
            lines.append(f"open the pull request:  {self.pull_request}")
        return lines


def prepare(
    file: Path,
    plans: "Sequence[NamedPlan]",
    adopt: str,
    *,
    is_pushed: bool,
    branch: str | None,
) -> Prepared:
    """
    Return what adopting the plan that is called *adopt* will do to *file*.

    Raises:
        InvalidRequestError: no plan that is simulated is called so, it is the file's own, it can't be put
            into the file as it was simulated, or the repository isn't ready for it.
        InvalidDocumentError: a file can't be used.
    """
    chosen = _chosen(plans, adopt, load_service(file))
    before = _read(file)
    text = before.decode("utf-8")
    after = adopt_plan(
        text,
        _section(chosen),
        wanted=from_canonical(to_document(chosen.spec)),
        file=str(file),
        base_dir=file.parent,
    )
    committed = committed_file(file, before)
    remote = None if committed is None else remote_of(committed)
    name = branch or f"{BRANCHES}{_slug(chosen.name)}"
    if committed is not None:
        refuse_branch(committed, name)
    if is_pushed and remote is None:
        raise InvalidRequestError(
            "there is nowhere to push a branch to",
            hint="leave --push out"
            if committed is None
            else "add a remote: git remote add origin URL",
        )
    return Prepared(
        plan=chosen.name,
        file=file,
        before=before,
        after=after.encode(),
        patch=patch_of(text, after, path=file.name if committed is None else committed.path),
        branch=name,
        committed=committed,
        remote=remote,
    )


def adopt(
    session: Session, prepared: Prepared, *, message: str, yes: bool, is_pushed: bool
) -> Adopted:
    """
    Show what changes, ask, and do it.

    Raises:
        InvalidRequestError: the person said no, the file changed since it was looked at, or git refuses.
    """
    for line in prepared.patch.rstrip("\n").split("\n"):
        session.printer.note(line.removesuffix("\r"))
    session.confirm(_question(prepared, is_pushed=is_pushed), yes=yes)
    if _read(prepared.file) != prepared.before:
        raise InvalidRequestError(
            f"{prepared.file} changed since the plans were read", hint="simulate and adopt again"
        )
    if prepared.committed is None:
        _write(prepared)
        return Adopted(
            prepared=prepared, commit=None, push_command=None, is_pushed=False, pull_request=None
        )
    commit = make_branch(
        prepared.committed, prepared.after, branch=prepared.branch, message=message
    )
    remote = prepared.remote
    if remote is not None and is_pushed:
        push(prepared.committed, remote, prepared.branch)
    return Adopted(
        prepared=prepared,
        commit=commit,
        push_command=None
        if remote is None
        else _push_command(prepared.committed, remote, prepared),
        is_pushed=is_pushed,
        pull_request=None
        if remote is None
        else pull_request_address(remote.url, prepared.branch, base=remote.main_branch),
    )


def commit_message(prepared: Prepared, asked: "Comparison", rows: "Sequence[Row]") -> str:
    """Return the message of the commit: what was simulated, and what each plan came to in all."""
    service = asked.plans[0].spec.name
    results = [result for row in rows for result in row]
    each = [summary(column) for column in zip(*rows, strict=True)]
    table: list[list[Cell]] = [
        ["", *(f"plan {one.plan}" for one in each)],
        ["harm caught", *(one.caught for one in each)],
        ["users hit", *(one.users for one in each)],
        ["time to halt", *(one.to_halt for one in each)],
        ["false halts", *(one.false_halts for one in each)],
        ["takes", *(one.takes for one in each)],
    ]
    lines = [
        f"Take plan {prepared.plan} for {service}",
        "",
        "Simulated beside the plan that it takes the place of:",
        "",
        *(harmless(line).plain for line in columns(table, indent="  ")),
        "",
        f"{len(asked.scenarios)} scenarios, {asked.runs} runs of each, seed {asked.seed}, "
        f"{asked.requests_per_second:g} requests/s.",
        f"Result {digest_of_results(results, seed=asked.seed)}",
    ]
    return "\n".join(lines) + "\n"


def _chosen(plans: "Sequence[NamedPlan]", adopt: str, own: ResolvedService) -> "NamedPlan":
    name = adopt.removeprefix("plan:")
    found = [one for one in plans if name in (one.name, Path(one.name).stem)]
    if len(found) != 1:
        raise InvalidRequestError(
            f"no plan that is simulated here is called {adopt!r}",
            hint=f"it can be: {', '.join(one.name for one in plans)}",
        )
    if has_same_plan(from_canonical(to_document(found[0].spec)), own):
        raise InvalidRequestError(
            f"{adopt} is the plan that the file has", hint="name the other one that is compared"
        )
    return found[0]


def _section(chosen: "NamedPlan") -> str:
    path = Path(chosen.name)
    if path.suffix:
        section = plan_section(_read(path).decode("utf-8"), file=str(path))
        if section is not None:
            return section
    return named_section(chosen.spec.plan.name)


def _slug(name: str) -> str:
    stem = Path(name).stem.lower()
    return _NOT_IN_BRANCHES.sub("-", stem)[:_LONGEST_NAME].strip("-") or "new"


def _question(prepared: Prepared, *, is_pushed: bool) -> str:
    if prepared.committed is None:
        return f"Write {prepared.file}?"
    to = f" and push it to {prepared.remote.name}" if is_pushed and prepared.remote else ""
    return f"Commit it to a new branch {prepared.branch}{to}?"


def _push_command(file: CommittedFile, remote: Remote, prepared: Prepared) -> str:
    elsewhere = [] if Path.cwd().is_relative_to(file.top) else ["-C", str(file.top)]
    return shlex.join(["git", *elsewhere, "push", remote.name, prepared.branch])


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as exc:
        raise InvalidRequestError(
            f"{path} can't be read: {(exc.strerror or str(exc)).lower()}",
            hint="look at it, and adopt the plan again",
        ) from exc


def _write(prepared: Prepared) -> None:
    try:
        prepared.file.write_bytes(prepared.after)
    except OSError as exc:
        raise InvalidRequestError(
            f"{prepared.file} can't be written: {(exc.strerror or str(exc)).lower()}",
            hint="put the plan in by hand; what changes stands above",
        ) from exc
