"""
How fast the sequential tests are: streams updated per second on one core.

Run `python benchmarks/sequential_tests.py`, or with `-o json` for a machine. The goals are 5 million
stream-updates a second for `harm.update` and 25 ms for a tick of 100,000 streams. The time of a tick
is the best of the repeats: what the code costs, without what else the machine did.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable

import numpy as np

from tidegate.stats import bounds, combine, difference, harm, latency_family, placebo, safe

GOAL_UPDATES_PER_SECOND = 5_000_000
GOAL_TICK_MS = 25.0
GOAL_STREAMS = 100_000


def ticks_of(streams: int) -> dict[str, Callable[[], object]]:
    """Return what's measured, each a call that does one tick of *streams* streams."""
    random = np.random.default_rng(7)
    candidate = random.integers(10, 500, streams).astype(float)
    baseline = random.integers(500, 10_000, streams).astype(float)
    bad = random.binomial(candidate.astype(int), 0.01).astype(float)
    baseline_bad = random.binomial(baseline.astype(int), 0.01).astype(float)
    total, share = bad + baseline_bad, candidate / (candidate + baseline)
    four = (bad, candidate, baseline_bad, baseline)
    hourly = np.arange(streams) % 360 == 0
    harms, ratios = harm.new(streams), safe.new_ratio(streams)
    differences = difference.new(streams, tolerance=0.001)
    ratio_bounds, excess_bounds = bounds.new_ratio(streams), bounds.new_excess(streams)
    signals = random.normal(size=(4, streams))
    singles = _one_signal_at_a_time(random) if streams == 1 else {}
    return {
        "harm.update": lambda: harm.update(harms, bad, total, share),
        "harm.update, 1 of 360 restarts": lambda: harm.update(
            harms, bad, total, share, starting=hourly
        ),
        "harm.log_e_value": lambda: harm.log_e_value(harms),
        "safe.update_ratio": lambda: safe.update_ratio(ratios, bad, total, share, ratio=2.0),
        "difference.update": lambda: difference.update(differences, *four),
        "bounds.update_ratio": lambda: bounds.update_ratio(ratio_bounds, bad, total, share),
        "bounds.update_excess": lambda: bounds.update_excess(excess_bounds, *four),
        "combine.global_log_e_value, 4": lambda: combine.global_log_e_value(signals, [0.25] * 4),
        **singles,
    }


def _one_signal_at_a_time(random: np.random.Generator) -> dict[str, Callable[[], object]]:
    """Return what the engine does per signal: a histogram or a set of shards each."""
    bounds_s = [0.001 * 2.0 ** (step / 4.0) for step in range(65)]
    shape = np.exp(-0.5 * ((np.arange(66) - 26.0) / 3.0) ** 2)
    shares = shape / shape.sum()
    slow, fast = (random.poisson(total * shares).astype(float) for total in (50.0, 950.0))
    family = latency_family.new(bounds_s, 1000.0 * shares, null_ratio=1.1)
    shards, exposures = random.poisson(1.0, 19).astype(float), np.full(19, 50.0)
    tempered = placebo.new(1, null_ratio=1.1)
    return {
        "latency_family.update, 66 buckets": lambda: latency_family.update(family, slow, fast),
        "placebo.update, 19 shards": lambda: placebo.update(
            tempered, [2.0], [2.0 + shards.sum()], 0.05, shards, exposures
        ),
    }


def best_seconds(call: Callable[[], object], repeats: int) -> float:
    """Return the shortest time one *call* took."""
    call()
    best = float("inf")
    for _ in range(repeats):
        begin = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - begin)
    return best


def main() -> int:
    """Measure, print, and return 1 if a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("-o", "--output", choices=["table", "json"], default="table")
    parser.add_argument("--streams", type=int, nargs="+", default=[1, 1000, GOAL_STREAMS])
    parser.add_argument("--repeats", type=int, default=20)
    options = parser.parse_args()
    rows = [
        {
            "test": name,
            "streams": streams,
            "tick_ms": round(1e3 * seconds, 4),
            "updates_per_second": round(streams / seconds),
        }
        for streams in options.streams
        for name, call in ticks_of(streams).items()
        for seconds in [best_seconds(call, options.repeats)]
    ]
    goal = next(
        (row for row in rows if row["test"] == "harm.update" and row["streams"] == GOAL_STREAMS),
        None,
    )
    met = goal is None or (
        goal["updates_per_second"] >= GOAL_UPDATES_PER_SECOND and goal["tick_ms"] < GOAL_TICK_MS
    )
    if options.output == "json":
        print(json.dumps({"rows": rows, "goal_met": met}, indent=2))
    else:
        print(f"{'test':32} {'streams':>8} {'ms a tick':>10} {'million updates/s':>18}")
        for row in rows:
            rate = row["updates_per_second"] / 1e6
            print(f"{row['test']:32} {row['streams']:8} {row['tick_ms']:10.3f} {rate:18.2f}")
        print(f"\ngoal of {GOAL_STREAMS:,} streams: {'met' if met else 'missed'}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
