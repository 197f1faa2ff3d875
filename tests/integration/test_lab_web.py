"""The lab's HTTP server, spoken to byte by byte."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tidegate.lab.web import MAXIMUM_BODY_BYTES, MAXIMUM_HEAD_BYTES, Request, Response, WebServer

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Echo:
    """Answers with what was asked; `/slow` waits until `go`."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.entered = asyncio.Event()
        self.server = WebServer(self.handle)
        self.port = 0

    async def handle(self, request: Request) -> Response:
        if request.path == "/slow":
            self.entered.set()
            await self.go.wait()
        if request.path == "/bug":
            raise ZeroDivisionError
        return Response(body=f"{request.method} {request.path} ".encode() + request.body)


@pytest.fixture
async def echo() -> AsyncIterator[Echo]:
    service = Echo()
    service.port = await service.server.start("127.0.0.1", 0)
    yield service
    await service.server.stop()


async def connect(echo: Echo) -> Streams:
    return await asyncio.open_connection("127.0.0.1", echo.port)


async def hang_up(streams: Streams) -> None:
    streams[1].close()
    await streams[1].wait_closed()


async def answer(streams: Streams) -> tuple[int, dict[str, str], bytes]:
    head = (await streams[0].readuntil(b"\r\n\r\n")).decode()
    first, *lines = head.strip().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    body = await streams[0].readexactly(int(headers["content-length"]))
    return int(first.split()[1]), headers, body


async def test_a_connection_serves_one_request_after_another(echo: Echo) -> None:
    """Requests that come at once are answered in their order, bodies included."""
    streams = await connect(echo)

    streams[1].write(
        b"GET /a?x=1 HTTP/1.1\r\nhost: h\r\n\r\nPOST /b HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello"
    )
    first, second = await answer(streams), await answer(streams)

    assert (first[0], first[2]) == (200, b"GET /a ")
    assert (second[0], second[2]) == (200, b"POST /b hello")
    assert "connection" not in second[1]
    await hang_up(streams)


async def test_a_request_may_come_in_pieces(echo: Echo) -> None:
    """However the network cuts it, a request is served once it is whole."""
    streams = await connect(echo)

    for byte in b"POST /b HTTP/1.1\r\ncontent-length: 3\r\n\r\nabc":
        streams[1].write(bytes([byte]))
        await streams[1].drain()
        await asyncio.sleep(0)
    _, _, body = await answer(streams)

    assert body == b"POST /b abc"
    await hang_up(streams)


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / SPDY/9\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\ncontent-length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\ncontent-length: two\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 411),
        (b"POST / HTTP/1.1\r\ncontent-length: %d\r\n\r\n" % (MAXIMUM_BODY_BYTES + 1), 413),
        (b"GET / HTTP/1.1\r\nx: " + b"x" * MAXIMUM_HEAD_BYTES + b"\r\n\r\n", 431),
    ],
)
async def test_refuses_what_it_doesnt_speak(echo: Echo, request_bytes: bytes, status: int) -> None:
    """Anything else gets its status, and the connection ends so that nothing gets out of step."""
    streams = await connect(echo)

    streams[1].write(request_bytes)
    found, headers, _ = await answer(streams)

    assert found == status
    assert headers["connection"] == "close"
    assert await streams[0].read() == b""
    await hang_up(streams)


@pytest.mark.parametrize(
    "request_bytes", [b"GET / HTTP/1.0\r\n\r\n", b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n"]
)
async def test_closes_when_the_client_asks(echo: Echo, request_bytes: bytes) -> None:
    """A client that wants no further request gets its answer and the end."""
    streams = await connect(echo)

    streams[1].write(request_bytes)
    _, headers, _ = await answer(streams)

    assert headers["connection"] == "close"
    assert await streams[0].read() == b""
    await hang_up(streams)


async def test_a_head_request_has_no_body(echo: Echo) -> None:
    """HEAD tells the length and sends nothing, so the next answer isn't misread."""
    streams = await connect(echo)

    streams[1].write(b"HEAD /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\n")
    head = await streams[0].readuntil(b"\r\n\r\n")
    _, _, body = await answer(streams)

    assert b"content-length: 8" in head
    assert body == b"GET /b "
    await hang_up(streams)


async def test_a_handler_that_fails_drops_the_connection(echo: Echo) -> None:
    """A bug in the service is no answer at all, and it is reported."""
    reported: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
    streams = await connect(echo)

    streams[1].write(b"GET /bug HTTP/1.1\r\n\r\n")
    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
        await streams[0].readuntil(b"\r\n\r\n")

    assert isinstance(reported[0]["exception"], ZeroDivisionError)
    streams[1].close()


async def test_a_drain_answers_what_is_in_flight(echo: Echo) -> None:
    """The request that was being served is answered, with word that the connection ends."""
    streams = await connect(echo)
    streams[1].write(b"GET /slow HTTP/1.1\r\n\r\n")
    await echo.entered.wait()

    draining = asyncio.create_task(echo.server.drain(idle_grace_seconds=30))
    await asyncio.sleep(0)
    echo.go.set()
    status, headers, _ = await answer(streams)
    await draining

    assert status == 200
    assert headers["connection"] == "close"
    with pytest.raises(ConnectionRefusedError):
        await connect(echo)
    await hang_up(streams)


async def test_a_drain_still_answers_an_idle_connection(echo: Echo) -> None:
    """A client that sends as the drain begins is answered too, and then told to go."""
    streams = await connect(echo)
    streams[1].write(b"GET /a HTTP/1.1\r\n\r\n")
    await answer(streams)

    draining = asyncio.create_task(echo.server.drain(idle_grace_seconds=30))
    await asyncio.sleep(0)
    streams[1].write(b"GET /b HTTP/1.1\r\n\r\n")
    status, headers, _ = await answer(streams)
    await draining

    assert (status, headers["connection"]) == (200, "close")
    await hang_up(streams)


async def test_a_drain_ends_though_a_client_says_nothing(echo: Echo) -> None:
    """A connection that stays silent is closed after the grace, and the drain ends."""
    streams = await connect(echo)
    streams[1].write(b"GET /a HTTP/1.1\r\n\r\n")
    await answer(streams)

    await echo.server.drain(idle_grace_seconds=0.01)

    assert await streams[0].read() == b""
    await hang_up(streams)
