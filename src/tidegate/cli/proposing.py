"""
What `plan` and `start` have in common: which service, in which document, and which versions.

A saved plan is a file that holds all of it, so that exactly what was looked at can be started later.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from tidegate.cli.found import find_file, named_service, service_in
from tidegate.cli.notation import parse_changes
from tidegate.cli.output import SCHEMA_VERSION
from tidegate.errors import InvalidRequestError

if TYPE_CHECKING:
    from tidegate.documents.service_file import ResolvedService

SAVED_KIND: Final = "tidegate.plan"

ServiceName = Annotated[
    str | None,
    typer.Argument(
        help="The service. Default: TIDEGATE_SERVICE, or that of the nearest tidegate.yaml."
    ),
]
Changes = Annotated[
    list[str] | None,
    typer.Option(
        "--change",
        metavar="COMPONENT=VERSION",
        help="The version that a component shall have, as code=1.2.3 or"
        " code=1.2.3@sha256:…; may be repeated.",
    ),
]
FileOption = Annotated[
    Path | None,
    typer.Option("-f", "--file", help="The service's file. Default: the nearest tidegate.yaml."),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposed:
    """
    What is to be planned or started.

    `service` is a resolved document, or the name of a service whose document the server has;
    `plan_hash` is the plan that was looked at, None for whatever it is now. `places` says where in
    the file stands what a rule's message is about, which the server can't know.
    """

    service: Mapping[str, Any] | str
    change: Mapping[str, str]
    plan_hash: str | None = None
    places: Mapping[str, str] = field(default_factory=dict)

    def body(self) -> dict[str, Any]:
        """Return it as the API takes it."""
        return {"service": self.service, "change": dict(self.change)}


def proposed(service: str | None, changes: list[str] | None, file: Path | None) -> Proposed:
    """
    Return what was asked for.

    Raises:
        InvalidRequestError: no version was given, no service is meant, or two different ones are.
        InvalidDocumentError: the file can't be used.
    """
    versions = parse_changes(changes or [])
    if not versions:
        raise InvalidRequestError(
            "no version was given", hint="say what changes: --change COMPONENT=VERSION"
        )
    found = _service(service, file)
    if isinstance(found, str):
        return Proposed(service=found, change=versions)
    places = {finding.message: finding.place for finding in found.findings}
    return Proposed(service=found.canonical, change=versions, places=places)


def document_of(service: str | None, file: Path | None) -> dict[str, Any]:
    """Return the resolved document of the file that is meant. Raises as `proposed` does."""
    found = _service(service, file)
    if isinstance(found, str):
        raise InvalidRequestError(
            f"there is no tidegate.yaml of {found} here or above",
            hint="name it with -f, or see the server's: tidegate service get -o wide",
        )
    return found.canonical


def _service(service: str | None, file: Path | None) -> "ResolvedService | str":
    named = named_service(service)
    path = file or find_file()
    if path is None:
        if named is None:
            raise InvalidRequestError(
                "no service was named, and there is no tidegate.yaml here or above",
                hint="name the service, or its file with -f; write one with `tidegate init`",
            )
        return named
    if named is not None and file is None and service_in(path) != named:
        # The file that lies here is another service's: the server knows this one's.
        return named
    # Reading documents takes long to load; most commands, above all halt, do without.
    from tidegate.documents.service_file import load_service

    resolved = load_service(path)
    if named is not None and resolved.spec.name != named:
        raise InvalidRequestError(
            f"{path} is of {resolved.spec.name}, not of {named}",
            hint="leave the service out, or name its own file",
        )
    return resolved


def save_plan(path: Path, asked: Proposed, plan: Mapping[str, Any]) -> None:
    """
    Write a plan to *path*, readable by its owner only: a document may hold secrets in `env`.

    Raises:
        InvalidRequestError: it can't be written.
    """
    content = {
        "schema_version": SCHEMA_VERSION,
        "kind": SAVED_KIND,
        **asked.body(),
        "plan_hash": plan["plan_hash"],
        "plan": plan,
    }
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(content, file, indent=2, ensure_ascii=False)
            file.write("\n")
        beside.replace(path)
    except OSError as exc:
        raise InvalidRequestError(
            f"{path} can't be written: {(exc.strerror or str(exc)).lower()}",
            hint="name a file in a folder that you may write",
        ) from exc


def read_plan(path: Path) -> Proposed:
    """Return what the saved plan at *path* is about. Raises InvalidRequestError when it's none."""
    try:
        saved = json.loads(path.read_text(encoding="utf-8"))
        found = Proposed(
            service=saved["service"], change=saved["change"], plan_hash=saved["plan_hash"]
        )
        kind, version = saved["kind"], saved["schema_version"]
    except OSError as exc:
        raise InvalidRequestError(
            f"{path} can't be read: {(exc.strerror or str(exc)).lower()}",
            hint="write it with `tidegate plan … -o FILE.json`",
        ) from exc
    except (ValueError, KeyError, TypeError) as exc:
        raise InvalidRequestError(
            f"{path} isn't a saved plan: {exc}", hint="write it with `tidegate plan … -o FILE.json`"
        ) from exc
    if (kind, version) != (SAVED_KIND, SCHEMA_VERSION):
        raise InvalidRequestError(
            f"{path} is {kind!r} of version {version!r}, not a saved plan of this version",
            hint="write it with `tidegate plan … -o FILE.json`",
        )
    return found
