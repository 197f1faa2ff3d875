"""
What a forecast warns of, as findings beside those of the plan's rules, with the bake or share that does.

A bake that can't prove what is demanded is a warning: the phase would only last longer. A gate signal
that can't be proven even within the longest bake is an error when the traffic is known, since the
rollout would end with a person who has nothing to decide on; while traffic is only assumed it warns.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from tidegate.domain.durations import format_duration
from tidegate.domain.plan.findings import Finding, Severity
from tidegate.domain.plan.model import Plan, ServiceSpec, SignalKind, SignalSpec, ToleranceUnit
from tidegate.domain.quantities import FULL_WEIGHT_BPS, format_bps
from tidegate.errors import RefusedError
from tidegate.usecases.forecast import Forecast, PhaseForecast, SignalForecast, forecast
from tidegate.usecases.outside import Outside
from tidegate.usecases.traffic import known_traffic

WEAK_BAKE: Final = "bake-proves-tolerance"
"""The id of the finding about a bake that is too short for what is demanded."""

UNPROVABLE: Final = "gate-can-be-proven"
"""The id of the finding about a gate that can't be proven within the longest bake."""


UNCOVERED: Final = "bake-covers-use"
"""The id of the finding about a bake that ends before the kinds of use it must see have come."""


def forecast_findings(foreseen: Forecast) -> tuple[Finding, ...]:
    """Return what *foreseen* warns of, phase by phase; nothing where no traffic is known."""
    if foreseen.traffic is None:
        return ()
    return tuple(
        finding
        for index, phase in enumerate(foreseen.phases)
        for finding in _phase_findings(index, phase, assumed=foreseen.traffic.assumed)
    )


async def refuse_unprovable(
    outside: Outside, spec: ServiceSpec, plan: Plan, *, is_install: bool
) -> None:
    """
    Refuse a start whose gates can't be proven with the traffic that is known.

    Raises:
        RefusedError: a gate signal can't be proven even within its phase's longest bake.
    """
    traffic = await known_traffic(outside, spec)
    foreseen = forecast(plan, traffic, now=outside.clock.now(), is_install=is_install)
    for finding in forecast_findings(foreseen):
        if finding.severity is Severity.ERROR:
            raise RefusedError(finding.message, hint=finding.fix)


def _phase_findings(index: int, foreseen: PhaseForecast, *, assumed: bool) -> Iterator[Finding]:
    covered = foreseen.coverage_needs
    if covered is not None and covered > foreseen.phase.bake:
        yield Finding(
            rule=UNCOVERED,
            severity=Severity.WARNING,
            message=f"{foreseen.phase.name} at {_share(foreseen)} covers the kinds of use it must"
            f" after about {rounded(covered)}, not within its bake of"
            f" {format_duration(foreseen.phase.bake)}",
            fix=f"bake {rounded(covered)}, give it more traffic, or ask for less coverage",
            path=("plan", "phases", index),
        )
    for signal in foreseen.signals:
        if signal.enough is not False:
            continue
        phase = foreseen.phase
        beyond = signal.proof_needs is None or signal.proof_needs > phase.bake_max
        longest = " even within its longest bake" if beyond else ""
        length = phase.bake_max if beyond else phase.bake
        yield Finding(
            rule=UNPROVABLE if beyond else WEAK_BAKE,
            severity=Severity.ERROR if beyond and not assumed else Severity.WARNING,
            message=f"{phase.name} at {_share(foreseen)} for {format_duration(length)} can't rule"
            f" out the {tolerance_text(signal.spec)} you tolerate in {signal.spec.name}{longest}"
            f" ({_needs(foreseen, signal)})",
            fix=_fix(foreseen, signal),
            path=("plan", "phases", index),
        )


def tolerance_text(spec: SignalSpec) -> str:
    """Return the tolerance of *spec* in its own unit: `0.050 pp`, `5%`, `20 ms`."""
    value, unit = spec.tolerance.value, spec.tolerance.unit
    if unit is ToleranceUnit.RATE:
        return f"{value * 100:.3f} pp"
    if unit is ToleranceUnit.RELATIVE:
        loss = " fewer" if spec.kind is SignalKind.USAGE else ""
        return f"{value * 100:.3g}%{loss}"
    return f"{value:.3g} ms"


def _share(foreseen: PhaseForecast) -> str:
    below = [
        move.exposure.weight_bps
        for move in foreseen.phase.moves
        if 0 < move.exposure.weight_bps < FULL_WEIGHT_BPS
    ]
    return format_bps(max(below))


def _needs(foreseen: PhaseForecast, signal: SignalForecast) -> str:
    if signal.proof_needs is None:
        words = "needs more traffic than there is"
    else:
        words = f"needs about {rounded(signal.proof_needs)}"
    other = foreseen.alternative
    if other is not None:
        words += f", or {format_bps(other.weight_bps)} for {rounded(other.bake)}"
    return words


def _fix(foreseen: PhaseForecast, signal: SignalForecast) -> str:
    other, spec = foreseen.alternative, signal.spec
    ways = []
    if foreseen.bake_needed is not None:
        ways.append(f"bake {rounded(foreseen.bake_needed)}")
    if other is not None:
        ways.append(f"give it {format_bps(other.weight_bps)} of the traffic")
    ways.append(f"tolerate more in {spec.name}")
    return ", or ".join(ways)


def rounded(length: timedelta) -> str:
    """Return *length* rounded up to three figures or so, as one would write it into a plan."""
    seconds = length.total_seconds()
    for step in (1, 5, 60, 300, 900, 3600):
        if seconds <= 100 * step or step == 3600:
            return format_duration(timedelta(seconds=-(-seconds // step) * step))
    raise AssertionError("the last step takes every length")
