"""
`GET /live`: the stream of hints for a page that is open. It takes what opens the pages, and nothing else.

An ASGI application and no route of the framework's: a response made there would be woken for every hint.
"""

import asyncio
import re
from typing import Final

from fastapi import Request
from starlette.datastructures import QueryParams
from starlette.types import Receive, Scope, Send

from tidegate.api.live.hints import Narrowing, hello
from tidegate.api.live.readers import Follower, follower_of
from tidegate.api.live.streams import Stream, message_of
from tidegate.api.live.watcher import RETRY_SECONDS, Live
from tidegate.api.problems import problem_of, problem_response, refusal
from tidegate.api.state import server_of
from tidegate.domain.quantities import ServiceName
from tidegate.errors import (
    InvalidRequestError,
    NotAllowedError,
    RateLimitedError,
    StoreError,
    TidegateError,
)
from tidegate.usecases.reading import find_rollout, readable_service

PATH: Final = "/live"

WIRE: Final = "tidegate.wire"
"""
Where the scope of a request has the server's own way to send. What lies between adds to the beginning of a
response alone, and a thousand hints through it cost as much as writing them.
"""

_NUMBER: Final = re.compile(r"[0-9]{1,15}")

_HEADERS: Final = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    # What stands in between must not wait for more before it passes on what there is.
    (b"x-accel-buffering", b"no"),
    # A stream is the last of its connection, so that it ends with it.
    (b"connection", b"close"),
]


class LiveEndpoint:
    """Answers a request with hints until either side has enough."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (the ASGI interface)."""
        request = Request(scope, receive)
        if request.method != "GET":
            answer = refusal(405, f"{request.method} {PATH} isn't an operation", "ask with GET")
            await answer(scope, receive, send)
            return
        try:
            await _follow(request, receive, send)
        except TidegateError as exc:
            wait = {"retry-after": str(RETRY_SECONDS)} if isinstance(exc, RateLimitedError) else {}
            await problem_response(problem_of(exc), wait)(scope, receive, send)


def live_of(request: Request) -> Live:
    """Return the streams of the application of *request*."""
    live = request.app.state.live
    assert isinstance(live, Live), "create_app sets it"
    return live


async def _follow(request: Request, receive: Receive, send: Send) -> None:
    """
    Answer *request* with hints. Everything that can be refused is, before the response begins.

    Raises:
        NotAllowedError: who asks may not look at pages.
        NotFoundError: it is about something that they can't see.
        InvalidRequestError: what it asks for can't be read.
        RateLimitedError: there is no place.
        StoreError: it can't be found out.
    """
    live = live_of(request)
    follower = await asyncio.to_thread(follower_of, request)
    after = _after(request)
    page = await asyncio.to_thread(_page, request, follower, request.query_params)
    with live.place(follower):
        found = await live.look(follower, after=after)
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        wire = request.scope.get(WIRE, send)
        stream = Stream(wire, page=page, reader=follower.key)
        try:
            position = found.newest if after is None else after
            at = server_of(request).outside.clock.now()
            stream.push(message_of(hello(position, newest=found.newest, at=at)))
            try:
                while not live.admit(stream, found):
                    found = await live.look(follower, after=found.newest)
            except (NotAllowedError, StoreError):
                # The response has begun: the page asks again, and is told why not.
                stream.end()
            while (await receive())["type"] != "http.disconnect":
                pass
        finally:
            live.leave(stream)


def _after(request: Request) -> int | None:
    """Return behind which number to go on. A browser that comes back says so in a header."""
    given = request.headers.get("last-event-id") or request.query_params.get("after")
    if not given:
        return None
    if not _NUMBER.fullmatch(given):
        raise InvalidRequestError(
            f"hints are numbered, and {given[:32]!r} isn't a number",
            hint="send the id of the last event, or none",
        )
    return int(given)


def _page(request: Request, follower: Follower, query: QueryParams) -> Narrowing:
    """Return what the page is about, of what *follower* may see."""
    outside = server_of(request).outside
    rollout, service = query.get("rollout"), query.get("service")
    if rollout and service:
        raise InvalidRequestError(
            "a page is about one rollout or one service", hint="send `rollout` or `service`"
        )
    if rollout:
        found = find_rollout(outside, follower.caller, rollout)
        return Narrowing(rollout=found.id, service=found.service)
    if service:
        record = readable_service(outside, follower.caller, ServiceName(service))
        return Narrowing(service=record.name)
    return Narrowing()
