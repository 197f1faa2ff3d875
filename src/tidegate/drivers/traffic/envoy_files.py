"""
The files that an Envoy watches, and the last ones it was seen to take.

A watched file is replaced by rename, which is what Envoy's watch waits for, and so never half
there. Each file that Envoy has taken is kept once more in `good/`: what it refuses is put back from
there, and a managed Envoy starts from there when the other is garbage (`envoy_boot`). What the
files hold is not known here.
"""

import json
import os
import tempfile
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from tidegate.domain.quantities import ServiceName
from tidegate.drivers.durable import locked
from tidegate.drivers.traffic.envoy_config import discovery
from tidegate.drivers.traffic.envoy_state import owner_of
from tidegate.errors import WorkloadError

Json = dict[str, Any]

_READABLE: Final = 0o644  # the user's own Envoy may run as somebody else; nothing here is secret


class GarbledFileError(Exception):
    """A file that Envoy watches doesn't hold a list of resources."""


class EnvoyFiles:
    """The watched files in *folder*."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @asynccontextmanager
    async def locked(self, *, wait: timedelta) -> AsyncIterator[None]:
        """Keep other writers of this folder away; raises WorkloadError after *wait*."""
        async with locked(self._folder / "lock", wait=wait):
            yield

    @asynccontextmanager
    async def locked_if_possible(self, *, wait: timedelta) -> AsyncIterator[None]:
        """
        Keep other writers away, but go on without after *wait*.

        For the safe direction only: a writer that was stopped while it held the lock must not keep
        anyone from withdrawing. Its late write is found and taken back by whoever reads next.
        """
        entered = False
        try:
            async with self.locked(wait=wait):
                entered = True
                yield
        except WorkloadError:
            if entered:
                raise
            yield

    def exists(self, name: str) -> bool:
        """Return whether there is a file called *name*."""
        return (self._folder / name).exists()

    def names(self, pattern: str) -> list[str]:
        """Return the names of the files that match the shell *pattern*."""
        return sorted(path.name for path in self._folder.glob(pattern))

    def remove(self, name: str) -> None:
        """Remove *name* and what was kept of it."""
        (self._folder / name).unlink(missing_ok=True)
        (self._folder / "good" / name).unlink(missing_ok=True)

    def read(self, name: str, *, good: bool = False) -> tuple[str, list[Json]]:
        """
        Return the version and the resources that *name* holds; no file is an empty one.

        With *good*, of the last one that Envoy took.

        Raises:
            GarbledFileError: it holds something else.
        """
        try:
            folder = self._folder / "good" if good else self._folder
            found = json.loads((folder / name).read_bytes())
            return str(found["version_info"]), list(found["resources"])
        except FileNotFoundError:
            return "", []
        except (ValueError, KeyError, TypeError) as exc:
            raise GarbledFileError(f"{self._folder / name} is garbled: {exc!r}") from exc

    def publish(self, name: str, resources: Iterable[Json]) -> str:
        """Replace *name*, at once for every reader; return its version, which Envoy will tell."""
        content = discovery(resources)
        self.write(name, content)
        return str(content["version_info"])

    def publish_as_good(self, name: str, resources: Iterable[Json]) -> str:
        """Replace *name*, after it was kept as good; for the safe direction, which is always good."""
        content = discovery(resources)
        self._write(self._folder / "good", name, content)
        self.write(name, content)
        return str(content["version_info"])

    def version(self, name: str) -> str:
        """Return the version of *name*; nothing when it is missing or garbled."""
        try:
            return self.read(name)[0]
        except GarbledFileError:
            return ""

    def publish_if_other(self, name: str, resources: list[Json]) -> bool:
        """Replace *name* unless it holds *resources* already; return whether it was replaced."""
        if discovery(resources)["version_info"] == self.version(name):
            return False
        self.publish(name, resources)
        return True

    def replace_resources_of(self, name: str, service: ServiceName, resources: list[Json]) -> bool:
        """Let *service* own *resources* in *name*, beside others'; return whether it changed."""
        try:
            _, before = self.read(name)
        except GarbledFileError:
            self.put_back(name)
            _, before = self.read(name)
        others = [resource for resource in before if owner_of(resource) != service]
        after = sorted([*others, *resources], key=lambda resource: str(resource.get("name")))
        return self.publish_if_other(name, after)

    def write_if_other(self, name: str, content: Json) -> None:
        """Let *name*, which Envoy reads only at its start, hold *content*."""
        try:
            if json.loads((self._folder / name).read_bytes()) == content:
                return
        except (FileNotFoundError, ValueError):
            pass
        self.write(name, content)
        self.approve(name)

    def write(self, name: str, content: Json) -> None:
        """Replace *name* by *content*; on disk only after `sync`, so that nothing waits for it."""
        self._write(self._folder, name, content)

    def _write(self, folder: Path, name: str, content: Json) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=folder, prefix=f".{name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(content, file, indent=1)
                os.fchmod(file.fileno(), _READABLE)
            Path(temporary).replace(folder / name)
        except OSError:
            with suppress(OSError):
                Path(temporary).unlink()
            raise

    def sync(self) -> None:
        """Wait until everything that was written would survive a power cut."""
        folders = [folder for folder in (self._folder / "good", self._folder) if folder.is_dir()]
        for folder in folders:
            with suppress(FileNotFoundError):  # replaced meanwhile, by one that is synced as well
                for path in folder.glob("*.json"):
                    _sync(path)
            _sync(folder)

    def approve(self, name: str) -> None:
        """Keep *name* as the last one that Envoy took."""
        good = self._folder / "good"
        good.mkdir(exist_ok=True)
        _copy_over(self._folder / name, good / name)

    def put_back(self, name: str) -> None:
        """
        Replace *name* by the last one that Envoy took; without such a one, by an empty one.

        It isn't removed: an Envoy whose own bootstrap names a missing file doesn't start.
        """
        good = self._folder / "good" / name
        if good.exists():
            _copy_over(good, self._folder / name)
        else:
            self.publish(name, [])


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _copy_over(source: Path, target: Path) -> None:
    """Replace *target* by a copy of *source*: a link would be garbled along with it."""
    temporary = target.with_name(f".{target.name}.{os.getpid()}.copy")
    temporary.write_bytes(source.read_bytes())
    temporary.chmod(_READABLE)
    temporary.replace(target)
