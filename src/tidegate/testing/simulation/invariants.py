"""
What must hold in every world, after every event: the promises of the engine as small functions.

Each looks at two moments that follow each other and says what is broken between them. None of them
uses the code whose promise it checks: what a phase allows, or what is proof enough, is in
`said_once_more`. They are usable on any recorded history, of a simulation or of a server.

The numbers are those of the product's list of invariants.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

from tidegate.domain.quantities import (
    NO_EXPOSURE,
    Placement,
    RolloutId,
)
from tidegate.domain.rollout.decisions import Complete, Decision, Observation
from tidegate.domain.rollout.machine import FINAL, State
from tidegate.domain.rollout.model import PhasePass, Rehearsal, Rollout
from tidegate.drivers.component.fencing import Served
from tidegate.ports.store import LastKnownGood, LedgerEntry
from tidegate.store.ledger import GENESIS_HASH, verify_chain
from tidegate.testing.simulation import invariants_of_stops as stops
from tidegate.testing.simulation.said_once_more import INTERNAL, allowed_exposure, why_not_enough

STOPPED: Final = frozenset({State.HALTED, State.RECOVERING})

GRAVE: Final = 3.0
"""Evidence of harm, in nats, from which on also a decision that changes nothing is looked into."""


@dataclass(slots=True, kw_only=True)
class Moment:
    """
    What was true right after an event.

    Attributes:
        at: The world's time.
        what: The event, in words.
        rollouts: Every rollout as it is recorded.
        targets: What every placement was really told, however reads lag or lie.
        decided: What was decided and recorded by this event, and from what.
        unreached: Placements whose latest withdrawal didn't arrive.
        baked_at_most: How long each rollout can have baked in its phase, generously counted; a
            rollout that isn't named is not judged by it.
        ledger: What this event added to the ledger; None where the world has no ledger.
        ledger_head: Number and hash of the entry before those.
        good: What this event made last known good.
    """

    at: datetime
    what: str
    rollouts: Mapping[RolloutId, Rollout]
    targets: Mapping[Placement, Served]
    decided: Sequence[tuple[Observation, Decision]] = ()
    unreached: frozenset[Placement] = frozenset()
    baked_at_most: Mapping[RolloutId, timedelta] = field(default_factory=dict)
    ledger: Sequence[LedgerEntry] | None = None
    ledger_head: tuple[int, str] = (0, GENESIS_HASH)
    good: Sequence[LastKnownGood] = ()


Invariant = Callable[[Moment, Moment], Iterator[str]]


class BrokenInvariantError(AssertionError):
    """A promise doesn't hold. Says which, where and when."""


class NeverEndsError(AssertionError):
    """A rollout didn't come to its end although nothing stood in its way any more."""


def check(before: Moment, after: Moment) -> None:
    """
    Check every invariant between two moments that follow each other.

    Raises:
        BrokenInvariantError: one doesn't hold.
    """
    if _is_the_same(before, after):
        return
    for name, invariant in INVARIANTS.items():
        for how in invariant(before, after):
            raise BrokenInvariantError(f"{name}: {how} (at {after.at}, {after.what})")


def _is_the_same(before: Moment, after: Moment) -> bool:
    same = before.rollouts is after.rollouts and before.targets is after.targets
    grave = any(seen.alarms or seen.evidence.log_e_harm > GRAVE for seen, _ in after.decided)
    return same and not grave and not after.ledger and not after.good


def check_history(moments: Sequence[Moment]) -> None:
    """
    Check every invariant along a recorded history.

    Raises:
        BrokenInvariantError: one doesn't hold.
    """
    for before, after in pairwise(moments):
        check(before, after)


# --- exposure --------------------------------------------------------------------------------


def a_rise_rests_on_a_pass(before: Moment, after: Moment) -> Iterator[str]:
    """I01: users meet more of the candidate only after the phase before was passed, and all agreed."""
    for placement, rollout in _rises(before, after):
        if rollout is None:
            yield f"{placement} is exposed without an active rollout"
            continue
        if after.targets[placement].exposure.weight_bps == 0 or rollout.is_return:
            continue
        index = rollout.phase_index
        if index > 0 and all(passed.phase_index != index - 1 for passed in rollout.passes):
            yield f"{placement} entered phase {index} and phase {index - 1} was never passed"
        agreed = {
            approval.by
            for approval in rollout.approvals
            if (approval.phase_index, approval.attempt) == (index, rollout.attempt)
            and approval.plan_hash == rollout.plan_hash
        }
        if len(agreed) < rollout.phase.approvals:
            yield f"{placement} entered phase {index} with {len(agreed)} approvals"


def a_pass_rests_on_proof(before: Moment, after: Moment) -> Iterator[str]:
    """I01, I24: a phase passes only by fresh, good, sufficient data of its own; unknown is never green."""
    for rollout, passed in _new_passes(before, after):
        made = _decision_for(after, rollout)
        if made is None:
            yield f"{rollout.id} passed phase {passed.phase_index} without a decision"
            continue
        seen, decision = made
        if isinstance(decision, Complete) and _was_finished(seen):
            continue
        missing = why_not_enough(seen)
        if missing:
            yield f"{rollout.id} passed phase {passed.phase_index}: {missing}"


def exposure_stays_within_the_phase(before: Moment, after: Moment) -> Iterator[str]:
    """I02: nobody meets the candidate whom the recorded phase doesn't let meet it."""
    for placement, rollout in _rises(before, after):
        if rollout is None or (rollout.state in STOPPED and placement in after.unreached):
            # No record rules a target that no stop could reach: what was on its way may arrive.
            continue
        allowed, exposure = allowed_exposure(rollout, placement), after.targets[placement].exposure
        if exposure.exceeds(allowed):
            yield f"{placement} exposes {exposure}, {rollout.state.value} allows {allowed}"


def a_bake_begins_when_all_serve(before: Moment, after: Moment) -> Iterator[str]:
    """I15: a bake begins when every target was seen to serve, at our generation, what the phase asks."""
    if before.rollouts is after.rollouts:
        return
    for rollout_id, now in after.rollouts.items():
        was = before.rollouts.get(rollout_id)
        if was is None or (was.state, now.state) != (State.APPLYING, State.BAKING):
            continue
        made = _decision_for(after, now)
        for placement in now.plan.exposure_within(now.phase_index):
            here = next(
                (
                    seen
                    for seen in (made[0].placements if made else ())
                    if seen.placement == placement
                ),
                None,
            )
            if (
                here is None
                or not here.settled
                or here.exposure != allowed_exposure(now, placement)
                or here.generation != now.generation_on(placement.target)
            ):
                yield f"{rollout_id} bakes, and {placement} was seen as {here}"


def a_stop_is_monotone(before: Moment, after: Moment) -> Iterator[str]:
    """I03: once a stop has reached a target, its exposure only falls until a person resumes."""
    if before.targets is after.targets:
        return
    for rollout_id, was in before.rollouts.items():
        now = after.rollouts[rollout_id]
        if was.is_return or was.state not in STOPPED or now.state not in STOPPED:
            continue
        for placement in was.plan.placements():
            there, exposure = before.targets[placement], after.targets[placement].exposure
            if exposure.exceeds(there.exposure) and placement not in before.unreached:
                yield f"{placement} exposes {exposure} after a stop, before it {there.exposure}"


def a_stop_reaches_everyone(before: Moment, after: Moment) -> Iterator[str]:
    """I04: when a stop is on record, nobody meets the candidate at any target that could be reached."""
    for rollout_id, now in after.rollouts.items():
        was = before.rollouts.get(rollout_id)
        if was is None or was.state in STOPPED or now.state not in STOPPED or now.is_return:
            continue
        for placement in was.plan.exposure_within(was.phase_index):
            exposure = after.targets[placement].exposure
            if exposure != NO_EXPOSURE and placement not in after.unreached:
                yield f"{placement} exposes {exposure} although {rollout_id} is {now.state.value}"


def nobody_meets_what_is_over(before: Moment, after: Moment) -> Iterator[str]:
    """I04: a rollout that was taken back or given up exposes nobody."""
    if before.rollouts is after.rollouts and before.targets is after.targets:
        return
    for rollout in after.rollouts.values():
        if rollout.state not in FINAL or rollout.state is State.COMPLETED:
            continue
        for placement in rollout.plan.placements():
            exposure = after.targets[placement].exposure
            if exposure != NO_EXPOSURE and _active_on(after, placement) is None:
                yield f"{placement} exposes {exposure} after {rollout.id} {rollout.state.value}"


# --- fencing ---------------------------------------------------------------------------------


def one_active_rollout_per_target(before: Moment, after: Moment) -> Iterator[str]:
    """I05: no two rollouts of a service move the same target at once."""
    if before.rollouts is after.rollouts or len(after.rollouts) < 2:
        return
    taken: dict[tuple[str, str], RolloutId] = {}
    for rollout in after.rollouts.values():
        # What waits in the queue moves nothing yet.
        if rollout.state in FINAL or rollout.state is State.PLANNED:
            continue
        for placement in rollout.plan.placements():
            key = (placement.service, placement.target)
            if taken.setdefault(key, rollout.id) != rollout.id:
                yield f"{placement} is moved by {taken[key]} and by {rollout.id}"


def generations_only_grow(before: Moment, after: Moment) -> Iterator[str]:
    """I06: a target never goes back to an older generation, and no generation raises exposure twice."""
    if before.targets is after.targets:
        return
    for placement, there in after.targets.items():
        was = before.targets[placement]
        if there.generation < was.generation:
            yield f"{placement} went from generation {was.generation} to {there.generation}"
        if there.exposure.exceeds(was.exposure) and there.generation <= was.generation:
            yield f"generation {there.generation} raised {placement} from {was.exposure} again"


def nothing_passes_twice(before: Moment, after: Moment) -> Iterator[str]:
    """I07: no phase of an attempt is passed twice, whoever steps, however often."""
    for rollout, passed in _new_passes(before, after):
        key = (passed.phase_index, passed.attempt)
        same = [old for old in rollout.passes if (old.phase_index, old.attempt) == key]
        if len(same) > 1:
            yield f"{rollout.id} passed phase {key[0]} of attempt {key[1]} {len(same)} times"


# --- records ---------------------------------------------------------------------------------


def every_transition_is_in_the_ledger(before: Moment, after: Moment) -> Iterator[str]:
    """I08: no state changes without an entry that says so, and the chain of entries holds."""
    if after.ledger is None:
        return
    for rollout_id, now in after.rollouts.items():
        was = before.rollouts.get(rollout_id)
        if was is not None and was.state is now.state:
            continue
        entries = [entry for entry in after.ledger if entry.rollout_id == rollout_id]
        if not any(entry.state_after == now.state.value and entry.because for entry in entries):
            yield f"{rollout_id} became {now.state.value} without an entry"
        if was is not None and not any(e.state_before == was.state.value for e in entries):
            yield f"{rollout_id} was {was.state.value}, which no entry says"
    broken = verify_chain(after.ledger, after=after.ledger_head)
    if broken is not None:
        yield f"the ledger's chain is broken at entry {broken}"


def the_ledger_tells_when(before: Moment, after: Moment) -> Iterator[str]:
    """I08: what a person said is in the ledger under the time at which it was recorded."""
    for entry in after.ledger or ():
        if entry.kind == "command" and not before.at <= entry.at <= after.at:
            yield f"entry {entry.number} ({entry.rule}) says {entry.at}, after {before.at}"


def what_is_over_stays_over(before: Moment, after: Moment) -> Iterator[str]:
    """I09: nothing leaves a final state."""
    if before.rollouts is after.rollouts:
        return
    for rollout_id, was in before.rollouts.items():
        now = after.rollouts[rollout_id]
        if was.state in FINAL and now.state is not was.state:
            yield f"{rollout_id} was {was.state.value} and is {now.state.value}"


def the_way_back_is_tried_first(before: Moment, after: Moment) -> Iterator[str]:
    """I10: no user is exposed before the way back was tried, forward and back, and seen to work."""
    for placement, active in _rises(before, after):
        if active is None or active.is_return or after.targets[placement].exposure.weight_bps == 0:
            continue
        if active.rehearsal is not Rehearsal.PROVEN:
            yield f"{placement} is exposed and the way back is {active.rehearsal.value}"
    if before.rollouts is after.rollouts:
        return
    for rollout_id, now in after.rollouts.items():
        was = before.rollouts.get(rollout_id)
        if was is None or was.rehearsal is now.rehearsal or now.is_return:
            continue
        step = (was.rehearsal, now.rehearsal)
        made = _decision_for(after, now)
        if step == (Rehearsal.NOT_TRIED, Rehearsal.PROVEN) and now.is_install:
            continue
        if step in ((Rehearsal.FORWARD, Rehearsal.BACK), (Rehearsal.BACK, Rehearsal.PROVEN)):
            wanted = INTERNAL if now.rehearsal is Rehearsal.BACK else NO_EXPOSURE
            if made is None or not all(
                here.settled and here.exposure == wanted for here in made[0].placements
            ):
                yield f"{rollout_id} took its way back for {now.rehearsal.value} unseen"
        elif now.rehearsal not in (Rehearsal.NOT_TRIED, Rehearsal.FORWARD):
            yield f"{rollout_id} went from {step[0].value} to {step[1].value}"


def good_is_what_outlived_its_quarantine(before: Moment, after: Moment) -> Iterator[str]:
    """I11: last known good is what completed its plan at a placement and was left there long enough."""
    for good in after.good:
        rollout = after.rollouts[good.rollout_id]
        if rollout.state is not State.COMPLETED or rollout.finished_at is None:
            yield f"{good.version.name} of {rollout.id}, {rollout.state.value}, is called good"
        elif after.at - rollout.finished_at < rollout.plan.quarantine:
            yield f"{good.version.name} is called good {after.at - rollout.finished_at} after its end"
        elif good.version != rollout.change.version_of(good.placement.component):
            yield f"{good.version.name} is called good, which {rollout.id} didn't roll out"


def a_bake_takes_its_time(before: Moment, after: Moment) -> Iterator[str]:
    """I14: a phase passes after its bake by the clock on the wall and by the time it was watched."""
    for rollout, passed in _new_passes(before, after):
        phase = rollout.plan.phases[passed.phase_index]
        made = _decision_for(after, rollout)
        if made is None or (isinstance(made[1], Complete) and _was_finished(made[0])):
            continue
        began, counted = made[0].rollout.phase_since, made[0].evidence.baked_for
        if passed.at - began < phase.bake:
            yield f"{phase.name} of {rollout.id} baked {passed.at - began} of {phase.bake}"
        if counted < phase.bake:
            yield f"{phase.name} of {rollout.id} counted {counted} of {phase.bake}"
        at_most = before.baked_at_most.get(rollout.id)
        if at_most is not None and counted > at_most:
            yield f"{phase.name} of {rollout.id} counted {counted}, watched was {at_most} at most"


def an_alarm_stops(_: Moment, after: Moment) -> Iterator[str]:
    """A page or a report where the candidate is met stops it, and nothing goes on while it is red."""
    for seen, decision in after.decided:
        yield from stops.in_spite_of_an_alarm(seen, decision)


def proven_harm_stops(_: Moment, after: Moment) -> Iterator[str]:
    """Whose candidate is proven to harm is stopped in whatever state it is met."""
    for seen, decision in after.decided:
        yield from stops.in_spite_of_harm(seen, decision)


def suspicion_lingers(_: Moment, after: Moment) -> Iterator[str]:
    """A hold that has seen likely harm ends at half of that evidence, whatever came in between."""
    for seen, decision in after.decided:
        yield from stops.in_spite_of_suspicion(seen, decision)


def trouble_of_both_holds(_: Moment, after: Moment) -> Iterator[str]:
    """What the baseline suffers from as well proves nothing: nothing goes on until it is over."""
    for seen, decision in after.decided:
        yield from stops.in_spite_of_trouble(seen, decision)


INVARIANTS: Final[Mapping[str, Invariant]] = {
    invariant.__name__: invariant
    for invariant in (
        a_rise_rests_on_a_pass,
        a_pass_rests_on_proof,
        exposure_stays_within_the_phase,
        a_bake_begins_when_all_serve,
        a_stop_is_monotone,
        a_stop_reaches_everyone,
        nobody_meets_what_is_over,
        one_active_rollout_per_target,
        generations_only_grow,
        nothing_passes_twice,
        every_transition_is_in_the_ledger,
        the_ledger_tells_when,
        what_is_over_stays_over,
        the_way_back_is_tried_first,
        good_is_what_outlived_its_quarantine,
        a_bake_takes_its_time,
        an_alarm_stops,
        proven_harm_stops,
        suspicion_lingers,
        trouble_of_both_holds,
    )
}


def _was_finished(seen: Observation) -> bool:
    """Return whether completing had begun: a target made our candidate, at our generation, its baseline."""
    return any(
        here.candidate is None
        and here.serving == seen.rollout.change.version_of(here.placement.component)
        and here.generation == seen.rollout.generation_on(here.placement.target)
        for here in seen.placements
    )


def _rises(before: Moment, after: Moment) -> Iterator[tuple[Placement, Rollout | None]]:
    if before.targets is after.targets:
        return
    for placement, there in after.targets.items():
        was = before.targets[placement]
        if there is not was and there.exposure.exceeds(was.exposure):
            yield placement, _active_on(after, placement)


def _active_on(moment: Moment, placement: Placement) -> Rollout | None:
    """Return the rollout that may move *placement*: of those that aren't over the one that has begun."""
    found = [
        rollout
        for rollout in moment.rollouts.values()
        if rollout.state not in FINAL and placement in rollout.plan.placements()
    ]
    found.sort(key=lambda rollout: rollout.state is State.PLANNED)
    return found[0] if found else None


def _new_passes(before: Moment, after: Moment) -> Iterator[tuple[Rollout, PhasePass]]:
    if before.rollouts is after.rollouts:
        return
    for rollout_id, now in after.rollouts.items():
        was = before.rollouts.get(rollout_id)
        if was is not None and len(now.passes) > len(was.passes):
            for passed in now.passes[len(was.passes) :]:
                yield now, passed


def _decision_for(moment: Moment, rollout: Rollout) -> tuple[Observation, Decision] | None:
    return next((made for made in moment.decided if made[0].rollout.id == rollout.id), None)
