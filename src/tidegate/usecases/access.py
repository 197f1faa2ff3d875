"""
The ruling on a request: what is granted to whom, read from the grants on file.

Default deny; an explicit deny wins. What a caller may not even read doesn't exist for them. Grants are
read anew for every request, so that one that is revoked is of no use a moment later. What the ruling is
made of is decided in `domain.access.authorise`; nothing is decided here.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from tidegate.domain.access.authorise import authorise, grants_of
from tidegate.domain.access.model import Caller, Grant, Resource, Ruling
from tidegate.domain.access.permissions import Permission
from tidegate.domain.quantities import ServiceName
from tidegate.errors import ForbiddenError, TidegateError
from tidegate.ports.store import Transaction
from tidegate.usecases.outside import Outside, unknown_service
from tidegate.usecases.shelves import Shelf

GRANTS = Shelf(
    kind="grant",
    type=Grant,
    id_of=lambda grant: grant.id,
    at=lambda grant: grant.granted_at,
    is_open=lambda grant: grant.revoked_at is None,
    service_of=lambda _: None,
)

ASK_FOR_ACCESS = "ask whoever grants access here: `tidegate access check` says what is missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What one caller may do at one moment: for asking about many things at once, as lists do."""

    caller: Caller
    grants: tuple[Grant, ...]
    now: datetime

    def ruling(self, permission: Permission, resource: Resource) -> Ruling:
        """Return whether the caller may do *permission* to *resource*, and by what."""
        return authorise(self.caller, permission, resource, self.grants, self.now)

    def may_read(self, resource: Resource) -> bool:
        """Return whether *resource* exists as far as the caller may know."""
        return self.ruling(Permission.READ, resource).is_allowed


def access_of(outside: Outside, caller: Caller) -> Access:
    """Return what *caller* may do now. Raises StoreError when the grants can't be read."""
    now = outside.clock.now()
    if caller.is_root:
        # Their grants would change nothing, and a stop mustn't wait for a page of them.
        return Access(caller=caller, grants=(), now=now)
    with outside.store.begin(read_only=True) as transaction:
        return access_in(transaction, caller, now)


def access_in(transaction: Transaction, caller: Caller, now: datetime) -> Access:
    """Return what *caller* may do at *now* by the grants that *transaction* sees."""
    return Access(caller=caller, grants=grants_of(caller, GRANTS.open(transaction), now), now=now)


def accesses_in(
    transaction: Transaction, callers: Iterable[Caller], now: datetime
) -> tuple[Access, ...]:
    """Return as `access_in` for many callers, in their order. The grants are read once."""
    grants = GRANTS.open(transaction)
    return tuple(
        Access(caller=caller, grants=grants_of(caller, grants, now), now=now) for caller in callers
    )


def ruling_on(
    outside: Outside, caller: Caller, permission: Permission, resource: Resource
) -> Ruling:
    """Return whether *caller* may do *permission* to *resource* now, and by what."""
    return access_of(outside, caller).ruling(permission, resource)


def may_read(outside: Outside, caller: Caller, resource: Resource) -> bool:
    """Return whether *resource* exists as far as *caller* may know."""
    return access_of(outside, caller).may_read(resource)


def refuse_unless_allowed(
    outside: Outside, caller: Caller, permission: Permission, resource: Resource
) -> None:
    """
    Return when *caller* may do *permission* on *resource*.

    Raises:
        ForbiddenError: they may see it but not do this.
        NotFoundError: they may not even see it; in the words for a service that doesn't exist.
    """
    access = access_of(outside, caller)
    ruling = access.ruling(permission, resource)
    if not ruling.is_allowed:
        raise _refusal(access, permission, resource, ruling)


def _refusal(
    access: Access, permission: Permission, resource: Resource, ruling: Ruling
) -> TidegateError:
    if resource.service is not None and not access.may_read(resource):
        return unknown_service(ServiceName(resource.service))
    return ForbiddenError(
        f"{access.caller.name} may not {permission} here: {ruling.because}", hint=ASK_FOR_ACCESS
    )
