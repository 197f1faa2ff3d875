"""
What the ledger costs: its share of a recorded step, and how fast a dump is made and verified.

Run: `python benchmarks/ledger.py [--steps N] [--entries N] [-o json]`. Exits with 1 when appending takes 5 %
of a phase's steps or more (SQLite that waits for the disk, as in production).

Most steps look and record nothing. So there are two shares, from the medians:
- `append_share`: of all steps of a phase that bakes for ten minutes, which is short: three that record (it is
  entered, it bakes, it has passed), and one every `LOOK_AGAIN` that doesn't.
- `recorded_append_share`: of a step that records, by itself.

The steps are the engine's own (`benchmarks/engine.py`). Each one is timed as a whole and inside `append`,
so both are of the same run; steps without any append take turns with them, and say what an entry costs
together with what the disk has to write for it.
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import engine

from tidegate.documents.ledger.verify import verify_dump
from tidegate.domain.rollout.machine import State
from tidegate.drivers.signer.file import FileSigner
from tidegate.ports.store import NewEntry
from tidegate.store.ledger import GENESIS_HASH, chained
from tidegate.store.ledger_rows import LedgerRows
from tidegate.store.open import open_store
from tidegate.testing.builders import START
from tidegate.usecases.ledger_export import dump
from tidegate.usecases.outside import Outside
from tidegate.usecases.step import LOOK_AGAIN, step

BUDGET_SHARE = 0.05
BAKE = timedelta(minutes=10)
STEPS_THAT_RECORD = 3
OBSERVATION = json.dumps({"counts": list(range(1_000))})
"""About 5 kB, as an observation with its rollout is."""


async def recorded_steps(folder: Path, count: int) -> dict[str, float]:
    """
    Return median milliseconds: of a step that records, inside `append`, of one without it, of an idle one.

    Steps with and without an append take turns, so that both have the same machine.
    """
    outside, ids = await engine.a_world(folder, count * 2, bake=timedelta(hours=1))
    for rollout_id in ids:
        # The first look at each writes down what it waits for.
        await step(outside, rollout_id)
    idle: list[float] = []
    for rollout_id in ids:
        began = time.perf_counter()
        await step(outside, rollout_id)
        idle.append((time.perf_counter() - began) * 1_000)
    with outside.store.begin() as transaction:
        for rollout_id in ids:
            rollout = transaction.rollout(rollout_id)
            transaction.save_rollout(replace(rollout, state=State.APPLYING))
    steps: list[float] = []
    without: list[float] = []
    inside: list[float] = []
    timed = _timed(inside)
    for index, rollout_id in enumerate(ids):
        inside.append(0.0)
        with _append_as(_left_out if index % 2 else timed):
            began = time.perf_counter()
            await step(outside, rollout_id)
            took_ms = (time.perf_counter() - began) * 1_000
        (without if index % 2 else steps).append(took_ms)
    outside.store.close()  # type: ignore[attr-defined]
    return {
        "step_ms": statistics.median(steps),
        "append_ms": statistics.median(inside[::2]),
        "step_without_append_ms": statistics.median(without),
        "idle_step_ms": statistics.median(idle),
    }


def whole_ledger(folder: Path, count: int) -> dict[str, float]:
    """Return the seconds that a dump of *count* entries takes, and verifying it."""
    outside = _outside(folder)
    entry = NewEntry(
        at=START,
        rollout_id="r-1",  # type: ignore[arg-type]
        service="shop",  # type: ignore[arg-type]
        actor="tidegate",
        kind="decision",
        rule="bake",
        because="bakes for 3 more minutes",
        state_before="baking",
        state_after="baking",
        observation_json=OBSERVATION,
        decision_json=OBSERVATION[:300],
    )
    for first in range(0, count, 1_000):
        with outside.store.begin() as transaction:
            for _ in range(min(1_000, count - first)):
                transaction.append(entry)
    began = time.perf_counter()
    lines = list(dump(outside))
    dumped = time.perf_counter()
    verified = verify_dump(lines)
    ended = time.perf_counter()
    assert verified.holds, verified.findings
    assert verified.entries == count
    return {
        "dump_s": dumped - began,
        "verify_s": ended - dumped,
        "dump_bytes_per_entry": sum(map(len, lines)) / count,
    }


def share_of_a_phase(found: Mapping[str, float]) -> float:
    """Return the share of appending in all steps of a phase."""
    recorded = STEPS_THAT_RECORD * found["step_ms"]
    idle = BAKE // LOOK_AGAIN * found["idle_step_ms"]
    return STEPS_THAT_RECORD * found["append_ms"] / (recorded + idle)


def measured(*, steps: int, entries: int) -> dict[str, float]:
    """Return everything that is measured."""
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(recorded_steps(Path(folder), steps))
    with tempfile.TemporaryDirectory() as folder:
        whole = whole_ledger(Path(folder), entries)
    return {
        **found,
        "recorded_append_share": found["append_ms"] / found["step_ms"],
        "append_share": share_of_a_phase(found),
        "dump_entries_per_s": entries / whole["dump_s"],
        "verify_entries_per_s": entries / whole["verify_s"],
        "dump_bytes_per_entry": whole["dump_bytes_per_entry"],
    }


def _outside(folder: Path) -> Outside:
    outside, _ = asyncio.run(engine.a_world(folder, 0, bake=timedelta(hours=1)))
    return replace(
        outside,
        store=open_store(f"sqlite:///{folder / 'ledger.db'}"),
        signer=FileSigner(folder / "key"),
    )


@contextmanager
def _append_as(append: Callable[..., Any]) -> Iterator[None]:
    original = LedgerRows.append
    LedgerRows.append = append  # type: ignore[method-assign]
    try:
        yield
    finally:
        LedgerRows.append = original  # type: ignore[method-assign]


def _timed(inside: list[float]) -> Callable[..., Any]:
    original = LedgerRows.append

    def append(rows: LedgerRows, entry: NewEntry) -> Any:
        began = time.perf_counter()
        placed = original(rows, entry)
        inside[-1] += (time.perf_counter() - began) * 1_000
        return placed

    return append


_PLACED = chained(
    NewEntry(
        at=START,
        rollout_id="r-1",  # type: ignore[arg-type]
        service="shop",  # type: ignore[arg-type]
        actor="tidegate",
        kind="decision",
        rule="bake",
        because="",
        state_before="",
        state_after="",
    ),
    after=(0, GENESIS_HASH),
)


def _left_out(_rows: LedgerRows, _entry: NewEntry) -> Any:
    return _PLACED


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1] if __doc__ else None)
    parser.add_argument("--steps", type=int, default=500, help="recorded steps of each sort")
    parser.add_argument(
        "--entries", type=int, default=20_000, help="in the ledger that is verified"
    )
    parser.add_argument("-o", "--output", choices=["table", "json"], default="table")
    options = parser.parse_args()
    found = measured(steps=options.steps, entries=options.entries)
    is_held = found["append_share"] < BUDGET_SHARE
    if options.output == "json":
        json.dump({**found, "budget_share": BUDGET_SHARE, "is_held": is_held}, sys.stdout, indent=2)
        sys.stdout.write("\n")
    else:
        for name, value in found.items():
            sys.stdout.write(f"{name:<26}{value:>14,.3f}\n")
        held = "held" if is_held else "MISSED"
        sys.stdout.write(f"budget of append, {BUDGET_SHARE:.0%} of a phase's steps: {held}\n")
    return 0 if is_held else 1


if __name__ == "__main__":
    sys.exit(main())
