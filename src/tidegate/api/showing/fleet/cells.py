"""
One rollout across the targets of the fleet: which columns there are, and what each cell says.

A cell is what the rollout allows there by the record: a mark, the exposure, and what is served. Nothing
is asked of targets; thousands of cells are made at once, so each is a few words that are made once.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final, NamedTuple

from tidegate.api.words import REACH_MARKS, STATE_MARKS, TEXT_STYLE
from tidegate.domain.plan.model import Move, Phase
from tidegate.domain.quantities import NO_EXPOSURE, Exposure, TargetName
from tidegate.domain.rollout.decisions import FULL_EXPOSURE
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import Rollout
from tidegate.domain.rollout.seen import allowed_phase_index, is_rehearsed_on

MOST_COLUMNS: Final = 40
"""More targets than this are no matrix any more; the least used share the last column."""

LONGEST_VERSION: Final = 12


class Reach(StrEnum):
    """How far a rollout has come on one target. The value is the class of its cell."""

    DONE = "d"
    """Everything that the plan has for it."""
    PART = "p"
    """More than nobody, and not what moves now."""
    NOW = "n"
    """Moved by the phase that the rollout is in."""
    AHEAD = "a"
    BACK = "b"
    """It had been there and was taken back."""
    NOT_OF_IT = "o"


class Column(NamedTuple):
    """A target under its ring. A tuple, because they are hashed by the ten thousand."""

    ring: str
    target: str


@dataclass(frozen=True, slots=True)
class Cell:
    """
    What one rollout is on one target, ready to be shown.

    `look` is the name of its colours: its reach, or the state of the rollout where that moves now.
    `words` is the exposure where it isn't told by the reach, `short` and `full` are mark and words
    without and with what is served.
    """

    reach: Reach
    look: str
    words: str
    short: str
    full: str


@lru_cache(maxsize=20_000)
def a_cell(reach: Reach, state: State, words: str, served: str) -> Cell:
    """Return the cell of these values. Most of a fleet's cells are alike, and shared."""
    is_now = reach is Reach.NOW
    mark = STATE_MARKS[state] + TEXT_STYLE if is_now else REACH_MARKS[reach]
    short = f"{mark} {words}" if words else mark
    return Cell(
        reach=reach,
        look=state.value if is_now else reach.value,
        words=words,
        short=short,
        full=f"{short} {served}" if served else short,
    )


NOT_OF_IT: Final = Cell(Reach.NOT_OF_IT, Reach.NOT_OF_IT.value, "", "", "")

_BEGUN: Final = frozenset({State.APPLYING, State.BAKING, State.HELD, State.COMPLETED})
_STOPPED: Final = frozenset({State.HALTED, State.RECOVERING, State.ROLLED_BACK})


def columns_of(lines: Iterable[Mapping[Column, Cell]]) -> tuple[Column, ...]:
    """
    Return the columns that show *lines*: rings in the order in which plans come to them.

    Where plans disagree the average counts. At most `MOST_COLUMNS`, those that most rollouts move.
    """
    places: defaultdict[str, list[float]] = defaultdict(list)
    used: Counter[Column] = Counter()
    for line in lines:
        used.update(line.keys())
        rings = dict.fromkeys(column.ring for column in line)
        for index, ring in enumerate(rings):
            places[ring].append(index / len(rings))
    order = {ring: sum(found) / len(found) for ring, found in places.items()}
    kept = sorted(used, key=lambda one: (-used[one], one))[:MOST_COLUMNS]
    return tuple(sorted(kept, key=lambda one: (order[one.ring], one.ring, _natural(one.target))))


def cells_of(rollout: Rollout) -> dict[Column, Cell]:
    """Return what *rollout* is on each of its targets, in the order of its plan."""
    now = _allowed(rollout)
    phases = rollout.plan.phases
    end = _largest(phases)
    moved = {move.placement.target for move in rollout.phase.moves}
    before = {move.placement.target for move in _moves(phases[: rollout.phase_index])}
    old, new = _versions(rollout)
    rings = _rings(rollout)
    cells: dict[Column, Cell] = {}
    for target, last in end.items():
        exposure = now.get(target, NO_EXPOSURE)
        reach = _reach(rollout, target, exposure, last, moved, before)
        says = reach in (Reach.PART, Reach.NOW)
        meets = exposure != NO_EXPOSURE and (says or reach is Reach.DONE)
        served = new if meets else old.get(target, "")
        words = exposure_words(exposure) if says else ""
        cells[Column(rings[target], target)] = a_cell(reach, rollout.state, words, served)
    return cells


def _rings(rollout: Rollout) -> dict[TargetName, str]:
    """Return the ring of each target; of one that the rollout doesn't describe, that of its first phase."""
    rings: dict[TargetName, str] = {target.name: target.ring for target in rollout.targets}
    for phase in rollout.plan.phases:
        for move in phase.moves:
            rings.setdefault(move.placement.target, phase.ring)
    return rings


def _natural(name: str) -> tuple[tuple[int, int, str], ...]:
    """Return what sorts `eu-9` before `eu-10`."""
    return tuple(
        (0, int(part), "") if part.isdecimal() else (1, 0, part)
        for part in re.split(r"([0-9]+)", name)
    )


def exposure_words(exposure: Exposure) -> str:
    """Return an exposure in the fewest words: `0%`, `internal`, `25%`."""
    if exposure.weight_bps == 0:
        return "internal" if exposure.internal else "0%"
    return str(exposure)


def _reach(
    rollout: Rollout,
    target: TargetName,
    exposure: Exposure,
    end: Exposure,
    moved: set[TargetName],
    before: set[TargetName],
) -> Reach:
    state = rollout.state
    if state is State.COMPLETED:
        return Reach.DONE
    if rollout.is_return:
        return Reach.DONE if state is State.ROLLED_BACK else Reach.NOW
    if state in _STOPPED:
        return Reach.BACK if target in before or target in moved else Reach.AHEAD
    if rollout.is_final or state is State.PLANNED:
        return Reach.AHEAD
    if target in moved:
        return Reach.NOW
    if exposure == NO_EXPOSURE:
        return Reach.AHEAD
    return Reach.DONE if exposure == end else Reach.PART


def _allowed(rollout: Rollout) -> dict[TargetName, Exposure]:
    """Return the exposure that *rollout* allows on each target now: the largest of its components."""
    phases = rollout.plan.phases
    if rollout.is_return or (rollout.is_install and rollout.state in _BEGUN):
        return dict.fromkeys(_largest(phases), FULL_EXPOSURE)
    if is_rehearsed_on(rollout):
        return dict.fromkeys(_largest(phases), Exposure(internal=True, weight_bps=0))
    index = allowed_phase_index(rollout)
    return {} if index is None else _largest(phases[: index + 1])


def _largest(phases: Sequence[Phase]) -> dict[TargetName, Exposure]:
    found: dict[TargetName, Exposure] = {}
    for move in _moves(phases):
        target = move.placement.target
        known = found.get(target)
        if known is None or move.exposure.exceeds(known):
            found[target] = move.exposure
    return found


def _moves(phases: Sequence[Phase]) -> Iterable[Move]:
    return (move for phase in phases for move in phase.moves)


def _versions(rollout: Rollout) -> tuple[dict[TargetName, str], str]:
    """Return what each target served before, and what the rollout brings; the first component's."""
    brings = rollout.change.components[0] if rollout.change.components else None
    if brings is None:
        return {}, ""
    old = {
        place.target: short_version(version.name)
        for place, version in rollout.baselines
        if place.component == brings.component
    }
    more = f"+{len(rollout.change.components) - 1}" if len(rollout.change.components) > 1 else ""
    return old, short_version(brings.to.name) + more


def short_version(name: str) -> str:
    """Return the name of a version, cut where it would make a column wide."""
    return name if len(name) <= LONGEST_VERSION else f"{name[: LONGEST_VERSION - 1]}…"
