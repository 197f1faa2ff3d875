"""Random walks on the table of states: whatever happens, in whatever order, the promises hold."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from tidegate.domain.rollout.machine import FINAL, TRANSITIONS, Event, State
from tidegate.errors import IllegalTransitionError
from tidegate.testing.builders import START, a_rollout

events = st.lists(st.sampled_from(list(Event)), max_size=60)

STOPS = {Event.HALTED_BY_PERSON, Event.HARM_FOUND, Event.GAVE_UP_WAITING, Event.RECOVERY_STARTED}


def walk(happened, start=State.PLANNED):
    """Return the rollout after each of *happened* that its state can take, with what was taken."""
    rollout = a_rollout(state=start)
    steps = []
    for number, event in enumerate(happened):
        try:
            after = rollout.moved(event, at=START + timedelta(seconds=number))
        except IllegalTransitionError:
            continue
        steps.append((rollout, event, after))
        rollout = after
    return steps


@given(events)
def test_nothing_leaves_a_final_state(happened):
    """Whatever is said to a finished rollout, it stays finished, with its time."""
    for before, _, after in walk(happened):
        assert before.state not in FINAL
        assert (after.finished_at is not None) == (after.state in FINAL)


@given(events)
def test_between_a_stop_and_the_next_rise_lies_a_resume(happened):
    """No sequence of events leads from a stop to exposure without a person's word."""
    stopped = False
    for _, event, after in walk(happened):
        if event in STOPS and after.state in (State.HALTED, State.RECOVERING):
            stopped = True
        if event is Event.RESUMED:
            stopped = False
        assert not (stopped and after.state in (State.APPLYING, State.BAKING, State.COMPLETED))


@given(events)
def test_every_bake_was_applied_before(happened):
    """A bake is entered for the first time only from applying."""
    for before, _, after in walk(happened):
        if after.state is State.BAKING and before.state is not State.BAKING:
            assert before.state in (State.APPLYING, State.HELD)


@given(events)
def test_a_walk_can_always_be_stopped(happened):
    """Wherever a rollout has got to, a person's halt or giving up is possible, or it is over."""
    for _, _, after in walk(happened):
        if after.state in FINAL:
            continue
        ways = TRANSITIONS[after.state]
        assert Event.HALTED_BY_PERSON in ways or Event.ABANDONED in ways


@given(events, st.sampled_from(list(State)))
def test_the_time_of_a_state_is_when_it_was_entered(happened, start):
    """`state_since` moves with the state and never otherwise."""
    for before, _, after in walk(happened, start):
        if before.state is after.state:
            assert after.state_since == before.state_since
        assert replace(before, state=after.state) != before or before.state is after.state
