"""Where the server listens, under which names, and for how many pages that stay open."""

import contextlib
import resource
import socket
from urllib.parse import urlsplit

from tidegate.api.guard import LOOPBACK_NAMES
from tidegate.api.live.watcher import MOST_STREAMS
from tidegate.domain.access.proof import IdentityMode
from tidegate.errors import (
    InvalidRequestError,
    WorkloadError,
)
from tidegate.settings import Settings

LISTEN_BACKLOG = 2048
"""Connections that may wait to be taken: as many as uvicorn asks for, so that a burst loses no halt."""
LOOPBACK_HOSTS = ("127.0.0.1", "localhost")
MOST_FILES = 16_384


def listen(settings: Settings) -> socket.socket:
    """
    Return a socket that listens where *settings* say.

    Raises:
        InvalidRequestError: the address isn't one of this machine alone, and nobody has to log in.
        WorkloadError: the port is in use.
    """
    host, port = settings.listen_host, settings.listen_port
    if host not in LOOPBACK_HOSTS and settings.identity != IdentityMode.VERIFIED:
        raise InvalidRequestError(
            f"the API can't listen on {host}: one token opens everything, so it stays on loopback",
            hint=f"take one of {', '.join(LOOPBACK_HOSTS)}; or let people log in, and set"
            " TIDEGATE_IDENTITY=verified",
        )
    # The protocol is named, because asyncio switches Nagle's waiting off only where it is: without, each
    # answer on a connection that is used again comes 40 ms late (https://bugs.python.org/issue27456).
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(LISTEN_BACKLOG)
    except OSError as exc:
        listener.close()
        raise WorkloadError(
            f"port {port} on {host} can't be listened on: {exc.strerror}",
            hint="another server may run there: set TIDEGATE_LISTEN_PORT, or 0 for a free port",
        ) from exc
    return listener


def hosts_of(settings: Settings) -> frozenset[str]:
    """Return the names that this server goes by."""
    named = (name.strip().lower() for name in settings.allowed_hosts.split(","))
    public = urlsplit(settings.public_url or "").hostname
    return LOOPBACK_NAMES | {name for name in (*named, public, settings.listen_host) if name}


def most_live() -> int:
    """
    Return how many pages may be live at once, so that connections are left for everything else.

    Each open page takes a file of this process, of which systems give few until they are asked for more.
    """
    given, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(most, MOST_FILES) if most != resource.RLIM_INFINITY else MOST_FILES
    if given < wanted:
        # Not getting them only means fewer live pages.
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
            given = wanted
    return min(MOST_STREAMS, given // 2)
