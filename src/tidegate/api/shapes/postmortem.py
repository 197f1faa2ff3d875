"""The draft of a postmortem, as it is sent. People are roles in it; the ledger has their names."""

from pydantic import Field

from tidegate.api.shapes.base import Instant, Shape, WireInteger
from tidegate.api.shapes.rollout import ComponentChange


class Blame(Shape):
    """A wording that makes a person the cause, and what to say instead."""

    wording: str
    instead: str


class Moment(Shape):
    """One line of the timeline."""

    number: WireInteger = Field(description="N of d-N in the ledger.")
    at: Instant
    who: str = Field(description="A role: the proposer, person 1, the engine.")
    what: str
    rule: str
    state: str
    is_change: bool = Field(description="Whether the state changed.")
    exposure_bps: int | None = Field(
        description="The most that was seen exposed; null for unknown."
    )
    blame: list[Blame]


class Impact(Shape):
    """What users had of the new version by one signal. `excess` is beyond the baseline's rate."""

    signal: str
    served: WireInteger
    bad: WireInteger
    excess: float | None = Field(description="Null where nothing beside it could be compared.")


class Guard(Shape):
    """What one signal did about it."""

    signal: str
    caught: str
    detail: str


class Replayed(Shape):
    """A decision made again from what was stored."""

    number: WireInteger
    rule: str
    is_same: bool
    differences: list[str]


class Seen(Shape):
    """The most that was exposed at one moment."""

    at: Instant
    exposure_bps: int


class HarmPoint(Shape):
    """The natural logarithm of the e-value against "no harm", by signal; null where there was none."""

    at: Instant
    log_e_harm: dict[str, float | None]


class Postmortem(Shape):
    """The draft, made from the ledger and the watch. Times are seconds; null is unknown."""

    rollout: str
    service: str
    change: dict[str, ComponentChange] = Field(description="By component.")
    state: str
    stopped_because: str | None
    stopped_at: Instant | None
    exposed_until_halt_seconds: float | None
    halt_until_withdrawn_seconds: float | None
    halt_until_over_seconds: float | None
    most_exposed_bps: int
    impacts: list[Impact]
    guards: list[Guard]
    timeline: list[Moment]
    exposure: list[Seen]
    harm: list[HarmPoint]
    harm_threshold: float = Field(description="From this logarithm on harm is proven.")
    replayed: list[Replayed]
    not_replayed: int = Field(description="Earlier decisions that were left out.")
    as_of: Instant
