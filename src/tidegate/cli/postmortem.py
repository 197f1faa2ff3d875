"""
`tidegate postmortem`: the draft that the ledger writes, with what people wrote into it.

Without a word in between it shows, as it always did: `tidegate postmortem checkout`. Something that is
called like one of the words here is shown with `postmortem show`.
"""

from typing import Any

import typer
from typer.core import TyperGroup

from tidegate.api.postmortem_words import markdown
from tidegate.api.shapes.postmortem import Postmortem
from tidegate.cli import postmortem_action, postmortem_factor
from tidegate.cli.asking import rollout_path
from tidegate.cli.commanding import RolloutName
from tidegate.cli.found import need_rollout
from tidegate.cli.session import Session, with_session

SHOW = "show"


class _ShowsByDefault(TyperGroup):
    """The words, of which the first can be left out."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the word in where none is said, but for a question about the words themselves."""
        asks_for_words = ctx.resilient_parsing and not args  # a shell completes
        is_a_word = bool(args) and args[0] in (*self.commands, *ctx.help_option_names)
        return super().parse_args(ctx, args if asks_for_words or is_a_word else [SHOW, *args])


app = typer.Typer(
    help="Postmortems: show (which may be left out), factor, action.", cls=_ShowsByDefault
)


def show(session: Session, rollout: RolloutName = None) -> None:
    """Write a postmortem as Markdown: timeline, impact, guards, factors, actions. People are roles."""
    with session.connect() as client:
        found = client.get(rollout_path(need_rollout(rollout), "postmortem"), Postmortem)
    session.printer.show(found, text=lambda: [*markdown(found).splitlines()], names=[found.rollout])


app.command(SHOW)(with_session(show))
app.add_typer(postmortem_factor.app, name="factor")
app.add_typer(postmortem_action.app, name="action")
