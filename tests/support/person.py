"""Somebody at a command line of their own, who logs in with a browser, for tests with a real provider."""

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

import httpx
from oidc_provider import Provider
from running_site import Server

ENDS_WITHIN_SECONDS: Final = 60


class Person:
    """Somebody with a home of their own at this machine, who uses the command line."""

    def __init__(self, server: Server, home: Path, *, cwd: Path | None = None) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self.home = home
        self._cwd = cwd
        self._environment = {
            name: value for name, value in os.environ.items() if not name.startswith("TIDEGATE_")
        } | {"TIDEGATE_URL": server.url, "TIDEGATE_STATE_DIR": str(home), "NO_COLOR": "1"}

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "tidegate.cli.app", *arguments],
            env=self._environment,
            cwd=self._cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str) -> tuple[int, str]:
        """Run a command; return its exit code and all that it said."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=ENDS_WITHIN_SECONDS)
        return process.returncode, out + err

    def log_in(self, provider: Provider, sub: str, *arguments: str) -> tuple[int, str]:
        """Log in as *sub*, with a browser that goes where the command says."""
        process = self.start("auth", "login", "--no-browser", *arguments)
        watch = threading.Timer(ENDS_WITHIN_SECONDS, process.kill)
        watch.start()
        try:
            assert process.stderr is not None
            told = process.stderr.readline()
            assert told.startswith("log in here: "), told + process.stderr.read()
            address = told.removeprefix("log in here: ").strip()
            # A page that knows the port, and not the state, doesn't get in between.
            back = parse_qs(urlsplit(address).query)["redirect_uri"][0]
            httpx.get(back, params={"code": "of-an-attacker", "state": "guess"})
            provider.log_in(address, sub, follow=True)
            out, err = process.communicate(timeout=ENDS_WITHIN_SECONDS)
        finally:
            watch.cancel()
            process.kill()
        return process.returncode, out + err
