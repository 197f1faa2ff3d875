"""From one tick's counts to running tests: one file per way of judging a signal."""
