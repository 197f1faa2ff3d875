"""
What all shapes of the API have in common.

Rule: names are stable, numbers carry their unit in the name (`bake_seconds`, `set_bps`), instants are
ISO 8601 in UTC. A field may be added, and an old client skips it; none is renamed or given another
meaning. Secrets have no field here.
"""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Instant = Annotated[datetime, Field(description="ISO 8601, UTC.")]

WireInteger = Annotated[int, Field(ge=0, le=2**53)]


class Shape(BaseModel):
    """An answer. Unknown fields are skipped, so that a client may be older than its server."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Asked(BaseModel):
    """A request's body. Unknown fields are refused: a misspelt one would otherwise be lost."""

    model_config = ConfigDict(frozen=True, extra="forbid")
