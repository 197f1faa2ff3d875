"""The lab is the product's own acceptance test: what it says of itself must be so."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.envoy,
    pytest.mark.timeout(400),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the one lab that these tests look at."""
    return tmp_path_factory.mktemp("lab") / "state"


@pytest.fixture(scope="module")
def document(folder: Path) -> dict:
    """The one document of `tidegate lab --once -o json`."""
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "tidegate.cli.app",
            "lab",
            "--once",
            "-o",
            "json",
            "--state-dir",
            str(folder),
        ],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def of(document: dict, name: str) -> dict:
    return next(rollout for rollout in document["rollouts"] if rollout["name"] == name)


def test_the_good_version_goes_out_to_everyone(document: dict) -> None:
    """Every phase is passed, in order, with growing exposure."""
    healthy = of(document, "healthy")

    assert healthy["outcome"] == "completed"
    exposures = [phase["exposure"]["lab-1"] for phase in healthy["phases"]]
    assert exposures == ["internal only", "5%", "25%", "50%", "100%"]


def test_the_bad_version_is_put_back(document: dict) -> None:
    """It is caught at 5 %, soon, and few users ever met it."""
    harmful = of(document, "harmful")

    assert harmful["outcome"] == "rolled_back"
    assert [phase["exposure"]["lab-1"] for phase in harmful["phases"]] == ["internal only", "5%"]
    assert 0 < harmful["seconds_to_withdrawal"] <= 60
    assert harmful["exposed_share"] < 0.1


def test_no_request_is_lost(document: dict) -> None:
    """Neither a change of weight nor a drain nor a rollback costs a user anything."""
    for rollout in document["rollouts"]:
        assert rollout["requests"]["lost"] == 0
        assert rollout["requests"]["total"] > 1000


def test_every_decision_says_why(document: dict) -> None:
    """The document alone tells the story."""
    for rollout in document["rollouts"]:
        assert len(rollout["decisions"]) > 5
        assert all(decision["because"] for decision in rollout["decisions"])
        states = [decision["state_after"] for decision in rollout["decisions"]]
        assert states[-1] == rollout["outcome"]


def test_the_lab_leaves_nothing_behind(document: dict, folder: Path) -> None:
    """Every process of this lab has ended; another lab may run beside it."""
    own = str(folder).encode()

    processes = [entry for entry in Path("/proc").iterdir() if entry.name.isdigit()]

    assert document["rollouts"]
    assert [entry.name for entry in processes if own in command_line(entry)] == []


def command_line(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        return b""
