"""The store in memory keeps the promises of all stores."""

import pytest

from tidegate.store.memory import MemoryStore
from tidegate.testing.contracts.store import StoreContract


class TestMemoryStore(StoreContract):
    """See the contract."""

    @pytest.fixture
    def store(self) -> MemoryStore:
        """Return an empty store."""
        return MemoryStore()
