"""A rollout, as everybody outside the engine sees it."""

from typing import Literal

from pydantic import Field

from tidegate.api.shapes.base import Asked, Instant, Shape, WireInteger

PhaseState = Literal["done", "now", "stopped", "ahead"]
Action = Literal["halt", "resume", "rollback", "approve", "reject", "abandon"]


class At(Shape):
    """What somebody saw of a rollout. Sent back, it makes a command fail when that has moved."""

    phase: int = Field(ge=1, description="Counted from 1.")
    revision: int = Field(ge=1, description="Grows with every recorded change.")


class Version(Shape):
    """A version by name and content."""

    name: str
    digest: str


class ComponentChange(Shape):
    """One component of a change: to which version, from which; `before` is null where nothing was."""

    kind: str
    to: str
    to_digest: str
    before: str | None
    before_digest: str | None


class Exposure(Shape):
    """
    What one component of the service exposes on one target.

    `set_*` is what the rollout allows now. `actual_*` is what was seen at the target; null when nobody
    looked (ask with `observe=true`).
    """

    component: str
    target: str
    set_internal: bool = Field(description="Whether internal users meet the candidate.")
    set_bps: int = Field(description="Share of everyone in basis points, 0 to 10000.")
    actual_internal: bool | None = None
    actual_bps: int | None = None
    settled: bool | None = Field(
        default=None, description="Whether every member was seen to serve what was asked."
    )
    why_not: str | None = Field(default=None, description="What is missing, where not settled.")
    serving: Version | None = Field(default=None, description="The baseline that is served.")
    candidate: Version | None = Field(default=None, description="The candidate that is served.")


class WaitingOn(Shape):
    """What a rollout waits for. `needs_person` means that nothing goes on before somebody acts."""

    reason_code: str
    detail: str
    until: Instant | None
    who_can_act: str
    needs_person: bool


class Halt(Shape):
    """Why it was stopped, by whom and when."""

    cause: str
    because: str
    by: str
    at: Instant


class GivenApproval(Shape):
    """One person's yes, or their no."""

    by: str
    at: Instant
    comment: str
    person: str | None = Field(default=None, description="Who is counted.")
    is_yes: bool = True
    expires_at: Instant | None = Field(default=None, description="When a yes lapses.")


class Approvals(Shape):
    """The approvals of the phase that an approval given now would let begin."""

    phase: int = Field(description="Counted from 1.")
    name: str
    needed: int
    approvers: str
    given: list[GivenApproval]


class Move(Shape):
    """What a phase does to one component on one target."""

    component: str
    target: str
    exposure: str = Field(description="In words: nobody, internal only, 5%.")
    internal: bool
    weight_bps: int


class Phase(Shape):
    """One step of exposure with its bake. `baked_seconds` is null for phases not in force."""

    number: int = Field(description="Counted from 1.")
    name: str
    ring: str
    state: PhaseState
    moves: list[Move]
    bake_seconds: float
    bake_max_seconds: float
    baked_seconds: float | None
    approvals: int
    approvers: str
    unless_reviewed: bool = Field(
        default=False, description="A green gate of kind review stands for the approvals."
    )
    demanded_by: str = Field(
        default="", description="The rule of the policy that demands them; empty: the plan."
    )


class PhasePosition(Shape):
    """Where in its plan a rollout is."""

    number: int = Field(description="Counted from 1.")
    count: int
    name: str
    ring: str


class Rollout(Shape):
    """One change carried out by one plan."""

    id: str
    service: str
    change: dict[str, ComponentChange] = Field(description="By component.")
    plan: str
    plan_hash: str
    state: str
    state_since: Instant
    phase: PhasePosition
    attempt: int
    revision: int
    at: At
    exposure: list[Exposure]
    waiting_on: WaitingOn
    halt: Halt | None
    approvals: Approvals | None
    rehearsal: str = Field(description="How far the way back has been tried.")
    way_back_seconds: float | None = Field(description="How long the way back took when tried.")
    actions: list[Action] = Field(description="What a person can do now.")
    is_final: bool
    is_install: bool = Field(description="Nothing was served before.")
    is_return: bool = Field(description="It only brings back an earlier version.")
    emergency: str | None = Field(
        default=None, description="The emergency that it is carried out under."
    )
    settled: bool
    created_at: Instant
    created_by: str
    finished_at: Instant | None
    phases: list[Phase]
    as_of: Instant = Field(description="The server's time when this was made.")


class Rollouts(Shape):
    """Rollouts, newest first."""

    rollouts: list[Rollout]


class StartRollout(Asked):
    """
    What to start: a service and the versions its components shall have.

    `service` is a resolved document, or the name of a service whose latest document the server has.
    """

    service: dict[str, object] | str
    change: dict[str, str] = Field(min_length=1, max_length=100)
    plan_hash: str | None = Field(
        default=None, description="Refuse when the plan isn't this one any more."
    )
    emergency: str | None = Field(
        default=None, max_length=200, description="The authorised emergency that it is under."
    )


class Command(Asked):
    """A person's word on a rollout. `comment` is another name for `reason`."""

    reason: str = Field(default="", max_length=2000)
    comment: str = Field(default="", max_length=2000)
    at: At | None = None

    @property
    def why(self) -> str:
        """What was said, by either name."""
        return (self.reason or self.comment).strip()


class Event(Shape):
    """One entry of a rollout's ledger, as a hint to look again."""

    number: WireInteger
    at: Instant
    kind: str
    rule: str
    actor: str
    because: str
    state_before: str
    state_after: str


class Events(Shape):
    """What happened after the number that was asked for; ask again with `next`."""

    events: list[Event]
    next: WireInteger
