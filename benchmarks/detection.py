"""
How often it halts for nothing, how soon it halts for harm, and what it proves: ours and the peers'.

Run `python benchmarks/detection.py` (about a quarter of an hour on two cores), `--quick` (below a
minute, few runs, says so), `-o json` for a machine. A row is a rule on a scenario; `information` is
the mean information until the halt over the physical limit ``log(1 / alpha)``: 1 is what the best
possible test would need. The peers' rules are set up as their documentation's examples are.

Exit code 1 when a promise is broken in a full run. `--quick` has too few runs to break one.
"""

import argparse
import json
import multiprocessing
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any

from detecting import blaming, measure, proofs, report, scenarios, speed
from detecting.bounds import Bound

Result = tuple[list[dict[str, Any]], list[Bound]]


@dataclass(frozen=True, kw_only=True)
class Size:
    """How many runs of each kind."""

    harmless: int
    harmful: int
    proofs: int
    forecasts: int
    blame_worlds: int
    speed_repeats: int


FULL = Size(
    harmless=1000, harmful=500, proofs=1000, forecasts=4000, blame_worlds=400, speed_repeats=20
)
QUICK = Size(harmless=100, harmful=60, proofs=100, forecasts=1000, blame_worlds=8, speed_repeats=5)


LONGEST = ("shards", "latency", "blame")
"""What takes longest, by a word of its title."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One thing to measure, by names that another process understands."""

    kind: str
    name: str
    seed: int

    def __str__(self) -> str:
        return f"{self.kind}: {self.name}"


def jobs(*, quick: bool, only: str, seed: int) -> list[Job]:
    """Return what is to be measured, the longest first so that both cores end together."""
    found = [
        *(
            ("scenario", scenario.title)
            for scenario in scenarios.all_scenarios()
            if scenario.also_quick or not quick
        ),
        ("blame", "twelve rollouts"),
        *(("proof", proof.name) for proof in proofs.proofs() if proof.also_quick or not quick),
        *(("forecast", str(index)) for index in range(len(proofs.BAKES))),
        ("error-free", "pairs"),
        *([] if quick else [("overflow", "a million events a tick")]),
    ]
    listed = [
        Job(kind=kind, name=name, seed=seed + 1000 * number)
        for number, (kind, name) in enumerate(found)
        if only in f"{kind}: {name}"
    ]
    return sorted(listed, key=lambda job: not any(word in str(job) for word in LONGEST))


def run(job: Job, size: Size) -> Result:
    """Return the rows and bounds of *job*."""
    match job.kind:
        case "scenario":
            scenario = next(s for s in scenarios.all_scenarios() if s.title == job.name)
            return measure.measure(scenario, size.harmless, size.harmful, job.seed)
        case "proof":
            proof = next(p for p in proofs.proofs() if p.name == job.name)
            return [], proofs.certified(proof, size.proofs, job.seed)
        case "forecast":
            bake = proofs.BAKES[int(job.name)]
            return [], [proofs.forecast(bake, size.forecasts, job.seed)]
        case "blame":
            return [], blaming.measure(size.blame_worlds, job.seed)
        case "error-free":
            return [], proofs.error_free()
        case "overflow":
            return [], speed.overflow()
        case _:
            raise ValueError(f"nothing is called {job.kind}")


def run_all(listed: Sequence[Job], size: Size, processes: int) -> Iterator[tuple[Job, Result]]:
    """Yield each job with its result as it's done, using several processes."""
    if processes == 1:
        yield from ((job, run(job, size)) for job in listed)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        running = {pool.submit(run, job, size): job for job in listed}
        for future in as_completed(running):
            yield running[future], future.result()


def main() -> int:
    """Measure, print, and return 1 if a promise is broken."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few runs, below a minute")
    parser.add_argument("-o", "--output", choices=["table", "json"], default="table")
    parser.add_argument("--only", default="", help="only what has this in its name")
    parser.add_argument("--runs", type=int, help="so many runs of everything, for a trial")
    parser.add_argument("--seed", type=int, default=20_000)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    size = QUICK if options.quick else FULL
    if options.runs is not None:
        size = Size(**dict.fromkeys(vars(size), options.runs))
    begin = time.perf_counter()
    # Alone and first, while nothing else of ours keeps the core busy.
    fast = speed.speed(size.speed_repeats) if options.only in "speed" else []
    listed = jobs(quick=options.quick, only=options.only, seed=options.seed)
    done: dict[Job, Result] = {}
    for job, result in run_all(listed, size, options.processes):
        done[job] = result
        elapsed = time.perf_counter() - begin
        print(f"{elapsed:6.0f} s  {len(done)}/{len(listed)}  {job}", file=sys.stderr, flush=True)
    ordered = [done[job] for job in sorted(done, key=lambda job: job.seed)]
    rows = [row for found, _ in ordered for row in found]
    held = [bound for _, found in ordered for bound in found] + fast
    facts = {"quick": options.quick, "seed": options.seed, "counts": vars(size)}
    if options.output == "json":
        print(report.as_json(rows, held, facts))
    else:
        print(report.as_table(rows, held))
        if options.quick or options.runs is not None:
            print("\nfew runs: the figures are rough, and no promise can be broken by them")
        print(f"counts: {json.dumps(vars(size))}, seed {options.seed}")
    broken = [bound for bound in held if not bound.holds]
    return 1 if broken and not options.quick and options.runs is None else 0


if __name__ == "__main__":
    sys.exit(main())
