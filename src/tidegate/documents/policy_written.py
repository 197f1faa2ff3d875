"""
The shape of `tidegate-org.yaml`: which keys there are, what each may hold, and its default.

Rule: one model per mapping of the file, every key described, as for `tidegate.yaml`. What names demand of
one another is checked when the file is read.
"""

from typing import Annotated, Literal

from pydantic import Field

from tidegate.documents.components import Written
from tidegate.documents.notation import Approval, Duration, GroupName, checked_by, matching
from tidegate.documents.policy_emergency import WrittenEmergency

ACCOUNT_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._@+:/|-]{0,199}"

AccountName = Annotated[
    str,
    checked_by(
        matching(
            ACCOUNT_PATTERN,
            "a name is made of letters, digits and ._@+:/|-, at most 200",
            'write it like alice, alice@example.com or "github:alice"',
        )
    ),
    Field(json_schema_extra={"pattern": f"^{ACCOUNT_PATTERN}$"}),
]


class WrittenPerson(Written):
    """One person: their other names, and the groups that they are in."""

    accounts: Annotated[list[AccountName], Field(max_length=50)] = Field(
        default_factory=list, description="Other names of theirs, here or elsewhere."
    )
    groups: Annotated[list[GroupName], Field(max_length=100)] = Field(
        default_factory=list, description="Groups that they are in."
    )


class WrittenProgram(Written):
    """A pipeline or another system that acts with a token of its own."""

    owner: AccountName = Field(description="The person whom its acts are counted for.")


class WrittenRule(Written):
    """An approval that is demanded of every plan that touches what it names."""

    environments: Annotated[
        list[Literal["lab", "staging", "production"]], Field(min_length=1, max_length=3)
    ] = Field(default=["production"], description="Of targets with one of these environments.")
    tiers: Annotated[list[Literal[1, 2, 3]], Field(min_length=1, max_length=3)] | None = Field(
        default=None, description="Of services with one of these tiers. Default: all."
    )
    kinds: (
        Annotated[
            list[Literal["code", "iac", "flag", "config", "schema"]],
            Field(min_length=1, max_length=5),
        ]
        | None
    ) = Field(default=None, description="Of phases that move one of these kinds. Default: all.")
    approve: Approval = Field(description="How many of which group: 1 of team-release.")
    before: Literal["first", "every"] = Field(
        default="first", description="Before the first phase that it is about, or before every."
    )
    unless: Literal["reviewed"] | None = Field(
        default=None,
        description="reviewed: a green gate of kind review counts as the second person.",
    )


class WrittenApprovals(Written):
    """What approvals are demanded, and how long they hold."""

    within: Duration | None = Field(
        default=None,
        description="How long an approval holds where a plan doesn't say. Default 24h.",
    )
    rules: Annotated[list[WrittenRule], Field(max_length=100)] | None = Field(
        default=None,
        description="What is demanded beyond what plans ask for. Default, where names are verified:"
        " production needs one other person, unless it is reviewed. [] demands nothing.",
    )


class PolicyFile(Written):
    """What an organisation says once for all of its services."""

    version: Literal[1] = Field(description="Version of this format.")
    organisation: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")] = Field(
        default="default", description="Name of the organisation."
    )
    people: Annotated[dict[AccountName, WrittenPerson], Field(max_length=10_000)] = Field(
        default_factory=dict, description="The persons, by name."
    )
    programs: Annotated[dict[AccountName, WrittenProgram], Field(max_length=10_000)] = Field(
        default_factory=dict, description="The programs, by name."
    )
    approvals: WrittenApprovals | None = Field(
        default=None, description="What approvals are demanded, and how long they hold."
    )
    emergency: WrittenEmergency | None = Field(
        default=None, description="What counts as an emergency, and how each type is carried out."
    )
