"""
How fast the store is: a recorded step, a tick of a thousand rollouts, and what a day of bake weighs.

Run `python benchmarks/store.py` for SQLite (commits wait for the disk, as in production) and
`--postgres` for a PostgreSQL of its own as well; `-o json` is for a machine. The budget is that of
`step`: below 5 ms in the median, all in all, on SQLite. Plans have 6 phases over 3 targets.

`--synchronous normal` shows what SQLite would take if it didn't wait for the disk at each commit.
"""

import argparse
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import event

from tidegate.domain.quantities import TargetName
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import Rollout
from tidegate.ports.store import NewEntry, StoredEvidence, StoredTick
from tidegate.store.engines import engine_for
from tidegate.store.memory import MemoryStore
from tidegate.store.open import open_store
from tidegate.store.schema import migrate
from tidegate.store.sql import SqlStore
from tidegate.testing.builders import START, a_placement, a_plan, a_rollout
from tidegate.testing.postgres import running_postgres

BUDGET_STEP_MS = 5.0
OBSERVATION = json.dumps({"counts": list(range(1_000))})
"""About 5 kB, as an observation with its rollout is."""
TEST_STATE = json.dumps([index / 7 for index in range(120)])
"""About 2.5 kB: the state of four signals' tests."""
BUCKETS = 30

Store = SqlStore | MemoryStore


def a_baking_rollout(number: int) -> Rollout:
    """Return a rollout of a service of its own."""
    service = f"service-{number}"
    placements = [a_placement(service, target) for target in ("eu", "us", "ap")]
    plan = a_plan(weights_bps=(100, 500, 1_000, 2_500, 5_000, 10_000), placements=placements)
    return a_rollout(f"r-{number}", service=service, plan=plan, state=State.BAKING)


def recorded_steps(store: Store, count: int) -> list[float]:
    """Return the seconds of each read, save, ledger entry, outbox message and commit."""
    rollout = a_baking_rollout(0)
    entry = NewEntry(
        at=START,
        rollout_id=rollout.id,
        service=rollout.service,
        actor="tidegate",
        kind="decision",
        rule="bake",
        because="bakes for 3 more minutes",
        state_before="baking",
        state_after="baking",
        observation_json=OBSERVATION,
        decision_json=OBSERVATION[:300],
    )

    def step() -> None:
        with store.begin() as transaction:
            transaction.save_rollout(transaction.rollout(rollout.id))
            transaction.append(entry)
            transaction.enqueue(
                at=START, type="stepped", rollout_id=rollout.id, payload_json=OBSERVATION[:300]
            )

    return timed(step, count)


def ticks_of_all(store: Store, rollouts: list[Rollout], count: int) -> list[float]:
    """Return the seconds of each transaction that adds one tick to every rollout."""
    numbers = iter(range(1, count + 1))

    def tick() -> None:
        number = next(numbers)
        one = a_tick(number)
        with store.begin() as transaction:
            for rollout in rollouts:
                transaction.save_evidence(evidence_of(rollout, number), [one])

    return timed(tick, count)


def timed(action: Callable[[], object], count: int) -> list[float]:
    """Return the seconds of each of *count* calls."""
    seconds = []
    for _ in range(count):
        began = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - began)
    return seconds


def measured(store: Store, *, rollouts: int, steps: int, ticks: int) -> dict[str, list[float]]:
    """Return the seconds of everything that is measured on *store*."""
    active = [a_baking_rollout(number) for number in range(rollouts)]
    with store.begin() as transaction:
        for rollout in active:
            transaction.add_rollout(rollout)

    def watched() -> None:
        with store.begin() as transaction:
            assert len(transaction.watched()) == rollouts

    def issue() -> None:
        with store.begin() as transaction:
            transaction.issue_generation(active[0].service, TargetName("eu"))

    return {
        f"watched, {rollouts} never read before": timed(watched, 1),
        f"watched, {rollouts}": timed(watched, 20),
        "recorded step": recorded_steps(store, steps),
        "generation": timed(issue, steps),
        f"tick of {rollouts}": ticks_of_all(store, active, ticks),
    }


def day_of_bake_kb() -> float:
    """Return the kilobytes that 8,640 ticks of one rollout take in a new file."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "store.db"
        store = open_store(f"sqlite:///{file}")
        # Closing takes what is in the write-ahead log into the file.
        store.close()
        empty_bytes = file.stat().st_size
        rollout = a_baking_rollout(0)
        for first in range(1, 8_641, 60):
            with store.begin() as transaction:
                for number in range(first, first + 60):
                    transaction.save_evidence(evidence_of(rollout, number), [a_tick(number)])
        store.close()
        return (file.stat().st_size - empty_bytes) / 1_000


def a_tick(number: int) -> StoredTick:
    """Return a tick as varied as real ones: counts of both arms and a histogram of latency."""
    chance = random.Random(number)
    counts = [chance.randrange(900, 1_100), chance.randrange(5), chance.randrange(20_000, 21_000)]
    histogram = [chance.randrange(bucket + 1) for bucket in range(BUCKETS)]
    tick_json = json.dumps({"counts": counts, "candidate": histogram, "baseline": histogram[::-1]})
    return StoredTick(number=number, tick_json=tick_json)


def evidence_of(rollout: Rollout, number: int) -> StoredEvidence:
    """Return evidence of *rollout* after tick *number*."""
    return StoredEvidence(
        rollout_id=rollout.id,
        attempt=1,
        ticks=number,
        at=START,
        state_json=TEST_STATE,
        evidence_json=OBSERVATION[:600],
    )


@contextmanager
def sqlite_store(synchronous: str) -> Iterator[SqlStore]:
    """Open a store in a new file."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/store.db"
        engine = engine_for(url)
        event.listen(
            engine,
            "connect",
            lambda connection, _record: connection.execute(f"PRAGMA synchronous = {synchronous}"),
        )
        migrate(engine)
        store = SqlStore(engine)
        yield store
        store.close()


def main() -> None:
    """Measure and print."""
    options = _options()
    size = {"rollouts": options.rollouts, "steps": options.steps, "ticks": options.ticks}
    seconds = {"memory": measured(MemoryStore(), **size)}
    with sqlite_store(options.synchronous) as store:
        seconds["sqlite"] = measured(store, **size)
    day_kb = day_of_bake_kb()
    if options.postgres:
        with running_postgres(durable=True) as url:
            store = open_store(url)
            seconds["postgresql"] = measured(store, **size)
            store.close()
    rows = [
        {
            "store": store_name,
            "what": what,
            "median_ms": round(statistics.median(values) * 1_000, 3),
            "p99_ms": round(sorted(values)[int(len(values) * 0.99)] * 1_000, 3),
            "count": len(values),
        }
        for store_name, results in seconds.items()
        for what, values in results.items()
    ]
    if options.output == "json":
        json.dump(
            {"results": rows, "sqlite_day_of_bake_kb": round(day_kb, 1)}, sys.stdout, indent=2
        )
        sys.stdout.write("\n")
        return
    sys.stdout.write(f"{'store':<12}{'what':<36}{'median ms':>10}{'p99 ms':>10}{'count':>7}\n")
    for row in rows:
        sys.stdout.write(
            f"{row['store']:<12}{row['what']:<36}{row['median_ms']:>10.3f}{row['p99_ms']:>10.3f}"
            f"{row['count']:>7}\n"
        )
    sys.stdout.write(
        f"a day of bake (8,640 ticks of about {len(a_tick(1).tick_json)} bytes) takes {day_kb:,.0f} kB\n"
    )
    step_ms = statistics.median(seconds["sqlite"]["recorded step"]) * 1_000
    held = "held" if step_ms < BUDGET_STEP_MS else "MISSED"
    sys.stdout.write(f"budget of a step on SQLite, {BUDGET_STEP_MS:g} ms: {held}\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1] if __doc__ else None)
    parser.add_argument("--postgres", action="store_true", help="measure PostgreSQL too")
    parser.add_argument("--rollouts", type=int, default=1_000, help="active at once")
    parser.add_argument("--steps", type=int, default=1_000, help="how many are measured")
    parser.add_argument("--ticks", type=int, default=70, help="how many are measured")
    parser.add_argument("--synchronous", choices=["full", "normal"], default="full")
    parser.add_argument("-o", "--output", choices=["table", "json"], default="table")
    return parser.parse_args()


if __name__ == "__main__":
    main()
