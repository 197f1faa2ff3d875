"""
The states of a rollout and every way out of each.

Rule 1: all that can change a rollout's state is in TRANSITIONS. Nothing else in the code base
assigns a state.

Rule 2: a pair that's not in the table is an error and not a silent no-op: a message that arrives in
the wrong state is a bug or a race, and both deserve to be seen.

Rule 3: a person can always stop a rollout that isn't over, and nothing leaves a final state.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from tidegate.errors import IllegalTransitionError


class State(StrEnum):
    """Where a rollout is; the words of the glossary."""

    PLANNED = "planned"
    WAITING = "waiting"
    APPLYING = "applying"
    BAKING = "baking"
    HELD = "held"
    HALTED = "halted"
    RECOVERING = "recovering"
    COMPLETED = "completed"
    ROLLED_BACK = "rolled_back"
    ROLLED_FORWARD = "rolled_forward"
    SUPERSEDED = "superseded"
    ABANDONED = "abandoned"


class Event(StrEnum):
    """What can happen to a rollout."""

    STARTED = "started"
    PHASE_ENTERED = "phase_entered"
    APPLIED = "applied"
    PHASE_PASSED = "phase_passed"
    LAST_PHASE_PASSED = "last_phase_passed"
    PUT_ON_HOLD = "put_on_hold"
    HOLD_ENDED = "hold_ended"
    HARM_FOUND = "harm_found"
    HALTED_BY_PERSON = "halted_by_person"
    GAVE_UP_WAITING = "gave_up_waiting"
    ALARM_RAISED = "alarm_raised"
    STOP_ORDERED = "stop_ordered"
    GATE_TURNED_RED = "gate_turned_red"
    RESUMED = "resumed"
    RECOVERY_STARTED = "recovery_started"
    RECOVERED = "recovered"
    ABANDONED = "abandoned"
    SUPERSEDED = "superseded"


FINAL: Final[frozenset[State]] = frozenset(
    {
        State.COMPLETED,
        State.ROLLED_BACK,
        State.ROLLED_FORWARD,
        State.SUPERSEDED,
        State.ABANDONED,
    }
)

WATCHED: Final[frozenset[State]] = frozenset(
    {State.WAITING, State.APPLYING, State.BAKING, State.HELD}
)
"""States in which signals may have to be read: harm doesn't wait for data, targets or people."""

_STOPS: Final[Mapping[Event, State]] = {
    Event.HALTED_BY_PERSON: State.HALTED,
    Event.HARM_FOUND: State.HALTED,
    Event.GAVE_UP_WAITING: State.HALTED,
    Event.ALARM_RAISED: State.HALTED,
    Event.STOP_ORDERED: State.HALTED,
    Event.GATE_TURNED_RED: State.HALTED,
    Event.RECOVERY_STARTED: State.RECOVERING,
}

TRANSITIONS: Final[Mapping[State, Mapping[Event, State]]] = {
    State.PLANNED: {
        Event.STARTED: State.WAITING,
        # A return to the last known good starts by recovering: it has no phases to pass.
        Event.RECOVERY_STARTED: State.RECOVERING,
        Event.ABANDONED: State.ABANDONED,
        # In the queue nothing has begun: what is stopped there is taken out of it.
        Event.HALTED_BY_PERSON: State.ABANDONED,
        Event.SUPERSEDED: State.SUPERSEDED,
    },
    State.WAITING: {**_STOPS, Event.PHASE_ENTERED: State.APPLYING},
    State.APPLYING: {**_STOPS, Event.APPLIED: State.BAKING},
    State.BAKING: {
        **_STOPS,
        Event.PHASE_PASSED: State.WAITING,
        Event.LAST_PHASE_PASSED: State.COMPLETED,
        Event.PUT_ON_HOLD: State.HELD,
    },
    State.HELD: {**_STOPS, Event.HOLD_ENDED: State.BAKING, Event.RESUMED: State.BAKING},
    State.HALTED: {
        Event.RESUMED: State.WAITING,
        Event.RECOVERY_STARTED: State.RECOVERING,
        Event.ABANDONED: State.ABANDONED,
        Event.SUPERSEDED: State.SUPERSEDED,
        # Said again it stays said: whoever halts need not look first.
        Event.HALTED_BY_PERSON: State.HALTED,
    },
    State.RECOVERING: {
        Event.RECOVERED: State.ROLLED_BACK,
        Event.HALTED_BY_PERSON: State.RECOVERING,
        Event.RECOVERY_STARTED: State.RECOVERING,
    },
    State.COMPLETED: {},
    State.ROLLED_BACK: {},
    State.ROLLED_FORWARD: {},
    State.SUPERSEDED: {},
    State.ABANDONED: {},
}


def after(state: State, event: Event) -> State:
    """
    Return the state that *event* leads to from *state*.

    Raises:
        IllegalTransitionError: *state* can't take *event*.
    """
    try:
        return TRANSITIONS[state][event]
    except KeyError:
        can_take = ", ".join(sorted(TRANSITIONS[state])) or "nothing more, it's over"
        raise IllegalTransitionError(
            f"a rollout that is {state.value} can't take {event.value}",
            hint=f"in this state it can take: {can_take}",
        ) from None
