"""Carrying out what lowers exposure, and what follows it: halt, withdrawal, recovery, return."""

from dataclasses import replace
from typing import Final

from tidegate.domain.quantities import NO_EXPOSURE
from tidegate.domain.rollout import decisions as rules
from tidegate.domain.rollout import seen as facts
from tidegate.domain.rollout.decisions import FULL_EXPOSURE, Seen
from tidegate.domain.rollout.machine import Event
from tidegate.domain.rollout.model import Halt, HaltCause, ReasonCode, Rollout, WaitingOn
from tidegate.errors import TidegateError
from tidegate.usecases.record import ENGINE
from tidegate.usecases.step_scene import (
    Scene,
    keep_waiting,
    record,
    record_with_generations,
    tell,
    waiting_for,
)
from tidegate.usecases.withdraw import issue, with_generations, withdraw

_HALT_EVENT: Final = {
    HaltCause.HARM: Event.HARM_FOUND,
    HaltCause.PERSON: Event.HALTED_BY_PERSON,
    HaltCause.NO_DATA: Event.GAVE_UP_WAITING,
    HaltCause.NOT_APPLIED: Event.GAVE_UP_WAITING,
    HaltCause.ALARM: Event.ALARM_RAISED,
    HaltCause.STOP_ORDER: Event.STOP_ORDERED,
    HaltCause.GATE: Event.GATE_TURNED_RED,
}


async def halt_now(scene: Scene, decision: rules.HaltNow) -> Rollout:
    """Withdraw the candidate everywhere, then record that it was halted and why."""
    latched = max((here.stopped_at_generation or 0 for here in scene.seen.placements), default=0)
    issued, unreached = await withdraw(
        scene.outside, scene.rollout, scene.placements, above=latched
    )
    halted = scene.rollout.moved(_HALT_EVENT[decision.cause], at=scene.now)
    halt = Halt(cause=decision.cause, because=decision.because, by=ENGINE, at=scene.now)
    detail = "; ".join(unreached) or "the candidate is withdrawn"
    return record(
        scene,
        replace(
            halted,
            halt=halt,
            generations=with_generations(scene.rollout, issued),
            waiting_on=waiting_for(ReasonCode.WITHDRAWING, detail),
        ),
    )


async def withdraw_again(scene: Scene, waiting_on: WaitingOn) -> Rollout:
    """Withdraw where the candidate is still met, or where somebody's late word let it in again."""
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
        return record(scene, waiting)
    return keep_waiting(scene, waiting_on)


async def _turn_back(scene: Scene, rollout: Rollout, here: Seen) -> Rollout:
    """Let everyone at a placement where the candidate became the baseline meet the old version again."""
    above = max(here.stopped_at_generation or 0, here.generation)
    with scene.outside.store.begin() as transaction:
        issued = issue(transaction, rollout, [here.placement], above=above)
    rollout = replace(rollout, generations=with_generations(rollout, issued))
    await tell(scene, rollout, here.placement, NO_EXPOSURE)
    return rollout


async def bring_back(scene: Scene, waiting_on: WaitingOn) -> Rollout:
    """Tell every placement of a return to serve the last known good to everyone."""
    rollout = scene.rollout
    if any(
        (here.stopped_at_generation or 0) >= rollout.generation_on(here.placement.target)
        for here in scene.seen.placements
    ):
        # None were issued yet, or somebody's late withdrawal has latched them out.
        rollout = record_with_generations(scene, rollout, scene.placements)
    for placement in scene.placements:
        await tell(scene, rollout, placement, FULL_EXPOSURE)
    scene = replace(scene, seen=replace(scene.seen, rollout=rollout))
    return keep_waiting(scene, waiting_on)


async def finish_recovery(scene: Scene) -> Rollout:
    """Record that the recovery is over; what a return was installed beside is given back."""
    rollout = scene.rollout
    if rollout.is_return:
        for here in scene.seen.placements:
            driver = scene.outside.component(rollout, here.placement)
            if here.candidate is not None:
                await driver.finish(here.placement, rollout.generation_on(here.placement.target))
            await driver.retire(here.placement)
    recovered = rollout.moved(Event.RECOVERED, at=scene.now)
    waiting_on = waiting_for(ReasonCode.NOTHING, scene.decision.because)
    return record(scene, replace(recovered, waiting_on=waiting_on))
