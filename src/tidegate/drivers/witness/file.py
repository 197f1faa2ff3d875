"""
A witness that is a folder elsewhere: another disk, a mount that can only be appended to, another host's.

On the server's own disk it shows mistakes, but not what an administrator of the server did.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from tidegate.domain.ledger.model import Head
from tidegate.drivers.witness.heads_file import HeadsFile


class FileWitness:
    """Keeps heads in a file of *folder*."""

    def __init__(self, folder: Path) -> None:
        self._name = f"file:{folder}"
        self._file = HeadsFile(folder, self._name)

    @property
    def name(self) -> str:
        """Where it is."""
        return self._name

    async def keep(self, heads: Sequence[Head]) -> None:
        """Keep *heads*; see the port."""
        await asyncio.to_thread(self._file.append, heads)

    async def latest(self) -> Head | None:
        """Return the last head."""
        return await asyncio.to_thread(self._file.last)
