"""A witness in memory, for tests; it passes the same contract as the others."""

from collections.abc import Sequence

from tidegate.domain.ledger.model import Head
from tidegate.drivers.witness.refusals import another_head


class MemoryWitness:
    """Keeps heads as long as the process lives. `fails` is raised instead, while it is set."""

    def __init__(self, name: str = "memory") -> None:
        self._name = name
        self.heads: dict[int, Head] = {}
        self.fails: Exception | None = None

    @property
    def name(self) -> str:
        """What it is called."""
        return self._name

    async def keep(self, heads: Sequence[Head]) -> None:
        """Keep *heads*; see the port."""
        if self.fails is not None:
            raise self.fails
        for head in heads:
            if self.heads.setdefault(head.number, head) != head:
                raise another_head(self._name, head)

    async def latest(self) -> Head | None:
        """Return the last head."""
        if self.fails is not None:
            raise self.fails
        return self.heads[max(self.heads)] if self.heads else None
