"""
The key of the ledger in a file that its owner alone may read (Ed25519, RFC 8032; PKCS 8 in PEM).

Made at the first start. A file that others may read or that isn't a key is refused and never replaced:
with another key the heads that follow would look like somebody else's.
"""

import contextlib
import os
import stat
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from tidegate.errors import StoreError


class FileSigner:
    """Signs with the key in a file."""

    def __init__(self, path: Path) -> None:
        """
        Read the key of *path*, made when there is none.

        Raises:
            StoreError: the file can't be read or written, others may read it, or it holds no key.
        """
        try:
            content = _content(path)
        except OSError as exc:
            raise StoreError(
                f"the ledger's key {path} can't be read or made: {exc.strerror}",
                hint="the server's user has to own it, in a folder that it may write",
            ) from exc
        try:
            key = load_pem_private_key(content, password=None)
        except (ValueError, TypeError) as exc:
            raise _unusable(path) from exc
        if not isinstance(key, Ed25519PrivateKey):
            raise _unusable(path)
        self._key = key

    @property
    def public(self) -> str:
        """The public key, 64 hexadecimal digits."""
        return self._key.public_key().public_bytes_raw().hex()

    def sign(self, content: bytes) -> str:
        """Return the signature of *content*, 128 hexadecimal digits."""
        return self._key.sign(content).hex()


def _content(path: Path) -> bytes:
    if not path.exists():
        _make(path)
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise StoreError(
            f"others than its owner may read or write the ledger's key {path}",
            hint=f"if nobody did: chmod 600 {path}; else remove it, and tell whoever knows the key",
        )
    return path.read_bytes()


def _make(path: Path) -> None:
    content = Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    with open(  # noqa: PTH123 - the mode must hold from the first byte on
        os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb"
    ) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    # A link instead of a rename: of two servers that start at once, the first one's key stays.
    with contextlib.suppress(FileExistsError):
        path.hardlink_to(beside)
    beside.unlink()


def _unusable(path: Path) -> StoreError:
    return StoreError(
        f"{path} holds no Ed25519 key",
        hint="restore it from a backup; a new key begins when the file is removed",
    )
