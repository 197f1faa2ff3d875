"""
The signer port: whoever holds the key that heads of the ledger are signed with.

The private part never leaves the driver. A driver may be a file, a hardware module or a service.
"""

from typing import Protocol


class HeadSigner(Protocol):
    """Signs by Ed25519 (RFC 8032)."""

    @property
    def public(self) -> str:
        """The public key, 64 hexadecimal digits."""
        ...

    def sign(self, content: bytes) -> str:
        """Return the signature of *content*, 128 hexadecimal digits."""
        ...
