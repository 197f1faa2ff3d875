"""What each kind of signal adds to evidence: warm-up, shadows, limits, zones, weak comparisons."""

import math
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from tests.support.ticks import (
    TICK,
    a_histogram,
    a_stratum,
    a_tick,
    an_input,
    fold,
    gauges,
    members,
)

from tidegate.domain.health.coverage import CellCount
from tidegate.domain.health.evidence import Verdict, judge
from tidegate.domain.health.readings import Quality
from tidegate.domain.plan.model import (
    CoverageSpec,
    Effect,
    Limit,
    Noise,
    SignalKind,
    Tolerance,
    ToleranceUnit,
)
from tidegate.stats import harm as harm_test
from tidegate.testing.builders import START, a_phase, a_plan, a_signal
from tidegate.usecases.evidence import absorb, ruled_out, summarise

RELATIVE = Tolerance(value=0.2, unit=ToleranceUnit.RELATIVE)
USAGE = a_signal("usage", kind=SignalKind.USAGE, tolerance=RELATIVE)
LATENCY = a_signal("latency", kind=SignalKind.LATENCY, gate=False, tolerance=RELATIVE)
SHADOW = a_signal("shadow", gate=False, shadow=True)
BAD = a_stratum(candidate_bad=20)


def a_limit(effect=Effect.HALT, **changes):
    limit = Limit(value=1.0, above=True, effect=effect)
    return a_signal("queue", kind=SignalKind.LIMIT, gate=False, limit=limit, **changes)


def a_value(value):
    return an_input(
        a_stratum(candidate=0, baseline=0, baseline_bad=0, candidate_members=gauges(value)),
        signal="queue",
    )


def with_signals(*signals, **changes):
    return replace(a_plan(), phases=(a_phase(signals=signals),), **changes)


def judged(plan, state):
    return judge(
        summarise(plan, state, attempt=1),
        phase=plan.phases[state.phase_index],
        budget=plan.budget,
        attempt=1,
        carried=(),
    )


# --- warm-up ---------------------------------------------------------------------------------


def test_a_warm_up_certifies_nothing_and_bakes_nothing():
    """What cold caches show is no proof, however good it looks."""
    plan = replace(a_plan(), warm_up=timedelta(minutes=3))

    state = fold(plan, [a_tick(number) for number in range(1, 19)])

    evidence = summarise(plan, state, attempt=1)
    assert evidence.signals[0].log_e_safe == pytest.approx(0.0, abs=1e-12)
    assert state.baked_for == timedelta(0)
    assert summarise(plan, fold(plan, [a_tick(1)]), attempt=1).warming


def test_after_the_warm_up_everything_begins_from_nothing():
    """The counts that people see are those that the proof rests on."""
    plan = replace(a_plan(), warm_up=timedelta(minutes=3))

    state = fold(plan, [a_tick(number) for number in range(1, 21)])

    evidence = summarise(plan, state, attempt=1)
    assert not evidence.warming
    assert evidence.signals[0].candidate_total == 200
    assert state.baked_for == TICK * 2


def test_only_gross_harm_counts_while_it_warms_up():
    """A cold cache that makes half as many errors again is no harm; ten times as many are."""
    cold, warm = replace(a_plan(), warm_up=timedelta(hours=1)), a_plan()
    somewhat = an_input(
        a_stratum(candidate=1_000, candidate_bad=15, baseline=1_000, baseline_bad=10)
    )
    grossly = an_input(
        a_stratum(candidate=1_000, candidate_bad=100, baseline=1_000, baseline_bad=10)
    )

    def harm(plan, given):
        state = fold(plan, [a_tick(number, given) for number in range(1, 20)])
        return summarise(plan, state, attempt=1).log_e_harm

    assert harm(warm, somewhat) > 3.0
    assert harm(cold, somewhat) < 0.0
    assert harm(cold, grossly) > 7.0


def test_nothing_passes_while_it_warms_up():
    """However much was certified before, a phase that warms up isn't over."""
    plan = replace(a_plan(), phases=(a_phase(weight_bps=10_000),), warm_up=timedelta(minutes=3))
    everyone = an_input(a_stratum(weight_bps=10_000, candidate=2_000, baseline=0, baseline_bad=0))

    state = fold(plan, [a_tick(1, everyone)])

    judgement = judge(
        summarise(plan, state, attempt=1),
        phase=plan.phases[0],
        budget=plan.budget,
        attempt=1,
        carried=("errors",),
    )
    assert judgement.verdict is Verdict.INSUFFICIENT
    assert "warming up: nothing is proven yet" in judgement.reasons


def test_latency_sits_a_warm_up_out():
    """Cold is slow, and says nothing of what is to come; the baseline isn't cold and is learned from."""
    plan = with_signals(LATENCY, warm_up=timedelta(minutes=3))
    slow = an_input(a_histogram(candidate=(0, 0, 0, 0, 0, 100)), signal="latency")

    state = fold(plan, [a_tick(number, slow) for number in range(1, 19)])

    assert summarise(plan, state, attempt=1).log_e_harm == pytest.approx(0.0, abs=1e-12)
    assert state.signals[0].tests.edge is not None


# --- shadows ---------------------------------------------------------------------------------


def test_a_shadow_says_what_it_would_have_done_and_does_nothing():
    """A new signal shows how often it would have halted before it is given a say."""
    plan = with_signals(a_signal(), SHADOW)
    ticks = [
        a_tick(number, an_input(a_stratum()), an_input(BAD, signal="shadow"))
        for number in range(1, 40)
    ]

    state = fold(plan, ticks)

    evidence = summarise(plan, state, attempt=1)
    assert evidence.signals[1].weight == 0.0
    assert evidence.signals[0].weight == 1.0
    assert evidence.signals[1].shadow_halts >= 2
    assert evidence.log_e_harm < 0.1
    assert judged(plan, state).verdict is not Verdict.FAIL


def test_a_shadow_without_data_holds_nothing():
    """Neither the clock nor the verdict waits for a signal that has no say."""
    plan = with_signals(a_signal(), SHADOW)

    state = fold(plan, [a_tick(1), a_tick(2)])

    assert state.signals[1].quality is Quality.MISSING
    assert state.baked_for == TICK * 2
    assert judged(plan, state).verdict is Verdict.INSUFFICIENT


def test_only_shadows_prove_no_harm():
    """With no signal that has a say there is nothing to halt on, and no number breaks."""
    plan = with_signals(SHADOW)

    state = fold(plan, [a_tick(1, an_input(BAD, signal="shadow"))])

    assert summarise(plan, state, attempt=1).log_e_harm == 0.0


# --- limits ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("effect", "verdict"),
    [(Effect.HALT, Verdict.FAIL), (Effect.HOLD, Verdict.SUSPECT)],
)
def test_a_broken_limit_does_what_it_says(effect, verdict):
    """A limit needs no statistics: it is broken now, or it isn't."""
    plan = with_signals(a_signal(), a_limit(effect))

    state = fold(plan, [a_tick(1, an_input(a_stratum()), a_value(2.0))])

    judgement = judged(plan, state)
    assert judgement.verdict is verdict
    assert judgement.reasons == ("limit broken: queue, 2, at most 1 is allowed",)


def test_a_limit_that_is_kept_again_is_forgotten():
    """What was too high a tick ago says nothing of now; the rollout has been held or halted by then."""
    plan = with_signals(a_signal(), a_limit())
    ticks = [
        a_tick(1, an_input(a_stratum()), a_value(2.0)),
        a_tick(2, an_input(a_stratum()), a_value(1.0)),
    ]

    state = fold(plan, ticks)

    assert judged(plan, state).verdict is Verdict.INSUFFICIENT
    assert summarise(plan, state, attempt=1).signals[1].value == 1.0


def test_an_ignored_limit_neither_holds_nor_halts():
    """It is shown, and no more, whether broken or missing."""
    plan = with_signals(a_signal(), a_limit(Effect.IGNORE))

    broken = fold(plan, [a_tick(1, an_input(a_stratum()), a_value(9.0))])
    missing = fold(plan, [a_tick(1, an_input(a_stratum()))])

    assert judged(plan, broken).verdict is Verdict.INSUFFICIENT
    assert judged(plan, missing).verdict is Verdict.INSUFFICIENT


def test_a_limit_that_was_never_measured_is_not_kept():
    """Unknown is never green."""
    plan = with_signals(a_signal(), a_limit())

    state = fold(plan, [a_tick(1, an_input(a_stratum()), an_input(signal="queue"))])

    assert judged(plan, state).verdict is Verdict.UNUSABLE


def test_a_shadow_limit_counts_each_time_it_breaks():
    """Three ticks above the limit are one halt; above it again later is another."""
    plan = with_signals(a_signal(), a_limit(shadow=True))
    values = (0.5, 2.0, 2.5, 0.5, 3.0)

    state = fold(
        plan,
        [a_tick(n, an_input(a_stratum()), a_value(v)) for n, v in enumerate(values, start=1)],
    )

    assert summarise(plan, state, attempt=1).signals[1].shadow_halts == 2
    assert judged(plan, state).verdict is Verdict.INSUFFICIENT


# --- who is named ----------------------------------------------------------------------------


def test_a_halt_names_every_signal_that_is_proven_alone():
    """The message says what was harmed, the surest first, and not what happened to be looked at."""
    other = a_signal("crashes")
    plan = with_signals(a_signal(), other, USAGE)
    ticks = [
        a_tick(
            number,
            an_input(BAD),
            an_input(a_stratum(candidate_bad=30), signal="crashes"),
            an_input(a_stratum(), signal="usage"),
        )
        for number in range(1, 10)
    ]

    judgement = judged(plan, fold(plan, ticks))

    assert judgement.verdict is Verdict.FAIL
    named = [reason for reason in judgement.reasons if reason.startswith("harm proven")]
    assert [reason.split(",")[0] for reason in named] == [
        "harm proven: crashes",
        "harm proven: errors",
    ]


# --- zones -----------------------------------------------------------------------------------


def test_zones_are_compared_within_themselves():
    """More of the candidate in a zone where everything fails more often isn't harm."""
    plan = a_plan()
    zones = an_input(
        a_stratum(candidate=900, candidate_bad=90, baseline=100, baseline_bad=10, group="bad"),
        a_stratum(candidate=100, candidate_bad=1, baseline=900, baseline_bad=9, group="good"),
        signal="errors",
    )
    mixed = an_input(a_stratum(candidate=1_000, candidate_bad=91, baseline=1_000, baseline_bad=19))

    def harm(given):
        state = fold(plan, [a_tick(number, given) for number in range(1, 20)])
        return summarise(plan, state, attempt=1).log_e_harm

    assert harm(zones) < 0.0
    assert harm(mixed) > 100.0


# --- latency ---------------------------------------------------------------------------------


@pytest.mark.parametrize("unit", [ToleranceUnit.RELATIVE, ToleranceUnit.DURATION])
def test_what_is_ruled_out_of_latency_is_in_the_tolerance_s_unit(unit):
    """Twenty percent and the same in milliseconds are the same promise."""
    value = 0.2 if unit is ToleranceUnit.RELATIVE else 0.2 * 50.0
    plan = with_signals(replace(LATENCY, gate=True, tolerance=Tolerance(value=value, unit=unit)))
    alike = an_input(a_histogram(), signal="latency")

    state = fold(plan, [a_tick(number, alike) for number in range(1, 400)])

    evidence = summarise(plan, state, attempt=1).signals[0]
    excluded = ruled_out(state)["latency"]
    assert evidence.log_e_safe > math.log(20.0)
    assert state.signals[0].tests.edge == 50.0
    assert excluded is not None
    assert 0.0 < excluded < 2.0 * value


def test_buckets_that_change_are_contradictory():
    """Counts between other bounds can't be compared with what was learned."""
    plan = with_signals(LATENCY)
    alike = an_input(a_histogram(), signal="latency")
    other = an_input(a_histogram(bounds=(1.0, 2.0, 3.0, 4.0, 5.0)), signal="latency")

    state = fold(plan, [a_tick(1, alike), a_tick(2, alike), a_tick(3, other)])

    assert state.signals[0].quality is Quality.CONTRADICTORY


# --- saturation ------------------------------------------------------------------------------


def a_fullness(exposed, unexposed, *, target="eu"):
    return a_stratum(
        candidate=0,
        baseline=0,
        baseline_bad=0,
        target=target,
        candidate_members=gauges(*exposed, name="new"),
        baseline_members=gauges(*unexposed, name="old"),
    )


def saturated(plan, leak, *, ticks=1_200):
    draw = np.random.default_rng(7)
    state = None
    for number in range(1, ticks + 1):
        noise = draw.normal(0.0, 0.01, 12)
        grown = leak * number
        given = an_input(
            a_fullness(
                [0.5 + 0.02 * index + grown + noise[index] for index in range(4)],
                [0.4 + 0.03 * index + noise[4 + index] for index in range(8)],
            ),
            signal="memory",
        )
        state = absorb([(plan, state, a_tick(number, given))])[0]
    return summarise(plan, state, attempt=1)


SATURATION = a_signal("memory", kind=SignalKind.SATURATION, gate=False, tolerance=RELATIVE)


def test_members_that_leak_are_harm_and_fuller_ones_are_not():
    """What grows with the candidate alone is found; that its members were fuller from the start is not."""
    plan = with_signals(SATURATION)

    leaking, fuller = saturated(plan, 0.001), saturated(plan, 0.0)

    assert leaking.log_e_harm > 6.0
    assert fuller.log_e_harm < 1.0
    assert fuller.signals[0].candidate_total == 4 * 1_200
    assert fuller.signals[0].candidate_bad > 1_800


def test_a_warm_up_says_nothing_of_saturation():
    """A young process fills up faster than an old one, whatever its version."""
    plan = with_signals(SATURATION, warm_up=timedelta(hours=5))

    assert saturated(plan, 0.001).log_e_harm == pytest.approx(0.0, abs=1e-9)


def test_one_leaking_target_is_found_among_many():
    """Each target is compared within itself, and the quiet ones don't hide the loud one."""
    plan = with_signals(SATURATION)
    draw = np.random.default_rng(3)
    state = None
    for number in range(1, 1_801):
        strata = [
            a_fullness(
                draw.normal(0.5, 0.01, 4) + (0.001 * number if target == "t3" else 0.0),
                draw.normal(0.5, 0.01, 8),
                target=target,
            )
            for target in ("t1", "t2", "t3", "t4")
        ]
        given = an_input(*strata, signal="memory")
        state = absorb([(plan, state, a_tick(number, given))])[0]

    assert summarise(plan, state, attempt=1).log_e_harm > 6.0


# --- traffic ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("candidate", "is_harm"), [(40, True), (85, False), (100, False), (115, False), (180, True)]
)
def test_the_candidate_gets_its_share_of_requests(candidate, is_harm):
    """Far too few and far too many are harm; sticky users who are busier than others are not."""
    tolerance = Tolerance(value=0.25, unit=ToleranceUnit.RELATIVE)
    traffic = a_signal("share", kind=SignalKind.TRAFFIC, gate=False, tolerance=tolerance)
    plan = with_signals(traffic)
    given = an_input(a_stratum(candidate=candidate, baseline=1_900), signal="share")

    state = fold(plan, [a_tick(number, given) for number in range(1, 60)])

    log_e_harm = summarise(plan, state, attempt=1).log_e_harm
    assert (log_e_harm > 6.0) is is_harm
    assert is_harm or log_e_harm < 1.0


def test_a_weight_that_changes_is_no_wrong_share():
    """What counts is the share that was assigned in each tick."""
    traffic = a_signal("share", kind=SignalKind.TRAFFIC, gate=False, tolerance=RELATIVE)
    plan = with_signals(traffic)
    ticks = []
    for number in range(1, 60):
        weight_bps = 500 if number % 2 else 5_000
        share = a_stratum(
            weight_bps=weight_bps, candidate=weight_bps // 5, baseline=2_000 - weight_bps // 5
        )
        ticks.append(a_tick(number, an_input(share, signal="share")))

    assert summarise(plan, fold(plan, ticks), attempt=1).log_e_harm < 1.0


# --- noise -----------------------------------------------------------------------------------


def test_bursts_that_the_baseline_has_too_are_neither_harm_nor_proof():
    """Where the baseline's own members scatter as much, a burst says less of either."""
    clustered = a_signal("bursts", noise=Noise.CLUSTERED)
    plain = a_signal("plain")
    plan = with_signals(clustered, plain)
    draw = np.random.default_rng(11)
    ticks = []
    for number in range(1, 200):
        bad = [int(20 * burst) for burst in draw.binomial(1, 0.05, 10)]
        burst = 20 * int(draw.binomial(1, 0.1))
        stratum = a_stratum(
            candidate=100,
            candidate_bad=burst,
            baseline=1_900,
            baseline_bad=sum(bad),
            baseline_members=members(*(190,) * 10, bad=bad),
        )
        ticks.append(
            a_tick(number, an_input(stratum, signal="bursts"), an_input(stratum, signal="plain"))
        )

    measured, assumed = summarise(plan, fold(plan, ticks), attempt=1).signals

    assert assumed.log_e_harm > 20.0
    assert measured.log_e_harm < 5.0
    assert measured.log_e_safe < max(assumed.log_e_safe, 1.0)


# --- nothing beside it -----------------------------------------------------------------------


def whole(**changes):
    return a_stratum(weight_bps=10_000, baseline=0, baseline_bad=0, **changes)


def then_whole(plan, before, after, *, ticks=30):
    """Return the state after a phase beside a baseline and one without."""
    state = fold(plan, [a_tick(number, *before) for number in range(1, 60)])
    began = START + TICK * 60
    later = [a_tick(60 + number, *after, phase_index=1, began=began) for number in range(1, ticks)]
    return fold(plan, later, state)


def two_phases(*signals):
    return replace(
        a_plan(),
        phases=(a_phase(signals=signals), a_phase("all", weight_bps=10_000, signals=signals)),
    )


def test_usage_without_a_baseline_is_held_against_its_own_past():
    """Fewer good events per request than the baseline had are seen, and said to be weak evidence."""
    plan = two_phases(a_signal(), USAGE)
    before = (
        an_input(a_stratum()),
        an_input(a_stratum(candidate=50, baseline=950), signal="usage"),
    )
    lost = (
        an_input(whole(candidate=2_000, candidate_bad=2)),
        an_input(whole(candidate=300), signal="usage"),
    )
    quiet_night = (
        an_input(whole(candidate=200)),
        an_input(whole(candidate=100), signal="usage"),
    )

    harmed = judged(plan, then_whole(plan, before, lost))
    night = summarise(plan, then_whole(plan, before, quiet_night), attempt=1)

    assert harmed.verdict is Verdict.FAIL
    assert harmed.reasons[0].startswith("harm proven: usage")
    assert "weak: without a baseline beside it" in harmed.reasons[0]
    assert night.log_e_harm < 0.1


def test_latency_without_a_baseline_is_held_against_its_own_past():
    """What exceeds the baseline's own edge far more often than it did is slow."""
    plan = two_phases(LATENCY)
    before = (an_input(a_histogram(), signal="latency"),)
    slow = a_histogram(weight_bps=10_000, candidate=(0, 0, 0, 50, 50, 0), baseline=(0,) * 6)
    same = a_histogram(weight_bps=10_000, candidate=(300, 400, 250, 40, 8, 2), baseline=(0,) * 6)

    harmed = summarise(
        plan, then_whole(plan, before, (an_input(slow, signal="latency"),)), attempt=1
    )
    healthy = summarise(
        plan, then_whole(plan, before, (an_input(same, signal="latency"),)), attempt=1
    )

    assert harmed.log_e_harm > 10.0
    assert harmed.signals[0].log_e_weak > 10.0
    assert healthy.log_e_harm < 0.1


def test_targets_that_still_have_a_baseline_are_siblings():
    """Far more errors than on other targets' baselines, in the same minutes, are harm; a brown-out isn't."""
    phase = a_phase("rest", weight_bps=500)
    plan = replace(a_plan(), phases=(phase,))
    alone = whole(candidate=2_000, candidate_bad=60)
    calm = a_stratum(target="us", candidate_bad=0, baseline_bad=2)
    brown_out = a_stratum(target="us", candidate_bad=3, baseline_bad=57)

    def siblings(beside):
        given = an_input(alone, beside)
        state = fold(plan, [a_tick(number, given) for number in range(1, 20)])
        tests = state.signals[0].tests
        return float(harm_test.log_e_value(tests.siblings)[0])

    assert siblings(calm) > 50.0
    assert siblings(brown_out) < 0.0


# --- coverage --------------------------------------------------------------------------------


def test_a_phase_waits_for_the_kinds_of_use_it_must_have_seen():
    """A bake that met no phone proves nothing about phones."""
    spec = CoverageSpec(
        by=("client",),
        smallest_cell=0.001,
        smallest_failure=0.05,
        share=0.99,
        unseen=0.01,
        busy_hours=0,
        timezone_label=None,
        source="prometheus://p",
    )
    phase = a_phase(coverage=spec, minimum_requests=0)
    plan = replace(a_plan(), phases=(phase,))

    def cells(phone):
        return (
            CellCount(cell="web", zone="UTC", hour=9, candidate=100, baseline=1_000),
            CellCount(cell="phone", zone="UTC", hour=9, candidate=phone, baseline=900),
        )

    without = fold(plan, [a_tick(number, cells=cells(0)) for number in range(1, 20)])
    with_phones = fold(plan, [a_tick(number, cells=cells(90)) for number in range(1, 20)])

    assert judged(plan, without).verdict is Verdict.INSUFFICIENT
    assert any("phone 0 of" in reason for reason in judged(plan, without).reasons)
    assert judged(plan, with_phones).verdict is Verdict.PASS
