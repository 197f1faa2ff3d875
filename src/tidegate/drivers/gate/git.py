"""
Git, run so that it only reads: no shell, no hooks, no prompts, no network, no settings but ours.

The repository is the operator's, what is in it and what is asked about it are strangers'. So arguments are
checked before they come here (ids in hex, refs in full), and what a history is rewritten by for viewing
(replacements, grafts) is left out. Objects that a question makes are kept apart and thrown away.

Written for git 2.39; `merge-tree --write-tree` came with 2.38.
"""

import asyncio
import os
import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final

from tidegate.errors import GateError

MAXIMUM_OUTPUT_BYTES: Final = 16 * 1024 * 1024

_PIECE: Final = 64 * 1024

_SETTINGS: Final = (
    "core.bare=true",  # never look at files that lie about in a working tree
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.attributesFile=/dev/null",
    "credential.helper=",
    "diff.external=",
    "gc.auto=0",
    "log.showSignature=false",
    "mailmap.file=/dev/null",
    "protocol.allow=never",
)
_ENVIRONMENT: Final = {
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_GRAFT_FILE": "/dev/null",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "HOME": "/nonexistent",
    "LC_ALL": "C",
}


class Git:
    """Questions to one repository. The deadline is the caller's: who is cancelled ends its process."""

    def __init__(self, repository: Path, *, mailmap_ref: str) -> None:
        self._folder = _git_folder(repository)
        self._mailmap = f"{mailmap_ref}:.mailmap"

    async def ask(
        self, *arguments: str, given: str = "", accept: Collection[int] = (0,)
    ) -> tuple[int, str]:
        """
        Return the exit code and the output of git with *arguments*, to which *given* is told.

        Raises:
            GateError: it ended with another code than those to *accept*, or said too much.
        """
        with tempfile.TemporaryDirectory(prefix="tidegate-git-") as scratch:
            process = await self._started(arguments, scratch)
            try:
                output, errors = await _talk(process, given.encode())
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()
        code = process.returncode
        assert code is not None, "git was waited for"
        if code not in accept:
            raise GateError(
                f"git {arguments[0]} failed: {errors.decode(errors='replace').strip()[:300]}",
                hint="Look at the repository that the gate names, and bring it up to date.",
            )
        return code, output.decode("utf-8", errors="replace")

    async def _started(self, arguments: Sequence[str], scratch: str) -> asyncio.subprocess.Process:
        try:
            return await asyncio.create_subprocess_exec(
                *self._command(),
                *arguments,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=self._environment(scratch),
                cwd=scratch,
            )
        except OSError as exc:
            raise GateError(
                f"git can't be run: {exc.strerror or exc}",
                hint="Install git 2.38 or newer where the server runs.",
            ) from exc

    def _command(self) -> list[str]:
        settings = [*_SETTINGS, f"safe.directory={self._folder}", f"mailmap.blob={self._mailmap}"]
        command = ["git", "--no-pager", "--no-replace-objects", "--literal-pathspecs"]
        command += [f"--git-dir={self._folder}"]
        for setting in settings:
            command += ["-c", setting]
        return command

    def _environment(self, scratch: str) -> dict[str, str]:
        return {
            **_ENVIRONMENT,
            "PATH": os.environ.get("PATH", os.defpath),
            "GIT_OBJECT_DIRECTORY": scratch,
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(self._folder / "objects"),
        }


def _git_folder(repository: Path) -> Path:
    """
    Return the folder that git keeps *repository* in.

    Raises:
        GateError: there is no repository.
    """
    for folder in (repository, repository / ".git"):
        if (folder / "objects").is_dir() and (folder / "HEAD").is_file():
            return folder.resolve()
    raise GateError(
        f"{repository.name} isn't a git repository",
        hint="Let the server's operator clone it there: git clone --mirror ADDRESS.",
    )


async def _talk(process: asyncio.subprocess.Process, given: bytes) -> tuple[bytes, bytes]:
    """Tell *process* what is *given* and return what it says on both streams, within bounds."""
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None

    async def tell(stream: asyncio.StreamWriter) -> None:
        try:
            stream.write(given)
            await stream.drain()
        except (BrokenPipeError, ConnectionResetError):
            pass  # it ended early, which its exit code tells better
        stream.close()

    output, errors, _ = await asyncio.gather(
        _bounded(process.stdout), _bounded(process.stderr), tell(process.stdin)
    )
    await process.wait()
    return output, errors


async def _bounded(stream: asyncio.StreamReader) -> bytes:
    content = bytearray()
    while piece := await stream.read(_PIECE):
        content += piece
        if len(content) > MAXIMUM_OUTPUT_BYTES:
            raise GateError(
                f"git said more than {MAXIMUM_OUTPUT_BYTES} bytes",
                hint="Ask about fewer commits: write `since` in the gate.",
            )
    return bytes(content)
