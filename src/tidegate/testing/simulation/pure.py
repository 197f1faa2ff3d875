"""
Thousands of worlds a second: the policy alone, against targets and evidence that are only numbers.

Nothing here is asynchronous and nothing is stored. A world has one rollout, targets that follow late
or not at all, evidence that comes and goes, a clock that jumps, and people who halt, resume, approve
and roll back at random. What `decide` says is carried out as `usecases.step` would, in as few lines as
possible; the real thing is simulated in `worlds`. After every event every invariant is checked.

A world ends with a calm: nothing more goes wrong, people do what they are asked to do, and the
rollout has to come to its end.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache
from random import Random
from typing import Final

from tidegate.domain.health.evidence import NO_EVIDENCE, Evidence, ExerciseEvidence
from tidegate.domain.health.readings import Quality
from tidegate.domain.plan.model import ExerciseSpec, Plan, Recovery
from tidegate.domain.quantities import (
    NO_EXPOSURE,
    Environment,
    Exposure,
    Generation,
    Placement,
    RolloutId,
)
from tidegate.domain.rollout import decide as rules
from tidegate.domain.rollout.decide import Decision, Observation, Seen
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
from tidegate.testing.builders import BASELINE, START, a_phase, a_placement, a_rollout, a_signal
from tidegate.testing.simulation.invariants import Moment, check
from tidegate.testing.simulation.situations import a_quick_plan, signal_evidence

PLANS: Final = 48
"""How many different plans the worlds draw from."""

CHAOS_EVENTS: Final = (10, 60)
"""How many events go by before the calm, at least and at most."""

CALM_EVENTS: Final = 600
"""How many events the calm may take: a rollout that isn't over by then never will be."""

PATIENCE: Final = 250
"""After so many calm events a person rolls back: that has to end it."""

_HALTS: Final = {
    HaltCause.HARM: Event.HARM_FOUND,
    HaltCause.PERSON: Event.HALTED_BY_PERSON,
    HaltCause.NO_DATA: Event.GAVE_UP_WAITING,
    HaltCause.NOT_APPLIED: Event.GAVE_UP_WAITING,
    HaltCause.DRIFT: Event.GAVE_UP_WAITING,
}


class NeverEndsError(AssertionError):
    """A rollout didn't come to its end although nothing stood in its way any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PureOutcome:
    """How a world ended: the rollout's last state, and how much happened."""

    seed: int
    state: State
    events: int
    log: tuple[str, ...]


def run_pure_world(seed: int) -> PureOutcome:
    """
    Live through the world of *seed*.

    Raises:
        BrokenInvariantError: an invariant doesn't hold after some event.
        NeverEndsError: the rollout doesn't end.
    """
    return _World(seed).run()


@cache
def plan_of(number: int) -> Plan:
    """Return one of the plans that worlds draw from."""
    draw = Random(number)  # noqa: S311 - worlds are repeated, not guessed
    targets = [a_placement(target=name) for name in ("eu", "us", "ap")[: draw.randint(1, 3)]]
    signals = tuple(
        a_signal(name, gate=gate)
        for name, gate in (("errors", True), ("usage", True), ("latency", False))[
            : draw.randint(1, 3)
        ]
    )
    weights = sorted(draw.sample((100, 500, 1_000, 2_500, 5_000), draw.randint(1, 3)))
    plan = a_quick_plan(
        weights_bps=(*weights, 10_000),
        placements=targets,
        signals=signals,
        approvals=draw.choice((0, 0, 0, 1, 2)),
        approvers="team",
        bake=timedelta(seconds=30),
        bake_max=timedelta(seconds=90),
        exercises=(ExerciseSpec(name="path", minimum_count=5, source="memory"),)
        if draw.random() < 0.3
        else (),
    )
    phases = plan.phases
    if draw.random() < 0.3:
        phases = (a_phase("internal", weight_bps=0, placements=targets[:1]), *phases)
    if len(targets) > 1 and draw.random() < 0.5:
        # The first target goes ahead alone.
        ahead = tuple(
            replace(phase, name=f"first {phase.name}", moves=phase.moves[:1]) for phase in phases
        )
        phases = (*ahead, replace(phases[-1], name="the rest"))
    return replace(
        plan,
        phases=phases,
        recovery=draw.choice((Recovery.ROLLBACK, Recovery.ROLLBACK, Recovery.HOLD)),
        quarantine=timedelta(minutes=5),
    )


@dataclass(slots=True)
class _Target:
    told: Served
    followed: Served
    behind: int = 0
    reachable: bool = True
    drifted: bool = False
    trips: int = 0


class _World:
    def __init__(self, seed: int) -> None:
        self.draw = Random(seed)  # noqa: S311 - worlds are repeated, not guessed
        self.seed = seed
        self.now = START
        self.plan = plan_of(self.draw.randrange(PLANS))
        self.rollout = replace(
            a_rollout(RolloutId("r-1"), plan=self.plan, state=State.WAITING),
            waiting_on=_wait(ReasonCode.STARTING),
        )
        served = Served(generation=Generation(1), baseline=BASELINE)
        self.placements = self.plan.placements()
        self.targets = {place: _Target(served, served) for place in self.placements}
        self.issued = dict.fromkeys((str(place.target) for place in self.placements), 1)
        self.evidence = NO_EVIDENCE
        self.proof = 0.0
        self.harm = 0.0
        self.is_harmful = self.draw.random() < 0.35
        self.quality = Quality.GOOD
        self.is_watched = True
        self.is_calm = False
        self.is_touched = False
        self.was_killed = False
        self.lag = self.draw.choice((0, 0, 0, 1, 2))
        self.events = 0
        self.log: list[str] = []
        self.decided: tuple[tuple[Observation, Decision], ...] = ()
        self.unreached: frozenset[Placement] = frozenset()
        self.last = self._moment("start")

    def run(self) -> PureOutcome:
        for _ in range(self.draw.randint(*CHAOS_EVENTS)):
            self._happens(self._chaos())
            if self._is_over():
                break
        self._calm_down()
        for count in range(CALM_EVENTS):
            if self._is_over():
                return PureOutcome(
                    seed=self.seed,
                    state=self.rollout.state,
                    events=self.events,
                    log=tuple(self.log),
                )
            self._happens(self._calm(count))
        raise NeverEndsError(
            f"seed {self.seed}: still {self.rollout.state.value} after {CALM_EVENTS} calm events:"
            f" {self.rollout.waiting_on.detail}"
        )

    def _is_over(self) -> bool:
        rollout = self.rollout
        return rollout.is_final and (rollout.state is not State.COMPLETED or rollout.settled)

    def _happens(self, what: str) -> None:
        self.events += 1
        self.log.append(what)
        moment = self._moment(what)
        check(self.last, moment)
        self.last = moment
        self.decided = ()

    def _moment(self, what: str) -> Moment:
        targets: Mapping[Placement, Served] = {
            place: target.told for place, target in self.targets.items()
        }
        rollouts: Mapping[RolloutId, Rollout] = {self.rollout.id: self.rollout}
        if self.events:
            # The same again is said by the same object, which the invariants look for.
            if not self.is_touched:
                targets = self.last.targets
            if self.rollout is self.last.rollouts[self.rollout.id]:
                rollouts = self.last.rollouts
        self.is_touched = False
        return Moment(
            at=self.now,
            what=what,
            rollouts=rollouts,
            targets=targets,
            decided=self.decided,
            unreached=self.unreached,
        )

    # --- what happens ------------------------------------------------------------------------

    def _chaos(self) -> str:
        chance = self.draw.random()
        if chance < 0.55:
            return self._step()
        if chance < 0.81:
            return self._pass_time(self.plan.tick)
        if chance < 0.85:
            return self._pass_time(timedelta(minutes=1), is_server_up=False)
        if chance < 0.87:
            return self._pass_time(timedelta(minutes=self.draw.choice((1, 3, 15, 200))))
        if chance < 0.93:
            return self._person()
        return self._trouble()

    def _calm_down(self) -> None:
        self.is_calm = True
        self.quality = Quality.GOOD
        self.is_watched = True
        for target in self.targets.values():
            target.reachable, target.drifted = True, False

    def _calm(self, count: int) -> str:
        rollout, reason = self.rollout, self.rollout.waiting_on.reason
        if count > PATIENCE and Event.RECOVERY_STARTED in TRANSITIONS[rollout.state]:
            if rollout.state is not State.RECOVERING:
                return self._roll_back()
        elif reason is ReasonCode.APPROVAL and self.events % 2:
            return self._approve(f"person {self.events}")
        elif rollout.state is State.HALTED and reason is ReasonCode.PERSON_AFTER_HALT:
            return self._resume() if rollout.attempt < 3 else self._abandon()
        elif reason is ReasonCode.INCONCLUSIVE:
            return self._resume()
        if rollout.state is State.COMPLETED and self.draw.random() < 0.2:
            # Whoever halts need not look first: what is over stays over.
            return self._halt()
        if self.events % 2 and rollout.state in (State.BAKING, State.HELD, State.COMPLETED):
            quiet = rollout.state is State.COMPLETED
            return self._pass_time(self.plan.quarantine if quiet else self.plan.tick)
        return self._step()

    def _trouble(self) -> str:
        place = self.draw.choice(self.placements)
        target = self.targets[place]
        match self.draw.randrange(8):
            case 0:
                self.quality = self.draw.choice(tuple(Quality))
                return f"data is {self.quality.value}"
            case 1:
                self.quality = Quality.GOOD
                return "data is good"
            case 2:
                target.reachable = not target.reachable
                return f"{place} is {'back' if target.reachable else 'away'}"
            case 3:
                target.drifted = not target.drifted
                return f"{place} drifts"
            case 4:
                target.trips += 1
                return f"{place} trips"
            case 5:
                self._tell(target, after_withdrawal(target.told, None))
                return f"{place} is stopped by hand"
            case 6:
                self.is_watched = not self.is_watched
                return f"the watch is {'up' if self.is_watched else 'down'}"
            case _:
                self.is_harmful = not self.is_harmful
                return f"the candidate is {'harmful' if self.is_harmful else 'healthy'}"

    def _person(self) -> str:
        match self.draw.randrange(6):
            case 0:
                return self._halt()
            case 1 if self.rollout.state is State.HALTED or self._is_undecided():
                return self._resume()
            case 2 if self.rollout.state is State.HALTED:
                return self._abandon()
            case 3 if self.draw.random() < 0.3:
                return self._roll_back()
            case _:
                return self._approve(self.draw.choice(("bob", "carol")))

    # --- people ------------------------------------------------------------------------------

    def _halt(self) -> str:
        if Event.HALTED_BY_PERSON in TRANSITIONS[self.rollout.state]:
            self._stop(Event.HALTED_BY_PERSON, HaltCause.PERSON, "stop")
        return "halt"

    def _roll_back(self) -> str:
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

    def _is_undecided(self) -> bool:
        return self.rollout.waiting_on.reason is ReasonCode.INCONCLUSIVE

    def _resume(self) -> str:
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
        self.harm = 0.0
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

    def _abandon(self) -> str:
        if any(here.exposure != NO_EXPOSURE for here in self._observe()):
            return "abandon, refused"
        for place in self._of_interest():
            target = self.targets[place]
            if target.reachable:
                self._tell(target, after_retirement(target.told))
        self._save(self.rollout.moved(Event.ABANDONED, at=self.now))
        return "abandon"

    def _approve(self, by: str) -> str:
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

    # --- time and evidence -------------------------------------------------------------------

    def _pass_time(self, by: timedelta, *, is_server_up: bool = True) -> str:
        self.now += by
        phase = rules.phase_in_force(self.rollout)
        if phase is not None and self.is_watched and is_server_up:
            self._look(by)
        return f"{int(by.total_seconds())} s pass{'' if is_server_up else ' without a server'}"

    def _look(self, by: timedelta) -> None:
        rollout, evidence = self.rollout, self.evidence
        phase = rules.phase_in_force(rollout)
        assert phase is not None, "only what is in force is looked at"
        key = (rollout.attempt, rollout.phase_since)
        if (evidence.attempt, evidence.phase_began_at) != key:
            evidence = replace(NO_EVIDENCE, attempt=key[0], phase_began_at=key[1])
            self.proof = 0.0
        good = self.quality is Quality.GOOD
        if good:
            # The odds of four ticks halt what is harmful, and of two ticks prove what isn't.
            self.harm += 1.5 if self.is_harmful else self.draw.uniform(-0.4, 0.3)
            self.harm = max(self.harm, -2.0)
            self.proof += 0.0 if self.is_harmful else 1.6
        baked = min(by, self.plan.stale_after) if good and rollout.state is State.BAKING else None
        self.evidence = self._evidence(evidence, phase_index=self.plan.phases.index(phase))
        if baked is not None:
            self.evidence = replace(self.evidence, baked_for=evidence.baked_for + baked)

    def _evidence(self, before: Evidence, *, phase_index: int) -> Evidence:
        phase = self.plan.phases[phase_index]
        signals = tuple(
            signal_evidence(
                spec,
                phase,
                log_e_safe=self.proof,
                log_e_harm=self.harm,
                quality=self.quality,
                candidate_total=(before.ticks + 1) * 500,
            )
            for spec in phase.signals
            if phase.exposes_users
        )
        return Evidence(
            attempt=before.attempt,
            phase_index=phase_index,
            phase_began_at=before.phase_began_at,
            ticks=before.ticks + 1,
            last_tick_at=self.now,
            baked_for=before.baked_for,
            log_e_harm=self.harm if signals else 0.0,
            signals=signals,
            exercises=tuple(
                ExerciseEvidence(
                    name=spec.name, count=before.ticks + 3, minimum_count=spec.minimum_count
                )
                for spec in phase.exercises
            ),
        )

    # --- one step ----------------------------------------------------------------------------

    def _step(self) -> str:
        if self._is_over():
            return "step, over"
        seen = Observation(
            now=self.now,
            rollout=self.rollout,
            placements=self._observe(),
            evidence=self.evidence,
        )
        decision = rules.decide(seen)
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
                self._save(replace(held, waiting_on=decision.waiting_on))
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
            self._save(replace(self.rollout, waiting_on=waiting_on))

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
            self.issued[name] = max(self.issued[name], above) + 1
            latest[name] = Generation(self.issued[name])
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
        self._tell(target, told)

    def _tell(self, target: _Target, told: Served) -> None:
        if told != target.told:
            self.is_touched = True
            target.told = told
            target.behind = 0 if self.is_calm else self.lag

    def _complete(self, decision: rules.Complete) -> None:
        for place in self.placements:
            target = self.targets[place]
            if not target.reachable:
                return
            if target.told.candidate is None:
                continue
            try:
                generation = self.rollout.generation_on(place.target)
                self._tell(target, after_finish(target.told, generation))
            except (StaleGenerationError, WorkloadError):
                return
            if not self.was_killed and self.draw.random() < 0.2:
                # Killed here, once: the next step has to see what this one did.
                self.was_killed = True
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
        self._tell(target, after_withdrawal(target.told, generation))

    def _withdraw_again(self) -> None:
        for here in self._observe():
            place, target = here.placement, self.targets[here.placement]
            if rules.became_baseline(self.rollout, here):
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
                self._tell(target, after_retirement(target.told))
                target.trips = 0


def _wait(reason: ReasonCode) -> WaitingOn:
    return WaitingOn(reason=reason, detail="", until=None, who_can_act=WhoCanAct.NOBODY)
