"""The state folder of a server: its token, who it is, whether it lives. Nothing of the store."""

import contextlib
import json
import os
import secrets
import time
from dataclasses import dataclass
from pathlib import Path

from tidegate.drivers.processes.shim import start_time_of
from tidegate.errors import (
    StoreError,
    TimedOutError,
)

SERVER_FILE = "server.json"
TOKEN_FILE = "token"  # noqa: S105 - the name of a file
ENDS_WITHIN_SECONDS = 20.0
PROCESSES_DIR = "processes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A server that listens: its address, its token and the ids of what it runs."""

    url: str
    token: str
    state_dir: Path
    store_url: str


def default_state_dir() -> Path:
    """Return where a user's state belongs (XDG base directories)."""
    base = os.environ.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "tidegate"


def writable(path: Path) -> Path:
    """Return the state folder *path*, made when it's missing. Raises StoreError when it can't be written."""
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        probe = path / f".write-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as exc:
        raise StoreError(
            f"the state folder {path} can't be written: {exc.strerror}",
            hint="set TIDEGATE_STATE_DIR to a folder that this user may write",
        ) from exc
    return path.resolve()


def token_of(state_dir: Path) -> str:
    """Return the token of this state folder, made at the first start, readable by its owner only."""
    path = state_dir / TOKEN_FILE
    if path.exists():
        return path.read_text(encoding="ascii").strip()
    token = secrets.token_urlsafe(32)
    beside = path.with_name(f".{TOKEN_FILE}.{os.getpid()}")
    with open(  # noqa: PTH123 - the mode must hold from the first byte on
        os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii"
    ) as file:
        file.write(token + "\n")
    beside.replace(path)
    return token


def announce(running: Running) -> None:
    """Write down where the server is reached and which process it is, for commands of this machine."""
    path = running.state_dir / SERVER_FILE
    beside = path.with_name(f".{SERVER_FILE}.{os.getpid()}")
    pid = os.getpid()
    announcement = {"url": running.url, "pid": pid, "start_time": start_time_of(pid)}
    beside.write_text(json.dumps(announcement) + "\n", encoding="utf-8")
    beside.replace(path)


def withdraw_announcement(running: Running) -> None:
    """Take the address away again, unless another server has announced its own meanwhile."""
    path = running.state_dir / SERVER_FILE
    with contextlib.suppress(OSError, ValueError):
        if json.loads(path.read_text(encoding="utf-8"))["pid"] == os.getpid():
            path.unlink()


def announced_pid(state_dir: Path) -> int | None:
    """Return the process of the server that announced itself here, None when it isn't alive."""
    try:
        announced = json.loads((state_dir / SERVER_FILE).read_text(encoding="utf-8"))
        pid, start_time = int(announced["pid"]), announced["start_time"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    # Its id alone may be another program's by now: a server that was killed left its file behind.
    return pid if start_time is not None and start_time_of(pid) == start_time else None


def wait_for_end(pid: int) -> None:
    """Return once the process *pid* has ended. Raises TimedOutError when it doesn't."""
    for _ in range(int(ENDS_WITHIN_SECONDS / 0.05)):
        # One that has ended and whose parent hasn't noticed yet still has its id.
        if start_time_of(pid) is None:
            return
        time.sleep(0.05)
    raise TimedOutError(
        f"the server (process {pid}) didn't end within {ENDS_WITHIN_SECONDS:g} s",
        hint=f"look at its log, or end it with: kill -9 {pid}",
    )
