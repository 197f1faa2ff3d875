"""`tidegate init`: write a first tidegate.yaml, with comments. Needs no server, asks nothing."""

import re
from pathlib import Path
from typing import Annotated

import typer

from tidegate.cli.found import FILE_NAME
from tidegate.cli.session import Session
from tidegate.errors import InvalidRequestError


def init(
    session: Session,
    file: Annotated[Path, typer.Argument(help="The file to write.")] = Path(FILE_NAME),
    service: Annotated[
        str | None, typer.Option(help="The service's name. Default: that of the folder.")
    ] = None,
    owner: Annotated[
        str | None, typer.Option(help="The team that answers for it. Default: team-SERVICE.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
) -> None:
    """Write a commented tidegate.yaml to start from."""
    # Reading and writing documents takes long to load; most commands, above all halt, do without.
    from tidegate.documents.templates import service_template

    name = service or _name_of(file.absolute().parent)
    text = service_template(name, owner=owner or f"team-{name}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        # "x" refuses in one step: nothing that appears meanwhile is overwritten.
        with file.open("w" if force else "x", encoding="utf-8") as writing:
            writing.write(text)
    except OSError as exc:
        if file.exists() and not force:
            raise InvalidRequestError(
                f"{file} is there already", hint="say --force to overwrite it, or name another file"
            ) from None
        raise InvalidRequestError(
            f"{file} can't be written: {(exc.strerror or str(exc)).lower()}",
            hint="name a file in a folder that you may write",
        ) from exc
    session.printer.show(
        {"file": str(file), "service": name},
        text=lambda: [
            f"wrote {file} for service {name}",
            "Edit it, then check it with: tidegate validate",
        ],
        names=[str(file)],
    )


def _name_of(folder: Path) -> str:
    """Return the folder's name as that of a service."""
    plain = re.sub(r"[^a-z0-9]+", "-", folder.name.lower()).strip("-")[:63].strip("-")
    return plain or "service"
