"""
The ruling on a request: what is granted to whom, read from the policy and the grants on file.

Default deny; an explicit deny wins. What a caller may not even read doesn't exist for them.
"""

from tidegate.domain.access.model import Caller, Resource
from tidegate.domain.access.permissions import Permission
from tidegate.errors import ForbiddenError
from tidegate.usecases.outside import Outside


def refuse_unless_allowed(
    outside: Outside, caller: Caller, permission: Permission, resource: Resource
) -> None:
    """
    Return when *caller* may do *permission* on *resource*.

    Raises:
        ForbiddenError: they may see it but not do this.
        NotFoundError: they may not even see it.
    """
    if not caller.is_root:
        raise ForbiddenError(
            f"{caller.name} isn't granted {permission}",
            hint="ask whoever grants access here: tidegate access list",
        )
