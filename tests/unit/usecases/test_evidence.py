"""From ticks to evidence: what counts, what doesn't, and that it comes out the same every time."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from tidegate.domain.health.evidence import NO_EVIDENCE
from tidegate.domain.health.readings import ArmTick, Quality
from tidegate.domain.plan.model import ExerciseSpec, SignalKind, Tolerance, ToleranceUnit
from tidegate.errors import StoreError
from tidegate.testing.builders import START, a_phase, a_plan, a_signal
from tidegate.usecases.evidence import (
    ExerciseInput,
    SignalInput,
    TickRecord,
    absorb,
    replay,
    ruled_out,
    summarise,
)
from tidegate.usecases.evidence_records import from_lists, to_lists
from tidegate.usecases.sequential import Stratum

TICK = timedelta(seconds=10)
USAGE = a_signal(
    "usage",
    kind=SignalKind.USAGE,
    tolerance=Tolerance(value=0.2, unit=ToleranceUnit.RELATIVE),
)
LATENCY = a_signal(
    "latency",
    kind=SignalKind.LATENCY,
    gate=False,
    tolerance=Tolerance(value=0.2, unit=ToleranceUnit.RELATIVE),
)
BOUNDS = (10.0, 100.0)


def a_stratum(
    *, weight_bps=500, candidate=100, candidate_bad=0, baseline=1_900, baseline_bad=2, target="eu"
):
    return Stratum(
        placement=f"shop/code@{target}",
        weight_bps=weight_bps,
        candidate=ArmTick(total=candidate, bad=candidate_bad),
        baseline=ArmTick(total=baseline, bad=baseline_bad),
    )


def a_histogram(*, weight_bps=500, candidate=(80, 18, 2), baseline=(1_600, 280, 20)):
    return Stratum(
        placement="shop/code@eu",
        weight_bps=weight_bps,
        candidate=ArmTick(total=sum(candidate), buckets=candidate),
        baseline=ArmTick(total=sum(baseline), buckets=baseline),
        bounds=BOUNDS,
    )


def an_input(*strata, signal="errors", quality=Quality.GOOD, note=""):
    return SignalInput(signal=signal, strata=strata, quality=quality, note=note)


def a_tick(number, *inputs, phase_index=0, counting=True, began=START, exercises=(), at=None):
    """Return the *number*th tick after START, with good data unless *inputs* are given."""
    return TickRecord(
        at=START + TICK * number if at is None else at,
        phase_index=phase_index,
        phase_began_at=began,
        counting=counting,
        inputs=inputs or (an_input(a_stratum()),),
        exercises=exercises,
    )


def fold(plan, ticks, state=None):
    """Return the state after *ticks*, one by one."""
    for tick in ticks:
        state = absorb([(plan, state, tick)])[0]
    return state


# --- the clock of the bake -------------------------------------------------------------------


def test_good_ticks_are_baked_time():
    """Each tick counts from the one before, the first from when the phase began."""
    state = fold(a_plan(), [a_tick(number) for number in (1, 2, 3)])

    assert state.baked_for == TICK * 3
    assert state.ticks == 3


def test_pauses_do_not_count():
    """While the rollout is held or waits the bake's clock stands, and goes on after that."""
    ticks = [a_tick(1), a_tick(2, counting=False), a_tick(3, counting=False), a_tick(4)]

    state = fold(a_plan(), ticks)

    assert state.baked_for == TICK * 2


@pytest.mark.parametrize("quality", [quality for quality in Quality if quality is not Quality.GOOD])
def test_time_without_good_data_does_not_count(quality):
    """Nothing is baked that wasn't seen."""
    bad = a_tick(2, an_input(quality=quality, note="why"))

    state = fold(a_plan(), [a_tick(1), bad, a_tick(3)])

    assert state.baked_for == TICK * 2


def test_one_bad_signal_stops_the_clock():
    """The bake is of all signals together."""
    plan = replace(a_plan(), phases=(a_phase(signals=(a_signal(), USAGE)),))
    ticks = [
        a_tick(1, an_input(a_stratum()), an_input(a_stratum(), signal="usage")),
        a_tick(2, an_input(a_stratum())),
    ]

    state = fold(plan, ticks)

    assert state.baked_for == TICK
    assert [signal.quality for signal in state.signals] == [Quality.GOOD, Quality.MISSING]


def test_a_gap_in_the_watch_counts_as_no_more_than_may_be_stale():
    """A server that was away for an hour hasn't baked for an hour."""
    plan = a_plan()

    state = fold(plan, [a_tick(1), a_tick(2, at=START + timedelta(hours=1))])

    assert state.baked_for == TICK + plan.stale_after


def test_a_clock_that_jumps_forward_bakes_nothing_by_it():
    """However often the clock jumps, each jump is worth at most one stale time."""
    plan = a_plan()
    ticks = [a_tick(0, at=START + timedelta(days=number)) for number in range(1, 6)]

    state = fold(plan, ticks)

    assert state.baked_for <= plan.stale_after * 5


# --- late, double, other phases --------------------------------------------------------------


def test_a_tick_that_comes_twice_counts_once():
    """Two watchers of one rollout do no harm."""
    plan = a_plan()
    state = fold(plan, [a_tick(1), a_tick(2)])

    assert fold(plan, [a_tick(2)], state) == state


def test_a_tick_that_comes_late_changes_nothing():
    """Time isn't rewritten."""
    plan = a_plan()
    state = fold(plan, [a_tick(1), a_tick(3)])

    assert fold(plan, [a_tick(2)], state) == state


def test_a_new_phase_begins_its_proof_anew_and_keeps_its_suspicion():
    """Safety is proven by the phase's own data; harm is remembered for the whole attempt."""
    plan = a_plan()
    bad = an_input(a_stratum(candidate_bad=12))
    state = fold(plan, [a_tick(1, bad), a_tick(2)])
    harm_before = summarise(plan, state, attempt=1).log_e_harm
    later = START + TICK * 2

    state = fold(plan, [a_tick(3, an_input(), phase_index=1, began=later)], state)

    evidence = summarise(plan, state, attempt=1)
    assert evidence.phase_index == 1
    assert evidence.signals[0].candidate_total == 0
    assert evidence.signals[0].log_e_safe == pytest.approx(0.0, abs=1e-9)
    assert evidence.log_e_harm == pytest.approx(harm_before, abs=0.5)
    assert evidence.log_e_harm > 1.0
    assert evidence.ticks == 3
    assert evidence.baked_for == TICK


def test_a_phase_that_is_baked_a_second_time_begins_anew():
    """The same phase later is another bake."""
    plan = a_plan()
    later = START + TICK * 5
    state = fold(plan, [a_tick(number) for number in range(1, 4)])

    state = fold(plan, [a_tick(6, began=later)], state)

    assert state.baked_for == TICK
    assert state.signals[0].candidate_total == 100


# --- what makes data unusable ----------------------------------------------------------------


def test_a_candidate_that_gets_nothing_is_silent():
    """No errors because of no requests is not health."""
    nothing = an_input(a_stratum(candidate=0))

    state = fold(a_plan(), [a_tick(1, nothing)])

    assert state.signals[0].quality is Quality.SILENT
    assert "95 requests were due" in state.signals[0].note


def test_a_candidate_that_speaks_again_is_good_again():
    """Silence ends with the first request."""
    nothing = an_input(a_stratum(candidate=0))

    state = fold(a_plan(), [a_tick(1, nothing), a_tick(2)])

    assert state.signals[0].quality is Quality.GOOD


def test_a_quiet_service_is_not_silent():
    """Where few requests are due, none may come by chance."""
    quiet = an_input(a_stratum(candidate=0, baseline=90, baseline_bad=0))

    state = fold(a_plan(), [a_tick(1, quiet)])

    assert state.signals[0].quality is Quality.GOOD


@pytest.mark.parametrize(("candidate", "quality"), [(300, Quality.WRONG_SPLIT), (60, Quality.GOOD)])
def test_a_split_that_is_off_by_more_than_twice_is_wrong(candidate, quality):
    """The candidate's share of requests is what was asked for, or the data isn't used."""
    strata = an_input(a_stratum(candidate=candidate, baseline=2_000 - candidate))

    state = fold(a_plan(), [a_tick(1, strata)])

    assert state.signals[0].quality is quality


def test_too_small_a_share_is_a_wrong_split():
    """Half of what was asked for or less is as wrong as too much."""
    strata = an_input(a_stratum(candidate=40, baseline=1_960))

    state = fold(a_plan(), [a_tick(1, strata), a_tick(2, strata)])

    assert state.signals[0].quality is Quality.WRONG_SPLIT


def test_the_whole_audience_has_no_wrong_split():
    """Where everyone is exposed nothing is due to anyone else."""
    plan = replace(a_plan(), phases=(a_phase(weight_bps=10_000),))
    everyone = an_input(a_stratum(weight_bps=10_000, candidate=2_000, baseline=0))

    state = fold(plan, [a_tick(1, everyone)])

    assert state.signals[0].quality is Quality.GOOD
    assert not summarise(plan, state, attempt=1).signals[0].concurrent


def test_quality_says_since_when():
    """Whoever waits for data sees how long it has been away."""
    missing = an_input(quality=Quality.MISSING, note="gone")

    state = fold(a_plan(), [a_tick(1), a_tick(2, missing), a_tick(3, missing)])

    assert state.signals[0].quality_since == START + TICK * 2


# --- what evidence says ----------------------------------------------------------------------


def test_errors_of_the_candidate_become_harm():
    """Ten times the baseline's errors are proven within a minute."""
    bad = an_input(a_stratum(candidate_bad=20))

    state = fold(a_plan(), [a_tick(number, bad) for number in range(1, 7)])

    assert summarise(a_plan(), state, attempt=1).log_e_harm > 6.0


def test_equal_arms_become_proof():
    """No more errors than the baseline is proven safe, and never suspicious."""
    state = fold(a_plan(), [a_tick(number) for number in range(1, 7)])

    evidence = summarise(a_plan(), state, attempt=1)

    assert evidence.signals[0].log_e_safe > 3.0
    assert evidence.log_e_harm < 0.1


def test_a_loss_of_usage_becomes_harm():
    """Users who don't come back are harm although nothing fails."""
    plan = replace(a_plan(), phases=(a_phase(signals=(USAGE,)),))
    lost = an_input(a_stratum(candidate=20), signal="usage")

    state = fold(plan, [a_tick(number, lost) for number in range(1, 7)])

    assert summarise(plan, state, attempt=1).log_e_harm > 6.0


def test_a_slower_candidate_becomes_harm_once_the_edge_is_known():
    """The latency that counts as slow is learned from the baseline before it is used."""
    plan = replace(a_plan(), phases=(a_phase(signals=(LATENCY,)),))
    slow = an_input(a_histogram(candidate=(10, 30, 60)), signal="latency")

    first = fold(plan, [a_tick(1, slow)])
    state = fold(plan, [a_tick(number, slow) for number in range(2, 12)], first)

    assert summarise(plan, first, attempt=1).log_e_harm == pytest.approx(0.0)
    assert summarise(plan, state, attempt=1).log_e_harm > 6.0


def test_an_edge_beyond_the_last_bound_is_never_learned():
    """A histogram that can't tell slow from very slow proves nothing, and breaks nothing."""
    plan = replace(a_plan(), phases=(a_phase(signals=(LATENCY,)),))
    all_slow = an_input(
        a_histogram(candidate=(0, 0, 100), baseline=(0, 0, 1_900)), signal="latency"
    )

    state = fold(plan, [a_tick(number, all_slow) for number in range(1, 5)])

    assert state.signals[0].tests.edge is None


def test_exercises_are_counted_and_unknown_ones_ignored():
    """The count of a path's use is that of the phase."""
    exercise = ExerciseSpec(name="checkout", minimum_count=5, source="envoy")
    plan = replace(a_plan(), phases=(a_phase(exercises=(exercise,)),))
    used = (ExerciseInput(name="checkout", count=2), ExerciseInput(name="other", count=9))

    state = fold(plan, [a_tick(number, exercises=used) for number in (1, 2)])

    (found,) = summarise(plan, state, attempt=1).exercises
    assert (found.name, found.count, found.minimum_count) == ("checkout", 4, 5)


def test_a_phase_without_users_has_no_signals():
    """Internal traffic is compared with nothing."""
    plan = replace(a_plan(), phases=(a_phase(weight_bps=0),))

    state = fold(plan, [a_tick(1, an_input())])

    assert state.signals == ()
    assert summarise(plan, state, attempt=1).log_e_harm == 0.0
    assert state.baked_for == TICK


def test_what_is_ruled_out_shrinks_with_data():
    """People see the harm that can still be there grow smaller."""
    plan = a_plan()
    early = ruled_out(fold(plan, [a_tick(1)]))["errors"]
    late = ruled_out(fold(plan, [a_tick(number) for number in range(1, 30)]))["errors"]

    assert late is not None
    assert early is None or late < early


def test_weights_of_the_signals_add_up_to_one():
    """The halting budget is shared, never exceeded."""
    plan = replace(a_plan(), phases=(a_phase(signals=(a_signal(), USAGE, LATENCY)),))
    inputs = [
        an_input(a_stratum()),
        an_input(a_stratum(), signal="usage"),
        an_input(a_histogram(), signal="latency"),
    ]

    evidence = summarise(plan, fold(plan, [a_tick(1, *inputs)]), attempt=1)

    assert [signal.weight for signal in evidence.signals] == [0.25, 0.25, 0.5]


# --- the same again --------------------------------------------------------------------------


def mixed_ticks():
    later = START + TICK * 8
    return [
        a_tick(1, an_input(a_stratum())),
        a_tick(2, an_input(a_stratum(candidate_bad=3))),
        a_tick(3, an_input(quality=Quality.STALE, note="old")),
        a_tick(4, an_input(a_stratum(candidate=0)), counting=False),
        a_tick(9, an_input(a_stratum(weight_bps=2_500, candidate=500)), phase_index=1, began=later),
        a_tick(
            400, an_input(a_stratum(weight_bps=2_500, candidate=500)), phase_index=1, began=later
        ),
    ]


def test_a_replay_from_nothing_equals_the_fold_that_ran():
    """Evidence can be made again to the last bit."""
    plan = a_plan()

    state = replay(plan, mixed_ticks())

    assert to_lists(state) == to_lists(fold(plan, mixed_ticks()))


def test_no_ticks_replay_to_nothing():
    """Nothing was seen."""
    assert replay(a_plan(), []) is None
    assert NO_EVIDENCE.ticks == 0


def test_a_stored_state_goes_on_as_if_it_had_never_been_stored():
    """A restart of the server changes no number."""
    plan = a_plan()
    ticks = mixed_ticks()
    for cut in range(1, len(ticks)):
        stored = json.dumps(to_lists(fold(plan, ticks[:cut])))
        restored = from_lists(plan, json.loads(stored))

        assert to_lists(fold(plan, ticks[cut:], restored)) == to_lists(fold(plan, ticks))


def test_every_kind_of_signal_survives_being_stored():
    """Errors by rate and by ratio, usage and latency, before and after the edge is known."""
    relative = a_signal("relative", tolerance=Tolerance(value=0.5, unit=ToleranceUnit.RELATIVE))
    plan = replace(a_plan(), phases=(a_phase(signals=(a_signal(), relative, USAGE, LATENCY)),))
    inputs = [
        an_input(a_stratum()),
        an_input(a_stratum(), signal="relative"),
        an_input(a_stratum(), signal="usage"),
        an_input(a_histogram(), signal="latency"),
    ]
    for count in (1, 2, 5):
        state = fold(plan, [a_tick(number, *inputs) for number in range(1, count + 1)])
        lists = json.loads(json.dumps(to_lists(state)))

        assert to_lists(from_lists(plan, lists)) == to_lists(state)
        assert summarise(plan, from_lists(plan, lists), attempt=1) == summarise(
            plan, state, attempt=1
        )


@pytest.mark.parametrize(
    "break_it",
    [
        lambda lists: lists.pop("ticks"),
        lambda lists: lists.update(phase_index=9),
        lambda lists: lists["signals"][0].update(signal="unknown"),
        lambda lists: lists["signals"][0].update(quality="fine"),
        lambda lists: lists["signals"][0]["tests"]["harm"].update(test="another.test"),
        lambda lists: lists.update(last_at="yesterday"),
    ],
)
def test_a_stored_state_that_does_not_fit_is_refused(break_it):
    """Evidence is read exactly or not at all."""
    plan = a_plan()
    lists = json.loads(json.dumps(to_lists(fold(plan, [a_tick(1)]))))
    break_it(lists)

    with pytest.raises(StoreError, match="can't be read"):
        from_lists(plan, lists)
