"""Postmortems on the command line: shown as ever, and written into."""

from datetime import timedelta

import pytest
from served_world import Cli, Server

from tidegate.usecases.halt import halt_rollout


@pytest.fixture
def rollout(server: Server) -> str:
    """Return the id of a rollout that somebody halted."""
    found = server.baking()
    server.do(halt_rollout(server.world.outside, found.id, actor="lead-b", reason="looks wrong"))
    return found.id


def test_it_is_shown_with_and_without_the_word(cli: Cli, rollout: str) -> None:
    """By id, by service, in each format; what it can be asked is told."""
    plain = cli("postmortem", rollout)

    assert plain.code == 0, plain.err
    assert plain.out.startswith("# Postmortem (draft): shop")
    for arguments in (("show", rollout), ("shop",), ("show", "shop"), ("-o", "table", rollout)):
        shown = cli("postmortem", *arguments)
        assert (shown.code, shown.out.splitlines()[0]) == (0, plain.out.splitlines()[0])
    assert cli("postmortem", rollout, "-o", "json").json()["rollout"] == rollout
    assert cli("postmortem", "nothing").code == 2
    assert "factor" in cli("postmortem", "--help").out


def test_factors_are_added_changed_and_removed(cli: Cli, rollout: str) -> None:
    """One call each; the version is the one that is there, or the one that is said."""
    added = cli("postmortem", "factor", "add", rollout, "--text", "lead-b forgot to read the list")
    changed = cli("postmortem", "factor", "change", "f-1", rollout, "--text", "the list was old")
    late = cli(
        "postmortem", "factor", "change", "f-1", rollout, "--text", "slower", "--version", "1"
    )
    listed = cli("postmortem", "factor", "list", rollout)
    asked = cli("postmortem", "factor", "remove", "f-1", rollout)
    removed = cli("postmortem", "factor", "remove", "f-1", rollout, "--yes")

    assert (added.code, "FACTOR f-1  person 1 forgot to read the list" in added.out) == (0, True)
    assert '"forgot to" say what would have reminded anyone' in added.out
    assert (changed.code, changed.out) == (0, "FACTOR f-1  the list was old\n")
    assert (late.code, "is at version 2; you saw version 1" in late.err) == (7, True)
    assert "the list was old" in listed.out
    assert "suggested (stopped-by-a-person): No rule stopped it" in listed.out
    assert (asked.code, "--yes" in asked.err) == (2, True)
    assert (removed.code, "f-1 is removed" in removed.out) == (0, True)
    assert cli("postmortem", "factor", "list", rollout, "-o", "name").out == ""


def test_actions_have_an_owner_and_a_day_and_are_done(
    cli: Cli, server: Server, rollout: str
) -> None:
    """What isn't said when one is changed stays as it is."""
    due = (server.world.clock.now() + timedelta(days=7)).date().isoformat()

    added = cli(
        "postmortem", "action", "add", rollout, "--text", "read it again", "--owner", "team-shop",
        "--due", due,
    )  # fmt: skip
    changed = cli("postmortem", "action", "change", "a-1", rollout, "--owner", "kim")
    done = cli("postmortem", "action", "done", "a-1", rollout)
    listed = cli("postmortem", "action", "list", rollout)
    reopened = cli("postmortem", "action", "reopen", "a-1", rollout, "-o", "json")
    exported = cli("postmortem", rollout)

    assert added.out == f"ACTION a-1  open: read it again   owner: team-shop   due {due}\n"
    assert changed.out == f"ACTION a-1  open: read it again   owner: kim   due {due}\n"
    assert done.out == f"ACTION a-1  done: read it again   owner: kim   due {due}\n"
    assert "done" in listed.out and "kim" in listed.out and due in listed.out
    assert (reopened.json()["is_done"], reopened.json()["version"]) == (False, 4)
    assert f"| read it again | kim | {due} | open |" in exported.out
    assert cli("postmortem", "action", "remove", "a-1", rollout, "--yes").code == 0
    assert cli("postmortem", "action", "done", "a-1", rollout).code == 2


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("factor", "add"), "the text of a factor is empty"),
        (("action", "add", "--text", "x", "--owner", "x", "--due", "soon"), "due"),
        (("action", "add", "--text", "x", "--owner", "x", "--due", "2001-01-01"), "due from today"),
        (("factor", "change", "f-9", "--text", "x"), "there is no factor 'f-9'"),
        (("factor", "change", "../x", "--text", "x", "--version", "1"), "there is no factor"),
    ],
)
def test_what_cannot_be_written_is_refused(
    cli: Cli, rollout: str, arguments: tuple[str, ...], says: str
) -> None:
    """With exit code 2, in words."""
    kind, verb, *rest = arguments
    names = [rest.pop(0)] if verb == "change" else []

    refused = cli("postmortem", kind, verb, *names, rollout, *rest)

    assert (refused.code, says in refused.err) == (2, True), refused.err


def test_a_shell_completes_the_words(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that may be left out doesn't hide the others."""
    monkeypatch.setenv("_TIDEGATE_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "tidegate postmortem ")
    monkeypatch.setenv("COMP_CWORD", "2")

    assert cli().out.split() == ["show", "factor", "action"]
