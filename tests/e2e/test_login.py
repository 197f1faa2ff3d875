"""Logging in as a person does: a server, an identity provider and the command line, each a process."""

import os
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from oidc_provider import Provider, a_provider
from running_site import Server, Site

pytestmark = pytest.mark.e2e

ENDS_WITHIN_SECONDS = 60


@pytest.fixture
def provider(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    """Run a provider, and let the servers of this test know it."""
    secret = tmp_path / "client-secret"
    secret.write_text("a-secret-of-the-server\n")
    with a_provider() as running:
        monkeypatch.setenv("TIDEGATE_OIDC_ISSUER", running.issuer)
        monkeypatch.setenv("TIDEGATE_OIDC_CLIENT_SECRET_FILE", str(secret))
        yield running


class Person:
    """Somebody with a home of their own at this machine, who uses the command line."""

    def __init__(self, server: Server, home: Path) -> None:
        self.home = home
        self._environment = {
            name: value for name, value in os.environ.items() if not name.startswith("TIDEGATE_")
        } | {"TIDEGATE_URL": server.url, "TIDEGATE_STATE_DIR": str(home), "NO_COLOR": "1"}

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "tidegate.cli.app", *arguments],
            env=self._environment,
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


async def test_a_person_logs_in_acts_and_logs_out(
    site: Site, provider: Provider, tmp_path: Path
) -> None:
    """By the provider's word alone; what is kept is theirs alone, and is gone after logging out."""
    provider.add("sub-2", preferred_username="bob")
    server = await site.serve()
    alice, bob = (Person(server, tmp_path / name) for name in ("alice", "bob"))

    before = alice.run("auth", "whoami")
    logged_in = alice.log_in(provider, "sub-1")
    known = alice.run("auth", "whoami")
    bob_logged_in = bob.log_in(provider, "sub-2")
    bob_known = bob.run("auth", "whoami", "-o", "name")
    kept = alice.home / "logins.json"
    mode = stat.S_IMODE(kept.stat().st_mode)
    secrets = kept.read_text()
    hour_ago = int(time.time()) - 3600
    provider.add("sub-1", preferred_username="alice", auth_time=hour_ago)
    not_again = alice.log_in(provider, "sub-1", "--again")
    provider.add("sub-1", preferred_username="alice")
    proven_again = alice.log_in(provider, "sub-1", "--again")
    sessions = alice.run("auth", "session", "list", "-o", "name")
    logged_out = alice.run("auth", "logout")
    after = alice.run("auth", "whoami")

    assert before[0] == 4 and "auth login" in before[1]
    assert logged_in == (0, f"logged in to {server.url} as alice\n")
    assert known[0] == 0, known[1]
    lines = [line.split(maxsplit=1) for line in known[1].splitlines()]
    assert ["name", "alice"] in lines and ["person", "sub-1"] in lines
    assert ["groups", "on-call, payments"] in lines
    assert bob_logged_in[0] == 0
    assert bob_known == (0, "bob\n")
    assert mode == 0o600
    assert not_again[0] == 4 and "proved again" in not_again[1]
    assert proven_again[0] == 0, proven_again[1]
    assert len(sessions[1].splitlines()) == 1, "the session of before has ended"
    assert logged_out[0] == 0
    assert after[0] == 4
    await _nothing_secret_is_kept(site, secrets)


async def _nothing_secret_is_kept(site: Site, secrets: str) -> None:
    """The server's files and log hold neither the session nor the server's secret at the provider."""
    session = secrets.split('"secret": "')[1].split('"')[0]
    server_token = (site.state_dir / "token").read_text().strip()
    assert session.startswith("tgs_")
    files = [*site.state_dir.glob("tidegate.db*"), *site.folder.glob("server-*.log")]
    assert len(files) >= 2
    for path in files:
        content = path.read_bytes()
        for secret in (session, "a-secret-of-the-server", server_token):
            assert secret.encode() not in content, path
