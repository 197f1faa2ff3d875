"""
Asks the kernel which TCP sockets are in a state, on which local port.

It's asked through netlink (`sock_diag(7)`), which walks only the sockets in that state: reading
`/proc/net/tcp` walks every connection of the machine, 10 ms on a busy one. Where there is no
sock_diag (some sandboxes), that file is read all the same. Linux only; own network namespace only.
"""

import socket
import struct
from pathlib import Path
from typing import Final, NamedTuple

ESTABLISHED: Final = 1
LISTENING: Final = 10

_SOCK_DIAG: Final = 4
_BY_FAMILY: Final = 20
_REQUEST_DUMP: Final = 0x301
_ERROR: Final = 2
_DONE: Final = 3
_HEADER: Final = struct.Struct("=IHHII")
_REQUEST: Final = struct.Struct("=BBBBI48x")
_ANSWER: Final = struct.Struct(">BBBBH")
_INODE: Final = struct.Struct("=I")
_INODE_OFFSET: Final = 68


class TcpSocket(NamedTuple):
    """A socket's local port, and its inode, by which processes hold it."""

    port: int
    inode: int


def tcp_sockets(state: int) -> list[TcpSocket]:
    """Return the TCP sockets of this machine that are in *state*."""
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _SOCK_DIAG) as netlink:
            return [
                found
                for family in (socket.AF_INET, socket.AF_INET6)
                for found in _ask(netlink, family, state)
            ]
    except OSError:
        return _read_proc(state)


def _ask(netlink: socket.socket, family: int, state: int) -> list[TcpSocket]:
    request = _REQUEST.pack(family, socket.IPPROTO_TCP, 0, 0, 1 << state)
    length = _HEADER.size + len(request)
    netlink.send(_HEADER.pack(length, _BY_FAMILY, _REQUEST_DUMP, 0, 0) + request)
    found: list[TcpSocket] = []
    while True:
        answer = netlink.recv(1 << 16)
        place = 0
        while place + _HEADER.size <= len(answer):
            length, kind, _, _, _ = _HEADER.unpack_from(answer, place)
            if kind == _DONE:
                return found
            if kind == _ERROR:
                raise OSError("the kernel has no sock_diag for TCP")
            body = place + _HEADER.size
            port = _ANSWER.unpack_from(answer, body)[4]
            (inode,) = _INODE.unpack_from(answer, body + _INODE_OFFSET)
            found.append(TcpSocket(port, inode))
            place += (length + 3) & ~3


def _read_proc(state: int) -> list[TcpSocket]:
    found = []
    for name in ("tcp", "tcp6"):
        try:
            lines = Path(f"/proc/net/{name}").read_text().splitlines()[1:]
        except FileNotFoundError:
            continue  # a machine without IPv6
        for line in lines:
            fields = line.split()
            if int(fields[3], 16) == state:
                port = int(fields[1].rpartition(":")[2], 16)
                found.append(TcpSocket(port, int(fields[9])))
    return found
