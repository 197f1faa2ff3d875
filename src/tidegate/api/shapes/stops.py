"""Stop orders: what they stop, who gave them, and what giving or lifting one did."""

from typing import Annotated, Literal

from pydantic import Field

from tidegate.api.shapes.base import Asked, Instant, Shape
from tidegate.api.shapes.rollout import ComponentChange


class Lift(Shape):
    """One person's word that a stop order may end."""

    by: str
    person: str
    at: Instant
    reason: str


class StopOrder(Shape):
    """One stop order: exposure of all that it covers stays or falls, until `lifted_at`."""

    number: int
    scope: Literal["service", "ring", "everything"]
    name: str = Field(description="The service or ring; empty for everything.")
    withdraw: bool = Field(description="Whether what it covers is also brought back to nobody.")
    reason: str
    by: str
    at: Instant
    organisation: str | None = Field(description="The only organisation it covers; null for all.")
    lifts: list[Lift]
    lifts_needed: int = Field(description="How many persons must say that it may end.")
    lifted_at: Instant | None


class StopOrders(Shape):
    """Stop orders: those in force oldest first, all of them newest first."""

    orders: list[StopOrder]
    as_of: Instant = Field(description="The server's time when this was made.")


class Suspect(Shape):
    """A change of the last 24 hours on what an order covers."""

    rollout: str
    service: str
    change: dict[str, ComponentChange]
    state: str
    started_at: Instant


class StopOrderGiven(Shape):
    """An order that is in force."""

    order: StopOrder
    covered: list[str] = Field(description="The unfinished rollouts that it stops.")
    suspects: list[Suspect] = Field(description="Recent changes, newest first.")
    as_of: Instant


class StopOrderLifted(Shape):
    """An order after a word that it may end."""

    order: StopOrder
    released: list[str] = Field(description="The rollouts that it stopped until now.")


class GiveStopOrder(Asked):
    """What to stop. A service or ring is named; everything has no name."""

    scope: Literal["service", "ring", "everything"]
    name: Annotated[str, Field(max_length=200)] = ""
    withdraw: bool = False
    reason: Annotated[str, Field(max_length=2000)] = ""


class LiftStopOrder(Asked):
    """Why an order may end; needed."""

    reason: Annotated[str, Field(max_length=2000)] = ""
