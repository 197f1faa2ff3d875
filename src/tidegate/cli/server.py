"""`tidegate server`: run the server here, and open its pages."""

from typing import Annotated

import typer

from tidegate.api.tokens import page_link
from tidegate.cli.server_file import find_server
from tidegate.cli.session import Session, with_session

app = typer.Typer(help="The server: run, page.", no_args_is_help=True)


@app.command()
def run(
    host: Annotated[
        str | None,
        typer.Option(help="Where to listen. Default: TIDEGATE_LISTEN_HOST, else 127.0.0.1."),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65535, help="0 takes a free one. Default: TIDEGATE_LISTEN_PORT, else 7180."
        ),
    ] = None,
) -> None:
    """Run the server until it is told to end (Ctrl-C). Rollouts go on when it is started again."""
    # The server's parts take a while to load; no other command needs them.
    from tidegate.main.commands import run_server

    raise typer.Exit(run_server(host, port))


@app.command()
def stop(
    workloads: Annotated[
        bool,
        typer.Option(
            "--workloads",
            help="End the proxies and services that it keeps, too. Users are no longer served.",
        ),
    ] = False,
) -> None:
    """End the server of this machine. Traffic stays as it is, unless --workloads is given."""
    from tidegate.main.commands import stop_server

    print(f"ended {stop_server(workloads=workloads)}")


def page(
    session: Session,
    acts_as: Annotated[
        str | None,
        typer.Option(
            "--as",
            metavar="NAME",
            help="Also let its holder act, under this name. Where people log in it isn't needed.",
        ),
    ] = None,
) -> None:
    """Print the link that opens the pages in a browser. Without --as it only shows."""
    address = find_server(session.url, session.token)
    link = page_link(address.url, address.token, acts_as)
    session.printer.show({"url": link}, text=lambda: [link], names=[link])


app.command("page")(with_session(page))
