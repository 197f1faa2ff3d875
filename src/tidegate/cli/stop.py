"""`tidegate stop`: the stop orders that there are. They are given by `halt` and lifted by `resume`."""

from typing import Annotated

import typer

from tidegate.api.shapes.stops import StopOrders
from tidegate.cli.session import Session, with_session
from tidegate.cli.text.stops import order_table

app = typer.Typer(help="Stop orders: list.", no_args_is_help=True)


@app.callback()
def _noun() -> None:
    """Keep `list` a command of its own while it is the only one."""


def list_(
    session: Session,
    all: Annotated[bool, typer.Option("--all", help="Also those that are lifted.")] = False,
) -> None:
    """List the stop orders in force; nothing that they cover is exposed to anyone more."""
    with session.connect() as client:
        found = client.get("/v1/stops", StopOrders, all=all)
    session.printer.show(
        found,
        text=lambda: order_table(found, times=session.times),
        names=[str(order.number) for order in found.orders],
        rows=found.orders,
    )


app.command("list")(with_session(list_))
