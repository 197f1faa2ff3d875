"""
Finds modules that read a clock of their own. Only `drivers/clock` may; everything else is given the time.

A rollout is decided at `Observation.now`, is simulated with a clock that jumps, and is made again from
the ledger a year later. One `datetime.now()` in a use case breaks all three without failing any test
that runs today: the decision would depend on something that isn't recorded. So this looks for the
calls themselves.

Waiting for the outside with a deadline (`asyncio.timeout`, `loop.time()`) is no reading of the time:
nothing that is recorded can depend on it.

Escapes, each with its reason: a whole program or folder in `OWN_CLOCKS`; a single line by the comment
`# lint-skip: clock - REASON`.

Run: `python tools/lint/clock.py [FOLDER]`. Exits with 1 when it finds something.
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src" / "tidegate"

OWN_CLOCKS = {
    "drivers/clock/": "the clock itself",
    "lab/": "a world outside the engine: it measures the engine from there",
    "cli/watching.py": "how long a person wants to watch is measured where the person is",
    "drivers/processes/shim.py": "a program that outlives the server and can be given no clock",
    "drivers/traffic/envoy_boot.py": "a program that runs alone at each start of Envoy",
    "drivers/component/process_versions.py": "how long a cached hash is believed; no decision's input",
    "testing/contracts/signals.py": "compares what a real source says with the real time",
    "main/": "the composition root waits for its own parts",
}

READINGS = {
    "time": frozenset(
        {
            *("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns"),
            *("process_time", "localtime", "gmtime"),
        }
    ),
    "datetime": frozenset({"now", "utcnow", "today"}),
    "date": frozenset({"today"}),
}

SKIP = re.compile(r"# lint-skip: clock - \S")


def readings(source: str) -> Iterator[int]:
    """Yield the numbers of the lines of *source* that read a clock without an escape."""
    lines = source.splitlines()
    tree = ast.parse(source)
    imported = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "time"
        for alias in node.names
        if alias.name in READINGS["time"]
    }
    for node in ast.walk(tree):
        # Not only calls: a function that is handed on is called by somebody else.
        if not isinstance(node, ast.Name | ast.Attribute):
            continue
        reads = node.id in imported if isinstance(node, ast.Name) else _is_reading(node)
        if reads and not SKIP.search(lines[node.lineno - 1]):
            yield node.lineno


def _is_reading(node: ast.Attribute) -> bool:
    owner = node.value
    name = owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")
    return node.attr in READINGS.get(name, ())


def main(folder: Path) -> int:
    """Print what is found in *folder*; return the exit code."""
    found = 0
    for path in sorted(folder.rglob("*.py")):
        inside = path.relative_to(folder).as_posix()
        if inside.startswith(tuple(OWN_CLOCKS)):
            continue
        for line in readings(path.read_text(encoding="utf-8")):
            found += 1
            print(f"{path}:{line}: reads a clock; take the time as a value or from ports.clock")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else SOURCE))
