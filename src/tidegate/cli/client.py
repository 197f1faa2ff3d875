"""
Talks to the server: shapes in, shapes out, and its problems as the errors that they were there.

Every command carries an idempotency key, so that it can be sent again when a connection breaks before
the answer has come.
"""

import getpass
import json
import re
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from pydantic import ValidationError

from tidegate.api.shapes.base import Shape
from tidegate.api.shapes.problem import Problem
from tidegate.cli.connection import (
    Connection,
    ConnectionBrokenError,
    NotConnectedError,
    Response,
)
from tidegate.cli.exit_codes import error_kinds
from tidegate.cli.server_file import START_ONE, Address
from tidegate.domain.access.tokens import was_issued
from tidegate.errors import NotAllowedError, ServerUnreachableError, TidegateError

TRIES: Final = 3
LONGEST_PAUSE_SECONDS: Final = 5
ASKED_BACK: Final = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
"""With `Retry-After`: too much from this one, or too much from everybody. Nothing was done."""
ENGINE_NAME: Final = "tidegate"
"""The name that the engine acts under: a person with the same name gets another."""

_NO_ANSWER: Final = (NotConnectedError, ConnectionBrokenError, TimeoutError)

Answer = TypeVar("Answer", bound=Shape)


class Client:
    """One conversation with a server; a context manager that ends it."""

    def __init__(self, address: Address) -> None:
        self._url = address.url
        self._comes_back = TRIES - 1
        self._connection = Connection(address.url, _headers(address.token))

    def __enter__(self) -> Self:
        """Return this client."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the conversation."""
        self.close()

    def close(self) -> None:
        """End the conversation."""
        self._connection.close()

    @property
    def url(self) -> str:
        """The server's address."""
        return self._url

    @contextmanager
    def asking_once(self) -> Iterator[None]:
        """Take a server that has no time at its word inside the block: don't ask it a second time."""
        before, self._comes_back = self._comes_back, 0
        try:
            yield
        finally:
            self._comes_back = before

    def get(self, path: str, kind: type[Answer], /, **params: object) -> Answer:
        """
        Return what is at *path*. Parameters that are None are left out.

        Raises:
            ServerUnreachableError: there is no server, or no answer that makes sense.
            TidegateError: the server's own error.
        """
        given = {name: _text(value) for name, value in params.items() if value is not None}
        return self._asked("GET", path, kind, params=given)

    def post(self, path: str, kind: type[Answer], body: Mapping[str, object]) -> Answer:
        """Return the answer to a command. Raises as `get` does."""
        key = {"idempotency-key": str(uuid.uuid4())}
        content = json.dumps(body).encode()
        return self._asked("POST", path, kind, content=content, headers=key)

    def download(self, path: str, /, **params: object) -> Iterator[bytes]:
        """
        Yield what is at *path*, piece by piece; a connection that breaks before its end is an error.

        Raises as `get` does.
        """
        given = {name: _text(value) for name, value in params.items() if value is not None}
        try:
            with self._connection.stream(path, params=given) as answer:
                if isinstance(answer, Response):
                    raise _error_of(answer, self._url)
                yield from answer
        except _NO_ANSWER as exc:
            raise self._unreachable(exc) from exc

    def _asked(self, method: str, path: str, kind: type[Answer], **options: Any) -> Answer:
        response = self._patient(method, path, **options)
        if response.is_error:
            raise _error_of(response, self._url)
        try:
            return kind.model_validate_json(response.content)
        except ValidationError as exc:
            raise ServerUnreachableError(
                f"{self._url} answered what this version doesn't understand",
                hint="use the command line of the server's version: tidegate version",
            ) from exc

    def _patient(self, method: str, path: str, **options: Any) -> Response:
        """Send a request; when the server asks to come back soon, do so."""
        for _ in range(self._comes_back):
            response = self._sent(method, path, **options)
            wait = response.headers.get("retry-after", "")
            if response.status not in ASKED_BACK or not wait.isdecimal():
                return response
            time.sleep(min(int(wait), LONGEST_PAUSE_SECONDS))
        return self._sent(method, path, **options)

    def _sent(self, method: str, path: str, **options: Any) -> Response:
        headers = {"content-type": "application/json", **options.pop("headers", {})}
        for attempt in range(1, TRIES + 1):
            try:
                return self._connection.request(method, path, headers=headers, **options)
            except _NO_ANSWER as exc:
                # Nobody at the other end, or nobody who has time: asking again at once changes nothing.
                if attempt == TRIES or not isinstance(exc, ConnectionBrokenError):
                    raise self._unreachable(exc) from exc
        raise AssertionError("the loop returns or raises")

    def _unreachable(self, error: Exception) -> ServerUnreachableError:
        why = "didn't answer in time" if isinstance(error, TimeoutError) else "is not there"
        return ServerUnreachableError(f"the server at {self._url} {why}", hint=START_ONE)


def _headers(token: str) -> dict[str, str]:
    if not token.isascii() or not token.isprintable():
        raise NotAllowedError(
            "the token has characters that no token has", hint="copy it again, in one line"
        )
    headers = {"authorization": f"Bearer {token}"} if token else {}
    # One that was issued says itself whose it is; only the server's own needs a name beside it.
    return (
        headers if not token or was_issued(token) else {**headers, "tidegate-actor": actor_name()}
    )


def actor_name() -> str:
    """Return the name that this person acts under: the user's, made plain."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "cli"
    plain = re.sub(r"[^A-Za-z0-9._@+-]", "-", user)[:64]
    return f"{plain}-user" if plain == ENGINE_NAME else plain or "cli"


def _text(value: object) -> str | list[str]:
    if isinstance(value, list):
        return [str(one) for one in value]
    return str(value).lower() if isinstance(value, bool) else str(value)


def _error_of(response: Response, url: str) -> TidegateError:
    try:
        problem = Problem.model_validate_json(response.content)
    except ValidationError:
        return ServerUnreachableError(
            f"{url} isn't a Tidegate server: it answered HTTP {response.status}",
            hint=START_ONE,
        )
    kind = error_kinds().get(problem.code, TidegateError)
    return kind(problem.detail, hint=problem.hint)
