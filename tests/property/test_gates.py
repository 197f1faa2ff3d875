"""Gates against anything that can be seen: they keep exposure from rising, and nothing from falling."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from tidegate.domain.gates.asking import FIRST_AGAIN, LONGEST_AGAIN, ask_again_at
from tidegate.domain.gates.model import (
    GateEvidence,
    GateMoment,
    GateSpec,
    GateVerdict,
    gate_seen,
)
from tidegate.domain.rollout.decide import decide
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import Halt, HaltCause, ReasonCode, Rehearsal
from tidegate.testing.builders import START, a_rollout
from tidegate.testing.simulation.situations import (
    a_pass,
    all_as_wanted,
    an_observation,
    evidence_of,
    issued,
    log_odds,
)

NOW = START + timedelta(minutes=10)
BOUND = "sha256:question"
DOWN = {"halt", "withdraw", "start_recovery", "retire", "bring_back", "finish_recovery"}
UP = {"rehearse", "enter_phase"}
AT_A_DEADLINE = {HaltCause.NOT_APPLIED, HaltCause.NO_DATA}

durations = st.timedeltas(min_value=timedelta(hours=-3), max_value=timedelta(hours=3))


@st.composite
def answers(draw):
    """Draw what may be on file for a gate: nothing, or any answer to any question at any time."""
    if draw(st.booleans()):
        return None
    measured_at = NOW + draw(durations)
    return GateEvidence(
        id="e-1",
        gate="scan",
        kind="sarif",
        service=a_rollout().service,
        change_digest="sha256:change",
        verdict=draw(st.sampled_from(GateVerdict)),
        because="measured",
        facts=(),
        documents=(),
        measured_at=measured_at,
        expires_at=measured_at + draw(durations),
        by="gate/sarif",
        bound_to=draw(st.sampled_from([BOUND, "sha256:another", ""])),
    )


@st.composite
def gates(draw):
    """Draw a gate with how it is seen, and whether it is green by the definition of the words."""
    spec = GateSpec(
        name="scan",
        kind="sarif",
        moment=draw(st.sampled_from(GateMoment)),
        settings_json="{}",
        lasts=timedelta(hours=1),
        is_deferred=draw(st.booleans()),
    )
    answer = draw(answers())
    green = (
        answer is not None
        and answer.verdict is GateVerdict.GREEN
        and answer.bound_to == BOUND
        and answer.measured_at <= NOW < answer.expires_at
    )
    return gate_seen(spec, answer, NOW, bound_to=BOUND), green


def a_situation(draw, state):
    index = draw(st.integers(min_value=0, max_value=3))
    rehearsal = draw(st.sampled_from(Rehearsal)) if index == 0 else Rehearsal.PROVEN
    halt = Halt(cause=HaltCause.HARM, because="errors rose", by="tidegate", at=START)
    rollout = issued(
        a_rollout(
            state=state,
            phase_index=index,
            rehearsal=rehearsal,
            halt=halt if state in (State.HALTED, State.RECOVERING) else None,
            is_return=state is State.RECOVERING and draw(st.booleans()),
        )
    )
    if index:
        rollout = replace(rollout, passes=(a_pass(rollout, index - 1),))
    harm = draw(st.sampled_from([0.0, log_odds(0.005)]))
    return an_observation(
        rollout,
        now=NOW,
        evidence=evidence_of(rollout, at=NOW, log_e_harm=harm),
        placements=all_as_wanted(rollout, settled=draw(st.booleans())),
    )


@given(st.data(), st.lists(gates(), max_size=4))
def test_nobody_is_served_before_every_gate_is_green(data, found):
    """The first phase and its rehearsal begin only when no gate that holds is anything but green."""
    seen = a_situation(data.draw, State.WAITING)
    begun = seen.rollout.rehearsal in (Rehearsal.FORWARD, Rehearsal.BACK)

    decision = decide(replace(seen, gates=tuple(gate for gate, _ in found)))

    holds = [gate for gate, green in found if not green and not gate.spec.is_deferred]
    if holds and not begun:
        assert decision.action not in UP
    if decision.action == "enter_phase":
        assert not holds


@given(st.data(), st.lists(gates(), max_size=4))
def test_all_green_gates_hold_nothing(data, found):
    """With every gate green it is decided as if there were none."""
    seen = a_situation(data.draw, State.WAITING)
    green = tuple(gate for gate, is_green in found if is_green)

    assert decide(replace(seen, gates=green)) == decide(seen)


@given(st.data(), st.sampled_from(State), st.lists(gates(), max_size=4))
def test_no_gate_stops_a_move_down(data, state, found):
    """What falls without gates falls with them: for the same reason, or for a gate that halts by itself."""
    seen = a_situation(data.draw, state)
    free = decide(seen)

    decision = decide(replace(seen, gates=tuple(gate for gate, _ in found)))

    if free.action in DOWN:
        # A deferred gate that is red is a reason of its own, and no deadline has to be waited for.
        at_a_deadline = free.action == "halt" and free.cause in AT_A_DEADLINE
        halted_by_gate = decision.action == "halt" and decision.cause is HaltCause.GATE
        assert decision == free or (at_a_deadline and halted_by_gate)
    elif decision != free:
        waits = decision.action == "hold" and decision.waiting_on.reason is ReasonCode.GATE
        assert waits or decision.action in DOWN


@given(
    st.sampled_from(GateVerdict),
    st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=366)),
    st.integers(min_value=0, max_value=10_000),
)
def test_a_gate_is_always_asked_again_and_never_without_a_pause(verdict, lasts, times):
    """A green one before it is too old, where that leaves time; others within minutes."""
    again = ask_again_at(NOW, verdict, lasts=lasts, times_not_green=times)

    assert again - NOW >= FIRST_AGAIN
    if verdict is GateVerdict.GREEN:
        assert again < NOW + lasts or lasts <= FIRST_AGAIN / 0.8
    else:
        assert again - NOW <= LONGEST_AGAIN
