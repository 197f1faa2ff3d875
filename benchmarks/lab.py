"""
The lab, again and again: does the good version always go out, and the bad one always come back in time?

Runs `tidegate lab --once -o json` and prints a row per run. The budget: the harm's exposure ends
within 15 s of the first harmful response, no request is lost, ten times out of ten.

Run: `python benchmarks/lab.py [--runs N] [--at-once N] [-o json]`.
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
from pathlib import Path

WITHIN_SECONDS = 15.0


async def one_run(folder: Path, number: int, turn: asyncio.Semaphore) -> dict[str, object]:
    """Run the lab once; return what became of both rollouts."""
    async with turn:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tidegate.cli.app", "lab", "--once", "-o", "json"),
            *("--state-dir", str(folder / f"run-{number}")),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, errors = await process.communicate()
    if process.returncode not in (0, 1) or not out:
        return {"run": number, "error": errors.decode().strip().splitlines()[-1:]}
    healthy, harmful = json.loads(out)["rollouts"]
    return {
        "run": number,
        "healthy": healthy["outcome"],
        "harmful": harmful["outcome"],
        "lost": healthy["requests"]["lost"] + harmful["requests"]["lost"],
        "seconds_to_withdrawal": harmful["seconds_to_withdrawal"],
        "exposed_share": harmful["exposed_share"],
        "failed_candidate": harmful["requests"]["failed"]["candidate"],
    }


def is_good(row: dict[str, object]) -> bool:
    """Return whether a run kept every promise."""
    seconds = row.get("seconds_to_withdrawal")
    return (
        row.get("healthy") == "completed"
        and row.get("harmful") == "rolled_back"
        and row.get("lost") == 0
        and isinstance(seconds, float)
        and seconds <= WITHIN_SECONDS
    )


async def measure(runs: int, at_once: int) -> list[dict[str, object]]:
    """Run the lab *runs* times, *at_once* side by side."""
    turn = asyncio.Semaphore(at_once)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        return await asyncio.gather(*(one_run(folder, n, turn) for n in range(1, runs + 1)))


def main() -> int:
    """Measure, print, and say whether every run was good."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--at-once", type=int, default=1)
    parser.add_argument("-o", choices=["table", "json"], default="table")
    options = parser.parse_args()
    rows = asyncio.run(measure(options.runs, options.at_once))
    good = sum(is_good(row) for row in rows)
    taken = [s for row in rows if isinstance(s := row.get("seconds_to_withdrawal"), float)]
    median = statistics.median(taken) if taken else float("nan")
    if options.o == "json":
        print(json.dumps({"runs": rows, "good": good, "median_s": median}, indent=2))
    else:
        for row in rows:
            print("  ".join(f"{key} {value}" for key, value in row.items()))
        print(f"{good} of {len(rows)} good; withdrawn after {median:.1f} s (median)")
    return 0 if good == len(rows) else 1


if __name__ == "__main__":
    sys.exit(main())
