"""The runner of one process keeps the runner's contract."""

from datetime import timedelta

import pytest

from tidegate.drivers.clock.system import SystemClock
from tidegate.drivers.runner.inprocess import InProcessRunner
from tidegate.testing.contracts.runner import RunnerContract


class TestInProcessRunner(RunnerContract):
    @pytest.fixture
    def clock(self) -> SystemClock:
        return SystemClock()

    @pytest.fixture
    def runner(self, clock: SystemClock) -> InProcessRunner:
        return InProcessRunner(clock, watch_every=timedelta(milliseconds=20), log=lambda *_: None)
