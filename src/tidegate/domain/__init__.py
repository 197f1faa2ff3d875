"""What a rollout, a plan and its evidence are, and what comes next. Pure: no clock, no I/O, no randomness."""
