"""
The promises that the table of states makes, and proof that each line of it is held by one.

A promise is a function from a table to the ways in which it is broken, so that it can be put to the
real table and to tables with a line taken out, added or turned.
"""

from collections.abc import Callable, Iterator, Mapping

import pytest

from tidegate.domain.rollout.machine import (
    FINAL,
    TRANSITIONS,
    WATCHED,
    Event,
    State,
    after,
)
from tidegate.errors import IllegalTransitionError

Table = Mapping[State, Mapping[Event, State]]

NO_WAY_IN_YET = {State.ROLLED_FORWARD}
"""Words of the glossary that no event leads to: a hotfix inside a rollout doesn't exist yet."""

MOVING = (State.WAITING, State.APPLYING, State.BAKING, State.HELD)
"""States in which exposure may be up and the rollout goes on by itself."""

STOPPED = (State.HALTED, State.RECOVERING)

PROMISES: list[Callable[[Table], Iterator[str]]] = []


def promise(check: Callable[[Table], Iterator[str]]) -> Callable[[Table], Iterator[str]]:
    PROMISES.append(check)
    return check


def broken(table: Table) -> list[str]:
    return [how for check in PROMISES for how in check(table)]


def reachable(table: Table, start: State, *, without: frozenset[Event] = frozenset()) -> set[State]:
    found, left = {start}, [start]
    while left:
        for event, state in table[left.pop()].items():
            if event not in without and state not in found:
                found.add(state)
                left.append(state)
    return found


@promise
def each_state_can_be_reached(table: Table) -> Iterator[str]:
    missing = set(State) - reachable(table, State.PLANNED)
    if missing != NO_WAY_IN_YET:
        yield f"can't be reached: {sorted(missing)}"


@promise
def final_states_stay_final(table: Table) -> Iterator[str]:
    for state in State:
        if (not table[state]) != (state in FINAL):
            yield f"{state} is final, or should be"


@promise
def a_rollout_can_always_come_to_an_end(table: Table) -> Iterator[str]:
    for state in reachable(table, State.PLANNED) - FINAL:
        if not reachable(table, state) & FINAL:
            yield f"nothing ends a rollout that is {state}"


@promise
def a_person_can_always_stop_it(table: Table) -> Iterator[str]:
    if table[State.PLANNED].get(Event.ABANDONED) is not State.ABANDONED:
        yield "what is planned can't be given up"
    if table[State.PLANNED].get(Event.HALTED_BY_PERSON) is not State.ABANDONED:
        yield "what is queued can't be taken out by halting it"
    if table[State.PLANNED].get(Event.SUPERSEDED) is not State.SUPERSEDED:
        yield "what is queued can't be superseded"
    for state in (*MOVING, *STOPPED):
        if table[state].get(Event.HALTED_BY_PERSON) not in STOPPED:
            yield f"a person can't halt what is {state}"
        if table[state].get(Event.RECOVERY_STARTED) is not State.RECOVERING:
            yield f"a person can't roll back what is {state}"


@promise
def the_engine_can_always_stop_it(table: Table) -> Iterator[str]:
    for state in MOVING:
        for event in (
            Event.HARM_FOUND,
            Event.GAVE_UP_WAITING,
            Event.ALARM_RAISED,
            Event.STOP_ORDERED,
            Event.GATE_TURNED_RED,
        ):
            if table[state].get(event) is not State.HALTED:
                yield f"{event} doesn't halt what is {state}"


@promise
def a_stop_is_left_only_by_a_persons_word_or_the_way_back(table: Table) -> Iterator[str]:
    ways = {
        Event.RESUMED: State.WAITING,
        Event.RECOVERY_STARTED: State.RECOVERING,
        Event.ABANDONED: State.ABANDONED,
        Event.HALTED_BY_PERSON: State.HALTED,
        Event.SUPERSEDED: State.SUPERSEDED,
    }
    if dict(table[State.HALTED]) != ways:
        yield f"a halt is left by {dict(table[State.HALTED])}"


@promise
def a_recovery_only_ends_recovered(table: Table) -> Iterator[str]:
    ways = {
        Event.RECOVERED: State.ROLLED_BACK,
        Event.RECOVERY_STARTED: State.RECOVERING,
        Event.HALTED_BY_PERSON: State.RECOVERING,
    }
    if dict(table[State.RECOVERING]) != ways:
        yield f"a recovery is left by {dict(table[State.RECOVERING])}"


@promise
def exposure_rises_by_one_event_only(table: Table) -> Iterator[str]:
    into = {
        (state, event)
        for state, ways in table.items()
        for event, to in ways.items()
        if to is State.APPLYING
    }
    if into != {(State.WAITING, Event.PHASE_ENTERED)}:
        yield f"exposure rises by {sorted(into)}"


@promise
def only_a_bake_passes(table: Table) -> Iterator[str]:
    for event, to in (
        (Event.PHASE_PASSED, State.WAITING),
        (Event.LAST_PHASE_PASSED, State.COMPLETED),
    ):
        taken = {state: ways[event] for state, ways in table.items() if event in ways}
        if taken != {State.BAKING: to}:
            yield f"{event} is taken by {taken}"
    into = {(s, e) for s, ways in table.items() for e, to in ways.items() if to is State.COMPLETED}
    if into != {(State.BAKING, Event.LAST_PHASE_PASSED)}:
        yield f"completed is entered by {sorted(into)}"


@promise
def a_bake_begins_only_when_applied(table: Table) -> Iterator[str]:
    into = {
        (state, event)
        for state, ways in table.items()
        for event, to in ways.items()
        if to is State.BAKING
    }
    expected = {
        (State.APPLYING, Event.APPLIED),
        (State.HELD, Event.HOLD_ENDED),
        (State.HELD, Event.RESUMED),
    }
    if into != expected:
        yield f"a bake begins by {sorted(into)}"


@promise
def only_a_bake_is_put_on_hold(table: Table) -> Iterator[str]:
    into = {(s, e) for s, ways in table.items() for e, to in ways.items() if to is State.HELD}
    if into != {(State.BAKING, Event.PUT_ON_HOLD)}:
        yield f"a hold begins by {sorted(into)}"


@promise
def only_what_exposes_nobody_is_superseded(table: Table) -> Iterator[str]:
    into = {
        (state, event)
        for state, ways in table.items()
        for event, to in ways.items()
        if to is State.SUPERSEDED
    }
    if into != {(State.PLANNED, Event.SUPERSEDED), (State.HALTED, Event.SUPERSEDED)}:
        yield f"superseded is entered by {sorted(into)}"


@promise
def a_return_begins_by_recovering(table: Table) -> Iterator[str]:
    if table[State.PLANNED].get(Event.RECOVERY_STARTED) is not State.RECOVERING:
        yield "a return can't begin"


@promise
def without_a_person_a_stop_stays_a_stop(table: Table) -> Iterator[str]:
    for state in STOPPED:
        seen = reachable(table, state, without=frozenset({Event.RESUMED}))
        if seen & set(MOVING):
            yield f"what is {state} comes to {sorted(seen & set(MOVING))} by itself"


def lines() -> list[tuple[State, Event]]:
    return [(state, event) for state, ways in TRANSITIONS.items() for event in ways]


@pytest.mark.parametrize("check", PROMISES, ids=lambda check: check.__name__)
def test_the_table_keeps_its_promises(check):
    """Each promise holds for the table that is shipped."""
    problems = list(check(TRANSITIONS))

    assert problems == []


@pytest.mark.parametrize(("state", "event"), lines())
def test_no_line_can_be_removed_unnoticed(state, event):
    """Every line of the table is held by a promise: none is there by chance."""
    table = {kept: dict(ways) for kept, ways in TRANSITIONS.items()}
    del table[state][event]

    problems = broken(table)

    assert problems


def test_no_line_can_be_added_unnoticed():
    """A new way is a new promise: any transition that isn't in the table breaks one, save harmless ones."""
    unnoticed = set()
    for state in State:
        for event in set(Event) - set(TRANSITIONS[state]):
            for to in State:
                table = {kept: dict(ways) for kept, ways in TRANSITIONS.items()}
                table[state][event] = to
                if not broken(table):
                    unnoticed.add((state, to))

    # Not held by a promise: stopping or giving up more easily, and waiting or planning again.
    safe_to = {
        State.HALTED,
        State.RECOVERING,
        State.ABANDONED,
        State.ROLLED_BACK,
        State.WAITING,
        State.PLANNED,
    }
    assert {(state, to) for state, to in unnoticed if to not in safe_to} == set()


@pytest.mark.parametrize(("state", "event"), lines())
def test_no_line_can_lead_into_exposure_unnoticed(state, event):
    """Turning any line toward applying, baking or completed breaks a promise."""
    for to in (State.APPLYING, State.BAKING, State.COMPLETED):
        if TRANSITIONS[state][event] is to:
            continue
        table = {kept: dict(ways) for kept, ways in TRANSITIONS.items()}
        table[state][event] = to

        assert broken(table), f"{state} --{event}--> {to}"


def test_after_follows_the_table():
    """What the table says is what happens."""
    for state, event in lines():
        assert after(state, event) is TRANSITIONS[state][event]


def test_a_pair_that_is_not_in_the_table_is_an_error_that_says_what_is_possible():
    """A message in the wrong state is a bug or a race, and is seen."""
    with pytest.raises(IllegalTransitionError) as caught:
        after(State.HELD, Event.PHASE_PASSED)

    assert caught.value.message == "a rollout that is held can't take phase_passed"
    assert "hold_ended" in caught.value.hint
    assert not caught.value.retryable


def test_nothing_is_possible_in_a_final_state():
    """The hint of an error about a finished rollout says that it's over."""
    with pytest.raises(IllegalTransitionError) as caught:
        after(State.COMPLETED, Event.RESUMED)

    assert "it's over" in caught.value.hint


def test_what_may_be_watched_is_not_over():
    """Signals are only read for rollouts that can still be stopped."""
    assert not WATCHED & FINAL
    assert all(Event.HARM_FOUND in TRANSITIONS[state] for state in WATCHED)
