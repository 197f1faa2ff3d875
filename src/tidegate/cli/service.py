"""`tidegate service`: the services that the server knows from their rollouts."""

from typing import Annotated

import typer
from rich.text import Text

from tidegate.api import words
from tidegate.api.shapes.service import Service, ServiceDetail, Services
from tidegate.cli import service_health
from tidegate.cli.asking import path_part
from tidegate.cli.found import need_rollout
from tidegate.cli.output import yaml_text
from tidegate.cli.session import Session, with_session
from tidegate.cli.text.columns import Cell, columns

app = typer.Typer(help="Services: list, get, health.", no_args_is_help=True)


def list_(session: Session) -> None:
    """List the services that have had a rollout."""
    with session.connect() as client:
        found = client.get("/v1/services", Services)
    session.printer.show(
        found,
        text=lambda: _table(found.services),
        names=[one.name for one in found.services],
        rows=found.services,
    )


def get(
    session: Session,
    service: Annotated[
        str | None, typer.Argument(help="Default: that of the nearest tidegate.yaml.")
    ] = None,
) -> None:
    """Show one service: where it is served, its last known good, its resolved document (wide)."""
    with session.connect() as client:
        name = path_part(need_rollout(service), "service")
        found = client.get(f"/v1/services/{name}", ServiceDetail)
    printer = session.printer
    printer.show(found, text=lambda: _detail(found, wide=printer.is_wide), names=[found.name])


def _table(services: list[Service]) -> list[Text | str]:
    if not services:
        return ["no services yet"]
    rows: list[list[Cell]] = [["SERVICE", "OWNER", "TIER", "TARGETS", "ACTIVE", "LATEST", "NOTE"]]
    for one in services:
        rows.append(
            [
                one.name,
                one.owner or "-",
                "-" if one.tier is None else str(one.tier),
                words.list_words(one.targets),
                one.active_rollout or "-",
                one.latest_rollout or "-",
                one.problem or "",
            ]
        )
    return [*columns(rows)]


def _detail(service: ServiceDetail, *, wide: bool) -> list[Text | str]:
    lines: list[Text | str] = [*_table([service])]
    good: list[list[Cell]] = [["LAST KNOWN GOOD", "TARGET", "VERSION", "SINCE", "ROLLOUT"]]
    for one in service.last_known_good:
        since = one.since.isoformat(timespec="seconds")
        good.append([one.component, one.target, one.version.name, since, one.rollout])
    lines += ["", *columns(good)] if len(good) > 1 else ["", "no last known good yet"]
    if wide:
        lines += ["", *yaml_text(service.document).splitlines()]
    return lines


app.command("list")(with_session(list_))
app.command("get")(with_session(get))
app.add_typer(service_health.app, name="health")
