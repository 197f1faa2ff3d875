"""Alarms: what others say is wrong, and what saying it did."""

from typing import Annotated, Literal

from pydantic import Field

from tidegate.api.shapes.base import Asked, Instant, Shape

Label = Annotated[str, Field(max_length=1000)]
Labels = Annotated[dict[Label, Label], Field(max_length=100)]
NameOfService = Annotated[str, Field(min_length=1, max_length=200)]
NameOfTarget = Annotated[str, Field(min_length=1, max_length=200)]


class Alarm(Shape):
    """One thing that is said to be wrong, until `resolved_at`."""

    id: str
    kind: Literal["alert", "report"]
    severity: Literal["page", "ticket"]
    service: str | None
    target: str | None
    summary: str
    source: str = Field(description="Who said it first: alertmanager, user, or a program's name.")
    fingerprint: str = Field(description="What its source calls it by.")
    labels: dict[str, str]
    raised_at: Instant = Field(description="When it began, by its source.")
    raised_by: str
    resolved_at: Instant | None
    resolved_by: str | None
    resolution: str


class Alarms(Shape):
    """Alarms: those that are active oldest first, all of them newest first."""

    alarms: list[Alarm]
    as_of: Instant = Field(description="The server's time when this was made.")


class AlarmAnswer(Shape):
    """An alarm as it is on record, and what was done about it."""

    alarm: Alarm
    halted: list[str] = Field(description="Rollouts that it halted and withdrew.")
    held: list[str] = Field(description="Rollouts that it keeps from going on.")
    released: list[str] = Field(description="Rollouts that it kept from going on until now.")


class AlarmsTaken(Shape):
    """What a webhook's message did."""

    raised: int = Field(description="Alerts that fire.")
    resolved: int = Field(description="Alerts that are over.")
    halted: list[str]
    held: list[str]
    released: list[str]


class RaiseAlarm(Asked):
    """
    What is wrong with a service.

    A `report` is a person's word. A page halts and withdraws the service's rollouts at the target (at
    all targets without one), a ticket holds them until it is resolved.
    """

    kind: Literal["alert", "report"] = "alert"
    severity: Literal["page", "ticket"] = "page"
    service: NameOfService
    target: NameOfTarget | None = None
    summary: Annotated[str, Field(min_length=1, max_length=2000)]
    source: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._-]+$")] = "api"
    fingerprint: Annotated[str, Field(min_length=1, max_length=200)] | None = Field(
        default=None, description="Makes raising the same alarm again harmless."
    )
    labels: Labels = Field(default_factory=dict)


class ResolveAlarm(Asked):
    """Why an alarm is over."""

    reason: Annotated[str, Field(max_length=2000)] = ""
