"""The benchmark of detection runs, says what it measured in the agreed form, and can say no."""

import json
import math
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from detecting import bounds, latency_scenarios, scenarios, streams
from detecting.bounds import Bound
from detecting.play import play

SCRIPT = Path(__file__).parents[3] / "benchmarks" / "detection.py"
ROW_KEYS = {
    "scenario",
    "rule",
    "alpha",
    "runs",
    "false_halt",
    "false_halt_se",
    "information_over_bound",
    "median_delay_s",
}


def test_the_quick_run_answers_in_the_agreed_form() -> None:
    """`--quick -o json` gives rows and bounds; with a handful of runs nothing can be broken."""
    command = [sys.executable, str(SCRIPT), "--quick", "-o", "json", "--runs", "4"]

    done = subprocess.run(
        [*command, "--only", "usage 2 % of", "--processes", "1"],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )

    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["quick"] is True
    assert {row["rule"] for row in answer["rows"]} == {
        "tidegate",
        "kayenta mann-whitney, hourly",
        "z-test, every tick",
    }
    for row in answer["rows"]:
        assert set(row) >= ROW_KEYS
        assert row["runs"] == 4
        assert 0.0 <= row["false_halt"] <= 1.0
    assert {"name", "measured", "limit", "ok"} <= set(answer["bounds"][0])


def test_every_scenario_has_a_title_of_its_own() -> None:
    """Other processes are told what to measure by title."""
    titles = [scenario.title for scenario in scenarios.all_scenarios()]

    assert len(set(titles)) == len(titles)


def test_errors_are_given_to_all_four_rules_of_others() -> None:
    """Wherever errors are counted, ours stands beside the rules that others document."""
    for scenario in scenarios.all_scenarios():
        names = {variant.make(1).name for variant in scenario.variants}
        if scenario.name.startswith("errors") and "shards" not in scenario.name:
            assert names >= {
                "tidegate",
                "argo-rollouts success rate 95 %",
                "flagger success rate 99 %",
                "kayenta mann-whitney, hourly",
                "z-test, every tick",
            }


@dataclass
class Alarm:
    """A rule that halts run 0 at tick 2 and never run 1."""

    name: str = "alarm"
    alphas: tuple[float, ...] = (0.05,)

    def look(self, tick: streams.Tick) -> np.ndarray:
        return np.array([[tick.index == 2, False]])


def test_the_clock_of_a_run_stops_at_its_halt() -> None:
    """Information and requests count up to the halting tick, and to the end for who never halts."""
    service = streams.Service(requests_per_second=100.0, rate=0.01, drift=False)
    day = list(_first(streams.days(service, streams.Effect(ratio=2.0), 2, 5), 10))

    (halts,) = play(day, [Alarm()])

    assert halts.halted_at_tick.tolist() == [2.0, math.inf]
    assert halts.information[0] == pytest.approx(sum(tick.information[0] for tick in day[:3]))
    assert halts.information[1] == pytest.approx(sum(tick.information[1] for tick in day))
    assert halts.candidate_requests[0] == sum(tick.candidate_total[0] for tick in day[:3])
    assert halts.median_delay_seconds() == math.inf


def test_the_same_seed_gives_the_same_day() -> None:
    """Whoever runs it again with the seed sees the same figures."""
    service = streams.Service(requests_per_second=50.0, rate=0.01, clustered=True, shards=8)

    first, second = (
        list(_first(streams.days(service, streams.Effect(), 3, 9), 20)) for _ in range(2)
    )

    assert all(
        np.array_equal(one.candidate_bad, other.candidate_bad)
        and np.array_equal(one.baseline_total, other.baseline_total)
        for one, other in zip(first, second, strict=True)
    )


def test_clusters_have_three_times_the_variance_and_half_the_users() -> None:
    """One user fails twice on average; failures then vary three times as much as their mean."""
    service = streams.Service(
        requests_per_second=100.0, rate=0.05, shares=(0.5,), drift=False, clustered=True
    )
    ticks = list(_first(streams.days(service, streams.Effect(), 400, 3), 40))
    bad = np.concatenate([tick.candidate_bad for tick in ticks])
    users = np.concatenate([tick.candidate_users for tick in ticks])

    assert bad.mean() == pytest.approx(25.0, rel=0.02)
    assert bad.var() / bad.mean() == pytest.approx(3.0, rel=0.06)
    assert bad.sum() / users.sum() == pytest.approx(2.0, rel=0.02)
    assert users.var() / users.mean() == pytest.approx(1.0, rel=0.05)


def test_shards_add_up_to_the_baseline() -> None:
    """What the placebo is cut from is the baseline, no more and no less."""
    service = streams.Service(requests_per_second=100.0, rate=0.01, shards=19)

    for tick in _first(streams.days(service, streams.Effect(), 5, 3), 10):
        assert tick.shard_bad is not None and tick.shard_total is not None
        assert np.array_equal(tick.shard_bad.sum(axis=1), tick.baseline_bad)
        assert np.array_equal(tick.shard_total.sum(axis=1), tick.baseline_total)


def test_drift_moves_both_arms_and_leaves_the_mean() -> None:
    """Over whole days the failure rate and the traffic are what was asked for on average."""
    service = streams.Service(requests_per_second=100.0, rate=0.01)
    rates, requests = [], []
    for tick in streams.days(service, streams.Effect(), 60, 8):
        if tick.index % 60 == 0:
            rates.append(tick.baseline_rate)
            requests.append(tick.baseline_expected)

    assert np.mean(rates) == pytest.approx(0.01, rel=0.08)
    assert np.mean(requests) == pytest.approx(950.0, rel=0.08)
    assert np.max(rates) > 3.0 * np.min(rates)


def test_a_percentile_is_read_off_buckets_as_prometheus_does() -> None:
    """Linear inside a bucket, the last edge above it, nothing without requests."""
    edges = np.array([0.1, 0.2, 0.4])
    buckets = np.array([[0.0, 98.0, 2.0, 0.0], [0.0, 0.0, 0.0, 5.0], [0.0, 0.0, 0.0, 0.0]])

    found = latency_scenarios.p99(buckets, edges)

    assert found[:2] == pytest.approx([0.3, 0.4])
    assert math.isnan(found[2])


def test_a_broken_promise_is_seen() -> None:
    """A rate above its promise and two standard errors doesn't hold, nor does what isn't a number."""
    assert bounds.rate_at_most("rate", 0.0637, 0.05, 1000).holds
    assert not bounds.rate_at_most("rate", 0.0640, 0.05, 1000).holds
    assert not Bound(name="unknown", measured=math.nan, limit=1.0).holds
    assert not Bound(name="floor", measured=0.97, limit=0.98, at_least=True).holds


def _first(ticks: Iterator[streams.Tick], number: int) -> Iterator[streams.Tick]:
    return (tick for tick, _ in zip(ticks, range(number), strict=False))
