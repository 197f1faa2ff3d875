"""
How far a bake is in evidence, as a share of all that its phase demands. For those who look at it.

A bake has two bars, its time and this one, and passes when both are full. Nothing here may be an input of
a decision: that is `evidence.judge`, which demands the same things of the same numbers.
"""

import math
from dataclasses import dataclass
from typing import Final

from tidegate.domain.health.coverage import missing_reasons
from tidegate.domain.health.evidence import Evidence, SignalEvidence, certified, requests_met
from tidegate.domain.plan.model import Phase, SignalSpec

NEARLY: Final = 0.99
"""What isn't there yet is never shown as a full bar."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """One thing that a phase demands, and how much of it is there, 0 to 1."""

    name: str
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a phase is: everything that it demands. A phase that demands nothing has no demands."""

    demands: tuple[Demand, ...]

    @property
    def slowest(self) -> Demand | None:
        """The demand that is furthest from being met, None where nothing is demanded."""
        return min(self.demands, key=lambda one: one.share, default=None)

    @property
    def share(self) -> float | None:
        """How far the slowest demand is; None where nothing is demanded."""
        return None if self.slowest is None else self.slowest.share


def progress(
    evidence: Evidence, *, phase: Phase, beta: float, carried: tuple[str, ...]
) -> Progress:
    """
    Return how far *evidence* is in *phase*.

    Args:
        evidence: What is known of this phase and attempt; nothing where it is of another one.
        phase: The phase in force.
        beta: The chance of a wrong proof, by which a gate signal is proven.
        carried: The gate signals that earlier phases have proven beside a baseline.
    """
    demands = [
        Demand(name=f"exercise {spec.name}", share=_exercised(evidence, spec.name))
        for spec in phase.exercises
    ]
    if not phase.exposes_users:
        return Progress(demands=tuple(demands))
    if phase.minimum_requests:
        share = _part(requests_met(evidence), phase.minimum_requests)
        demands.append(Demand(name="requests", share=share))
    by_name = {one.signal: one for one in evidence.signals}
    demands += [
        Demand(name=spec.name, share=_proven(phase, spec, by_name.get(spec.name), beta, carried))
        for spec in phase.signals
        if spec.gate
    ]
    if phase.coverage is not None:
        known = evidence.coverage
        share = 0.0 if known is None else _part(known.covered_share, phase.coverage.share)
        if missing_reasons(known, phase.coverage):
            share = min(share, NEARLY)
        demands.append(Demand(name="coverage", share=share))
    if evidence.warming:
        # Nothing counts as proven before caches are warm.
        demands = [Demand(name=one.name, share=min(one.share, NEARLY)) for one in demands]
    return Progress(demands=tuple(demands))


def _exercised(evidence: Evidence, name: str) -> float:
    found = next((one for one in evidence.exercises if one.name == name), None)
    return 0.0 if found is None else _part(found.count, found.minimum_count)


def _proven(
    phase: Phase,
    spec: SignalSpec,
    signal: SignalEvidence | None,
    beta: float,
    carried: tuple[str, ...],
) -> float:
    if not phase.has_concurrent_baseline:
        return 1.0 if spec.name in carried else 0.0
    if signal is None:
        return 0.0
    if certified(signal, beta):
        return 1.0
    share = signal.log_e_safe / math.log(1.0 / beta)
    return max(0.0, min(share, NEARLY)) if math.isfinite(share) else 0.0


def _part(count: float, needed: float) -> float:
    if needed <= 0:
        return 1.0
    return 1.0 if count >= needed else max(0.0, min(count / needed, NEARLY))
