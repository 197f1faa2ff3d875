"""Stopping everything on the command line, and letting it go on again."""

import pytest
from served_world import Cli, Server

from tidegate.domain.quantities import NO_EXPOSURE
from tidegate.domain.rollout.machine import State


def test_everything_is_stopped_without_a_question(cli: Cli, server: Server) -> None:
    """One call; it says what is stopped, what changed lately, and how the order ends."""
    rollout = server.baking()

    told = cli("halt", "--all", "--reason", "INC-431")
    listed = cli("stop", "list")

    placement = rollout.plan.placements()[0]
    assert told.code == 0, told.err
    assert "STOP ORDER 1  scope: everything" in told.out
    assert "in force over 1 unfinished rollout" in told.out
    assert f"[tidegate rollback {rollout.id}]" in told.out
    assert 'Lift: tidegate resume --order 1 --reason ".."   (needs 2 persons)' in told.out
    assert server.world.component.served(placement).exposure != NO_EXPOSURE
    assert "everything" in listed.out and "INC-431" in listed.out


def test_withdrawing_halts_what_is_covered(cli: Cli, server: Server) -> None:
    """The candidate is taken from everyone by the next turn."""
    rollout = server.baking()

    told = cli("halt", "--service", "shop", "--withdraw")
    after = server.turns(rollout)

    placement = rollout.plan.placements()[0]
    assert told.code == 0, told.err
    assert after.state is State.HALTED
    assert server.world.component.served(placement).exposure == NO_EXPOSURE


def test_an_order_is_lifted_by_enough_words(cli: Cli, server: Server) -> None:
    """It says whose word is missing; the order of a service needs one, and is then gone from the list."""
    rollout = server.baking()
    cli("halt", "--ring", "elsewhere")
    cli("halt", "--service", "shop")

    one_of_two = cli("resume", "--order", "1", "--reason", "over")
    lifted = cli("resume", "--order", "2", "--reason", "over")
    same_person = cli("resume", "--order", "1", "--reason", "over")

    assert (one_of_two.code, lifted.code, same_person.code) == (0, 0, 6)
    assert "1 of 2 persons" in one_of_two.out
    assert f"not stopped by it any more: {rollout.id}" in lifted.out
    assert cli("stop", "list", "-o", "name").out == "1\n"
    assert cli("stop", "list", "--all", "-o", "name").out == "2\n1\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ("halt", "--all", "--service", "shop"),
        ("halt", "shop", "--all"),
        ("resume", "shop", "--order", "1", "--reason", "over"),
    ],
)
def test_what_fits_two_meanings_is_refused(
    cli: Cli, server: Server, arguments: tuple[str, ...]
) -> None:
    """Nothing is guessed, and nothing is done."""
    server.installed()

    told = cli(*arguments)

    assert told.code == 2
    assert cli("stop", "list", "--all").out == "no stop orders\n"
