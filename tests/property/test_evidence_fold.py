"""The fold of ticks: the same however it is batched, stored or cut, and never a gain from noise."""

import json
from dataclasses import replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate.domain.health.readings import ArmTick, Quality
from tidegate.domain.plan.model import SignalKind, Tolerance, ToleranceUnit
from tidegate.testing.builders import START, a_phase, a_plan, a_signal
from tidegate.usecases.evidence import SignalInput, TickRecord, absorb, replay, summarise
from tidegate.usecases.evidence_records import from_lists, to_lists
from tidegate.usecases.sequential import Stratum

BOUNDS = (10.0, 100.0)
USAGE = a_signal(
    "usage", kind=SignalKind.USAGE, tolerance=Tolerance(value=0.2, unit=ToleranceUnit.RELATIVE)
)
LATENCY = a_signal(
    "latency",
    kind=SignalKind.LATENCY,
    gate=False,
    tolerance=Tolerance(value=0.2, unit=ToleranceUnit.RELATIVE),
)
SIGNALS = (a_signal("errors"), USAGE, LATENCY)
PLAN = replace(
    a_plan(),
    phases=tuple(
        a_phase(f"{weight}", weight_bps=weight, signals=SIGNALS) for weight in (500, 2_500, 10_000)
    ),
)
WEIGHTS = (500, 2_500, 10_000)


@st.composite
def arms(draw, kind, weight_bps):
    total = st.integers(min_value=0, max_value=400)
    found = []
    for arm in ("candidate", "baseline"):
        count = 0 if arm == "baseline" and weight_bps == 10_000 else draw(total)
        bad = draw(st.integers(min_value=0, max_value=count)) if kind is SignalKind.ERRORS else 0
        buckets = ()
        if kind is SignalKind.LATENCY:
            first = draw(st.integers(min_value=0, max_value=count))
            second = draw(st.integers(min_value=0, max_value=count - first))
            buckets = (first, second, count - first - second)
        found.append(ArmTick(total=count, bad=bad, buckets=buckets))
    return found


@st.composite
def inputs(draw, weight_bps):
    found = []
    for spec in SIGNALS:
        if draw(st.booleans()) and draw(st.booleans()):
            quality = draw(st.sampled_from([q for q in Quality if q is not Quality.GOOD]))
            found.append(SignalInput(signal=spec.name, strata=(), quality=quality, note="drawn"))
            continue
        strata = []
        for target in ("eu", "us")[: draw(st.integers(min_value=0, max_value=2))]:
            candidate, baseline = draw(arms(spec.kind, weight_bps))
            strata.append(
                Stratum(
                    placement=f"shop/code@{target}",
                    weight_bps=weight_bps,
                    candidate=candidate,
                    baseline=baseline,
                    bounds=BOUNDS if spec.kind is SignalKind.LATENCY else (),
                )
            )
        found.append(
            SignalInput(signal=spec.name, strata=tuple(strata), quality=Quality.GOOD, note="")
        )
    return tuple(found)


@st.composite
def histories(draw):
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
                inputs=draw(inputs(WEIGHTS[phase_index])),
            )
        )
    return ticks


def one_by_one(history):
    return replay(PLAN, history)


@settings(max_examples=40, deadline=None)
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


@settings(max_examples=40, deadline=None)
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


@settings(max_examples=40, deadline=None)
@given(histories())
def test_ticks_that_come_again_change_nothing(history):
    """However often a tick arrives, it counts once."""
    twice = [tick for tick in history for _ in range(2)]

    assert to_lists(one_by_one(twice)) == to_lists(one_by_one(history))


@settings(max_examples=40, deadline=None)
@given(histories())
def test_no_more_is_baked_than_time_has_passed(history):
    """Gaps, pauses and jumps only ever make a bake longer."""
    state = one_by_one(history)
    counted = sum(1 for tick in history if tick.counting)

    assert state.baked_for <= state.last_at - state.phase_began_at
    assert state.baked_for <= PLAN.stale_after * counted


@settings(max_examples=40, deadline=None)
@given(histories())
def test_evidence_is_made_of_finite_numbers(history):
    """Whatever the counts are, no test breaks: a broken number would hold the rollout for good."""
    evidence = summarise(PLAN, one_by_one(history), attempt=1)

    assert evidence.log_e_harm == evidence.log_e_harm
    assert abs(evidence.log_e_harm) < 1e6
    assert all(abs(signal.log_e_harm) < 1e6 for signal in evidence.signals)
