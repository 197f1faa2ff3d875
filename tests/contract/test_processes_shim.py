import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tidegate.drivers.processes.supervisor import ShimSupervisor
from tidegate.ports.processes import ProcessSupervisor
from tidegate.testing.contracts.processes import ProcessSupervisorContract


class TestShimSupervisor(ProcessSupervisorContract):
    @pytest.fixture
    async def reopen(self, tmp_path: Path) -> AsyncIterator[Callable[[], ShimSupervisor]]:
        root = tmp_path / "processes"
        yield lambda: ShimSupervisor(root)
        supervisor = ShimSupervisor(root)
        for name in await supervisor.names():
            await supervisor.end(name)

    @pytest.fixture
    def no_program(self) -> str:
        return "/no/such/program"

    async def crash(self, supervisor: ProcessSupervisor, name: str) -> None:
        status = await supervisor.status(name)
        assert status is not None and status.pid is not None
        os.kill(status.pid, signal.SIGKILL)
