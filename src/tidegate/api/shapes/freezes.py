"""Freezes: what they close and when, who announced them, and what adding or lifting one did."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from tidegate.api.shapes.base import Asked, Instant, Shape


class Freeze(Shape):
    """One freeze: exposure of all that it covers doesn't rise from `since` until before `until`."""

    number: int
    scope: Literal["service", "ring", "environment", "everything"]
    name: str = Field(description="The service, ring or environment; empty for everything.")
    since: Instant
    until: Instant
    reason: str
    by: str
    at: Instant = Field(description="When it was announced.")
    allows_exceptions: bool = Field(
        description="Whether a budgeted exception lets a rollout through."
    )
    organisation: str | None = Field(description="The only organisation it covers; null for all.")
    lifted_at: Instant | None
    lifted_by: str
    lift_reason: str
    state: Literal["ahead", "in_force", "over", "lifted"]


class Freezes(Shape):
    """Freezes: those that are ahead or in force oldest first, all of them newest first."""

    freezes: list[Freeze]
    as_of: Instant = Field(description="The server's time when this was made.")


class FreezeAdded(Shape):
    """A freeze that is announced."""

    freeze: Freeze
    waiting: list[str] = Field(description="The unfinished rollouts that it covers.")
    as_of: Instant


class FreezeLifted(Shape):
    """A freeze that was ended."""

    freeze: Freeze
    released: list[str] = Field(description="The rollouts that waited for the calendar under it.")
    as_of: Instant


class ExceptionGiven(Shape):
    """A phase that may begin although the calendar is closed, until the exception expires."""

    number: int
    rollout: str
    phase: str
    reason: str
    by: str
    at: Instant
    expires_at: Instant
    left: int = Field(description="How many more the service has by its budget.")
    as_of: Instant


class AddFreeze(Asked):
    """What to freeze and when. A service, ring or environment is named; everything has no name."""

    scope: Literal["service", "ring", "environment", "everything"]
    name: Annotated[str, Field(max_length=200)] = ""
    since: AwareDatetime | None = Field(
        default=None, description="With its offset from UTC; null is at once."
    )
    until: AwareDatetime = Field(description="With its offset from UTC; it ends then by itself.")
    reason: Annotated[str, Field(max_length=2000)] = ""
    allows_exceptions: bool | None = Field(
        default=None, description="Default: not for everything, yes for anything narrower."
    )


class GiveException(Asked):
    """Why a phase may not wait for the calendar; needed."""

    reason: Annotated[str, Field(max_length=2000)] = ""


class LiftFreeze(Asked):
    """Why a freeze may end early; needed."""

    reason: Annotated[str, Field(max_length=2000)] = ""
