"""
Keeps processes under shims, one folder each, and finds them again after a restart of the server.

Nothing is remembered here: `ROOT/NAME/spec.json` says what was asked for, `status.json` (written by
the shim) what was seen, and the kernel's lock on `ROOT/NAME/lock` whether a shim lives. A pid is
believed only together with its start time, and signalled only through a pidfd that was opened before
the start time was checked, so that a recycled pid is never hit.

What the processes are for must not be known here. Linux only (`/proc`, pidfd).
"""

import asyncio
import json
import os
import re
import shutil
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tidegate.drivers.durable import read_file, replace_file, try_lock, unwritable
from tidegate.drivers.processes import shim
from tidegate.errors import WorkloadError
from tidegate.ports.processes import ProcessSpec, ProcessStatus

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
START_WITHIN_SECONDS: Final = 15.0
"""A shim takes about 50 ms to start; a machine that is short of everything may need seconds."""
NOTE_WITHIN_SECONDS: Final = 1.0
"""A shim writes down the end of its process within milliseconds; a stopped one never does."""
POLL_SECONDS: Final = 0.01


@dataclass(frozen=True, slots=True)
class _Known:
    """
    What a folder's `status.json` says, with what of it is still true.

    `is_behind`: the process has ended and its shim, which lives, hasn't written down how yet.
    """

    phase: str
    error: str
    pid: int | None
    restarts: int
    last_exit: int | None
    argv: tuple[str, ...]
    shim_pid: int | None
    is_behind: bool


class ShimSupervisor:
    """Starts, observes and ends processes; see the port. *root* is the folder of all of them."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()

    async def ensure(self, spec: ProcessSpec) -> ProcessStatus:
        """
        Start the process unless it runs already; returns when its program has been executed.

        The process gets exactly `spec.env`, nothing of ours.

        Raises:
            WorkloadError: it can't be started, or another command runs under this name.
        """
        folder = self._folder(spec.name)
        deadline = _now() + START_WITHIN_SECONDS
        while _now() < deadline:
            known = _read(folder)
            if known is not None and known.shim_pid is not None:
                _refuse_other(spec, known)
                if known.phase in ("running", "pausing") and not known.is_behind:
                    return _status(spec.name, folder, known)
            elif (lock := try_lock(folder / "lock")) is not None:
                try:
                    left = _read(folder)
                    if left is not None and left.pid is not None:
                        _refuse_other(spec, left)
                    await _start_shim(folder, spec, lock)
                finally:
                    os.close(lock)
                return await self._started(spec, folder, deadline)
            await asyncio.sleep(POLL_SECONDS)
        raise WorkloadError(
            f"{spec.name} didn't start within {START_WITHIN_SECONDS:g} s",
            hint=f"Its log is {folder / 'output.log'}. Another server may be starting or ending it.",
        )

    async def status(self, name: str) -> ProcessStatus | None:
        """Return what is known of *name*, or None when it was never started or has been ended."""
        folder = self._folder(name)
        known = _read(folder)
        deadline = _now() + NOTE_WITHIN_SECONDS
        while known is not None and known.is_behind and _now() < deadline:
            await asyncio.sleep(POLL_SECONDS)
            known = _read(folder)
        return None if known is None else _status(name, folder, known)

    async def names(self) -> tuple[str, ...]:
        """
        Return the names of all processes that are kept, running or not.

        Also of those whose shim has yet to write down what it started: whoever asked for it may be gone.
        """
        try:
            names = [folder.name for folder in self._root.iterdir()]
        except FileNotFoundError:
            return ()
        except OSError as exc:
            raise WorkloadError(
                f"{self._root} can't be read: {exc.strerror}", hint="Check its owner and mode."
            ) from exc
        return tuple(sorted(name for name in names if (self._root / name / "spec.json").exists()))

    async def end(self, name: str) -> None:
        """
        SIGTERM, wait for the drain, SIGKILL; then forget the name.

        When the caller is killed meanwhile the shim goes on with it.

        Raises:
            WorkloadError: the process still runs long after SIGKILL, or its folder can't be removed.
        """
        folder = self._folder(name)
        deadline = _now() + _drain_seconds(folder) + START_WITHIN_SECONDS
        asked: int | None = None
        while folder.exists():
            if _now() >= deadline:
                raise WorkloadError(
                    f"{name} still runs after SIGTERM and SIGKILL",
                    hint="The kernel can't end it now (it waits for a disk?). Try again later.",
                )
            known = _read(folder)
            if known is not None and known.shim_pid is not None:
                if known.shim_pid != asked:
                    asked = known.shim_pid
                    _terminate(folder, asked)
            elif (lock := try_lock(folder / "lock")) is not None:
                try:
                    await _end_without_shim(folder, lock)
                finally:
                    os.close(lock)
                continue
            await asyncio.sleep(POLL_SECONDS)

    def _folder(self, name: str) -> Path:
        assert NAME.fullmatch(name), f"a process's name must be a plain file name, got {name!r}"
        return self._root / name

    async def _started(self, spec: ProcessSpec, folder: Path, deadline: float) -> ProcessStatus:
        while _now() < deadline:
            known = _read(folder)
            if known is not None and known.phase == "failed":
                raise WorkloadError(
                    f"{spec.name} can't be started: {known.error}",
                    hint="Check the program, its folder and their modes.",
                )
            if known is not None and known.phase in ("running", "pausing", "ended"):
                return _status(spec.name, folder, known)
            await asyncio.sleep(POLL_SECONDS)
        raise WorkloadError(
            f"{spec.name} didn't start within {START_WITHIN_SECONDS:g} s",
            hint=f"Its log is {folder / 'output.log'}.",
        )


async def _start_shim(folder: Path, spec: ProcessSpec, lock: int) -> None:
    """Start the shim of *folder*, which takes over *lock*; returns once it has left us."""
    asked = {
        "program": _program(spec),
        "argv": spec.argv,
        "env": dict(spec.env),
        "cwd": str(spec.cwd),
        "keep_alive": spec.keep_alive,
        "drain_seconds": spec.drain_seconds,
    }
    replace_file(folder / "spec.json", json.dumps(asked), durable=False)
    if (known := _read(folder)) is not None and known.pid is None:
        # What an earlier process of this name left behind would be taken for the new one's.
        (folder / "status.json").unlink()
    await _run_shim(folder, lock)


async def _run_shim(folder: Path, lock: int) -> None:
    try:
        log = os.open(folder / "output.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    except OSError as exc:
        raise unwritable(folder / "output.log", exc) from exc
    try:
        started = await asyncio.create_subprocess_exec(
            *(sys.executable, "-S", "-E", "-I", shim.__file__, str(folder), str(lock)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=(lock,),
            start_new_session=True,
            env={},
        )
    finally:
        os.close(log)
    # It forks and ends at once: from then on it's nobody's child.
    await started.wait()


async def _end_without_shim(folder: Path, lock: int) -> None:
    """Under *lock*: forget a process that is gone, or give an orphaned one a shim that can end it."""
    known = _read(folder)
    if known is not None and known.pid is not None:
        await _run_shim(folder, lock)
        return
    try:
        await asyncio.to_thread(shutil.rmtree, folder)
    except OSError as exc:
        raise unwritable(folder, exc) from exc


def _terminate(folder: Path, shim_pid: int) -> None:
    with suppress(ProcessLookupError):
        handle = os.pidfd_open(shim_pid)
        try:
            # Read again with the handle open: now the pid can't become another's unseen.
            known = _read(folder)
            if known is not None and known.shim_pid == shim_pid:
                signal.pidfd_send_signal(handle, signal.SIGTERM)
        finally:
            os.close(handle)


def _read(folder: Path) -> _Known | None:
    """Return what the shim wrote, without pids that are gone; None when nothing usable is there."""
    text = read_file(folder / "status.json")
    try:
        seen = json.loads(text) if text else None
    except ValueError:
        return None
    if not isinstance(seen, dict):
        return None
    pid = _alive(seen, "pid", "start_time")
    shim_pid = _alive(seen, "shim_pid", "shim_start_time")
    return _Known(
        phase=seen["phase"],
        error=seen["error"],
        pid=pid,
        restarts=seen["restarts"],
        last_exit=seen["last_exit"],
        argv=tuple(seen["argv"]),
        shim_pid=shim_pid,
        is_behind=shim_pid is not None and seen["pid"] is not None and pid is None,
    )


def _alive(seen: Mapping[str, object], pid_key: str, start_key: str) -> int | None:
    pid = seen[pid_key]
    if isinstance(pid, int) and shim.start_time_of(pid) == seen[start_key]:
        return pid
    return None


def _status(name: str, folder: Path, known: _Known) -> ProcessStatus:
    return ProcessStatus(
        name=name,
        # Until it has passed the gate the process is a fork of the shim, not yet the program.
        pid=None if known.phase == "starting" else known.pid,
        restarts=known.restarts,
        last_exit=known.last_exit,
        argv=known.argv,
        log_path=folder / "output.log",
    )


def _refuse_other(spec: ProcessSpec, known: _Known) -> None:
    if known.argv != spec.argv:
        raise WorkloadError(
            f"another command runs as {spec.name}: {' '.join(known.argv)}",
            hint="End it first, or give the new one another name.",
        )


def _program(spec: ProcessSpec) -> str:
    """Return the file that argv[0] means with the process's own PATH."""
    assert spec.argv, f"{spec.name} has no command"
    if any("\0" in word for word in (*spec.argv, *spec.env, *spec.env.values())):
        raise WorkloadError(
            f"the command of {spec.name} holds a NUL character", hint="Take it out."
        )
    if not spec.cwd.is_dir():
        raise WorkloadError(
            f"{spec.name} can't be started: {spec.cwd} is no folder", hint="Make it, or correct it."
        )
    wanted = spec.cwd / spec.argv[0] if "/" in spec.argv[0] else spec.argv[0]
    program = shutil.which(wanted, path=spec.env.get("PATH", ""))
    if program is None:
        raise WorkloadError(
            f"{spec.name} can't be started: there is no program {spec.argv[0]!r}",
            hint="Install it, make it executable, or give its full path.",
        )
    return str(program)


def _drain_seconds(folder: Path) -> float:
    try:
        return float(json.loads(read_file(folder / "spec.json") or "{}").get("drain_seconds", 0.0))
    except ValueError:
        return 0.0


def _now() -> float:
    return asyncio.get_running_loop().time()
