"""`tidegate rollout`: the noun with everything that isn't needed daily."""

from typing import Annotated

import typer
from rich.text import Text

from tidegate.api import words
from tidegate.api.shapes.evidence import Evidence
from tidegate.api.shapes.ledger import Entries
from tidegate.api.shapes.rollout import Rollout, Rollouts
from tidegate.cli.asking import get_evidence, get_rollout, rollout_path
from tidegate.cli.commanding import AtOption, RolloutName, Yes, change_of, tell
from tidegate.cli.found import need_rollout
from tidegate.cli.session import Session, with_session
from tidegate.cli.status import Limit, show_list, show_one
from tidegate.cli.text.rollout import entry_line, evidence_lines, point_lines

PAGE = 1000

app = typer.Typer(help="Rollouts: list, get, log, evidence, abandon.", no_args_is_help=True)


def list_(
    session: Session,
    service: Annotated[str | None, typer.Option(help="Only this service's.")] = None,
    state: Annotated[
        list[str] | None, typer.Option(help="Only in this state; may be repeated.")
    ] = None,
    limit: Limit = 100,
) -> None:
    """List rollouts, newest first."""
    with session.connect() as client:
        found = client.get("/v1/rollouts", Rollouts, service=service, state=state, limit=limit)
        show_list(session, found)


def get(session: Session, rollout: RolloutName = None) -> None:
    """Show one rollout in full."""
    with session.connect() as client:
        show_one(session, client, need_rollout(rollout))


def log(session: Session, rollout: RolloutName = None) -> None:
    """Show every decision and command of a rollout, oldest first."""
    with session.connect() as client:
        found = get_rollout(client, need_rollout(rollout))
        path = rollout_path(found.id, "ledger")
        entries = client.get(path, Entries, limit=PAGE).entries
        while entries and len(entries) % PAGE == 0:
            more = client.get(path, Entries, after=entries[-1].number, limit=PAGE).entries
            if not more:
                break
            entries = [*entries, *more]
    whole = Entries(entries=entries)
    session.printer.show(
        whole,
        text=lambda: [entry_line(entry, form=session.times) for entry in entries],
        names=[f"d-{entry.number}" for entry in entries],
        rows=entries,
    )


def evidence(
    session: Session,
    rollout: RolloutName = None,
    points: Annotated[
        bool, typer.Option("--points", help="Add how it came about, as the points of a chart.")
    ] = False,
) -> None:
    """Show what the signals have shown: both arms, what is ruled out, what is missing."""
    with session.connect() as client:
        found = get_evidence(client, need_rollout(rollout), points=points)
    session.printer.show(
        found,
        text=lambda: _evidence_lines(found),
        names=[signal.name for signal in found.signals],
        rows=found.signals,
    )


def abandon(
    session: Session,
    rollout: RolloutName = None,
    reason: Annotated[str, typer.Option(help="Why; needed, and stays in the ledger.")] = "",
    at: AtOption = None,
    yes: Yes = False,
) -> None:
    """Give up a halted rollout for good."""
    tell(session, rollout, "abandon", reason=reason, at=at, question=_question, yes=yes)


def _evidence_lines(found: Evidence) -> list[Text | str]:
    lines = evidence_lines(found, wide=True)
    if not lines:
        return ["nothing has been watched yet"]
    return [
        *lines,
        *(f"  {found.verdict}: {reason}" for reason in found.reasons),
        *point_lines(found),
    ]


def _question(rollout: Rollout) -> str:
    return f"Give up {change_of(rollout)} ({words.state_words(rollout.state)}) for good?"


app.command("list")(with_session(list_))
app.command("get")(with_session(get))
app.command("log")(with_session(log))
app.command("evidence")(with_session(evidence))
app.command("abandon")(with_session(abandon))
