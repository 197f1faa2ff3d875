"""Approvals on the command line: what waits, agreeing, refusing, taking back."""

from served_world import Cli, Server


def test_the_list_says_what_waits_and_who_may(cli: Cli, server: Server) -> None:
    """One line per rollout; `get` tells all of one."""
    rollout = server.awaiting_approval()

    listed = cli("approval", "list")
    card = cli("approval", "get", "shop")
    names = cli("approval", "list", "-o", "name")

    assert (listed.code, card.code) == (0, 0)
    assert "half: 50%" in listed.out
    assert "1 of team-release" in listed.out
    assert "may approve" in listed.out
    assert "not alice: it is their own change" in card.out
    assert f"tidegate approve {rollout.id}" in card.out
    assert names.out == f"{rollout.id}\n"


def test_nothing_waits(cli: Cli, server: Server) -> None:
    """An empty list says so, and a rollout without approvals isn't found in it."""
    server.installed()

    assert cli("approval", "list").out == "nothing waits for an approval\n"
    assert cli("approval", "get", "shop").code == 2


def test_a_rejection_needs_a_comment_and_can_be_taken_back(cli: Cli, server: Server) -> None:
    """It never asks; what it says is shown where the rollout is looked at."""
    rollout = server.awaiting_approval()

    silent = cli("reject", rollout.id)
    refused = cli("reject", rollout.id, "--comment", "not during the sale")
    card = cli("approval", "get", rollout.id)
    back = cli("approval", "take-back", rollout.id, "--reason", "it is over")
    nothing_left = cli("approval", "take-back", rollout.id, "--reason", "again")

    assert (silent.code, refused.code, back.code, nothing_left.code) == (2, 0, 0, 6)
    assert "rejected" in refused.out
    assert "not during the sale" in card.out
    assert server.world.rollout(rollout.id).approvals == ()


def test_an_approval_that_counts_is_shown_with_its_end(cli: Cli, server: Server) -> None:
    """Whose word it is and when it lapses."""
    rollout = server.awaiting_approval()
    cli("approve", rollout.id, "--comment", "evidence read")

    card = cli("approval", "get", rollout.id)
    listed = cli("approval", "list")

    assert "approved now: evidence read; lapses in 24h" in card.out
    assert "1 of 1 count" in card.out
    assert "has approved it already" in listed.out
