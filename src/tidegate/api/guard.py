"""
What is refused before any route is looked for: foreign hosts and bodies that are too large.

A page on the internet can make a browser connect to 127.0.0.1 under a name of its own (DNS rebinding);
the name gives it away. Bodies are held here whole, so that nothing behind has to count.
"""

from collections.abc import MutableMapping
from typing import Any, Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tidegate.api.problems import refusal

LOOPBACK_NAMES: Final = frozenset({"127.0.0.1", "localhost", "::1"})
MAX_BODY_BYTES: Final = 1024 * 1024

_HEADERS: Final = {
    "x-content-type-options": "nosniff",
    # Nothing to other sites. With `no-referrer` a form that no script sends has the origin `null`, and is
    # refused as one of another site.
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
}


class Guard:
    """Lets through what is meant for this server and not too large."""

    def __init__(self, app: ASGIApp, *, hosts: frozenset[str]) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (the ASGI interface)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        foreign = _foreign_host(headers, self._hosts)
        if foreign is not None:
            answer = refusal(
                421,
                f"this server isn't {foreign[:100]!r}",
                f"use one of its names: {', '.join(sorted(self._hosts))}",
            )
            await answer(scope, receive, send)
            return
        body = await _whole_body(headers, receive)
        if body is None:
            answer = refusal(
                413,
                f"the body must be at most {MAX_BODY_BYTES} bytes",
                "send less; a service's document is far smaller",
            )
            await answer(scope, receive, send)
            return
        await self._app(scope, _replaying(body, receive), _with_headers(send))


def _foreign_host(headers: Headers, hosts: frozenset[str]) -> str | None:
    """Return the host name that isn't one of *hosts*, or None when all are."""
    named = headers.getlist("host") or [""]
    for value in named:
        host = value.strip().lower()
        name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
        if name not in hosts:
            return value
    return None


async def _whole_body(headers: Headers, receive: Receive) -> bytes | None:
    """Return the body, or None when it is too large."""
    told = headers.get("content-length", "")
    if told.isdecimal() and int(told) > MAX_BODY_BYTES:
        return None
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return b"".join(chunks)
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            return None
        chunks.append(chunk)
        if not message.get("more_body", False):
            return b"".join(chunks)


def _replaying(body: bytes, receive: Receive) -> Receive:
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _with_headers(send: Send) -> Send:
    async def send_with_headers(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return send_with_headers
