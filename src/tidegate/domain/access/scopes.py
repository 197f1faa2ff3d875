"""
Where a grant holds: a path `ORGANISATION/PROJECT/ENVIRONMENT/TARGET`, and whether something is inside it.

A path is compared part by part, never as one text: `*` can't reach over a `/`, and a name can't reach
into the next part. Fewer parts are wider. The organisation is always named in full, so that no scope can
mean two tenants. Nothing here knows who holds the grant.
"""

import re
from typing import Final

from tidegate.domain.access.model import Resource
from tidegate.errors import InvalidRequestError

Place = tuple[str | None, str | None, str | None, str | None]
"""Organisation, project, environment and target of one part of a resource; None is all there are."""

PARTS: Final = ("ORGANISATION", "PROJECT", "ENVIRONMENT", "TARGET")
LONGEST: Final = 300

_ENVIRONMENT: Final = 2
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]*")
_PATTERN: Final = re.compile(r"[A-Za-z0-9*][A-Za-z0-9._@+*-]*")


def check_scope(scope: str) -> str:
    """
    Return *scope* when it is one.

    Raises:
        InvalidRequestError: it has too many parts or an empty one, or a `*` where a name must stand.
    """
    parts = scope.split("/")
    is_one = (
        len(scope) <= LONGEST
        and len(parts) <= len(PARTS)
        and _NAME.fullmatch(parts[0]) is not None
        and all(_PATTERN.fullmatch(part) for part in parts[1:])
    )
    if not is_one:
        raise InvalidRequestError(
            f"a scope is {'/'.join(PARTS)} or the beginning of it, got {scope[:100]!r}",
            hint="name the organisation; `*` may stand for names after it, as in acme/*/staging",
        )
    if len(parts) > _ENVIRONMENT and "*" in parts[_ENVIRONMENT]:
        raise InvalidRequestError(
            f"{scope[:100]!r} has a wildcard for the environment",
            hint="name it (lab, staging or production), in a grant of its own for each",
        )
    return scope


def places_of(resource: Resource) -> tuple[Place, ...]:
    """Return the parts of *resource*: its targets, or what is wider than one."""
    organisation, project = resource.organisation, resource.project
    if resource.targets:
        return tuple(
            (organisation, project, environment, target)
            for environment, target in zip(resource.environments, resource.targets, strict=True)
        )
    if resource.environments:
        return tuple((organisation, project, one, None) for one in resource.environments)
    return ((organisation, project, None, None),)


def write_place(place: Place) -> str:
    """Return *place* as a path."""
    return "/".join(part for part in place if part is not None)


def covers(scope: str, place: Place) -> bool:
    """Return whether all of *place* is inside *scope*. What is wider than *scope* isn't."""
    parts = scope.split("/")
    return len(parts) <= len(place) and all(
        name is not None and fits(part, name) for part, name in zip(parts, place, strict=False)
    )


def meets(scope: str, place: Place) -> bool:
    """Return whether anything of *place* can be inside *scope*."""
    return all(
        name is None or fits(part, name)
        for part, name in zip(scope.split("/"), place, strict=False)
    )


def names_environment(scope: str) -> bool:
    """Return whether *scope* says by name which environment it is about."""
    parts = scope.split("/")
    return len(parts) > _ENVIRONMENT and "*" not in parts[_ENVIRONMENT]


def fits(pattern: str, name: str) -> bool:
    """
    Return whether *name* is *pattern*, where each `*` stands for any letters but `/`, also for none.

    In time linear in the length of *name* per `*`: a pattern can't be made that takes forever.
    """
    first, *others = pattern.split("*")
    if not others:
        return name == pattern
    *between, last = others
    if "/" in name or not name.startswith(first):
        return False
    at = len(first)
    for piece in between:
        found = name.find(piece, at)
        if found < 0:
            return False
        at = found + len(piece)
    return len(name) - at >= len(last) and name.endswith(last)
