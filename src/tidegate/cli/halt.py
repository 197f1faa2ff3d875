"""
`tidegate halt`: stop a rollout and withdraw its candidate, or stop a service, a ring or everything.

Never asks, needs no reason and no look: one request is sent and nothing is fetched before it.
"""

from typing import Annotated, Any

import typer

from tidegate.api.shapes.rollout import Rollout
from tidegate.api.shapes.stops import StopOrderGiven
from tidegate.cli.asking import command_body, get_rollout, rollout_path
from tidegate.cli.client import Client
from tidegate.cli.commanding import Reason, RolloutName, after_lines
from tidegate.cli.found import need_rollout
from tidegate.cli.session import Session
from tidegate.cli.text.stops import given_lines
from tidegate.errors import InvalidRequestError, OverloadedError


def halt(
    session: Session,
    rollout: RolloutName = None,
    reason: Reason = "",
    at: Annotated[
        str | None,
        typer.Option(
            "--at",
            metavar="PHASE@REV",
            help="Taken, but not compared: a stop is right wherever the rollout is by now.",
        ),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Give a stop order: nothing rises any more, anywhere.")
    ] = False,
    ring: Annotated[
        str | None,
        typer.Option("--ring", metavar="RING", help="Give a stop order for a ring's targets."),
    ] = None,
    service: Annotated[
        str | None,
        typer.Option("--service", metavar="SERVICE", help="Give a stop order for a service."),
    ] = None,
    withdraw: Annotated[
        bool,
        typer.Option("--withdraw", help="With a stop order: also bring everything back to nobody."),
    ] = False,
) -> None:
    """
    Stop a rollout and withdraw its candidate from everyone, at once. Never asks.

    With --all, --ring or --service a stop order is given instead: exposure of what it covers stays or
    falls until the order is lifted.
    """
    order = _order(everything=everything, ring=ring, service=service)
    if order is not None:
        if rollout is not None:
            raise InvalidRequestError(
                f"a stop order covers no single rollout, got {rollout!r}",
                hint="name a rollout, or one of --all, --ring and --service",
            )
        _give(session, {**order, "withdraw": withdraw, "reason": reason})
        return
    # A rollout's halt withdraws by itself, so --withdraw asks for nothing more here.
    with session.connect() as client:
        path = rollout_path(need_rollout(rollout), "halt")
        stopped = client.post(path, Rollout, command_body(reason=reason, at=at))
        found = _as_served_now(client, stopped)
        session.printer.show(
            found,
            text=lambda: [*after_lines(session, found), _what_now(found)],
            names=[found.id],
        )


def _as_served_now(client: Client, stopped: Rollout) -> Rollout:
    """Return it as its targets serve it now; where that can't be had, as it was recorded."""
    try:
        with client.asking_once():
            return get_rollout(client, stopped.id)
    except OverloadedError:
        # It is halted. That nobody has the time to look must not make it seem as if it wasn't.
        return stopped


def _order(*, everything: bool, ring: str | None, service: str | None) -> dict[str, Any] | None:
    asked: list[dict[str, Any]] = []
    if everything:
        asked.append({"scope": "everything"})
    if ring is not None:
        asked.append({"scope": "ring", "name": ring})
    if service is not None:
        asked.append({"scope": "service", "name": service})
    if len(asked) > 1:
        raise InvalidRequestError(
            "a stop order has one scope, got several",
            hint="--all covers everything else; or give one order after the other",
        )
    return asked[0] if asked else None


def _give(session: Session, body: dict[str, Any]) -> None:
    with session.connect() as client:
        given = client.post("/v1/stops", StopOrderGiven, body)
    session.printer.show(
        given,
        text=lambda: given_lines(given, times=session.times),
        names=[str(given.order.number)],
    )


def _what_now(rollout: Rollout) -> str:
    if rollout.is_final:
        return f"It was over already: {rollout.state.replace('_', ' ')}."
    return (
        f'Resume: tidegate resume {rollout.id} --reason ".."   '
        f"Roll back: tidegate rollback {rollout.id}"
    )
