"""
Starts a managed Envoy from files that it can read. Run as a program: `envoy_boot.py FOLDER ENVOY
THREADS`.

A running Envoy refuses a garbled file and goes on as it was. A starting one would take it for
nothing at all, and answer 404 to everyone. So each watched file that can't be read is replaced here
by the last one that an Envoy took. Then this process becomes Envoy: same pid, nothing in between.

Only the standard library may be used: it runs without site packages, at each start of Envoy.
"""

import json
import os
import sys
import time
from pathlib import Path


def main(folder: Path, envoy: str, threads: str) -> None:
    """Put back what is garbled, note the start, become Envoy."""
    config = folder / "config"
    for good in sorted((config / "good").glob("*.json")):
        if not _readable(config / good.name):
            print(f"{good.name} is garbled or missing: using the last good one", flush=True)
            _replace(config / good.name, good.read_bytes())
    note = {"socket": str(folder / "admin.sock"), "started_at": f"{time.time():.3f}"}
    _replace(folder / "admin.json", json.dumps(note).encode())
    command = [envoy, "--config-path", str(config / "bootstrap.json"), "--concurrency", threads]
    # Each Envoy stands alone; a shared memory region per start would be left behind by kill -9.
    command += ["--disable-hot-restart", "--log-level", "warning"]
    command += ["--file-flush-interval-msec", "1000"]
    os.execv(envoy, command)  # noqa: S606, no shell is what we want


def _readable(path: Path) -> bool:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return False
    if not isinstance(found, dict):
        return False
    return path.name == "bootstrap.json" or isinstance(found.get("resources"), list)


def _replace(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.boot")
    temporary.write_bytes(content)
    temporary.replace(path)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
