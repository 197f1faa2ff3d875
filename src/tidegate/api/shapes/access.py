"""Access: grants, roles, and why somebody may or may not do something."""

from typing import Annotated, Literal

from pydantic import Field

from tidegate.api.shapes.base import Asked, Instant, Shape
from tidegate.domain.access.permissions import Permission


class Grant(Shape):
    """That somebody has a role on a scope, or that it is denied to them."""

    id: str
    subject: str = Field(description="`person:NAME`, `program:NAME` or `group:NAME`.")
    role: str
    scope: str = Field(description="`ORGANISATION/PROJECT/ENVIRONMENT/TARGET`, or its beginning.")
    effect: Literal["allow", "deny"] = Field(description="A deny wins over every allow.")
    granted_by: str
    granted_at: Instant
    expires_at: Instant | None = Field(description="Null for until it is revoked.")
    revoked_at: Instant | None


class Grants(Shape):
    """Grants in force, oldest first; all of them newest first."""

    grants: list[Grant]
    as_of: Instant = Field(description="The server's time when this was made.")


class Role(Shape):
    """What a role lets somebody do. It doesn't say where: that is the grant's."""

    name: str
    about: str
    permissions: list[str]
    denies: list[str] = Field(description="What a deny of this role takes away.")


class Roles(Shape):
    """All roles."""

    roles: list[Role]


class AccessChecked(Shape):
    """Whether the caller may do something, by which grant or for want of what, and who may."""

    caller: str
    permission: Permission
    on: list[str] = Field(description="What was looked at, as paths.")
    is_allowed: bool
    because: str
    granted_to: list[str] = Field(description="Whose grants are enough for it, by themselves.")


class GrantRole(Asked):
    """Who gets which role where; needs a reason."""

    subject: Annotated[str, Field(max_length=210)]
    role: Annotated[str, Field(max_length=64)]
    scope: Annotated[str, Field(max_length=300)]
    effect: Literal["allow", "deny"] = "allow"
    expires_in_seconds: Annotated[int, Field(ge=1, le=2**31)] | None = None
    reason: Annotated[str, Field(max_length=2000)] = ""


class RevokeGrant(Asked):
    """Why a grant ends; needed."""

    reason: Annotated[str, Field(max_length=2000)] = ""
