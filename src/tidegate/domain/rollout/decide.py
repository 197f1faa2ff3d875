"""
The whole policy: from all that is known of a rollout to what to do next, with the reason.

`decide` is pure: no clock, no I/O, no randomness. If it is not a field of the `Observation` it is not
an input. The ledger stores the observation, so any decision can be made again, by anyone, later.

Two rules hold everything else up. Exposure rises only by `EnterPhase`, and that is only returned when
the phase before has passed and everyone who must agree has. And nothing here ever advances because
time ran out: deadlines hold or halt.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, assert_never

from tidegate.domain.health.evidence import NO_EVIDENCE, Evidence, Judgement, Verdict, judge
from tidegate.domain.plan.model import Phase, Recovery
from tidegate.domain.quantities import (
    FULL_WEIGHT_BPS,
    NO_EXPOSURE,
    Exposure,
    Generation,
    Placement,
    Version,
)
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import (
    Approval,
    HaltCause,
    PhasePass,
    ReasonCode,
    Rehearsal,
    Rollout,
    WaitingOn,
    WhoCanAct,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One placement as it was observed, beside what this rollout wants there."""

    placement: Placement
    exposure: Exposure
    generation: Generation
    settled: bool
    why_not: str
    serving: Version | None
    candidate: Version | None
    stopped_at_generation: Generation | None
    trips: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """All that a decision may depend on. If it isn't a field, it isn't an input."""

    now: datetime
    rollout: Rollout
    placements: tuple[Seen, ...]
    evidence: Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Change nothing; say what is waited for."""

    rule: str
    because: str
    waiting_on: WaitingOn
    action: Literal["hold"] = "hold"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearse:
    """Try the way back on internal traffic: open to internal users, close again, note that it worked."""

    rule: str
    because: str
    to: Rehearsal
    action: Literal["rehearse"] = "rehearse"


@dataclass(frozen=True, slots=True, kw_only=True)
class EnterPhase:
    """Raise exposure to what the waited-for phase allows. The only decision that raises."""

    rule: str
    because: str
    evidence_of: PhasePass | None
    approvals: tuple[Approval, ...]
    action: Literal["enter_phase"] = "enter_phase"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reapply:
    """Say again to the targets what was said: they don't serve it yet."""

    rule: str
    because: str
    waiting_on: WaitingOn
    action: Literal["reapply"] = "reapply"


@dataclass(frozen=True, slots=True, kw_only=True)
class StartBake:
    """Every placement serves what was asked: the bake begins."""

    rule: str
    because: str
    trips: int
    action: Literal["start_bake"] = "start_bake"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Freeze the bake until its cause is gone, or a person has looked."""

    rule: str
    because: str
    waiting_on: WaitingOn
    action: Literal["pause"] = "pause"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpause:
    """The cause of the pause is gone."""

    rule: str
    because: str
    action: Literal["unpause"] = "unpause"


@dataclass(frozen=True, slots=True, kw_only=True)
class Advance:
    """The phase is passed; the next one may be waited for."""

    rule: str
    because: str
    passed: PhasePass
    action: Literal["advance"] = "advance"


@dataclass(frozen=True, slots=True, kw_only=True)
class Complete:
    """The last phase is passed: the candidate is the new baseline."""

    rule: str
    because: str
    passed: PhasePass
    action: Literal["complete"] = "complete"


@dataclass(frozen=True, slots=True, kw_only=True)
class HaltNow:
    """Withdraw the candidate at once; exposure only falls from here."""

    rule: str
    because: str
    cause: HaltCause
    action: Literal["halt"] = "halt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdraw:
    """A target still shows exposure after a stop: say it again."""

    rule: str
    because: str
    waiting_on: WaitingOn
    action: Literal["withdraw"] = "withdraw"


@dataclass(frozen=True, slots=True, kw_only=True)
class StartRecovery:
    """Bring everything back to what was served before."""

    rule: str
    because: str
    action: Literal["start_recovery"] = "start_recovery"


@dataclass(frozen=True, slots=True, kw_only=True)
class Retire:
    """Take away what serves nobody any more."""

    rule: str
    because: str
    waiting_on: WaitingOn
    action: Literal["retire"] = "retire"


@dataclass(frozen=True, slots=True, kw_only=True)
class BringBack:
    """Serve the earlier version to everyone: the move of a return."""

    rule: str
    because: str
    waiting_on: WaitingOn
    action: Literal["bring_back"] = "bring_back"


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishRecovery:
    """Everything serves again what it served before, and was seen to."""

    rule: str
    because: str
    action: Literal["finish_recovery"] = "finish_recovery"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settle:
    """The quarantine is over: what completed is now the last known good."""

    rule: str
    because: str
    action: Literal["settle"] = "settle"


Decision = (
    Hold
    | Rehearse
    | EnterPhase
    | Reapply
    | StartBake
    | Pause
    | Unpause
    | Advance
    | Complete
    | HaltNow
    | Withdraw
    | StartRecovery
    | Retire
    | BringBack
    | FinishRecovery
    | Settle
)

FULL_EXPOSURE: Final = Exposure(internal=True, weight_bps=FULL_WEIGHT_BPS)

_RECOVERS_BY_ITSELF: Final = frozenset({HaltCause.HARM, HaltCause.NOT_APPLIED})
"""Causes that leave nothing for a person to weigh. Data that went missing, or a person's own stop, do."""


def decide(seen: Observation) -> Decision:
    """Return what to do next, with the reason in words for the ledger."""
    match seen.rollout.state:
        case State.PLANNED:
            return _hold(
                "start", "planned, not started", ReasonCode.STARTING, who=WhoCanAct.OPERATOR
            )
        case State.WAITING:
            return _latched(seen) or _decide_waiting(seen)
        case State.APPLYING:
            return _latched(seen) or _decide_applying(seen)
        case State.BAKING:
            return _latched(seen) or _decide_baking(seen)
        case State.HELD:
            return _latched(seen) or _decide_held(seen)
        case State.HALTED:
            return _decide_halted(seen)
        case State.RECOVERING:
            return _decide_return(seen) if seen.rollout.is_return else _decide_recovering(seen)
        case State.COMPLETED:
            return _decide_completed(seen)
        case State.ROLLED_BACK | State.ROLLED_FORWARD | State.SUPERSEDED | State.ABANDONED:
            return _hold("over", "the rollout is over", ReasonCode.NOTHING)
        case _:
            assert_never(seen.rollout.state)


def wanted_exposure(rollout: Rollout, placement: Placement) -> Exposure:
    """Return what *rollout* allows *placement* now; the most that may ever be observed there."""
    match rollout.state:
        case State.APPLYING | State.BAKING | State.HELD:
            return rollout.plan.exposure_of(placement, rollout.phase_index)
        case State.COMPLETED:
            return rollout.plan.exposure_of(placement, len(rollout.plan.phases) - 1)
        case State.WAITING:
            if rollout.rehearsal is Rehearsal.FORWARD:
                return Exposure(internal=True, weight_bps=0)
            if rollout.phase_index == 0 or must_prove_again(rollout):
                return NO_EXPOSURE
            return rollout.plan.exposure_of(placement, rollout.phase_index - 1)
        case _:
            return NO_EXPOSURE


def must_prove_again(rollout: Rollout) -> bool:
    """Return whether a stop withdrew everything since the phase before was passed."""
    last = rollout.passes[-1] if rollout.passes else None
    return last is None or last.attempt != rollout.attempt


# --- one function per state ------------------------------------------------------------------


def phase_in_force(rollout: Rollout) -> Phase | None:
    """
    Return the phase whose exposure users meet now, and whose signals must be watched.

    While the next phase is waited for, the one before stays in force, and so does its watch.
    """
    if rollout.state in (State.BAKING, State.HELD):
        return rollout.phase
    if rollout.state is State.WAITING and rollout.phase_index > 0 and not must_prove_again(rollout):
        return rollout.plan.phases[rollout.phase_index - 1]
    return None


def _decide_waiting(seen: Observation) -> Decision:
    rollout = seen.rollout
    stop = _halt_for_harm(seen)
    if stop is not None:
        return stop
    left = _exposed(seen) if _allows_nobody(rollout) else None
    if left is not None:
        return _withdraw_again(left)
    if rollout.phase_index == 0 and rollout.rehearsal is not Rehearsal.PROVEN:
        return _decide_rehearsal(seen)
    agreed = valid_approvals(rollout, rollout.phase_index)
    if len(agreed) < rollout.phase.approvals:
        missing = rollout.phase.approvals - len(agreed)
        return _hold(
            "approval",
            f"{rollout.phase.name} needs {missing} more approval{'s' if missing > 1 else ''}"
            f" ({rollout.phase.approvers})",
            ReasonCode.APPROVAL,
            who=WhoCanAct.APPROVER,
        )
    passed = _pass_of_phase_before(rollout)
    if rollout.phase_index > 0 and passed is None:
        return _hold(
            "evidence-before-rise",
            f"no record that {rollout.plan.phases[rollout.phase_index - 1].name} was passed",
            ReasonCode.MORE_EVIDENCE,
            who=WhoCanAct.OPERATOR,
        )
    return EnterPhase(
        rule="enter-phase",
        because=f"phase {rollout.phase_index + 1} of {len(rollout.plan.phases)}:"
        f" {rollout.phase.name}",
        evidence_of=passed,
        approvals=agreed,
    )


def _allows_nobody(rollout: Rollout) -> bool:
    """Return whether nothing may be exposed while *rollout* waits: nobody watches it then."""
    rehearses = rollout.rehearsal in (Rehearsal.FORWARD, Rehearsal.BACK)
    return phase_in_force(rollout) is None and not rehearses


def _halt_for_harm(seen: Observation) -> HaltNow | None:
    rollout = seen.rollout
    phase = phase_in_force(rollout)
    if phase is None:
        return None
    stop = _halt_for_trip(seen)
    if stop is not None:
        return stop
    judgement = _judge(seen, phase)
    if judgement.verdict is not Verdict.FAIL:
        return None
    because = "; ".join(judgement.reasons)
    return HaltNow(rule="harm-proven", because=because, cause=HaltCause.HARM)


def valid_approvals(rollout: Rollout, phase_index: int) -> tuple[Approval, ...]:
    """Return one approval per person that is bound to this phase, attempt and plan."""
    by_person = {
        approval.by: approval
        for approval in rollout.approvals
        if approval.phase_index == phase_index
        and approval.attempt == rollout.attempt
        and approval.plan_hash == rollout.plan_hash
    }
    return tuple(by_person.values())


def _pass_of_phase_before(rollout: Rollout) -> PhasePass | None:
    return next(
        (
            passed
            for passed in reversed(rollout.passes)
            if passed.phase_index == rollout.phase_index - 1
        ),
        None,
    )


def _decide_rehearsal(seen: Observation) -> Decision:
    rollout = seen.rollout
    if rollout.is_install:
        return Rehearse(
            rule="rehearse-way-back",
            because="nothing is served yet, so there is nothing to go back to",
            to=Rehearsal.PROVEN,
        )
    unsettled = _first_unsettled(seen)
    match rollout.rehearsal:
        case Rehearsal.NOT_TRIED:
            return Rehearse(
                rule="rehearse-way-back",
                because="the way back is tried on internal traffic before anyone is exposed",
                to=Rehearsal.FORWARD,
            )
        case Rehearsal.FORWARD if unsettled is None:
            return Rehearse(
                rule="rehearse-way-back",
                because="the candidate serves internal traffic; now back",
                to=Rehearsal.BACK,
            )
        case Rehearsal.BACK if unsettled is None and _exposed(seen) is None:
            return Rehearse(
                rule="rehearse-way-back", because="the way back works", to=Rehearsal.PROVEN
            )
        case _:
            problem = unsettled or "still open to internal users"
            began = rollout.rehearsal_since or rollout.state_since
            return _wait_for_targets(seen, began, problem, ReasonCode.REHEARSING)


def _decide_applying(seen: Observation) -> Decision:
    unsettled = _first_unsettled(seen)
    if unsettled is None:
        phase = seen.rollout.phase
        return StartBake(
            rule="observed-everywhere",
            because=f"{phase.name} is served as asked by every member",
            trips=_trips(seen),
        )
    return _wait_for_targets(seen, seen.rollout.state_since, unsettled, ReasonCode.APPLYING)


def _wait_for_targets(
    seen: Observation, began: datetime, problem: str, reason: ReasonCode
) -> Decision:
    deadline = began + seen.rollout.plan.apply_within
    if seen.now >= deadline:
        waited = int((seen.now - began).total_seconds())
        return HaltNow(
            rule="apply-within",
            because=f"not served after {waited} s: {problem}",
            cause=HaltCause.NOT_APPLIED,
        )
    return Reapply(
        rule="observed-everywhere",
        because=problem,
        waiting_on=_waiting(reason, problem, until=deadline),
    )


def _decide_baking(seen: Observation) -> Decision:
    rollout = seen.rollout
    stop = _halt_for_trip(seen)
    if stop is not None:
        return stop
    judgement = _judge(seen, rollout.phase)
    because = "; ".join(judgement.reasons)
    if judgement.verdict is Verdict.FAIL:
        return HaltNow(rule="harm-proven", because=because, cause=HaltCause.HARM)
    finished = _first_finished(seen)
    if finished is not None:
        # Completing was decided and begun, and whoever did so didn't live to record it.
        return Complete(rule="all-phases-passed", because=finished, passed=_pass_of(seen))
    unsettled = _first_unsettled(seen)
    if unsettled is not None:
        return _pause("drift", unsettled, ReasonCode.NO_DATA, _no_data_deadline(seen))
    silence = _watch_silence(seen)
    if silence is not None:
        return _pause("watch-silent", silence, ReasonCode.NO_DATA, _no_data_deadline(seen))
    match judgement.verdict:
        case Verdict.UNUSABLE:
            if seen.now - rollout.state_since < rollout.plan.stale_after:
                return _hold("first-data", because, ReasonCode.MORE_EVIDENCE)
            return _pause("no-data", because, ReasonCode.NO_DATA, _no_data_deadline(seen))
        case Verdict.SUSPECT:
            return _pause("harm-suspected", because, ReasonCode.SUSPECTED_HARM, None)
        case Verdict.INSUFFICIENT:
            return _undecided(seen, because)
        case Verdict.PASS:
            return _passed(seen, because)
        case _:
            assert_never(judgement.verdict)


def _undecided(seen: Observation, because: str) -> Decision:
    rollout, evidence = seen.rollout, evidence_in_force(seen)
    longest = rollout.phase.bake_max * rollout.bake_allowance
    if evidence.baked_for >= longest:
        return Pause(
            rule="inconclusive",
            because=f"undecided after {_duration(evidence.baked_for)}: {because}",
            waiting_on=_waiting(ReasonCode.INCONCLUSIVE, because, who=WhoCanAct.OPERATOR),
        )
    left = rollout.phase.bake - evidence.baked_for
    if left > timedelta(0):
        because = f"{_duration(left)} of bake left; {because}"
    return Hold(
        rule="more-evidence",
        because=because,
        waiting_on=_waiting(
            ReasonCode.MORE_EVIDENCE, because, until=seen.now + (longest - evidence.baked_for)
        ),
    )


def _passed(seen: Observation, because: str) -> Decision:
    rollout, evidence = seen.rollout, evidence_in_force(seen)
    left = rollout.phase.bake - evidence.baked_for
    if left > timedelta(0):
        return Hold(
            rule="bake-time",
            because=f"{because}; {_duration(left)} of bake left",
            waiting_on=_waiting(
                ReasonCode.BAKE_TIME, f"{_duration(left)} of bake left", until=seen.now + left
            ),
        )
    if seen.now - rollout.phase_since < rollout.phase.bake:
        # Counted time can't outrun the clock on the wall; if it did, one of them is wrong.
        until = rollout.phase_since + rollout.phase.bake
        return Hold(
            rule="bake-time",
            because="the clocks disagree; the later one counts",
            waiting_on=_waiting(ReasonCode.BAKE_TIME, "the bake's time", until=until),
        )
    if _is_last_phase(rollout):
        return Complete(rule="all-phases-passed", because=because, passed=_pass_of(seen))
    return Advance(rule="phase-passed", because=because, passed=_pass_of(seen))


def _pass_of(seen: Observation) -> PhasePass:
    rollout = seen.rollout
    proven = [
        spec.name
        for spec in rollout.phase.signals
        if spec.gate and rollout.phase.has_concurrent_baseline
    ]
    return PhasePass(
        phase_index=rollout.phase_index,
        attempt=rollout.attempt,
        at=seen.now,
        certified=tuple(sorted({*certified_before(rollout), *proven})),
    )


def _is_last_phase(rollout: Rollout) -> bool:
    return rollout.phase_index + 1 == len(rollout.plan.phases)


def _decide_held(seen: Observation) -> Decision:
    rollout = seen.rollout
    stop = _halt_for_trip(seen)
    if stop is not None:
        return stop
    judgement = _judge(seen, rollout.phase)
    because = "; ".join(judgement.reasons)
    if judgement.verdict is Verdict.FAIL:
        return HaltNow(rule="harm-proven", because=because, cause=HaltCause.HARM)
    if rollout.waiting_on.reason is ReasonCode.INCONCLUSIVE:
        return Hold(
            rule="inconclusive",
            because=f"undecided: {because}",
            waiting_on=_waiting(ReasonCode.INCONCLUSIVE, because, who=WhoCanAct.OPERATOR),
        )
    unsettled = _first_unsettled(seen)
    silence = _watch_silence(seen)
    trouble = unsettled or silence
    if trouble is None and judgement.verdict is Verdict.UNUSABLE:
        trouble = because
    if trouble is not None:
        return _hold_without_data(seen, trouble, watch_is_alive=silence is None)
    if judgement.verdict is Verdict.SUSPECT:
        return _hold("harm-suspected", because, ReasonCode.SUSPECTED_HARM, who=WhoCanAct.OPERATOR)
    return Unpause(rule="hold-ended", because=f"the cause is gone; {because}")


def _hold_without_data(seen: Observation, trouble: str, *, watch_is_alive: bool) -> Decision:
    deadline = seen.rollout.state_since + seen.rollout.plan.no_data_halt_after
    # While our own watch is silent nothing was looked at, so nothing can be said to be missing.
    if seen.now >= deadline and watch_is_alive:
        waited = _duration(seen.now - seen.rollout.state_since)
        return HaltNow(
            rule="no-data-halt-after",
            because=f"no usable data for {waited}: {trouble}",
            cause=HaltCause.NO_DATA,
        )
    return _hold("no-data", trouble, ReasonCode.NO_DATA, until=deadline, who=WhoCanAct.OPERATOR)


def _decide_halted(seen: Observation) -> Decision:
    left = _not_withdrawn(seen)
    if left is not None:
        return _withdraw_again(left)
    halt = seen.rollout.halt
    assert halt is not None, "a halted rollout says why"
    if halt.cause in _RECOVERS_BY_ITSELF and seen.rollout.plan.recovery is Recovery.ROLLBACK:
        return StartRecovery(rule="recover-by-itself", because=f"after {halt.because}")
    return _hold(
        "person-after-halt",
        f"halted by {halt.by}: {halt.because}",
        ReasonCode.PERSON_AFTER_HALT,
        who=WhoCanAct.OPERATOR,
    )


def _decide_recovering(seen: Observation) -> Decision:
    left = _not_withdrawn(seen)
    if left is not None:
        return _withdraw_again(left)
    drains = ", ".join(str(here.placement) for here in seen.placements if here.candidate)
    if drains:
        return Retire(
            rule="retire-candidate",
            because=f"the candidate is drained: {drains}",
            waiting_on=_waiting(ReasonCode.RECOVERING, f"drains {drains}"),
        )
    for here in seen.placements:
        # Before a first deployment nothing was served, so there is nothing to go back to.
        served_before = (
            None if seen.rollout.is_install else seen.rollout.baseline_of(here.placement)
        )
        if served_before is not None and here.serving != served_before:
            return _hold(
                "verify-way-back",
                f"{here.placement} serves {here.serving.name if here.serving else 'nothing'},"
                f" not {served_before.name}",
                ReasonCode.RECOVERING,
                who=WhoCanAct.OPERATOR,
            )
    return FinishRecovery(
        rule="verify-way-back", because="every target serves what it served before"
    )


def _decide_return(seen: Observation) -> Decision:
    """A return's change is the earlier version: full exposure to it is the way back."""
    for here in seen.placements:
        wanted = seen.rollout.change.version_of(here.placement.component)
        if here.serving == wanted and here.candidate is None:
            continue
        if (
            here.exposure.weight_bps == FULL_WEIGHT_BPS
            and here.settled
            and here.candidate == wanted
        ):
            continue
        problem = here.why_not or f"{here.placement} doesn't serve {wanted and wanted.name} yet"
        return BringBack(
            rule="bring-back",
            because=problem,
            waiting_on=_waiting(ReasonCode.RECOVERING, problem),
        )
    return FinishRecovery(rule="verify-way-back", because="every target serves the earlier version")


def _decide_completed(seen: Observation) -> Decision:
    rollout = seen.rollout
    if rollout.settled:
        return _hold("over", "the rollout is over", ReasonCode.NOTHING)
    assert rollout.finished_at is not None, "a completed rollout has an end"
    ends = rollout.finished_at + rollout.plan.quarantine
    if seen.now < ends:
        return _hold(
            "quarantine",
            "the old version stays warm for an instant return",
            ReasonCode.QUARANTINE,
            until=ends,
            who=WhoCanAct.OPERATOR,
        )
    return Settle(rule="quarantine", because="completed and outlived its quarantine")


# --- what was seen ---------------------------------------------------------------------------


def _latched(seen: Observation) -> HaltNow | None:
    """
    A stop that was made at a target without the store: the store follows it.

    Such a stop is latched above every generation the store can have issued; one that the store made
    itself is latched at the generation it issued for it.
    """
    latched = _latched_elsewhere(seen)
    if latched is None:
        return None
    # Whoever found harm may have stopped it and not lived to record why: the evidence still says so.
    return _halt_for_harm(seen) or HaltNow(
        rule="stop-latched-at-target", because=latched, cause=HaltCause.PERSON
    )


def _halt_for_trip(seen: Observation) -> HaltNow | None:
    trips = _trips(seen)
    if trips <= seen.rollout.trips_before:
        return None
    return HaltNow(
        rule="circuit-breaker",
        because=f"the candidate was cut off or restarted {trips - seen.rollout.trips_before} time(s)"
        " since the bake began",
        cause=HaltCause.HARM,
    )


def _trips(seen: Observation) -> int:
    return sum(here.trips for here in seen.placements)


def _first_unsettled(seen: Observation) -> str | None:
    """Return what is not as wanted, in words, or None when all of it is."""
    for here in seen.placements:
        wanted = wanted_exposure(seen.rollout, here.placement)
        if here.generation != seen.rollout.generation_on(here.placement.target):
            return f"{here.placement} follows generation {here.generation}"
        if not here.settled:
            return here.why_not or f"{here.placement} isn't settled"
        if here.exposure != wanted:
            return f"{here.placement} exposes {here.exposure}, asked was {wanted}"
        change = seen.rollout.change.version_of(here.placement.component)
        if wanted != NO_EXPOSURE and here.candidate != change:
            served = here.candidate.name if here.candidate else "nothing"
            return f"{here.placement} serves {served} as candidate"
    return None


def _exposed(seen: Observation) -> str | None:
    for here in seen.placements:
        if here.exposure != NO_EXPOSURE:
            return f"{here.placement} still exposes {here.exposure}"
    return None


def became_baseline(rollout: Rollout, here: Seen) -> bool:
    """Return whether the candidate became the baseline at *here*, which only completing does."""
    version = rollout.change.version_of(here.placement.component)
    return (
        here.candidate is None
        and here.serving == version
        and version != rollout.baseline_of(here.placement)
    )


def _first_finished(seen: Observation) -> str | None:
    """Return where the last phase's candidate became the baseline under this very generation."""
    if not _is_last_phase(seen.rollout):
        return None
    for here in seen.placements:
        ours = here.generation == seen.rollout.generation_on(here.placement.target)
        if ours and became_baseline(seen.rollout, here):
            return f"{here.placement} was finished already"
    return None


def _not_withdrawn(seen: Observation) -> str | None:
    """
    Return where the stop of this rollout isn't seen to be in force, in words, or None.

    A target that still shows an older generation shows what was before the stop, not what is.
    """
    for here in seen.placements:
        if here.exposure != NO_EXPOSURE:
            return f"{here.placement} still exposes {here.exposure}"
        if here.generation < seen.rollout.generation_on(here.placement.target):
            return f"{here.placement} follows generation {here.generation}"
        if became_baseline(seen.rollout, here):
            return f"{here.placement} serves the candidate to everyone"
    return _latched_elsewhere(seen)


def _latched_elsewhere(seen: Observation) -> str | None:
    """Return where a stop is latched at a generation of which the store doesn't know yet."""
    for here in seen.placements:
        stopped = here.stopped_at_generation
        if stopped is not None and stopped > seen.rollout.generation_on(here.placement.target):
            return f"{here.placement} latched a stop at generation {stopped}"
    return None


def evidence_in_force(seen: Observation) -> Evidence:
    """Return the evidence if it is of this attempt and of the phase in force, else none at all."""
    rollout, evidence = seen.rollout, seen.evidence
    phase = phase_in_force(rollout)
    if (
        phase is None
        or evidence.attempt != rollout.attempt
        or evidence.phase_began_at != rollout.phase_since
        or rollout.plan.phases[evidence.phase_index] != phase
    ):
        return NO_EVIDENCE
    return evidence


def certified_before(rollout: Rollout) -> tuple[str, ...]:
    """Return the gate signals that earlier phases have certified beside a baseline."""
    return rollout.passes[-1].certified if rollout.passes else ()


def _judge(seen: Observation, phase: Phase) -> Judgement:
    return judge(
        evidence_in_force(seen),
        phase=phase,
        budget=seen.rollout.plan.budget,
        attempt=seen.rollout.attempt,
        carried=certified_before(seen.rollout),
    )


def _watch_silence(seen: Observation) -> str | None:
    # Not from when the state began: that a hold ended makes old evidence no fresher.
    since = evidence_in_force(seen).last_tick_at or seen.rollout.phase_since
    silent_for = seen.now - since
    if silent_for <= seen.rollout.plan.stale_after:
        return None
    return f"the watch has not looked for {_duration(silent_for)}"


# --- words -----------------------------------------------------------------------------------


def _no_data_deadline(seen: Observation) -> datetime:
    return seen.now + seen.rollout.plan.no_data_halt_after


def _withdraw_again(exposed: str) -> Withdraw:
    return Withdraw(
        rule="exposure-only-falls",
        because=exposed,
        waiting_on=_waiting(ReasonCode.WITHDRAWING, exposed),
    )


def _pause(rule: str, because: str, reason: ReasonCode, until: datetime | None) -> Pause:
    return Pause(
        rule=rule,
        because=because,
        waiting_on=_waiting(reason, because, until=until, who=WhoCanAct.OPERATOR),
    )


def _hold(
    rule: str,
    because: str,
    reason: ReasonCode,
    *,
    until: datetime | None = None,
    who: WhoCanAct = WhoCanAct.NOBODY,
) -> Hold:
    return Hold(
        rule=rule, because=because, waiting_on=_waiting(reason, because, until=until, who=who)
    )


def _waiting(
    reason: ReasonCode,
    detail: str,
    *,
    until: datetime | None = None,
    who: WhoCanAct = WhoCanAct.NOBODY,
) -> WaitingOn:
    return WaitingOn(reason=reason, detail=detail, until=until, who_can_act=who)


def _duration(length: timedelta) -> str:
    seconds = int(length.total_seconds())
    if seconds < 120:
        return f"{seconds} s"
    if seconds < 7200:
        return f"{seconds // 60} min"
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"
