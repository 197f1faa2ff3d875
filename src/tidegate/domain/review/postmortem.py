"""
The draft of a postmortem, made of facts that the ledger and the watch kept. Pure: facts in, a draft out.

Rule: nothing is guessed. What the facts don't say is None and shown as unknown; an estimate says what it
was made of. Names of people don't appear (see `blameless`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from tidegate.domain.health.evidence import SignalEvidence, is_culprit
from tidegate.domain.review.blameless import Blame, blaming, roles_of, without_names
from tidegate.domain.review.written import REVIEWING

HARMED = frozenset({"halted", "rolled_back", "rolled_forward", "recovering", "abandoned"})
"""States of a rollout in which there is something to look back at."""

RECOVERED = frozenset({"rolled_back", "rolled_forward", "abandoned", "completed"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """
    One entry of the ledger. `exposure_bps` is the most that any target was seen to expose when it was
    decided, None where nobody looked. `by_rule` is whether a rule decided it, so that it can be replayed.
    """

    number: int
    at: datetime
    kind: str
    rule: str
    because: str
    actor: str
    state_before: str
    state_after: str
    exposure_bps: int | None
    phase: str
    by_rule: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What one signal counted in one phase of one attempt: totals and bad events of both arms."""

    signal: str
    phase: str
    candidate_total: int
    candidate_bad: int
    baseline_total: int
    baseline_bad: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """How strong the evidence of harm was at one moment: the logarithm of an e-value, per signal."""

    at: datetime
    log_e_harm: Mapping[str, float | None]


class Caught(StrEnum):
    """What a signal did about it."""

    CAUGHT = "caught it"
    PARTLY = "was suspicious, and proved nothing"
    CLEAR = "saw nothing"
    BLIND = "had no data"
    SHADOW = "only watched"


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """One signal, and what it did. `detail` is what its data looked like, in words."""

    signal: str
    caught: Caught
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One line of the timeline, without names. `blame` are wordings of people to be said better."""

    number: int
    at: datetime
    who: str
    what: str
    rule: str
    state: str
    is_change: bool
    is_a_persons: bool
    exposure_bps: int | None
    blame: tuple[Blame, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Latencies:
    """
    How long it took, each from the one before; None where one end isn't on record.

    From the first exposure of users to the stop, from the stop to where nobody was exposed any more,
    and from the stop to where it was over.
    """

    exposed_until_halt: timedelta | None
    halt_until_withdrawn: timedelta | None
    halt_until_over: timedelta | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Impact:
    """
    What users had of it, by one signal: `served` by the new version, `bad` of them, and how many `excess`
    there were beyond the baseline's rate at the same time; None where there was nothing beside it.
    """

    signal: str
    served: int
    bad: int
    excess: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Postmortem:
    """The draft. `exposure` was seen over time, so was `harm`; `threshold` is what proves that."""

    timeline: tuple[Moment, ...]
    latencies: Latencies
    impacts: tuple[Impact, ...]
    guards: tuple[Guard, ...]
    exposure: tuple[tuple[datetime, int], ...]
    harm: tuple[Point, ...]
    threshold: float
    most_exposed_bps: int
    roles: Mapping[str, str]


def draft(
    facts: Sequence[Fact],
    counted: Sequence[Counted],
    guards: Sequence[Guard],
    harm: Sequence[Point],
    *,
    engine: str,
    proposer: str,
    threshold: float,
) -> Postmortem:
    """
    Return the draft of a postmortem.

    Args:
        facts: The rollout's ledger, oldest first. What looks back at it there is left out.
        counted: What each signal counted, once per phase and attempt.
        guards: What each signal did, where that is known.
        harm: The course of the evidence of harm, oldest first.
        engine: The engine's name in the ledger.
        proposer: Who started the rollout.
        threshold: From which log e-value on harm is proven.
    """
    facts = [fact for fact in facts if fact.rule not in REVIEWING]
    roles = roles_of((fact.actor for fact in facts), engine=engine, proposer=proposer)
    exposure = tuple(
        (fact.at, fact.exposure_bps) for fact in facts if fact.exposure_bps is not None
    )
    return Postmortem(
        timeline=tuple(_moment(fact, roles, engine) for fact in facts if _is_told(fact)),
        latencies=_latencies(facts),
        impacts=_impacts(counted),
        guards=tuple(guards),
        exposure=exposure,
        harm=tuple(harm),
        threshold=threshold,
        most_exposed_bps=max((bps for _, bps in exposure), default=0),
        roles=roles,
    )


def _is_told(fact: Fact) -> bool:
    """Return whether *fact* is for people: a change of state, or a person's word."""
    return fact.state_after != fact.state_before or not fact.by_rule


def _moment(fact: Fact, roles: Mapping[str, str], engine: str) -> Moment:
    is_a_persons = fact.actor != engine
    return Moment(
        number=fact.number,
        at=fact.at,
        who=roles[fact.actor],
        what=without_names(fact.because, roles),
        rule=fact.rule,
        state=fact.state_after,
        is_change=fact.state_after != fact.state_before,
        is_a_persons=is_a_persons,
        exposure_bps=fact.exposure_bps,
        blame=blaming(fact.because) if is_a_persons else (),
    )


def _latencies(facts: Sequence[Fact]) -> Latencies:
    exposed = _first(facts, lambda fact: (fact.exposure_bps or 0) > 0)
    halted = _first(facts, lambda fact: fact.state_after == "halted" != fact.state_before)
    after = [fact for fact in facts if halted is not None and fact.at >= halted]
    withdrawn = _first(after, lambda fact: fact.exposure_bps == 0)
    over = _first(after, lambda fact: fact.state_after in RECOVERED)
    return Latencies(
        exposed_until_halt=_between(exposed, halted),
        halt_until_withdrawn=_between(halted, withdrawn),
        halt_until_over=_between(halted, over),
    )


def _first(facts: Sequence[Fact], is_it: Callable[[Fact], bool]) -> datetime | None:
    return next((fact.at for fact in facts if is_it(fact)), None)


def _between(since: datetime | None, until: datetime | None) -> timedelta | None:
    return None if since is None or until is None or until < since else until - since


def _impacts(counted: Sequence[Counted]) -> tuple[Impact, ...]:
    by_signal: dict[str, list[Counted]] = {}
    for one in counted:
        by_signal.setdefault(one.signal, []).append(one)
    return tuple(_impact(signal, found) for signal, found in by_signal.items())


def _impact(signal: str, counted: Sequence[Counted]) -> Impact:
    """Return what one signal says: each phase compared with its own baseline, then added up."""
    excess: float | None = 0.0
    for one in counted:
        if one.candidate_total == 0:
            continue
        if one.baseline_total == 0 or excess is None:
            excess = None
            continue
        excess += one.candidate_bad - one.candidate_total * one.baseline_bad / one.baseline_total
    return Impact(
        signal=signal,
        served=sum(one.candidate_total for one in counted),
        bad=sum(one.candidate_bad for one in counted),
        excess=None if excess is None else max(0.0, excess),
    )


def guard_of(signal: SignalEvidence, alpha: float, detail: str) -> Guard:
    """
    Return what *signal* did, by its evidence at the moment that decided.

    It caught it when it may be named as harmed at an error of *alpha*; half of that evidence is suspicion.
    """
    if signal.shadow:
        caught = Caught.SHADOW
    elif signal.candidate_total == 0 and signal.value is None:
        caught = Caught.BLIND
    elif is_culprit(signal, alpha):
        caught = Caught.CAUGHT
    elif is_culprit(replace(signal, log_e_harm=2 * signal.log_e_harm), alpha):
        caught = Caught.PARTLY
    else:
        caught = Caught.CLEAR
    return Guard(signal=signal.signal, caught=caught, detail=detail)
