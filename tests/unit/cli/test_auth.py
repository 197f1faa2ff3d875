"""Tokens on the command line: issued, used, listed, revoked."""

import pytest
from served_world import Cli, Server

from tidegate.cli.client import actor_name


def test_a_token_is_issued_used_and_revoked(
    cli: Cli, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`-o name` prints the secret alone; what was issued says itself whose it is."""
    made = cli("auth", "token", "issue", "--for", "deploys", "--allow", "read", "--allow", "start",
               "--program", "ci-shop", "-o", "name")  # fmt: skip
    secret = made.out.strip()
    monkeypatch.setenv("TIDEGATE_TOKEN", secret)
    known = cli("auth", "whoami")
    monkeypatch.delenv("TIDEGATE_TOKEN")
    listed = cli("auth", "token", "list", "--all")
    token_id = cli("auth", "token", "list", "--all", "-o", "name").out.strip()
    revoked = cli("auth", "token", "revoke", token_id, "--reason", "lost")
    monkeypatch.setenv("TIDEGATE_TOKEN", secret)
    after = cli("auth", "whoami")

    assert (made.code, known.code, listed.code, revoked.code) == (0, 0, 0, 0), made.err
    assert secret.startswith("tg_") and "\n" not in secret
    assert "ci-shop" in known.out and "claimed" not in known.out
    assert ["person", actor_name()] in [line.split() for line in known.out.splitlines()]
    assert "read, start" in known.out
    assert secret[-4:] in listed.out and secret not in listed.out
    assert "is revoked" in revoked.out
    assert after.code == 4


def test_the_servers_own_token_proves_no_name(cli: Cli, server: Server) -> None:
    """It says so, so that nobody takes the name for more."""
    known = cli("auth", "whoami")

    assert known.code == 0
    assert f"{actor_name()} (claimed; proves nothing)" in known.out
    assert "opens everything" in known.out
    assert cli("auth", "whoami", "-o", "name").out == f"{actor_name()}\n"


def test_an_issued_token_is_shown_once_for_people(cli: Cli, server: Server) -> None:
    """The secret stands alone on the first line; then what it is and how it ends."""
    made = cli(
        *("auth", "token", "issue", "--for", "x", "--person", "bob"),
        *("--allow", "halt", "--days", "90"),
    )

    first, second, third = made.out.splitlines()
    assert first.startswith("tg_")
    assert "of bob, allows halt" in second
    assert "expires in 90d" in third and "auth token revoke" in third


@pytest.mark.parametrize(
    "arguments",
    [
        ("auth", "token", "issue", "--for", "x"),
        ("auth", "token", "issue", "--for", "x", "--allow", "read", "--days", "91"),
        ("auth", "token", "issue", "--for", "x", "--allow", "everything"),
        ("auth", "token", "issue", "--for", "x", "--allow", "read", "--owner", "bob"),
        ("auth", "token", "revoke", "../stops"),
        ("auth", "token", "revoke", "0" * 20),
    ],
)
def test_wrong_usage_issues_and_revokes_nothing(
    cli: Cli, server: Server, arguments: tuple[str, ...]
) -> None:
    """Usage errors, each with its code."""
    told = cli(*arguments)

    assert told.code == 2
    assert cli("auth", "token", "list", "--all").out == "no tokens\n"
