"""
The logins of this user: a session's secret per server, in a file that nobody else can read.

It lies in the same folder as the server's own files (see `server_file`), and a login is sent to the very
address that it was made with and nowhere else.
"""

import json
import os
from pathlib import Path
from typing import Any, Final

from tidegate.errors import NotAllowedError

LOGINS_FILE: Final = "logins.json"


def kept_login(folder: Path, url: str) -> str | None:
    """
    Return the secret of the session with the server at *url*, None when there is none.

    Raises:
        NotAllowedError: the file can't be read, or others can read it too.
    """
    found = _read(folder / LOGINS_FILE).get(_key(url))
    return str(found["secret"]) if isinstance(found, dict) and "secret" in found else None


def keep_login(folder: Path, url: str, secret: str, name: str) -> None:
    """Keep the session with the server at *url* instead of an earlier one. Raises NotAllowedError."""
    path = folder / LOGINS_FILE
    _write(path, {**_read(path), _key(url): {"secret": secret, "name": name}})


def forget_login(folder: Path, url: str) -> bool:
    """Forget the session with the server at *url*; return whether there was one. Raises NotAllowedError."""
    path = folder / LOGINS_FILE
    logins = _read(path)
    known = logins.pop(_key(url), None)
    if known is not None:
        _write(path, logins)
    return known is not None


def _key(url: str) -> str:
    return url.rstrip("/")


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open(encoding="utf-8") as file:
            if os.fstat(file.fileno()).st_mode & 0o077:
                raise NotAllowedError(
                    f"{path} can be read by others",
                    hint=f"run: chmod 600 {path}; then log in again",
                )
            logins = json.load(file)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as exc:
        raise _unusable(path, exc) from exc
    return logins if isinstance(logins, dict) else {}


def _write(path: Path, logins: dict[str, Any]) -> None:
    beside = path.with_name(f".{LOGINS_FILE}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        beside.unlink(missing_ok=True)
        # The mode must hold from the first byte on.
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123
            json.dump(logins, file, indent=2)
        beside.replace(path)
    except OSError as exc:
        raise _unusable(path, exc) from exc


def _unusable(path: Path, error: Exception) -> NotAllowedError:
    why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return NotAllowedError(
        f"{path} can't be used: {why.lower()}",
        hint="remove it, and log in again: tidegate auth login",
    )
