"""
The processes port: keeps local processes running beyond the life of whoever asked for them.

A supervised process lives in its own session under a small shim, never as a child of the server, so
that `kill -9` of the server changes nothing for it, and a new server adopts it again by its pid and
start time. What a process is for is not known here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSpec:
    """
    What to run. `name` is unique per supervisor and names its folder and log.

    `keep_alive` restarts the process with growing pauses when it ends by itself. `drain_seconds` is
    how long it may take to end after SIGTERM before SIGKILL.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path
    keep_alive: bool
    drain_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessStatus:
    """
    What was observed of a process. `pid` is None when it doesn't run now.

    `restarts` counts how often it ended by itself; `last_exit` is its latest exit status (negative: a
    signal); `argv` is what was really started, so that a caller can tell a different command.
    """

    name: str
    pid: int | None
    restarts: int
    last_exit: int | None
    argv: tuple[str, ...]
    log_path: Path


class ProcessSupervisor(Protocol):
    """Starts, observes and ends processes. All calls may be repeated."""

    async def ensure(self, spec: ProcessSpec) -> ProcessStatus:
        """
        Start the process unless it runs already under this name.

        Raises:
            WorkloadError: it can't be started (no such program, no permission), or another command
                runs under this name.
        """
        ...

    async def status(self, name: str) -> ProcessStatus | None:
        """Return what is known of *name*, or None when it was never started or has been ended."""
        ...

    async def names(self) -> tuple[str, ...]:
        """
        Return the names of all processes that this supervisor keeps, running or not.

        A process is kept from the moment `ensure` may have started it, even if that was cancelled or
        its caller killed: who ends all names leaves nothing running.
        """
        ...

    async def end(self, name: str) -> None:
        """SIGTERM, wait for the drain, SIGKILL; then forget the name. Does nothing for an unknown one."""
        ...
