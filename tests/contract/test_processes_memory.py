from collections.abc import Callable

import pytest

from tidegate.drivers.processes.memory import MemoryProcesses
from tidegate.ports.processes import ProcessSupervisor
from tidegate.testing.contracts.processes import ProcessSupervisorContract


class TestMemoryProcesses(ProcessSupervisorContract):
    @pytest.fixture
    def reopen(self) -> Callable[[], MemoryProcesses]:
        processes = MemoryProcesses()
        return lambda: processes

    @pytest.fixture
    def no_program(self, supervisor: MemoryProcesses) -> str:
        supervisor.missing.add("/no/such/program")
        return "/no/such/program"

    async def crash(self, supervisor: ProcessSupervisor, name: str) -> None:
        assert isinstance(supervisor, MemoryProcesses)
        supervisor.crash(name, -9)
