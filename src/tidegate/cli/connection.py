"""
One HTTP connection to a server, by Python's own library: bytes out, bytes in.

The library that the engine talks to targets with takes about as long to load as a halt may last, and brings
what one request after another doesn't need. What answers mean isn't known here, nor whether to ask again.
"""

import http.client
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlencode, urlsplit

CONNECT_SECONDS: Final = 5.0
ANSWER_SECONDS: Final = 60.0
"""How long nothing may come while an answer is waited for."""
PIECE_BYTES: Final = 64 * 1024
_KEPT_IN_PATHS: Final = "/:@!$&'()*+,;=~%"
FIRST_ERROR_STATUS: Final = 400

Parameters = Mapping[str, str | list[str]]


class NotConnectedError(Exception):
    """There is nobody at the address, or they can't be trusted. Nothing was sent."""


class ConnectionBrokenError(Exception):
    """The connection ended before the answer did. What was sent may have been done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """An answer in full. Names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def is_error(self) -> bool:
        """Whether the server says that it didn't do it."""
        return self.status >= FIRST_ERROR_STATUS


class Connection:
    """
    A connection that is made when it is needed, and made again once it has broken.

    No proxy of the environment is taken: none has any business between this user and this user's server.
    """

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        self._url = url
        self._headers = dict(headers)
        self._made: http.client.HTTPConnection | None = None

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Parameters | None = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """
        Return the answer to a request.

        Raises:
            NotConnectedError: no connection came about.
            ConnectionBrokenError: it ended before the whole answer had come.
            TimeoutError: nothing came in time, neither a connection nor an answer.
        """
        with self._asked(method, path, params, content, headers or {}) as answer:
            return _whole(answer)

    @contextmanager
    def stream(self, path: str, *, params: Parameters) -> Iterator[Response | Iterator[bytes]]:
        """Give an answer piece by piece, or in full where it is an error. Raises as `request`."""
        with self._asked("GET", path, params, None, {}) as answer:
            yield _whole(answer) if answer.status >= FIRST_ERROR_STATUS else _pieces(answer)

    def close(self) -> None:
        """End the connection, if there is one."""
        if self._made is not None:
            self._made.close()
            self._made = None

    @contextmanager
    def _asked(
        self,
        method: str,
        path: str,
        params: Parameters | None,
        content: bytes | None,
        headers: Mapping[str, str],
    ) -> Iterator[http.client.HTTPResponse]:
        connection = self._connected()
        try:
            connection.request(
                method, self._target(path, params), content, {**self._headers, **headers}
            )
            yield connection.getresponse()
        except TimeoutError:
            self.close()
            raise
        except (OSError, http.client.HTTPException) as exc:
            self.close()
            raise ConnectionBrokenError(str(exc)) from exc
        except BaseException:
            # Half an answer may be left in it.
            self.close()
            raise

    def _connected(self) -> http.client.HTTPConnection:
        # The other end may have closed it with its last answer.
        if self._made is None or self._made.sock is None:
            try:
                made = _connection(self._url)
                made.connect()
            except TimeoutError:
                raise
            except (OSError, http.client.HTTPException, ValueError) as exc:
                raise NotConnectedError(str(exc)) from exc
            made.sock.settimeout(ANSWER_SECONDS)
            # Made again by the library itself, it would have neither its time nor its errors.
            made.auto_open = 0
            self._made = made
        return self._made

    def _target(self, path: str, params: Parameters | None) -> str:
        whole = quote(urlsplit(self._url).path + path, safe=_KEPT_IN_PATHS)
        return f"{whole}?{urlencode(params, doseq=True)}" if params else whole


def _connection(url: str) -> http.client.HTTPConnection:
    """Return a connection that isn't made yet. Raises ValueError when *url* is no address."""
    parts = urlsplit(url)
    if parts.hostname is None or parts.scheme not in ("http", "https"):
        raise ValueError(f"{url!r} is no http or https address")
    if parts.scheme == "http":
        return http.client.HTTPConnection(parts.hostname, parts.port, timeout=CONNECT_SECONDS)
    return http.client.HTTPSConnection(
        parts.hostname, parts.port, timeout=CONNECT_SECONDS, context=_trust()
    )


def _trust() -> ssl.SSLContext:
    """Return whom to trust: the authorities that this machine trusts, and those that browsers do."""
    # Only who talks by TLS waits for it.
    import certifi

    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context


def _whole(answer: http.client.HTTPResponse) -> Response:
    return Response(
        status=answer.status,
        headers={name.lower(): value for name, value in answer.getheaders()},
        content=answer.read(),
    )


def _pieces(answer: http.client.HTTPResponse) -> Iterator[bytes]:
    while piece := answer.read(PIECE_BYTES):
        yield piece
    # Read in pieces, an answer that ends too early isn't an error to the library.
    if answer.length:
        raise http.client.IncompleteRead(b"", answer.length)
