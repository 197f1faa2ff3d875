"""`tidegate why`: the reason for any state, or for any decision, and the decision made again."""

import re
from typing import Annotated, Final

import typer

from tidegate.api.shapes.ledger import Decision, Replay, Why
from tidegate.cli import exit_codes
from tidegate.cli.asking import rollout_path
from tidegate.cli.client import Client
from tidegate.cli.found import need_rollout
from tidegate.cli.session import Session
from tidegate.cli.text.why import decision_view, replay_view, why_view
from tidegate.errors import InvalidRequestError

_DECISION: Final = re.compile(r"d-([1-9][0-9]{0,15})")


def why(
    session: Session,
    what: Annotated[
        str | None, typer.Argument(help="A rollout, a service, or a decision as d-12.")
    ] = None,
    replay: Annotated[
        bool, typer.Option("--replay", help="Make the decision again from what was stored.")
    ] = False,
) -> int | None:
    """Explain why a rollout is where it is, or what a decision was made from."""
    decision = _DECISION.fullmatch(what or "")
    if replay and decision is None:
        raise InvalidRequestError(
            "--replay needs a decision, as d-12", hint="`tidegate why ROLLOUT` names the last one"
        )
    with session.connect() as client:
        if decision is None:
            _explain(session, client, need_rollout(what))
            return None
        path = f"/v1/decisions/{decision[1]}"
        if replay:
            return _replay(session, client, path)
        _show_decision(session, client, path)
        return None


def _explain(session: Session, client: Client, name: str) -> None:
    found = client.get(rollout_path(name, "why"), Why)
    printer = session.printer
    printer.show(
        found,
        text=lambda: why_view(found, wide=printer.is_wide, times=session.times),
        names=[found.rollout.id],
    )


def _show_decision(session: Session, client: Client, path: str) -> None:
    found = client.get(path, Decision)
    printer = session.printer
    printer.show(
        found,
        text=lambda: decision_view(found, wide=printer.is_wide, times=session.times),
        names=[f"d-{found.entry.number}"],
    )


def _replay(session: Session, client: Client, path: str) -> int:
    found = client.post(f"{path}/replay", Replay, {})
    session.printer.show(found, text=lambda: replay_view(found), names=[f"d-{found.entry.number}"])
    same = found.same_decision and found.same_evidence is not False
    return exit_codes.DONE if same else exit_codes.ERROR
