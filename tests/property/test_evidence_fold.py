"""The fold of ticks: the same however it is batched, stored or cut, and never a gain from noise."""

import json
from dataclasses import replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate.domain.health.evidence import Verdict, judge
from tidegate.domain.health.readings import ArmTick, MemberTick, Quality
from tidegate.domain.plan.model import (
    Effect,
    Limit,
    Noise,
    SignalKind,
    Tolerance,
    ToleranceUnit,
)
from tidegate.testing.builders import START, a_phase, a_plan, a_signal
from tidegate.usecases.evidence import SignalInput, TickRecord, absorb, replay, summarise
from tidegate.usecases.evidence_records import from_lists, to_lists
from tidegate.usecases.sequential import Stratum

BOUNDS = (10.0, 100.0)
RELATIVE = Tolerance(value=0.2, unit=ToleranceUnit.RELATIVE)
USAGE = a_signal("usage", kind=SignalKind.USAGE, tolerance=RELATIVE)
LATENCY = a_signal("latency", kind=SignalKind.LATENCY, gate=False, tolerance=RELATIVE)
BURSTS = a_signal("bursts", gate=False, noise=Noise.CLUSTERED)
TRAFFIC = a_signal("traffic", kind=SignalKind.TRAFFIC, gate=False, tolerance=RELATIVE)
SATURATION = a_signal("memory", kind=SignalKind.SATURATION, gate=False, tolerance=RELATIVE)
LIMIT = a_signal(
    "queue",
    kind=SignalKind.LIMIT,
    gate=False,
    limit=Limit(value=1e9, above=True, effect=Effect.HALT),
)
SHADOW = a_signal("shadow", gate=False, shadow=True)
SIGNALS = (a_signal("errors"), USAGE, LATENCY, BURSTS, TRAFFIC, SATURATION, LIMIT)
PLAN = replace(
    a_plan(),
    phases=tuple(
        a_phase(f"{weight}", weight_bps=weight, signals=SIGNALS) for weight in (500, 2_500, 10_000)
    ),
    warm_up=timedelta(seconds=15),
)
WEIGHTS = (500, 2_500, 10_000)


@st.composite
def arms(draw, spec, weight_bps):
    found = []
    for arm in ("candidate", "baseline"):
        absent = arm == "baseline" and weight_bps == 10_000
        if spec.kind in (SignalKind.SATURATION, SignalKind.LIMIT):
            found.append(ArmTick(total=0, members=() if absent else draw(values())))
        elif spec.noise is Noise.CLUSTERED:
            found.append(ArmTick(total=0) if absent else draw(shards()))
        else:
            found.append(draw(counts(spec.kind, most=0 if absent else 400)))
    return found


@st.composite
def counts(draw, kind, most):
    count = draw(st.integers(min_value=0, max_value=most))
    bad = draw(st.integers(min_value=0, max_value=count)) if kind is SignalKind.ERRORS else 0
    buckets = ()
    if kind is SignalKind.LATENCY:
        first = draw(st.integers(min_value=0, max_value=count))
        second = draw(st.integers(min_value=0, max_value=count - first))
        buckets = (first, second, count - first - second)
    return ArmTick(total=count, bad=bad, buckets=buckets)


@st.composite
def values(draw):
    drawn = draw(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=6))
    return tuple(MemberTick(name=f"m{n}", gauge=value) for n, value in enumerate(drawn))


@st.composite
def shards(draw):
    totals = draw(st.lists(st.integers(0, 60), min_size=7, max_size=10))
    members = tuple(
        MemberTick(name=f"m{n}", total=total, bad=draw(st.integers(0, total)))
        for n, total in enumerate(totals)
    )
    return ArmTick(total=sum(totals), bad=sum(m.bad for m in members), members=members)


@st.composite
def inputs(draw, weight_bps, specs=SIGNALS):
    found = []
    for spec in specs:
        if draw(st.booleans()) and draw(st.booleans()):
            quality = draw(st.sampled_from([q for q in Quality if q is not Quality.GOOD]))
            found.append(SignalInput(signal=spec.name, strata=(), quality=quality, note="drawn"))
            continue
        strata = []
        for target, group in (("eu", "a"), ("eu", "b"), ("us", ""))[
            : draw(st.integers(min_value=0, max_value=3))
        ]:
            candidate, baseline = draw(arms(spec, weight_bps))
            strata.append(
                Stratum(
                    placement=f"shop/code@{target}",
                    weight_bps=weight_bps,
                    candidate=candidate,
                    baseline=baseline,
                    bounds=BOUNDS if spec.kind is SignalKind.LATENCY else (),
                    group=group,
                )
            )
        found.append(
            SignalInput(signal=spec.name, strata=tuple(strata), quality=Quality.GOOD, note="")
        )
    return tuple(found)


@st.composite
def histories(draw, specs=SIGNALS):
    """Draw a history of ticks: phases in order, some ticks late, some after a gap of hours."""
    ticks, at, phase_index, began = [], START, 0, START
    for _ in range(draw(st.integers(min_value=1, max_value=8))):
        at += timedelta(seconds=draw(st.sampled_from((10, 10, 10, 25, 4_000))))
        if phase_index < 2 and draw(st.integers(min_value=0, max_value=4)) == 0:
            phase_index, began = phase_index + 1, at - timedelta(seconds=1)
        late = draw(st.integers(min_value=0, max_value=9)) == 0
        ticks.append(
            TickRecord(
                at=at - timedelta(seconds=60) if late else at,
                phase_index=phase_index,
                phase_began_at=began,
                counting=draw(st.booleans()),
                inputs=draw(inputs(WEIGHTS[phase_index], specs)),
            )
        )
    return ticks


def one_by_one(history):
    return replay(PLAN, history)


@settings(max_examples=25, deadline=None)
@given(st.lists(histories(), min_size=1, max_size=4))
def test_any_batching_equals_one_by_one(many):
    """A thousand rollouts in one batch get the numbers that each would get alone, to the last bit."""
    states = [None] * len(many)
    for number in range(max(map(len, many))):
        rows = [row for row, history in enumerate(many) if number < len(history)]
        after = absorb([(PLAN, states[row], many[row][number]) for row in rows])
        for row, state in zip(rows, after, strict=True):
            states[row] = state

    assert [to_lists(state) for state in states] == [to_lists(one_by_one(h)) for h in many]


@settings(max_examples=25, deadline=None)
@given(histories(), st.data())
def test_a_stored_and_restored_state_is_equal_and_goes_on_equally(history, data):
    """Whenever the server is restarted, no number changes."""
    cut = data.draw(st.integers(min_value=1, max_value=len(history)))
    state = one_by_one(history[:cut])
    restored = from_lists(PLAN, json.loads(json.dumps(to_lists(state))))

    assert to_lists(restored) == to_lists(state)
    for tick in history[cut:]:
        restored = absorb([(PLAN, restored, tick)])[0]
    assert to_lists(restored) == to_lists(one_by_one(history))


@settings(max_examples=25, deadline=None)
@given(histories())
def test_ticks_that_come_again_change_nothing(history):
    """However often a tick arrives, it counts once."""
    twice = [tick for tick in history for _ in range(2)]

    assert to_lists(one_by_one(twice)) == to_lists(one_by_one(history))


@settings(max_examples=25, deadline=None)
@given(histories())
def test_no_more_is_baked_than_time_has_passed(history):
    """Gaps, pauses and jumps only ever make a bake longer."""
    state = one_by_one(history)
    counted = sum(1 for tick in history if tick.counting)

    assert state.baked_for <= state.last_at - state.phase_began_at
    assert state.baked_for <= PLAN.stale_after * counted


@settings(max_examples=25, deadline=None)
@given(histories())
def test_evidence_is_made_of_finite_numbers(history):
    """Whatever the counts are, no test breaks: a broken number would hold the rollout for good."""
    evidence = summarise(PLAN, one_by_one(history), attempt=1)

    assert evidence.log_e_harm == evidence.log_e_harm
    assert abs(evidence.log_e_harm) < 1e6
    assert all(abs(signal.log_e_harm) < 1e6 for signal in evidence.signals)


# --- what a verdict may rest on --------------------------------------------------------------


def judged(plan, state):
    return judge(
        summarise(plan, state, attempt=1),
        phase=plan.phases[state.phase_index],
        budget=plan.budget,
        attempt=1,
        carried=("errors", "usage"),
    )


def easy(plan, **changes):
    """Return *plan* with so little to prove that a phase passes as soon as it may."""
    phases = tuple(replace(phase, minimum_requests=0, bake=timedelta(0)) for phase in plan.phases)
    return replace(plan, phases=phases, budget=replace(plan.budget, beta=0.9), **changes)


@settings(max_examples=25, deadline=None)
@given(histories())
def test_nothing_passes_on_data_that_is_not_good(history):
    """Whatever was shown before, a signal whose data can't be used lets nobody through."""
    plan, state = easy(PLAN), None
    for tick in history:
        state = absorb([(plan, state, tick)])[0]
        if any(signal.quality is not Quality.GOOD for signal in state.signals):
            assert judged(plan, state).verdict is not Verdict.PASS


@settings(max_examples=25, deadline=None)
@given(histories((a_signal("errors"), USAGE, LIMIT, SHADOW)))
def test_a_shadow_changes_no_verdict(history):
    """With and without the shadow, the same is decided for the same reasons."""
    plan, shadowed = (
        replace(PLAN, phases=tuple(replace(phase, signals=signals) for phase in PLAN.phases))
        for signals in (
            (a_signal("errors"), USAGE, LIMIT),
            (a_signal("errors"), SHADOW, USAGE, LIMIT),
        )
    )
    with_it = without = None
    for tick in history:
        with_it = absorb([(shadowed, with_it, tick)])[0]
        without = absorb([(plan, without, tick)])[0]

        assert judged(shadowed, with_it) == judged(plan, without)
        assert with_it.baked_for == without.baked_for


@settings(max_examples=25, deadline=None)
@given(histories())
def test_a_warm_up_certifies_nothing(history):
    """However good it looks, a phase that warms up proves nothing and bakes nothing."""
    plan = easy(PLAN, warm_up=timedelta(days=1))
    state = None
    for tick in history:
        state = absorb([(plan, state, tick)])[0]

        evidence = summarise(plan, state, attempt=1)
        assert evidence.warming
        assert state.baked_for == timedelta(0)
        assert all(abs(signal.log_e_safe) < 1e-12 for signal in evidence.signals)
        assert judged(plan, state).verdict is not Verdict.PASS
