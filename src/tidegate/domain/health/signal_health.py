"""
From what one signal has shown to the state it tells of the node it is attached to.

Rule: only what is known to be well is healthy. Bad data, a candidate that nobody used yet and a signal
that nobody watches are unknown. The thresholds are those that halt and hold a rollout, so the tree and
the rollout never disagree; what this does to a rollout is decided in `judge` alone.
"""

import math
from collections.abc import Sequence

from tidegate.domain.health.evidence import (
    SignalEvidence,
    alpha_for_attempt,
    describe_counts,
    is_broken,
)
from tidegate.domain.health.model import (
    Health,
    SignalHealth,
    explaining_dependency,
    own_health,
    root_of,
)
from tidegate.domain.health.readings import Quality
from tidegate.domain.health.trouble import Suspect, SuspectKind
from tidegate.domain.plan.model import Effect, ErrorBudget, Phase, Plan, SignalKind, SignalSpec

_BROKEN = {Effect.HALT: Health.UNHEALTHY, Effect.HOLD: Health.DEGRADED}


def shown_health(
    spec: SignalSpec, shown: SignalEvidence, budget: ErrorBudget, *, attempt: int
) -> SignalHealth:
    """
    Return what *shown* says: harm proven, likely or not seen, and of a limit whether it is broken.

    Args:
        spec: The signal.
        shown: Its evidence. Its share of the halting budget doesn't matter here: the state is that of
            the node, to which it may be the only signal.
        budget: How sure harm must be.
        attempt: The attempt of the rollout, counted from 1.
    """
    if shown.quality is not Quality.GOOD:
        quality = shown.quality.value.replace("_", " ")
        return _says(spec, Health.UNKNOWN, f"{quality}, {shown.quality_note}")
    if spec.kind is SignalKind.LIMIT:
        return (
            unknown_health(spec, "nothing was measured yet")
            if shown.value is None
            else limit_health(spec, shown.value)
        )
    if shown.candidate_total == 0 and shown.baseline_total == 0:
        return _says(spec, Health.UNKNOWN, "nothing was counted yet")
    counts = describe_counts(shown) + _shadow_words(shown)
    if shown.log_e_harm >= -math.log(alpha_for_attempt(budget, attempt)):
        return _says(spec, Health.UNHEALTHY, f"harm is proven: {counts}")
    if shown.log_e_harm >= -math.log(budget.alpha_hold):
        return _says(spec, Health.DEGRADED, f"harm is likely: {counts}")
    if math.isnan(shown.log_e_harm):
        return _says(spec, Health.UNKNOWN, "the evidence isn't a number")
    return _says(spec, Health.HEALTHY, f"no harm seen: {counts}")


def limit_health(spec: SignalSpec, value: float) -> SignalHealth:
    """
    Return what a limit says at *value*, in the limit's own unit.

    A limit that would halt a rollout tells of an unhealthy node, one that would hold it of a degraded
    one. One that does neither is shown and tells nothing bad.
    """
    limit = spec.limit
    assert spec.kind is SignalKind.LIMIT, f"{spec.name} is no limit but {spec.kind}"
    assert limit is not None, f"the limit {spec.name} has no value"
    if not math.isfinite(value):
        return _says(spec, Health.UNKNOWN, f"{value:g} isn't a number to compare")
    allowed = f"{value:g}, at {'most' if limit.above else 'least'} {limit.value:g} is allowed"
    if not is_broken(limit, value):
        return _says(spec, Health.HEALTHY, allowed)
    ignored = " (ignored)" if limit.effect is Effect.IGNORE else ""
    return _says(spec, _BROKEN.get(limit.effect, Health.HEALTHY), allowed + ignored)


def sick_dependency(
    plan: Plan, phase: Phase, shown: Sequence[SignalEvidence], attempt: int
) -> tuple[Suspect, ...]:
    """Return the node that the service needs and that is ill by itself, if its own signals say so."""
    specs = {spec.name: spec for spec in phase.signals}
    says = {
        one.signal: shown_health(specs[one.signal], one, plan.budget, attempt=attempt)
        for one in shown
    }
    own = own_health(plan.health, says, {})
    found = explaining_dependency(plan.health, {name: each.health for name, each in own.items()})
    if found is None or found == root_of(plan.health):
        return ()
    return (
        Suspect(
            kind=SuspectKind.DEPENDENCY,
            name=found,
            detail=f"{own[found].health.value}: {own[found].why}",
            strength=math.inf,
            proven=False,
        ),
    )


def _shadow_words(shown: SignalEvidence) -> str:
    if not shown.shadow_halts:
        return ""
    times = "once" if shown.shadow_halts == 1 else f"{shown.shadow_halts} times"
    return f"; would have halted {times}"


def unknown_health(spec: SignalSpec, why: str) -> SignalHealth:
    """Return that nothing can be said, and why."""
    return _says(spec, Health.UNKNOWN, why)


def _says(spec: SignalSpec, health: Health, why: str) -> SignalHealth:
    return SignalHealth(signal=spec.name, health=health, why=why, counts=not spec.shadow)
