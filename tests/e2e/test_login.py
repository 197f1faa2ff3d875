"""Logging in as a person does: a server, an identity provider and the command line, each a process."""

import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from oidc_provider import Provider, a_provider
from person import Person
from running_site import Site

pytestmark = pytest.mark.e2e


@pytest.fixture
def provider(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    """Run a provider, and let the servers of this test know it."""
    secret = tmp_path / "client-secret"
    secret.write_text("a-secret-of-the-server\n")
    with a_provider() as running:
        monkeypatch.setenv("TIDEGATE_OIDC_ISSUER", running.issuer)
        monkeypatch.setenv("TIDEGATE_OIDC_CLIENT_SECRET_FILE", str(secret))
        yield running


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
