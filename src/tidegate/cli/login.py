"""
`tidegate auth login|logout`: a person's own session with a server.

As RFC 8252 has it for programs on a person's machine: the browser is sent to the identity provider and
comes back to a port of this machine. What it brings is useless to others who see it: it takes a secret
that never leaves this process but to the server (PKCE, RFC 7636).
"""

import queue
import secrets
import threading
import webbrowser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Annotated, Any, Final
from urllib.parse import parse_qs, urlsplit

import typer

from tidegate.api.shapes.login import LoggedOut, LoginBegun, LoginFinished
from tidegate.cli.client import Client
from tidegate.cli.logins import forget_login, keep_login, kept_login
from tidegate.cli.server_file import LOOPBACK, Address, find_url, state_dir
from tidegate.cli.session import Session
from tidegate.errors import (
    InvalidIdentityError,
    InvalidRequestError,
    NotAllowedError,
    TimedOutError,
)
from tidegate.ports.identity import challenge_of

WAIT_SECONDS: Final = 300.0

_PAGE: Final = """<!doctype html><meta charset="utf-8"><title>Tidegate</title>\
<p>{}. You may close this page and go on in the terminal.</p>"""


def login(
    session: Session,
    again: Annotated[
        bool, typer.Option("--again", help="Prove again who you are, for what asks for it.")
    ] = False,
    browser: Annotated[
        bool, typer.Option(help="Open the address in a browser; it is printed in any case.")
    ] = True,
) -> None:
    """Log in with the server's identity provider. What you do is done in your name from then on."""
    url = _safe(find_url(session.url))
    kept = kept_login(state_dir(), url) or ""
    verifier = secrets.token_urlsafe(48)
    with _Waiting() as waiting, Client(Address(url=url, token=kept)) as client:
        body = {
            "redirect_uri": waiting.url,
            "challenge": challenge_of(verifier),
            "again": again,
        }
        begun = client.post("/v1/login/begin", LoginBegun, body)
        session.printer.note(f"log in here: {begun.address}")
        if browser:
            webbrowser.open(begun.address)
        code = waiting.code(begun.state)
        finish = {"state": begun.state, "code": code, "verifier": verifier}
        done = client.post("/v1/login/finish", LoginFinished, finish)
    keep_login(state_dir(), url, done.secret, done.session.name)
    session.printer.show(
        done.session,
        text=lambda: [f"logged in to {url} as {done.session.name}"],
        names=[done.session.name],
    )


def logout(session: Session) -> None:
    """End your session with the server, here and there."""
    url = find_url(session.url)
    kept = kept_login(state_dir(), url)
    if kept is None:
        raise NotAllowedError(f"you aren't logged in to {url}", hint="nothing has to be ended")
    ended = True
    try:
        with Client(Address(url=url, token=kept)) as client:
            client.post("/v1/logout", LoggedOut, {})
    except NotAllowedError:
        # It has ended already; only this side still has it.
        ended = False
    forget_login(state_dir(), url)
    was = "" if ended else ": the session had ended before"
    session.printer.show(
        {"url": url, "ended": ended}, text=lambda: [f"logged out of {url}{was}"], names=[url]
    )


def _safe(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme != "https" and parts.hostname not in LOOPBACK:
        raise InvalidRequestError(
            f"a login to {url} could be read on the way", hint="use its https address"
        )
    return url


class _Waiting:
    """A port of this machine, until the browser has come back to it."""

    def __init__(self) -> None:
        self._came: queue.Queue[dict[str, list[str]]] = queue.Queue()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> "_Waiting":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        """Where the browser has to come back to."""
        return f"http://127.0.0.1:{self._server.server_port}/callback"

    def code(self, state: str) -> str:
        """
        Return the code that the browser brings for the login with *state*.

        Raises:
            TimedOutError: it didn't come.
            InvalidIdentityError: the provider let nobody in.
        """
        while True:
            try:
                came = self._came.get(timeout=WAIT_SECONDS)
            except queue.Empty:
                raise TimedOutError(
                    f"nobody logged in within {WAIT_SECONDS:g} s",
                    hint="run it again: tidegate auth login",
                ) from None
            # Another page may send a browser here as well: what isn't of this login doesn't count.
            if came.get("state") != [state]:
                continue
            if "code" not in came:
                raise InvalidIdentityError(
                    "the identity provider let nobody in", hint="log in again"
                )
            return came["code"][0]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        came = self._came

        class Handler(BaseHTTPRequestHandler):
            # One that connects and says nothing must not keep the login waiting.
            timeout = 5.0

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                is_ours = parts.path == "/callback"
                if is_ours:
                    came.put(parse_qs(parts.query))
                self.send_response(200 if is_ours else 404)
                self.send_header("content-type", "text/html; charset=utf-8")
                self.end_headers()
                self.wfile.write(_PAGE.format("Tidegate has its answer").encode())

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing: the code stands in the address."""

        return Handler
