"""
The scene of one step, and what every kind of step does: record, go on waiting, tell a placement.

Nothing is decided here, and which decision does what isn't known.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from tidegate.domain.quantities import Exposure, Placement
from tidegate.domain.rollout import decisions as rules
from tidegate.domain.rollout.decisions import Decision, Observation
from tidegate.domain.rollout.model import ReasonCode, Rehearsal, Rollout, WaitingOn, WhoCanAct
from tidegate.errors import StaleGenerationError, TidegateError
from tidegate.usecases.governance import still_allowed
from tidegate.usecases.outside import Outside, assignment
from tidegate.usecases.record import record_decision
from tidegate.usecases.withdraw import issue, with_generations


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One step: the world, what was seen of it, and what was decided."""

    outside: Outside
    seen: Observation
    decision: Decision

    @property
    def rollout(self) -> Rollout:
        """The rollout as it was when the step began."""
        return self.seen.rollout

    @property
    def now(self) -> datetime:
        """The time that the step is judged at."""
        return self.seen.now

    @property
    def placements(self) -> tuple[Placement, ...]:
        """Every placement that was seen."""
        return tuple(here.placement for here in self.seen.placements)


def record(scene: Scene, after: Rollout) -> Rollout:
    """Record the decision and what became of the rollout, together."""
    with scene.outside.store.begin() as transaction:
        return record_decision(transaction, scene.seen, scene.decision, after)


def keep_waiting(scene: Scene, waiting_on: WaitingOn) -> Rollout:
    """Record a wait once, when its reason begins; the words around it change with every look."""
    before = scene.rollout.waiting_on
    same = (before.reason, before.who_can_act) == (waiting_on.reason, waiting_on.who_can_act)
    if waiting_on.reason is ReasonCode.WINDOW:
        # Here they change only with the calendar itself: a freeze that came, or went, tells another time.
        same = before == waiting_on
    if same:
        return replace(scene.rollout, waiting_on=waiting_on)
    return record(scene, scene.rollout.waiting(waiting_on))


def waiting_for(reason: ReasonCode, detail: str, *, until: datetime | None = None) -> WaitingOn:
    """Return a wait in which nobody can do anything."""
    return WaitingOn(reason=reason, detail=detail, until=until, who_can_act=WhoCanAct.NOBODY)


async def tell(scene: Scene, rollout: Rollout, placement: Placement, exposure: Exposure) -> None:
    """
    Tell one placement what it shall serve.

    What can't be done now is seen by the next observation, with its reason, and is bounded by
    `apply_within`; a refusal as stale means that somebody stopped or superseded this rollout.
    """
    try:
        driver = scene.outside.component(rollout, placement)
        await driver.apply(assignment(rollout, placement, exposure))
    except StaleGenerationError:
        return
    except TidegateError as exc:
        if not exc.retryable:
            raise


def record_with_generations(
    scene: Scene, after: Rollout, placements: Sequence[Placement]
) -> Rollout:
    """Issue new generations and record them together, so that none is used that isn't on record."""
    above = max((here.stopped_at_generation or 0 for here in scene.seen.placements), default=0)
    with scene.outside.store.begin() as transaction:
        if _opens(scene.decision):
            still_allowed(transaction, scene.seen)
        issued = issue(transaction, after, placements, above=above)
        fenced = replace(after, generations=with_generations(after, issued))
        return record_decision(transaction, scene.seen, scene.decision, fenced)


def _opens(decision: Decision) -> bool:
    """Return whether *decision* lets anyone meet the candidate who didn't before."""
    match decision:
        case rules.EnterPhase():
            return True
        case rules.Rehearse():
            return decision.to is Rehearsal.FORWARD
        case _:
            return False


async def retire(scene: Scene) -> None:
    """Give back what no placement needs any more; what can't be reached now is asked again."""
    for here in scene.seen.placements:
        try:
            await scene.outside.component(scene.rollout, here.placement).retire(here.placement)
        except TidegateError as exc:
            if not exc.retryable:
                raise
