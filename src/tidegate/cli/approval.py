"""`tidegate approval`: what waits for somebody's yes, and taking one's own word back."""

from typing import Annotated

import typer

from tidegate.api.shapes.approvals import AwaitedApprovals
from tidegate.cli.asking import get_rollout
from tidegate.cli.commanding import AtOption, RolloutName, tell
from tidegate.cli.found import need_rollout
from tidegate.cli.session import Session, with_session
from tidegate.cli.text.approvals import approval_card, approval_table
from tidegate.errors import NotFoundError

app = typer.Typer(help="Approvals: list, get, take-back.", no_args_is_help=True)


def list_(
    session: Session,
    all: Annotated[
        bool, typer.Option("--all", help="Also those whose phase before is still under way.")
    ] = False,
) -> None:
    """List what waits for an approval: what is due first, of that what lapses first."""
    with session.connect() as client:
        found = client.get("/v1/approvals", AwaitedApprovals, all=all)
    session.printer.show(
        found,
        text=lambda: approval_table(found, times=session.times),
        names=[one.rollout for one in found.approvals],
        rows=found.approvals,
    )


def get(session: Session, rollout: RolloutName = None) -> None:
    """Show what the next phase of a rollout needs: why, from whom, and what was said so far."""
    with session.connect() as client:
        seen = get_rollout(client, need_rollout(rollout))
        found = client.get("/v1/approvals", AwaitedApprovals, all=True)
    one = next((one for one in found.approvals if one.rollout == seen.id), None)
    if one is None:
        raise NotFoundError(
            f"the next phase of rollout {seen.id} needs no approval",
            hint=f"see what it waits for: tidegate why {seen.id}",
        )
    session.printer.show(
        one,
        text=lambda: approval_card(one, now=found.as_of, times=session.times),
        names=[one.rollout],
    )


def take_back(
    session: Session,
    rollout: RolloutName = None,
    reason: Annotated[str, typer.Option(help="Why; needed, and stays in the ledger.")] = "",
    at: AtOption = None,
) -> None:
    """Take back your own approval or rejection of the next phase. The ledger keeps that it was said."""
    tell(session, rollout, "take-back", reason=reason, at=at)


app.command("list")(with_session(list_))
app.command("get")(with_session(get))
app.command("take-back")(with_session(take_back))
