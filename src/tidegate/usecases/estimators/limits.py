"""Limits: one number of a target against a fixed limit. It has no arms, no e-value and certifies nothing."""

from collections.abc import Sequence
from dataclasses import replace

from tidegate.domain.plan.model import SignalKind, SignalSpec
from tidegate.usecases.estimators.running import Entry, Tests


def begin(spec: SignalSpec) -> Tests:
    """Return the state of *spec* before any tick."""
    return Tests(kind=SignalKind.LIMIT)


def begin_phase(tests: Tests, spec: SignalSpec) -> Tests:
    """Return *tests* as they are: a limit knows no phase."""
    return tests


def update(entries: Sequence[Entry]) -> list[Tests]:
    """Return the state of *entries* after one tick: the worst value of all targets, where there is one."""
    return [_latest(entry) for entry in entries]


def _latest(entry: Entry) -> Tests:
    values = [
        member.gauge
        for stratum in entry.strata
        for member in stratum.candidate.members
        if member.gauge is not None
    ]
    if not values:
        return entry.tests
    limit = entry.spec.limit
    worst = min(values) if limit is not None and not limit.above else max(values)
    return replace(entry.tests, value=worst)
