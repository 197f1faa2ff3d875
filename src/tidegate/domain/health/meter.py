"""
The evidence meter: what a bake has proven so far, in words first, and what it will still need.

Numbers for people who look at a rollout. The verdict that moves it is made by `evidence.judge` alone,
from the same evidence; nothing here may be an input of a decision.
"""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from tidegate.domain.health.evidence import Shown, SignalEvidence
from tidegate.domain.health.readings import Quality

SEEN_SURELY: Final = 0.95
"""The power from which on a fault is said to be seen; the forecast names when it is reached."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalMeter:
    """
    How far one signal is.

    `ruled_out` is the least harm that is excluded at this look and all before, in the tolerance's
    unit; None while nothing is. `power_double` is the chance that a candidate twice as bad as the
    baseline would have been halted with what has been seen, `power_twice_tolerated` the same of one
    that is worse by twice the tolerance. `double_seen_in` is when the first is expected to reach
    `SEEN_SURELY`, `proof_in` when the proof is expected; None for never, and zero for by now.
    """

    evidence: SignalEvidence
    shown: Shown
    ruled_out: float | None
    power_double: float | None
    power_twice_tolerated: float | None
    double_seen_in: timedelta | None
    proof_in: timedelta | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExposureMeter:
    """
    Whom the phase has met so far.

    `hours_of_day` are the hours of the day, in UTC, in which the candidate was in use; `targets` of
    `targets_count` serve it to users.
    """

    candidate_requests: int
    requests_per_second: float | None
    hours_of_day: tuple[int, ...]
    targets: int
    targets_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DataMeter:
    """
    How good the data is.

    `age` is that of the latest tick. `candidate_share` is the share of requests that the candidate
    got, `planned_share` what the targets were told, None where nothing can be compared. The baseline
    is compared with its own past: `baseline_usual` is its usual error rate, None where that isn't known.
    """

    age: timedelta | None
    candidate_share: float | None
    planned_share: float | None
    split_as_planned: bool | None
    baseline_rate: float | None
    baseline_usual: float | None
    baseline_clean: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """The whole meter at `at`. `by_hour_of_week` tells what its forecasts rest on: that, or this rate."""

    at: datetime
    signals: tuple[SignalMeter, ...]
    exposure: ExposureMeter
    data: DataMeter
    by_hour_of_week: bool


def word(
    so_far: Shown, signal: SignalEvidence, *, proof_in: timedelta | None, left: timedelta | None
) -> Shown:
    """
    Return the display word for *signal*, of which *so_far* is what the evidence alone says.

    Partly proven becomes "cannot in this bake" where the proof isn't foreseen before the bake must end.
    What isn't a gate has to prove nothing, and too few data say nothing about the future.

    Args:
        so_far: From `evidence.shown`.
        signal: What is known of the signal.
        proof_in: When the proof is expected, None for never.
        left: How long the phase may still bake at most; None where that isn't known.
    """
    if so_far is not Shown.PARTLY or not signal.gate or signal.quality is not Quality.GOOD:
        return so_far
    if left is None or signal.candidate_total == 0 or signal.baseline_total == 0:
        return so_far
    if proof_in is None or proof_in > left:
        return Shown.CANNOT
    return so_far


def as_usual(bad: int, total: int, usual_rate: float) -> bool:
    """
    Return whether *bad* of *total* is no more than a usual rate lets expect.

    Above it by four standard errors, and by half as much again, isn't usual: a brown-out of the
    baseline makes a comparison weaker, never wrong, so a small one isn't worth a word.
    """
    expected = total * usual_rate
    slack = 4.0 * math.sqrt(expected + 1.0)
    return bad <= expected + max(slack, 0.5 * expected)
