"""
Do exposed members fill up faster than the others? For gauges such as memory, CPU and queues.

A gauge says little by itself: hosts differ for good, a busy one is busy all day, and a reading is nearly
the one before it. So neither levels nor readings are compared, but changes: each member's mean over the
later half of a block of readings less its own mean there in the block before. What a host has for good
cancels. At the end of a block each exposed member's change is ranked among those of the unexposed and
of the exposed ones ranked before it; ``v`` is its rank as a fraction, ties shared, and a bet multiplies by
``1 + b (2 v - 1)``.

Why it's a supermartingale. If the changes of all members are exchangeable given all earlier blocks, each
``v`` has mean 1/2 given the ranks before it, ties or not: the member is any of those it's ranked among
with equal chance. If exposed members grow less, the ranks only fall. So the product over members and
blocks is a supermartingale for every b in (0, 1), and so is a mixture.

How exact that is. Exactly: members whose changes from block to block are independent of their earlier
ones. Levels that return to their mean (an AR(1) load, daily swings common to all) make a high change
follow a low one, so a bet that is always on "up" loses in turn what it won: fewer false halts than
promised. In a random walk, the other extreme, the two halves that neighbouring changes share correlate
them by .1; whole blocks would by .25, and false halts would exceed alpha. Not covered: members that
differ in *how* they grow, such as a young process beside old ones. Compare members of one age, or leave
the warm-up out.

What it can see. A leak wins at every block. A level that jumps when members become exposed and then
stays is one change and wins once; that a host would have jumped anyway can't be excluded by waiting, only
by more members. A fixed limit on the gauge is the tool for that.
Source: sequential ranks are independent under exchangeability (Barndorff-Nielsen 1963); betting as in
Waudby-Smith and Ramdas (2024).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from tidegate.stats import arrays, mixture
from tidegate.stats.arrays import Floats

BETS = (0.3, 0.6, 0.95)
"""Parts of the stake that a bet puts on "up": for a tendency, a clear one, and one without exception."""

FEWEST_UNEXPOSED = 3
"""Below this a rank says next to nothing: of one exposed among two others the highest is expected every
third time. A block with fewer is no evidence."""

READINGS_PER_BLOCK = 10
"""Ten minutes at one reading a minute: longer than most gauges remember."""


@dataclass(frozen=True, slots=True)
class Level:
    """What is known of one member: readings in this block's later half, and the mean of the last one's."""

    exposed: bool
    total: float
    readings: int
    before: float | None


@dataclass(frozen=True, slots=True)
class MembersState:
    """Evidence that exposed members fill up faster, for one signal; make it with `new`."""

    readings_per_block: int
    readings: int
    """Readings in this block so far."""
    log_started: tuple[float, ...]
    """Log of stake x won per bet, in nats."""
    restarts: int
    """How often a part of the stake was started anew."""
    levels: Mapping[str, Level]

    def to_lists(self) -> dict[str, Any]:
        """Return the state as plain JSON values, exactly."""
        return {
            "readings_per_block": self.readings_per_block,
            "readings": self.readings,
            "log_started": list(self.log_started),
            "restarts": self.restarts,
            "levels": {
                name: [level.exposed, level.total, level.readings, level.before]
                for name, level in self.levels.items()
            },
        }

    @classmethod
    def from_lists(cls, lists: Mapping[str, Any]) -> Self:
        """
        Return the state that `to_lists` wrote.

        Raises:
            ValueError: something is missing, or isn't a finite number.
        """
        try:
            state = cls(
                readings_per_block=int(lists["readings_per_block"]),
                readings=int(lists["readings"]),
                log_started=tuple(arrays.numbers("log_started", lists["log_started"]).tolist()),
                restarts=int(lists["restarts"]),
                levels={
                    str(name): Level(
                        bool(exposed),
                        float(arrays.numbers("total", total)),
                        int(readings),
                        None if before is None else float(arrays.numbers("before", before)),
                    )
                    for name, (exposed, total, readings, before) in lists["levels"].items()
                },
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"MembersState can't be read: {error}") from error
        if len(state.log_started) != len(BETS):
            raise ValueError(f"MembersState must have {len(BETS)} bets")
        return state


def new(*, readings_per_block: int = READINGS_PER_BLOCK) -> MembersState:
    """
    Return the state of a signal that has seen nothing: log e-value 0.

    Args:
        readings_per_block: Updates per block, at least 1; a block should be longer than the gauge
            remembers.

    Raises:
        ValueError: *readings_per_block* is below 1.
    """
    if readings_per_block < 1:
        raise ValueError(f"readings_per_block must be at least 1, got {readings_per_block}")
    start = math.log(mixture.START_STAKE / len(BETS))
    return MembersState(readings_per_block, 0, (start,) * len(BETS), 0, {})


def update(
    state: MembersState,
    exposed: Mapping[str, float],
    unexposed: Mapping[str, float],
    *,
    starting: bool = False,
) -> MembersState:
    """
    Return the state after one reading of all members.

    A member that isn't read keeps what is known of it; one that isn't read in the later half of a
    block is forgotten. One that becomes exposed (or ceases to be) within a block starts its block
    anew, and is compared with what it was before.

    Args:
        state: The state before the reading.
        exposed: The gauge of each exposed member by name, in any one unit; higher is worse.
        unexposed: The same of the others.
        starting: True where a phase or an hour begins: a further part of the stake starts betting.

    Raises:
        ValueError: a gauge isn't a finite number, or a member is in both.
    """
    both = exposed.keys() & unexposed.keys()
    if both:
        raise ValueError(f"members must not be both exposed and unexposed, got {sorted(both)}")
    counts = state.readings >= state.readings_per_block // 2
    levels = dict(state.levels)
    for is_exposed, values in ((True, exposed), (False, unexposed)):
        for name, value in values.items():
            if not math.isfinite(value):
                raise ValueError(f"the gauge of {name} must be finite, got {value!r}")
            known = levels.get(name, Level(is_exposed, 0.0, 0, None))
            if known.exposed is not is_exposed:
                known = Level(is_exposed, 0.0, 0, known.before)
            if counts:
                known = replace(known, total=known.total + value, readings=known.readings + 1)
            levels[name] = known
    log_started, restarts = state.log_started, state.restarts
    if starting:
        restarts += 1
        stake = (1.0 - mixture.START_STAKE) / (restarts * (restarts + 1.0)) / len(BETS)
        log_started = tuple(float(np.logaddexp(row, math.log(stake))) for row in log_started)
    state = MembersState(
        state.readings_per_block, state.readings + 1, log_started, restarts, levels
    )
    return _close(state) if state.readings >= state.readings_per_block else state


def log_e_value(state: MembersState) -> float:
    """
    Return the log e-value now, in nats.

    Halting when it reaches ``log(1 / alpha)`` halts a harmless candidate with probability at most
    alpha, at whatever moments one looks, under the null of the module.
    """
    cash = float(mixture.log_cash(np.array([float(state.restarts)]))[0])
    return float(mixture.log_sum([np.array([row]) for row in (*state.log_started, cash)])[0])


def slope_ratio(times: npt.ArrayLike, exposed: npt.ArrayLike, unexposed: npt.ArrayLike) -> float:
    """
    Return how many times as fast as the unexposed the exposed members grow. For people, not a test.

    Args:
        times: When the levels were read, ascending, shape ``(readings,)``, in any unit.
        exposed: The exposed members' median level, same shape.
        unexposed: That of the others, same shape.

    Returns:
        The ratio of the least-squares slopes; infinite where only the exposed grow, 1 where none do.

    Raises:
        ValueError: there are less than two readings, or they aren't finite, ascending and in line.
    """
    at = arrays.numbers("times", times)
    if at.ndim != 1 or at.size < 2 or not (np.diff(at) > 0.0).all():
        raise ValueError(f"times must be at least two and ascend, got {at.tolist()}")
    around = at - at.mean()
    slopes = []
    for name, values in (("exposed", exposed), ("unexposed", unexposed)):
        levels = arrays.numbers(name, values)
        if levels.shape != at.shape:
            raise ValueError(f"{name} must have shape {at.shape}, got {levels.shape}")
        slopes.append(max(0.0, float((around * levels).sum() / (around * around).sum())))
    ours, theirs = slopes
    if theirs > 0.0:
        return ours / theirs
    return math.inf if ours > 0.0 else 1.0


def _close(state: MembersState) -> MembersState:
    """End a block: rank the changes, and make this block's means those of the block before."""
    changes: dict[bool, list[float]] = {True: [], False: []}
    for name in sorted(state.levels):
        level = state.levels[name]
        if level.readings and level.before is not None:
            changes[level.exposed].append(level.total / level.readings - level.before)
    log_started = state.log_started
    if len(changes[False]) >= FEWEST_UNEXPOSED:
        lean = 2.0 * _ranks(changes[True], changes[False]) - 1.0
        won = [sum(math.log1p(bet * float(part)) for part in lean) for bet in BETS]
        log_started = tuple(row + gain for row, gain in zip(log_started, won, strict=True))
    levels = {
        name: Level(level.exposed, 0.0, 0, level.total / level.readings)
        for name, level in state.levels.items()
        if level.readings
    }
    return MembersState(state.readings_per_block, 0, log_started, state.restarts, levels)


def _ranks(exposed: list[float], unexposed: list[float]) -> Floats:
    """Return each exposed change's rank in (0, 1) among the unexposed and the exposed before it."""
    pool = np.array([*unexposed, *exposed])
    ranks = np.empty(len(exposed))
    for index, change in enumerate(exposed):
        others = pool[: len(unexposed) + index]
        lower = float((others < change).sum()) + 0.5 * float((others == change).sum())
        ranks[index] = (lower + 0.5) / (others.size + 1.0)
    return ranks
