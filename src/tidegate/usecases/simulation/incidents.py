"""
From incidents as they are written to scenarios that can be simulated, and the ones that come with us.

The library's incidents are our own inventions in the shape of failures that everybody in the trade knows;
none is an account of anybody's outage. A user's own incident is written in the same format.
"""

from importlib import resources
from typing import Final

from tidegate.documents.incidents import WrittenFault, WrittenIncident, read_incident
from tidegate.domain.quantities import FULL_WEIGHT_BPS
from tidegate.usecases.simulation.scenario import Fault, Kind, Scenario, Since, Whom

_PACKAGE: Final = "tidegate.usecases.simulation"
_LIBRARY: Final = "library"


def library() -> tuple[Scenario, ...]:
    """Return the incidents that come with Tidegate, by name."""
    folder = resources.files(_PACKAGE) / _LIBRARY
    files = sorted(
        (entry for entry in folder.iterdir() if entry.name.endswith(".yaml")),
        key=lambda entry: entry.name,
    )
    return tuple(
        scenario_of(read_incident(file.read_text(encoding="utf-8"), file=file.name))
        for file in files
    )


def scenario_of(written: WrittenIncident) -> Scenario:
    """Return *written* as a scenario."""
    return Scenario(
        name=written.name,
        title=written.title,
        kind=Kind.INCIDENT,
        faults=tuple(_fault(fault) for fault in written.faults),
        text=written.text,
        expected=written.expected or "",
        changed_path=written.changed_path / FULL_WEIGHT_BPS,
    )


def _fault(written: WrittenFault) -> Fault:
    return Fault(
        whom=Whom(written.whom),
        since=Since(written.since),
        after=written.after,
        over=written.over,
        lasts=written.lasts,
        target=written.target or "",
        path=written.path / FULL_WEIGHT_BPS,
        load_above=written.load_above or 0.0,
        share_above_bps=written.share_above or 0,
        errors=0.0 if written.errors is None else written.errors.value,
        slower=_or_one(written.slower),
        usage=_or_one(written.usage),
        arrives=_or_one(written.arrives),
        saturation=_or_one(written.saturation),
        restarts_per_hour=written.restarts_per_hour or 0.0,
        silent=written.silent,
    )


def _or_one(factor: float | None) -> float:
    return 1.0 if factor is None else factor
