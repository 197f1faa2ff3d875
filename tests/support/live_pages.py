"""
Pages that are open, without a browser: what the server's side of a live stream does, in memory.

A page takes what the application sends as uvicorn would: at once, or, once its connection is full, not at
all until it is read again.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from fastapi import FastAPI
from starlette.types import Message

from tidegate.api.pages.cookies import SESSION_COOKIE
from tidegate.api.tokens import page_key
from tidegate.domain.access.model import Caller
from tidegate.domain.access.sessions import SESSION_PREFIX, Session
from tidegate.domain.access.tokens import Identity
from tidegate.testing.memory_world import MemoryWorld
from tidegate.usecases.tokens import SESSIONS, digest_of, id_of, new_secret

TOKEN: Final = "a-token-for-tests"
KEY_COOKIE: Final = f"tidegate_pages_7180={page_key(TOKEN)}"
WITHIN_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Event:
    """One event as a browser would hand it on."""

    name: str
    id: int
    data: dict[str, Any]


@dataclass(slots=True, eq=False)
class Page:
    """One request for the stream and all that came of it."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    is_over: bool = False
    _moved: asyncio.Event = field(default_factory=asyncio.Event)
    _taken: asyncio.Event = field(default_factory=asyncio.Event)
    _gone: asyncio.Event = field(default_factory=asyncio.Event)
    _asked: bool = False

    def __post_init__(self) -> None:
        """Begin with a connection that takes what comes."""
        self._taken.set()

    @property
    def events(self) -> list[Event]:
        """The events so far, in order."""
        found = []
        for block in self.body.decode().split("\n\n")[:-1]:
            said = dict(line.split(": ", 1) for line in block.split("\n") if line[0] != ":")
            if "data" in said:
                found.append(Event(said["event"], int(said["id"]), json.loads(said["data"])))
        return found

    @property
    def hints(self) -> list[Event]:
        """The events but the first, which only greets."""
        return [one for one in self.events if one.name != "hello"]

    @property
    def last_id(self) -> int:
        """What a browser would come back with."""
        ids = [line for line in self.body.decode().split("\n") if line.startswith("id: ")]
        return int(ids[-1].removeprefix("id: "))

    def fill(self) -> None:
        """Take nothing more until it is read."""
        self._taken.clear()

    def read(self) -> None:
        """Take what comes again."""
        self._taken.set()

    def go(self) -> None:
        """Close the connection from the browser's side."""
        self._gone.set()

    async def until(self, holds: Callable[["Page"], bool], what: str) -> None:
        """Return once *holds* of what came; fail with *what* when it never does."""
        try:
            async with asyncio.timeout(WITHIN_SECONDS):
                while not holds(self):
                    self._moved.clear()
                    await self._moved.wait()
        except TimeoutError:
            raise AssertionError(f"waited in vain for {what}; came: {self.events}") from None

    async def until_told(self, count: int) -> list[Event]:
        """Return the hints once there are *count*."""
        await self.until(lambda page: len(page.hints) >= count, f"{count} hints")
        return self.hints

    async def until_over(self) -> None:
        """Return once the server has ended the response."""
        await self.until(lambda page: page.is_over, "the end of the stream")

    async def receive(self) -> Message:
        """Return what the application is to know (the ASGI interface)."""
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Take what the application sends (the ASGI interface)."""
        while not self._taken.is_set() and not self._gone.is_set():
            await self._taken.wait()
        assert not self.is_over, f"sent after the end: {message}"
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {
                name.decode().lower(): value.decode() for name, value in message["headers"]
            }
        elif not self._gone.is_set():
            self.body += message["body"]
            if not message.get("more_body"):
                self.is_over = True
                self._gone.set()
        self._moved.set()


@asynccontextmanager
async def a_page(
    app: FastAPI, query: str = "", *, cookie: str = KEY_COOKIE, last_id: int | None = None
) -> AsyncIterator[Page]:
    """Open a page's stream while the block runs; it is open, or refused, when the block begins."""
    page = Page()
    headers = [(b"host", b"127.0.0.1:7180"), (b"cookie", cookie.encode())]
    if last_id is not None:
        headers.append((b"last-event-id", str(last_id).encode()))
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/live",
        "raw_path": b"/live",
        "query_string": query.encode(),
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 7180),
    }
    answering = asyncio.create_task(app(scope, page.receive, page.send))
    try:
        await page.until(
            lambda one: one.is_over or b"event: hello" in one.body, "an answer to the request"
        )
        yield page
    finally:
        page.go()
        page.read()
        await answering


def a_session(world: MemoryWorld, caller: Caller) -> tuple[Session, str]:
    """Log *caller* in; return the session and the cookie that a browser has then."""
    secret = new_secret(SESSION_PREFIX)
    digest = digest_of(secret)
    now = world.clock.now()
    session = Session(
        id=id_of(digest),
        digest=digest,
        identity=Identity(
            name=caller.name,
            kind=caller.kind,
            person=caller.person,
            organisation=caller.organisation,
            since=now,
        ),
        issuer="https://login.example",
        groups=(),
        authenticated_at=now,
        began_at=now,
        used_at=now,
    )
    with world.store.begin() as transaction:
        SESSIONS.put(transaction, session)
    return session, f"{SESSION_COOKIE}={secret}"
