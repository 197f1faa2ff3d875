"""
Which kinds of use a phase must have seen: as it is written, and in the resolved document.

A cell is one combination of the values of the labels `by`; counts of use per cell come from a counter
that carries these labels. Envoy's counters carry none.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final

from pydantic import Field

from tidegate.documents.components import Text, Written
from tidegate.documents.notation import checked_by, format_share, parse_share, shown
from tidegate.documents.problems import Complaint, KeyPath
from tidegate.documents.written import Coverage
from tidegate.documents.zones import zone as known_zone
from tidegate.domain.plan.model import CoverageSpec
from tidegate.domain.quantities import FULL_WEIGHT_BPS

PATH: Final[KeyPath] = ("health", "coverage")
_UNFIT: Final = ("bad", "bad_metric", "total_metric", "unit", "strata", "aggregate")
BUSY_HOURS: Final = 2
"""Where the file says nothing; a lab's bakes are seconds long, so there it is none."""


_Bps = Annotated[int, checked_by(parse_share)]


class ResolvedCoverage(Written):
    """Coverage in the resolved document."""

    by: Annotated[list[Text], Field(min_length=1, max_length=8)]
    smallest_cell: _Bps
    smallest_failure: _Bps
    share: _Bps
    unseen: _Bps
    busy_hours: Annotated[int, Field(ge=0, le=24)]
    timezone_label: Text | None
    source: Text
    settings: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedCoverage:
    """What is asked for, before it is known whether the targets are labs."""

    spec: CoverageSpec
    has_busy_hours: bool

    def in_force(self, *, is_lab: bool) -> CoverageSpec:
        """Return the coverage that phases ask for."""
        if self.has_busy_hours or not is_lab:
            return self.spec
        return replace(self.spec, busy_hours=0)


def asked_coverage(
    written: Coverage, source: str, settings: tuple[tuple[str, str], ...]
) -> AskedCoverage:
    """Return what *written* asks for, read from *source* by *settings*."""
    return AskedCoverage(
        spec=CoverageSpec(
            by=tuple(written.by),
            smallest_cell=_fraction(written.smallest_cell),
            smallest_failure=_fraction(written.smallest_failure),
            share=_fraction(written.share),
            unseen=_fraction(written.unseen),
            busy_hours=BUSY_HOURS if written.busy_hours is None else written.busy_hours,
            timezone_label=written.timezone_label,
            source=source,
            settings=settings,
        ),
        has_busy_hours=written.busy_hours is not None,
    )


def coverage_complaints(written: Coverage) -> list[Complaint]:
    """Return what is wrong with *written*, but for what its source makes of it."""
    found = [
        Complaint(
            path=(*PATH, key),
            what=f"`{key}` means nothing to coverage, which counts all use",
            fix="remove it; name one counter of requests by metric or query",
            on_key=True,
        )
        for key in _UNFIT
        if getattr(written, key) is not None
    ]
    twice = [label for label in written.by if written.by.count(label) > 1]
    if twice:
        found.append(
            Complaint(
                path=(*PATH, "by"),
                what=f"the label {shown(twice[0])} stands twice",
                fix="name each label once",
            )
        )
    if written.timezone_label is not None and written.timezone_label not in written.by:
        found.append(
            Complaint(
                path=(*PATH, "timezone_label"),
                what=f"{shown(written.timezone_label)} isn't one of the labels `by`",
                fix=f"add it to by, or take one of: {', '.join(dict.fromkeys(written.by))}",
            )
        )
    return found


def zone_complaints(spec: CoverageSpec, zones: Sequence[str | None]) -> list[Complaint]:
    """Return which of the targets' time zones, in order, has hours that can't be told."""
    if spec.busy_hours == 0 or spec.timezone_label is not None:
        return []
    return [
        Complaint(
            path=("targets", index, "timezone"),
            what=f"{shown(zone)} is no time zone that is known here",
            fix="write an IANA name like Europe/Paris; where no name is known, install tzdata",
        )
        for index, zone in enumerate(zones)
        if zone is not None and known_zone(zone) is None
    ]


def coverage_document(spec: CoverageSpec | None) -> dict[str, Any]:
    """Return *spec* as part of a resolved phase: nothing where none is asked for."""
    if spec is None:
        return {}
    return {
        "coverage": {
            "by": list(spec.by),
            "smallest_cell": _written(spec.smallest_cell),
            "smallest_failure": _written(spec.smallest_failure),
            "share": _written(spec.share),
            "unseen": _written(spec.unseen),
            "busy_hours": spec.busy_hours,
            "timezone_label": spec.timezone_label,
            "source": spec.source,
            "settings": dict(spec.settings),
        }
    }


def coverage_from(document: ResolvedCoverage | None) -> CoverageSpec | None:
    """Return the coverage that a resolved phase holds; the inverse of `coverage_document`."""
    if document is None:
        return None
    return CoverageSpec(
        by=tuple(document.by),
        smallest_cell=_fraction(document.smallest_cell),
        smallest_failure=_fraction(document.smallest_failure),
        share=_fraction(document.share),
        unseen=_fraction(document.unseen),
        busy_hours=document.busy_hours,
        timezone_label=document.timezone_label,
        source=document.source,
        settings=tuple(sorted(document.settings.items())),
    )


def _fraction(bps: int) -> float:
    return bps / FULL_WEIGHT_BPS


def _written(fraction: float) -> str:
    return format_share(round(fraction * FULL_WEIGHT_BPS))
