"""
Who acts, on what, and by which grants they may. Only the types; `authorise` decides.

A caller is a person or a program. Wherever people are counted (approvals, emergencies, the lifting of
a stop order) what counts is the person behind: two names, tokens or programs of one person are one.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from tidegate.domain.access.permissions import Permission

DEFAULT_ORGANISATION: Final = "default"
DEFAULT_PROJECT: Final = "default"


class CallerKind(StrEnum):
    """What kind of caller it is."""

    PERSON = "person"
    PROGRAM = "program"
    """A pipeline or another system, with a token of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """
    Whoever sent a request.

    `name` is what the ledger shows, unique on this server. `person` is the identity that is counted
    when people are: of a person their own, of a program that of its owner, None when nobody stands
    behind it. `groups` are those that the identity provider or the policy says. `is_verified` is
    whether somebody else than the caller vouches for the name; a claimed name proves nothing.
    `authenticated_at` is when the person last proved who they are, for step-up. `granted` limits
    a token to some permissions, None to all that its holder has. `is_root` is the holder of the
    server's own token.
    """

    name: str
    kind: CallerKind
    person: str | None
    organisation: str = DEFAULT_ORGANISATION
    groups: tuple[str, ...] = ()
    is_verified: bool = False
    authenticated_at: datetime | None = None
    granted: frozenset[Permission] | None = None
    is_root: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """
    What a command touches. `targets` empty: no single target; `project` None: the whole organisation.

    `environments`, as text of `Environment`, are those of the targets, one each and in their order; or,
    without targets, whole environments.
    """

    organisation: str
    project: str | None = None
    service: str | None = None
    environments: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse targets whose environment isn't said: nothing could be ruled about them."""
        assert not self.targets or len(self.targets) == len(self.environments), (
            f"{self.targets} are in {self.environments}"
        )


class GrantEffect(StrEnum):
    """What a grant does. A deny wins over every allow."""

    ALLOW = "allow"
    DENY = "deny"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """
    That somebody has a role somewhere.

    `subject` is `person:NAME`, `program:NAME` or `group:NAME`. `scope` is a path
    `ORG/PROJECT/ENVIRONMENT/TARGET` with fewer parts for a wider scope; `*` in a part stands for
    any one name, or for some of its letters, and never for a `/` (see `scopes`).
    """

    id: str
    subject: str
    role: str
    scope: str
    effect: GrantEffect
    granted_by: str
    granted_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """Whether something is allowed, and by which grant or for want of what."""

    is_allowed: bool
    because: str
