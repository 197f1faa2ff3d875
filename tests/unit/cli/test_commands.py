"""What people tell a rollout, and that nothing is asked where nobody can answer."""

from pathlib import Path

import pytest
from served_world import Cli, Server

from tidegate.cli import client
from tidegate.domain.quantities import NO_EXPOSURE
from tidegate.domain.rollout.machine import State


def test_halt_never_asks_and_shows_that_it_is_withdrawn(cli: Cli, server: Server) -> None:
    """One call, no question, no --yes: the candidate serves nobody, and that is shown."""
    rollout = server.baking()

    halted = cli("halt", rollout.id, "--reason", "INC-431")

    assert halted.code == 0
    placement = rollout.plan.placements()[0]
    assert server.world.component.served(placement).exposure == NO_EXPOSURE
    assert "nobody  nobody" in halted.out
    assert "INC-431" in halted.out
    assert f"tidegate resume {rollout.id}" in halted.out


def test_halt_tells_what_was_recorded_when_nobody_has_time_to_look(
    cli: Cli, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With every read refused the candidate is withdrawn all the same, and the exit code says so."""
    monkeypatch.setattr(client, "LONGEST_PAUSE_SECONDS", 0)
    rollout = server.baking()
    server.refuses_reads = True

    halted = cli("halt", rollout.id, "--reason", "INC-431")
    looked = cli("status", rollout.id)

    assert halted.code == 0
    assert "INC-431" in halted.out
    placement = rollout.plan.placements()[0]
    assert server.world.component.served(placement).exposure == NO_EXPOSURE
    assert looked.code != 0
    assert "asked for more than it can answer" in looked.err


def test_halt_takes_the_service_of_the_nearest_file_even_a_broken_one(
    cli: Cli, server: Server, elsewhere: Path
) -> None:
    """A tidegate.yaml in the middle of an edit keeps nobody from halting."""
    server.baking()
    (elsewhere / "tidegate.yaml").write_text("service: shop\nplan: [broken\n")

    halted = cli("halt")

    assert halted.code == 0
    assert "halted" in halted.out


def test_halt_of_what_is_over_says_so(cli: Cli, server: Server) -> None:
    """Too late is told, and is no error."""
    rollout = server.installed()

    halted = cli("halt", rollout.id)

    assert halted.code == 0
    assert "over already: completed" in halted.out


@pytest.mark.parametrize("words", [["rollback"], ["rollout", "abandon", "--reason", "x"]])
def test_risky_verbs_do_nothing_off_a_terminal_without_yes(
    cli: Cli, server: Server, words: list[str]
) -> None:
    """Nobody is asked who can't answer: the command is refused and the rollout untouched."""
    rollout = server.baking()
    cli("halt", rollout.id)
    before = server.world.rollout(rollout.id)

    refused = cli(*words, rollout.id)

    assert refused.code == 2
    assert "--yes" in refused.err
    assert server.world.rollout(rollout.id) == before


def test_rollback_brings_back_what_was_served(cli: Cli, server: Server) -> None:
    """With --yes it is done, and the service serves the earlier version alone."""
    rollout = server.baking()

    told = cli("rollback", "shop", "--reason", "slow", "--yes", "-o", "json")
    ended = server.turns(rollout)

    assert told.code == 0
    assert told.json()["halt"]["because"] == "slow"
    assert ended.state is State.ROLLED_BACK


def test_resume_needs_a_reason_and_proves_again(cli: Cli, server: Server) -> None:
    """Without a reason exit 2; with one the phase is proven as a new attempt."""
    rollout = server.baking()
    cli("halt", rollout.id)

    refused = cli("resume", rollout.id)
    resumed = cli("resume", rollout.id, "--reason", "false alarm", "-o", "json")

    assert refused.code == 2
    assert "--reason" in refused.err
    assert resumed.json()["attempt"] == 2


def test_approve_off_a_terminal_is_saying_it(cli: Cli, server: Server) -> None:
    """Where nobody can be asked, the command itself is the yes."""
    rollout = server.awaiting_approval()

    approved = cli("approve", rollout.id, "--comment", "after the peak", "-o", "json")

    given = approved.json()["approvals"]["given"]
    assert approved.code == 0
    assert [one["comment"] for one in given] == ["after the peak"]


def test_approving_nothing_is_refused_with_6(cli: Cli, server: Server) -> None:
    """A phase that needs no approval can't be approved."""
    rollout = server.installed()

    refused = cli("approve", rollout.id)

    assert refused.code == 6


def test_a_state_that_moved_exits_with_7(cli: Cli, server: Server) -> None:
    """`--at` of another revision changes nothing and says where the rollout is."""
    rollout = server.awaiting_approval()

    moved = cli("approve", rollout.id, "--at", "2@1")
    right = cli("approve", rollout.id, "--at", f"2@{rollout.revision}")
    unreadable = cli("approve", rollout.id, "--at", "two")

    assert (moved.code, right.code, unreadable.code) == (7, 0, 2)
    assert f"revision {rollout.revision}" in moved.err


def test_a_command_that_the_state_cant_take_exits_with_7(cli: Cli, server: Server) -> None:
    """Resuming what bakes is told with what it can take."""
    rollout = server.baking()

    refused = cli("resume", rollout.id, "--reason", "go")

    assert refused.code == 7


def test_abandon_gives_up_a_halted_rollout(cli: Cli, server: Server) -> None:
    """With a reason and --yes a halted rollout is over."""
    rollout = server.baking()
    cli("halt", rollout.id)
    server.turns(rollout)

    given_up = cli(
        "rollout", "abandon", rollout.id, "--reason", "wrong idea", "--yes", "-o", "json"
    )

    assert given_up.json()["state"] == "abandoned"


def test_no_name_and_no_file_says_what_to_name(cli: Cli, server: Server) -> None:
    """Every command that needs a rollout tells how to find one."""
    for verb in ("halt", "watch", "why", "rollback", "approve"):
        told = cli(verb)
        assert told.code == 2, verb
        assert "tidegate status" in told.err


def test_the_service_may_come_from_the_environment(
    cli: Cli, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TIDEGATE_SERVICE stands in for the name."""
    server.baking()
    monkeypatch.setenv("TIDEGATE_SERVICE", "shop")

    assert cli("halt").code == 0


def test_a_name_cant_lead_to_another_place_of_the_api(cli: Cli, server: Server) -> None:
    """Slashes and dots in a name are part of the name."""
    for name in ("../services/shop", "x/halt", "..", "?observe=false", "%2e%2e"):
        told = cli("status", name)
        assert told.code in (1, 2), name
        assert "there is no" in told.err
