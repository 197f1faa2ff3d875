"""`tidegate postmortem factor`: what contributed to it, in people's words."""

from typing import Annotated

import typer

from tidegate.api.shapes.postmortem import Factor
from tidegate.cli.commanding import RolloutName, Yes
from tidegate.cli.postmortem_writing import (
    Suggestion,
    TextOption,
    VersionOption,
    get_postmortem,
    item_path,
    one_of,
    remove_item,
)
from tidegate.cli.session import Session, with_session
from tidegate.cli.text.postmortem import factor_lines, factor_table

app = typer.Typer(help="Contributing factors: list, add, change, remove.", no_args_is_help=True)

FactorId = Annotated[str, typer.Argument(metavar="FACTOR", help="Its id, as f-1.")]


def list_(session: Session, rollout: RolloutName = None) -> None:
    """List what contributed, and what the draft suggests."""
    with session.connect() as client:
        found = get_postmortem(client, rollout)
    session.printer.show(
        found,
        text=lambda: factor_table(found, times=session.times),
        names=[one.id for one in found.factors],
        rows=found.factors,
    )


def add(
    session: Session,
    rollout: RolloutName = None,
    text: TextOption = "",
    suggestion: Suggestion = "",
) -> None:
    """Say what contributed: a condition, and nobody's fault."""
    with session.connect() as client:
        body = {"text": text, "suggestion": suggestion}
        added = client.post(item_path(rollout, "factor"), Factor, body)
    session.printer.show(added, text=lambda: factor_lines(added), names=[added.id])


def change(
    session: Session,
    factor: FactorId,
    rollout: RolloutName = None,
    text: TextOption = "",
    version: VersionOption = None,
) -> None:
    """Say it otherwise. Whoever was quicker is not overwritten: it is refused (exit code 7)."""
    with session.connect() as client:
        seen = version or one_of(get_postmortem(client, rollout).factors, factor, "factor").version
        body = {"text": text, "version": seen}
        changed = client.post(item_path(rollout, "factor", factor, "change"), Factor, body)
    session.printer.show(changed, text=lambda: factor_lines(changed), names=[changed.id])


def remove(
    session: Session,
    factor: FactorId,
    rollout: RolloutName = None,
    version: VersionOption = None,
    yes: Yes = False,
) -> None:
    """Take one out that is none. The ledger keeps what it said."""
    remove_item(
        session,
        rollout,
        factor,
        kind="factor",
        found_in=lambda found: found.factors,
        version=version,
        yes=yes,
    )


app.command("list")(with_session(list_))
app.command("add")(with_session(add))
app.command("change")(with_session(change))
app.command("remove")(with_session(remove))
