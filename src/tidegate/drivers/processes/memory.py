"""
The process supervisor without processes, for tests and simulation.

It passes the same contract as the shim's. Its pids are counted from one and belong to nothing:
never signal them; `crash` says that a process ended by itself.
"""

from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

from tidegate.errors import WorkloadError
from tidegate.ports.processes import ProcessSpec, ProcessStatus


@dataclass(frozen=True, slots=True)
class _Kept:
    spec: ProcessSpec
    status: ProcessStatus


class MemoryProcesses:
    """
    Keeps processes in memory.

    `missing` are programs (argv[0]) that don't exist.
    """

    def __init__(self) -> None:
        self._kept: dict[str, _Kept] = {}
        self._pids = count(1)
        self.missing: set[str] = set()

    async def ensure(self, spec: ProcessSpec) -> ProcessStatus:
        """Start the process unless it runs already; see the port."""
        kept = self._kept.get(spec.name)
        if kept is not None and (kept.status.pid is not None or kept.spec.keep_alive):
            if kept.spec.argv != spec.argv:
                raise WorkloadError(
                    f"another command runs as {spec.name}: {' '.join(kept.spec.argv)}",
                    hint="End it first, or give the new one another name.",
                )
            return kept.status
        if spec.argv[0] in self.missing:
            raise WorkloadError(
                f"{spec.name} can't be started: there is no program {spec.argv[0]!r}",
                hint="Install it, make it executable, or give its full path.",
            )
        status = ProcessStatus(
            name=spec.name,
            pid=next(self._pids),
            restarts=0,
            last_exit=None,
            argv=spec.argv,
            log_path=Path(spec.name) / "output.log",
        )
        self._kept[spec.name] = _Kept(spec, status)
        return status

    async def status(self, name: str) -> ProcessStatus | None:
        """Return what is known of *name*, or None."""
        kept = self._kept.get(name)
        return None if kept is None else kept.status

    async def names(self) -> tuple[str, ...]:
        """Return the names of all processes that are kept."""
        return tuple(sorted(self._kept))

    async def end(self, name: str) -> None:
        """Forget the name."""
        self._kept.pop(name, None)

    def crash(self, name: str, exit_status: int) -> None:
        """Let the process end by itself; with keep_alive it is started again at once."""
        kept = self._kept[name]
        assert kept.status.pid is not None, f"{name} doesn't run"
        again = kept.spec.keep_alive
        status = replace(
            kept.status,
            pid=next(self._pids) if again else None,
            restarts=kept.status.restarts + (1 if again else 0),
            last_exit=exit_status,
        )
        self._kept[name] = _Kept(kept.spec, status)
