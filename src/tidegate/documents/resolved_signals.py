"""Signals in the resolved document: written whole, and read back to exactly what they were made from."""

from typing import Annotated, Any, Literal

from pydantic import Field

from tidegate.documents.components import Text, Written
from tidegate.documents.notation import Name
from tidegate.domain.plan.model import (
    Counting,
    Effect,
    Limit,
    Noise,
    SignalKind,
    SignalSpec,
    Tolerance,
    ToleranceUnit,
)


class ResolvedTolerance(Written):
    """How much worse the candidate may be."""

    value: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    unit: Literal["rate", "relative", "duration"]


class ResolvedLimit(Written):
    """A line that a value must not cross, and what happens when it does."""

    value: Annotated[float, Field(allow_inf_nan=False)]
    above: bool
    on_breach: Literal["halt", "hold", "ignore"]


class ResolvedSignal(Written):
    """One signal as a phase watches it."""

    name: Name
    kind: Literal["errors", "usage", "latency", "traffic", "saturation", "limit"]
    gate: bool
    tolerate: ResolvedTolerance
    source: Text
    settings: dict[str, str]
    shadow: bool | None = None
    limit: ResolvedLimit | None = None
    count: Literal["requests", "users"] = "requests"
    noise: Literal["independent", "clustered"] = "independent"


def signal_from(signal: ResolvedSignal) -> SignalSpec:
    """Return the signal that was written."""
    return SignalSpec(
        name=signal.name,
        kind=SignalKind(signal.kind),
        gate=signal.gate,
        tolerance=Tolerance(
            value=float(signal.tolerate.value), unit=ToleranceUnit(signal.tolerate.unit)
        ),
        source=signal.source,
        settings=tuple(sorted(signal.settings.items())),
        shadow=signal.shadow is True,
        new_in_shadow=signal.shadow is not False,
        limit=_limit(signal.limit),
        counting=Counting.USERS if signal.count == "users" else Counting.EVENTS,
        noise=Noise(signal.noise),
    )


def _limit(limit: ResolvedLimit | None) -> Limit | None:
    if limit is None:
        return None
    return Limit(value=float(limit.value), above=limit.above, effect=Effect(limit.on_breach))


def signal_document(signal: SignalSpec) -> dict[str, Any]:
    """Return *signal* as the plain values of the resolved document."""
    return {
        "name": signal.name,
        "kind": signal.kind.value,
        "gate": signal.gate,
        "tolerate": {"value": signal.tolerance.value, "unit": signal.tolerance.unit.value},
        "source": signal.source,
        "settings": dict(signal.settings),
        **_counting_document(signal),
        **_shadow_document(signal),
        **_limit_document(signal.limit),
    }


def _counting_document(signal: SignalSpec) -> dict[str, Any]:
    """Return how a signal counts; nothing for the default, so that digests from before it stay."""
    written: dict[str, Any] = {}
    if signal.counting is not Counting.EVENTS:
        written["count"] = signal.counting.value
    if signal.noise is not Noise.INDEPENDENT:
        written["noise"] = signal.noise.value
    return written


def _shadow_document(signal: SignalSpec) -> dict[str, Any]:
    """Return what is written of shadow: nothing where it depends on whether the signal is new."""
    if signal.shadow or not signal.new_in_shadow:
        return {"shadow": signal.shadow}
    return {}


def _limit_document(limit: Limit | None) -> dict[str, Any]:
    if limit is None:
        return {}
    written = {"value": limit.value, "above": limit.above, "on_breach": limit.effect.value}
    return {"limit": written}
