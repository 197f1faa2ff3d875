"""
The pools of one placement: which processes there are, on which ports, and how they are doing.

A pool is written down (`pools/NAME.json`) before any of its processes starts, so that whoever comes
after a crash knows every process there can be. Whether a pool has traffic is not written here: the
data plane alone knows.
"""

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from tidegate.documents.records import from_json, to_json
from tidegate.domain.quantities import Version
from tidegate.drivers.component import process_sockets
from tidegate.drivers.component.process_probe import HOST, why_not_ready
from tidegate.drivers.component.process_settings import ProcessSettings
from tidegate.drivers.component.process_versions import Launch
from tidegate.drivers.durable import read_file, replace_file, unwritable
from tidegate.errors import StoreError, WorkloadError
from tidegate.ports.processes import ProcessSpec, ProcessStatus, ProcessSupervisor
from tidegate.ports.traffic import Endpoint, Pool

DIGEST_VARIABLE: Final = "TIDEGATE_DIGEST"
"""Every member is started with its version's digest; the kernel shows it to whoever asks."""
VERSION_VARIABLE: Final = "TIDEGATE_VERSION"
INHERITED: Final = ("HOME", "LANG", "LC_ALL", "TZ", "TMPDIR")
"""All that a member gets of our environment, beside PATH: what we know must not leak to it."""
IDLE_POLL_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberPool:
    """One version's members: how each is started, and the port of each."""

    name: str
    version: Version
    argv: tuple[str, ...]
    env: dict[str, str]
    cwd: str
    probe_path: str | None
    drain_seconds: float
    ports: tuple[int, ...]

    def process_name(self, index: int) -> str:
        """Return the process of the member *index*; its port is in it, since a port may change."""
        return f"{self.name}-{index}-{self.ports[index]}"

    def split_pool(self) -> Pool:
        """Return the pool as traffic drivers know it."""
        return Pool(
            name=self.name,
            version=self.version.name,
            digest=self.version.digest,
            endpoints=tuple(Endpoint(host=HOST, port=port) for port in self.ports),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberSeen:
    """
    One member as it was found. `digest` is what its process was started with, empty when unknown.

    `why_not` says why it isn't ready; `restarts` how often it ended by itself.
    """

    name: str
    digest: str
    why_not: str
    restarts: int
    last_exit: int | None


class Pools:
    """The pools of the placement whose folder is *folder*; their members run under *processes*."""

    def __init__(self, folder: Path, processes: ProcessSupervisor) -> None:
        self._folder = folder / "pools"
        self._processes = processes

    def all(self) -> tuple[MemberPool, ...]:
        """Return every pool that was begun and not yet taken away."""
        return tuple(
            pool
            for path in sorted(self._folder.glob("*.json"))
            if (pool := self.named(path.stem)) is not None
        )

    def named(self, name: str) -> MemberPool | None:
        """Return the pool *name*, or None when it isn't known here."""
        path = self._path(name)
        text = read_file(path)
        if text is None:
            return None
        try:
            return from_json(MemberPool, text)
        except StoreError as exc:
            raise WorkloadError(f"{path} can't be used: {exc.message}", hint=exc.hint) from exc

    def of(self, version: Version) -> MemberPool | None:
        """Return the pool that runs *version*, or None."""
        return next((pool for pool in self.all() if pool.version.digest == version.digest), None)

    async def write(self, pool: MemberPool) -> None:
        """Write *pool* down; from now on it is known to whoever comes after us."""
        await asyncio.to_thread(replace_file, self._path(pool.name), to_json(pool))

    async def grow(self, pool: MemberPool, count: int) -> MemberPool:
        """
        Make sure that at least *count* members of *pool* are started; return it with their ports.

        A member whose port another program has taken gets another one.

        Raises:
            WorkloadError: one can't be started.
        """
        pool = await self._with_own_ports(pool)
        ports = list(pool.ports)
        while len(ports) < count:
            ports.append(process_sockets.free_port(avoid=self._ports() | set(ports)))
        grown = replace(pool, ports=tuple(ports))
        if self.named(pool.name) != grown:
            await self.write(grown)
        await asyncio.gather(
            *(self._processes.ensure(_spec(grown, index)) for index in range(len(ports)))
        )
        return grown

    async def look(self, pool: MemberPool) -> tuple[MemberSeen, ...]:
        """Return how each member of *pool* is doing now."""
        listening = process_sockets.listeners()
        return tuple(
            await asyncio.gather(
                *(self._look_at(pool, index, listening) for index in range(len(pool.ports)))
            )
        )

    async def take_away(self, pool: MemberPool) -> None:
        """
        End the members of *pool*, which no route uses any more, and forget it.

        Waits until their connections are closed, at most for the drain; then SIGTERM, which gives
        them the drain once more to finish what they do.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + pool.drain_seconds
        while loop.time() < until:
            if not process_sockets.connections(pool.ports):
                break
            await asyncio.sleep(IDLE_POLL_SECONDS)
        prefix = f"{pool.name}-"
        names = [name for name in await self._processes.names() if name.startswith(prefix)]
        await asyncio.gather(*(self._processes.end(name) for name in names))
        try:
            self._path(pool.name).unlink(missing_ok=True)
        except OSError as exc:
            raise unwritable(self._path(pool.name), exc) from exc

    async def _with_own_ports(self, pool: MemberPool) -> MemberPool:
        listening = process_sockets.listeners()
        ports = list(pool.ports)
        for index, port in enumerate(pool.ports):
            sockets = listening.get(port)
            status = await self._processes.status(pool.process_name(index))
            pid = status.pid if status is not None else None
            if sockets and (pid is None or not process_sockets.holds_any(pid, sockets)):
                await self._processes.end(pool.process_name(index))
                ports[index] = process_sockets.free_port(avoid=self._ports() | set(ports))
        return replace(pool, ports=tuple(ports))

    async def _look_at(
        self, pool: MemberPool, index: int, listening: Mapping[int, frozenset[str]]
    ) -> MemberSeen:
        name = pool.process_name(index)
        status = await self._processes.status(name)
        digest = ""
        if status is not None and status.pid is not None:
            digest = process_sockets.environment_of(status.pid).get(DIGEST_VARIABLE, "")
        return MemberSeen(
            name=name,
            digest=digest,
            why_not=await _why_not(pool, pool.ports[index], status, listening),
            restarts=status.restarts if status is not None else 0,
            last_exit=status.last_exit if status is not None else None,
        )

    def _ports(self) -> set[int]:
        return {port for pool in self.all() for port in pool.ports}

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.json"


def new_pool(name: str, version: Version, launch: Launch, settings: ProcessSettings) -> MemberPool:
    """Return a pool without members yet."""
    path = (*launch.path, os.environ.get("PATH", os.defpath))
    inherited = {key: os.environ[key] for key in INHERITED if key in os.environ}
    own = {VERSION_VARIABLE: version.name, DIGEST_VARIABLE: version.digest}
    return MemberPool(
        name=name,
        version=version,
        argv=launch.argv,
        env=inherited | {"PATH": os.pathsep.join(path)} | dict(settings.env) | own,
        cwd=launch.cwd,
        probe_path=settings.probe_path,
        drain_seconds=settings.drain_seconds,
        ports=(),
    )


def _spec(pool: MemberPool, index: int) -> ProcessSpec:
    port = str(pool.ports[index])
    return ProcessSpec(
        name=pool.process_name(index),
        argv=tuple(word.replace("{port}", port) for word in pool.argv),
        env=pool.env,
        cwd=Path(pool.cwd),
        keep_alive=True,
        drain_seconds=pool.drain_seconds,
    )


async def _why_not(
    pool: MemberPool,
    port: int,
    status: ProcessStatus | None,
    listening: Mapping[int, frozenset[str]],
) -> str:
    if status is None:
        return "it was never started"
    if status.pid is None:
        return f"it doesn't run (exit {status.last_exit}, {status.restarts} restarts)"
    sockets = listening.get(port)
    if not sockets:
        return f"it doesn't listen on port {port} yet"
    if not process_sockets.holds_any(status.pid, sockets):
        return f"another program listens on its port {port}"
    return await why_not_ready(port, pool.probe_path)
