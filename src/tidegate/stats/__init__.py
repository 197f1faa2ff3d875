"""
Sequential tests that may be looked at after every tick: harm, safety, latency, bounds, forecasts.

Pure numpy over many streams at once. Nothing here reads a clock, does I/O or draws a random number,
and nothing here knows what a rollout is. Bad arguments raise `ValueError`; callers hold on it.
"""
