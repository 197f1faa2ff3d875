"""
What the source of one signal gave, in words: what was measured, what is wrong with it, what to do.

Quality is judged as the watch judges it, on two readings or, for a value of this moment, on one. What a
rollout would be made to do is said and not done.
"""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from tidegate.domain.durations import format_duration
from tidegate.domain.health.model import Health, SignalHealth
from tidegate.domain.health.readings import ArmTick, Gap, Quality, Reading, difference
from tidegate.domain.health.signal_health import limit_health, unknown_health
from tidegate.domain.plan.model import Counting, Effect, Plan, SignalKind, SignalSpec
from tidegate.domain.quantities import Arm, Placement
from tidegate.errors import SignalSourceError
from tidegate.ports.signals import LIMIT_SERIES, SignalQuery

READ_ONCE: Final = frozenset({SignalKind.LIMIT, SignalKind.SATURATION})
"""Kinds that look at a value of this moment; all others count, and need a second reading."""

LONGEST_PAUSE: Final = timedelta(seconds=15)
"""A person waits for the answer: plans that tick more slowly are asked twice within this."""


_FIXES: Final[Mapping[Quality, str]] = {
    Quality.MISSING: "see that the name or query is right, and that what serves there is collected",
    Quality.STALE: "see whether the source still collects it",
    Quality.NOT_A_NUMBER: "let the query give a number also when there is nothing to divide by",
    Quality.CONTRADICTORY: "see that the clocks are right, and that nobody else writes this series",
}
"""What to do about each quality that asking can find."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """
    What one signal's source gave at one place.

    `found` says in words what was measured, or what is wrong with it, and `fix` what to do then.
    `effect` says what a rollout that was watched now would be made to do by this alone, empty for
    nothing. `value` is that of a limit.
    """

    spec: SignalSpec
    placement: Placement
    quality: Quality
    found: str
    effect: str
    fix: str = ""
    value: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One signal at one target."""

    spec: SignalSpec
    placement: Placement
    query: SignalQuery


Read = Reading | SignalSourceError | None
"""What a source gave to one question: a reading, why it can't be asked, or nothing."""


def answer_of(plan: Plan, question: Question, earlier: Read, later: Read, at: datetime) -> Answer:
    """Return what two readings of *question* amount to at *at*; what is read once is both of them."""
    unusable = _unusable(plan, question, later, at) or _unusable(plan, question, earlier, at)
    if unusable is not None:
        return unusable
    assert isinstance(earlier, Reading), "what isn't one is unusable"
    assert isinstance(later, Reading), "what isn't one is unusable"
    if question.spec.kind is SignalKind.LIMIT:
        return _limit_answer(plan, question, later)
    if question.spec.kind is SignalKind.SATURATION:
        return _saturation_answer(plan, question, later)
    return _counted_answer(plan, question, earlier, later)


def _unusable(plan: Plan, question: Question, read: Read, at: datetime) -> Answer | None:
    if isinstance(read, SignalSourceError):
        return _bad(plan, question, Quality.MISSING, read.message, fix=read.hint)
    if read is None:
        arms = question.query.arms
        why = f"{question.query.source} has nothing for it"
        if not arms and question.spec.kind is not SignalKind.LIMIT:
            why = "no arm is served there, so there is nothing to read"
        return _bad(plan, question, Quality.MISSING, why)
    age = at - read.at
    if age > plan.stale_after + min(plan.tick, LONGEST_PAUSE):
        why = f"measured {format_duration(age)} ago, {format_duration(plan.stale_after)} is allowed"
        return _bad(plan, question, Quality.STALE, why)
    if -age > plan.stale_after:
        why = f"measured {format_duration(-age)} in the future: a clock is wrong"
        return _bad(plan, question, Quality.CONTRADICTORY, why)
    return None


def _limit_answer(plan: Plan, question: Question, reading: Reading) -> Answer:
    series = reading.arms.get(Arm.CANDIDATE, {}).get(LIMIT_SERIES)
    if series is None or series.gauge is None:
        return _bad(plan, question, Quality.MISSING, f"{question.query.source} gave no number")
    said = limit_health(question.spec, series.gauge)
    if said.health is Health.UNKNOWN:
        return _bad(plan, question, Quality.NOT_A_NUMBER, said.why)
    broken = said.health is not Health.HEALTHY
    return _good(
        question,
        said.why,
        value=series.gauge,
        effect=_breach_effect(question.spec) if broken else "",
    )


def _breach_effect(spec: SignalSpec) -> str:
    assert spec.limit is not None, f"the limit {spec.name} has no value"
    if spec.shadow:
        return "nothing: it is in shadow"
    return {
        Effect.HALT: "halts a rollout and withdraws it",
        Effect.HOLD: "holds a rollout",
        Effect.IGNORE: "nothing: it is ignored",
    }[spec.limit.effect]


def _saturation_answer(plan: Plan, question: Question, reading: Reading) -> Answer:
    words = []
    for arm, series in reading.arms.items():
        gauges = [one.gauge for one in series.values() if one.gauge is not None]
        if not all(map(math.isfinite, gauges)):
            why = f"a member of the {arm.value} isn't a number"
            return _bad(plan, question, Quality.NOT_A_NUMBER, why)
        if gauges:
            members = f"{len(gauges)} member{'' if len(gauges) == 1 else 's'}"
            words.append(f"{arm.value}: {members}, median {statistics.median(gauges):g}")
    if not words:
        return _bad(plan, question, Quality.MISSING, f"{question.query.source} gave no member")
    return _good(question, "; ".join(words))


def _counted_answer(plan: Plan, question: Question, earlier: Reading, later: Reading) -> Answer:
    measured_once = later.at <= earlier.at
    if measured_once:
        # Nothing has grown, but what is wrong with the numbers themselves can be seen all the same.
        earlier = replace(later, at=later.at - timedelta.resolution)
    words = []
    for arm in [arm for arm in Arm if arm in question.query.arms] or [Arm.BASELINE]:
        # Each arm by itself: outside a rollout there is only one, and that's no fault of the data.
        found = difference(_alone(earlier, arm), _alone(later, arm), needs_baseline=False)
        if isinstance(found, Gap):
            why = found.why.replace(Arm.CANDIDATE.value, arm.value)
            return _bad(plan, question, found.quality, why)
        series = len(later.arms.get(arm, {}))
        words.append(
            f"{arm.value}: {series} series"
            if measured_once
            else f"{arm.value}: {_counted_words(question.spec, found.candidate)}"
        )
    if measured_once:
        when = later.at.isoformat(timespec="seconds")
        return _good(question, f"{'; '.join(words)}, not measured again since {when}")
    return _good(question, f"{'; '.join(words)} in {format_duration(later.at - earlier.at)}")


def _counted_words(spec: SignalSpec, counted: ArmTick) -> str:
    match spec.kind:
        case SignalKind.ERRORS if spec.counting is Counting.USERS:
            return f"{counted.total} users, {counted.bad} affected"
        case SignalKind.ERRORS:
            return f"{counted.total} requests, {counted.bad} failed"
        case SignalKind.USAGE:
            return f"{counted.total} good events"
        case SignalKind.LATENCY:
            return f"{counted.total} answers"
        case _:
            return f"{counted.total} requests"


def _alone(reading: Reading, arm: Arm) -> Reading:
    return replace(reading, arms={Arm.CANDIDATE: reading.arms.get(arm, {})})


def _good(
    question: Question, found: str, *, value: float | None = None, effect: str = ""
) -> Answer:
    return Answer(
        spec=question.spec,
        placement=question.placement,
        quality=Quality.GOOD,
        found=found,
        effect=effect,
        value=value,
    )


def _bad(plan: Plan, question: Question, quality: Quality, found: str, *, fix: str = "") -> Answer:
    after = format_duration(plan.no_data_halt_after)
    held = f"holds a rollout at once, halts it after {after}"
    return Answer(
        spec=question.spec,
        placement=question.placement,
        quality=quality,
        found=found,
        effect="nothing: it is in shadow" if question.spec.shadow else held,
        fix=fix or _FIXES[quality],
    )


def said_by(answers: Sequence[Answer]) -> dict[str, SignalHealth]:
    """
    Return what the signals say by *answers*: limits are compared, bad data is unknown.

    Counts that are there say only that they are: whether they show harm is for a rollout's tests.
    """
    found: dict[str, SignalHealth] = {}
    for answer in answers:
        spec = answer.spec
        if answer.quality is not Quality.GOOD:
            said = unknown_health(spec, f"{answer.quality.value.replace('_', ' ')}: {answer.found}")
        elif answer.value is not None:
            said = limit_health(spec, answer.value)
        else:
            continue
        kept = found.get(spec.name)
        if kept is None or _TROUBLE.index(said.health) < _TROUBLE.index(kept.health):
            found[spec.name] = said
    return found


_TROUBLE: Final = (Health.UNHEALTHY, Health.DEGRADED, Health.UNKNOWN, Health.HEALTHY)
"""Of several targets the one in the most trouble has the word."""
