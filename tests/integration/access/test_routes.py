"""
Routes and commands: what a route says it needs is what the command behind it needs.

Found in the code of each route: which commands it makes. So a route that is added with another
permission than its command's, or that changes something without a command, fails here.
"""

import ast
import inspect
import textwrap
from collections.abc import Iterator
from typing import Any, TypeGuard

import pytest

from tidegate.api.access import PERMISSION, GuardedRoute
from tidegate.api.app import create_app
from tidegate.api.pages.guarding import ActingRoute, PageRoute
from tidegate.domain.access.permissions import OPEN_TO_ALL, Permission
from tidegate.testing.memory_world import MemoryWorld
from tidegate.usecases.bus import Command

READS = {"GET", "HEAD"}

ONLY_LOOKS = {
    "/v1/decisions/{number}/replay",
    "/v1/services/{name}/health/test",
    "/v1/plans",
    "/simulate/texts",
}
"""What is asked by POST and changes nothing, so that there is no command behind it."""

LIVE = "/live"
"""The hints of the pages, which are no route of the framework's: see `test_live` for who gets them."""

OPEN_FILES = {"/assets/{name}", "/theme"}
"""Routes of the pages that hold nothing of anybody: files of the package, and a browser's own colours."""


def every_route() -> list[Any]:
    """Return the routes of the application, those of routers inside routers too."""
    app = create_app(MemoryWorld().outside, token="t", version="0")
    found: list[Any] = []
    waiting: list[Any] = [*app.routes]
    while waiting:
        one = waiting.pop(0)
        inner = getattr(one, "original_router", None)
        if inner is None:
            found.append(one)
        else:
            waiting = [*inner.routes, *waiting]
    return found


def guarded() -> list[GuardedRoute]:
    return [route for route in every_route() if isinstance(route, GuardedRoute)]


def commands_of(endpoint: Any) -> set[type[Command[Any]]]:
    """Return the commands whose names are in the code of *endpoint*, or of a route that it hands on to."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(endpoint)))
    return set(_commands(tree, inspect.unwrap(endpoint).__globals__))


def _commands(tree: ast.AST, names: dict[str, Any]) -> Iterator[type[Command[Any]]]:
    endpoints = {route.endpoint for route in guarded()}
    for node in ast.walk(tree):
        found = names.get(node.func.id) if _is_call(node) else None
        if isinstance(found, type) and issubclass(found, Command):
            yield found
        elif inspect.isfunction(found) and found in endpoints:
            yield from commands_of(found)


def _is_call(node: ast.AST) -> TypeGuard[Any]:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name)


def permission_of(route: GuardedRoute) -> Permission:
    return Permission((route.openapi_extra or {})[PERMISSION])


@pytest.mark.parametrize("route", guarded(), ids=lambda route: f"{route.methods} {route.path}")
def test_a_route_needs_what_its_command_needs(route: GuardedRoute) -> None:
    """Not less, which would be a promise that isn't kept, and not something else."""
    commands = commands_of(route.endpoint)
    is_read = (route.methods or set()) <= READS

    assert not (is_read and commands), "a read that changes something"
    if not is_read and permission_of(route) not in OPEN_TO_ALL:
        assert commands or route.path in ONLY_LOOKS, "it changes something without a command"
    assert {one.permission for one in commands} <= {permission_of(route)}


def test_every_route_is_guarded() -> None:
    """The screens show to whoever may look; and no route that is published is overlooked here."""
    others = [route for route in every_route() if not isinstance(route, GuardedRoute)]
    screens = [route for route in others if isinstance(route, PageRoute)]
    published = create_app(MemoryWorld().outside, token="t", version="0").openapi()["paths"]
    acting = {route.path for route in guarded() if isinstance(route, ActingRoute)}

    unguarded = {route.path for route in others} - {route.path for route in screens}
    assert unguarded == {*OPEN_FILES, LIVE}
    assert all((route.methods or set()) <= READS for route in screens), "a screen changes nothing"
    hidden = {"/login", "/login/callback"} | acting
    assert {route.path for route in guarded()} == set(published) | hidden


def test_a_route_with_another_permission_would_be_found() -> None:
    """The search sees a command in a function of a route, wherever in it that is made."""
    halting = next(one for one in guarded() if one.path == "/v1/rollouts/{rollout}/halt")

    assert {one.__name__ for one in commands_of(halting.endpoint)} == {"HaltRollout"}
    assert permission_of(halting) is Permission.HALT


def test_every_read_takes_its_caller() -> None:
    """A read that doesn't know who asks can leave nothing out."""
    blind = [
        route.path
        for route in guarded()
        if (route.methods or set()) <= READS
        and permission_of(route) not in OPEN_TO_ALL
        and not {"caller", "known", "call"} & set(inspect.signature(route.endpoint).parameters)
    ]

    assert sorted(blind) == ["/v1/access/roles", "/v1/version"]
