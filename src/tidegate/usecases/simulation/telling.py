"""
What signals tell of what happened: the counts that a source would have given for one look.

Each kind of signal is drawn from the same requests, so that what two of them tell belongs together. How
many requests there were and how many failed is drawn by `world`.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np

from tidegate.domain.health.readings import ArmTick, MemberTick, Quality
from tidegate.domain.plan.model import Limit, Noise, SignalKind, SignalSpec
from tidegate.domain.quantities import FULL_WEIGHT_BPS, TargetName
from tidegate.usecases.estimators.running import Stratum
from tidegate.usecases.evidence import SignalInput
from tidegate.usecases.simulation.recording import Rates
from tidegate.usecases.simulation.scenario import Situation
from tidegate.usecases.simulation.usage import LATENCY_BOUNDS_MS, Usage, latency_shares

MEMBERS: Final = 8
"""Members of a target whose gauges are drawn, half of them with the candidate."""

GAUGE_NOISE: Final = 0.05
"""How much the gauges of equal members differ, as a share of their value."""


class Drawn(NamedTuple):
    """What one target did in one look. `rates` are those of a recording, None where none is replayed."""

    target: TargetName
    weight_bps: int
    candidate: int
    baseline: int
    candidate_bad: int
    baseline_bad: int
    here: Situation
    rates: Rates | None


class Telling:
    """The signals of one service; *random* is the world's."""

    def __init__(self, usage: Usage, random: np.random.Generator) -> None:
        self._usage = usage
        self._random = random

    def input(self, spec: SignalSpec, drawn: Sequence[Drawn]) -> SignalInput:
        """Return what the signal *spec* tells of what was *drawn*."""
        if any(one.here.silent for one in drawn):
            return SignalInput(
                signal=spec.name,
                strata=(),
                quality=Quality.MISSING,
                note="no series for the candidate",
            )
        strata = tuple(self._stratum(spec, one) for one in drawn)
        return SignalInput(signal=spec.name, strata=strata, quality=Quality.GOOD, note="")

    def _stratum(self, spec: SignalSpec, one: Drawn) -> Stratum:
        bounds: tuple[float, ...] = ()
        if spec.kind is SignalKind.LATENCY:
            bounds = (one.rates and one.rates.bounds) or LATENCY_BOUNDS_MS
        candidate, baseline = self._arms(spec, one, bounds)
        return Stratum(
            placement=str(one.target),
            weight_bps=one.weight_bps,
            candidate=candidate,
            baseline=baseline,
            bounds=bounds,
        )

    def _arms(
        self, spec: SignalSpec, one: Drawn, bounds: tuple[float, ...]
    ) -> tuple[ArmTick, ArmTick]:
        match spec.kind:
            case SignalKind.ERRORS:
                # Where people are counted it's the same: few of a look's requests are of one user.
                return (
                    ArmTick(total=one.candidate, bad=one.candidate_bad),
                    ArmTick(
                        total=one.baseline,
                        bad=one.baseline_bad,
                        members=self._shards(one) if spec.noise is Noise.CLUSTERED else (),
                    ),
                )
            case SignalKind.TRAFFIC:
                return ArmTick(total=one.candidate), ArmTick(total=one.baseline)
            case SignalKind.USAGE:
                return self._good_events(spec, one)
            case SignalKind.LATENCY:
                return self._answers(one, bounds)
            case SignalKind.SATURATION:
                return self._gauges(one)
            case SignalKind.LIMIT:
                assert spec.limit is not None, "a limit signal has a limit"
                gauge = MemberTick(name=str(one.target), gauge=_well_within(spec.limit))
                return ArmTick(total=0, members=(gauge,)), ArmTick(total=0)

    def _shards(self, one: Drawn) -> tuple[MemberTick, ...]:
        """Return the baseline's members, which clustered noise is measured on; here they are alike."""
        totals = self._random.multinomial(one.baseline, (1.0 / MEMBERS,) * MEMBERS)
        bad = self._random.multivariate_hypergeometric(totals, one.baseline_bad, method="marginals")
        return tuple(
            MemberTick(name=f"baseline-{index}", total=int(total), bad=int(failed))
            for index, (total, failed) in enumerate(zip(totals, bad, strict=True))
        )

    def _good_events(self, spec: SignalSpec, one: Drawn) -> tuple[ArmTick, ArmTick]:
        per_request, ratio = self._usage.good_events(spec.name), 1.0
        if one.rates is not None:
            ratio = one.rates.events_ratio
            per_request = dict(one.rates.events).get(spec.name, per_request)
        candidate = one.candidate * per_request * ratio * one.here.candidate.usage
        baseline = one.baseline * per_request * one.here.baseline.usage
        return (
            ArmTick(total=int(self._random.poisson(candidate))),
            ArmTick(total=int(self._random.poisson(baseline))),
        )

    def _answers(self, one: Drawn, bounds: tuple[float, ...]) -> tuple[ArmTick, ArmTick]:
        if one.rates is not None and one.rates.answers is not None:
            usual, changed = one.rates.answers
        else:
            usual = _shares(one.here.baseline.slower)
            changed = _shares(one.here.candidate.slower)
        return self._spread(one.candidate, changed), self._spread(one.baseline, usual)

    def _spread(self, requests: int, shares: Sequence[float]) -> ArmTick:
        buckets = tuple(self._random.multinomial(requests, shares).tolist())
        return ArmTick(total=requests, buckets=buckets)

    def _gauges(self, one: Drawn) -> tuple[ArmTick, ArmTick]:
        noise = self._random.normal(1.0, GAUGE_NOISE, MEMBERS)
        half = MEMBERS // 2
        changed, usual = one.here.candidate.saturation, one.here.baseline.saturation
        candidate = tuple(
            MemberTick(name=f"candidate-{index}", gauge=float(noise[index] * changed))
            for index in range(half)
        )
        baseline = tuple(
            MemberTick(name=f"baseline-{index}", gauge=float(noise[half + index] * usual))
            for index in range(MEMBERS - half)
        )
        if one.weight_bps == FULL_WEIGHT_BPS:
            baseline = ()
        return ArmTick(total=0, members=candidate), ArmTick(total=0, members=baseline)


def _well_within(limit: Limit) -> float:
    """A value on the good side of *limit*: what a limit measures can't be known here."""
    distance = 0.5 * abs(limit.value) or 1.0
    return limit.value - distance if limit.above else limit.value + distance


@lru_cache(maxsize=256)
def _shares_at(slower_percent: int) -> tuple[float, ...]:
    return latency_shares(slower_percent / 100.0)


def _shares(slower: float) -> tuple[float, ...]:
    return _shares_at(round(slower * 100.0))
