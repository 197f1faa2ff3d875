"""
Secrets in a folder: a file per name, a secret per line, readable by its owner only.

A file that others may read, or a secret that is too short, counts as none: a hook that looks protected
and isn't would be worse than one that doesn't work.
"""

import re
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Final

SHORTEST: Final = 32
"""Characters; 32 of base64 are 192 bits."""
MOST: Final = 4

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


class SecretFolder:
    """Reads the files of *folder*, which needn't be there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def secrets(self, name: str) -> Sequence[bytes]:
        """Return the secrets called *name*; see the port."""
        if not _NAME.fullmatch(name):
            return ()
        path = self._folder / name
        try:
            found = path.lstat()
            if not stat.S_ISREG(found.st_mode) or stat.S_IMODE(found.st_mode) & 0o077:
                return ()
            lines = path.read_bytes().split()
        except OSError:
            return ()
        return [line for line in lines if len(line) >= SHORTEST][:MOST]
