"""Carrying out what raises exposure: rehearsal, phases, and the end of a rollout that went well."""

from dataclasses import replace
from typing import Final

from tidegate.domain.quantities import Exposure
from tidegate.domain.rollout import decisions as rules
from tidegate.domain.rollout.machine import Event, State
from tidegate.domain.rollout.model import ReasonCode, Rehearsal, Rollout, WaitingOn
from tidegate.ports.store import LastKnownGood
from tidegate.usecases.record import record_decision
from tidegate.usecases.step_scene import (
    Scene,
    keep_waiting,
    record,
    record_with_generations,
    retire,
    tell,
    waiting_for,
)

INTERNAL_ONLY: Final = Exposure(internal=True, weight_bps=0)


async def rehearse(scene: Scene, decision: rules.Rehearse) -> Rollout:
    """Take the rehearsal of the way back one part further, or record that it is proven."""
    rollout = scene.rollout
    began = rollout.rehearsal_since or scene.now
    if decision.to is Rehearsal.PROVEN:
        return record(
            scene,
            replace(
                rollout,
                rehearsal=Rehearsal.PROVEN,
                way_back_took=scene.now - began,
                waiting_on=waiting_for(ReasonCode.STARTING, decision.because),
            ),
        )
    after = record_with_generations(
        scene,
        replace(
            rollout,
            rehearsal=decision.to,
            rehearsal_since=scene.now,
            waiting_on=waiting_for(ReasonCode.REHEARSING, decision.because),
        ),
        scene.placements,
    )
    await _tell_rehearsal(scene, after)
    return after


async def _tell_rehearsal(scene: Scene, rollout: Rollout) -> None:
    for placement in scene.placements:
        driver = scene.outside.component(rollout, placement)
        if rollout.rehearsal is Rehearsal.BACK:
            await driver.withdraw(placement, rollout.generation_on(placement.target))
        else:
            await tell(scene, rollout, placement, INTERNAL_ONLY)


async def enter_phase(scene: Scene) -> Rollout:
    """Record the phase with its generations, then tell every placement what it serves in it."""
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
    after = record_with_generations(
        scene,
        replace(
            applying,
            waiting_on=waiting_for(ReasonCode.APPLYING, scene.decision.because, until=until),
        ),
        [placement for placement in wanted if placement.target in moved],
    )
    await _tell_phase(scene, after)
    return after


async def reapply(scene: Scene, waiting_on: WaitingOn) -> Rollout:
    """Say again what was said: a placement that didn't hear it, or forgot, is told anew."""
    if scene.rollout.state is State.APPLYING:
        await _tell_phase(scene, scene.rollout)
    else:
        await _tell_rehearsal(scene, scene.rollout)
    return keep_waiting(scene, waiting_on)


async def _tell_phase(scene: Scene, rollout: Rollout) -> None:
    for placement, exposure in rollout.plan.exposure_within(rollout.phase_index).items():
        await tell(scene, rollout, placement, exposure)


def advance(scene: Scene, decision: rules.Advance) -> Rollout:
    """Record that a phase was passed and that the next one is due."""
    rollout = scene.rollout
    waiting = rollout.moved(Event.PHASE_PASSED, at=scene.now)
    next_phase = rollout.plan.phases[rollout.phase_index + 1]
    return record(
        scene,
        replace(
            waiting,
            passes=(*rollout.passes, decision.passed),
            phase_index=rollout.phase_index + 1,
            bake_allowance=1,
            waiting_on=waiting_for(ReasonCode.STARTING, f"next: {next_phase.name}"),
        ),
    )


async def complete(scene: Scene, decision: rules.Complete) -> Rollout:
    """Make the candidate the baseline everywhere; the old version stays warm for the quarantine."""
    rollout = scene.rollout
    for here in scene.seen.placements:
        if here.candidate is None:
            # Installed, or finished by a step that didn't live to record it.
            continue
        driver = scene.outside.component(rollout, here.placement)
        await driver.finish(here.placement, rollout.generation_on(here.placement.target))
    completed = rollout.moved(Event.LAST_PHASE_PASSED, at=scene.now)
    until = scene.now + rollout.plan.quarantine
    return record(
        scene,
        replace(
            completed,
            passes=(*rollout.passes, decision.passed),
            waiting_on=waiting_for(
                ReasonCode.QUARANTINE, "the old version stays warm", until=until
            ),
        ),
    )


async def settle(scene: Scene) -> Rollout:
    """Give back the old version and remember the new one as the last known good."""
    rollout = scene.rollout
    await retire(scene)
    waiting_on = waiting_for(ReasonCode.NOTHING, "the rollout is over")
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
