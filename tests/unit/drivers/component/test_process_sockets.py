import os
import socket
from collections.abc import Iterator

import pytest

from tidegate.drivers.component.kernel_sockets import (
    ESTABLISHED,
    LISTENING,
    TcpSocket,
    _read_proc,
    tcp_sockets,
)
from tidegate.drivers.component.process_sockets import (
    connections,
    environment_of,
    free_port,
    holds_any,
    listeners,
)


@pytest.fixture(params=["127.0.0.1", "::1"])
def server(request: pytest.FixtureRequest) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in request.param else socket.AF_INET
    try:
        server = socket.create_server((request.param, 0), family=family)
    except OSError:
        pytest.skip(f"this machine can't listen on {request.param}")
    with server:
        yield server


def test_who_listens_is_known_by_the_socket_it_holds(server: socket.socket) -> None:
    """A port's listener is this process, whatever else runs on the machine."""
    sockets = listeners()[server.getsockname()[1]]

    assert sockets == {f"socket:[{os.fstat(server.fileno()).st_ino}]"}
    assert holds_any(os.getpid(), sockets)
    assert not holds_any(os.getpid(), {"socket:[1]"})


@pytest.mark.parametrize("state", [LISTENING, ESTABLISHED])
def test_netlink_and_proc_say_the_same(server: socket.socket, state: int) -> None:
    """Where the kernel can't be asked the one way, the other way gives the same answer."""
    port = server.getsockname()[1]
    with socket.create_connection(server.getsockname()[:2]) as client:
        ports = {port, client.getsockname()[1]}

        def seen(found: list[TcpSocket]) -> set[TcpSocket]:
            return {one for one in found if one.port in ports}

        assert seen(tcp_sockets(state)) == seen(_read_proc(state))
        assert any(one.port == port for one in tcp_sockets(state))


def test_open_connections_are_counted(server: socket.socket) -> None:
    """A member's requests in flight are seen from outside it."""
    port = server.getsockname()[1]
    assert connections({port}) == 0

    with socket.create_connection(server.getsockname()[:2]):
        assert connections({port}) == 1


def test_a_free_port_is_neither_taken_nor_avoided() -> None:
    """Two members started at once can't be given one port."""
    first = free_port(())

    second = free_port({first})

    with socket.create_server(("127.0.0.1", second)):
        assert second != first
        assert free_port({first}) != second


def test_a_process_that_is_gone_has_no_environment_and_holds_nothing() -> None:
    """What ended while we looked isn't an error."""
    gone = os.fork()
    if gone == 0:
        os._exit(0)
    os.waitpid(gone, 0)

    assert environment_of(gone) == {}
    assert not holds_any(gone, {"socket:[1]"})
