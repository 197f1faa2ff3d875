"""What both kinds of things that people write into a postmortem have in common on the command line."""

from collections.abc import Callable
from typing import Annotated, Final, TypeVar

import typer

from tidegate.api.shapes.postmortem import Factor, Postmortem
from tidegate.cli.asking import path_part, rollout_path
from tidegate.cli.client import Client
from tidegate.cli.found import need_rollout
from tidegate.cli.session import Session
from tidegate.cli.text.postmortem import removed_lines
from tidegate.errors import NotFoundError

Item = TypeVar("Item", bound=Factor)

TextOption = Annotated[str, typer.Option("--text", help="What it says, up to 1000 characters.")]
VersionOption = Annotated[
    int | None,
    typer.Option(
        "--version",
        min=1,
        help="Refuse when it is at any other by now. Default: the one it is at when this begins.",
    ),
]
Suggestion = Annotated[
    str,
    typer.Option(
        "--suggestion",
        metavar="KEY",
        help="The key of the suggestion that it is taken over from, as -o json shows it.",
    ),
]

SHOW_IT: Final = "`tidegate postmortem show` has them all"


def item_path(rollout: str | None, kind: str, item: str = "", verb: str = "") -> str:
    """
    Return the path of what is written, in the API.

    Raises:
        NotFoundError: a name can't be anything's.
        InvalidRequestError: no rollout was named, and none can be found.
    """
    parts = [path_part(item, kind), verb] if item else []
    return rollout_path(need_rollout(rollout), "postmortem", f"{kind}s", *parts)


def get_postmortem(client: Client, rollout: str | None) -> Postmortem:
    """Return a postmortem as it is now. Raises as `item_path`."""
    return client.get(rollout_path(need_rollout(rollout), "postmortem"), Postmortem)


def one_of(items: list[Item], item: str, kind: str) -> Item:
    """Return the one of *items* that is called *item*. Raises NotFoundError when there is none."""
    found = next((one for one in items if one.id == item), None)
    if found is None:
        raise NotFoundError(f"there is no {kind} {item!r} in this postmortem", hint=SHOW_IT)
    return found


def remove_item(
    session: Session,
    rollout: str | None,
    item: str,
    *,
    kind: str,
    found_in: Callable[[Postmortem], list[Item]],
    version: int | None,
    yes: bool,
) -> None:
    """
    Take something out of a postmortem, after a question that says what it is.

    Args:
        session: This call.
        rollout: The rollout as it was named, None for the nearest service's.
        item: Its id.
        kind: `factor` or `action`.
        found_in: Returns those of its kind.
        version: The version that the person said, None for the one that is asked about.
        yes: Whether the person said not to ask.
    """
    with session.connect() as client:
        seen = one_of(found_in(get_postmortem(client, rollout)), item, kind)
        session.confirm(f"Remove {kind} {item} ({seen.text})?", yes=yes)
        body = {"version": version or seen.version}
        removed = client.post(item_path(rollout, kind, item, "remove"), type(seen), body)
    session.printer.show(removed, text=lambda: removed_lines(removed), names=[removed.id])
