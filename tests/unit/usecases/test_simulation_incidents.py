"""Each incident of the library does under the plan `standard` what its text says; and files of one's own."""

import json
from dataclasses import replace
from datetime import timedelta
from importlib import resources
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from simulated_service import WITH_EXERCISE, WITH_USAGE, simulated, the_service

from tidegate.documents.incidents import incident_schema_text, load_incident, read_incident
from tidegate.documents.yaml import read_yaml
from tidegate.errors import InvalidDocumentError
from tidegate.usecases.simulation.incidents import library, scenario_of

LIBRARY = {scenario.name: scenario for scenario in library()}

CAUGHT = {
    "bad-config": "first-1%",
    "cache-stampede": "first-1%",
    "expired-certificate": "first-100%",
    "memory-leak": "first-10%",
    "region-specific": "rest",
    "retry-storm": "first-25%",
    "slow-query": "first-1%",
    "wrong-split": "first-1%",
}
"""What the texts promise: caught, and in which phase."""

MISSED = {
    "dormant-path": ("never used", "exercise"),
    "poisoned-cache": ("both arms", "limit signal"),
    "silent-checkout": ("no signal counts", "usage signal"),
}

ELSEWHERE = {"data-dependent-crash", "dependency-outage"}
"""Those with a test of their own."""


def test_every_incident_is_tested() -> None:
    """An incident that is added gets a line above."""
    assert set(LIBRARY) == set(CAUGHT) | set(MISSED) | ELSEWHERE
    assert len(LIBRARY) >= 12


@pytest.mark.parametrize("name", sorted(LIBRARY))
def test_every_incident_tells_its_story(name: str) -> None:
    """Title, what happened and what to expect are there for people."""
    scenario = LIBRARY[name]

    assert len(scenario.title) > 8
    assert len(scenario.text) > 100
    assert scenario.expected


@pytest.mark.parametrize(("name", "phase"), sorted(CAUGHT.items()))
def test_an_incident_is_caught_where_its_text_says(name: str, phase: str) -> None:
    """In most runs, in that phase."""
    result = simulated(LIBRARY[name], runs=3)

    assert result.is_caught
    assert result.caught_in[0][0] == phase


@pytest.mark.parametrize(("name", "words"), sorted(MISSED.items()))
def test_an_incident_that_is_missed_says_why_and_what_would_help(
    name: str, words: tuple[str, str]
) -> None:
    """NOT CAUGHT comes with its reason and a hint."""
    result = simulated(LIBRARY[name], runs=2)

    assert not result.is_caught
    assert words[0] in result.why
    assert words[1] in result.hint


def test_what_would_have_helped_helps() -> None:
    """A usage signal catches the button that does nothing; an exercise keeps the dormant path back."""
    button = simulated(LIBRARY["silent-checkout"], text=WITH_USAGE, runs=3)
    dormant = simulated(LIBRARY["dormant-path"], text=WITH_EXERCISE, runs=2)

    assert button.caught_in[0][0] == "first-1%"
    assert dormant.completed == 0


def test_a_warm_up_lets_a_cache_stampede_at_the_start_pass() -> None:
    """Who knows that caches are cold for half an hour may say so in the plan."""
    strict = simulated(LIBRARY["cache-stampede"], runs=3)
    patient = replace(the_service().plan, warm_up=timedelta(minutes=40))
    waited = simulated(LIBRARY["cache-stampede"], plan=patient, runs=3)

    assert strict.halted == 3
    assert waited.halted <= 1


def test_a_crash_on_certain_data_is_seen_by_the_proxy() -> None:
    """Members that are cut off halt, whatever the error rate is."""
    result = simulated(LIBRARY["data-dependent-crash"], runs=3)

    assert result.halted == 3
    assert "cut off or restarted" in result.why


def test_an_outage_of_a_dependency_is_not_taken_for_the_change() -> None:
    """Both arms suffer alike."""
    result = simulated(LIBRARY["dependency-outage"], runs=3)

    assert not result.is_harmful
    assert result.halted == 0


def test_an_incident_of_ones_own_is_read_from_a_file(tmp_path: Path) -> None:
    """The library's format, in JSON as well."""
    path = tmp_path / "incident.json"
    path.write_text(
        '{"schema": "tidegate.incident/1", "name": "ours", "title": "Ours", "text": "It failed.",'
        ' "faults": [{"errors": "3pp", "after": "10m", "target": "eu-1", "share_above": "1%"}]}'
    )

    scenario = scenario_of(load_incident(path))

    (fault,) = scenario.faults
    assert (fault.errors, fault.target, fault.share_above_bps) == (0.03, "eu-1", 100)
    assert fault.after.total_seconds() == 600
    assert scenario.changed_path == 0.05


def test_everything_that_is_wrong_in_an_incident_is_told_with_its_place() -> None:
    """Unknown keys, wrong units, missing keys and faults that do nothing, all at once."""
    text = """\
schema: tidegate.incident/1
name: ours
text: It failed.
faults:
  - {errors: 3}
  - {after: 1h}
  - {erors: 3pp, silent: true}
"""
    with pytest.raises(InvalidDocumentError) as refused:
        read_incident(text, file="ours.yaml")

    told = refused.value.message
    assert "ours.yaml:5:14: faults[0].errors: errors are tolerated in percentage points" in told
    assert "a fault says what it does" in told
    assert "unknown key `faults[2].erors`" in told
    assert "`title` is missing" in told


def test_the_schema_accepts_what_the_reader_accepts() -> None:
    """Editors are told the same as we are, for all incidents of the library."""
    schema = Draft202012Validator(json.loads(incident_schema_text()))
    folder = resources.files("tidegate.usecases.simulation") / "library"

    for file in folder.iterdir():
        value = read_yaml(file.read_text(encoding="utf-8"), file=file.name).value
        assert list(schema.iter_errors(value)) == []
    assert not schema.is_valid({"schema": "tidegate.incident/1", "name": "ours"})


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    """A sentence with a hint."""
    with pytest.raises(InvalidDocumentError, match="can't be read"):
        load_incident(tmp_path / "none.yaml")
