"""
Prints what others build on: the names of the ports and of the errors, one line each.

A driver that somebody else keeps breaks when a method of a port gets another parameter, and a script
when an error gets another code. Neither breaks a test of ours, since we change both sides at once. So
the list is kept in `tests/architecture/public_names.txt`, and a change of it is seen in review.

Run: `python tools/lint/public_names.py > tests/architecture/public_names.txt`.
"""

import dataclasses
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from types import ModuleType

import tidegate.errors
import tidegate.ports
from tidegate.errors import TidegateError


def public_names() -> list[str]:
    """Return the list, sorted within each module."""
    ports = sorted(found.name for found in pkgutil.iter_modules(tidegate.ports.__path__))
    modules = [importlib.import_module(f"tidegate.ports.{name}") for name in ports]
    return [line for module in (tidegate.errors, *modules) for line in sorted(_names_of(module))]


def _names_of(module: ModuleType) -> Iterator[str]:
    for name, value in vars(module).items():
        if name.startswith("_") or getattr(value, "__module__", None) != module.__name__:
            continue
        where = f"{module.__name__.removeprefix('tidegate.')}.{name}"
        if not isinstance(value, type):
            yield where
        elif issubclass(value, TidegateError):
            again = "retryable" if value.retryable else "final"
            yield f"{where} = {value.code}, HTTP {value.http_status}, exit {value.exit_code}, {again}"
        else:
            yield where
            yield from _members_of(where, value)


def _members_of(where: str, kind: type) -> Iterator[str]:
    if dataclasses.is_dataclass(kind):
        for field in dataclasses.fields(kind):
            required = field.default is field.default_factory is dataclasses.MISSING
            yield f"{where}.{field.name}{'' if required else ' = …'}"
    for name, value in vars(kind).items():
        if inspect.isfunction(value) and not name.startswith("_"):
            waits = "async " if inspect.iscoroutinefunction(value) else ""
            yield f"{where}.{name}({_parameters(value)}) {waits}".rstrip()


def _parameters(function: object) -> str:
    found = inspect.signature(function).parameters.values()  # type: ignore[arg-type]
    words: list[str] = []
    for parameter in found:
        if parameter.name == "self":
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and "*" not in words:
            words.append("*")
        default = "" if parameter.default is parameter.empty else f"={parameter.default!r}"
        words.append(f"{parameter.name}{default}")
    return ", ".join(words)


if __name__ == "__main__":
    print("\n".join(public_names()))
