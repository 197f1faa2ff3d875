"""
Giving access and taking it away, as commands on the bus.

Who may do that is decided in `domain.access.granting`. A grant is never changed: it is revoked, and what
it was stays on record with who gave it and why.
"""

import hashlib
import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import ClassVar, Final

from tidegate.domain.access.authorise import is_in_force, write_grant
from tidegate.domain.access.granting import may_grant, may_revoke, resource_of_scope
from tidegate.domain.access.model import Caller, Grant, GrantEffect, Resource, Ruling
from tidegate.domain.access.permissions import Permission
from tidegate.domain.access.roles import Role
from tidegate.domain.access.scopes import check_scope
from tidegate.errors import ForbiddenError, InvalidRequestError
from tidegate.ports.store import Transaction
from tidegate.usecases.access import ASK_FOR_ACCESS, GRANTS
from tidegate.usecases.access_reads import no_such_grant, visible_grant
from tidegate.usecases.bus import Command
from tidegate.usecases.commands import need_reason
from tidegate.usecases.outside import Outside
from tidegate.usecases.record import note_fact

LONGEST: Final = timedelta(days=3650)
ID_LENGTH: Final = 10
"""Hexadecimal digits of a grant's id."""

_SUBJECT: Final = re.compile(r"(person|program):[A-Za-z0-9._@+-]{1,64}|group:[^\s\x00-\x1f]{1,200}")


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantRole(Command[Grant]):
    """
    Let *subject* have *role* on *scope*, or deny it. Giving what is given already changes nothing.

    `lasts` is how long it counts from now, None for until it is revoked.
    """

    permission: ClassVar[Permission] = Permission.ACCESS_GRANT

    subject: str
    role: str
    scope: str
    effect: GrantEffect
    reason: str
    lasts: timedelta | None = None

    def touches(self, outside: Outside, caller: Caller) -> Resource:
        """Return what the scope is about."""
        return resource_of_scope(check_scope(self.scope))

    async def carry_out(self, outside: Outside, caller: Caller) -> Grant:
        """
        Put the grant on file.

        Raises:
            ForbiddenError: the caller doesn't hold what they would give, or would give it to themselves.
            InvalidRequestError: there is no such role or kind of subject, no reason, or a wrong length.
        """
        why = need_reason(self.reason, "giving access")
        self._check()
        now = outside.clock.now()
        until = None if self.lasts is None else now + self.lasts
        with outside.store.begin() as transaction:
            on_file = GRANTS.open(transaction)
            _refuse_unless(
                may_grant(
                    caller,
                    self.role,
                    self.scope,
                    self.effect,
                    subject=self.subject,
                    until=until,
                    grants=on_file,
                    now=now,
                )
            )
            same = next((one for one in on_file if self._is(one, until, now)), None)
            if same is not None:
                return same
            grant = Grant(
                id=_new_id(transaction, self, caller, now),
                subject=self.subject,
                role=self.role,
                scope=self.scope,
                effect=self.effect,
                granted_by=caller.name,
                granted_at=now,
                expires_at=until,
            )
            GRANTS.put(transaction, grant)
            _note(transaction, caller, grant, "grant-role", why, now)
        return grant

    def _check(self) -> None:
        if self.role not in {role.value for role in Role}:
            raise InvalidRequestError(
                f"there is no role {self.role[:64]!r}", hint=f"it can be: {', '.join(Role)}"
            )
        if not _SUBJECT.fullmatch(self.subject):
            raise InvalidRequestError(
                f"nobody is called {self.subject[:100]!r}",
                hint="say person:NAME, program:NAME or group:NAME",
            )
        if self.lasts is not None and not timedelta(0) < self.lasts <= LONGEST:
            raise InvalidRequestError(
                f"a grant lasts up to {LONGEST.days} days, got {self.lasts}",
                hint="leave the length out for one that stays until it is revoked",
            )

    def _is(self, grant: Grant, until: datetime | None, now: datetime) -> bool:
        """Return whether *grant* says all of this already."""
        said = (grant.subject, grant.role, grant.scope, grant.effect, grant.expires_at)
        return is_in_force(grant, now) and said == (
            self.subject,
            self.role,
            self.scope,
            self.effect,
            until,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeGrant(Command[Grant]):
    """End a grant, from the next request on. Revoking what is revoked changes nothing."""

    permission: ClassVar[Permission] = Permission.ACCESS_GRANT

    grant: str
    reason: str

    def touches(self, outside: Outside, caller: Caller) -> Resource:
        """Return what the grant's scope is about."""
        return resource_of_scope(visible_grant(outside, caller, self.grant).scope)

    async def carry_out(self, outside: Outside, caller: Caller) -> Grant:
        """
        End it.

        Raises:
            ForbiddenError: it is a deny, and the caller doesn't hold what it takes away.
            InvalidRequestError: no reason was given.
        """
        why = need_reason(self.reason, "revoking a grant")
        now = outside.clock.now()
        with outside.store.begin() as transaction:
            grant = GRANTS.get(transaction, self.grant)
            if grant is None:
                raise no_such_grant(self.grant)
            if grant.revoked_at is not None:
                return grant
            _refuse_unless(may_revoke(caller, grant, GRANTS.open(transaction), now))
            grant = replace(grant, revoked_at=now)
            GRANTS.put(transaction, grant)
            _note(transaction, caller, grant, "revoke-grant", why, now)
        return grant


def _refuse_unless(ruling: Ruling) -> None:
    if not ruling.is_allowed:
        raise ForbiddenError(ruling.because, hint=ASK_FOR_ACCESS)


def _new_id(transaction: Transaction, asked: GrantRole, caller: Caller, now: datetime) -> str:
    said = [asked.subject, asked.role, asked.scope, asked.effect, caller.name, now.isoformat()]
    digest = hashlib.sha256(repr([str(part) for part in said]).encode()).hexdigest()
    length = ID_LENGTH
    while GRANTS.get(transaction, f"g-{digest[:length]}") is not None:
        length += 1
    return f"g-{digest[:length]}"


def _note(
    transaction: Transaction, caller: Caller, grant: Grant, rule: str, why: str, now: datetime
) -> None:
    note_fact(
        transaction,
        at=now,
        actor=caller.name,
        kind="command",
        rule=rule,
        because=f"{write_grant(grant)}: {why}",
        details={
            "grant": grant.id,
            "subject": grant.subject,
            "role": grant.role,
            "scope": grant.scope,
            "effect": grant.effect.value,
            "expires_at": None if grant.expires_at is None else grant.expires_at.isoformat(),
            "organisation": grant.scope.partition("/")[0],
            "person": caller.person,
        },
    )
