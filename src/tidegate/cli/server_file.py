"""
Where the server is and how to be let in: what was said, else what a server of this user left behind.

A server that runs writes its address to `server.json` and keeps its token in `token`, both in its state
folder. Who has logged in to it acts by that login. The token found there goes to this machine only: an
address that points elsewhere, whoever set it, must come with a login or a token of its own.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from tidegate.cli.logins import kept_login
from tidegate.errors import NotAllowedError, ServerUnreachableError

SERVER_FILE: Final = "server.json"
TOKEN_FILE: Final = "token"  # noqa: S105 - the name of a file
START_ONE: Final = "start one: tidegate server run; or say where it is: --url URL"

LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A server's URL and the token that opens it."""

    url: str
    token: str


def state_dir() -> Path:
    """Return the state folder of this user's server."""
    chosen = os.environ.get("TIDEGATE_STATE_DIR")
    if chosen:
        return Path(chosen)
    base = os.environ.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "tidegate"


def find_server(url: str | None, token: str | None) -> Address:
    """
    Return the server to talk to.

    Raises:
        ServerUnreachableError: no address was given, and no server has left one.
        NotAllowedError: no token was given, and there is none that may be sent there.
    """
    found = find_url(url)
    kept = token or kept_login(state_dir(), found)
    return Address(url=found, token=kept or _kept_token(found))


def find_url(url: str | None) -> str:
    """Return the address of the server to talk to. Raises ServerUnreachableError as `find_server`."""
    return (url or _announced_url()).rstrip("/")


def _announced_url() -> str:
    path = state_dir() / SERVER_FILE
    try:
        announced = json.loads(path.read_text(encoding="utf-8"))["url"]
    except FileNotFoundError:
        raise ServerUnreachableError("no server runs here", hint=START_ONE) from None
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise ServerUnreachableError(f"{path} can't be read: {exc}", hint=START_ONE) from exc
    return str(announced)


def _kept_token(url: str) -> str:
    if urlsplit(url).hostname not in LOOPBACK:
        raise NotAllowedError(
            f"there is no token for {url}",
            hint="log in: tidegate auth login; or give its token: TIDEGATE_TOKEN or --token (the local"
            " one isn't sent elsewhere)",
        )
    path = state_dir() / TOKEN_FILE
    try:
        token = path.read_text(encoding="utf-8").strip()
    except OSError as exc:
        raise NotAllowedError(
            f"{path} can't be read: {(exc.strerror or str(exc)).lower()}",
            hint="run this as the user of the server, log in: tidegate auth login, or give its token:"
            " TIDEGATE_TOKEN or --token",
        ) from exc
    if not token:
        raise NotAllowedError(f"{path} is empty", hint="remove it and start the server again")
    return token
