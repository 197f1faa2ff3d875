"""
A witness that is a git repository: a commit per head, pushed to `origin` when there is one.

What was pushed to a place where this server may only add is out of its reach. Git is run by argument lists
without a shell, and without hooks and signing.

Follows: git-commit(1), git-push(1) of git 2.30 and later.
"""

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tidegate.domain.ledger.model import Head
from tidegate.drivers.witness.heads_file import HEADS_FILE, HeadsFile
from tidegate.drivers.witness.refusals import cannot_keep

WITHIN_SECONDS: Final = 30.0
SAID_AT_MOST: Final = 256

_OPTIONS: Final = (
    "-c",
    "user.name=tidegate",
    "-c",
    "user.email=tidegate@localhost",
    "-c",
    "commit.gpgsign=false",
    "-c",
    "core.hooksPath=/dev/null",
    "-c",
    "core.autocrlf=false",
)


class GitWitness:
    """Keeps heads in the repository of *folder*, which is made when there is none."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._name = f"git:{folder}"
        self._file = HeadsFile(folder, self._name)

    @property
    def name(self) -> str:
        """Where it is."""
        return self._name

    async def keep(self, heads: Sequence[Head]) -> None:
        """Keep *heads*, a commit each, and push; see the port."""
        await self._prepare()
        for head in heads:
            await asyncio.to_thread(self._file.append, [head])
            await self._commit(f"Head {head.number} of the ledger: {head.entries} entries")
        if "origin" in (await self._git("remote")).split():
            # Without force: a repository that knows another history refuses, and has to.
            await self._git("push", "--quiet", "origin", "HEAD")

    async def latest(self) -> Head | None:
        """Return the last head."""
        return await asyncio.to_thread(self._file.last)

    async def _prepare(self) -> None:
        if not (self._folder / ".git").exists():
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
            except OSError as exc:
                raise cannot_keep(self._name, exc.strerror or str(exc)) from exc
            await self._git("init", "--quiet")

    async def _commit(self, message: str) -> None:
        # Also what an append left uncommitted before the server was killed.
        if await self._git("status", "--porcelain", "--", HEADS_FILE):
            await self._git("add", "--", HEADS_FILE)
            await self._git("commit", "--quiet", "-m", message, "--", HEADS_FILE)

    async def _git(self, *arguments: str) -> str:
        environment = {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "HOME": os.environ.get("HOME", "/"),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "LC_ALL": "C",
        }
        try:
            process = await asyncio.create_subprocess_exec(
                "git",
                "-C",
                str(self._folder),
                *_OPTIONS,
                *arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=environment,
            )
        except OSError as exc:
            raise cannot_keep(self._name, f"git can't be run: {exc.strerror}") from exc
        try:
            async with asyncio.timeout(WITHIN_SECONDS):
                out, err = await process.communicate()
        except TimeoutError as exc:
            raise cannot_keep(
                self._name, f"git {arguments[0]} took longer than {WITHIN_SECONDS:g} s"
            ) from exc
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode != 0:
            said = err.decode("utf-8", "replace").strip().splitlines()[-1:] or ["nothing"]
            raise cannot_keep(self._name, f"git {arguments[0]} said {said[0][:SAID_AT_MOST]!r}")
        return out.decode("utf-8", "replace")
