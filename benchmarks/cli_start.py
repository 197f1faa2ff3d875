"""
How long a call of the command line takes before it has done anything: what it loads, and the language.

Each call is a process of its own, and the calls take turns, so that a machine that slows down slows all of
them. None finds a server. Processor seconds are counted, its own and the system's for it: waiting for a
neighbour on a busy machine isn't ours to measure. The median is told.

`library` is what every command pays to those who read its arguments, before any line of ours.

Run: `python benchmarks/cli_start.py [--runs N] [-o json]`.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence

from reporting import report

CALLS: Mapping[str, Sequence[str]] = {
    "version_s": ("-m", "tidegate.cli.app", "--version"),
    "help_s": ("-m", "tidegate.cli.app", "--help"),
    "completion_s": ("-m", "tidegate.cli.app"),
    "halt_s": ("-m", "tidegate.cli.app", "halt", "shop"),
    "status_s": ("-m", "tidegate.cli.app", "status"),
    "why_s": ("-m", "tidegate.cli.app", "why", "shop"),
    "stop_s": ("-m", "tidegate.cli.app", "stop", "list"),
    "server_s": ("-c", "import tidegate.main.serving"),
    "library_s": ("-c", "import typer, pydantic; pydantic.TypeAdapter(str)"),
}
COMPLETING = {
    "_TIDEGATE_COMPLETE": "complete_bash",
    "COMP_WORDS": "tidegate st",
    "COMP_CWORD": "1",
}

BUDGETS = {"version_s": 0.3, "help_s": 0.3, "completion_s": 0.3}


def processor_seconds(arguments: Sequence[str], env: Mapping[str, str]) -> float:
    """Return what a process of its own with *arguments* takes of the processor."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], env=env, check=False, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(runs: int) -> dict[str, float]:
    """Return the median of each call."""
    taken: dict[str, list[float]] = {name: [] for name in CALLS}
    with tempfile.TemporaryDirectory() as nothing:
        env = {**os.environ, "TIDEGATE_STATE_DIR": nothing}
        # The first turn finds cold files and isn't counted.
        for turn in range(runs + 1):
            for name, arguments in CALLS.items():
                added = COMPLETING if name == "completion_s" else {}
                seconds = processor_seconds(arguments, {**env, **added})
                if turn > 0:
                    taken[name].append(seconds)
    return {"runs": runs, **{name: statistics.median(found) for name, found in taken.items()}}


def main() -> int:
    """Measure, print, and say whether the budgets are met."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("-o", choices=["table", "json"], default="table")
    options = parser.parse_args()
    results = measure(options.runs)
    return report(results, BUDGETS, as_json=options.o == "json", digits=3)


if __name__ == "__main__":
    sys.exit(main())
