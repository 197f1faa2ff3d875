"""Ticks for tests of the fold: a test names only what it is about."""

from datetime import timedelta

from tidegate.domain.health.readings import ArmTick, MemberTick, Quality
from tidegate.testing.builders import START
from tidegate.usecases.evidence import SignalInput, TickRecord, absorb
from tidegate.usecases.sequential import Stratum

TICK = timedelta(seconds=10)
BOUNDS = (10.0, 20.0, 50.0, 100.0, 200.0)


def members(*counts, bad=None, name="m"):
    """Return one member for each of *counts*."""
    bads = bad or (0,) * len(counts)
    return tuple(
        MemberTick(name=f"{name}{number}", total=total, bad=failed)
        for number, (total, failed) in enumerate(zip(counts, bads, strict=True))
    )


def gauges(*values, name="m"):
    """Return one member for each of *values*."""
    return tuple(MemberTick(name=f"{name}{number}", gauge=v) for number, v in enumerate(values))


def a_stratum(
    *,
    weight_bps=500,
    candidate=100,
    candidate_bad=0,
    baseline=1_900,
    baseline_bad=2,
    target="eu",
    group="",
    candidate_members=(),
    baseline_members=(),
):
    """Return what one target did in a tick: by default 5 % of 2,000 requests, nothing wrong."""
    return Stratum(
        placement=f"shop/code@{target}",
        weight_bps=weight_bps,
        candidate=ArmTick(total=candidate, bad=candidate_bad, members=candidate_members),
        baseline=ArmTick(total=baseline, bad=baseline_bad, members=baseline_members),
        group=group,
    )


def a_histogram(
    *,
    weight_bps=500,
    candidate=(30, 40, 25, 4, 1, 0),
    baseline=(570, 760, 475, 76, 15, 4),
    target="eu",
    bounds=BOUNDS,
):
    """Return the latencies of one target in a tick, by default alike in both arms."""
    return Stratum(
        placement=f"shop/code@{target}",
        weight_bps=weight_bps,
        candidate=ArmTick(total=sum(candidate), buckets=candidate),
        baseline=ArmTick(total=sum(baseline), buckets=baseline),
        bounds=bounds,
    )


def an_input(*strata, signal="errors", quality=Quality.GOOD, note=""):
    """Return what a tick brought for *signal*."""
    return SignalInput(signal=signal, strata=strata, quality=quality, note=note)


def a_tick(
    number,
    *inputs,
    phase_index=0,
    counting=True,
    began=START,
    exercises=(),
    cells=(),
    at=None,
):
    """Return the *number*th tick after START, with good errors unless *inputs* are given."""
    return TickRecord(
        at=START + TICK * number if at is None else at,
        phase_index=phase_index,
        phase_began_at=began,
        counting=counting,
        inputs=inputs or (an_input(a_stratum()),),
        exercises=exercises,
        cells=cells,
    )


def fold(plan, ticks, state=None):
    """Return the state after *ticks*, one by one."""
    for tick in ticks:
        state = absorb([(plan, state, tick)])[0]
    return state
