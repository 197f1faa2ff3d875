"""
From counts per group to what they prove of coverage: the numbers of `stats`, the words of `domain`.

What hour it was where the users are is stored with each tick,
so a replay doesn't depend on the time zone data of the day it is made on.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from tidegate.documents.zones import zone as zone_named
from tidegate.domain.health.coverage import (
    CELL_SEPARATOR,
    SHOWN_CELLS,
    CellCount,
    CellEvidence,
    CoverageEvidence,
    CoverageState,
    ZoneEvidence,
    ZoneState,
)
from tidegate.domain.plan.model import CoverageSpec
from tidegate.domain.quantities import FULL_WEIGHT_BPS
from tidegate.stats import coverage as stats

UTC_ZONE: Final = "UTC"
"""Where users are taken to be when nothing says where."""

ZONE_COUNTS_FROM: Final = 0.05
"""A time zone with less of the use than this may sleep through the bake."""

ASSUMED_BUSY_HOURS: Final = frozenset(range(8, 20))
"""Local hours that are taken for busy until the baseline has shown a whole day of its own."""


def cell_counts(
    spec: CoverageSpec,
    counts: Iterable[tuple[str, int, int]],
    *,
    at: datetime,
    target_zone: str | None,
) -> tuple[CellCount, ...]:
    """
    Return what one tick at one target says about coverage.

    Cells that nobody used are left out, but each time zone stays: its hours pass in silence too.

    Args:
        spec: What is to be covered.
        counts: Group (the values of the labels, joined), candidate's and baseline's uses in the tick.
        at: The end of the tick.
        target_zone: The target's time zone, for when no label tells the user's; None is UTC.
    """
    found: list[CellCount] = []
    silent: dict[str, CellCount] = {}
    for cell, candidate, baseline in counts:
        zone = _zone_of(spec, cell, target_zone)
        hour = _local_hour(zone, at)
        count = CellCount(cell=cell, zone=zone, hour=hour, candidate=candidate, baseline=baseline)
        if candidate or baseline:
            found.append(count)
        else:
            silent.setdefault(zone, count)
    heard = {count.zone for count in found}
    return (*found, *(count for zone, count in silent.items() if zone not in heard))


def coverage_evidence(spec: CoverageSpec, state: CoverageState) -> CoverageEvidence:
    """Return what *state* has seen of what *spec* asks for."""
    needed = stats.uses_needed(spec.smallest_failure)
    use = {cell: float(baseline) for cell, _, baseline in state.cells}
    exposures = {cell: float(candidate) for cell, candidate, _ in state.cells}
    total = sum(use.values())
    shares = {cell: amount / total for cell, amount in use.items()} if total else {}
    large = [cell for cell, share in shares.items() if share >= spec.smallest_cell]
    left = sorted(
        (cell for cell in large if exposures[cell] < needed), key=lambda cell: (-use[cell], cell)
    )
    return CoverageEvidence(
        cells=len(large),
        covered=len(large) - len(left),
        uses_needed=needed,
        covered_share=stats.covered_share(use, exposures, needed=needed),
        unseen_candidate=stats.unseen_share_at_most(tuple(exposures.values())),
        unseen_baseline=stats.unseen_share_at_most(tuple(use.values())),
        missing=tuple(
            CellEvidence(cell=cell, share=shares[cell], candidate=int(exposures[cell]))
            for cell in left[:SHOWN_CELLS]
        ),
        zones=_zones(state.zones),
        is_overfull=state.is_overfull,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageForecast:
    """
    How long a phase takes to cover what it must, and what would do.

    `slowest_cell` is the one that fills last. `takes` is None when it never fills. `share_bps` is the
    candidate's share that fills it within the phase's bake, None when no share does.
    """

    slowest_cell: str
    uses_needed: int
    takes: timedelta | None
    share_bps: int | None


def time_to_fill(
    spec: CoverageSpec, use_per_second: Mapping[str, float], *, weight_bps: int, bake: timedelta
) -> CoverageForecast:
    """
    Return when the cells that *spec* asks for fill at *weight_bps*, and what share fills them in *bake*.

    Args:
        spec: What is to be covered.
        use_per_second: Expected use per cell of both arms together, at least 0 each.
        weight_bps: The candidate's share of it, in basis points, 0 to 10,000.
        bake: The time there is, positive.

    Raises:
        ValueError: an argument is outside its range.
    """
    needed = stats.uses_needed(spec.smallest_failure)
    everyone = stats.time_to_fill(
        use_per_second, candidate_share=1.0, needed=needed, share=spec.share
    )
    if everyone is None:
        return CoverageForecast(slowest_cell="", uses_needed=needed, takes=None, share_bps=None)
    would_do = stats.share_to_fill(
        use_per_second, within_seconds=bake.total_seconds(), needed=needed, share=spec.share
    )
    weight = weight_bps / FULL_WEIGHT_BPS
    return CoverageForecast(
        slowest_cell=everyone.cell,
        uses_needed=needed,
        takes=timedelta(seconds=everyone.seconds / weight) if weight else None,
        # Rounded up: a basis point less would not fill it.
        share_bps=None if would_do is None else -int(-would_do * FULL_WEIGHT_BPS // 1),
    )


def is_zone(name: str) -> bool:
    """Return whether *name* is a time zone whose hours this machine can tell."""
    return zone_named(name) is not None


# --- time zones ------------------------------------------------------------------------------


def _zones(zones: Iterable[ZoneState]) -> tuple[ZoneEvidence, ...]:
    known = tuple(zones)
    total = sum(sum(zone.baseline) for zone in known)
    found = []
    for zone in known:
        share = sum(zone.baseline) / total if total else 0.0
        if share < ZONE_COUNTS_FROM:
            continue
        measured = stats.busy_hours(
            [
                baseline / looked if looked else None
                for baseline, looked in zip(zone.baseline, zone.looked_seconds, strict=True)
            ]
        )
        busy = ASSUMED_BUSY_HOURS if measured is None else measured
        found.append(
            ZoneEvidence(
                zone=zone.zone,
                share=share,
                busy_for=timedelta(seconds=sum(zone.seconds[hour] for hour in sorted(busy))),
                is_known=zone.is_known,
                is_measured=measured is not None,
            )
        )
    return tuple(found)


def _zone_of(spec: CoverageSpec, cell: str, target_zone: str | None) -> str:
    if spec.timezone_label is None:
        return target_zone or UTC_ZONE
    values = cell.split(CELL_SEPARATOR)
    if len(values) != len(spec.by):
        # A value holds the separator itself: which part is the time zone can't be told.
        return ""
    return values[spec.by.index(spec.timezone_label)]


def _local_hour(zone: str, at: datetime) -> int | None:
    info = zone_named(zone)
    return None if info is None else at.astimezone(info).hour
