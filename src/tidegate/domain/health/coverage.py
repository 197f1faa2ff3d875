"""
Which kinds of use a bake has seen: counts per cell and per local hour, and what is still missing.

A cell is one combination of labels such as region, client and feature path; a bake that has met no
phone proves nothing about phones. Only counting and words are here: how much is enough is computed by
`usecases.coverage` with the numbers of `stats.coverage`. Clocks are not read and time zones are not
looked up: a count comes with the hour that it was there, so that a replay gives the same answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from tidegate.domain.durations import rough_duration
from tidegate.domain.plan.model import CoverageSpec

CELL_SEPARATOR: Final = " | "
"""Between the values of a cell's labels, in the order in which the labels are written."""

MOST_CELLS: Final = 5_000
"""More cells than this are a label with endless values (an id, a full path), not kinds of use."""

SHOWN_CELLS: Final = 5
"""How many of the cells that are missing are named: the largest ones."""

HOURS_A_DAY: Final = 24
_NO_HOURS: Final = (0.0,) * HOURS_A_DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class CellCount:
    """
    How often each arm was used in one cell during one tick.

    `zone` is the IANA time zone of those users and `hour` the local hour it was there, 0 to 23; None
    when the zone isn't one that is known, so that its hours can't be told.
    """

    cell: str
    zone: str
    hour: int | None
    candidate: int
    baseline: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneState:
    """
    The local day of one time zone, in 24 hours each.

    `seconds` is how long the present bake has run in each hour; `baseline` and `looked_seconds` are
    the baseline's use and how long it was counted, over all phases of the attempt. `is_known` is
    whether its hours can be told.
    """

    zone: str
    is_known: bool = True
    seconds: tuple[float, ...] = _NO_HOURS
    baseline: tuple[float, ...] = _NO_HOURS
    looked_seconds: tuple[float, ...] = _NO_HOURS


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageState:
    """
    The counts of one attempt.

    `cells` are name, candidate's uses in this phase and baseline's uses in the attempt, by name: what
    kinds of use there are is known longer than a phase, what the candidate has met is not.
    `is_overfull` says that cells were left out because there were too many.
    """

    cells: tuple[tuple[str, int, int], ...] = ()
    zones: tuple[ZoneState, ...] = ()
    is_overfull: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CellEvidence:
    """One cell that isn't covered: its share of the baseline's use, and what the candidate has seen."""

    cell: str
    share: float
    candidate: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneEvidence:
    """
    One time zone that holds enough of the use to count, and how long its busy hours were in the bake.

    `is_measured` is whether its busy hours are those of the baseline's own day, or assumed.
    """

    zone: str
    share: float
    busy_for: timedelta
    is_known: bool
    is_measured: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageEvidence:
    """
    What a phase has seen of the kinds of use there are.

    `cells` counts those that are large enough to matter, `covered` those of them that are covered,
    `uses_needed` what covers one. `covered_share` is the share of all use that is of covered cells;
    `unseen_candidate` and `unseen_baseline` bound the share that is of kinds never seen, 1 when
    nothing is known. `missing` names the largest cells that are not covered.
    """

    cells: int
    covered: int
    uses_needed: int
    covered_share: float
    unseen_candidate: float
    unseen_baseline: float
    missing: tuple[CellEvidence, ...]
    zones: tuple[ZoneEvidence, ...]
    is_overfull: bool = False


def begin_phase(before: CoverageState | None) -> CoverageState:
    """Return the state that a phase begins with: what is known of the baseline stays, no more."""
    if before is None:
        return CoverageState()
    return replace(
        before,
        cells=tuple((cell, 0, baseline) for cell, _, baseline in before.cells if baseline),
        zones=tuple(replace(zone, seconds=_NO_HOURS) for zone in before.zones),
    )


def fold(
    state: CoverageState, counts: Sequence[CellCount], *, looked: timedelta, baked: timedelta
) -> CoverageState:
    """
    Return the state after one tick.

    Args:
        state: The state before it.
        counts: What each arm did in each cell; the same cell may come several times.
        looked: How long the tick was looked at. Counts were made in that time.
        baked: How much of it counts as bake: nothing while the rollout is held.
    """
    cells, is_overfull = _fold_cells(state, counts)
    return CoverageState(
        cells=cells,
        zones=_fold_zones(state.zones, counts, looked=looked, baked=baked),
        is_overfull=is_overfull,
    )


def missing_reasons(evidence: CoverageEvidence | None, spec: CoverageSpec) -> tuple[str, ...]:
    """Return what of *spec* is not met by *evidence*, in words; nothing seen meets nothing."""
    if evidence is None:
        return ("coverage: no use seen yet",)
    return (
        *_cell_reasons(evidence, spec),
        *_unseen_reasons(evidence, spec),
        *_zone_reasons(evidence, spec),
    )


# --- counting --------------------------------------------------------------------------------


def _fold_cells(
    state: CoverageState, counts: Sequence[CellCount]
) -> tuple[tuple[tuple[str, int, int], ...], bool]:
    known = {cell: (candidate, baseline) for cell, candidate, baseline in state.cells}
    is_overfull = state.is_overfull
    for count in counts:
        if count.cell not in known and len(known) >= MOST_CELLS:
            is_overfull = True
            continue
        candidate, baseline = known.get(count.cell, (0, 0))
        known[count.cell] = (candidate + count.candidate, baseline + count.baseline)
    cells = tuple((cell, *known[cell]) for cell in sorted(known))
    return cells, is_overfull


def _fold_zones(
    zones: Sequence[ZoneState],
    counts: Sequence[CellCount],
    *,
    looked: timedelta,
    baked: timedelta,
) -> tuple[ZoneState, ...]:
    """A zone's time passes once a tick, however many of its cells were counted in it."""
    known = {zone.zone: zone for zone in zones}
    used: dict[tuple[str, int | None], int] = {}
    for count in counts:
        key = (count.zone, count.hour)
        used[key] = used.get(key, 0) + count.baseline
    for (name, hour), baseline in used.items():
        zone = known.get(name, ZoneState(zone=name))
        # Where the hour can't be told only the amount of use matters: it says whether the zone counts.
        at = hour or 0
        known[name] = replace(
            zone,
            is_known=zone.is_known and hour is not None,
            seconds=_added(zone.seconds, at, baked.total_seconds()),
            baseline=_added(zone.baseline, at, float(baseline)),
            looked_seconds=_added(zone.looked_seconds, at, looked.total_seconds()),
        )
    return tuple(known[name] for name in sorted(known))


def _added(hours: tuple[float, ...], hour: int, more: float) -> tuple[float, ...]:
    return (*hours[:hour], hours[hour] + more, *hours[hour + 1 :])


# --- words -----------------------------------------------------------------------------------


def _cell_reasons(evidence: CoverageEvidence, spec: CoverageSpec) -> tuple[str, ...]:
    if evidence.is_overfull:
        return (
            f"coverage: more than {MOST_CELLS} kinds of use, which no bake can cover;"
            f" {', '.join(spec.by)} must have fewer values",
        )
    if evidence.covered_share >= spec.share:
        return ()
    words = (
        f"coverage: kinds of use seen enough hold {evidence.covered_share:.1%} of it,"
        f" {spec.share:.1%} is needed"
    )
    if not evidence.missing:
        return (words,)
    cells = "; ".join(
        f"{cell.cell} {cell.candidate} of {evidence.uses_needed}" for cell in evidence.missing
    )
    return (f"{words} (not yet: {cells})",)


def _unseen_reasons(evidence: CoverageEvidence, spec: CoverageSpec) -> tuple[str, ...]:
    return tuple(
        f"coverage: up to {unseen:.1%} of the {arm}'s use may be of kinds never seen,"
        f" {spec.unseen:.1%} is allowed"
        for arm, unseen in (
            ("candidate", evidence.unseen_candidate),
            ("baseline", evidence.unseen_baseline),
        )
        # Written so that what isn't a number doesn't pass.
        if not unseen <= spec.unseen
    )


def _zone_reasons(evidence: CoverageEvidence, spec: CoverageSpec) -> tuple[str, ...]:
    if spec.busy_hours == 0:
        return ()
    if not evidence.zones:
        return ("coverage: no time zone is known to have been busy",)
    needed = timedelta(hours=spec.busy_hours)
    reasons = []
    for zone in evidence.zones:
        if not zone.is_known:
            reasons.append(f"coverage: {zone.zone or 'an empty label'} is no known time zone")
        elif zone.busy_for < needed:
            had = rough_duration(zone.busy_for)
            reasons.append(
                f"coverage: {had} of {spec.busy_hours} h in the busy hours of {zone.zone}"
            )
    return tuple(reasons)
