"""
One turn of a rollout: observe, decide, act, record. The same for every kind of change.

`step` may be called at any time, twice, by anyone. It does what `decide` says and no more; there is no
rule of the domain in here. A rise is recorded before it is made, so that it can't happen without its
record; a withdrawal is made before it is recorded, so that nothing can delay it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, assert_never

from tidegate.documents.records import from_json
from tidegate.domain.health.evidence import NO_EVIDENCE, Evidence
from tidegate.domain.quantities import NO_EXPOSURE, Exposure, Placement, RolloutId
from tidegate.domain.rollout import decisions as rules
from tidegate.domain.rollout import seen as facts
from tidegate.domain.rollout.decide import decide
from tidegate.domain.rollout.decisions import FULL_EXPOSURE, Decision, Observation, Seen
from tidegate.domain.rollout.machine import Event, State
from tidegate.domain.rollout.model import (
    Halt,
    HaltCause,
    ReasonCode,
    Rehearsal,
    Rollout,
    WaitingOn,
    WhoCanAct,
)
from tidegate.domain.rollout.stagger import Neighbour
from tidegate.errors import StaleGenerationError, StateMovedError, TidegateError
from tidegate.ports.runner import Turn
from tidegate.ports.store import LastKnownGood, StoredEvidence, Transaction
from tidegate.usecases.alarms import alarms_for
from tidegate.usecases.artifacts import look_up_for_rise
from tidegate.usecases.governance import governance_of, still_allowed
from tidegate.usecases.make_way import make_way
from tidegate.usecases.observe import observe
from tidegate.usecases.outside import Outside, assignment
from tidegate.usecases.queue import dropped_from_queue, queued_behind, take_turn, wake_queue
from tidegate.usecases.record import ENGINE, record_decision
from tidegate.usecases.watch_blame import neighbour
from tidegate.usecases.withdraw import issue, with_generations, withdraw

POLL: Final = timedelta(milliseconds=250)
"""How soon a target that is being moved is looked at again."""

LOOK_AGAIN: Final = timedelta(seconds=30)
"""How often a rollout that nothing woke is looked at: this finds drift."""

INTERNAL_ONLY: Final = Exposure(internal=True, weight_bps=0)

_HALT_EVENT: Final = {
    HaltCause.HARM: Event.HARM_FOUND,
    HaltCause.PERSON: Event.HALTED_BY_PERSON,
    HaltCause.NO_DATA: Event.GAVE_UP_WAITING,
    HaltCause.NOT_APPLIED: Event.GAVE_UP_WAITING,
    HaltCause.ALARM: Event.ALARM_RAISED,
    HaltCause.STOP_ORDER: Event.STOP_ORDERED,
    HaltCause.GATE: Event.GATE_TURNED_RED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scene:
    """One step: the world, what was seen of it, and what was decided."""

    outside: Outside
    seen: Observation
    decision: Decision

    @property
    def rollout(self) -> Rollout:
        return self.seen.rollout

    @property
    def now(self) -> datetime:
        return self.seen.now

    @property
    def placements(self) -> tuple[Placement, ...]:
        return tuple(here.placement for here in self.seen.placements)


async def step(outside: Outside, rollout_id: RolloutId) -> Turn:
    """
    Take one turn of a rollout.

    Raises:
        NotFoundError: there is no such rollout.
        StateMovedError: somebody else moved it meanwhile; step again.
        StoreError: the store can't be read or written; step again.
    """
    with outside.store.begin(read_only=True) as transaction:
        rollout = transaction.rollout(rollout_id)
        stored = transaction.evidence(rollout_id)
        alarms = alarms_for(transaction, rollout)
        neighbours = _neighbours(transaction, rollout)
        said = governance_of(transaction, rollout, outside.clock.now())
    if await look_up_for_rise(outside, rollout):
        with outside.store.begin(read_only=True) as transaction:
            said = governance_of(transaction, rollout, outside.clock.now())
    if rollout.is_final and (rollout.state is not State.COMPLETED or rollout.settled):
        return Turn(rollout_id=rollout_id, due_at=None, watch=False)
    seen = Observation(
        rollout=rollout,
        placements=await observe(outside, rollout),
        evidence=evidence_of(stored),
        alarms=alarms,
        neighbours=neighbours,
        stop_orders=said.stop_orders,
        gates=said.gates,
        calendar=said.calendar,
        void_approvals=said.void_approvals,
        debts=said.debts,
        queued=said.queued,
        is_reviewed=said.is_reviewed,
        # Read last: what was observed is never younger than the time it is judged at.
        now=outside.clock.now(),
    )
    decision = decide(seen)
    after = await _carry_out(_Scene(outside=outside, seen=seen, decision=decision))
    if seen.queued is not None:
        await make_way(outside, after, seen.queued)
    if after.is_final and not rollout.is_final:
        wake_queue(outside, after)
    return turn(after, seen.now)


def _neighbours(transaction: Transaction, rollout: Rollout) -> tuple[Neighbour, ...]:
    """Return who else exposes something, where it matters: while exposure waits to be raised."""
    if rollout.state is not State.WAITING or not rollout.plan.stagger:
        return ()
    return tuple(
        found
        for other in transaction.watched()
        if other.id != rollout.id and (found := neighbour(other)) is not None
    )


def evidence_of(stored: StoredEvidence | None) -> Evidence:
    """Return the evidence that *stored* holds; none for None."""
    return NO_EVIDENCE if stored is None else from_json(Evidence, stored.evidence_json)


def turn(rollout: Rollout, now: datetime) -> Turn:
    """Return when *rollout* wants to be stepped again, and whether its signals are watched."""
    over = rollout.is_final and (rollout.state is not State.COMPLETED or rollout.settled)
    if over:
        return Turn(rollout_id=rollout.id, due_at=None, watch=False)
    soon = rollout.state in (State.APPLYING, State.RECOVERING) or rollout.waiting_on.reason in (
        ReasonCode.STARTING,
        ReasonCode.REHEARSING,
        ReasonCode.WITHDRAWING,
    )
    due = now + (POLL if soon else LOOK_AGAIN)
    until = rollout.waiting_on.until
    if until is not None and now < until < due:
        due = until
    return Turn(rollout_id=rollout.id, due_at=due, watch=facts.phase_in_force(rollout) is not None)


async def _carry_out(scene: _Scene) -> Rollout:
    decision = scene.decision
    match decision:
        case rules.Begin():
            return _take_turn(scene)
        case rules.Drop():
            return _record(scene, dropped_from_queue(scene.rollout, decision.because, scene.now))
        case rules.Hold():
            return _keep_waiting(scene, decision.waiting_on)
        case rules.Rehearse():
            return await _rehearse(scene, decision)
        case rules.EnterPhase():
            return await _enter_phase(scene)
        case rules.Reapply():
            return await _reapply(scene, decision.waiting_on)
        case rules.StartBake():
            baking = scene.rollout.moved(Event.APPLIED, at=scene.now)
            return _record(
                scene,
                replace(
                    baking,
                    phase_since=scene.now,
                    trips_before=decision.trips,
                    waiting_on=_waiting(ReasonCode.MORE_EVIDENCE, "the bake has begun"),
                ),
            )
        case rules.Pause():
            held = scene.rollout.moved(Event.PUT_ON_HOLD, at=scene.now)
            return _record(scene, held.waiting(decision.waiting_on))
        case rules.Unpause():
            baking = scene.rollout.moved(Event.HOLD_ENDED, at=scene.now)
            waiting_on = _waiting(ReasonCode.MORE_EVIDENCE, decision.because)
            return _record(scene, replace(baking, waiting_on=waiting_on))
        case rules.Advance():
            return _advance(scene, decision)
        case rules.Complete():
            return await _complete(scene, decision)
        case rules.HaltNow():
            return await _halt(scene, decision)
        case rules.Withdraw():
            return await _withdraw_again(scene, decision.waiting_on)
        case rules.StartRecovery():
            recovering = scene.rollout.moved(Event.RECOVERY_STARTED, at=scene.now)
            waiting_on = _waiting(ReasonCode.RECOVERING, decision.because)
            return _record(scene, replace(recovering, waiting_on=waiting_on))
        case rules.Retire():
            await _retire(scene)
            return _keep_waiting(scene, decision.waiting_on)
        case rules.BringBack():
            return await _bring_back(scene, decision.waiting_on)
        case rules.FinishRecovery():
            return await _finish_recovery(scene)
        case rules.Settle():
            return await _settle(scene)
        case _:
            assert_never(decision)


# --- recording -------------------------------------------------------------------------------


def _record(scene: _Scene, after: Rollout) -> Rollout:
    with scene.outside.store.begin() as transaction:
        return record_decision(transaction, scene.seen, scene.decision, after)


def _take_turn(scene: _Scene) -> Rollout:
    with scene.outside.store.begin() as transaction:
        if queued_behind(transaction, scene.rollout, scene.now) is not None:
            raise StateMovedError(
                f"rollout {scene.rollout.id} isn't the next in the queue any more",
                hint="it waits for its turn",
            )
        begun = take_turn(transaction, scene.seen)
        return record_decision(transaction, scene.seen, scene.decision, begun)


def _keep_waiting(scene: _Scene, waiting_on: WaitingOn) -> Rollout:
    """Record a wait once, when its reason begins; the words around it change with every look."""
    before = scene.rollout.waiting_on
    same = (before.reason, before.who_can_act) == (waiting_on.reason, waiting_on.who_can_act)
    if waiting_on.reason is ReasonCode.WINDOW:
        # Here they change only with the calendar itself: a freeze that came, or went, tells another time.
        same = before == waiting_on
    if same:
        return replace(scene.rollout, waiting_on=waiting_on)
    return _record(scene, scene.rollout.waiting(waiting_on))


def _waiting(reason: ReasonCode, detail: str, *, until: datetime | None = None) -> WaitingOn:
    return WaitingOn(reason=reason, detail=detail, until=until, who_can_act=WhoCanAct.NOBODY)


# --- exposure up -----------------------------------------------------------------------------


async def _rehearse(scene: _Scene, decision: rules.Rehearse) -> Rollout:
    rollout = scene.rollout
    began = rollout.rehearsal_since or scene.now
    if decision.to is Rehearsal.PROVEN:
        return _record(
            scene,
            replace(
                rollout,
                rehearsal=Rehearsal.PROVEN,
                way_back_took=scene.now - began,
                waiting_on=_waiting(ReasonCode.STARTING, decision.because),
            ),
        )
    after = _record_with_generations(
        scene,
        replace(
            rollout,
            rehearsal=decision.to,
            rehearsal_since=scene.now,
            waiting_on=_waiting(ReasonCode.REHEARSING, decision.because),
        ),
        scene.placements,
    )
    await _tell_rehearsal(scene, after)
    return after


async def _tell_rehearsal(scene: _Scene, rollout: Rollout) -> None:
    for placement in scene.placements:
        driver = scene.outside.component(rollout, placement)
        if rollout.rehearsal is Rehearsal.BACK:
            await driver.withdraw(placement, rollout.generation_on(placement.target))
        else:
            await _apply(scene, rollout, placement, INTERNAL_ONLY)


async def _enter_phase(scene: _Scene) -> Rollout:
    rollout = scene.rollout
    wanted = rollout.plan.exposure_within(rollout.phase_index)
    moved = {
        here.placement.target
        for here in scene.seen.placements
        if here.exposure != wanted[here.placement]
        or here.generation != rollout.generation_on(here.placement.target)
        or (here.stopped_at_generation or 0) >= rollout.generation_on(here.placement.target)
    }
    applying = rollout.moved(Event.PHASE_ENTERED, at=scene.now)
    until = scene.now + rollout.plan.apply_within
    after = _record_with_generations(
        scene,
        replace(
            applying,
            waiting_on=_waiting(ReasonCode.APPLYING, scene.decision.because, until=until),
        ),
        [placement for placement in wanted if placement.target in moved],
    )
    await _tell_phase(scene, after)
    return after


async def _reapply(scene: _Scene, waiting_on: WaitingOn) -> Rollout:
    if scene.rollout.state is State.APPLYING:
        await _tell_phase(scene, scene.rollout)
    else:
        await _tell_rehearsal(scene, scene.rollout)
    return _keep_waiting(scene, waiting_on)


async def _tell_phase(scene: _Scene, rollout: Rollout) -> None:
    for placement, exposure in rollout.plan.exposure_within(rollout.phase_index).items():
        await _apply(scene, rollout, placement, exposure)


async def _apply(scene: _Scene, rollout: Rollout, placement: Placement, exposure: Exposure) -> None:
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


def _record_with_generations(
    scene: _Scene, after: Rollout, placements: Sequence[Placement]
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


def _advance(scene: _Scene, decision: rules.Advance) -> Rollout:
    rollout = scene.rollout
    waiting = rollout.moved(Event.PHASE_PASSED, at=scene.now)
    next_phase = rollout.plan.phases[rollout.phase_index + 1]
    return _record(
        scene,
        replace(
            waiting,
            passes=(*rollout.passes, decision.passed),
            phase_index=rollout.phase_index + 1,
            bake_allowance=1,
            waiting_on=_waiting(ReasonCode.STARTING, f"next: {next_phase.name}"),
        ),
    )


async def _complete(scene: _Scene, decision: rules.Complete) -> Rollout:
    rollout = scene.rollout
    for here in scene.seen.placements:
        if here.candidate is None:
            # Installed, or finished by a step that didn't live to record it.
            continue
        driver = scene.outside.component(rollout, here.placement)
        await driver.finish(here.placement, rollout.generation_on(here.placement.target))
    completed = rollout.moved(Event.LAST_PHASE_PASSED, at=scene.now)
    until = scene.now + rollout.plan.quarantine
    return _record(
        scene,
        replace(
            completed,
            passes=(*rollout.passes, decision.passed),
            waiting_on=_waiting(ReasonCode.QUARANTINE, "the old version stays warm", until=until),
        ),
    )


# --- exposure down ---------------------------------------------------------------------------


async def _halt(scene: _Scene, decision: rules.HaltNow) -> Rollout:
    latched = max((here.stopped_at_generation or 0 for here in scene.seen.placements), default=0)
    issued, unreached = await withdraw(
        scene.outside, scene.rollout, scene.placements, above=latched
    )
    halted = scene.rollout.moved(_HALT_EVENT[decision.cause], at=scene.now)
    halt = Halt(cause=decision.cause, because=decision.because, by=ENGINE, at=scene.now)
    detail = "; ".join(unreached) or "the candidate is withdrawn"
    return _record(
        scene,
        replace(
            halted,
            halt=halt,
            generations=with_generations(scene.rollout, issued),
            waiting_on=_waiting(ReasonCode.WITHDRAWING, detail),
        ),
    )


async def _withdraw_again(scene: _Scene, waiting_on: WaitingOn) -> Rollout:
    rollout = scene.rollout
    for here in scene.seen.placements:
        stopped = here.stopped_at_generation or 0
        current = rollout.generation_on(here.placement.target)
        if facts.became_baseline(rollout, here):
            rollout = await _turn_back(scene, rollout, here)
        elif stopped > current or current == 0:
            issued, _ = await withdraw(
                scene.outside, rollout, [here.placement], above=max(stopped, here.generation)
            )
            rollout = replace(rollout, generations=with_generations(rollout, issued))
        elif here.exposure != NO_EXPOSURE or here.generation < current:
            driver = scene.outside.component(rollout, here.placement)
            try:
                await driver.withdraw(here.placement, current)
            except TidegateError as exc:
                if not exc.retryable:
                    raise
    waiting = replace(rollout, waiting_on=waiting_on)
    if rollout.generations != scene.rollout.generations:
        return _record(scene, waiting)
    return _keep_waiting(scene, waiting_on)


async def _turn_back(scene: _Scene, rollout: Rollout, here: Seen) -> Rollout:
    """Let everyone at a placement where the candidate became the baseline meet the old version again."""
    above = max(here.stopped_at_generation or 0, here.generation)
    with scene.outside.store.begin() as transaction:
        issued = issue(transaction, rollout, [here.placement], above=above)
    rollout = replace(rollout, generations=with_generations(rollout, issued))
    await _apply(scene, rollout, here.placement, NO_EXPOSURE)
    return rollout


async def _retire(scene: _Scene) -> None:
    for here in scene.seen.placements:
        try:
            await scene.outside.component(scene.rollout, here.placement).retire(here.placement)
        except TidegateError as exc:
            if not exc.retryable:
                raise


async def _bring_back(scene: _Scene, waiting_on: WaitingOn) -> Rollout:
    rollout = scene.rollout
    if any(
        (here.stopped_at_generation or 0) >= rollout.generation_on(here.placement.target)
        for here in scene.seen.placements
    ):
        # None were issued yet, or somebody's late withdrawal has latched them out.
        rollout = _record_with_generations(scene, rollout, scene.placements)
    for placement in scene.placements:
        await _apply(scene, rollout, placement, FULL_EXPOSURE)
    scene = replace(scene, seen=replace(scene.seen, rollout=rollout))
    return _keep_waiting(scene, waiting_on)


async def _finish_recovery(scene: _Scene) -> Rollout:
    rollout = scene.rollout
    if rollout.is_return:
        for here in scene.seen.placements:
            driver = scene.outside.component(rollout, here.placement)
            if here.candidate is not None:
                await driver.finish(here.placement, rollout.generation_on(here.placement.target))
            await driver.retire(here.placement)
    recovered = rollout.moved(Event.RECOVERED, at=scene.now)
    waiting_on = _waiting(ReasonCode.NOTHING, scene.decision.because)
    return _record(scene, replace(recovered, waiting_on=waiting_on))


async def _settle(scene: _Scene) -> Rollout:
    rollout = scene.rollout
    await _retire(scene)
    waiting_on = _waiting(ReasonCode.NOTHING, "the rollout is over")
    with scene.outside.store.begin() as transaction:
        for placement in scene.placements:
            version = rollout.change.version_of(placement.component)
            assert version is not None, f"{placement} is not part of the change"
            transaction.add_last_known_good(
                LastKnownGood(
                    placement=placement, version=version, rollout_id=rollout.id, since=scene.now
                )
            )
        after = replace(rollout, settled=True, waiting_on=waiting_on)
        return record_decision(transaction, scene.seen, scene.decision, after)
