"""The parts of the benchmark of detection; `benchmarks/detection.py` is what one runs."""
