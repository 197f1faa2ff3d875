"""The secrets port: values that are referred to by name and kept elsewhere, never in a document."""

from collections.abc import Sequence
from typing import Protocol


class Secrets(Protocol):
    """Looks secrets up anew each time, so that one that was changed is used at once."""

    def secrets(self, name: str) -> Sequence[bytes]:
        """
        Return the values of *name*, the present one first; none when there is no such secret.

        Two are there while one is being exchanged for the other. *name* is a plain name and no path.
        """
        ...
