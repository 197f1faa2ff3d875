"""
Installs one package into a virtual environment of its own; run as a file, by the process supervisor.

It runs apart from the server, so that a long download holds up nobody and a killed server doesn't
stop it. The marker `version.json` is written last: without it the folder counts as nothing, and is
begun anew. Standard library only; nothing of Tidegate is imported.
"""

import json
import os
import shutil
import subprocess
import sys
import venv
from hashlib import sha256
from pathlib import Path


def install(folder: Path, wheel: Path, requirement: str, digest: str, pip: list[str]) -> None:
    """
    Install *wheel* and what it needs below *folder*.

    Args:
        folder: What to make; the environment is `folder/venv`.
        wheel: The file that was resolved; nothing else is taken for it.
        requirement: The package with its extras, as `shop[fast]`.
        digest: `sha256:…` of the wheel, checked again here.
        pip: How pip is run.
    """
    found = f"sha256:{sha256(wheel.read_bytes()).hexdigest()}"
    if found != digest:
        raise SystemExit(f"{wheel.name} has the digest {found}, not {digest}")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    venv.create(folder / "venv", symlinks=True)
    python = folder / "venv" / "bin" / "python"
    asked = f"{requirement} @ {wheel.as_uri()}"
    # Wheels alone: building from source would run code of the package before anybody approved it.
    done = subprocess.run(
        [*pip, "--python", str(python), "install", "--only-binary", ":all:", asked], check=False
    )
    if done.returncode:
        raise SystemExit(f"pip ended with {done.returncode}")
    marker = {"digest": digest, "files": hashes_below(folder)}
    temporary = folder / "version.json.new"
    with temporary.open("w", encoding="utf-8") as file:
        json.dump(marker, file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(folder / "version.json")


def hashes_below(folder: Path) -> dict[str, str]:
    """Return the sha256 of each file below *folder*, by its path there; compiled caches left out."""
    return {
        str(path.relative_to(folder)): sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink() and path.suffix != ".pyc"
    }


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    install(
        Path(asked["folder"]),
        Path(asked["wheel"]),
        asked["requirement"],
        asked["digest"],
        asked["pip"],
    )
