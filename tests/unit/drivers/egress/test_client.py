"""What the egress client does with a real server that answers as it likes."""

import asyncio
import gzip
import ipaddress
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import httpx
import pytest

from tidegate.drivers.egress.addresses import AddressKind, AddressPolicy
from tidegate.drivers.egress.client import EgressClient
from tidegate.drivers.egress.transport import EgressPolicy, GuardedTransport
from tidegate.errors import EgressFailedError, EgressRefusedError

NEAR = AddressPolicy(kinds=frozenset({AddressKind.LOOPBACK}))
POLICY = EgressPolicy(addresses=NEAR, hosts=None, plain_to=None)


@asynccontextmanager
async def serving(*answers: bytes, ends: bool = True) -> AsyncIterator[tuple[str, list[bytes]]]:
    """Serve each of *answers* to one connection; yield the address and what was asked."""
    asked: list[bytes] = []
    left = iter(answers)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(next(left))
        await writer.drain()
        if not ends:
            await reader.read()
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    answering: set[asyncio.Task[None]] = set()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answering.add(asyncio.ensure_future(answer(reader, writer)))

    server = await asyncio.start_server(begin, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", asked
        await asyncio.gather(*answering, return_exceptions=True)


def a_response(status: str = "200 OK", body: bytes = b"hello", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


async def test_an_answer_comes_back_whole_whatever_its_status() -> None:
    """A 404 is an answer too; what it means is the caller's business."""
    async with serving(a_response(), a_response("404 Not Found", b"none")) as (url, asked):
        client = EgressClient(POLICY)
        found = await client.ask("POST", url, content=b"{}", headers={"x-a": "1"})
        missing = await client.ask("GET", url)

    assert (found.status, found.body) == (200, b"hello")
    assert (missing.status, missing.body) == (404, b"none")
    assert asked[0].startswith(b"POST / HTTP/1.1\r\n")
    assert b"x-a: 1" in asked[0].lower()


@pytest.mark.parametrize("status", ["301 M", "302 Found", "303 S", "307 T", "308 P", "300 C"])
async def test_a_redirect_is_not_followed(status: str) -> None:
    """Not once and not in a chain: the second address is never asked."""
    async with serving(a_response()) as (secret, secret_asked):
        redirect = a_response(status, b"", f"location: {secret}")
        async with serving(redirect) as (url, asked):
            with pytest.raises(EgressRefusedError, match="another address"):
                await EgressClient(POLICY).ask("GET", url)

    assert (len(asked), secret_asked) == (1, [])


@pytest.mark.parametrize(
    "answer",
    [
        a_response(body=b"x" * 2_000),
        a_response("200 OK", gzip.compress(b"x" * 2_000_000), "content-encoding: gzip"),
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
        + b"fff\r\n"
        + b"x" * 4095
        + b"\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\nshort",
        b"not http\r\n\r\n",
        b"",
    ],
    ids=["too large", "packed", "too large untold", "cut off", "no HTTP", "nothing"],
)
async def test_an_answer_that_is_too_much_or_too_little_is_none(answer: bytes) -> None:
    """It never becomes data."""
    async with serving(answer) as (url, _):
        with pytest.raises(EgressFailedError):
            await EgressClient(POLICY, max_answer_bytes=1_000).ask("GET", url)


async def test_a_server_that_never_ends_is_left() -> None:
    """The time is for the whole answer, not for each piece."""
    slow = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nsome"
    async with serving(slow, ends=False) as (url, _):
        with pytest.raises(EgressFailedError, match="within"):
            await EgressClient(POLICY, within_seconds=0.3).ask("GET", url)


async def test_no_server_is_told_without_the_query() -> None:
    """The query of an address may hold a secret."""
    async with serving(a_response()) as (url, _):
        pass

    with pytest.raises(EgressFailedError) as told:
        await EgressClient(POLICY).ask("GET", f"{url}?key=secret")
    assert "secret" not in told.value.message


async def test_a_name_is_connected_to_by_address_and_asked_for_by_name() -> None:
    """The server sees the name it serves; nobody resolves it a second time."""

    async def resolve(host: str, port: int) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
        assert host == "witness.example"
        return [ipaddress.ip_address("127.0.0.1")]

    async with serving(a_response()) as (url, asked):
        named = url.replace("127.0.0.1", "witness.example")
        await EgressClient(POLICY, resolve=resolve).ask("GET", named)

    assert f"host: {httpx.URL(named).netloc.decode()}".encode() in asked[0].lower()


async def test_a_name_without_addresses_is_a_failure_and_may_be_tried_again() -> None:
    """It isn't a refusal: the network may be back in a minute."""

    async def nowhere(host: str, port: int) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
        return []

    with pytest.raises(EgressFailedError, match="no address"):
        await EgressClient(POLICY, resolve=nowhere).ask("GET", "http://gone.example/")


async def test_the_environment_sends_nothing_through_a_proxy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A proxy would resolve the name by itself, and connect where it likes."""
    async with serving(a_response()) as (url, _):
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
        answer = await EgressClient(POLICY).ask("GET", url)
        transport = GuardedTransport(POLICY)
        await transport.aclose()

    assert answer.status == 200
