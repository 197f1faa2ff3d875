"""
A postmortem as it is sent: the draft, and what people wrote into it.

People are roles in the draft and in texts; the ledger has their names. Who wrote a text and who owns an
action is named.
"""

from datetime import date
from typing import Annotated

from pydantic import Field

from tidegate.api.shapes.base import Asked, Instant, Shape, WireInteger
from tidegate.api.shapes.rollout import ComponentChange
from tidegate.domain.review.texts import LONGEST_OWNER, LONGEST_TEXT
from tidegate.domain.review.written import LONGEST_SUGGESTION


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


class Factor(Shape):
    """Something that contributed, as somebody wrote it. `findings` are what should be said otherwise."""

    id: str
    version: WireInteger = Field(
        description="Counts changes from 1; a change says which one it saw."
    )
    text: str = Field(description="Names of people who acted are roles.")
    findings: list[Blame]
    by: str
    at: Instant
    changed_by: str | None = Field(description="Who changed it last; null for nobody.")
    changed_at: Instant | None
    suggestion: str | None = Field(description="The key of what it was taken over from.")


class Action(Factor):
    """Something that shall be done about it."""

    owner: str
    due: date = Field(description="The last day for it, in UTC.")
    is_done: bool
    is_overdue: bool
    done_by: str | None
    done_at: Instant | None


class Suggestion(Shape):
    """What the draft suggests, and nobody took over yet."""

    key: str
    text: str


class Postmortem(Shape):
    """The draft, made from the ledger and the watch, and what people wrote. Null is unknown."""

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
    factors: list[Factor]
    actions: list[Action]
    suggested_factors: list[Suggestion]
    suggested_actions: list[Suggestion]
    findings: WireInteger = Field(
        description="How much should be said otherwise, in the timeline and in what people wrote."
    )
    as_of: Instant


Text = Annotated[str, Field(max_length=LONGEST_TEXT, description="Plain text.")]
Owner = Annotated[str, Field(max_length=LONGEST_OWNER, description="A team or a person.")]
Due = Annotated[date, Field(description="The last day for it, in UTC: from today on.")]
Key = Annotated[
    str,
    Field(max_length=LONGEST_SUGGESTION, description="Of the suggestion it is taken over from."),
]
Version = Annotated[int, Field(ge=1, le=2**53, description="The version that was seen.")]


class AddFactor(Asked):
    """Something that contributed."""

    text: Text
    suggestion: Key = ""


class ChangeFactor(Asked):
    """Another text of a factor."""

    text: Text
    version: Version


class AddAction(Asked):
    """Something that shall be done about it, by whom and until when."""

    text: Text
    owner: Owner
    due: Due
    suggestion: Key = ""


class ChangeAction(Asked):
    """Another text, owner or day of an action."""

    text: Text
    owner: Owner
    due: Due
    version: Version


class SeenVersion(Asked):
    """What is marked or removed is what was seen, and nothing newer."""

    version: Version
