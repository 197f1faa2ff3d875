"""`tidegate postmortem`: the draft that the ledger writes, for people to go on with."""

from typing import Annotated

import typer

from tidegate.api.postmortem_words import markdown
from tidegate.api.shapes.postmortem import Postmortem
from tidegate.cli.asking import rollout_path
from tidegate.cli.found import need_rollout
from tidegate.cli.session import Session


def postmortem(
    session: Session,
    rollout: Annotated[
        str | None, typer.Argument(help="A rollout that was halted or went back, or a service.")
    ] = None,
) -> None:
    """Write the draft of a postmortem as Markdown: timeline, impact, what caught it. People are roles."""
    with session.connect() as client:
        found = client.get(rollout_path(need_rollout(rollout), "postmortem"), Postmortem)
    session.printer.show(found, text=lambda: [*markdown(found).splitlines()], names=[found.rollout])
