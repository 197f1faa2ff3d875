"""
Writes `docs/reference/states.md` from the table of transitions, so that the picture can't be wrong.

Nothing is said here that the code doesn't say: states, events and reasons come from their enums, and
their meaning in words is checked to be complete. Run: `python tools/docs/states.py`.
"""

from pathlib import Path
from typing import Final

from tidegate.domain.rollout.machine import FINAL, TRANSITIONS, WATCHED, Event, State
from tidegate.domain.rollout.model import HaltCause, ReasonCode

PAGE: Final = Path(__file__).parents[2] / "docs" / "reference" / "states.md"

STATES: Final = {
    State.PLANNED: "recorded, not started",
    State.WAITING: "before a phase: rehearsal, approval, or the next step; what is exposed stays so",
    State.APPLYING: "the phase's exposure was asked for and isn't yet seen everywhere",
    State.BAKING: "everything serves what was asked; signals are read and time counts",
    State.HELD: "the bake is frozen: data is missing, harm is suspected, an alarm is active, or nothing"
    " was decided in time",
    State.HALTED: "stopped and withdrawn; exposure only falls; a person decides",
    State.RECOVERING: "everyone is brought back to what was served before",
    State.COMPLETED: "the candidate is the new baseline; the old version stays warm for a while",
    State.ROLLED_BACK: "everything was seen to serve what it served before",
    State.ROLLED_FORWARD: "not reached by this version",
    State.SUPERSEDED: "a newer change took its place in the queue, or what it would bring is served"
    " already",
    State.ABANDONED: "given up by a person while halted or queued; nobody is exposed",
}

REASONS: Final = {
    ReasonCode.STARTING: "its next step",
    ReasonCode.REHEARSING: "the rehearsal of the way back, on internal traffic",
    ReasonCode.QUEUE: "its turn: another rollout has its targets",
    ReasonCode.STOP_ORDER: "a stop order to be lifted",
    ReasonCode.DEBT: "an overdue debt of an emergency: its gate must turn green, or two give it up",
    ReasonCode.WINDOW: "a window to open or a freeze to end; what is exposed stays so",
    ReasonCode.GATE: "a gate to turn green: no answer, an old and an unclear one aren't",
    ReasonCode.APPROVAL: "a person's yes to the next phase",
    ReasonCode.APPLYING: "targets to serve what was asked, until `apply_within`",
    ReasonCode.BAKE_TIME: "the rest of the bake's time; the proof is there",
    ReasonCode.WORKING_DAY: "a whole working day of each target, which `cover: business-day` asks for",
    ReasonCode.MORE_EVIDENCE: "proof: more requests, usage or exercise",
    ReasonCode.NO_DATA: "usable data; halts after `no_data.halt_after`",
    ReasonCode.SUSPECTED_HARM: "harm to be cleared or proven; exposure doesn't move meanwhile",
    ReasonCode.ALARM: "an alert or a report to be resolved; exposure doesn't rise meanwhile",
    ReasonCode.NOT_THIS_CHANGE: "trouble that both arms have to end; the detail names a suspect",
    ReasonCode.STAGGER: "some time since a related rollout was exposed to more",
    ReasonCode.INCONCLUSIVE: "a person: `bake_max` passed and nothing was proven",
    ReasonCode.WITHDRAWING: "targets to be seen without the candidate",
    ReasonCode.PERSON_AFTER_HALT: "a person: resume, roll back or abandon",
    ReasonCode.RECOVERING: "the way back to be seen everywhere",
    ReasonCode.QUARANTINE: "the end of the quarantine, in which the way back is instant",
    ReasonCode.NOTHING: "nothing: it is over",
}

CAUSES: Final = {
    HaltCause.HARM: "harm was proven, or the proxy cut candidate members off, or they restarted",
    HaltCause.PERSON: "a person stopped it, or a stop was found latched at a target",
    HaltCause.NO_DATA: "usable data was missing for too long",
    HaltCause.NOT_APPLIED: "a target didn't serve what was asked within `apply_within`",
    HaltCause.ALARM: "an alert of page severity, or a user report, where the candidate was met",
    HaltCause.STOP_ORDER: "a stop order that withdraws covers it",
    HaltCause.GATE: "a gate that an emergency had put off turned red",
}


def diagram() -> str:
    """Return the machine as Mermaid; events with the same way share an arrow."""
    lines = ["stateDiagram-v2", "    [*] --> planned"]
    for state, ways in TRANSITIONS.items():
        arrows: dict[State, list[Event]] = {}
        for event, to in ways.items():
            if to is not state:
                arrows.setdefault(to, []).append(event)
        for to, heard in arrows.items():
            names = ", ".join(event.value for event in heard)
            lines.append(f"    {state.value} --> {to.value}: {names}")
    reached = {to for ways in TRANSITIONS.values() for to in ways.values()}
    lines += [f"    {state.value} --> [*]" for state in State if state in FINAL & reached]
    return "\n".join(lines)


def page() -> str:
    """Return the whole page."""
    silent = {*State, *ReasonCode, *HaltCause} - {*STATES, *REASONS, *CAUSES}
    if silent:
        raise SystemExit(f"no words for {', '.join(sorted(silent))}: add them here")
    states = "\n".join(
        f"| `{state.value}` | {words} | {_yes(state in WATCHED)} | {_yes(state in FINAL)} |"
        for state, words in STATES.items()
    )
    table = "\n".join(
        f"| `{state.value}` | `{event.value}` | `{to.value}` |"
        for state, ways in TRANSITIONS.items()
        for event, to in ways.items()
    )
    reasons = "\n".join(f"| `{reason.value}` | {words} |" for reason, words in REASONS.items())
    causes = "\n".join(f"| `{cause.value}` | {words} |" for cause, words in CAUSES.items())
    return f"""\
# States of a rollout

Made from the table that the engine itself uses; there is no other way from state to state. A pair that
isn't in it is refused with the error `rollout.illegal_transition`.

```mermaid
{diagram()}
```

| state | means | may be watched | final |
| --- | --- | --- | --- |
{states}

While something is exposed its signals are read, also in `waiting` and `held`: harm doesn't wait for
people. Only time in `baking` counts as bake. A completed rollout gets steps until its quarantine is
over; then it is settled.

## What a rollout waits for

`status`, `why` and the API's `waiting_on.reason_code` say one of these. Scripts may match on them.

| reason | waits for |
| --- | --- |
{reasons}

## What stops a rollout

| cause | means |
| --- | --- |
{causes}

After `harm` and `not_applied` the rollout recovers by itself when the plan says
`recovery: rollback` (the default). After `person` and `no_data` it stays halted until a person decides.

## Every transition

| in | hears | becomes |
| --- | --- | --- |
{table}
"""


def _yes(answer: bool) -> str:
    return "yes" if answer else ""


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
