"""
Where a component driver keeps what it must know of a placement and can't ask its target for.

One folder per placement, named so that a person can read it and no two placements share it.
"""

import re
from hashlib import sha256
from pathlib import Path

from tidegate.domain.quantities import Placement


def folder_name(placement: Placement) -> str:
    """Return a file name that only this placement has."""
    readable = "-".join(
        re.sub(r"[^a-z0-9]+", "_", part.lower())[:30].strip("_")
        for part in (placement.service, placement.component, placement.target)
    )
    # Two names can read the same after that, and cut; the hash tells them apart.
    unique = "\0".join((placement.service, placement.component, placement.target))
    return f"{readable}-{sha256(unique.encode()).hexdigest()[:8]}"


def folder_of(root: Path, placement: Placement) -> Path:
    """Return the folder of *placement* under *root*; it may not exist yet."""
    return root / "placements" / folder_name(placement)
