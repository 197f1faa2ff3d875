"""
The simulation is worth what it catches: each promise, broken in the real code, must be noticed.

A mutation is one plausible mistake in the code that is shipped. The worlds are lived through with it,
seed by seed, until an invariant says so; a mutation that none notices fails its test.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from tidegate.domain.health import evidence as health
from tidegate.domain.health.evidence import Judgement, Verdict
from tidegate.domain.plan.model import Effect
from tidegate.domain.rollout import decide as rules
from tidegate.domain.rollout import decide_ending as ending
from tidegate.domain.rollout import decide_stops as stops
from tidegate.domain.rollout import judged as verdicts
from tidegate.domain.rollout import obstacles
from tidegate.domain.rollout import seen as facts
from tidegate.domain.rollout.machine import TRANSITIONS, Event, State
from tidegate.domain.rollout.model import PhasePass, ReasonCode, Rehearsal
from tidegate.drivers.component import fencing
from tidegate.drivers.component import memory as targets
from tidegate.store import memory as store
from tidegate.testing.simulation.invariants import (
    INVARIANTS,
    BrokenInvariantError,
    NeverEndsError,
)
from tidegate.testing.simulation.pure import run_pure_world
from tidegate.testing.simulation.worlds import run_world
from tidegate.usecases import commands, evidence, halt, roll_back, step, step_back, step_scene
from tidegate.usecases import withdraw as withdrawing

Patch = pytest.MonkeyPatch

PURE_SEEDS = 4_000
WORLD_SEEDS = 600
"""So many worlds a mutation may survive at most; nearly all are noticed by one of the first ten."""


@dataclass(frozen=True, kw_only=True)
class Mutation:
    """One mistake, the kind of world it is looked for in, and the promises of which one must speak."""

    name: str
    make: Callable[[Patch], None]
    run: Callable[[int], object]
    noticed_by: tuple[str, ...]


MUTATIONS: list[Mutation] = []


def mutation(run, *noticed_by):
    def keep(make):
        MUTATIONS.append(Mutation(name=make.__name__, make=make, run=run, noticed_by=noticed_by))
        return make

    return keep


def _latest_pass(rollout):
    return rollout.passes[-1] if rollout.passes else None


def judging(patch: Patch, verdict: Verdict) -> None:
    """Take *verdict* for a pass."""
    judge = verdicts.judge

    def lenient(*args, **options):
        judgement = judge(*args, **options)
        if judgement.verdict is verdict:
            return Judgement(verdict=Verdict.PASS, reasons=judgement.reasons)
        return judgement

    patch.setattr(verdicts, "judge", lenient)


# --- the policy ------------------------------------------------------------------------------


@mutation(run_pure_world, "a_pass_rests_on_proof")
def unusable_data_passes(patch):
    judging(patch, Verdict.UNUSABLE)


@mutation(run_pure_world, "a_pass_rests_on_proof")
def too_few_data_pass(patch):
    judging(patch, Verdict.INSUFFICIENT)


@mutation(run_pure_world, "a_pass_rests_on_proof")
def suspected_harm_passes(patch):
    judging(patch, Verdict.SUSPECT)


@mutation(run_pure_world, "a_pass_rests_on_proof")
def proven_harm_passes(patch):
    judging(patch, Verdict.FAIL)


@mutation(run_pure_world, "a_pass_rests_on_proof")
def old_evidence_passes(patch):
    patch.setattr(rules, "watch_silence", lambda seen: None)


@mutation(run_pure_world, "a_pass_rests_on_proof")
def evidence_of_any_bake_passes(patch):
    for module in (rules, verdicts):
        patch.setattr(module, "evidence_in_force", lambda seen: seen.evidence)
    # The policy would hold here: what an earlier bake has shown is old by then.
    patch.setattr(rules, "watch_silence", lambda seen: None)


@mutation(run_pure_world, "a_rise_rests_on_a_pass")
def nobody_has_to_agree(patch):
    agreed = tuple(range(9))
    patch.setattr(obstacles, "counting_approvals", lambda seen: agreed)


@mutation(run_pure_world, "a_rise_rests_on_a_pass")
def an_approval_outlives_a_halt(patch):
    def any_attempt(rollout, index):
        found = {a.by: a for a in rollout.approvals if a.phase_index == index}
        return tuple(found.values())

    patch.setattr(obstacles, "valid_approvals", any_attempt)


@mutation(run_pure_world, "a_bake_takes_its_time")
def a_bake_takes_no_time(patch):
    decide = rules.decide

    def hasty(seen):
        decision = decide(seen)
        if decision.rule != "bake-time":
            return decision
        phases = tuple(replace(phase, bake=timedelta(0)) for phase in seen.rollout.plan.phases)
        plan = replace(seen.rollout.plan, phases=phases)
        return decide(replace(seen, rollout=replace(seen.rollout, plan=plan)))

    patch.setattr(rules, "decide", hasty)


@mutation(run_pure_world, "the_way_back_is_tried_first")
def the_way_back_is_not_tried(patch):
    proven = rules.Rehearse(rule="rehearse-way-back", because="surely", to=Rehearsal.PROVEN)
    patch.setattr(rules, "_decide_rehearsal", lambda seen: proven)


@mutation(run_pure_world, "a_bake_begins_when_all_serve")
def accepted_is_taken_for_applied(patch):
    patch.setattr(rules, "first_unsettled", lambda seen: None)


@mutation(run_pure_world, "nobody_meets_what_is_over", "a_stop_reaches_everyone")
def a_stop_is_not_verified(patch):
    patch.setattr(ending, "not_withdrawn", lambda seen: None)


@mutation(run_pure_world, "nobody_meets_what_is_over")
def what_was_seen_before_a_stop_counts_after_it(patch):
    patch.setattr(ending, "not_withdrawn", lambda seen: rules.first_exposed(seen))


@mutation(run_pure_world, "what_is_over_stays_over")
def a_completed_rollout_can_be_halted(patch):
    patch.setitem(TRANSITIONS, State.COMPLETED, {Event.HALTED_BY_PERSON: State.HALTED})


@mutation(run_pure_world, "NeverEndsError")
def completing_is_not_taken_up_again(patch):
    patch.setattr(rules, "first_finished", lambda seen: None)
    patch.setattr(facts, "became_baseline", lambda rollout, here: False)


@mutation(run_pure_world, "an_alarm_stops")
def pages_do_not_stop(patch):
    patch.setattr(stops, "_halt_for_alarm", lambda seen: None)


@mutation(run_pure_world, "an_alarm_stops")
def a_page_is_looked_at_only_while_baking(patch):
    halt_for_alarm = stops._halt_for_alarm

    def late(seen):
        return halt_for_alarm(seen) if seen.rollout.state is State.BAKING else None

    patch.setattr(stops, "_halt_for_alarm", late)


@mutation(run_pure_world, "an_alarm_stops")
def tickets_do_not_hold(patch):
    patch.setattr(rules, "alarmed_in_words", lambda seen: "")


@mutation(run_pure_world, "an_alarm_stops")
def an_alarm_at_a_target_to_come_is_ignored(patch):
    effect_of = facts.alarm_effect

    def nearsighted(rollout, alarm):
        effect = effect_of(rollout, alarm)
        here = {place.target for place in rollout.plan.exposure_within(rollout.phase_index)}
        return effect if alarm.target in {None, *here} else Effect.IGNORE

    patch.setattr(facts, "alarm_effect", nearsighted)


@mutation(run_pure_world, "suspicion_lingers")
def a_suspicion_ends_where_it_began(patch):
    patch.setattr(verdicts, "is_suspected", lambda rollout: False)


@mutation(run_pure_world, "suspicion_lingers")
def a_gap_in_the_data_clears_a_suspicion(patch):
    def forgetful(rollout):
        return rollout.waiting_on.reason is ReasonCode.SUSPECTED_HARM

    patch.setattr(verdicts, "is_suspected", forgetful)


@mutation(run_pure_world, "proven_harm_stops")
def nobody_looks_while_a_later_phase_is_applied(patch):
    in_force = facts.phase_in_force

    def blind(rollout):
        return None if rollout.state is State.APPLYING else in_force(rollout)

    patch.setattr(stops, "phase_in_force", blind)


@mutation(run_pure_world, "trouble_of_both_holds")
def what_both_arms_suffer_from_is_ignored(patch):
    patch.setattr(rules, "troubled_in_words", lambda seen: "")


@mutation(run_pure_world, "a_pass_rests_on_proof")
def coverage_is_not_asked_for(patch):
    patch.setattr(health, "missing_reasons", lambda evidence, spec: ())


# --- the shell -------------------------------------------------------------------------------


@mutation(run_world, "a_rise_rests_on_a_pass")
def the_last_phase_comes_next(patch):
    advance = step.advance

    def leap(scene, decision):
        count = len(scene.rollout.plan.phases)
        after = advance(scene, decision)
        with scene.outside.store.begin() as transaction:
            return transaction.save_rollout(replace(after, phase_index=count - 1))

    patch.setattr(step, "advance", leap)
    # The policy would hold here: it looks for the pass of the phase before, and finds none.
    patch.setattr(rules, "pass_of_phase_before", _latest_pass)


@mutation(run_world, "a_stop_reaches_everyone")
def harm_is_recorded_and_not_withdrawn(patch):
    async def nothing(outside, rollout, placements, *, above=0):
        return {}, ()

    patch.setattr(step_back, "withdraw", nothing)


@mutation(run_world, "a_stop_reaches_everyone", "a_rise_rests_on_a_pass")
def a_person_halts_and_nothing_is_withdrawn(patch):
    async def nothing(outside, rollout, placements, *, above=0):
        with outside.store.begin() as transaction:
            return withdrawing.issue(transaction, rollout, placements), ()

    patch.setattr(halt, "withdraw", nothing)
    patch.setattr(roll_back, "withdraw", nothing)


@mutation(
    run_world,
    "generations_only_grow",
    "exposure_stays_within_the_phase",
    "a_stop_is_monotone",
    "nobody_meets_what_is_over",
    "a_rise_rests_on_a_pass",
)
def late_messages_are_obeyed(patch):
    patch.setattr(fencing, "refuse_late", lambda generation, served: None)


@mutation(
    run_world,
    "exposure_stays_within_the_phase",
    "a_stop_is_monotone",
    "generations_only_grow",
    "NeverEndsError",
)
def a_withdrawal_does_not_latch(patch):
    def open_again(served, generation):
        withdrawn = fencing.after_withdrawal(served, generation)
        return replace(withdrawn, stopped_at_generation=None, generation=served.generation)

    patch.setattr(targets, "after_withdrawal", open_again)


@mutation(run_world, "a_bake_takes_its_time")
def pauses_count_as_bake(patch):
    conclude = evidence._conclude

    def count_all(plan, state, tick, tests, **how):
        return conclude(plan, state, replace(tick, counting=True), tests, **how)

    patch.setattr(evidence, "_conclude", count_all)


@mutation(run_world, "good_is_what_outlived_its_quarantine")
def what_completed_is_good_at_once(patch):
    settle = ending.Settle(rule="quarantine", because="surely")
    completed = rules.decide_completed

    def hasty(seen):
        return completed(seen) if seen.rollout.settled else settle

    patch.setattr(rules, "decide_completed", hasty)


@mutation(run_world, "every_transition_is_in_the_ledger")
def decisions_are_not_recorded(patch):
    patch.setattr(
        step_scene,
        "record_decision",
        lambda transaction, seen, made, after: transaction.save_rollout(after),
    )


@mutation(run_world, "the_ledger_tells_when")
def what_a_person_said_is_told_of_the_start(patch):
    record = commands.record_command

    def at_the_start(transaction, before, after, **told):
        return record(transaction, before, after, **told | {"at": after.created_at})

    patch.setattr(commands, "record_command", at_the_start)


@mutation(run_world, "every_transition_is_in_the_ledger")
def the_ledger_forgets_what_came_before(patch):
    chained = store.chained
    patch.setattr(
        store, "chained", lambda entry, *, after: chained(entry, after=(after[0], "0" * 64))
    )


@mutation(run_world, "one_active_rollout_per_target")
def targets_are_not_claimed(patch):
    def nobody(self, service, targets):
        self._kept.claims.clear()
        return []

    patch.setattr(store.MemoryTransaction, "holders", nobody)


@mutation(
    run_world,
    "nothing_passes_twice",
    "every_transition_is_in_the_ledger",
    "what_is_over_stays_over",
    "a_rise_rests_on_a_pass",
    "the_way_back_is_tried_first",
    "exposure_stays_within_the_phase",
    "a_stop_is_monotone",
)
def the_last_writer_wins(patch):
    save = store.MemoryTransaction.save_rollout

    def anyway(self, rollout):
        return save(self, replace(rollout, revision=self.rollout(rollout.id).revision))

    patch.setattr(store.MemoryTransaction, "save_rollout", anyway)


@mutation(run_world, "generations_only_grow", "NeverEndsError")
def generations_repeat(patch):
    issue = store.MemoryTransaction.issue_generation

    def again(self, service, target, *, above=0):
        latest = self._kept.generations.get((service, target), 0)
        return latest if latest > 1 else issue(self, service, target, above=above)

    patch.setattr(store.MemoryTransaction, "issue_generation", again)


@mutation(
    run_world, "exposure_stays_within_the_phase", "a_stop_is_monotone", "nobody_meets_what_is_over"
)
def a_halt_is_recorded_below_a_rise(patch):
    patch.setattr(halt, "stopped_below", withdrawing.with_generations)
    patch.setattr(roll_back, "stopped_below", withdrawing.with_generations)


@mutation(run_world, "nothing_passes_twice")
def a_phase_is_passed_by_whoever_steps(patch):
    advance = step.advance

    def twice(scene, decision):
        passed: PhasePass = decision.passed
        rollout = scene.rollout
        if rollout.passes and rollout.passes[-1].phase_index == passed.phase_index - 1:
            rollout = replace(rollout, passes=(*rollout.passes, passed))
            scene = replace(scene, seen=replace(scene.seen, rollout=rollout))
        return advance(scene, decision)

    patch.setattr(step, "advance", twice)


def first_notice(made: Mutation) -> tuple[int, str] | None:
    """Return the first seed whose world notices *made* as it should be, and who noticed it."""
    seeds = PURE_SEEDS if made.run is run_pure_world else WORLD_SEEDS
    for seed in range(seeds):
        try:
            made.run(seed)
        except BrokenInvariantError as exc:
            by = str(exc).split(":", 1)[0]
        except NeverEndsError:
            by = "NeverEndsError"
        else:
            continue
        if by in made.noticed_by:
            return seed, by
    return None


@pytest.mark.parametrize("made", MUTATIONS, ids=lambda made: made.name)
def test_the_simulation_notices_the_mutation(made, monkeypatch):
    """A mistake of this kind in the code that is shipped doesn't survive the worlds."""
    made.make(monkeypatch)

    noticed = first_notice(made)

    assert noticed is not None, f"{made.name} was noticed by no world"
    seed, by = noticed
    print(f"{made.name}: noticed by {by} at seed {seed}")


def test_every_invariant_is_broken_by_a_mutation():
    """No invariant is decoration: each one speaks for at least one of the mutations."""
    spoken = {name for made in MUTATIONS for name in made.noticed_by}

    assert set(INVARIANTS) <= spoken
