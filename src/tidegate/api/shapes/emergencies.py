"""Emergencies: what was declared and why, who agreed, what it makes of the plan, what is owed."""

from typing import Annotated

from pydantic import Field

from tidegate.api.shapes.base import Asked, Instant, Shape
from tidegate.api.shapes.rollout import Rollout

FactValue = Annotated[str, Field(max_length=200)] | bool | float


class Word(Shape):
    """One person's yes."""

    by: str
    person: str
    at: Instant
    reason: str


class Part(Shape):
    """One part of the plan and what becomes of it."""

    what: str
    detail: str


class Treatment(Shape):
    """What the emergency makes of the plan. Bakes in seconds are the sums over all phases."""

    shortened: list[Part]
    out_of_band: list[Part]
    unchanged: list[Part]
    routine_bake_seconds: float
    shortened_bake_seconds: float


class Protocol(Shape):
    """The fixed way of a type of emergency."""

    type: str
    version: str
    criteria: str = Field(description="A condition over the facts.")
    declare: list[str] = Field(description="Who may declare; empty: who has the permission.")
    authorise: list[str] = Field(description="Who must agree; empty: who has the permission.")
    persons: int = Field(description="How many persons must agree.")
    divide_by: float
    floor_seconds: float
    out_of_band: list[str]
    never_skip: list[str]
    expires_seconds: float
    debts_due_seconds: float
    tests: str
    plan: str = Field(description="The response plan with its version; empty for none.")


class Emergency(Shape):
    """One emergency."""

    id: str
    type: str
    state: str = Field(description="declared, authorised, expired or closed.")
    service: str
    change: dict[str, str] = Field(description="Version by component, as it was declared.")
    change_digest: str
    incident: str
    facts: dict[str, str] = Field(description="Literals by name: claimed and measured.")
    claimed: list[str] = Field(description="The names of those facts that the declarer gave.")
    reason: str
    protocol: Protocol
    declared_by: str
    declared_at: Instant
    agreed: list[str] = Field(description="The persons whose yes counts.")
    approvals: list[Word]
    persons_missing: int
    authorised_at: Instant | None
    expires_at: Instant = Field(description="From then on nothing can be started under it.")
    starts_at_once: bool = Field(description="It starts by itself with the last yes.")
    rollouts: list[str]
    closed_at: Instant | None
    closed_by: str
    closing: str
    as_of: Instant


class Emergencies(Shape):
    """Emergencies: the open ones oldest first, all of them newest first."""

    emergencies: list[Emergency]
    as_of: Instant


class EmergencyDeclared(Shape):
    """An emergency on record, with what it makes of the plan."""

    emergency: Emergency
    treatment: Treatment


class EmergencyApproved(Shape):
    """An emergency after one more yes."""

    emergency: Emergency
    started: Rollout | None = Field(description="The rollout that began with the last yes.")
    not_started: str = Field(description="Why it didn't begin, where it should have.")


class DeclareEmergency(Asked):
    """
    What must go faster, of which type, for which incident, and by which facts.

    `service` is a resolved document, or the name of a service whose latest document the server has.
    """

    service: dict[str, object] | str
    change: dict[str, str] = Field(min_length=1, max_length=100)
    type: Annotated[str, Field(max_length=63)]
    incident: Annotated[str, Field(max_length=200)]
    facts: dict[Annotated[str, Field(max_length=100)], FactValue] = Field(
        default_factory=dict, max_length=50
    )
    reason: Annotated[str, Field(max_length=2000)] = ""
    start: bool = Field(default=False, description="Start it with the last yes that is needed.")


class ApproveEmergency(Asked):
    """A yes, with a comment."""

    reason: Annotated[str, Field(max_length=2000)] = ""


class Reason(Asked):
    """Why; needed."""

    reason: Annotated[str, Field(max_length=2000)] = ""


class Debt(Shape):
    """One gate that an emergency put off."""

    id: str
    emergency: str
    rollout: str | None
    service: str
    project: str
    gate: str
    owner: str
    due_at: Instant
    state: str = Field(description="open, settled, failed or waived.")
    is_overdue: bool = Field(description="It keeps normal rollouts of the project from rising.")
    because: str
    changed_at: Instant
    waivers: list[Word] = Field(description="Who said that it may be given up; two must.")


class Debts(Shape):
    """Debts: what is unpaid oldest first, all of them newest first."""

    debts: list[Debt]
    as_of: Instant


class Run(Shape):
    """One rollout under an emergency, against its plan as it is otherwise."""

    rollout: str
    state: str
    started_by: str
    started_at: Instant
    finished_at: Instant | None
    took_seconds: float
    routine_bake_seconds: float
    shortened_bake_seconds: float
    changes: list[str] = Field(description="What was otherwise than in the plan.")


class Told(Shape):
    """One entry of the ledger."""

    number: int
    at: Instant
    actor: str
    rule: str
    because: str
    rollout: str


class Report(Shape):
    """All that is to be known of an emergency afterwards, from the ledger."""

    emergency: Emergency
    runs: list[Run]
    debts: list[Debt]
    timeline: list[Told] = Field(description="Oldest first.")
    is_cut: bool = Field(description="The timeline isn't whole.")


class HoldDrill(Asked):
    """Which service is to be drilled with, and which type of emergency."""

    service: dict[str, object] | str
    type: Annotated[str, Field(max_length=63)]


class DrillRun(Shape):
    """A simulated run of the shortened plan."""

    ending: str = Field(description="completed, halted, held or undecided.")
    phase: str = Field(description="In which phase it ended.")
    took_seconds: float
    because: str


class Drill(Shape):
    """What a drill showed. Nothing was started."""

    service: str
    type: str
    at: Instant
    by: str
    problems: list[str] = Field(description="What would be in the way of a real one.")
    told: list[str] = Field(description="The way to the authority, by the real rules.")
    protocol: Protocol
    treatment: Treatment
    healthy: DrillRun = Field(description="A change that is as good as what it replaces.")
    harmful: DrillRun = Field(description="One that fails two requests in a hundred more.")
    last_at: Instant | None = Field(description="When this type was drilled before.")
