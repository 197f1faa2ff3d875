"""
New signals begin in shadow: watched and judged, but without a say, until one rollout has completed with them.

A signal that nobody has seen beside a healthy change may be wrong in itself; it must not halt the first
change that meets it. A gate signal is never in shadow, for a phase without its gates would pass by
waiting. Where no rollout has completed yet there is nothing to learn from, and every signal counts.
"""

from dataclasses import replace

from tidegate.domain.plan.model import Plan
from tidegate.domain.quantities import ServiceName
from tidegate.domain.rollout.machine import State
from tidegate.ports.store import Transaction


def begin_in_shadow(transaction: Transaction, service: ServiceName, plan: Plan) -> tuple[str, ...]:
    """Return the signals of *plan* that are new to *service* and begin in shadow, in order."""
    watched = [
        {spec.name for phase in rollout.plan.phases for spec in phase.signals}
        for rollout in transaction.rollouts(service=service)
        if rollout.state is State.COMPLETED
    ]
    # An install compares nothing: having completed one says nothing of any signal.
    known = set().union(*watched)
    if not known:
        return ()
    new = (
        spec.name
        for phase in plan.phases
        for spec in phase.signals
        if spec.new_in_shadow and not spec.gate and not spec.shadow and spec.name not in known
    )
    return tuple(dict.fromkeys(new))


def with_shadows(plan: Plan, names: tuple[str, ...]) -> Plan:
    """Return *plan* with the signals called *names* in shadow."""
    if not names:
        return plan
    phases = tuple(
        replace(
            phase,
            signals=tuple(
                replace(spec, shadow=spec.shadow or spec.name in names) for spec in phase.signals
            ),
        )
        for phase in plan.phases
    )
    return replace(plan, phases=phases)
