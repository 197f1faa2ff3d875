"""
The bets of `latency_family`: how likely a slower candidate is to end in each bucket, and what that costs.

Rule: what is returned is the log factor of a tick for a function L of the bucket that never falls, as
`latency_family` derives it; only how good a bet is depends on the past, never whether it's fair. Sums are
running sums, which add bucket by bucket in any batch: a stream's numbers must not depend on its
neighbours.
"""

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from tidegate.stats.arrays import Floats

RATE_FLOOR = 1e-7
"""A bet needs rates inside (0, 1). One in ten million is below what any bake can see."""

MOST_LOG_ODDS = 30.0
"""Beyond this a share of requests and 1 are the same number."""

LONE_SLOPE = 3.0
"""How the log odds of being faster grow with the log of latency where one edge alone can't tell."""


def parted(below: Floats, edges: npt.NDArray[np.intp]) -> Floats:
    """
    Return the requests below and above each edge, shape ``(2, edges, streams)``.

    Args:
        below: Requests up to the end of each bucket, shape ``(buckets, streams)``.
        edges: Indices of the buckets that end at an edge.
    """
    up_to = below[edges]
    return np.array((up_to, below[-1] - up_to))


def at_edges(
    odds_ratios: Floats,
    rate: Floats,
    margin: Floats,
    share: Floats,
    candidate: Floats,
    both_arms: Floats,
) -> Floats:
    """
    Return the log factors of the bets at the edges, shape ``(odds * edges, streams)``.

    Args:
        odds_ratios: Shape ``(odds,)``.
        rate: How often the baseline is expected to exceed each edge, shape ``(edges, streams)``.
        margin: The null ratio, shape ``(streams,)``.
        share: The candidate's share of the requests, shape ``(streams,)``.
        candidate: The candidate's requests below and above each edge, from `parted`.
        both_arms: The same of both arms together.
    """
    border = np.clip(margin * rate, RATE_FLOOR, 1.0 - RATE_FLOOR)
    odds = odds_ratios[:, None, None] * (border / (1.0 - border))
    raised = odds / (1.0 + odds)
    bet = np.array(((1.0 - raised) / (1.0 - border), raised / border))
    change = candidate[:, None] * np.log(bet)
    change -= both_arms[:, None] * _log_costs(bet, bet[0], margin, share)
    result: Floats = (change[0] + change[1]).reshape(-1, change.shape[-1])
    return result


def on_stretches(
    bounds: Floats,
    stretches: Floats,
    past: Floats,
    ends: Floats,
    margin: Floats,
    share: Floats,
    candidate: Floats,
    both_arms: Floats,
) -> Floats:
    """
    Return the log factors of the bets on a stretch, shape ``(stretches, streams)``.

    Between two bounds the log odds of being faster are taken as linear in the log of latency, which
    holds near enough for a bell as well as for the power law of a tail, and beyond the outermost two
    bounds as well.

    Args:
        bounds: Upper bounds of all buckets but the last, shape ``(buckets - 1,)``.
        stretches: Factors on all latencies, shape ``(stretches,)``.
        past: The baseline's share of requests up to each bound, shape ``(buckets - 1, streams)``.
        ends: The part at both ends of the past that is lumped together, shape ``(streams,)``.
        margin: The null ratio, shape ``(streams,)``.
        share: The candidate's share of the requests, shape ``(streams,)``.
        candidate: The candidate's requests in each bucket, shape ``(buckets, streams)``.
        both_arms: The same of both arms together.
    """
    log_odds = np.log(past / (1.0 - past))
    place, part = _sources(bounds.tobytes(), stretches.tobytes())
    slope = np.full_like(log_odds, LONE_SLOPE) if len(past) == 1 else log_odds[1:] - log_odds[:-1]
    stretched = np.clip(log_odds[place] + part * slope[place], -MOST_LOG_ODDS, MOST_LOG_ODDS)
    faster = 1.0 / (1.0 + np.exp(-stretched))
    bet = _rising(past[None], faster, ends)
    if (margin > 1.0).any():
        bet = _beyond_margin(bet, faster, past, margin)
    change = candidate * np.log(bet) - both_arms * _log_costs(bet, bet[:, :1], margin, share)
    result: Floats = np.cumsum(change, axis=1)[:, -1]
    return result


def _rising(past: Floats, faster: Floats, ends: Floats) -> Floats:
    """
    Return how many times likelier each bucket became, made never falling.

    What lies in the lowest and the highest *ends* of the past is lumped together: few requests say
    little of a single bucket there. Where noise or a second hump lets the ratio fall, the bet goes
    midway between the highest before and the lowest after, but not above what all slower buckets
    together became likelier, nor below what all faster ones did; the best bet that never falls,
    isotonic regression, isn't either.
    """
    low, high = past < ends, past > 1.0 - ends
    before, after = (np.where(low, 0.0, np.where(high, 1.0, up_to)) for up_to in (past, faster))
    shares_before, shares_after = _in_buckets(before), _in_buckets(after)
    ratio = np.full(shares_after.shape, np.nan)
    np.divide(shares_after, shares_before, out=ratio, where=shares_before > 0.0)
    # Lumped buckets have no ratio of their own and take that of their neighbour.
    highest = np.fmax.accumulate(ratio, axis=1)
    lowest = np.fmin.accumulate(ratio[:, ::-1], axis=1)[:, ::-1]
    midway = np.sqrt(np.fmax(highest, lowest) * np.fmin(highest, lowest))
    most, least = np.ones_like(ratio), np.ones_like(ratio)
    np.maximum.accumulate((1.0 - faster) / (1.0 - past), axis=1, out=most[:, 1:])
    np.minimum.accumulate((faster / past)[:, ::-1], axis=1, out=least[:, -2::-1])
    bet: Floats = np.clip(midway, least, most)
    return bet


def _beyond_margin(bet: Floats, faster: Floats, past: Floats, margin: Floats) -> Floats:
    """
    Return the bet on a stretch against the null's border instead of against equal arms.

    Up to a bound the border's mass is ``1 - r P(slower)``, above it r times the baseline's. So up to
    the bound L is one number, the bet's mass there over the border's, and above it the bet over r;
    the bound is the first above which L still rises. Where there's none (a stretch too small for the
    margin) nothing is bet.
    """
    left = 1.0 - margin * (1.0 - past)
    lowest = np.where(left > RATE_FLOOR, faster / np.maximum(left, RATE_FLOOR), np.inf)
    lowered = bet / margin
    rises = lowered[:, 1:] >= lowest
    cut = np.argmax(rises, axis=1)[:, None]
    flat = np.take_along_axis(lowest, cut, axis=1)
    bucket = np.arange(bet.shape[1])[:, None]
    found = np.any(rises, axis=1, keepdims=True)
    beyond = np.where(found, np.where(bucket <= cut, flat, lowered), 1.0)
    # A stream without a margin must not depend on whether others of its batch have one.
    return np.where(margin > 1.0, beyond, bet)


def _log_costs(bet: Floats, lowest: Floats, margin: Floats, share: Floats) -> Floats:
    """Return ``log D`` where L is *bet* and where it's least *lowest*."""
    cost: Floats = np.log1p(share * (margin * bet - 1.0))
    if not (margin > 1.0).any():
        return cost
    cost -= np.log1p(share * (margin * lowest - 1.0)) - np.log1p(share * (lowest - 1.0))
    return cost


def _in_buckets(up_to: Floats) -> Floats:
    """Return the share in each bucket from the shares up to each bound along axis 1."""
    shares = np.empty((up_to.shape[0], up_to.shape[1] + 1, up_to.shape[2]))
    shares[:, 0] = up_to[:, 0]
    np.subtract(up_to[:, 1:], up_to[:, :-1], out=shares[:, 1:-1])
    shares[:, -1] = 1.0 - up_to[:, -1]
    return shares


@lru_cache(maxsize=256)
def _sources(bounds: bytes, stretches: bytes) -> tuple[npt.NDArray[np.intp], Floats]:
    """
    Return where each bound lies before a stretch: after which bound, and how far to the next.

    Two arrays of shape ``(stretches, buckets - 1)`` and ``(stretches, buckets - 1, 1)``. They depend
    on the grids alone and would be half of a tick's work.
    """
    places = np.log(np.frombuffer(bounds))
    wanted = places - np.log(np.frombuffer(stretches))[:, None]
    if places.size == 1:
        return np.zeros(wanted.shape, dtype=np.intp), (wanted - places)[:, :, None]
    place = np.clip(np.searchsorted(places, wanted, side="right") - 1, 0, places.size - 2)
    part = (wanted - places[place]) / (places[place + 1] - places[place])
    return place, part[:, :, None]
