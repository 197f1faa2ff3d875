"""What is shown: text for people, documents for programs, data and talk kept apart."""

import json

import pytest
from ruamel.yaml import YAML
from served_world import Cli, Server

from tidegate.domain.quantities import Arm
from tidegate.domain.rollout.machine import State

PRINTING = [
    ["status"],
    ["status", "shop"],
    ["why", "shop"],
    ["why", "d-3"],
    ["why", "d-3", "--replay"],
    ["rollout", "list"],
    ["rollout", "get", "shop"],
    ["rollout", "log", "shop"],
    ["rollout", "evidence", "shop"],
    ["service", "list"],
    ["service", "get", "shop"],
    ["server", "page"],
    ["version"],
]


@pytest.mark.parametrize("words", PRINTING, ids=" ".join)
def test_every_command_prints_every_format(cli: Cli, server: Server, words: list[str]) -> None:
    """json, jsonl and yaml are documents with their schema's version; the others are text."""
    rollout = server.baking()
    server.run(rollout, State.ROLLED_BACK, failing={Arm.CANDIDATE: 0.5})

    results = {form: cli(*words, "-o", form) for form in ("table", "wide", "name", "json", "yaml")}
    lines = cli(*words, "-o", "jsonl").out.splitlines()

    for form, result in results.items():
        assert (result.code, result.err) == (0, ""), form
        assert result.out.strip(), form
    assert results["json"].json()["schema_version"] == 1
    assert YAML(typ="safe").load(results["yaml"].out) == results["json"].json()
    assert {json.loads(line)["schema_version"] for line in lines} == {1}


def test_status_lists_what_there_is(cli: Cli, server: Server) -> None:
    """One line a rollout, newest first; nothing is told as nothing."""
    empty = cli("status")
    rollout = server.baking()

    listed = cli("status")

    assert "no rollouts yet" in empty.out
    lines = listed.out.splitlines()
    assert rollout.id in lines[1]
    assert "baking" in lines[1]
    assert "completed" in lines[2]


def test_status_of_one_shows_exposure_evidence_and_wait(cli: Cli, server: Server) -> None:
    """Set beside seen, signals with their word and bound, what is waited for and until when."""
    rollout = server.baking()
    for _ in range(3):
        server.do(server.world.run(rollout.id, until=lambda _: True))
        server.world.clock.advance(rollout.plan.tick)

    shown = cli("status", "shop")

    assert "few ####" in shown.out
    assert "eu      code       10%  10%   1.0.0 and 1.1.0" in shown.out
    assert "0.000% vs 0.000% failed" in shown.out
    assert "ruled out" in shown.out
    assert "tolerate +5.000 pp" in shown.out
    assert "UTC (in " in shown.out


def test_the_meter_is_told_in_words(cli: Cli, server: Server) -> None:
    """Both arms, what is excluded, what is tolerated, the word, then power, exposure and data."""
    rollout = server.baking()
    for _ in range(3):
        server.do(server.world.run(rollout.id, until=lambda _: True))
        server.world.clock.advance(rollout.plan.tick)

    shown = cli("status", "shop").out

    line = next(line for line in shown.splitlines() if line.startswith("  errors"))
    order = ["0.000% vs 0.000% failed", "harm above +", "ruled out", "tolerate +5.000 pp", "PROVEN"]
    assert [line.index(part) for part in order] == sorted(line.index(part) for part in order)
    assert "power to see +10.000 pp" in line
    assert "1 hour of day, 1 of 1 targets" in shown
    assert "split 10.0% as planned" in shown


def test_evidence_is_in_every_document_about_one_rollout(cli: Cli, server: Server) -> None:
    """`status` and `rollout get` as JSON hold what the text shows."""
    rollout = server.baking()
    for _ in range(2):
        server.do(server.world.run(rollout.id, until=lambda _: True))
        server.world.clock.advance(rollout.plan.tick)

    for words in (["status", "shop"], ["rollout", "get", "shop"]):
        document = cli(*words, "-o", "json").json()
        assert document["id"] == rollout.id
        assert document["evidence"]["signals"][0]["name"] == "errors"


def test_points_show_how_the_evidence_came_about(cli: Cli, server: Server) -> None:
    """A table for people, the points themselves for programs; nothing of it unless asked."""
    rollout = server.baking()
    for _ in range(3):
        server.do(server.world.run(rollout.id, until=lambda _: True))
        server.world.clock.advance(rollout.plan.tick)

    table = cli("rollout", "evidence", "shop", "--points").out
    document = cli("rollout", "evidence", "shop", "--points", "-o", "json").json()
    without = cli("rollout", "evidence", "shop", "-o", "json").json()

    assert "BAD OF CANDIDATE" in table
    assert "0 of 80" in table
    assert len(document["points"]) >= 2
    assert without["points"] == []


def test_times_are_written_as_asked(cli: Cli, server: Server) -> None:
    """Relative, ISO 8601 or seconds."""
    server.baking()

    relative = cli("status")
    iso = cli("status", "--time-format", "iso")
    raw = cli("status", "--time-format", "raw")

    assert " ago" in relative.out
    assert "2026-03-02T09:" in iso.out
    assert "1772" in raw.out


def test_why_gives_reason_evidence_and_what_can_be_done(cli: Cli, server: Server) -> None:
    """A halted rollout says what stopped it, what it means, and which commands work now."""
    rollout = server.baking()
    cli("halt", rollout.id, "--reason", "INC-431")
    server.turns(rollout)

    told = cli("why", rollout.id)

    assert "Exposure only falls from here" in told.out
    assert "INC-431" in told.out
    assert f'tidegate resume {rollout.id} --reason ".."' in told.out
    assert f"tidegate rollout abandon {rollout.id}" in told.out
    assert f"tidegate halt {rollout.id}" not in told.out
    assert "--replay" in told.out


def test_a_decision_is_made_again_from_the_command_line(cli: Cli, server: Server) -> None:
    """The replay says whether it comes out the same; a command of a person can't be replayed."""
    rollout = server.baking()
    server.run(rollout, State.ROLLED_BACK, failing={Arm.CANDIDATE: 0.5})
    log = cli("rollout", "log", rollout.id, "-o", "json").json()["entries"]
    number = next(one["number"] for one in log if one["rule"] == "harm-proven")

    shown = cli("why", f"d-{number}")
    replayed = cli("why", f"d-{number}", "--replay")
    command = cli("why", "d-1", "--replay")
    without = cli("why", rollout.id, "--replay")

    assert "Decided  halt by rule harm-proven" in shown.out
    assert replayed.code == 0
    assert "the same" in replayed.out
    assert command.code == without.code == 2


def test_data_goes_to_standard_output_and_talk_elsewhere(cli: Cli, server: Server) -> None:
    """A pipe gets data and nothing else; errors leave it empty."""
    good = cli("rollout", "list", "-o", "json")
    bad = cli("status", "nothing", "-o", "json")

    assert good.json()["rollouts"] == []
    assert bad.out == ""
    assert bad.code == 2
    assert len(bad.err.splitlines()) == 2


def test_a_long_line_is_not_cut_in_a_pipe(cli: Cli, server: Server) -> None:
    """What is longer than a terminal is whole all the same."""
    rollout = server.baking()
    reason = "because " * 60

    cli("halt", rollout.id, "--reason", reason)

    assert reason.strip() in cli("status", rollout.id).out


def test_words_of_people_are_shown_as_they_are_and_obeyed_by_nothing(
    cli: Cli, server: Server
) -> None:
    """Square brackets are no colours, and no control character reaches the terminal."""
    rollout = server.baking()

    cli("halt", rollout.id, "--reason", "[red]not red[/red] \x1b[2J\x9b31m")
    shown = cli("status", rollout.id).out

    assert "[red]not red[/red] " in shown
    assert "\x1b" not in shown
    assert "\x9b" not in shown


def test_the_list_filters(cli: Cli, server: Server) -> None:
    """By state, by service, by number."""
    rollout = server.baking()

    assert cli("rollout", "list", "--state", "baking", "-o", "name").out == f"{rollout.id}\n"
    both = cli("rollout", "list", "--state", "baking", "--state", "completed", "-o", "name")
    assert len(both.out.splitlines()) == 2
    assert cli("rollout", "list", "--service", "other").out == "no rollouts yet\n"
    assert len(cli("rollout", "list", "--limit", "1", "-o", "name").out.splitlines()) == 1
    assert cli("rollout", "list", "--state", "green").code == 2
