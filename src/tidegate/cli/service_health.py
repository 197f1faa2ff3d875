"""`tidegate service health`: how well a service is, what its sources answer, whether a signal is ready."""

from datetime import datetime
from typing import Annotated

import typer

from tidegate.api.shapes.service_health import HealthTest, ServiceHealth, SignalHistory
from tidegate.cli import exit_codes
from tidegate.cli.asking import path_part
from tidegate.cli.client import Client
from tidegate.cli.found import need_rollout
from tidegate.cli.session import Session, with_session
from tidegate.cli.text.service_health import (
    answers_view,
    health_view,
    history_view,
    past_words,
    would_hold,
)
from tidegate.cli.text.times import write_instant
from tidegate.errors import NotFoundError

app = typer.Typer(help="Health of a service: explain, test, enforce.", no_args_is_help=True)

ServiceArgument = Annotated[
    str | None, typer.Argument(help="Default: that of the nearest tidegate.yaml.")
]
WhatIf = Annotated[
    list[str] | None,
    typer.Option(
        "--what-if",
        metavar="NODE=STATE",
        help="As if NODE were healthy, degraded, unhealthy or unknown; may be repeated.",
    ),
]


def explain(
    session: Session,
    service: ServiceArgument = None,
    what_if: WhatIf = None,
    history: Annotated[
        bool,
        typer.Option(
            "--history", help="Instead: what each signal would have done to past rollouts."
        ),
    ] = False,
) -> None:
    """Show the state of each part of a service and of what it needs, and why."""
    with session.connect() as client:
        if history:
            _show_history(session, client, service)
        else:
            _show_health(session, client, service, what_if)


def test(session: Session, service: ServiceArgument = None, what_if: WhatIf = None) -> int:
    """Ask every signal's source now: what it gives, and what that would do to a rollout."""
    with session.connect() as client:
        if what_if:
            # Supposing asks no source: there is nothing to measure in it.
            _show_health(session, client, service, what_if)
            return exit_codes.DONE
        found = client.post(f"{_path(service)}/test", HealthTest, {})
    session.printer.show(
        found,
        text=lambda: answers_view(found, when=_when(session, found.health.at)),
        names=[answer.signal for answer in found.answers if would_hold(answer)],
        rows=found.answers,
    )
    held = any(would_hold(answer) for answer in found.answers)
    return exit_codes.NEEDS_PERSON if held else exit_codes.DONE


def enforce(
    session: Session,
    service: Annotated[str, typer.Argument(help="The service.")],
    signal: Annotated[str, typer.Argument(help="A signal that is in shadow.")],
) -> None:
    """Say what to change in tidegate.yaml to enforce a signal, and what its past shows."""
    with session.connect() as client:
        found = client.get(f"{_path(service)}/history", SignalHistory)
    past = next((one for one in found.signals if one.signal == signal), None)
    if past is None:
        names = ", ".join(one.signal for one in found.signals) or "none"
        raise NotFoundError(f"{service} has no signal {signal!r}", hint=f"it has: {names}")
    lines = [f"{signal}  {past_words(past)}"]
    if past.shadow:
        lines += [
            "",
            f"To enforce it, write `shadow: false` at {signal} in health.signals of tidegate.yaml",
            "and start the next rollout with it: tidegate plan shows the change.",
        ]
    else:
        lines += ["", "It is enforced already."]
    session.printer.show(past, text=lambda: lines, names=[past.signal])


def _show_health(
    session: Session, client: Client, service: str | None, what_if: list[str] | None
) -> None:
    found = client.get(_path(service), ServiceHealth, what_if=what_if)
    session.printer.show(
        found,
        text=lambda: health_view(
            found,
            when=_when(session, found.at),
            without_rollout=f" `tidegate service health test {found.service}` asks the sources now.",
        ),
        names=[found.health],
        rows=found.nodes,
    )


def _show_history(session: Session, client: Client, service: str | None) -> None:
    found = client.get(f"{_path(service)}/history", SignalHistory)
    session.printer.show(
        found,
        text=lambda: history_view(found),
        names=[one.signal for one in found.signals],
        rows=found.signals,
    )


def _path(service: str | None) -> str:
    return f"/v1/services/{path_part(need_rollout(service), 'service')}/health"


def _when(session: Session, at: datetime) -> str:
    return write_instant(at, now=at, form=session.times)


app.command("explain")(with_session(explain))
app.command("test")(with_session(test))
app.command("enforce")(with_session(enforce))
