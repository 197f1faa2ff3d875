"""What was decided, by which rule or whom, on what; and the same decision made again."""

from pydantic import Field

from tidegate.api.shapes.base import Instant, Shape, WireInteger
from tidegate.api.shapes.evidence import Evidence
from tidegate.api.shapes.gates import Gate
from tidegate.api.shapes.rollout import Exposure, Rollout


class Entry(Shape):
    """One fact of the ledger. `hash` covers the entry and the hash before."""

    number: WireInteger
    at: Instant
    rollout: str
    service: str
    actor: str
    kind: str = Field(description="decision (by a rule) or command (by a person).")
    rule: str
    because: str
    state_before: str
    state_after: str
    previous_hash: str
    hash: str


class Entries(Shape):
    """Entries in order; ask for more with `after` = the last number."""

    entries: list[Entry]


class Inputs(Shape):
    """What a decision was made from. Settings of components aren't shown: they may hold secrets."""

    now: Instant
    revision: int
    attempt: int
    phase: int
    placements: list[Exposure]
    evidence: Evidence


class Decision(Shape):
    """One entry with what it was decided from and what was decided; null for a command."""

    entry: Entry
    inputs: Inputs | None
    action: str | None


class Replay(Shape):
    """A decision made again from what was stored."""

    entry: Entry
    ticks: int
    same_evidence: bool | None = Field(description="Null where it rested on no ticks.")
    same_decision: bool
    action: str
    because: str
    differences: list[str]


class Why(Shape):
    """Why a rollout is where it is."""

    rollout: Rollout
    brought_here_by: Entry | None
    last_decision: Entry | None
    evidence: Evidence
    gates: list[Gate] = Field(default_factory=list, description="In the order of the plan.")
