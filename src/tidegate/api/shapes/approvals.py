"""What people have to agree to, as it is sent."""

from pydantic import Field

from tidegate.api.shapes.base import Instant, Shape
from tidegate.api.shapes.rollout import At, ComponentChange


class Word(Shape):
    """What one person said of a phase."""

    by: str = Field(description="The name that it was said under.")
    person: str | None = Field(description="Who is counted.")
    at: Instant
    is_yes: bool
    comment: str
    expires_at: Instant | None = Field(description="When a yes lapses; null for a no.")
    void_because: str | None = Field(description="Why a yes doesn't count; null when it does.")


class Awaited(Shape):
    """One phase of a rollout that people have to agree to."""

    rollout: str
    service: str
    change: dict[str, ComponentChange] = Field(description="By component.")
    phase: int = Field(description="Counted from 1.")
    phase_name: str
    exposure: str = Field(description="The most that the phase allows, in words.")
    environments: list[str]
    at: At
    is_due: bool = Field(description="Whether the rollout waits for it now, or only later.")
    since: Instant
    why: str = Field(description="Why an approval is needed.")
    needed: int
    counting: int = Field(description="How many approvals count now.")
    approvers: str
    may: list[str] | None = Field(
        description="Who can approve; null when the policy doesn't say who is in the group."
    )
    authors: list[str] = Field(description="Who can't, because it is their own change.")
    words: list[Word] = Field(description="What was said so far, void approvals included.")
    you_may: bool = Field(description="Whether whoever asks can approve it.")
    why_you_may_not: str | None
    deadline: Instant | None = Field(
        description="When the first of the approvals that count lapses; null when none counts."
    )


class AwaitedApprovals(Shape):
    """What has to be agreed to: what is due first, of that what lapses first."""

    approvals: list[Awaited]
    as_of: Instant
