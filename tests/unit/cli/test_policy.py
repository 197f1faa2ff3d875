"""The policy file on the command line."""

from pathlib import Path

from served_world import Cli, Server

TEXT = "version: 1\npeople: {alice: {groups: [team-release]}, root: {}}\n"


def test_a_policy_is_checked_without_a_server(cli: Cli, elsewhere: Path) -> None:
    """Every problem with its place, or what is in it."""
    missing = cli("policy", "validate")
    (elsewhere / "tidegate-org.yaml").write_text("version: 1\npepole: {}\nprograms: {ci: {}}\n")
    broken = cli("policy", "validate")
    (elsewhere / "tidegate-org.yaml").write_text(TEXT)
    good = cli("policy", "validate", "-o", "json")

    assert missing.code == 2
    assert broken.code == 2
    assert "tidegate-org.yaml:2:1: unknown key `pepole`" in broken.out
    assert "tidegate-org.yaml:3:" in broken.out
    assert (good.code, good.json()["valid"]) == (0, True)


def test_a_policy_is_put_in_force_after_it_was_seen(
    cli: Cli, server: Server, elsewhere: Path
) -> None:
    """What changes is shown; off a terminal it takes --yes, and always a reason."""
    path = elsewhere / "org.yaml"
    path.write_text(TEXT)
    nothing = cli("policy", "show")

    unasked = cli("policy", "apply", "org.yaml", "--reason", "first")
    silent = cli("policy", "apply", "org.yaml", "--yes")
    applied = cli("policy", "apply", "org.yaml", "--yes", "--reason", "first")
    old = cli("policy", "apply", "org.yaml", "--yes", "--reason", "again", "--at", "sha256:x")

    assert nothing.out == "# no policy is in force\n"
    assert (unasked.code, silent.code, applied.code, old.code) == (2, 2, 0, 7)
    assert "+people: {alice: {groups: [team-release]}, root: {}}" in applied.err
    assert "policy version 1 is in force" in applied.out
    assert cli("policy", "show").out == TEXT
    listed = cli("policy", "history").out
    assert "first" in listed
    assert len(listed.splitlines()) == 2


def test_a_policy_says_who_may_approve(cli: Cli, server: Server, elsewhere: Path) -> None:
    """Its groups count for the approvals that plans ask for."""
    rollout = server.awaiting_approval()
    (elsewhere / "tidegate-org.yaml").write_text(
        "version: 1\npeople: {dora: {}, bob: {groups: [team-release]}}\n"
    )
    cli("policy", "apply", "--yes", "--reason", "first")

    refused = cli("approve", rollout.id)
    card = cli("approval", "get", rollout.id)

    assert refused.code == 4
    assert "who could: bob" in refused.err
    assert "who can  bob; not alice" in card.out
