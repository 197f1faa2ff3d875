"""
Telling a rollout something, as every such command does it: look, ask where it's risky, send, show.

What is sent holds for what was looked at: when the rollout has moved meanwhile the server refuses.
"""

from collections.abc import Callable
from typing import Annotated

import typer
from rich.text import Text

from tidegate.api import words
from tidegate.api.shapes.rollout import Rollout
from tidegate.cli.asking import command_body, get_rollout, rollout_path
from tidegate.cli.client import Client
from tidegate.cli.found import need_rollout
from tidegate.cli.session import Session
from tidegate.cli.text.rollout import exposure_lines, headline, standing_lines

RolloutName = Annotated[
    str | None,
    typer.Argument(
        metavar="[ROLLOUT]",
        help="A rollout's id, the beginning of it, or a service. Default: TIDEGATE_SERVICE, or the"
        " service of the nearest tidegate.yaml.",
    ),
]
Reason = Annotated[str, typer.Option(help="Why; stays in the ledger.")]
AtOption = Annotated[
    str | None,
    typer.Option(
        "--at", metavar="PHASE@REV", help="Refuse when the rollout is anywhere else by now."
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")]


def tell(
    session: Session,
    name: str | None,
    verb: str,
    *,
    reason: str,
    at: str | None,
    question: Callable[[Rollout], str] | None = None,
    yes: bool = True,
    bound: bool = True,
    tell_first: Callable[[Rollout], list[str]] | None = None,
) -> None:
    """
    Send *verb* to a rollout and show what became of it.

    Args:
        session: This call.
        name: The rollout as it was named, None for the nearest service's.
        verb: The command's name in the API.
        reason: What the person says.
        at: `PHASE@REVISION` as it was written, or None: then what is looked at now.
        question: What to ask first, made from what was looked at; None asks nothing.
        yes: Whether the person said not to ask.
        bound: Whether it holds only for what is looked at now, where *at* doesn't say.
        tell_first: Lines for a person at a terminal, before the question.
    """
    with session.connect() as client:
        seen = get_rollout(client, need_rollout(name))
        if tell_first is not None and session.may_ask and not yes:
            for line in tell_first(seen):
                session.printer.note(line)
        if question is not None:
            session.confirm(question(seen), yes=yes)
        body = command_body(reason=reason, at=at, seen=seen if bound else None)
        after = client.post(rollout_path(seen.id, verb), Rollout, body)
        show_after(session, client, after)


def show_after(session: Session, client: Client, after: Rollout) -> None:
    """Print a rollout after a command, as its targets serve it now."""
    found = get_rollout(client, after.id)
    session.printer.show(found, text=lambda: after_lines(session, found), names=[found.id])


def after_lines(session: Session, rollout: Rollout) -> list[Text | str]:
    """Return what became of a rollout."""
    return [
        headline(rollout),
        *exposure_lines(rollout),
        *standing_lines(rollout, times=session.times),
    ]


def change_of(rollout: Rollout) -> str:
    """Return what a rollout changes, with its service."""
    return f"{rollout.service} {words.change_words(rollout.change)}"
