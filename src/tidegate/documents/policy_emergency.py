"""
The section `emergency` of an organisation's policy: how it is written, and the protocols that it means.

Types that are written replace the built-in ones, all of them: what a policy doesn't name can't be declared
under it. What no protocol may hold is decided in `domain.emergency.protocol`, and only gets its place in
the file here.
"""

import re
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Annotated, Final, Literal

from pydantic import Field, WithJsonSchema

from tidegate.documents.components import Text, Written
from tidegate.documents.notation import Duration, Name, NotationError, checked_by, shown
from tidegate.documents.problems import Complaint
from tidegate.domain.emergency.protocol import (
    EmergencyProtocol,
    ProtocolProblem,
    ResponsePlan,
    plan_problems,
    problems_of,
)

SECTION: Final = "emergency"
QUORUM_PATTERN: Final = (
    r"[1-9] of \[ *[A-Za-z0-9][A-Za-z0-9_.-]*( *, *[A-Za-z0-9][A-Za-z0-9_.-]*)* *\]"
)


def parse_quorum(written: object) -> tuple[int, tuple[str, ...]]:
    """Return how many of whom must agree, *written* as `2 of [incident-commander, team-orders]`."""
    if not isinstance(written, str) or not re.fullmatch(QUORUM_PATTERN, written):
        raise NotationError(
            f"it says how many of which groups or roles must agree, got {shown(written)}",
            "write it like: 2 of [incident-commander, team-orders]",
        )
    count, _, listed = written.partition(" of ")
    return int(count), tuple(name.strip() for name in listed.strip("[]").split(","))


def parse_day(written: object) -> date:
    """Return the day *written* as `"2027-12-31"`."""
    try:
        if isinstance(written, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", written):
            return date.fromisoformat(written)
    except ValueError as exc:
        raise NotationError(f"{written} is no day", 'write it like "2027-12-31"') from exc
    raise NotationError(f"a day is needed, got {shown(written)}", 'write it like "2027-12-31"')


Quorum = Annotated[
    tuple[int, tuple[str, ...]],
    checked_by(parse_quorum),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": f"^{QUORUM_PATTERN}$",
            "description": "How many persons of which groups or roles.",
            "examples": ["2 of [incident-commander, team-orders]"],
        }
    ),
]
Day = Annotated[
    date,
    checked_by(parse_day),
    WithJsonSchema({"type": "string", "format": "date", "examples": ["2027-12-31"]}),
]
Names = Annotated[list[Text], Field(max_length=100)]


class WrittenResponsePlan(Written):
    """The emergency response plan that a protocol belongs to."""

    id: Text = Field(description="Its id in the place where it is kept.")
    version: Text = Field(description="The version that the protocol was aligned with.")
    roles: Annotated[list[Text], Field(min_length=1, max_length=100)] = Field(
        description="Its roles; who authorises is among them."
    )
    valid_until: Day | None = Field(
        default=None, description="The last day that it is valid. Default: it doesn't end."
    )


class WrittenHaste(Written):
    """How much shorter bakes are."""

    divide_by: Annotated[float | int, Field(ge=1, le=100, allow_inf_nan=False)] = Field(
        default=12, description="Bakes are divided by this, 1 to 100. Default 12."
    )
    floor: Duration = Field(
        default=timedelta(minutes=10),
        description="No bake is shorter; on production never below 10m. Default 10m.",
        json_schema_extra={"default": "10m"},
    )


class WrittenDebts(Written):
    """What becomes of gates that were put off."""

    due: Duration = Field(
        default=timedelta(hours=24),
        description="Until when each must be green, at most 24h. Default 24h.",
        json_schema_extra={"default": "24h"},
    )
    owner: Text | None = Field(
        default=None, description="Who owns them. Default: the service's owner."
    )


class WrittenProtocol(Written):
    """The fixed way of one type of emergency."""

    version: Text = Field(default="1", description="Its version, for the ledger.")
    criteria: Annotated[str, Field(min_length=1, max_length=4096)] = Field(
        description="The condition over the facts that makes it one."
    )
    declare: Names = Field(
        default_factory=list,
        description="Groups or roles that may declare it. Default: whoever has the permission.",
    )
    authorise: Quorum = Field(description="Persons that must agree, at least 2; never one alone.")
    bakes: WrittenHaste = Field(
        default_factory=WrittenHaste, description="How much shorter bakes are."
    )
    out_of_band: Names = Field(
        default_factory=list,
        description="Gates, by name or kind, that run beside instead of before. Default: none.",
    )
    never_skip: Names = Field(
        default_factory=list, description="Gates, by name or kind, that always come before."
    )
    expires: Duration = Field(
        default=timedelta(hours=4),
        description="How long something can be started under it, at most 24h. Default 4h.",
        json_schema_extra={"default": "4h"},
    )
    tests: Text | None = Field(
        default=None,
        description="The smaller suite that must have passed before, where a gate of tests is put off.",
    )
    approvals: Literal["kept", "authorised"] = Field(
        default="authorised",
        description="Whether phases still wait for the plan's approvals (kept), or the authorisation"
        " stands in for them. Default: authorised.",
    )
    plan: WrittenResponsePlan | None = Field(
        default=None, description="The response plan that it belongs to."
    )
    debts: WrittenDebts = Field(
        default_factory=WrittenDebts, description="What becomes of gates that were put off."
    )


WrittenEmergency = Annotated[dict[Name, WrittenProtocol], Field(min_length=1, max_length=50)]
"""The section: protocols by type."""


def resolve_protocols(
    written: Mapping[str, WrittenProtocol], *, today: date
) -> tuple[tuple[EmergencyProtocol, ...], tuple[Complaint, ...]]:
    """Return the protocols that *written* means, and what is wrong with them, with its place."""
    protocols = tuple(_protocol(name, one) for name, one in written.items())
    problems = [(one.type, problem) for one in protocols for problem in problems_of(one)]
    problems += plan_problems(protocols, today)
    return protocols, tuple(_complaint(*problem) for problem in problems)


def _protocol(name: str, written: WrittenProtocol) -> EmergencyProtocol:
    persons, authorise = written.authorise
    plan = written.plan
    return EmergencyProtocol(
        type=name,
        version=written.version,
        criteria=written.criteria,
        declare=tuple(written.declare),
        authorise=authorise,
        persons=persons,
        divide_by=float(written.bakes.divide_by),
        floor=written.bakes.floor,
        out_of_band=tuple(written.out_of_band),
        never_skip=tuple(written.never_skip),
        expires_after=written.expires,
        tests=written.tests or "",
        plan=None
        if plan is None
        else ResponsePlan(
            id=plan.id,
            version=plan.version,
            roles=tuple(plan.roles),
            valid_until=plan.valid_until,
        ),
        debt_due=written.debts.due,
        debt_owner=written.debts.owner or "",
        keeps_approvals=written.approvals == "kept",
    )


def _complaint(emergency_type: str, problem: ProtocolProblem) -> Complaint:
    return Complaint(
        path=(SECTION, emergency_type, *problem.key), what=problem.message, fix=problem.fix
    )
