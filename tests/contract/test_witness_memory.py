"""The witness in memory keeps the promises of all."""

import pytest

from tidegate.drivers.witness.memory import MemoryWitness
from tidegate.testing.contracts.witness import WitnessContract


class TestMemoryWitness(WitnessContract):
    """See the contract."""

    @pytest.fixture
    def witness(self) -> MemoryWitness:
        return MemoryWitness()

    @pytest.fixture
    def again(self, witness: MemoryWitness) -> MemoryWitness:
        return witness
