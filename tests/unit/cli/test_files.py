"""`init`, `validate` and `plan --resolved`: what works without a server."""

import json
import os
from pathlib import Path

import pytest
from served_world import Cli

from tidegate.documents.service_file import read_service
from tidegate.testing.memory_world import DOCUMENT


def test_init_writes_a_file_that_validates(cli: Cli, elsewhere: Path) -> None:
    """What init writes is a service that can be used, named after the folder."""
    made = cli("init", "--service", "checkout", "--owner", "team-pay")
    checked = cli("validate")

    assert made.code == 0
    assert "service: checkout" in (elsewhere / "tidegate.yaml").read_text()
    assert (checked.code, checked.err) == (0, "")
    assert "ok, service checkout" in checked.out


def test_init_names_the_service_after_the_folder(cli: Cli, elsewhere: Path) -> None:
    """A folder's name is made fit to be a service's."""
    folder = elsewhere / "My Shop_2"
    folder.mkdir()

    made = cli("init", str(folder / "tidegate.yaml"), "-o", "json")

    assert made.json()["service"] == "my-shop-2"


def test_init_overwrites_only_by_force(cli: Cli, shop: Path) -> None:
    """A file that is there stays as it is, unless it's said."""
    before = shop.read_text()

    refused = cli("init")
    kept = shop.read_text()
    forced = cli("init", "--force")

    assert refused.code == 2
    assert "--force" in refused.err
    assert kept == before
    assert forced.code == 0
    assert shop.read_text() != before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_init_says_that_it_may_not_write(cli: Cli, elsewhere: Path) -> None:
    """Without permission there is a sentence and no trace."""
    elsewhere.chmod(0o500)

    made = cli("init")

    elsewhere.chmod(0o700)
    assert made.code == 2
    assert "permission denied" in made.err


def test_init_makes_the_folder_that_is_missing(cli: Cli, elsewhere: Path) -> None:
    """A new service needs no mkdir first."""
    made = cli("init", "new/shop/tidegate.yaml")

    assert made.code == 0
    assert (elsewhere / "new" / "shop" / "tidegate.yaml").exists()


def test_init_below_a_file_is_told(cli: Cli, elsewhere: Path) -> None:
    """What can't be a folder is a sentence with a hint."""
    (elsewhere / "taken").write_text("")

    made = cli("init", "taken/tidegate.yaml")

    assert made.code == 2
    assert "can't be written" in made.err
    assert "Traceback" not in made.err


def test_validate_tells_all_problems_at_once_with_places_and_fixes(
    cli: Cli, elsewhere: Path
) -> None:
    """Every problem has file, line and column, and a fix; the exit code is 2."""
    text = DOCUMENT.replace("10s", "10").replace("owner:", "ownr:")
    (elsewhere / "tidegate.yaml").write_text(text)

    checked = cli("validate")

    assert checked.code == 2
    lines = checked.out.splitlines()
    assert [line for line in lines if line.startswith("tidegate.yaml:3:")]
    assert [line for line in lines if line.startswith("tidegate.yaml:16:")]
    assert sum(line.strip().startswith("fix:") for line in lines) >= 2


def test_validate_warns_and_still_passes(cli: Cli, shop: Path) -> None:
    """Warnings are told with their place; they don't fail the check."""
    checked = cli("validate", str(shop), "-o", "json")

    assert checked.code == 0
    document = checked.json()
    assert document["valid"] is True
    assert "usage-signal-present" in document["files"][0]["warnings"][0]


def test_validate_without_a_file_says_how_to_get_one(cli: Cli) -> None:
    """An empty folder is told what to do."""
    checked = cli("validate")

    assert checked.code == 2
    assert "tidegate init" in checked.err


def test_resolved_is_the_document_that_runs(cli: Cli, shop: Path) -> None:
    """`plan --resolved` prints every default, without a server, and it is what would be hashed."""
    printed = cli("plan", "--resolved", "-o", "json")

    document = json.loads(printed.out)
    del document["schema_version"]
    resolved = read_service(DOCUMENT, file="tidegate.yaml", base_dir=shop.parent)
    assert printed.code == 0
    assert document == resolved.canonical
    assert "quarantine: 1m" in cli("plan", "--resolved").out


def test_a_file_is_found_from_a_folder_below(
    cli: Cli, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The nearest tidegate.yaml above is the one that's meant."""
    below = shop.parent / "src" / "deep"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)

    checked = cli("validate")

    assert checked.code == 0
    assert "service shop" in checked.out


def test_every_page_of_help_can_be_shown(cli: Cli) -> None:
    """Each command explains itself and exits with 0."""
    for words in (
        [],
        ["plan"],
        ["rollout"],
        ["rollout", "log"],
        ["service", "get"],
        ["server", "run"],
        ["lab"],
    ):
        shown = cli(*words, "--help")
        assert shown.code == 0, words
        assert "Usage: tidegate" in shown.out


def test_wrong_usage_exits_with_2(cli: Cli) -> None:
    """Unknown commands, options and values are usage errors, told on standard error."""
    for words in (
        ["nonsense"],
        ["plan", "--nonsense"],
        ["status", "-o", "xml"],
        ["completion", "x"],
    ):
        refused = cli(*words)
        assert refused.code == 2, words
        assert refused.out == ""
        assert refused.err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell"])
def test_completion_prints_a_script_that_names_the_program(cli: Cli, shell: str) -> None:
    """Each shell gets its script on standard output."""
    printed = cli("completion", shell)

    assert printed.code == 0
    assert "_TIDEGATE_COMPLETE" in printed.out


def test_version_in_every_way(cli: Cli) -> None:
    """The version can be asked for as a command and as an option, and read by a program."""
    assert cli("version").out.startswith("tidegate ")
    assert cli("--version").out == cli("version").out
    assert cli("version", "-o", "json").json()["schema_version"] == 1
