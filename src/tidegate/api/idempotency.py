"""
Once only: a command that is sent again with the same `Idempotency-Key` is answered again, not done again.

A key belongs to its caller, and to one request (method, path, body); with another request it is refused.
Only what was done is remembered: a refused command changed nothing and may be tried again under its key.
"""

import asyncio
import contextlib
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Depends, Header, Request
from starlette.responses import Response

from tidegate.api.access import caller_of
from tidegate.api.shapes.base import Shape
from tidegate.api.state import ServerState, server_of
from tidegate.domain.access.model import Caller
from tidegate.errors import InvalidRequestError, StoreError
from tidegate.ports.store import Remembered

REPLAYED_HEADER: Final = "idempotency-replayed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request that changes something."""

    server: ServerState
    caller: Caller
    key: str | None
    digest: str

    @property
    def actor(self) -> str:
        """The name that the ledger shows."""
        return self.caller.name


async def call_of(
    request: Request,
    caller: Annotated[Caller, Depends(caller_of)],
    idempotency_key: Annotated[
        str | None,
        Header(min_length=1, max_length=255, description="Makes repeating the request harmless."),
    ] = None,
) -> Call:
    """Return what identifies *request* among its repetitions."""
    digest = hashlib.sha256(f"{request.method} {request.url.path} {caller.name}\n".encode())
    digest.update(await request.body())
    return Call(
        server=server_of(request),
        caller=caller,
        # Two callers who choose the same key mean two things, and neither learns of the other.
        key=None if idempotency_key is None else f"{caller.name}/{idempotency_key}",
        digest=f"sha256:{digest.hexdigest()}",
    )


Calling = Annotated[Call, Depends(call_of)]


async def once(call: Call, status: int, act: Callable[[], Awaitable[Shape]]) -> Response:
    """
    Return the answer of *act*, or the one that was given to this key before.

    Raises:
        InvalidRequestError: the key was used with another request.
    """
    if call.key is None:
        return _answer(status, (await act()).model_dump_json())
    outside = call.server.outside
    async with call.server.in_flight.setdefault(call.key, asyncio.Lock()):
        with outside.store.begin(read_only=True) as transaction:
            known = transaction.remembered(call.key)
        if known is not None:
            return _again(call, known)
        body = (await act()).model_dump_json()
        made = Remembered(request_digest=call.digest, status=status, body_json=body)
        # It is done by now. Not being able to remember that must not make it look undone; a
        # repetition then finds the state that it asked for.
        with contextlib.suppress(StoreError), outside.store.begin() as transaction:
            transaction.remember(call.key, made, at=outside.clock.now())
        return _answer(status, body)


def _again(call: Call, known: Remembered) -> Response:
    if known.request_digest != call.digest:
        raise InvalidRequestError(
            "the idempotency key was used with another request",
            hint="use a new key for a new request; send the same bytes to repeat one",
        )
    answer = _answer(known.status, known.body_json)
    answer.headers[REPLAYED_HEADER] = "true"
    return answer


def _answer(status: int, body: str) -> Response:
    return Response(body, status_code=status, media_type="application/json")
