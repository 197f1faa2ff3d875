"""Breaking and healing versions of the demo, by files."""

from pathlib import Path

import pytest

from tidegate.errors import LabError
from tidegate.lab.faults import (
    FAULT_PARAMETERS,
    LOAD_CONTROL_NAME,
    ActiveFaults,
    Fault,
    break_candidate,
    fault_path,
    faults_in_force,
    heal,
    read_faults,
)
from tidegate.lab.files import WatchedFile, read_json, write_json


def faults_after(directory: Path, fault: str, **parameters: float) -> ActiveFaults:
    break_candidate(directory, "1.1", fault, **parameters)
    return read_faults(fault_path(directory, "1.1"))


@pytest.mark.parametrize(
    ("fault", "parameters", "active"),
    [
        ("errors", {}, ActiveFaults(errors=0.10)),
        ("errors", {"errors": 1.0}, ActiveFaults(errors=1.0)),
        ("latency", {}, ActiveFaults(latency_ms=200.0)),
        ("latency", {"latency_factor": 3.0}, ActiveFaults(latency_factor=3.0)),
        (
            "latency",
            {"latency_factor": 3.0, "latency_ms": 5.0},
            ActiveFaults(latency_factor=3.0, latency_ms=5.0),
        ),
        ("usage-drop", {}, ActiveFaults(usage_drop=0.8)),
        ("crash-at-start", {}, ActiveFaults(crash_at_start=True)),
        ("crash-later", {"crash_after_seconds": 2}, ActiveFaults(crash_after_seconds=2)),
        ("flapping", {}, ActiveFaults(flapping_period_seconds=4.0, flapping_errors=0.5)),
        ("silence", {}, ActiveFaults()),
    ],
)
def test_what_is_broken_is_what_is_read(
    tmp_path: Path, fault: str, parameters: dict[str, float], active: ActiveFaults
) -> None:
    """The side that breaks and the side that serves agree on every fault."""
    found = faults_after(tmp_path, fault, **parameters)

    assert found == active


def test_every_fault_has_its_parameters_listed() -> None:
    """A fault without a row in the table couldn't be told to people."""
    assert set(FAULT_PARAMETERS) == set(Fault)


def test_other_versions_stay_healthy(tmp_path: Path) -> None:
    """A fault belongs to one version."""
    break_candidate(tmp_path, "1.1", "errors")

    assert read_faults(fault_path(tmp_path, "1.0")) == ActiveFaults()


def test_a_new_fault_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    """One fault at a time, so that what is seen has one cause; silence ends too."""
    break_candidate(tmp_path, "1.1", "silence")

    found = faults_after(tmp_path, "errors")

    assert found == ActiveFaults(errors=0.10)
    assert "avoid_version" not in read_json(tmp_path / LOAD_CONTROL_NAME)


def test_silence_is_told_to_the_load(tmp_path: Path) -> None:
    """The service can't make its users stay away; the load can, and keeps its rate."""
    write_json(tmp_path / LOAD_CONTROL_NAME, {"rate": 50})

    break_candidate(tmp_path, "1.1", "silence")

    assert read_json(tmp_path / LOAD_CONTROL_NAME) == {"rate": 50, "avoid_version": "1.1"}


def test_healing_takes_every_fault_away(tmp_path: Path) -> None:
    """All versions are healthy again, and what the load was told beside stays."""
    write_json(tmp_path / LOAD_CONTROL_NAME, {"rate": 50})
    break_candidate(tmp_path, "1.0", "latency")
    break_candidate(tmp_path, "1.1", "silence")

    heal(tmp_path)

    assert read_faults(fault_path(tmp_path, "1.0")) == ActiveFaults()
    assert read_json(tmp_path / LOAD_CONTROL_NAME) == {"rate": 50}


def test_healing_what_was_never_broken_changes_nothing(tmp_path: Path) -> None:
    """Healing may be repeated, also where there is no folder yet."""
    heal(tmp_path / "nothing-here")

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("version", ["1.0/../../etc", "load.control", "ä b", ".."])
def test_a_version_never_leaves_the_folder(tmp_path: Path, version: str) -> None:
    """Any name of a version is the name of one file inside the folder, and not the load's."""
    path = fault_path(tmp_path, version)

    assert path.parent == tmp_path
    assert path.name != LOAD_CONTROL_NAME


@pytest.mark.parametrize(
    ("fault", "parameters", "says"),
    [
        ("error", {}, "no fault called error"),
        ("errors", {"error": 0.1}, "no parameter error"),
        ("errors", {"errors": 1.5}, "0..1"),
        ("errors", {"errors": float("nan")}, "0..1"),
        ("latency", {"latency_ms": -1}, "latency_ms"),
        ("latency", {"latency_factor": float("inf")}, "latency_factor"),
        ("flapping", {"period_seconds": 0}, "period_seconds"),
        ("silence", {"errors": 1}, "no parameter errors"),
    ],
)
def test_refuses_what_cant_be_done(
    tmp_path: Path, fault: str, parameters: dict[str, float], says: str
) -> None:
    """A fault that was mistyped breaks nothing and says what there is."""
    with pytest.raises(LabError) as refusal:
        break_candidate(tmp_path, "1.1", fault, **parameters)

    assert says in refusal.value.message
    assert refusal.value.hint
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"eror": 1}', '{"errors": "many"}', '{"errors": NaN}']
)
def test_refuses_a_file_that_isnt_ours(tmp_path: Path, text: str) -> None:
    """A damaged file is told, not taken for health."""
    path = fault_path(tmp_path, "1.1")
    path.write_text(text)

    with pytest.raises(LabError):
        read_faults(path)


def test_flapping_is_bad_and_good_in_turn() -> None:
    """The first half of each period fails, the second doesn't."""
    faults = ActiveFaults(flapping_period_seconds=4.0, flapping_errors=0.5)

    rates = [faults.error_rate_at(second) for second in range(8)]

    assert rates == [0.5, 0.5, 0.0, 0.0] * 2


def test_a_change_of_a_file_is_noticed_once(tmp_path: Path) -> None:
    """Making, replacing and removing count as changes; looking again doesn't."""
    path = tmp_path / "told.json"
    watched = WatchedFile(path)
    seen = [watched.has_changed(), watched.has_changed()]

    write_json(path, {"a": 1})
    seen += [watched.has_changed(), watched.has_changed()]
    write_json(path, {"a": 2})
    seen += [watched.has_changed(), watched.has_changed()]
    path.unlink()
    seen += [watched.has_changed(), watched.has_changed()]

    assert seen == [True, False] * 4


def test_what_is_broken_now_is_listed_by_version(tmp_path: Path) -> None:
    """Silence too, which is in no version's file; what is healed isn't there."""
    write_json(tmp_path / LOAD_CONTROL_NAME, {})
    break_candidate(tmp_path, "1.3.0", "crash-at-start")
    break_candidate(tmp_path, "1.2.0", "silence")

    found = faults_in_force(tmp_path)
    heal(tmp_path)

    assert found == (("1.2.0", "silence: users avoid it"), ("1.3.0", "crash at start"))
    assert faults_in_force(tmp_path) == ()
