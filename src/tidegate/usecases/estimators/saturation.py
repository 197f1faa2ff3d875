"""
Saturation: a gauge per member, such as memory; exposed members that fill up faster are harm.

Each target and zone has a test of its own, for members are alike only there. The stakes on them follow
the order in which they are first seen, `1 / (i (i + 1))` of it all for the i-th, so that nobody needs to
know beforehand how many there will be; what is left is kept. Where nothing runs beside the candidate
there is nothing to compare: a fixed limit on the gauge is the tool for that.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from statistics import median

import numpy as np

from tidegate.domain.plan.model import SignalKind, SignalSpec
from tidegate.stats import members, mixture
from tidegate.usecases.estimators.running import Entry, Shown, Stratum, Tests

READINGS_PER_BLOCK = 60
"""Changes are measured over ten minutes at 10 s: gauges are often smoothed over five, and what has
momentum within a block would look like a leak."""


def begin(spec: SignalSpec) -> Tests:
    """Return the tests of *spec* before any tick."""
    return Tests(kind=SignalKind.SATURATION)


def begin_phase(tests: Tests, spec: SignalSpec) -> Tests:
    """Return *tests* as they are: a leak takes no notice of phases, and nothing is certified."""
    return tests


def update(entries: Sequence[Entry]) -> list[Tests]:
    """Return the tests of *entries* after one tick; a warm-up is left out, for the young fill up faster."""
    return [entry.tests if entry.warm else _read(entry) for entry in entries]


def log_e_value(tests: Tests) -> float:
    """Return the log e-value of all targets and zones together."""
    left = 1.0 / (len(tests.members) + 1.0)
    rows = [
        members.log_e_value(state) - math.log(place * (place + 1.0))
        for place, (_, state) in enumerate(tests.members, start=1)
    ]
    return float(mixture.log_sum([np.array([row]) for row in (*rows, math.log(left))])[0])


def shown(strata: tuple[Stratum, ...]) -> Shown:
    """Return how many readings of exposed members *strata* add, and how many above the others' median."""
    readings = above = others = 0
    for stratum in strata:
        exposed, unexposed = _gauges(stratum)
        readings += len(exposed)
        others += len(unexposed)
        if unexposed:
            middle = median(unexposed.values())
            above += sum(1 for value in exposed.values() if value > middle)
    return Shown(
        candidate_total=readings, candidate_bad=above, baseline_total=others, baseline_bad=0
    )


def _read(entry: Entry) -> Tests:
    states = dict(entry.tests.members)
    for stratum in entry.strata:
        if not stratum.is_beside:
            continue
        where = f"{stratum.placement} [{stratum.group}]"
        exposed, unexposed = _gauges(stratum)
        states[where] = members.update(
            states.get(where) or members.new(readings_per_block=READINGS_PER_BLOCK),
            exposed,
            unexposed,
            starting=entry.starting,
        )
    return replace(entry.tests, members=tuple(states.items()))


def _gauges(stratum: Stratum) -> tuple[dict[str, float], dict[str, float]]:
    exposed = {m.name: m.gauge for m in stratum.candidate.members if m.gauge is not None}
    unexposed = {
        m.name: m.gauge
        for m in stratum.baseline.members
        # One that changes sides is seen on both for a moment; it is exposed.
        if m.gauge is not None and m.name not in exposed
    }
    return exposed, unexposed
