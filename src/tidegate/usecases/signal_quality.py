"""
Whether what a tick brought for a signal can be used: silence, wrong splits, members that got nothing.

What makes data unusable is a fact about ticks, not an opinion of the moment, so it is part of the fold
that a replay runs again. Nothing here is statistics about harm.
"""

import math
from dataclasses import dataclass, replace
from typing import Final

from tidegate.domain.health.readings import ArmTick, Quality
from tidegate.domain.plan.model import Counting, Noise, SignalKind, SignalSpec
from tidegate.stats.members import FEWEST_UNEXPOSED
from tidegate.stats.placebo import FEWEST_SHARDS
from tidegate.usecases.sequential import Stratum, Tests

SILENCE_EXPECTED_REQUESTS: Final = 5.0
"""A candidate that got nothing while five requests were due is silent: chance does that in 0.7 %."""

QUIET_EXPECTED_REQUESTS: Final = 3.0
"""A member that got nothing while three were due has failed the tick: chance does that in 5 %."""

SPLIT_EXPECTED_REQUESTS: Final = 100.0
"""The share of requests is compared once a hundred were due, so that chance alone can't halve it."""

SPLIT_FACTOR: Final = 2.0
"""A share off by more than this isn't the split that was asked for, however users differ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """
    What is remembered of how requests came to the candidate.

    `due` are requests that were due to it since it last got one. `split_*` hold what was due and what it
    got since the share was last compared. `members` are those that got nothing lately: where, their name,
    and how many their peers got since, on average.
    """

    due: float = 0.0
    split_due: float = 0.0
    split_got: int = 0
    split_is_wrong: bool = False
    members: tuple[tuple[str, str, float], ...] = ()


NO_FLOW: Final = Flow()
"""What is remembered before the first tick."""


def flow_after(flow: Flow, spec: SignalSpec, strata: tuple[Stratum, ...]) -> Flow:
    """Return *flow* after one tick of *spec*; only signals that count requests have one."""
    if spec.kind not in (SignalKind.ERRORS, SignalKind.TRAFFIC):
        return flow
    beside = [stratum for stratum in strata if stratum.is_beside]
    got = sum(stratum.candidate.total for stratum in beside)
    due = sum(
        (stratum.candidate.total + stratum.baseline.total) * stratum.assigned for stratum in beside
    )
    alone = sum(stratum.candidate.total for stratum in strata if not stratum.is_beside)
    split_due, split_got = flow.split_due + due, flow.split_got + got
    wrong = flow.split_is_wrong
    if split_due >= SPLIT_EXPECTED_REQUESTS:
        wrong = not split_due / SPLIT_FACTOR <= split_got <= split_due * SPLIT_FACTOR
        split_due, split_got = 0.0, 0
    return replace(
        flow,
        due=0.0 if got or alone else flow.due + due,
        split_due=split_due,
        split_got=split_got,
        split_is_wrong=wrong,
        members=_silent_members(flow, strata) if spec.counting is Counting.EVENTS else (),
    )


def judge_quality(
    flow: Flow, spec: SignalSpec, tests: Tests, strata: tuple[Stratum, ...]
) -> tuple[Quality, str]:
    """Return the quality of good data after all that is known, with why it isn't good."""
    if flow.due >= SILENCE_EXPECTED_REQUESTS:
        due = math.floor(flow.due)
        return Quality.SILENT, f"the candidate got nothing while {due} requests were due to it"
    if flow.split_is_wrong:
        return Quality.WRONG_SPLIT, "the candidate's share of requests isn't what was asked for"
    if any(stratum.bounds != tests.past_bounds for stratum in strata if tests.past_bounds):
        return Quality.CONTRADICTORY, "the histogram's buckets aren't those it began with"
    if spec.kind is SignalKind.LIMIT and tests.value is None:
        return Quality.MISSING, "nothing measured yet"
    unmeasured = _unmeasured_noise(spec, strata)
    if unmeasured:
        return Quality.MISSING, unmeasured
    if spec.kind is SignalKind.SATURATION:
        return Quality.GOOD, _too_few_to_rank(strata)
    return _member_quality(flow)


def _member_quality(flow: Flow) -> tuple[Quality, str]:
    if not flow.members:
        return Quality.GOOD, ""
    where, name, due = max(flow.members, key=lambda member: member[2])
    if due < QUIET_EXPECTED_REQUESTS:
        return Quality.GOOD, ""
    quality = Quality.SILENT if due >= SILENCE_EXPECTED_REQUESTS else Quality.QUIET
    note = f"{name} at {where} got nothing while its peers got {math.floor(due)} each"
    return quality, note


def _silent_members(flow: Flow, strata: tuple[Stratum, ...]) -> tuple[tuple[str, str, float], ...]:
    here = {_where(stratum) for stratum in strata}
    kept = {(where, name): due for where, name, due in flow.members}
    # Where this tick says nothing, nothing is known anew.
    found = [member for member in flow.members if member[0] not in here]
    for stratum in strata:
        where = _where(stratum)
        for name, expected in _without_requests(stratum.candidate):
            found.append((where, name, kept.get((where, name), 0.0) + expected))
    return tuple(found)


def _without_requests(arm: ArmTick) -> list[tuple[str, float]]:
    """Return the members that got nothing, each with what its peers got on average."""
    peers = len(arm.members) - 1
    if peers < 1:
        return []
    expected = sum(member.total for member in arm.members) / peers
    return [(member.name, expected) for member in arm.members if member.total == 0]


def _where(stratum: Stratum) -> str:
    return f"{stratum.placement} [{stratum.group}]" if stratum.group else stratum.placement


def _unmeasured_noise(spec: SignalSpec, strata: tuple[Stratum, ...]) -> str:
    """Return why the noise of *spec* can't be measured on the baseline's members, if it can't."""
    if spec.noise is not Noise.CLUSTERED:
        return ""
    fewest = min(
        (len(stratum.baseline.members) for stratum in strata if stratum.is_beside),
        default=FEWEST_SHARDS,
    )
    if fewest >= FEWEST_SHARDS:
        return ""
    return (
        f"clustered noise is measured on {FEWEST_SHARDS} members of the baseline, there are {fewest};"
        " count users instead, or add members"
    )


def _too_few_to_rank(strata: tuple[Stratum, ...]) -> str:
    """Return why a saturation signal says nothing, if it does so: it proves nothing, and holds nothing."""
    beside = [len(stratum.baseline.members) for stratum in strata if stratum.is_beside]
    if not beside or max(beside) >= FEWEST_UNEXPOSED:
        return ""
    return (
        f"says nothing: {FEWEST_UNEXPOSED} members of the baseline are needed to compare with, there"
        f" are {max(beside)}"
    )
