"""Freezing on the command line: what is announced, how times are written, and how it ends."""

from datetime import timedelta

import pytest
from served_world import Cli, Server

from tidegate.domain.rollout.model import ReasonCode
from tidegate.testing.memory_world import DOCUMENT

NO_APPROVALS = DOCUMENT.replace(", approve: 1 of team-release", "")


def test_a_freeze_is_announced_shown_and_lifted(cli: Cli, server: Server) -> None:
    """One call each; it says what it covers and how it ends; a rollout that waits says why."""
    rollout = server.baking(document=NO_APPROVALS)

    added = cli("freeze", "add", "--all", "--for", "8h", "--reason", "winter sale")
    waiting = server.do(
        server.world.run(rollout.id, until=lambda now: now.waiting_on.reason is ReasonCode.WINDOW)
    )
    listed = cli("freeze", "list")
    status = cli("status", rollout.id)
    why = cli("why", rollout.id)
    lifted = cli("freeze", "lift", "1", "--reason", "sold out")

    assert added.code == 0, added.err
    assert "FREEZE 1  scope: everything" in added.out
    assert f"Unfinished rollouts that it covers: {rollout.id}" in added.out
    assert "tidegate freeze lift 1" in added.out
    assert "everything" in listed.out and "in force" in listed.out and "none" in listed.out
    assert "winter sale" in status.out
    assert "winter sale" in why.out
    assert waiting.waiting_on.until is not None
    assert f"freeze 1 is lifted; looked at again: {rollout.id}" in lifted.out
    assert cli("freeze", "list").out == "no freezes\n"
    assert "lifted" in cli("freeze", "list", "--all").out


def test_times_are_taken_as_they_are_written(cli: Cli, server: Server) -> None:
    """With an offset, or as local time of a named zone, also over the change of the clocks."""
    server.installed()
    times = ("--from", "2026-03-28T18:00", "--until", "2026-03-29T18:00")

    added = cli(
        "freeze", "add", "--service", "shop", *times, "--timezone", "Europe/Berlin",
        "--allow-exceptions", "--reason", "sale", "-o", "json",
    )  # fmt: skip
    offset = cli(
        "freeze", "add", "--environment", "lab", "--from", "2026-03-28T18:00+01:00",
        "--until", "2026-03-29T16:00Z", "--reason", "sale", "-o", "json",
    )  # fmt: skip

    freeze = added.json()["freeze"]
    assert (freeze["since"], freeze["until"]) == ("2026-03-28T17:00:00Z", "2026-03-29T16:00:00Z")
    assert (freeze["state"], freeze["allows_exceptions"]) == ("ahead", True)
    assert offset.json()["freeze"]["since"] == freeze["since"]
    assert offset.json()["freeze"]["until"] == freeze["until"]


def test_a_length_counts_from_the_beginning(cli: Cli, server: Server) -> None:
    """By the server's clock when it begins at once."""
    now = server.world.clock.now()

    at_once = cli("freeze", "add", "--all", "--for", "8h", "--reason", "sale", "-o", "json").json()
    later = cli(
        "freeze", "add", "--all", "--from", "2026-03-28T18:00Z", "--for", "2d", "--reason", "sale",
        "-o", "json",
    ).json()  # fmt: skip

    until = (now + timedelta(hours=8)).isoformat().replace("+00:00", "Z")
    assert at_once["freeze"]["until"] == until
    assert later["freeze"]["until"] == "2026-03-30T18:00:00Z"


def test_a_second_person_excepts_a_phase(
    cli: Cli, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The budget that is left is told; one's own change is refused with the code for that."""
    document = NO_APPROVALS.replace("plan:\n", "plan:\n  window: {days: sun}\n")
    rollout = server.started(document=document)
    server.turns(rollout)

    monkeypatch.setenv("LOGNAME", "alice")
    own = cli("freeze", "except", rollout.id, "--reason", "INC-7")
    monkeypatch.setenv("LOGNAME", "bob")
    given = cli("freeze", "except", rollout.id, "--reason", "INC-7")

    assert own.code == 4, own.err
    assert given.code == 0, given.err
    assert f"EXCEPTION 1  {rollout.id} may begin few outside the calendar" in given.out
    assert "Exceptions left: 1." in given.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--for", "8h"), "one scope, got 0"),
        (("--all", "--ring", "first", "--for", "8h"), "one scope, got 2"),
        (("--all",), "one end"),
        (("--all", "--for", "8h", "--until", "2026-01-08T00:00Z"), "one end"),
        (("--all", "--for", "8"), "--for must be a length of time"),
        (("--all", "--until", "tomorrow"), "--until must be an instant"),
        (("--all", "--until", "2026-01-08T00:00"), "doesn't say of which time zone"),
        (
            ("--all", "--until", "2026-01-08T00:00", "--timezone", "Moon/Base"),
            "there is no time zone 'Moon/Base'",
        ),
        (
            ("--all", "--until", "2026-03-29T02:30", "--timezone", "Europe/Berlin"),
            "the clocks skip it",
        ),
        (
            ("--all", "--until", "2026-10-25T02:30", "--timezone", "Europe/Berlin"),
            "is there twice",
        ),
    ],
)
def test_what_could_mean_two_things_is_refused(
    cli: Cli, server: Server, arguments: tuple[str, ...], said: str
) -> None:
    """Nothing is frozen, and the message says how to write what was meant."""
    told = cli("freeze", "add", *arguments, "--reason", "sale")

    assert told.code == 2, told.out
    assert said in told.err.replace("\n", " ")
    assert cli("freeze", "list", "--all").out == "no freezes\n"


def test_a_freeze_that_is_over_is_refused_with_the_code_of_a_refusal(
    cli: Cli, server: Server
) -> None:
    """Scripts tell it from a slip by its exit code."""
    cli("freeze", "add", "--all", "--for", "1s", "--reason", "sale")
    server.world.clock.advance(timedelta(seconds=1))

    assert cli("freeze", "lift", "1", "--reason", "over").code == 6
    assert cli("freeze", "lift", "2", "--reason", "over").code == 2
