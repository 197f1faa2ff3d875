"""Rules about what must be shown before more people are exposed: no phase without proof, no empty proof."""

import math
from collections.abc import Iterator, Mapping
from typing import Final

from tidegate.domain.plan.findings import Flaw, Subject
from tidegate.domain.plan.model import SignalKind, SignalSpec, ToleranceUnit

LARGEST_TOLERANCES: Final[Mapping[SignalKind, float]] = {
    SignalKind.ERRORS: 0.05,
    SignalKind.USAGE: 0.5,
    SignalKind.LATENCY: 1.0,
}
"""Beyond one failing request in twenty, half of the usage, or double the latency, nobody would call it
harmless; a tolerance above that takes the gate away under another name."""

UNITS: Final[Mapping[SignalKind, tuple[ToleranceUnit, ...]]] = {
    SignalKind.ERRORS: (ToleranceUnit.RATE,),
    SignalKind.USAGE: (ToleranceUnit.RELATIVE,),
    SignalKind.LATENCY: (ToleranceUnit.RELATIVE, ToleranceUnit.DURATION),
    SignalKind.TRAFFIC: (ToleranceUnit.RELATIVE,),
    SignalKind.SATURATION: (ToleranceUnit.RELATIVE,),
    SignalKind.LIMIT: (ToleranceUnit.RELATIVE,),
}
"""The units that signals of a kind are tolerated in; the first is that of the default."""

LARGEST_BETA: Final = 0.1
LARGEST_ALPHA: Final = 0.2
SMALLEST_ALPHA: Final = 1e-6
"""A halt that needs more certainty than this comes too late to be one."""


def gate_in_every_phase(subject: Subject) -> Iterator[Flaw]:
    """Yield phases that could pass without any proof, and gates that can't prove anything."""
    for index, phase in enumerate(subject.spec.plan.phases):
        if not any(signal.gate for signal in phase.signals):
            yield Flaw(
                message=f"phase {phase.name} has no gate: nothing has to be proven before it passes",
                fix="measure errors or usage for every component it moves, with gate: true",
                path=("plan", "phases", index),
            )
        for signal in phase.signals:
            if signal.gate and (signal.shadow or signal.kind not in LARGEST_TOLERANCES):
                what = "in shadow" if signal.shadow else f"of kind {signal.kind.value}"
                yield Flaw(
                    message=f"the gate {signal.name} of phase {phase.name} is {what} and proves nothing",
                    fix="add gate: false, and let errors or usage be the gate",
                    path=("plan", "phases", index, "signals", signal.name, "gate"),
                )


def tolerance_in_its_unit(subject: Subject) -> Iterator[Flaw]:
    """Yield tolerances in a unit that their kind isn't measured in: 20 ms of errors would mean nothing."""
    for index, phase in enumerate(subject.spec.plan.phases):
        for signal in phase.signals:
            units = UNITS[signal.kind]
            if signal.tolerance.unit not in units:
                yield Flaw(
                    message=f"signal {signal.name} of kind {signal.kind.value} is tolerated by "
                    f"{signal.tolerance.unit.value}, which is no unit of it",
                    fix=f"tolerate it by {' or '.join(unit.value for unit in units)}",
                    path=("plan", "phases", index, "signals", signal.name, "tolerate"),
                )


def usage_signal_present(subject: Subject) -> Iterator[Flaw]:
    """Yield when nothing measures that users still succeed."""
    phases = subject.spec.plan.phases
    if not any(signal.kind is SignalKind.USAGE for phase in phases for signal in phase.signals):
        yield Flaw(
            message="no usage signal: a fault that answers quickly, without errors, and does "
            "nothing for the user would not be seen",
            fix="add a counter of what users come for: {name: orders, kind: usage, metric: …}",
            path=("health", "signals"),
        )


def proof_is_strict(subject: Subject) -> Iterator[Flaw]:
    """Yield tolerances and error budgets so wide that production isn't protected by them."""
    if not subject.production:
        return
    yield from _budget_flaws(subject)
    told: set[tuple[str, float]] = set()
    for index, phase in enumerate(subject.spec.plan.phases):
        if not subject.touches_production(phase):
            continue
        for signal in phase.signals:
            if signal.tolerance.unit is ToleranceUnit.DURATION:
                continue  # how much of the baseline's latency that is isn't known before it is measured
            limit = LARGEST_TOLERANCES.get(signal.kind, math.inf)
            key = (signal.name, signal.tolerance.value)
            if signal.tolerance.value > limit and key not in told:
                told.add(key)
                yield Flaw(
                    message=f"signal {signal.name} tolerates {_written(signal)} in production, at "
                    f"most {_written(signal, limit)} is allowed",
                    fix="tolerate less; a signal that noisy needs more traffic or a longer bake",
                    path=("plan", "phases", index, "signals", signal.name, "tolerate"),
                )


def _budget_flaws(subject: Subject) -> Iterator[Flaw]:
    budget = subject.spec.plan.budget
    if not 0 < budget.beta <= LARGEST_BETA:
        yield Flaw(
            message=f"beta must be above 0 and at most {LARGEST_BETA:g}, got {budget.beta:g}",
            fix="leave it out for 0.05",
            path=("prove", "beta"),
        )
    for name, alpha in (("alpha_halt", budget.alpha_halt), ("alpha_hold", budget.alpha_hold)):
        if not SMALLEST_ALPHA <= alpha <= LARGEST_ALPHA:
            yield Flaw(
                message=f"{name} must be {SMALLEST_ALPHA:g} to {LARGEST_ALPHA:g}, got {alpha:g}",
                fix="leave it out for the default",
                path=("prove", name),
            )


def _written(signal: SignalSpec, value: float | None = None) -> str:
    percent = 100 * (signal.tolerance.value if value is None else value)
    return f"{percent:g}{'pp' if signal.tolerance.unit is ToleranceUnit.RATE else '%'}"
