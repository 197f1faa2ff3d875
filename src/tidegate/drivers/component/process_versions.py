"""
Finds versions of a workload, installs each into a folder of its own, and knows when one was changed.

A version is a wheel (its digest is the wheel's) or a command with the files listed for it (its digest
is that of both). Either is taken once, when it is resolved, and kept: what the index or the files say
later changes nothing. `ROOT/versions/DIGEST/version.json` is written last and lists the hash of every
file, so that half an installation and a changed one are both seen.

How versions are run must not be known here.
"""

import asyncio
import importlib.util
import json
import os
import re
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from tidegate.documents.canonical import canonical_json, digest_of
from tidegate.domain.quantities import Version
from tidegate.drivers.component import process_installer
from tidegate.drivers.component.process_settings import ProcessSettings
from tidegate.drivers.durable import read_file, replace_file, unwritable
from tidegate.errors import VersionNotFoundError, WorkloadError
from tidegate.ports.processes import ProcessSpec, ProcessSupervisor

VERSION_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!-]{0,127}")
"""What may be put into a command, a path and a requirement without changing what those mean."""
VERIFY_EVERY_SECONDS: Final = 30.0
"""How old the answer to "were its files changed?" may be: hashing a large one takes a second."""
LAST_WORDS: Final = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """How a version is started: `argv` with `{port}` still in it, folders first on PATH, folder."""

    argv: tuple[str, ...]
    path: tuple[str, ...]
    cwd: str


class Versions:
    """The versions below *root*; installations run under *processes*."""

    def __init__(self, root: Path, processes: ProcessSupervisor) -> None:
        self._root = root.resolve()
        self._processes = processes
        self._verified: dict[str, tuple[float, str]] = {}

    async def resolve(self, version: str, settings: ProcessSettings) -> Version:
        """
        Return *version* with its digest, and keep what it consists of.

        Raises:
            VersionNotFoundError: there is none, or it has another digest than asked for.
            WorkloadError: the package index can't be reached.
        """
        name, _, wanted = version.partition("@")
        if not VERSION_NAME.fullmatch(name):
            raise VersionNotFoundError(
                f"{name!r} can't be a version",
                hint="Versions are letters, digits and . _ + ! -, at most 128 of them.",
            )
        digest = await self._keep(name, settings)
        if wanted and wanted != digest:
            raise VersionNotFoundError(
                f"version {name} has the digest {digest}, not {wanted}",
                hint="It was built anew or replaced. Take its present digest, or find out why.",
            )
        return Version(name=name, digest=digest)

    async def launch(self, version: Version, settings: ProcessSettings) -> Launch | None:
        """
        Return how *version* is started, or None while it is being installed.

        Raises:
            WorkloadError: it can't be installed; the next call tries again.
        """
        folder = self._folder(version.digest)
        if settings.package is not None:
            if not await self._is_installed(version, settings):
                return None
            return _package_launch(folder, version, settings)
        if not (folder / "version.json").exists():
            await self._keep_again(version, settings)
        return _command_launch(folder, version, settings)

    async def damage(self, digest: str) -> str:
        """Return what was changed in the version's folder since it was made, or nothing."""
        checked_at, damage = self._verified.get(digest, (float("-inf"), ""))
        if time.monotonic() - checked_at >= VERIFY_EVERY_SECONDS:
            damage = await asyncio.to_thread(_damage, self._folder(digest))
            self._verified[digest] = (time.monotonic(), damage)
        return damage

    def forget(self, digest: str) -> None:
        """
        Remove the environment that *digest* was installed into, if it has one.

        What it was made from is kept: it's small, and the version may be wanted back.
        """
        folder = self._folder(digest)
        if (folder / "venv").is_dir():
            self._verified.pop(digest, None)
            # Without its marker the folder counts as nothing, however far the removal gets.
            (folder / "version.json").unlink(missing_ok=True)
            shutil.rmtree(folder, ignore_errors=True)

    def _folder(self, digest: str) -> Path:
        return self._root / "versions" / _short(digest)

    def _archive(self, digest: str) -> Path:
        return self._root / "archives" / _short(digest)

    async def _keep(self, name: str, settings: ProcessSettings) -> str:
        if settings.package is not None:
            return await self._download(name, settings.package)
        return await asyncio.to_thread(self._keep_command, name, settings)

    async def _keep_again(self, version: Version, settings: ProcessSettings) -> None:
        """Keep a version that was resolved elsewhere, if it still is what it was."""
        digest = await self._keep(version.name, settings)
        if digest != version.digest:
            raise WorkloadError(
                f"version {version.name} is {digest} here, not {version.digest}",
                hint="It was changed after it had been planned. Plan the rollout again.",
            )

    async def _is_installed(self, version: Version, settings: ProcessSettings) -> bool:
        name = f"install-{_short(version.digest)}"
        status = await self._processes.status(name)
        if (self._folder(version.digest) / "version.json").exists():
            if status is not None:
                await self._processes.end(name)
            return True
        if status is None:
            await self._install(name, version, settings)
        elif status.pid is None:
            words = _last_words(status.log_path)
            await self._processes.end(name)
            if status.last_exit == 0:
                # It worked, once: the environment was given back since.
                await self._install(name, version, settings)
            else:
                raise WorkloadError(
                    f"{settings.package} {version.name} can't be installed: {words}",
                    hint="Check the index, the disk, and that wheels of all it needs exist.",
                )
        return False

    async def _install(self, name: str, version: Version, settings: ProcessSettings) -> None:
        archive = self._archive(version.digest)
        if not archive.is_dir():
            await self._keep_again(version, settings)
        asked = {
            "folder": str(self._folder(version.digest)),
            "wheel": str(next(archive.iterdir())),
            "requirement": settings.package,
            "digest": version.digest,
            "pip": _pip(),
        }
        await self._processes.ensure(
            ProcessSpec(
                name=name,
                argv=(sys.executable, "-I", process_installer.__file__, canonical_json(asked)),
                env=_pip_environment(),
                cwd=self._root,
                keep_alive=False,
                drain_seconds=1.0,
            )
        )

    async def _download(self, name: str, package: str) -> str:
        """Fetch the one wheel of the package and keep it by its digest."""
        self._root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self._root, prefix=".download-") as folder:
            asked = f"{package}=={name}"
            arguments = ("download", "--no-deps", "--only-binary", ":all:", "--dest", folder, asked)
            process = await asyncio.create_subprocess_exec(
                *(*_pip(), *arguments),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                env=_pip_environment(),
            )
            try:
                _, errors = await process.communicate()
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()
            if process.returncode:
                raise _not_downloaded(asked, errors.decode(errors="replace"))
            return await asyncio.to_thread(self._take_wheel, Path(folder))

    def _take_wheel(self, folder: Path) -> str:
        """Move the wheel in *folder* to where it's kept, and return its digest."""
        wheel = next(folder.iterdir())
        digest = f"sha256:{sha256(wheel.read_bytes()).hexdigest()}"
        archive = self._archive(digest)
        if archive.is_dir():
            return digest
        staged = folder / "archive"
        staged.mkdir()
        wheel.rename(staged / wheel.name)
        try:
            archive.parent.mkdir(parents=True, exist_ok=True)
            staged.rename(archive)
        except OSError as exc:
            # Somebody else may have kept the same wheel meanwhile, which is as good.
            if not archive.is_dir():
                raise unwritable(archive, exc) from exc
        return digest

    def _keep_command(self, name: str, settings: ProcessSettings) -> str:
        """Copy the files of a command's version and return the digest of both."""
        contents = _read_files(name, settings)
        program = settings.command[0].replace("{version}", name)
        if program not in contents and shutil.which(program) is None:
            raise VersionNotFoundError(
                f"version {name} has no program {program!r}",
                hint="Install it, or correct `command` or the version.",
            )
        hashes = {place: sha256(text).hexdigest() for place, text, _ in contents.values()}
        digest = digest_of({"argv": _words(name, settings, "{files}"), "files": hashes})
        folder = self._folder(digest)
        if not (folder / "version.json").exists():
            try:
                _copy(contents.values(), folder / "files")
            except OSError as exc:
                raise unwritable(folder, exc) from exc
            listed = {f"files/{place}": found for place, found in hashes.items()}
            marker = {"digest": digest, "files": listed}
            replace_file(folder / "version.json", json.dumps(marker))
        return digest


def _package_launch(folder: Path, version: Version, settings: ProcessSettings) -> Launch:
    programs = folder / "venv" / "bin"
    words = [word.replace("{version}", version.name) for word in shlex.split(settings.run or "")]
    if not words:
        raise WorkloadError(
            f"{settings.package} has no command", hint='Write run: "PROGRAM --port {port}".'
        )
    if (programs / words[0]).exists():
        words[0] = str(programs / words[0])
    return Launch(argv=tuple(words), path=(str(programs),), cwd=str(folder))


def _command_launch(folder: Path, version: Version, settings: ProcessSettings) -> Launch:
    words = _words(version.name, settings, str(folder / "files"))
    return Launch(argv=tuple(words), path=(), cwd=str(folder / "files"))


def _words(name: str, settings: ProcessSettings, files_folder: str) -> list[str]:
    """Return the command; words that are one of its files mean the kept copy."""
    places = {str(path): place for path, place in _places(name, settings).items()}
    words = [word.replace("{version}", name) for word in settings.command]
    return [f"{files_folder}/{places[word]}" if word in places else word for word in words]


def _places(name: str, settings: ProcessSettings) -> dict[Path, str]:
    """Return where each listed file lies in the kept copy: as the files lie to each other."""
    paths = [Path(path.replace("{version}", name)) for path in settings.files]
    if not paths:
        return {}
    common = os.path.commonpath([path.parent for path in paths])
    return {path: str(path.relative_to(common)) for path in paths}


def _read_files(name: str, settings: ProcessSettings) -> dict[str, tuple[str, bytes, int]]:
    """Return place, content and mode of each listed file, by its path."""
    found = {}
    for path, place in _places(name, settings).items():
        try:
            found[str(path)] = (place, path.read_bytes(), path.stat().st_mode & 0o777)
        except OSError as exc:
            raise VersionNotFoundError(
                f"version {name} lacks {path}: {exc.strerror}",
                hint="Put the file there, or correct `files` or the version.",
            ) from exc
    return found


def _copy(contents: Iterable[tuple[str, bytes, int]], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for place, content, mode in contents:
        path = folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        # A copy that was begun before and is read-only couldn't be written again.
        path.unlink(missing_ok=True)
        path.write_bytes(content)
        path.chmod(mode)


def _damage(folder: Path) -> str:
    marker = read_file(folder / "version.json")
    if marker is None:
        return "its files are gone"
    for place, wanted in json.loads(marker)["files"].items():
        try:
            found = sha256((folder / place).read_bytes()).hexdigest()
        except OSError as exc:
            return f"{place} can't be read: {exc.strerror}"
        if found != wanted:
            return f"{place} was changed after it was installed"
    return ""


def _pip() -> list[str]:
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    beside = Path(sys.executable).with_name("uv")
    uv = str(beside) if beside.exists() else shutil.which("uv")
    if uv is None:
        raise WorkloadError(
            "neither pip nor uv is there to install packages",
            hint=f"Run: {sys.executable} -m ensurepip. On Debian first: apt-get install python3-venv.",
        )
    return [uv, "tool", "run", "--python", sys.executable, "pip"]


def _pip_environment() -> dict[str, str]:
    # Pip is a tool of ours and gets our environment, where indexes, proxies and certificates are.
    quiet = {"PIP_NO_INPUT": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    return dict(os.environ) | quiet


def _not_downloaded(asked: str, errors: str) -> VersionNotFoundError | WorkloadError:
    lines = [line for line in errors.splitlines() if line.startswith("ERROR: ")]
    said = lines[-1].removeprefix("ERROR: ") if lines else errors.strip()
    if "No matching distribution found" in errors:
        return VersionNotFoundError(
            f"there is no wheel of {asked}",
            hint="Check the version and the package's name; wheels alone are installed.",
        )
    return WorkloadError(
        f"{asked} can't be fetched: {said[:LAST_WORDS]}", hint="Check the package index. Try again."
    )


def _last_words(log: Path) -> str:
    """Return pip's last complaint, or else the last line of the log."""
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "its log can't be read"
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    complaints = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    return ([*lines, *complaints] or ["it said nothing"])[-1][-LAST_WORDS:]


def _short(digest: str) -> str:
    return digest.removeprefix("sha256:")[:24]
