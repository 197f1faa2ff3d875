"""
The policy carried out in an ideal world: targets apply at once, people agree at once, nothing fails.

Every rule is the real one: `decide` says what is next, and the rollout moves by the machine's own
transitions, as `usecases.step` moves it. What isn't here is what an ideal world doesn't need: ports,
store, ledger, and the way back after a halt. Nothing here knows what the world is like.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from tidegate.domain.health.evidence import Evidence
from tidegate.domain.plan.model import Change, ComponentChange, Plan
from tidegate.domain.quantities import NO_EXPOSURE, Generation, Placement, RolloutId, Version
from tidegate.domain.rollout import decisions as rules
from tidegate.domain.rollout import seen as facts
from tidegate.domain.rollout.decide import decide
from tidegate.domain.rollout.decisions import Decision, Observation, Seen
from tidegate.domain.rollout.machine import Event, State
from tidegate.domain.rollout.model import (
    Approval,
    Halt,
    HaltCause,
    ReasonCode,
    Rollout,
    WaitingOn,
    WhoCanAct,
)
from tidegate.usecases.record import ENGINE

OLD: Final = Version(name="now", digest="sha256:" + "0" * 64)
NEW: Final = Version(name="next", digest="sha256:" + "1" * 64)

PATIENCE: Final = timedelta(hours=24)
"""A hold that needs a person and lasts this long is taken for the end: nobody comes in a simulation."""

MOST_STEPS: Final = 100
"""Decisions that may follow one look. More would be a rule that goes in circles."""

_EVENTS: Final = {
    HaltCause.HARM: Event.HARM_FOUND,
    HaltCause.PERSON: Event.HALTED_BY_PERSON,
    HaltCause.NO_DATA: Event.GAVE_UP_WAITING,
    HaltCause.NOT_APPLIED: Event.GAVE_UP_WAITING,
    HaltCause.ALARM: Event.ALARM_RAISED,
}


class SimulatedRollout:
    """
    One rollout of *plan*, begun at *start*.

    Attributes:
        rollout: What is remembered of it.
        held_last: The latest hold: when it began, and in which phase. None while there was none.
        because: Why it is where it is, in the words of the latest decision.
    """

    def __init__(self, plan: Plan, *, start: datetime) -> None:
        self.rollout: Rollout = _begun(plan, start)
        self.held_last: tuple[datetime, int] | None = None
        self.because = ""
        self._trips = 0

    @property
    def is_over(self) -> bool:
        """Whether it is stopped or through; what follows is the same in every simulation."""
        return self.rollout.state in (State.HALTED, State.COMPLETED)

    def needs_person(self, now: datetime) -> bool:
        """Return whether only a person can end its wait, or one should have by *now*."""
        rollout = self.rollout
        if rollout.state is not State.HELD:
            return False
        undecided = rollout.waiting_on.reason is ReasonCode.INCONCLUSIVE
        return undecided or now - rollout.state_since >= PATIENCE

    def step(self, evidence: Evidence, *, trips: int, now: datetime) -> None:
        """Decide and carry out until there is nothing to do before the next look."""
        self._trips += trips
        for _ in range(MOST_STEPS):
            decision = decide(self._observe(evidence, now))
            self.because = decision.because
            before = self.rollout
            self._carry_out(decision, now)
            if self.is_over or self.rollout is before:
                return
        raise AssertionError(f"{MOST_STEPS} decisions in a row, the last: {self.because}")

    def _observe(self, evidence: Evidence, now: datetime) -> Observation:
        rollout = self.rollout
        return Observation(
            now=now,
            rollout=rollout,
            placements=tuple(
                self._seen(place) for place in rollout.plan.exposure_within(rollout.phase_index)
            ),
            evidence=evidence,
        )

    def _seen(self, place: Placement) -> Seen:
        rollout = self.rollout
        exposure = facts.wanted_exposure(rollout, place)
        first = place == rollout.plan.placements()[0]
        return Seen(
            placement=place,
            exposure=exposure,
            generation=rollout.generation_on(place.target),
            settled=True,
            why_not="",
            serving=OLD,
            candidate=None if exposure == NO_EXPOSURE else NEW,
            stopped_at_generation=None,
            trips=self._trips if first else 0,
        )

    def _carry_out(self, decision: Decision, now: datetime) -> None:
        rollout = self.rollout
        match decision:
            case rules.Hold():
                self._wait(decision.waiting_on, now)
            case rules.Rehearse():
                self.rollout = replace(rollout, rehearsal=decision.to, rehearsal_since=now)
            case rules.EnterPhase():
                self.rollout = rollout.moved(Event.PHASE_ENTERED, at=now)
            case rules.StartBake():
                baking = rollout.moved(Event.APPLIED, at=now)
                self.rollout = replace(
                    baking,
                    phase_since=now,
                    trips_before=decision.trips,
                    waiting_on=_waiting(ReasonCode.MORE_EVIDENCE, "the bake has begun"),
                )
            case rules.Pause():
                held = rollout.moved(Event.PUT_ON_HOLD, at=now)
                self.rollout = held.waiting(decision.waiting_on)
                self.held_last = (now, rollout.phase_index)
            case rules.Unpause():
                baking = rollout.moved(Event.HOLD_ENDED, at=now)
                waiting_on = _waiting(ReasonCode.MORE_EVIDENCE, decision.because)
                self.rollout = replace(baking, waiting_on=waiting_on)
            case rules.Advance():
                waiting = rollout.moved(Event.PHASE_PASSED, at=now)
                self.rollout = replace(
                    waiting,
                    passes=(*rollout.passes, decision.passed),
                    phase_index=rollout.phase_index + 1,
                    bake_allowance=1,
                    waiting_on=_waiting(ReasonCode.STARTING, "the next phase"),
                )
            case rules.Complete():
                completed = rollout.moved(Event.LAST_PHASE_PASSED, at=now)
                self.rollout = replace(completed, passes=(*rollout.passes, decision.passed))
            case rules.HaltNow():
                halted = rollout.moved(_EVENTS[decision.cause], at=now)
                halt = Halt(cause=decision.cause, because=decision.because, by=ENGINE, at=now)
                self.rollout = replace(halted, halt=halt)
            case _:
                raise AssertionError(f"{decision.action} has no place before the end")

    def _wait(self, waiting_on: WaitingOn, now: datetime) -> None:
        rollout = self.rollout
        if rollout.state is State.WAITING and waiting_on.reason is ReasonCode.APPROVAL:
            # Somebody always agrees at once, so that plans are compared and not people.
            self.rollout = _approved(rollout, now)
        elif waiting_on.reason is not rollout.waiting_on.reason:
            self.rollout = rollout.waiting(waiting_on)


def _begun(plan: Plan, start: datetime) -> Rollout:
    placements = plan.placements()
    components = dict.fromkeys(place.component for place in placements)
    targets = dict.fromkeys(place.target for place in placements)
    planned = Rollout(
        id=RolloutId("simulated"),
        service=placements[0].service,
        change=Change(
            components=tuple(ComponentChange(component=name, to=NEW) for name in components)
        ),
        plan=plan,
        plan_hash="simulated",
        baselines=tuple((place, OLD) for place in placements),
        state=State.PLANNED,
        revision=1,
        created_at=start,
        created_by=ENGINE,
        phase_index=0,
        attempt=1,
        state_since=start,
        phase_since=start,
        waiting_on=_waiting(ReasonCode.STARTING, "the first step is due"),
        generations=tuple((str(target), Generation(1)) for target in targets),
    )
    return planned.moved(Event.STARTED, at=start)


def _approved(rollout: Rollout, now: datetime) -> Rollout:
    agreed = Approval(
        by=f"person {len(rollout.approvals) + 1}",
        at=now,
        phase_index=rollout.phase_index,
        attempt=rollout.attempt,
        plan_hash=rollout.plan_hash,
        comment="",
    )
    return replace(rollout, approvals=(*rollout.approvals, agreed))


def _waiting(reason: ReasonCode, detail: str) -> WaitingOn:
    return WaitingOn(reason=reason, detail=detail, until=None, who_can_act=WhoCanAct.NOBODY)
