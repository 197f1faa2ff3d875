"""
The git repository around a file: a branch with one commit that changes it, and the way to the remote.

Rule: nothing that the person is working on is touched. The commit is made of the last one with a list of
files of its own (a temporary index), so that their index, their other changes and what they have checked out
stay. Git is run by argument lists without a shell, in the person's name and with their settings.

Written for git 2.30 and later.
"""

import os
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tidegate.errors import InvalidRequestError

SAID_AT_MOST: Final = 256
_FILE_MODES: Final = ("100644", "100755")
_OF_ANOTHER_REPOSITORY: Final = (
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_WORK_TREE",
)
"""What a hook or an alias may have set: the repository that counts is the one around the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommittedFile:
    """
    A file as the last commit has it, with nothing uncommitted in it.

    Attributes:
        top: The top of the repository's working tree.
        head: The id of the commit that is checked out.
        path: Its path from the top of the repository.
        mode: Its mode in the commit.
        is_converted: Whether git converts it on its way in, such as the ends of its lines.
    """

    top: Path
    head: str
    path: str
    mode: str
    is_converted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """A remote by name, where pushing to it leads, and its main branch where that is known."""

    name: str
    url: str
    main_branch: str | None


def committed_file(file: Path, content: bytes) -> CommittedFile | None:
    """
    Return *file*, which holds *content*, as the repository around it has it; None outside of one.

    Raises:
        InvalidRequestError: it has changes that aren't committed, isn't in the last commit, is a link, or the
            repository can't be read.
    """
    folder = file.absolute().parent
    if not _is_repository(folder):
        return None
    if file.is_symlink():
        raise InvalidRequestError(
            f"{file} is a link", hint=f"name the file that it leads to: -f {file.resolve()}"
        )
    head = _git(folder, "rev-parse", "--verify", "--quiet", "HEAD", accept=(0, 1)).strip()
    if not head:
        raise InvalidRequestError(
            f"the repository of {file} has no commit yet", hint=_commit_first(file)
        )
    top = Path(_git(folder, "rev-parse", "--show-toplevel").removesuffix("\n"))
    path = _git(folder, "rev-parse", "--show-prefix").removesuffix("\n") + file.name
    # "mode type id<TAB>path", nothing for what the commit doesn't have.
    entry = _git(top, "ls-tree", "-z", head, "--", f":(literal){path}")
    if not entry:
        raise InvalidRequestError(f"{file} isn't in the last commit", hint=_commit_first(file))
    mode, _, blob = entry.partition("\t")[0].split(" ")
    if mode not in _FILE_MODES:
        raise InvalidRequestError(
            f"{file} isn't a plain file in the last commit", hint="name the file itself with -f"
        )
    is_converted = _blob(top, path, content) == blob
    is_staged = bool(_git(top, "diff", "--cached", "--name-only", head, "--", f":(literal){path}"))
    if is_staged or not (is_converted or _blob(top, None, content) == blob):
        raise InvalidRequestError(
            f"{file} has changes that aren't committed", hint=_commit_first(file)
        )
    return CommittedFile(top=top, head=head, path=path, mode=mode, is_converted=is_converted)


def make_branch(file: CommittedFile, content: bytes, *, branch: str, message: str) -> str:
    """
    Make *branch* off what is checked out, with one commit that gives *file* *content*; return its id.

    Raises:
        InvalidRequestError: there is such a branch, or git refuses.
    """
    refuse_branch(file, branch)
    top = file.top
    path = file.path if file.is_converted else None
    blob = _blob(top, path, content, write=True)
    with tempfile.TemporaryDirectory(prefix="tidegate-git-") as scratch:
        index = {"GIT_INDEX_FILE": str(Path(scratch) / "index")}
        _git(top, "read-tree", file.head, environment=index)
        line = f"{file.mode} {blob}\t{file.path}\0".encode()
        _git(top, "update-index", "-z", "--index-info", given=line, environment=index)
        tree = _git(top, "write-tree", environment=index).strip()
    # `commit-tree` doesn't look at this setting by itself.
    signs = _git(top, "config", "--type=bool", "--get", "commit.gpgSign", accept=(0, 1)).strip()
    signing = ["-S"] if signs == "true" else []
    words = ["commit-tree", *signing, "-p", file.head, "-F", "-", tree]
    commit = _git(top, *words, given=message.encode()).strip()
    # The empty old value refuses a branch that appeared meanwhile.
    reflog = "tidegate simulate --adopt"
    _git(top, "update-ref", "-m", reflog, f"refs/heads/{branch}", commit, "")
    return commit


def refuse_branch(file: CommittedFile, branch: str) -> None:
    """Raise InvalidRequestError when *branch* can't be the name of a new branch."""
    ref = f"refs/heads/{branch}"
    if _run(file.top, "check-ref-format", ref).returncode or branch.startswith("-"):
        raise InvalidRequestError(
            f"{branch!r} can't be the name of a branch", hint="name another with --branch"
        )
    if _git(file.top, "for-each-ref", "--format=%(refname)", ref).strip():
        raise InvalidRequestError(
            f"there is a branch {branch} already",
            hint=f"name another with --branch, or delete it first: git branch -D {branch}",
        )


def remote_of(file: CommittedFile) -> Remote | None:
    """Return where a branch would go: the remote of the present branch, else origin, else the only one."""
    top = file.top
    names = _git(top, "remote").split()
    present = _git(top, "symbolic-ref", "--quiet", "--short", "HEAD", accept=(0, 1)).strip()
    wanted = ["origin", *(names if len(names) == 1 else [])]
    if present:
        setting = f"branch.{present}.remote"
        wanted.insert(0, _git(top, "config", "--get", setting, accept=(0, 1)).strip())
    name = next((one for one in wanted if one in names), None)
    if name is None:
        return None
    url = _git(top, "remote", "get-url", "--push", name).strip()
    head = f"refs/remotes/{name}/HEAD"
    main = _git(top, "symbolic-ref", "--quiet", head, accept=(0, 1)).strip()
    return Remote(
        name=name, url=url, main_branch=main.removeprefix(f"refs/remotes/{name}/") or None
    )


def push(file: CommittedFile, remote: Remote, branch: str) -> None:
    """Push *branch*. Raises InvalidRequestError with git's words when that fails; the branch stays."""
    ref = f"refs/heads/{branch}"
    done = _run(file.top, "push", "--quiet", remote.name, f"{ref}:{ref}")
    if done.returncode:
        raise InvalidRequestError(
            f"branch {branch} is made, and wasn't pushed: {_words(done)}",
            hint=f"push it yourself: git push {remote.name} {branch}",
        )


def _commit_first(file: Path) -> str:
    return (
        f"commit it (git commit {file}), or put it back (git restore --staged --worktree {file}), and adopt "
        "the plan then"
    )


def _is_repository(folder: Path) -> bool:
    try:
        done = _run(folder, "rev-parse", "--is-inside-work-tree")
    except InvalidRequestError:
        if any((one / ".git").exists() for one in (folder, *folder.parents)):
            raise
        return False
    if not done.returncode:
        return done.stdout.strip() == b"true"
    # Any other refusal, such as a folder of somebody else's, isn't the absence of a repository.
    if b"not a git repository" in done.stderr:
        return False
    raise _failed("rev-parse", done)


def _blob(top: Path, path: str | None, content: bytes, *, write: bool = False) -> str:
    """Return the id of *content*, converted as the file at *path* is; without a path as it stands."""
    how = ["--no-filters"] if path is None else ["--path", path]
    words = ["hash-object", *(["-w"] if write else []), *how, "--stdin"]
    return _git(top, *words, given=content).strip()


def _git(
    folder: Path,
    *arguments: str,
    given: bytes = b"",
    accept: tuple[int, ...] = (0,),
    environment: Mapping[str, str] | None = None,
) -> str:
    done = _run(folder, *arguments, given=given, environment=environment)
    if done.returncode not in accept:
        raise _failed(arguments[0], done)
    return done.stdout.decode("utf-8", "surrogateescape")


def _run(
    folder: Path,
    *arguments: str,
    given: bytes = b"",
    environment: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[bytes]:
    own = {key: value for key, value in os.environ.items() if key not in _OF_ANOTHER_REPOSITORY}
    own |= {"LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", **(environment or {})}
    try:
        return subprocess.run(
            ["git", "-C", str(folder), *arguments],
            input=given,
            capture_output=True,
            check=False,
            env=own,
        )
    except OSError as exc:
        raise InvalidRequestError(
            f"git can't be run: {exc.strerror or exc}", hint="install git 2.30 or newer"
        ) from exc


def _failed(verb: str, done: subprocess.CompletedProcess[bytes]) -> InvalidRequestError:
    return InvalidRequestError(
        f"git {verb} refused: {_words(done)}",
        hint="put that right in the repository, and adopt the plan again",
    )


def _words(done: subprocess.CompletedProcess[bytes]) -> str:
    said = " ".join(done.stderr.decode("utf-8", "replace").split())
    return said[:SAID_AT_MOST] or f"it ended with {done.returncode}"
