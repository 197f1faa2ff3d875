"""
Noticing that both arms got worse: the fold over the baseline's own past that a replay runs again.

The baseline is compared with what it was in the last hour. That is weak evidence (a release of load or a
dependency explains it as well as anything), so it only holds, never halts and never advances. Time of
day moves rates too; what triples them within an hour doesn't. Nothing here knows the candidate.
"""

import math
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from tidegate.stats import onset

MEMORY: Final = timedelta(hours=1)
"""How long the baseline's past counts: e-folding time of what it was like."""

FACTOR: Final = 3.0
"""Up to so many times the usual rate is the day's course, not trouble."""

LEARNING_REQUESTS: Final = 200.0
"""Requests of the baseline before anything is called usual."""

FALSE_NOTICE_TICKS: Final = 1_000_000
"""A calm baseline is taken for troubled once in so many ticks at most: 115 days at 10 s."""

CALM_TICKS: Final = 18
"""Trouble is over after so many ticks in a row whose recent rate isn't trouble: 3 minutes at 10 s."""

RECENT_KEPT: Final = 0.8
"""What the recent rate keeps per tick: the last five ticks, so that one bad request isn't trouble."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommonState:
    """
    What one errors signal's baseline is like, and whether that is trouble.

    `usual_*` are counts that fade; `test` asks whether the rate exceeds the limit that they set. While in
    trouble `troubled_*` are its counts so far, `recent_*` those of its last ticks, which fade fast.
    """

    test: onset.OnsetState
    usual_bad: float = 0.0
    usual_total: float = 0.0
    since: datetime | None = None
    troubled_bad: int = 0
    troubled_total: int = 0
    recent_bad: float = 0.0
    recent_total: float = 0.0
    calm_ticks: int = 0


def begin() -> CommonState:
    """Return the state before any tick."""
    return CommonState(test=onset.new(1))


def limit(state: CommonState, tolerance: float) -> float:
    """Return the rate above which the baseline is in trouble: what is usual, times 3, plus *tolerance*."""
    bad, total = state.usual_bad, state.usual_total
    upper = (bad + 1.0 + 2.0 * math.sqrt(bad + 1.0)) / (total + 2.0)
    return min(0.9, FACTOR * min(0.3, upper) + tolerance)


def absorb(
    state: CommonState,
    *,
    at: datetime,
    passed: timedelta,
    bad: int,
    total: int,
    tolerance: float,
) -> CommonState:
    """
    Return the state after one tick of the baseline.

    Args:
        state: The state before the tick.
        at: The end of the tick.
        passed: How long it was.
        bad: Bad requests of the baseline in it.
        total: Its requests.
        tolerance: What is tolerated of the signal, as a rate.
    """
    if total == 0:
        return state
    if state.since is not None:
        return _in_trouble(state, bad=bad, total=total, tolerance=tolerance)
    if state.usual_total < LEARNING_REQUESTS:
        return _usual(state, passed, bad, total)
    border = limit(state, tolerance)
    test = onset.update(state.test, [bad], [total], limit=[border])
    if float(onset.log_value(test)[0]) >= math.log(FALSE_NOTICE_TICKS):
        return replace(
            state,
            test=onset.new(1),
            since=at,
            troubled_bad=bad,
            troubled_total=total,
            recent_bad=float(bad),
            recent_total=float(total),
            calm_ticks=0,
        )
    tested = replace(state, test=test)
    # What may be the beginning of trouble must not be learned as usual.
    return tested if bad > border * total else _usual(tested, passed, bad, total)


def _usual(state: CommonState, passed: timedelta, bad: int, total: int) -> CommonState:
    kept = math.exp(-max(passed, timedelta(0)) / MEMORY)
    return replace(
        state, usual_bad=kept * state.usual_bad + bad, usual_total=kept * state.usual_total + total
    )


def _in_trouble(state: CommonState, *, bad: int, total: int, tolerance: float) -> CommonState:
    border = limit(state, tolerance)
    recent_bad = RECENT_KEPT * state.recent_bad + bad
    recent_total = RECENT_KEPT * state.recent_total + total
    is_calm = recent_bad <= border * recent_total
    calm_ticks = state.calm_ticks + 1 if is_calm else 0
    over = calm_ticks >= CALM_TICKS
    return replace(
        state,
        since=None if over else state.since,
        troubled_bad=state.troubled_bad + (0 if is_calm else bad),
        troubled_total=state.troubled_total + (0 if is_calm else total),
        recent_bad=recent_bad,
        recent_total=recent_total,
        calm_ticks=0 if over else calm_ticks,
    )


def rates(state: CommonState) -> tuple[float, float]:
    """Return the baseline's rate in this trouble and the usual one; 0 where there is nothing to divide."""
    troubled = state.troubled_bad / state.troubled_total if state.troubled_total else 0.0
    usual = state.usual_bad / state.usual_total if state.usual_total else 0.0
    return troubled, usual


def to_lists(state: CommonState) -> dict[str, Any]:
    """Return *state* as plain JSON values."""
    return {
        "test": state.test.to_lists(),
        "usual_bad": state.usual_bad,
        "usual_total": state.usual_total,
        "since": state.since.isoformat() if state.since else None,
        "troubled_bad": state.troubled_bad,
        "troubled_total": state.troubled_total,
        "recent_bad": state.recent_bad,
        "recent_total": state.recent_total,
        "calm_ticks": state.calm_ticks,
    }


def from_lists(kept: dict[str, Any]) -> CommonState:
    """
    Return the state that `to_lists` wrote.

    Raises:
        KeyError, TypeError, ValueError: it isn't one.
    """
    since = kept["since"]
    return CommonState(
        test=onset.OnsetState.from_lists(kept["test"]),
        usual_bad=float(kept["usual_bad"]),
        usual_total=float(kept["usual_total"]),
        since=datetime.fromisoformat(since) if since else None,
        troubled_bad=int(kept["troubled_bad"]),
        troubled_total=int(kept["troubled_total"]),
        recent_bad=float(kept["recent_bad"]),
        recent_total=float(kept["recent_total"]),
        calm_ticks=int(kept["calm_ticks"]),
    )
