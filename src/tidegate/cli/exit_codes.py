"""
The exit codes, each with one meaning. Scripts rely on them, so none is ever reused.

Codes of errors are those of the error's class, by the `code` that the server sends.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from tidegate.errors import TidegateError

if TYPE_CHECKING:
    from tidegate.api.shapes.rollout import Rollout

DONE: Final = 0
ERROR: Final = 1
USAGE: Final = 2
NEEDS_PERSON: Final = 3
NOT_ALLOWED: Final = 4
ROLLED_BACK: Final = 5
REFUSED: Final = 6
MOVED: Final = 7
STILL_RUNNING: Final = 8
PLAN_HAS_CHANGES: Final = 10

MEANINGS: Final[Mapping[int, str]] = {
    DONE: "done, healthy, accepted",
    ERROR: "an error",
    USAGE: "wrong usage, or an invalid file",
    NEEDS_PERSON: "halted, held or abandoned: a person has to act, or has",
    NOT_ALLOWED: "not allowed, or no valid token",
    ROLLED_BACK: "rolled back",
    REFUSED: "refused by a rule, a gate or the present state of the service",
    MOVED: "the state moved: look again",
    STILL_RUNNING: "still running (detached, or timed out)",
    PLAN_HAS_CHANGES: "the plan has changes (`plan --detailed-exitcode`)",
}

_OF_FINAL_STATE: Final[Mapping[str, int]] = {
    "completed": DONE,
    "rolled_forward": DONE,
    "rolled_back": ROLLED_BACK,
    "superseded": NEEDS_PERSON,
    "abandoned": NEEDS_PERSON,
}


def of_rollout(rollout: "Rollout") -> int | None:
    """Return the exit code of a rollout that goes no further by itself, None while it may."""
    if rollout.is_return and rollout.state == "rolled_back":
        # Going back was what was asked for.
        return DONE
    if rollout.is_final:
        return _OF_FINAL_STATE.get(rollout.state, ERROR)
    return NEEDS_PERSON if rollout.waiting_on.needs_person else None


def error_kinds() -> dict[str, type[TidegateError]]:
    """Return every class of error by its code."""
    return {kind.code: kind for kind in _with_descendants(TidegateError)}


def _with_descendants(kind: type[TidegateError]) -> Iterator[type[TidegateError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _with_descendants(child)
