"""The policy of an organisation, as it is sent."""

from pydantic import Field

from tidegate.api.shapes.base import Asked, Instant, Shape


class ApplyPolicy(Asked):
    """A policy to put in force."""

    text: str = Field(max_length=2_000_000, description="A tidegate-org.yaml.")
    at: str = Field(
        max_length=100,
        description="Digest of the policy that was edited; empty when there was none.",
    )
    reason: str = Field(max_length=2000, description="Why; needed, and stays in the ledger.")


class PolicyVersion(Shape):
    """One version of a policy. `number` 0 with empty texts: there is none."""

    organisation: str
    number: int
    digest: str
    text: str
    by: str
    person: str | None = Field(description="Who is counted as its editor.")
    reason: str
    at: Instant | None
    is_in_force: bool


class PolicyVersions(Shape):
    """Versions, newest first."""

    versions: list[PolicyVersion]
    as_of: Instant
