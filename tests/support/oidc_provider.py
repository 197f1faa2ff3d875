"""A real OpenID Connect provider (the package oidc-provider-mock) as a process on this machine."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import httpx
from no_tls import NO_TLS

from tidegate.testing.ports import free_port

STARTS_WITHIN_SECONDS: Final = 60.0


class Provider:
    """The provider, and people who log in at it."""

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer

    def add(self, sub: str, **claims: Any) -> None:
        """Give somebody an account, or change what is said of them."""
        httpx.put(f"{self.issuer}/users/{sub}", json=claims, verify=NO_TLS).raise_for_status()

    def log_in(self, address: str, sub: str, *, follow: bool = False) -> str:
        """Log *sub* in at *address* as a browser does; return where it is sent back to."""
        sent = httpx.post(address, data={"sub": sub}, follow_redirects=False, verify=NO_TLS)
        assert sent.status_code == 302, f"{sent.status_code} {sent.text[:300]}"
        back = sent.headers["location"]
        if follow:
            httpx.get(back, verify=NO_TLS).raise_for_status()
        return back

    def code(self, address: str, sub: str) -> str:
        """Log *sub* in at *address*; return the code that their browser brings back."""
        return parse_qs(urlsplit(self.log_in(address, sub)).query)["code"][0]


@contextmanager
def a_provider() -> Iterator[Provider]:
    """Run the provider while the block runs, with alice in it."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", "--port", str(port)],
        env={**os.environ, "NO_COLOR": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    provider = Provider(f"http://127.0.0.1:{port}")
    try:
        _wait(provider, process)
        provider.add("sub-1", preferred_username="alice", groups=["payments", "on-call"])
        yield provider
    finally:
        process.terminate()
        process.wait(timeout=20)


def _wait(provider: Provider, process: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + STARTS_WITHIN_SECONDS
    while time.monotonic() < until:
        assert process.poll() is None, "the provider ended"
        try:
            answer = httpx.get(f"{provider.issuer}/.well-known/openid-configuration", verify=NO_TLS)
        except httpx.TransportError:
            time.sleep(0.05)
            continue
        assert json.loads(answer.content)["issuer"] == provider.issuer
        return
    raise AssertionError("the provider didn't start")
