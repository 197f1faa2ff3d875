"""The parts of `benchmarks/halt_overload.py`: a server, and users who ask for far too much."""
