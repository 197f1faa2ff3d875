"""
The witness port: somebody outside this server's reach who keeps heads of the ledger.

A witness is worth something only where whoever runs this server can't change what it has. It never
decides anything: rollouts don't wait for it, and a witness that fails is told again later.

Promises every driver keeps are held by `testing.contracts.witness`.
"""

from collections.abc import Sequence
from typing import Protocol

from tidegate.domain.ledger.model import Head


class Witness(Protocol):
    """Keeps heads, each once, and never another one of the same number."""

    @property
    def name(self) -> str:
        """Where it is, for people; unique on this server and without secrets."""
        ...

    async def keep(self, heads: Sequence[Head]) -> None:
        """
        Keep *heads*, which are in order; those that it has are skipped. When it returns they last.

        Raises:
            WitnessConflictError: it has another head of the same number; that one stays.
            WitnessError: it can't be told now. Some of *heads* may be kept.
        """
        ...

    async def latest(self) -> Head | None:
        """Return the last head that it has, None when it has none. Raises WitnessError."""
        ...
