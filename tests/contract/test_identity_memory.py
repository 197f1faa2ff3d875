"""The identity provider in memory keeps the contract of its port."""

from datetime import timedelta

import pytest

from tidegate.drivers.clock.memory import START
from tidegate.drivers.identity.memory import MemoryIdentity
from tidegate.ports.identity import Vouched
from tidegate.testing.contracts.identity import IdentityContract

ALICE = Vouched(
    issuer="https://provider.example",
    person="sub-1",
    name="alice",
    groups=("on-call", "payments"),
    authenticated_at=START - timedelta(minutes=1),
)


class TestMemoryIdentity(IdentityContract):
    @pytest.fixture
    def provider(self) -> MemoryIdentity:
        self.memory = MemoryIdentity()
        return self.memory

    async def log_in(self, address: str) -> str:
        return self.memory.log_in(address, ALICE)
