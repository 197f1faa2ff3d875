"""
Hundreds of worlds a second: the policy alone, against targets and evidence that are only numbers.

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
from random import Random
from typing import Final

from tidegate.domain.health.coverage import CoverageEvidence
from tidegate.domain.health.evidence import NO_EVIDENCE, Evidence, ExerciseEvidence
from tidegate.domain.health.readings import Quality
from tidegate.domain.health.trouble import Trouble
from tidegate.domain.plan.model import Phase
from tidegate.domain.quantities import (
    Placement,
    RolloutId,
)
from tidegate.domain.rollout import seen as facts
from tidegate.domain.rollout.alarms import Severity
from tidegate.domain.rollout.machine import TRANSITIONS, Event, State
from tidegate.domain.rollout.model import (
    ReasonCode,
    Rollout,
)
from tidegate.drivers.component.fencing import (
    Served,
    after_withdrawal,
)
from tidegate.testing.simulation.invariants import Moment, NeverEndsError, check
from tidegate.testing.simulation.plans import PURE_PLANS, pure_plan
from tidegate.testing.simulation.pure_engine import PureEngine
from tidegate.testing.simulation.situations import signal_evidence

CHAOS_EVENTS: Final = (10, 60)
"""How many events go by before the calm, at least and at most."""

CALM_EVENTS: Final = 600
"""How many events the calm may take: a rollout that isn't over by then never will be."""

PATIENCE: Final = 250
"""After so many calm events a person rolls back: that has to end it."""


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


class _World:
    def __init__(self, seed: int) -> None:
        self.draw = Random(seed)  # noqa: S311 - worlds are repeated, not guessed
        self.seed = seed
        self.plan = pure_plan(self.draw.randrange(PURE_PLANS))
        self.evidence = NO_EVIDENCE
        self.proof = 0.0
        self.harm = 0.0
        self.is_harmful = self.draw.random() < 0.35
        self.quality = Quality.GOOD
        self.is_watched = True
        self.both_suffer = False
        self.fate_of_both = Random(seed)  # noqa: S311 - drawn apart, so that worlds stay as they were
        self.is_calm = False
        self.engine = PureEngine(self.plan, self.draw, lag=self.draw.choice((0, 0, 0, 1, 2)))
        self.events = 0
        self.log: list[str] = []
        self.last = self._moment("start")

    def run(self) -> PureOutcome:
        for _ in range(self.draw.randint(*CHAOS_EVENTS)):
            self._happens(self._chaos())
            if self.engine.is_over:
                break
        self._calm_down()
        for count in range(CALM_EVENTS):
            if self.engine.is_over:
                return PureOutcome(
                    seed=self.seed,
                    state=self.engine.rollout.state,
                    events=self.events,
                    log=tuple(self.log),
                )
            self._happens(self._calm(count))
        raise NeverEndsError(
            f"seed {self.seed}: still {self.engine.rollout.state.value} after {CALM_EVENTS} calm events:"
            f" {self.engine.rollout.waiting_on.detail}"
        )

    def _happens(self, what: str) -> None:
        self.events += 1
        self.log.append(what)
        moment = self._moment(what)
        check(self.last, moment)
        self.last = moment
        self.engine.decided = ()

    def _moment(self, what: str) -> Moment:
        targets: Mapping[Placement, Served] = {
            place: target.told for place, target in self.engine.targets.items()
        }
        rollouts: Mapping[RolloutId, Rollout] = {self.engine.rollout.id: self.engine.rollout}
        if self.events:
            # The same again is said by the same object, which the invariants look for.
            if not self.engine.is_touched:
                targets = self.last.targets
            if self.engine.rollout is self.last.rollouts[self.engine.rollout.id]:
                rollouts = self.last.rollouts
        self.engine.is_touched = False
        return Moment(
            at=self.engine.now,
            what=what,
            rollouts=rollouts,
            targets=targets,
            decided=self.engine.decided,
            unreached=self.engine.unreached,
        )

    # --- what happens ------------------------------------------------------------------------

    def _chaos(self) -> str:
        if self.engine.rollout.state is State.APPLYING and self.draw.random() < 0.04:
            return self._drag_on()
        chance = self.draw.random()
        if chance < 0.55:
            return self.engine.step(self.evidence)
        if chance < 0.81:
            return self._pass_time(self.plan.tick)
        if chance < 0.85:
            return self._pass_time(timedelta(minutes=1), is_server_up=False)
        if chance < 0.87:
            return self._pass_time(timedelta(minutes=self.draw.choice((1, 3, 15, 200))))
        if chance < 0.93:
            return self._person()
        if chance < 0.95:
            return self._alarm()
        return self._trouble()

    def _calm_down(self) -> None:
        self.engine.resolve()
        self.engine.lag = 0
        self.quality = Quality.GOOD
        self.is_watched = True
        self.is_calm = True
        for target in self.engine.targets.values():
            target.reachable, target.drifted = True, False

    def _calm(self, count: int) -> str:
        rollout, reason = self.engine.rollout, self.engine.rollout.waiting_on.reason
        if count > PATIENCE and Event.RECOVERY_STARTED in TRANSITIONS[rollout.state]:
            if rollout.state is not State.RECOVERING:
                return self.engine.roll_back()
        elif reason is ReasonCode.APPROVAL and self.events % 2:
            return self.engine.approve(f"person {self.events}")
        elif rollout.state is State.HALTED and reason is ReasonCode.PERSON_AFTER_HALT:
            return self.engine.resume() if rollout.attempt < 3 else self.engine.abandon()
        elif reason is ReasonCode.INCONCLUSIVE:
            return self.engine.resume()
        if rollout.state is State.COMPLETED and self.draw.random() < 0.2:
            # Whoever halts need not look first: what is over stays over.
            return self.engine.halt()
        if self.events % 2 and rollout.state in (State.BAKING, State.HELD, State.COMPLETED):
            quiet = rollout.state is State.COMPLETED
            return self._pass_time(self.plan.quarantine if quiet else self.plan.tick)
        return self.engine.step(self.evidence)

    def _trouble(self) -> str:
        place = self.draw.choice(self.engine.placements)
        target = self.engine.targets[place]
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
                self.engine.tell(target, after_withdrawal(target.told, None))
                return f"{place} is stopped by hand"
            case 6:
                self.is_watched = not self.is_watched
                return f"the watch is {'up' if self.is_watched else 'down'}"
            case _:
                self.is_harmful = not self.is_harmful
                return f"the candidate is {'harmful' if self.is_harmful else 'healthy'}"

    def _drag_on(self) -> str:
        """What was well until now turns harmful while a target takes its time to follow."""
        self.is_harmful, self.quality, self.is_watched = True, Quality.GOOD, True
        place = self.draw.choice(self.engine.placements)
        self.engine.targets[place].drifted = True
        return f"{place} drags on, and the candidate is harmful"

    def _alarm(self) -> str:
        if self.draw.random() < 0.4:
            return self.engine.resolve()
        targets = [place.target for place in self.engine.placements]
        return self.engine.say(
            self.draw.choice((Severity.PAGE, Severity.TICKET, Severity.TICKET)),
            target=self.draw.choice((None, *targets)),
        )

    def _person(self) -> str:
        match self.draw.randrange(6):
            case 0:
                return self.engine.halt()
            case 1 if self.engine.rollout.state is State.HALTED or self.engine.is_undecided:
                return self.engine.resume()
            case 2 if self.engine.rollout.state is State.HALTED:
                return self.engine.abandon()
            case 3 if self.draw.random() < 0.3:
                return self.engine.roll_back()
            case _:
                return self.engine.approve(self.draw.choice(("bob", "carol")))

    # --- time and evidence -------------------------------------------------------------------

    def _pass_time(self, by: timedelta, *, is_server_up: bool = True) -> str:
        self.engine.now += by
        phase = facts.phase_in_force(self.engine.rollout)
        if phase is not None and self.is_watched and is_server_up:
            self._look(by)
        return f"{int(by.total_seconds())} s pass{'' if is_server_up else ' without a server'}"

    def _look(self, by: timedelta) -> None:
        rollout, evidence = self.engine.rollout, self.evidence
        phase = facts.phase_in_force(rollout)
        assert phase is not None, "only what is in force is looked at"
        key = (rollout.attempt, rollout.phase_since)
        if (evidence.attempt, evidence.phase_began_at) != key:
            # Safety is proven by each bake; suspicion is remembered for the whole attempt.
            self.harm = self.harm if evidence.attempt == key[0] else 0.0
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

    def _coverage(self, before: Evidence, phase: Phase) -> CoverageEvidence | None:
        """Every look sees a third of the kinds of use there are."""
        if phase.coverage is None:
            return None
        covered = min(before.ticks + 1, 3)
        return CoverageEvidence(
            cells=3,
            covered=covered,
            uses_needed=300,
            covered_share=covered / 3,
            unseen_candidate=0.003 * (4 - covered),
            unseen_baseline=0.001,
            missing=(),
            zones=(),
        )

    def _common_trouble(self) -> Trouble | None:
        begins, ends = self.fate_of_both.random() < 0.02, self.fate_of_both.random() < 0.3
        self.both_suffer = not self.is_calm and (begins or (self.both_suffer and not ends))
        if not self.both_suffer:
            return None
        return Trouble(
            since=self.engine.now, signal="errors", rate=0.1, usual_rate=0.001, suspects=()
        )

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
            last_tick_at=self.engine.now,
            baked_for=before.baked_for,
            log_e_harm=self.harm if signals else 0.0,
            signals=signals,
            coverage=self._coverage(before, phase),
            trouble=self._common_trouble(),
            exercises=tuple(
                ExerciseEvidence(
                    name=spec.name, count=before.ticks + 3, minimum_count=spec.minimum_count
                )
                for spec in phase.exercises
            ),
        )
