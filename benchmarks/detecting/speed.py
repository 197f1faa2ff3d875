"""How fast the tests are and how large the counts may be. Speed is that of `sequential_tests.py`."""

import numpy as np
import sequential_tests

from detecting.bounds import Bound
from tidegate.stats import difference, harm, latency_family, safe

EVENTS = 1e6
TICKS = 8640


def speed(repeats: int) -> list[Bound]:
    """Return updates per second of a full batch on one core, and the time of its tick."""
    streams = sequential_tests.GOAL_STREAMS
    seconds = sequential_tests.best_seconds(
        sequential_tests.ticks_of(streams)["harm.update"], repeats
    )
    return [
        Bound(
            name="speed: stream updates a second on one core",
            measured=streams / seconds,
            limit=float(sequential_tests.GOAL_UPDATES_PER_SECOND),
            at_least=True,
        ),
        Bound(
            name=f"speed: milliseconds for a tick of {streams:,} streams",
            measured=1e3 * seconds,
            limit=sequential_tests.GOAL_TICK_MS,
        ),
    ]


def overflow() -> list[Bound]:
    """Return how many e-values aren't finite after a day of a million events in each tick."""
    # Streams: equal arms, the candidate twice as bad, far better, and failing always.
    bad = EVENTS * np.array([0.05, 0.1, 0.0001, 1.0])
    total, baseline_bad, baseline_total = EVENTS, EVENTS * 0.95, EVENTS * 19.0
    harms, ratios = harm.new(bad.size), safe.new_ratio(bad.size)
    slow = latency_family.new([1.0], [95.0, 5.0], streams=bad.size)
    excess = difference.new(bad.size, tolerance=0.001)
    buckets = [
        np.array([all_of - worse, worse])
        for worse, all_of in ((bad, total), (baseline_bad, baseline_total))
    ]
    broken = 0
    for index in range(TICKS):
        starting = index > 0 and index % 360 == 0
        arms = (bad, total, baseline_bad, baseline_total)
        harms = harm.update(harms, bad, bad + baseline_bad, 0.05, starting=starting)
        ratios = safe.update_ratio(ratios, bad, bad + baseline_bad, 0.05, ratio=2.0)
        slow = latency_family.update(slow, *buckets, starting=starting)
        excess = difference.update(excess, *arms)
    for log_e in (
        harm.log_e_value(harms),
        ratios.log_e,
        latency_family.log_e_value(slow),
        difference.log_e_value(excess),
    ):
        broken += int((~np.isfinite(log_e)).sum())
    return [Bound(name="e-values overflown at 1e6 events a tick", measured=broken, limit=0)]
