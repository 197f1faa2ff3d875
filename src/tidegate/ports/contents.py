"""
The contents port: what a version says, where a driver keeps it as text that people can read.

Optional: only drivers of documents have it. Nothing is decided by a content; it is shown.
"""

from typing import Protocol


class VersionContents(Protocol):
    """Keeps what versions say."""

    def text_of(self, digest: str) -> str:
        """
        Return the canonical JSON of the version with *digest*.

        Raises:
            WorkloadError: it isn't kept here, or was changed where it was kept.
        """
        ...
