"""
One turn of a rollout: observe, decide, act, record. The same for every kind of change.

`step` may be called at any time, twice, by anyone. It does what `decide` says and no more; there is no
rule of the domain in here. A rise is recorded before it is made, so that it can't happen without its
record; a withdrawal is made before it is recorded, so that nothing can delay it.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, assert_never

from tidegate.documents.records import from_json
from tidegate.domain.health.evidence import NO_EVIDENCE, Evidence
from tidegate.domain.quantities import RolloutId
from tidegate.domain.rollout import decisions as rules
from tidegate.domain.rollout import seen as facts
from tidegate.domain.rollout.decide import decide
from tidegate.domain.rollout.decisions import Observation
from tidegate.domain.rollout.machine import Event, State
from tidegate.domain.rollout.model import ReasonCode, Rollout
from tidegate.domain.rollout.stagger import Neighbour
from tidegate.errors import StateMovedError
from tidegate.ports.runner import Turn
from tidegate.ports.store import StoredEvidence, Transaction
from tidegate.usecases.alarms import alarms_for
from tidegate.usecases.artifacts import look_up_for_rise
from tidegate.usecases.governance import governance_of
from tidegate.usecases.make_way import make_way
from tidegate.usecases.observe import observe
from tidegate.usecases.outside import Outside
from tidegate.usecases.queue import dropped_from_queue, queued_behind, take_turn, wake_queue
from tidegate.usecases.record import record_decision
from tidegate.usecases.step_back import bring_back, finish_recovery, halt_now, withdraw_again
from tidegate.usecases.step_forward import advance, complete, enter_phase, reapply, rehearse, settle
from tidegate.usecases.step_scene import Scene, keep_waiting, record, retire, waiting_for
from tidegate.usecases.watch_blame import neighbour

POLL: Final = timedelta(milliseconds=250)
"""How soon a target that is being moved is looked at again."""

LOOK_AGAIN: Final = timedelta(seconds=30)
"""How often a rollout that nothing woke is looked at: this finds drift."""


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
        ended=said.ended,
        is_reviewed=said.is_reviewed,
        # Read last: what was observed is never younger than the time it is judged at.
        now=outside.clock.now(),
    )
    decision = decide(seen)
    after = await _carry_out(Scene(outside=outside, seen=seen, decision=decision))
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


async def _carry_out(scene: Scene) -> Rollout:
    decision = scene.decision
    match decision:
        case rules.Begin():
            return _take_turn(scene)
        case rules.Drop():
            return record(scene, dropped_from_queue(scene.rollout, decision.because, scene.now))
        case rules.Hold():
            return keep_waiting(scene, decision.waiting_on)
        case rules.Rehearse():
            return await rehearse(scene, decision)
        case rules.EnterPhase():
            return await enter_phase(scene)
        case rules.Reapply():
            return await reapply(scene, decision.waiting_on)
        case rules.StartBake():
            baking = scene.rollout.moved(Event.APPLIED, at=scene.now)
            return record(
                scene,
                replace(
                    baking,
                    phase_since=scene.now,
                    trips_before=decision.trips,
                    waiting_on=waiting_for(ReasonCode.MORE_EVIDENCE, "the bake has begun"),
                ),
            )
        case rules.Pause():
            held = scene.rollout.moved(Event.PUT_ON_HOLD, at=scene.now)
            return record(scene, held.waiting(decision.waiting_on))
        case rules.Unpause():
            baking = scene.rollout.moved(Event.HOLD_ENDED, at=scene.now)
            waiting_on = waiting_for(ReasonCode.MORE_EVIDENCE, decision.because)
            return record(scene, replace(baking, waiting_on=waiting_on))
        case rules.Advance():
            return advance(scene, decision)
        case rules.Complete():
            return await complete(scene, decision)
        case rules.HaltNow():
            return await halt_now(scene, decision)
        case rules.Withdraw():
            return await withdraw_again(scene, decision.waiting_on)
        case rules.StartRecovery():
            recovering = scene.rollout.moved(Event.RECOVERY_STARTED, at=scene.now)
            waiting_on = waiting_for(ReasonCode.RECOVERING, decision.because)
            return record(scene, replace(recovering, waiting_on=waiting_on))
        case rules.Retire():
            await retire(scene)
            return keep_waiting(scene, decision.waiting_on)
        case rules.BringBack():
            return await bring_back(scene, decision.waiting_on)
        case rules.FinishRecovery():
            return await finish_recovery(scene)
        case rules.Settle():
            return await settle(scene)
        case _:
            assert_never(decision)


def _take_turn(scene: Scene) -> Rollout:
    with scene.outside.store.begin() as transaction:
        if queued_behind(transaction, scene.rollout, scene.now) is not None:
            raise StateMovedError(
                f"rollout {scene.rollout.id} isn't the next in the queue any more",
                hint="it waits for its turn",
            )
        begun = take_turn(transaction, scene.seen)
        return record_decision(transaction, scene.seen, scene.decision, begun)
