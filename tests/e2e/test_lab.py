"""The lab is the product's own acceptance test: what it says of itself must be so."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from readme_lab import RanLab

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.envoy,
    pytest.mark.timeout(400),
]


@pytest.fixture
def document(readme_lab: RanLab) -> dict:
    """What the lab says that it found."""
    return readme_lab.document


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


def test_the_lab_leaves_nothing_behind(readme_lab: RanLab) -> None:
    """Every process of this lab has ended; another lab may run beside it."""
    assert running_in(readme_lab.folder) == []


def test_a_lab_that_is_ended_early_leaves_nothing_behind_either(tmp_path: Path) -> None:
    """Told to end in the middle of a rollout, whose server would start again what is missing."""
    own = tmp_path / "state"
    command = [sys.executable, "-m", "tidegate.cli.app", "lab", "--once", "-o", "json"]
    with subprocess.Popen(
        [*command, "--state-dir", str(own)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as lab:
        assert lab.stderr is not None
        for line in lab.stderr:
            if "applying" in line:
                lab.send_signal(signal.SIGINT)
                break
        printed, told = lab.communicate()

    assert lab.returncode == 1
    assert "ends early" in told
    assert printed == ""
    assert running_in(own) == []


def running_in(folder: Path) -> list[str]:
    """Return the ids of the processes that name *folder*."""
    processes = [entry for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [entry.name for entry in processes if str(folder).encode() in command_line(entry)]


def command_line(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        return b""
