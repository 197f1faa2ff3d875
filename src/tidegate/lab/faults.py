"""
The ways in which the lab can break a version of its demo service.

A fault is a file: `FOLDER/VERSION.json` is read by every process of that version, several times a
second, and `FOLDER/load.control` by the load. So a version can be broken before it runs, while it
runs, and for all its processes at once. One fault per version at a time: a new one replaces the old.

`silence` is the one fault that the service can't do: the load avoids the users that meet the version.
"""

import math
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, unquote

from tidegate.errors import LabError
from tidegate.lab.files import read_json, write_json

LOAD_CONTROL_NAME: Final = "load.control"


class Fault(StrEnum):
    """What can be wrong with a version."""

    ERRORS = "errors"
    """A share of requests is answered with status 500."""
    LATENCY = "latency"
    """Every request takes longer, by `latency_ms` or by `latency_factor`."""
    USAGE_DROP = "usage-drop"
    """A share of orders is answered with thanks and forgotten; no error shows."""
    SILENCE = "silence"
    """Nearly no user comes to the version any more."""
    CRASH_AT_START = "crash-at-start"
    """The process ends before it listens; one that runs already is left alone."""
    CRASH_LATER = "crash-later"
    """The process ends after a while, again after each restart."""
    FLAPPING = "flapping"
    """Bad and good in turn: half of each period with errors, half without."""


FAULT_PARAMETERS: Final[dict[Fault, dict[str, float]]] = {
    Fault.ERRORS: {"errors": 0.10},
    Fault.LATENCY: {"latency_ms": 200.0, "latency_factor": 1.0},
    Fault.USAGE_DROP: {"usage_drop": 0.8},
    Fault.SILENCE: {},
    Fault.CRASH_AT_START: {},
    Fault.CRASH_LATER: {"crash_after_seconds": 20.0},
    Fault.FLAPPING: {"period_seconds": 4.0, "errors": 0.5},
}
"""What each fault can be given, with the default. Shares are 0..1."""

_SHARES: Final = frozenset({"errors", "usage_drop"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveFaults:
    """What is wrong with a version now, as its processes read it."""

    errors: float = 0.0
    latency_ms: float = 0.0
    latency_factor: float = 1.0
    usage_drop: float = 0.0
    crash_at_start: bool = False
    crash_after_seconds: float | None = None
    flapping_period_seconds: float | None = None
    flapping_errors: float = 0.0

    def error_rate_at(self, seconds: float) -> float:
        """Return the share of requests that fail *seconds* after any fixed moment."""
        if self.flapping_period_seconds is None:
            return self.errors
        is_bad_half = seconds % self.flapping_period_seconds < self.flapping_period_seconds / 2
        return self.flapping_errors if is_bad_half else self.errors


def break_candidate(directory: Path, version: str, fault: str, **parameters: float) -> None:
    """
    Let *version* have *fault* from now on, with *parameters* in place of `FAULT_PARAMETERS`.

    Raises:
        LabError: there is no such fault or parameter, or a value is out of its bounds.
    """
    kind = _fault_named(fault)
    values = {**FAULT_PARAMETERS[kind], **_checked(kind, parameters)}
    control = read_json(directory / LOAD_CONTROL_NAME)
    control.pop("avoid_version", None)
    document: dict[str, Any]
    match kind:
        case Fault.CRASH_AT_START:
            document = {"crash_at_start": True}
        case Fault.FLAPPING:
            document = {"flapping": values}
        case Fault.SILENCE:
            document = {}
            control["avoid_version"] = version
        case Fault.LATENCY:
            # Asked for a factor alone, nobody wants the default of 200 ms on top.
            if "latency_ms" not in parameters and "latency_factor" in parameters:
                del values["latency_ms"]
            document = dict(values)
        case Fault.ERRORS | Fault.USAGE_DROP | Fault.CRASH_LATER:
            document = dict(values)
    write_json(fault_path(directory, version), document)
    write_json(directory / LOAD_CONTROL_NAME, control)


def heal(directory: Path) -> None:
    """Take every fault away from every version; what else the load was told stays."""
    for path in directory.glob("*.json"):
        path.unlink(missing_ok=True)
    control = read_json(directory / LOAD_CONTROL_NAME)
    if control.pop("avoid_version", None) is not None:
        write_json(directory / LOAD_CONTROL_NAME, control)


def fault_path(directory: Path, version: str) -> Path:
    """Return where the faults of *version* are written."""
    return directory / f"{quote(version, safe='')}.json"


def read_faults(path: Path) -> ActiveFaults:
    """
    Return the faults written at *path*; none when there is no such file.

    Raises:
        LabError: the file can't be understood.
    """
    document = read_json(path)
    flapping = document.pop("flapping", None)
    if isinstance(flapping, dict):
        document["flapping_period_seconds"] = flapping.get("period_seconds")
        document["flapping_errors"] = flapping.get("errors")
    known = ActiveFaults.__dataclass_fields__
    for name, value in document.items():
        is_number = isinstance(value, int | float) and math.isfinite(value)
        if name not in known or not is_number:
            raise LabError(
                f"{path} has the fault {name} = {value!r}",
                hint=f"known are {', '.join(known)}, each with a number",
            )
    return ActiveFaults(**document)


def faults_in_force(directory: Path) -> tuple[tuple[str, str], ...]:
    """
    Return the versions that are broken now, each with what is wrong with it in words, in order.

    Raises:
        LabError: a file of a fault can't be understood.
    """
    found: dict[str, list[str]] = {}
    for path in directory.glob("*.json"):
        active = read_faults(path)
        # One that is silent has an empty file: it is the users who avoid it.
        found[unquote(path.stem)] = [
            name.replace("_", " ") if value is True else f"{name.replace('_', ' ')} {value:g}"
            for name, value in asdict(active).items()
            if value != getattr(ActiveFaults(), name)
        ]
    avoided = read_json(directory / LOAD_CONTROL_NAME).get("avoid_version")
    if avoided is not None:
        found.setdefault(avoided, []).append("silence: users avoid it")
    return tuple((version, ", ".join(words)) for version, words in sorted(found.items()) if words)


def _fault_named(name: str) -> Fault:
    names = [fault.value for fault in Fault]
    if name in names:
        return Fault(name)
    close = get_close_matches(name, names, n=1)
    meant = f"did you mean {close[0]}? " if close else ""
    raise LabError(
        f"there is no fault called {name}", hint=f"{meant}the faults are {', '.join(names)}"
    )


def _checked(fault: Fault, parameters: dict[str, float]) -> dict[str, float]:
    allowed = FAULT_PARAMETERS[fault]
    for name, value in parameters.items():
        if name not in allowed:
            known = ", ".join(allowed) or "none"
            raise LabError(
                f"the fault {fault.value} has no parameter {name}",
                hint=f"its parameters are: {known}",
            )
        most = 1.0 if name in _SHARES else math.inf
        if not 0 <= value <= most or math.isinf(value) or (name == "period_seconds" and value == 0):
            bounds = "0..1" if name in _SHARES else "a number above 0"
            raise LabError(f"{name} must be {bounds}, got {value}", hint=f"give it as {bounds}")
    return parameters
