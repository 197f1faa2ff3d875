"""
Which service and which rollout is meant: what was said, else the environment, else the `tidegate.yaml`
of this folder or one above.

Only the name is taken from the file, without reading the rest: a file that is being edited must not
keep anyone from halting.
"""

import os
import re
from pathlib import Path
from typing import Final

from tidegate.errors import InvalidRequestError

FILE_NAME: Final = "tidegate.yaml"
_SERVICE_LINE: Final = re.compile(r"^service:\s*[\"']?([a-z0-9][a-z0-9-]*)", re.MULTILINE)
_ENOUGH_BYTES: Final = 256 * 1024


def find_file(start: Path | None = None) -> Path | None:
    """Return the nearest `tidegate.yaml` in *start* (this folder by default) or above it."""
    here = (start or Path.cwd()).absolute()
    for folder in (here, *here.parents):
        path = folder / FILE_NAME
        if path.is_file():
            return path
    return None


def service_in(path: Path) -> str | None:
    """Return the name of the service that the file at *path* is about, None when it says none."""
    try:
        with path.open("rb") as file:
            text = file.read(_ENOUGH_BYTES).decode("utf-8", "replace")
    except OSError:
        return None
    match = _SERVICE_LINE.search(text)
    return match[1] if match else None


def named_service(given: str | None) -> str | None:
    """Return the service that is meant without its file being needed, None when none is."""
    return given or os.environ.get("TIDEGATE_SERVICE") or None


def need_rollout(given: str | None) -> str:
    """
    Return the rollout that is meant: an id, the beginning of one, or a service for its latest.

    Raises:
        InvalidRequestError: none was named and no `tidegate.yaml` is near.
    """
    named = named_service(given)
    if named is not None:
        return named
    path = find_file()
    service = None if path is None else service_in(path)
    if service is None:
        raise InvalidRequestError(
            "no rollout was named, and there is no tidegate.yaml here or above",
            hint="name a rollout or a service; `tidegate status` lists what there is",
        )
    return service
