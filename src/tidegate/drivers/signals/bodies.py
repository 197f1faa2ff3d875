"""
One HTTP answer of an outside system, with a bound on what it may cost us.

A source of signals may be slow, broken or hostile; none of that may fill our memory or be taken for
data. So a body is read piece by piece up to a cap, is never unpacked (a small compressed body can
become a huge one) and redirects aren't followed. What the bytes mean is the driver's business.
"""

from dataclasses import dataclass
from typing import Final

import httpx

from tidegate.errors import SignalSourceError

MAXIMUM_BODY_BYTES: Final = 5 * 1024 * 1024
"""A page of metrics of a large service is below 1 MiB; 5 MiB is far from honest and far from harmful."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back, whole: a body that was cut off or too large never becomes an `Answer`."""

    status: int
    content_type: str
    body: bytes


async def fetch(client: httpx.AsyncClient, request: httpx.Request) -> Answer:
    """
    Send *request* and return its answer, whatever its status. Deadlines are the caller's.

    Raises:
        SignalSourceError: no whole answer came, it is larger than `MAXIMUM_BODY_BYTES`, or it is
            compressed although that wasn't asked for.
    """
    request.headers["accept-encoding"] = "identity"
    try:
        response = await client.send(request, stream=True, follow_redirects=False)
    except httpx.HTTPError as problem:
        raise _unreadable(request, str(problem) or type(problem).__name__) from problem
    try:
        encoding = response.headers.get("content-encoding", "identity")
        if encoding != "identity":
            raise _unreadable(request, f"its answer is compressed ({encoding}) without being asked")
        body = bytearray()
        async for piece in response.aiter_raw():
            body += piece
            if len(body) > MAXIMUM_BODY_BYTES:
                raise _unreadable(request, f"its answer is larger than {MAXIMUM_BODY_BYTES} bytes")
    except httpx.HTTPError as problem:
        raise _unreadable(request, str(problem) or type(problem).__name__) from problem
    finally:
        await response.aclose()
    return Answer(
        status=response.status_code,
        content_type=response.headers.get("content-type", ""),
        body=bytes(body),
    )


def _unreadable(request: httpx.Request, why: str) -> SignalSourceError:
    return SignalSourceError(
        f"{request.url} can't be read: {why}",
        hint="check that it runs and answers at this address; until it does, rollouts that need it hold",
    )
