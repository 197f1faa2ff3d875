"""`tidegate status`: what goes on everywhere, or one rollout in full."""

from typing import Annotated

import typer
from rich.text import Text

from tidegate.api.shapes.gates import Gates
from tidegate.api.shapes.rollout import Rollout, Rollouts
from tidegate.cli.asking import get_evidence, get_rollout, rollout_path
from tidegate.cli.client import Client
from tidegate.cli.session import Session
from tidegate.cli.text.gates import gate_lines
from tidegate.cli.text.rollout import rollout_list, rollout_view

Limit = Annotated[int, typer.Option(min=1, max=500, help="At most so many.")]


def status(
    session: Session,
    rollout: Annotated[
        str | None,
        typer.Argument(help="A rollout's id, the beginning of it, or a service. Default: all."),
    ] = None,
    limit: Limit = 20,
) -> None:
    """Show what goes on: all rollouts, or one with its exposure, evidence and what it waits for."""
    with session.connect() as client:
        if rollout is None:
            show_list(session, client.get("/v1/rollouts", Rollouts, limit=limit))
        else:
            show_one(session, client, rollout)


def show_one(session: Session, client: Client, name: str) -> None:
    """Print one rollout in full."""
    found = get_rollout(client, name)
    evidence = get_evidence(client, found.id)
    gates = client.get(rollout_path(found.id, "gates"), Gates)
    printer = session.printer
    printer.show(
        {
            **found.model_dump(mode="json"),
            "evidence": evidence.model_dump(mode="json"),
            "gates": gates.model_dump(mode="json")["gates"],
        },
        text=lambda: [
            *rollout_view(found, evidence, wide=printer.is_wide, times=session.times),
            *_gates(found, gates, session),
        ],
        names=[found.id],
    )


def _gates(found: Rollout, gates: Gates, session: Session) -> list[Text | str]:
    if not gates.gates or found.is_final:
        return []
    return ["Gates", *gate_lines(gates.gates, now=gates.as_of, times=session.times)]


def show_list(session: Session, found: Rollouts) -> None:
    """Print rollouts one a line."""
    printer = session.printer
    printer.show(
        found,
        text=lambda: rollout_list(found.rollouts, wide=printer.is_wide, times=session.times),
        names=[one.id for one in found.rollouts],
        rows=found.rollouts,
    )
