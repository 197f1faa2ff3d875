"""
Asking somebody outside one thing, with bounds on where, how long and how much.

Redirects aren't followed: where the other side would like us to go is no address that anybody here named.
"""

import asyncio
import ssl
from dataclasses import dataclass
from typing import Final

import httpx

from tidegate.drivers.egress.transport import (
    DestinationRefusedError,
    EgressPolicy,
    GuardedTransport,
    Resolve,
)
from tidegate.drivers.egress.urls import read_url
from tidegate.errors import EgressFailedError, EgressRefusedError

MAX_ANSWER_BYTES: Final = 1024 * 1024
WITHIN_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back, whole."""

    status: int
    body: bytes


class EgressClient:
    """Asks within a policy. It keeps no connection between two questions."""

    def __init__(
        self,
        policy: EgressPolicy,
        *,
        resolve: Resolve | None = None,
        verify: ssl.SSLContext | None = None,
        max_answer_bytes: int = MAX_ANSWER_BYTES,
        within_seconds: float = WITHIN_SECONDS,
    ) -> None:
        self._policy = policy
        self._resolve = resolve
        self._verify = verify or httpx.create_ssl_context(trust_env=False)
        self._max_answer_bytes = max_answer_bytes
        self._within_seconds = within_seconds

    async def ask(
        self,
        method: str,
        url: str,
        *,
        content: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """
        Send one request and return its answer, whatever its status but a redirect.

        Raises:
            EgressRefusedError: the policy doesn't let it go there, or it was sent elsewhere.
            EgressFailedError: no whole answer came in time, or it is too large.
        """
        try:
            # As it was written: the library below would read some other spellings as plain ones.
            read_url(url)
        except ValueError as exc:
            raise _refused(url, f"its address can't be used: {exc}") from None
        transport = GuardedTransport(self._policy, resolve=self._resolve, verify=self._verify)
        sent = {"accept-encoding": "identity", **(headers or {})}
        try:
            async with (
                asyncio.timeout(self._within_seconds),
                httpx.AsyncClient(
                    transport=transport, trust_env=False, follow_redirects=False
                ) as client,
                client.stream(method, url, content=content, headers=sent) as response,
            ):
                return await self._whole(url, response)
        except (DestinationRefusedError, httpx.InvalidURL, httpx.UnsupportedProtocol) as exc:
            raise _refused(url, str(exc)) from exc
        except TimeoutError as exc:
            raise _failed(url, f"no whole answer within {self._within_seconds:g} s") from exc
        except httpx.HTTPError as exc:
            raise _failed(url, str(exc) or type(exc).__name__) from exc

    async def _whole(self, url: str, response: httpx.Response) -> Answer:
        if response.has_redirect_location or 300 <= response.status_code < 400:
            raise _refused(url, "it answers with another address, and those aren't followed")
        if response.headers.get("content-encoding", "identity") != "identity":
            raise _failed(url, "its answer is compressed without being asked")
        body = bytearray()
        async for piece in response.aiter_raw():
            body += piece
            if len(body) > self._max_answer_bytes:
                raise _failed(url, f"its answer is larger than {self._max_answer_bytes} bytes")
        return Answer(status=response.status_code, body=bytes(body))


def _refused(url: str, why: str) -> EgressRefusedError:
    return EgressRefusedError(
        f"{_shown(url)} isn't asked: {why}",
        hint="an address inside has to be in TIDEGATE_EGRESS_ALLOWED_NETWORKS; use the final address",
    )


def _failed(url: str, why: str) -> EgressFailedError:
    return EgressFailedError(
        f"{_shown(url)} can't be asked: {why}",
        hint="check that it runs and answers at this address",
    )


def _shown(url: str) -> str:
    """Return *url* without what may be a secret: its query."""
    return url.partition("?")[0][:200]
