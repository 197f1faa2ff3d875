"""Reporting trouble and looking after alarms on the command line."""

from served_world import Cli, Server

from tidegate.domain.quantities import NO_EXPOSURE
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import ReasonCode


def test_a_report_halts_and_says_what_it_stopped(cli: Cli, server: Server) -> None:
    """One call, no question: the candidate serves nobody, and the way on is shown."""
    rollout = server.baking()

    told = cli("report", "shop", "--target", "eu", "--reason", "blank page at checkout")

    placement = rollout.plan.placements()[0]
    assert told.code == 0
    assert server.world.component.served(placement).exposure == NO_EXPOSURE
    assert f"halted and withdrawn: {rollout.id}" in told.out
    assert "for shop/eu: blank page at checkout" in told.out
    assert "tidegate alarm resolve a-" in told.out


def test_a_ticket_holds_until_it_is_resolved(cli: Cli, server: Server) -> None:
    """It is listed while it is active; its end lets the rollout go on."""
    rollout = server.baking()

    told = cli("report", "shop", "--ticket", "--reason", "slow", "-o", "json").json()
    held = server.turns(rollout)
    active = cli("alarm", "list")
    resolved = cli("alarm", "resolve", told["alarm"]["id"], "--reason", "a cold cache")
    going_on = server.turns(rollout)

    assert told["held"] == [rollout.id]
    assert held.waiting_on.reason is ReasonCode.ALARM
    assert "ticket" in active.out and "slow" in active.out
    assert (resolved.code, going_on.state) == (0, State.BAKING)
    assert f"goes on: {rollout.id}" in resolved.out
    assert "a cold cache" in resolved.out
    assert cli("alarm", "list").out == "no alarms\n"
    assert "resolved" in cli("alarm", "list", "--all").out
    assert cli("alarm", "list", "--all", "-o", "name").out == f"{told['alarm']['id']}\n"


def test_a_report_that_stops_nothing_says_so(cli: Cli, server: Server) -> None:
    """It is kept all the same: the next rollout waits for it."""
    server.installed()

    told = cli("report", "shop", "--reason", "blank page")

    assert told.code == 0
    assert "no rollout was stopped" in told.out


def test_a_report_of_an_unknown_service_is_an_error(cli: Cli, server: Server) -> None:
    """A slip of the pen must not look like a stop."""
    server.installed()

    told = cli("report", "shpo", "--reason", "blank page")

    assert told.code == 2
    assert "shpo" in told.err


def test_a_report_and_a_resolution_need_words(cli: Cli, server: Server) -> None:
    """What stops others, or lets them go on, is explained."""
    server.installed()

    told = cli("report", "shop")
    resolved = cli("alarm", "resolve", "a-1")

    assert told.code == resolved.code == 2
    assert cli("alarm", "list").out == "no alarms\n"


def test_an_alarm_that_is_not_there_is_not_found(cli: Cli, server: Server) -> None:
    """Neither by an id that never was, nor by one that leads elsewhere."""
    for name in ("a-nothing", "../rollouts"):
        assert cli("alarm", "resolve", name, "--reason", "gone").code == 2
