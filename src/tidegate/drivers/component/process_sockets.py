"""
Ports of this machine: which are free, and which process listens on one.

A port that answers proves nothing by itself: another program may have taken it while a member was
restarting. So a member counts as listening only when the kernel says that the socket is held by its
process or by one of its session. Linux only (`/proc`); own network namespace only.
"""

import os
import secrets
import socket
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

from tidegate.drivers.component.kernel_sockets import ESTABLISHED, LISTENING, tcp_sockets
from tidegate.errors import WorkloadError

LOWEST_PORT: Final = 20_000
PORTS_TRIED: Final = 500


def free_port(avoid: Collection[int]) -> int:
    """
    Return a port on which nothing listens and that isn't in *avoid*.

    It lies below the range from which the kernel takes ports for outgoing connections, so that it
    stays free until a member takes it.

    Raises:
        WorkloadError: none was found.
    """
    highest = max(_first_outgoing_port(), LOWEST_PORT + PORTS_TRIED)
    start = secrets.randbelow(highest - LOWEST_PORT)
    for step in range(PORTS_TRIED):
        port = LOWEST_PORT + (start + step) % (highest - LOWEST_PORT)
        if port not in avoid and _can_bind(port):
            return port
    raise WorkloadError(
        f"no free port among {PORTS_TRIED} from {LOWEST_PORT + start} on",
        hint="End programs that listen on many ports, or use another machine.",
    )


def listeners() -> Mapping[int, frozenset[str]]:
    """Return the sockets that listen on each port of this machine."""
    found: dict[int, set[str]] = {}
    for port, inode in tcp_sockets(LISTENING):
        found.setdefault(port, set()).add(f"socket:[{inode}]")
    return {port: frozenset(sockets) for port, sockets in found.items()}


def connections(ports: Collection[int]) -> int:
    """Return how many connections to *ports* are open."""
    return sum(port in ports for port, _ in tcp_sockets(ESTABLISHED))


def holds_any(pid: int, sockets: Collection[str]) -> bool:
    """
    Return whether the process *pid*, or one that it started in its session, holds a socket.

    Raises:
        WorkloadError: the process may not be looked into.
    """
    return _process_holds(pid, sockets) or any(
        _process_holds(other, sockets) for other in _session_of(pid)
    )


def environment_of(pid: int) -> Mapping[str, str]:
    """Return the environment that the process was started with; empty when it can't be read."""
    try:
        content = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return {}
    pairs = (entry.partition(b"=") for entry in content.split(b"\0") if entry)
    return {key.decode(errors="replace"): value.decode(errors="replace") for key, _, value in pairs}


def _can_bind(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True


def _first_outgoing_port() -> int:
    try:
        return int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except (OSError, ValueError):
        return 32_768


def _process_holds(pid: int, sockets: Collection[str]) -> bool:
    folder = Path(f"/proc/{pid}/fd")
    try:
        for descriptor in folder.iterdir():
            try:
                if str(descriptor.readlink()) in sockets:
                    return True
            except FileNotFoundError:
                continue  # closed while we looked
    except PermissionError as exc:
        # Not the same as "no": a caller would take the member's port for stolen.
        raise WorkloadError(
            f"process {pid} can't be looked into: {exc.strerror}",
            hint="Run the server as the user that its members run as.",
        ) from exc
    except FileNotFoundError:
        pass  # it has ended
    return False


def _session_of(leader: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != leader:
            try:
                if os.getsid(int(entry.name)) == leader:
                    found.append(int(entry.name))
            except OSError:
                continue  # ended while we looked
    return found
