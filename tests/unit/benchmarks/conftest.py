"""The benchmarks are scripts beside the package; their parts are tested as any other code."""

import sys
from pathlib import Path

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"

# Scripts find their neighbours by where they lie, and so must their tests.
sys.path.insert(0, str(BENCHMARKS))
