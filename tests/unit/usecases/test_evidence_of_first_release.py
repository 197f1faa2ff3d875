"""What the first release stored of running rollouts is read, or refused with what to do."""

import json
from dataclasses import replace

import pytest
from tests.support.ticks import a_histogram, a_stratum, a_tick, an_input, fold

from tidegate.documents.records import from_json, to_json
from tidegate.domain.health.evidence import NO_EVIDENCE, Evidence
from tidegate.domain.plan.model import SignalKind, Tolerance, ToleranceUnit
from tidegate.errors import StoreError
from tidegate.testing.builders import a_phase, a_plan, a_signal
from tidegate.usecases.evidence import TickRecord, summarise
from tidegate.usecases.evidence_records import from_lists, to_lists

RELATIVE = Tolerance(value=0.2, unit=ToleranceUnit.RELATIVE)
LATENCY = a_signal("latency", kind=SignalKind.LATENCY, gate=False, tolerance=RELATIVE)
PLAN = a_plan()
BOTH = (a_signal(), LATENCY)


def as_first_release(lists):
    """Return *lists* in the form of the first release: without what it didn't know."""
    old = json.loads(json.dumps(lists))
    del old["coverage"]
    for signal in old["signals"]:
        flow = signal.pop("flow")
        signal["due_since_candidate"] = flow["due"]
        signal |= {name: flow[name] for name in ("split_due", "split_got", "split_is_wrong")}
        del signal["warm"], signal["shadow_halts"]
        for name in ("siblings", "past_requests", "past_bounds", "members", "value"):
            del signal["tests"][name]
    return old


def test_its_evidence_of_errors_goes_on():
    """A rollout that bakes while the server is upgraded loses nothing that was proven of errors."""
    state = fold(PLAN, [a_tick(number) for number in range(1, 9)])

    restored = from_lists(PLAN, as_first_release(to_lists(state)))

    assert summarise(PLAN, restored, attempt=1).signals[0].log_e_safe == pytest.approx(
        summarise(PLAN, state, attempt=1).signals[0].log_e_safe
    )
    assert fold(PLAN, [a_tick(9)], restored).baked_for == fold(PLAN, [a_tick(9)], state).baked_for


def test_its_evidence_of_latency_begins_anew():
    """The first release tested one edge and kept no histogram: there is nothing to go on from."""
    plan = replace(a_plan(), phases=(a_phase(signals=BOTH),))
    given = (an_input(a_stratum()), an_input(a_histogram(), signal="latency"))
    state = fold(plan, [a_tick(number, *given) for number in range(1, 9)])
    assert state.signals[1].tests.edge is not None

    restored = from_lists(plan, as_first_release(to_lists(state)))

    assert restored.signals[1].tests.edge is None
    assert fold(plan, [a_tick(9, *given)], restored).ticks == 9


def test_its_ticks_are_read():
    """Stored ticks are what replays and simulations run on."""
    tick = a_tick(3, an_input(a_stratum(candidate_bad=1)))
    old = json.loads(to_json(tick))
    del old["cells"]
    for given in old["inputs"]:
        for stratum in given["strata"]:
            del stratum["group"], stratum["candidate"]["members"], stratum["baseline"]["members"]

    assert from_json(TickRecord, json.dumps(old)) == tick


def test_its_decisions_are_read():
    """Evidence stored with a decision keeps its numbers; what wasn't known then has its default."""
    state = fold(PLAN, [a_tick(1)])
    evidence = summarise(PLAN, state, attempt=1)
    old = json.loads(to_json(evidence))
    del old["warming"], old["coverage"]
    for signal in old["signals"]:
        for name in ("counting", "log_e_weak", "limit", "value", "shadow", "shadow_halts"):
            del signal[name]

    read = from_json(Evidence, json.dumps(old))

    assert read.signals[0].log_e_harm == evidence.signals[0].log_e_harm
    assert read.warming is NO_EVIDENCE.warming


def test_what_nobody_wrote_is_refused():
    """Half-read evidence would be worse than none."""
    lists = as_first_release(to_lists(fold(PLAN, [a_tick(1)])))
    del lists["signals"][0]["split_due"]

    with pytest.raises(StoreError):
        from_lists(PLAN, lists)
