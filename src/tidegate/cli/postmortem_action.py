"""`tidegate postmortem action`: what shall be done about it, by whom, until when, and whether it was."""

from typing import Annotated

import typer

from tidegate.api.shapes.postmortem import Action
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
from tidegate.cli.text.postmortem import action_lines, action_table

app = typer.Typer(help="Actions: list, add, change, done, reopen, remove.", no_args_is_help=True)

ActionId = Annotated[str, typer.Argument(metavar="ACTION", help="Its id, as a-1.")]


def list_(session: Session, rollout: RolloutName = None) -> None:
    """List what shall be done, and what the draft suggests."""
    with session.connect() as client:
        found = get_postmortem(client, rollout)
    session.printer.show(
        found,
        text=lambda: action_table(found, times=session.times),
        names=[one.id for one in found.actions],
        rows=found.actions,
    )


def add(
    session: Session,
    rollout: RolloutName = None,
    text: TextOption = "",
    owner: Annotated[str, typer.Option("--owner", help="A team or a person.")] = "",
    due: Annotated[
        str, typer.Option("--due", metavar="DAY", help="The last day for it, as 2030-12-20, UTC.")
    ] = "",
    suggestion: Suggestion = "",
) -> None:
    """Say what shall be done about it, by whom and until when."""
    with session.connect() as client:
        body = {"text": text, "owner": owner, "due": due, "suggestion": suggestion}
        added = client.post(item_path(rollout, "action"), Action, body)
    session.printer.show(added, text=lambda: action_lines(added), names=[added.id])


def change(
    session: Session,
    action: ActionId,
    rollout: RolloutName = None,
    text: Annotated[str | None, typer.Option("--text", help="Default: as it is.")] = None,
    owner: Annotated[str | None, typer.Option("--owner", help="Default: as it is.")] = None,
    due: Annotated[
        str | None, typer.Option("--due", metavar="DAY", help="Default: as it is.")
    ] = None,
    version: VersionOption = None,
) -> None:
    """
    Change what shall be done, by whom or until when.

    Whoever was quicker is not overwritten: it is refused (exit code 7). What isn't said stays; of a text
    with names in it that are shown as roles, say --text too, or the roles stay.
    """
    with session.connect() as client:
        seen = one_of(get_postmortem(client, rollout).actions, action, "action")
        body = {
            "text": seen.text if text is None else text,
            "owner": seen.owner if owner is None else owner,
            "due": seen.due.isoformat() if due is None else due,
            "version": version or seen.version,
        }
        changed = client.post(item_path(rollout, "action", action, "change"), Action, body)
    session.printer.show(changed, text=lambda: action_lines(changed), names=[changed.id])


def done(
    session: Session,
    action: ActionId,
    rollout: RolloutName = None,
    version: VersionOption = None,
) -> None:
    """Say that an action is done."""
    _mark(session, action, rollout, version, "done")


def reopen(
    session: Session,
    action: ActionId,
    rollout: RolloutName = None,
    version: VersionOption = None,
) -> None:
    """Say that an action isn't done after all."""
    _mark(session, action, rollout, version, "reopen")


def remove(
    session: Session,
    action: ActionId,
    rollout: RolloutName = None,
    version: VersionOption = None,
    yes: Yes = False,
) -> None:
    """Take one out that nobody shall do. The ledger keeps what it said."""
    remove_item(
        session,
        rollout,
        action,
        kind="action",
        found_in=lambda found: found.actions,
        version=version,
        yes=yes,
    )


def _mark(
    session: Session, action: str, rollout: str | None, version: int | None, verb: str
) -> None:
    with session.connect() as client:
        seen = version or one_of(get_postmortem(client, rollout).actions, action, "action").version
        path = item_path(rollout, "action", action, verb)
        marked = client.post(path, Action, {"version": seen})
    session.printer.show(marked, text=lambda: action_lines(marked), names=[marked.id])


app.command("list")(with_session(list_))
app.command("add")(with_session(add))
app.command("change")(with_session(change))
app.command("done")(with_session(done))
app.command("reopen")(with_session(reopen))
app.command("remove")(with_session(remove))
