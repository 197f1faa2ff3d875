"""
Small JSON files by which the lab's processes are told things while they run.

Written by rename, so that a reader never meets half a file; noticed by their change, so that no process
needs a port to be told anything.
"""

import json
import os
from pathlib import Path
from typing import Any

from tidegate.errors import LabError


def write_json(path: Path, document: dict[str, Any]) -> None:
    """Put *document* at *path* at once, making the folder when it isn't there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_text(json.dumps(document, sort_keys=True) + "\n", encoding="utf-8")
    beside.replace(path)


def read_json(path: Path) -> dict[str, Any]:
    """
    Return what stands at *path*, nothing when there is no such file.

    Raises:
        LabError: it isn't a JSON object.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    try:
        document = json.loads(text)
    except ValueError as problem:
        raise LabError(
            f"{path} isn't JSON: {problem}", hint="take the file away; the lab writes it anew"
        ) from problem
    if not isinstance(document, dict):
        raise LabError(
            f"{path} holds no JSON object", hint="take the file away; the lab writes it anew"
        )
    return document


class WatchedFile:
    """Tells when a file has changed since it was last asked about."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[int, int, int] | None = None
        self._asked = False

    def has_changed(self) -> bool:
        """Return whether the file is another than last time; the first time, always true."""
        try:
            found = self.path.stat()
            now = (found.st_mtime_ns, found.st_size, found.st_ino)
        except FileNotFoundError:
            now = None
        changed = not self._asked or now != self._seen
        self._asked, self._seen = True, now
        return changed
