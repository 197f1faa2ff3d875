"""The physical limit, against values that were worked out beforehand."""

import math

import numpy as np
import pytest
from detecting import information, latencies, scenarios
from detecting.streams import Service


@pytest.mark.parametrize(
    ("baseline_rate", "candidate_rate", "share", "alpha", "requests"),
    [
        (0.001, 0.003, 0.05, 0.05, 2495),
        (0.001, 0.003, 0.01, 0.01, 3604),
        (0.001, 0.003, 0.50, 0.05, 5714),
        (0.001, 0.002, 0.05, 0.001, 19_073),
        (0.01, 0.02, 0.05, 0.05, 817),
        (0.01, 0.02, 0.25, 0.01, 1678),
        (0.01, 0.05, 0.01, 0.05, 74),
    ],
)
def test_no_test_needs_fewer_requests_than_this(
    baseline_rate: float, candidate_rate: float, share: float, alpha: float, requests: int
) -> None:
    """The limit for failing requests is that of the table, to a per cent."""
    needed = information.requests_at_least(baseline_rate, candidate_rate, share, alpha)

    assert needed == pytest.approx(requests, rel=0.01)


@pytest.mark.parametrize(("ratio", "events"), [(0.95, 2478), (0.8, 146), (0.5, 20), (0.0, 3)])
def test_a_loss_of_usage_needs_so_many_events(ratio: float, events: int) -> None:
    """The limit for orders is that of the table: losing all of them shows after three."""
    nats = information.poisson(np.ones(1), 0.05, ratio)

    assert math.log(20.0) / nats[0] == pytest.approx(events, abs=0.51)


def test_equal_arms_hold_no_information() -> None:
    """A harmless candidate is told apart from the baseline by nothing, however much traffic it has."""
    rate = np.array([0.001, 0.5])

    by_requests = information.bernoulli(np.full(2, 1e6), rate, np.full(2, 2e7), rate)
    by_events = information.poisson(np.full(2, 1e6), 0.05, 1.0)
    by_buckets = information.categories(np.array([0.2, 0.8]), np.array([0.2, 0.8]), 0.05)

    assert np.abs(by_requests).max() < 1e-9
    assert np.abs(by_events).max() < 1e-9
    assert by_buckets == 0.0


def test_two_buckets_are_failing_or_not() -> None:
    """A histogram of two buckets holds what its counts of failures hold."""
    ours, theirs = np.array([0.98, 0.02]), np.array([0.99, 0.01])

    nats = information.categories(ours, theirs, 0.05)

    assert math.log(20.0) / nats == pytest.approx(
        information.requests_at_least(0.01, 0.02, 0.05, 0.05)
    )


def test_buckets_lose_and_never_add() -> None:
    """What a histogram shows of a slower tail is less than there is, and coarse buckets show less."""
    slow = latencies.distribution(latencies.Slowdown(p99_times=1.2))
    usual = latencies.distribution(latencies.Slowdown())
    kept = []
    for edges in (latencies.EXPONENTIAL_S, latencies.PROMETHEUS_S):
        places = np.log(edges)[None, :]
        ours, theirs = (latencies.in_buckets(cdf, places)[0] for cdf in (slow, usual))
        seen = (ours > 0.0) & (theirs > 0.0)
        kept.append(information.categories(ours[seen], theirs[seen], 0.05))

    exact = latencies.nats_per_request(latencies.Slowdown(p99_times=1.2), 0.05)

    assert exact > kept[0] > kept[1] > 0.4 * exact


def test_the_limit_spans_so_many_ticks() -> None:
    """At 100 rps and 5 % a tick has 50 requests of the candidate: 2,495 of them are 50 ticks."""
    service = Service(requests_per_second=100.0, rate=0.001)

    assert scenarios.bound_ticks(service, 3.0) == pytest.approx(49.9, abs=0.2)
