"""`simulate`: what is said of plans, side by side, without a server; and past rollouts from one."""

import json
from pathlib import Path

import pytest
from served_world import Cli, Server

from tidegate.domain.quantities import Arm
from tidegate.domain.rollout.machine import State

QUICK = ("--runs", "2", "--against", "faults")

OWN_INCIDENT = """\
schema: tidegate.incident/1
name: null-tax
title: Null tax
text: Orders without a tax failed.
faults:
  - {errors: 20pp}
"""


@pytest.fixture
def incident(elsewhere: Path) -> Path:
    """Return a file with an incident of the user's own."""
    path = elsewhere / "null-tax.yaml"
    path.write_text(OWN_INCIDENT)
    return path


def test_it_says_where_faults_are_caught_and_why_not(cli: Cli, shop: Path) -> None:
    """A line per fault with phase, users and time; what was missed with its reason; no server."""
    done = cli("simulate", *QUICK)

    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert "caught in" in lines[1]
    assert "users hit" in lines[1]
    missed = next(index for index, line in enumerate(lines) if "usage -30%" in line)
    assert "NOT CAUGHT" in lines[missed]
    assert "no signal counts what users come for" in lines[missed + 1]
    assert any("brown-out" in line and "%" in line for line in lines)
    assert "Assumed: 100 requests/s" in done.out
    assert "seed 1, result sha256:" in lines[-1]


def test_the_same_seed_prints_the_same_digest(cli: Cli, shop: Path, incident: Path) -> None:
    """Down to the last number; another seed is other luck."""
    asked = ("simulate", "--runs", "2", "--incident", str(incident), "-o", "json")

    first, again = cli(*asked).json(), cli(*asked).json()
    other = cli(*asked, "--seed", "2").json()

    assert first == again
    assert first["digest"] != other["digest"]
    assert first["schema_version"] == 1


def test_json_holds_every_number(cli: Cli, shop: Path, incident: Path) -> None:
    """Per plan and scenario: caught, where, whom it hit, when, how often."""
    done = cli("simulate", "shop", "--runs", "3", "--incident", str(incident), "-o", "json")

    document = done.json()
    (result,) = document["results"]
    assert document["service"] == "shop"
    assert result["scenario"] == "null-tax"
    assert result["caught"] is True
    assert result["caught_in"] == [{"phase": "few", "runs": 3}]
    assert result["halted"] + result["held"] == 3
    assert result["failed_requests"] > 0
    assert result["seconds_to_stop"] > 0
    assert result["seconds_from_start_to_stop"] >= result["seconds_to_stop"]


@pytest.mark.parametrize(
    "words",
    [
        ["--compare", "plan:main", "plan:lab"],
        ["--compare", "plan:lab"],
        ["shop", "--compare", "plan:main", "--compare", "plan:lab"],
    ],
)
def test_two_plans_stand_side_by_side(
    cli: Cli, shop: Path, incident: Path, words: list[str]
) -> None:
    """The file's own and one of the library, however it is said."""
    done = cli("simulate", *words, "--runs", "2", "--incident", str(incident))

    assert done.code == 0
    head = done.out.splitlines()[0]
    assert head.split() == ["plan", "main", "plan", "lab"]


def test_another_file_can_be_compared(cli: Cli, shop: Path, incident: Path) -> None:
    """A plan that is being written needs no change of the one in force."""
    slower = shop.parent / "slower.yaml"
    slower.write_text(shop.read_text().replace("traffic: 10%", "traffic: 1%"))

    done = cli(
        "simulate",
        "--compare",
        "slower.yaml",
        "--runs",
        "2",
        "--incident",
        str(incident),
        "-o",
        "json",
    )

    assert done.json()["plans"] == ["main", "slower.yaml"]
    one, other = done.json()["results"]
    assert one["seconds_to_stop"] <= other["seconds_to_stop"]


def test_healthy_changes_are_run_ten_times_as_often(cli: Cli, shop: Path) -> None:
    """The rate of false halts comes with its standard error."""
    done = cli("simulate", "--against", "aa", "--runs", "2", "-o", "json")

    (result,) = done.json()["results"]
    assert result["runs"] == 20
    assert result["is_harmful"] is False
    assert result["halt_rate"] <= 0.1
    assert result["halt_rate_standard_error"] > 0
    assert result["seconds_to_finish"] >= 50


def test_names_are_what_was_not_caught(cli: Cli, shop: Path) -> None:
    """For scripts: one line a plan and fault that gets through, none when all is caught."""
    done = cli("simulate", *QUICK, "-o", "name")

    assert "custom usage-30" in done.out.splitlines()
    assert "custom errors-2pp" not in done.out.splitlines()[:1]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--against", "faults,magic"], "doesn't know 'magic'"),
        (["--compare", "plan:none"], "there is no plan 'none'"),
        (["--compare", "plan:main", "plan:main"], "are the same plan"),
        (["--compare", "plan:main", "plan:lab", "plan:quick"], "two plans can be compared"),
        (["other"], "is of shop, not of other"),
        (["shop", "other"], "one service can be simulated"),
        (["--traffic", "lots"], "must be requests per second"),
        (["--incident", "none.yaml"], "none.yaml can't be read"),
    ],
)
def test_what_can_not_be_simulated_is_told(
    cli: Cli, shop: Path, words: list[str], told: str
) -> None:
    """A sentence and a hint, exit code 2, nothing on standard output."""
    done = cli("simulate", *words)

    assert (done.code, done.out) == (2, "")
    assert told in done.err
    assert "Traceback" not in done.err


def test_without_a_file_there_is_nothing_to_simulate(cli: Cli, elsewhere: Path) -> None:
    """It says how to name one."""
    done = cli("simulate")

    assert done.code == 2
    assert "there is no tidegate.yaml here or above" in done.err


def test_only_past_rollouts_need_a_server(cli: Cli, shop: Path) -> None:
    """Without one it is said so."""
    done = cli("simulate", "--rollouts", "last")

    assert done.code == 1
    assert "server" in done.err


def test_a_past_rollout_is_replayed(cli: Cli, shop: Path, server: Server) -> None:
    """The last one that is over, through another plan: what failed then is caught here too."""
    rollout = server.baking()
    server.run(rollout, State.ROLLED_BACK, failing={Arm.CANDIDATE: 0.5})

    last = cli("simulate", "--rollouts", "last", "--runs", "2", "-o", "json")
    named = cli("simulate", "--rollouts", rollout.id, "--runs", "2", "-o", "json")

    (result,) = last.json()["results"]
    assert result["scenario"] == f"rollout-{rollout.id}"
    assert result["caught"] is True
    assert json.loads(named.out)["digest"] == last.json()["digest"]
    assert any("recorded change" in sentence for sentence in last.json()["assumptions"])
