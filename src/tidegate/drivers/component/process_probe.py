"""
Asks a member whether it is ready, as a client would: one HTTP request to loopback, or a connection.

No redirects are followed and no body is read: the status line is the answer.
"""

import asyncio
from contextlib import suppress
from typing import Final

HOST: Final = "127.0.0.1"
WITHIN_SECONDS: Final = 1.0
"""A member that needs longer to say that it is ready isn't."""


async def why_not_ready(port: int, path: str | None) -> str:
    """
    Return why the member on *port* isn't ready, or nothing when it is.

    Args:
        port: Where it listens on loopback.
        path: What to GET; any 2xx is an answer. None: that it takes a connection is enough.
    """
    try:
        async with asyncio.timeout(WITHIN_SECONDS):
            reader, writer = await asyncio.open_connection(HOST, port)
            try:
                return "" if path is None else await _ask(reader, writer, path)
            finally:
                writer.close()
                with suppress(OSError):
                    await writer.wait_closed()
    except TimeoutError:
        return f"no answer within {WITHIN_SECONDS:g} s{_from(path)}"
    except (OSError, ValueError) as exc:
        return f"{getattr(exc, 'strerror', None) or exc}{_from(path)}"


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str) -> str:
    request = f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n"
    writer.write(request.encode())
    words = (await reader.readline()).split()
    if len(words) < 2 or not words[0].startswith(b"HTTP/1.") or not words[1].isdigit():
        return f"no HTTP answer from {path}"
    status = int(words[1])
    return "" if 200 <= status < 300 else f"HTTP {status} from {path}"


def _from(path: str | None) -> str:
    return f" from {path}" if path else ""
