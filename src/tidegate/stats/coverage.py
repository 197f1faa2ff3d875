"""
Whether enough kinds of use were seen: how much use of a kind is enough, and how much is unknown yet.

A bake that nobody on a phone has met says nothing about phones. The numbers here are about counts of
use per cell (a combination of region, client, feature path); what a cell is, and which must be
covered, is the caller's business. Nothing here looks at harm.

Sources: the rule of three (Hanley & Lippman-Hand 1983, JAMA 249(13)); Good (1953), Biometrika 40, for
the mass of kinds never seen; Esty (1983), Annals of Statistics 11(3), for its spread; the hourly
shares are plain counts.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

MISSED_AT_MOST: Final = 0.05
"""A failure of the promised share stays unseen in a covered cell with at most this chance."""

HOURS_A_DAY: Final = 24
EVEN_SHARE: Final = 1.0 / HOURS_A_DAY
"""An hour is busy when it holds at least what each hour would hold if all were alike."""


def uses_needed(smallest_failure: float, *, missed: float = MISSED_AT_MOST) -> int:
    """
    Return how many uses of a cell show a failure of the share *smallest_failure* at least once.

    Without any failure among ``n`` uses, a true share ``h`` is excluded when ``exp(-n h) <= missed``:
    300 uses for 1 %, 60 for 5 %. A little more than the exact ``log(missed) / log(1 - h)``.

    Args:
        smallest_failure: Share of a cell's uses that fail, in (0, 1].
        missed: Chance of seeing none of them, in (0, 1).

    Raises:
        ValueError: an argument is outside its range.
    """
    _need_share("smallest_failure", smallest_failure)
    if not 0.0 < missed < 1.0:
        raise ValueError(f"missed must lie in (0, 1), got {missed}")
    # Rounded first, so that the last bit of a quotient doesn't ask for one use more.
    return math.ceil(round(math.log(1.0 / missed) / smallest_failure, 9))


def covered_share(
    use: Mapping[str, float], exposures: Mapping[str, float], *, needed: int
) -> float:
    """
    Return the share of all *use* that is of cells with at least *needed* exposures.

    Args:
        use: How much use the baseline has per cell, at least 0 each; only proportions matter.
        exposures: How often the candidate was used per cell; an absent cell was not.
        needed: Exposures that cover a cell.

    Returns:
        A share in [0, 1]; 0 when there is no use, for then nothing is known of it.

    Raises:
        ValueError: a number is negative or not finite.
    """
    _need_counts("use", use)
    _need_counts("exposures", exposures)
    total = math.fsum(use.values())
    if total <= 0.0:
        return 0.0
    covered = math.fsum(
        amount for cell, amount in use.items() if exposures.get(cell, 0.0) >= needed
    )
    return covered / total


def unseen_share(counts: Sequence[float]) -> float:
    """
    Return the estimated share of use that is of kinds never seen so far: Good's ``f1 / n``.

    Args:
        counts: Uses per kind seen, whole numbers, at least 0 each.

    Returns:
        A share in [0, 1]; 1 when nothing was seen, for then all is unknown.

    Raises:
        ValueError: a count is negative or not finite.
    """
    singles, _, total = _frequencies(counts)
    return singles / total if total else 1.0


def unseen_share_at_most(counts: Sequence[float], *, missed: float = MISSED_AT_MOST) -> float:
    """
    Return a share that use of kinds never seen exceeds with a chance of about *missed* at most.

    Good's estimate, Esty's one-sided normal bound around it, and the rule of three on top, since the
    spread of a handful of singletons is itself hardly known: without any singleton the bound is
    ``log(1 / missed) / n`` and not zero.

    Args:
        counts: Uses per kind seen, whole numbers, at least 0 each.
        missed: Chance in (0, 1).

    Returns:
        A share in [0, 1].

    Raises:
        ValueError: a count is negative or not finite, or *missed* is outside (0, 1).
    """
    if not 0.0 < missed < 1.0:
        raise ValueError(f"missed must lie in (0, 1), got {missed}")
    singles, doubles, total = _frequencies(counts)
    if not total:
        return 1.0
    spread = math.sqrt(singles * (1.0 - singles / total) + 2.0 * doubles) / total
    quantile = max(0.0, NormalDist().inv_cdf(1.0 - missed))
    return min(1.0, singles / total + quantile * spread + math.log(1.0 / missed) / total)


def busy_hours(use_per_second: Sequence[float | None]) -> frozenset[int] | None:
    """
    Return the hours of a day that hold at least a 24th of its use.

    Args:
        use_per_second: For each hour of the local day, 24 of them, how busy it was; None where
            nobody looked.

    Returns:
        Hours 0 to 23, or None when a day isn't known whole, or had no use at all.

    Raises:
        ValueError: there aren't 24 hours, or one is negative or not finite.
    """
    if len(use_per_second) != HOURS_A_DAY:
        raise ValueError(f"a day has {HOURS_A_DAY} hours, got {len(use_per_second)}")
    known = [use for use in use_per_second if use is not None]
    if any(not 0.0 <= use < math.inf for use in known):
        raise ValueError("use must be at least 0 and finite in every hour")
    total = math.fsum(known)
    if len(known) < HOURS_A_DAY or total <= 0.0:
        return None
    # An even day must not lose hours to rounding.
    least = EVEN_SHARE * total * (1.0 - 1e-9)
    return frozenset(hour for hour, use in enumerate(known) if use >= least)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filling:
    """How long the slowest of the cells that must be covered takes, and which one that is."""

    cell: str
    seconds: float


def time_to_fill(
    use_per_second: Mapping[str, float], *, candidate_share: float, needed: int, share: float
) -> Filling | None:
    """
    Return when the covered cells would hold *share* of all use, at a given exposure.

    The largest cells fill first, so the slowest one that is needed is the smallest of those that
    together hold *share*.

    Args:
        use_per_second: Expected use of both arms together per cell, at least 0 each.
        candidate_share: Share of it that meets the candidate, in (0, 1].
        needed: Exposures that cover a cell, at least 1.
        share: Share of all use that must be covered, in (0, 1].

    Returns:
        The slowest cell, or None when there is no use.

    Raises:
        ValueError: an argument is outside its range.
    """
    _need_counts("use_per_second", use_per_second)
    _need_share("candidate_share", candidate_share)
    _need_share("share", share)
    if needed < 1:
        raise ValueError(f"needed must be at least 1, got {needed}")
    total = math.fsum(use_per_second.values())
    held = 0.0
    # By name among equals, so that the same use always names the same cell.
    for cell, use in sorted(use_per_second.items(), key=lambda pair: (-pair[1], pair[0])):
        if use <= 0.0:
            break
        held += use
        if held >= share * total * (1.0 - 1e-9):
            return Filling(cell=cell, seconds=needed / (use * candidate_share))
    return None


def share_to_fill(
    use_per_second: Mapping[str, float], *, within_seconds: float, needed: int, share: float
) -> float | None:
    """
    Return the candidate's share at which `time_to_fill` takes *within_seconds*, None if none does.

    Raises:
        ValueError: an argument is outside its range.
    """
    if not 0.0 < within_seconds < math.inf:
        raise ValueError(f"within_seconds must be positive and finite, got {within_seconds}")
    everyone = time_to_fill(use_per_second, candidate_share=1.0, needed=needed, share=share)
    if everyone is None or everyone.seconds > within_seconds:
        return None
    return everyone.seconds / within_seconds


def _frequencies(counts: Sequence[float]) -> tuple[int, int, float]:
    """Return how many kinds were seen once, how many twice, and all uses."""
    if any(not 0.0 <= count < math.inf for count in counts):
        raise ValueError("counts must be at least 0 and finite")
    singles = sum(1 for count in counts if count == 1)
    doubles = sum(1 for count in counts if count == 2)
    return singles, doubles, math.fsum(counts)


def _need_share(name: str, value: float) -> None:
    if not 0.0 < value <= 1.0:
        raise ValueError(f"{name} must lie in (0, 1], got {value}")


def _need_counts(name: str, counts: Mapping[str, float]) -> None:
    for cell, count in counts.items():
        if not 0.0 <= count < math.inf:
            raise ValueError(f"{name} of {cell!r} must be at least 0 and finite, got {count}")
