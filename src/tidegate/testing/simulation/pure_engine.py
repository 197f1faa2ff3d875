"""
The policy carried out in as few lines as possible, against targets that are only numbers.

What `decide` says is done as `usecases.step` and the commands of people do it, without ports, store or
ledger: one rollout, its targets, and the generations that were issued. The rules of what a target
refuses are those of the drivers. What happens to it all is the world's business; see `pure`.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from random import Random
from typing import Final

from tidegate.domain.health.evidence import Evidence
from tidegate.domain.plan.model import Plan
from tidegate.domain.quantities import (
    NO_EXPOSURE,
    Environment,
    Exposure,
    Generation,
    Placement,
    RolloutId,
    TargetName,
)
from tidegate.domain.rollout import decide as policy
from tidegate.domain.rollout import decisions as rules
from tidegate.domain.rollout import seen as facts
from tidegate.domain.rollout.alarms import Alarm, Severity
from tidegate.domain.rollout.decisions import Decision, Observation, Seen
from tidegate.domain.rollout.machine import TRANSITIONS, Event, State
from tidegate.domain.rollout.model import (
    Approval,
    Halt,
    HaltCause,
    ReasonCode,
    Rehearsal,
    Rollout,
    WaitingOn,
    WhoCanAct,
)
from tidegate.drivers.component.fencing import (
    Served,
    after_apply,
    after_finish,
    after_retirement,
    after_withdrawal,
)
from tidegate.errors import StaleGenerationError, WorkloadError
from tidegate.ports.component import Assignment
from tidegate.testing.builders import BASELINE, START, a_rollout, an_alarm

_HALTS: Final = {
    HaltCause.HARM: Event.HARM_FOUND,
    HaltCause.PERSON: Event.HALTED_BY_PERSON,
    HaltCause.NO_DATA: Event.GAVE_UP_WAITING,
    HaltCause.NOT_APPLIED: Event.GAVE_UP_WAITING,
    HaltCause.ALARM: Event.ALARM_RAISED,
}


@dataclass(slots=True)
class PureTarget:
    """One target: what it was told, what it is seen to follow, and what is wrong with it."""

    told: Served
    followed: Served
    behind: int = 0
    reachable: bool = True
    drifted: bool = False
    trips: int = 0


class PureEngine:
    """
    One rollout of *plan* and its targets, at the time `now`, which the world moves.

    Attributes:
        decided: What the last step decided, and from what.
        unreached: Placements whose latest withdrawal didn't arrive.
        alarms: Everything that others have said is wrong, resolved or not.
        is_touched: Whether a target was told something new; the world takes note and resets it.
    """

    def __init__(self, plan: Plan, draw: Random, *, lag: int) -> None:
        self.plan = plan
        self.now: datetime = START
        self.lag = lag
        self._draw = draw
        self._was_killed = False
        self.rollout: Rollout = replace(
            a_rollout(RolloutId("r-1"), plan=plan, state=State.WAITING),
            waiting_on=_wait(ReasonCode.STARTING),
        )
        served = Served(generation=Generation(1), baseline=BASELINE)
        self.placements = plan.placements()
        self.targets = {place: PureTarget(served, served) for place in self.placements}
        self._issued = dict.fromkeys((str(place.target) for place in self.placements), 1)
        self.decided: tuple[tuple[Observation, Decision], ...] = ()
        self.unreached: frozenset[Placement] = frozenset()
        self.is_touched = False
        self.alarms: list[Alarm] = []

    @property
    def is_over(self) -> bool:
        """Whether nothing more will be done."""
        rollout = self.rollout
        return rollout.is_final and (rollout.state is not State.COMPLETED or rollout.settled)

    @property
    def is_undecided(self) -> bool:
        """Whether a person has to give it more time."""
        return self.rollout.waiting_on.reason is ReasonCode.INCONCLUSIVE

    # --- one step ----------------------------------------------------------------------------

    def step(self, evidence: Evidence) -> str:
        """Take one turn, with what is known from *evidence*, and say what was decided."""
        if self.is_over:
            return "step, over"
        seen = Observation(
            now=self.now,
            rollout=self.rollout,
            placements=self._observe(),
            evidence=evidence,
            alarms=tuple(alarm for alarm in self.alarms if alarm.is_active),
        )
        decision = policy.decide(seen)
        self.decided = ((seen, decision),)
        self._carry_out(decision)
        return f"{decision.action} ({decision.rule})"

    def _of_interest(self) -> tuple[Placement, ...]:
        if self.rollout.state is State.COMPLETED:
            return self.placements
        return tuple(self.plan.exposure_within(self.rollout.phase_index))

    def _observe(self) -> tuple[Seen, ...]:
        return tuple(self._observe_one(place) for place in self._of_interest())

    def _observe_one(self, place: Placement) -> Seen:
        target = self.targets[place]
        if not target.reachable:
            over = self.rollout.state in (State.HALTED, State.RECOVERING)
            return Seen(
                placement=place,
                exposure=rules.FULL_EXPOSURE if over else NO_EXPOSURE,
                generation=Generation(0),
                settled=False,
                why_not=f"{place} is away",
                serving=None,
                candidate=None,
                stopped_at_generation=None,
                trips=0,
            )
        if target.behind:
            target.behind -= 1
        else:
            target.followed = target.told
        there = target.followed
        drifted = target.drifted and there.exposure != NO_EXPOSURE
        return Seen(
            placement=place,
            exposure=there.exposure,
            generation=there.generation,
            settled=there is target.told and not drifted,
            why_not="it drifted" if drifted else "not followed yet",
            serving=there.baseline,
            candidate=there.candidate,
            stopped_at_generation=there.stopped_at_generation,
            trips=target.trips,
        )

    def _carry_out(self, decision: Decision) -> None:
        rollout = self.rollout
        match decision:
            case rules.Hold() | rules.Retire():
                if isinstance(decision, rules.Retire):
                    self._retire()
                self._keep_waiting(decision.waiting_on)
            case rules.Rehearse():
                self._rehearse(decision)
            case rules.EnterPhase():
                entered = rollout.moved(Event.PHASE_ENTERED, at=self.now)
                self._save(replace(entered, waiting_on=_wait(ReasonCode.APPLYING)))
                self._issue(self._of_interest())
                self._tell_phase()
            case rules.Reapply():
                self._tell_again()
                self._keep_waiting(decision.waiting_on)
            case rules.StartBake():
                baking = rollout.moved(Event.APPLIED, at=self.now)
                self._save(replace(baking, phase_since=self.now, trips_before=decision.trips))
            case rules.Pause():
                held = rollout.moved(Event.PUT_ON_HOLD, at=self.now)
                self._save(held.waiting(decision.waiting_on))
            case rules.Unpause():
                baking = rollout.moved(Event.HOLD_ENDED, at=self.now)
                self._save(replace(baking, waiting_on=_wait(ReasonCode.MORE_EVIDENCE)))
            case rules.Advance():
                self._save(
                    replace(
                        rollout.moved(Event.PHASE_PASSED, at=self.now),
                        passes=(*rollout.passes, decision.passed),
                        phase_index=rollout.phase_index + 1,
                        bake_allowance=1,
                        waiting_on=_wait(ReasonCode.STARTING),
                    )
                )
            case rules.Complete():
                self._complete(decision)
            case rules.HaltNow():
                self._halt_now(decision)
            case rules.Withdraw():
                self._withdraw_again()
                self._keep_waiting(decision.waiting_on)
            case rules.StartRecovery():
                self._save(rollout.moved(Event.RECOVERY_STARTED, at=self.now))
            case rules.FinishRecovery():
                self._save(rollout.moved(Event.RECOVERED, at=self.now))
            case rules.Settle():
                self._retire()
                self._save(replace(rollout, settled=True))
            case _:
                raise AssertionError(f"{decision.action} has no place in a world of one rollout")

    def _keep_waiting(self, waiting_on: WaitingOn) -> None:
        if waiting_on.reason is not self.rollout.waiting_on.reason:
            self._save(self.rollout.waiting(waiting_on))

    def _save(self, rollout: Rollout) -> None:
        self.rollout = rollout

    def _issue(self, places: tuple[Placement, ...]) -> None:
        latest = dict(self.rollout.generations)
        for name in {str(place.target) for place in places}:
            above = max(
                self.targets[place].told.stopped_at_generation or 0
                for place in places
                if place.target == name
            )
            self._issued[name] = max(self._issued[name], above) + 1
            latest[name] = Generation(self._issued[name])
        self._save(replace(self.rollout, generations=tuple(sorted(latest.items()))))

    def _rehearse(self, decision: rules.Rehearse) -> None:
        self._save(
            replace(
                self.rollout,
                rehearsal=decision.to,
                rehearsal_since=self.now,
                waiting_on=_wait(ReasonCode.REHEARSING),
            )
        )
        if decision.to is not Rehearsal.PROVEN:
            self._issue(self._of_interest())
            self._tell_again()

    def _tell_again(self) -> None:
        if self.rollout.state is State.APPLYING:
            self._tell_phase()
            return
        for place in self._of_interest():
            if self.rollout.rehearsal is Rehearsal.BACK:
                self._withdraw_one(place, self.rollout.generation_on(place.target))
            else:
                self._apply(place, Exposure(internal=True, weight_bps=0))

    def _tell_phase(self) -> None:
        for place, exposure in self.plan.exposure_within(self.rollout.phase_index).items():
            self._apply(place, exposure)

    def _apply(self, place: Placement, exposure: Exposure) -> None:
        target, rollout = self.targets[place], self.rollout
        candidate = rollout.change.version_of(place.component)
        if not target.reachable or candidate is None:
            return
        try:
            told = after_apply(
                target.told,
                Assignment(
                    placement=place,
                    candidate=candidate,
                    baseline=BASELINE,
                    exposure=exposure,
                    generation=rollout.generation_on(place.target),
                    environment=Environment.PRODUCTION,
                    settings_json="",
                    target_settings_json="",
                ),
            )
        except (StaleGenerationError, WorkloadError):
            return
        self.tell(target, told)

    def tell(self, target: PureTarget, told: Served) -> None:
        """Let *target* have been told *told*."""
        if told != target.told:
            self.is_touched = True
            target.told = told
            target.behind = self.lag

    def _complete(self, decision: rules.Complete) -> None:
        for place in self.placements:
            target = self.targets[place]
            if not target.reachable:
                return
            if target.told.candidate is None:
                continue
            try:
                generation = self.rollout.generation_on(place.target)
                self.tell(target, after_finish(target.told, generation))
            except (StaleGenerationError, WorkloadError):
                return
            if not self._was_killed and self._draw.random() < 0.2:
                # Killed here, once: the next step has to see what this one did.
                self._was_killed = True
                return
        self._save(
            replace(
                self.rollout.moved(Event.LAST_PHASE_PASSED, at=self.now),
                passes=(*self.rollout.passes, decision.passed),
                waiting_on=_wait(ReasonCode.QUARANTINE),
            )
        )

    def _halt_now(self, decision: rules.HaltNow) -> None:
        issued = self._withdraw(self._of_interest())
        self._save(
            replace(
                self.rollout.moved(_HALTS[decision.cause], at=self.now),
                halt=Halt(
                    cause=decision.cause, because=decision.because, by="tidegate", at=self.now
                ),
                generations=issued,
                waiting_on=_wait(ReasonCode.WITHDRAWING),
            )
        )

    def _withdraw(self, places: tuple[Placement, ...]) -> tuple[tuple[str, Generation], ...]:
        self._issue(places)
        for place in places:
            self._withdraw_one(place, self.rollout.generation_on(place.target))
        return self.rollout.generations

    def _withdraw_one(self, place: Placement, generation: Generation) -> None:
        target = self.targets[place]
        if not target.reachable:
            self.unreached = self.unreached | {place}
            return
        self.unreached = self.unreached - {place}
        self.tell(target, after_withdrawal(target.told, generation))

    def _withdraw_again(self) -> None:
        for here in self._observe():
            place, target = here.placement, self.targets[here.placement]
            if facts.became_baseline(self.rollout, here):
                self._issue((place,))
                self._apply(place, NO_EXPOSURE)
                continue
            stopped = target.told.stopped_at_generation or 0
            if stopped > self.rollout.generation_on(place.target):
                self._issue((place,))
            self._withdraw_one(place, self.rollout.generation_on(place.target))

    def _retire(self) -> None:
        for target in self.targets.values():
            if target.reachable:
                self.tell(target, after_retirement(target.told))
                target.trips = 0

    # --- people ------------------------------------------------------------------------------

    def halt(self) -> str:
        """Stop it, as a person does."""
        if Event.HALTED_BY_PERSON in TRANSITIONS[self.rollout.state]:
            self._stop(Event.HALTED_BY_PERSON, HaltCause.PERSON, "stop")
        return "halt"

    def say(self, severity: Severity, *, target: TargetName | None) -> str:
        """Say that something is wrong, as others do. What comes of it is decided by the next step."""
        self.alarms.append(
            an_alarm(
                f"a-{len(self.alarms)}",
                service=self.rollout.service,
                severity=severity,
                target=target,
                raised_at=self.now,
            )
        )
        return f"{severity.value} for {target or 'everywhere'}"

    def resolve(self) -> str:
        """Say that all of it is over."""
        over = [replace(alarm, resolved_at=self.now, resolved_by="bob") for alarm in self.alarms]
        self.alarms = over
        return "alarms are resolved"

    def roll_back(self) -> str:
        """Begin the way back, as a person does."""
        if Event.RECOVERY_STARTED in TRANSITIONS[self.rollout.state]:
            self._stop(Event.RECOVERY_STARTED, HaltCause.PERSON, "back")
        return "roll back"

    def _stop(self, event: Event, cause: HaltCause, because: str) -> None:
        issued = self._withdraw(self._of_interest())
        rollout = self.rollout.moved(event, at=self.now)
        halt = rollout.halt or Halt(cause=cause, because=because, by="bob", at=self.now)
        self._save(
            replace(
                rollout, halt=halt, generations=issued, waiting_on=_wait(ReasonCode.WITHDRAWING)
            )
        )

    def resume(self) -> str:
        """Let it go on, as a person does."""
        rollout = self.rollout
        after = rollout.moved(Event.RESUMED, at=self.now)
        if rollout.state is State.HELD:
            allowance = rollout.bake_allowance + 1
            self._save(
                replace(after, bake_allowance=allowance, waiting_on=_wait(ReasonCode.STARTING))
            )
            return "more time"
        if rollout.rehearsal is not Rehearsal.PROVEN:
            after = replace(after, rehearsal=Rehearsal.NOT_TRIED, rehearsal_since=None)
        self._save(
            replace(
                after,
                attempt=rollout.attempt + 1,
                bake_allowance=1,
                halt=None,
                waiting_on=_wait(ReasonCode.STARTING),
            )
        )
        return "resume"

    def abandon(self) -> str:
        """Give it up, unless someone is still exposed."""
        if any(here.exposure != NO_EXPOSURE for here in self._observe()):
            return "abandon, refused"
        for place in self._of_interest():
            target = self.targets[place]
            if target.reachable:
                self.tell(target, after_retirement(target.told))
        self._save(self.rollout.moved(Event.ABANDONED, at=self.now))
        return "abandon"

    def approve(self, by: str) -> str:
        """Let *by* agree to the next phase."""
        rollout = self.rollout
        index = rollout.phase_index + (rollout.state is not State.WAITING)
        if rollout.is_final or index >= len(self.plan.phases):
            return "approve, refused"
        approval = Approval(
            by=by,
            at=self.now,
            phase_index=index,
            attempt=rollout.attempt,
            plan_hash=rollout.plan_hash,
            comment="",
        )
        self._save(replace(rollout, approvals=(*rollout.approvals, approval)))
        return f"{by} approves phase {index}"


def _wait(reason: ReasonCode) -> WaitingOn:
    return WaitingOn(reason=reason, detail="", until=None, who_can_act=WhoCanAct.NOBODY)
