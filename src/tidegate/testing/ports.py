"""
Ports of loopback for what a test starts: none is given to two test processes at once.

A port that the kernel names lies where it also takes the ports of outgoing connections from, so a
busy machine may give it away before the test's server binds it. These lie below that range and
below the ports of our own members. Each process walks its own stretch and never repeats itself.
"""

import itertools
import os
import socket
from typing import Final

_LOWEST: Final = 10_000
_COUNT: Final = 10_000
_STRETCH: Final = 100

_walk = itertools.count(os.getpid() * _STRETCH)


def free_port() -> int:
    """
    Return a port of loopback on which nothing listens and that this process wasn't given before.

    Raises:
        OSError: every port of the range is taken.
    """
    for step in itertools.islice(_walk, _COUNT):
        port = _LOWEST + step % _COUNT
        if _can_bind(port):
            return port
    raise OSError(f"no free port from {_LOWEST} to {_LOWEST + _COUNT - 1}")


def _can_bind(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True
