"""Looking back at what went wrong: the list, one postmortem with its forms, and it to take along."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from tidegate.api import postmortem_words
from tidegate.api.pages.guarding import PageRoute
from tidegate.api.pages.kept_forms import KeptForm, read_kept
from tidegate.api.pages.onlooker import Looks, Onlooker, may
from tidegate.api.pages.postmortem_drawing import pictures
from tidegate.api.pages.rendering import page
from tidegate.api.showing.postmortem import show_postmortem
from tidegate.api.showing.rollout import show_rollout
from tidegate.api.showing.service import owner_of
from tidegate.api.state import ServerState, World, server_of
from tidegate.domain.access.permissions import Permission
from tidegate.domain.quantities import ServiceName
from tidegate.domain.review.texts import LONGEST_OWNER, LONGEST_TEXT
from tidegate.domain.review.written import Factor
from tidegate.errors import NotFoundError
from tidegate.usecases.outside import Outside
from tidegate.usecases.postmortem import Written, write_postmortem
from tidegate.usecases.postmortem_records import is_worth_a_postmortem
from tidegate.usecases.reading import find_rollout, readable_rollouts
from tidegate.usecases.resources import resource_of_rollout

MOST_SEARCHED: Final = 2_000
MOST_LISTED: Final = 100

SUGGESTED_DUE: Final = timedelta(days=14)
"""How long an action has that is taken over as it is suggested: two weeks are a usual iteration."""

router = APIRouter(include_in_schema=False, route_class=PageRoute)


@router.get("/postmortems")
def postmortems(request: Request, outside: World, onlooker: Looks, service: str = "") -> Response:
    """List the rollouts with which something went wrong, newest first."""
    found = readable_rollouts(
        outside,
        onlooker.caller,
        service=ServiceName(service) if service else None,
        searched=MOST_SEARCHED,
        fits=is_worth_a_postmortem,
        limit=MOST_LISTED,
    )
    now = outside.clock.now()
    return page(
        request,
        "screens/postmortems.html",
        rollouts=[show_rollout(one, now=now) for one in found],
        service=service,
        most_listed=MOST_LISTED,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """
    What whoever may write into a postmortem is given besides what others see.

    `as_written` are the texts with the names that others see as roles, by id. `owner` is the service's,
    empty when it can't be told, and `due` the day for what is taken over. `kept` is a form that was
    refused, `was_kept` whether one was asked for.
    """

    as_written: dict[str, Factor]
    owner: str
    due: date
    today: date
    kept: KeptForm | None
    was_kept: bool
    longest_text: int = LONGEST_TEXT
    longest_owner: int = LONGEST_OWNER


@router.get("/postmortems/{rollout}")
async def one_postmortem(
    rollout: str, request: Request, outside: World, onlooker: Looks, kept: str = ""
) -> Response:
    """Show a postmortem; whoever may write into it is given the forms, with what is `kept` in one."""
    written = await run_in_threadpool(_written, outside, onlooker, rollout)
    draft = show_postmortem(written, now=outside.clock.now())
    return page(
        request,
        "screens/postmortem.html",
        draft=draft,
        say=postmortem_words,
        drawn=pictures(draft),
        writing=_writing(server_of(request), onlooker, written, kept),
    )


@router.get("/postmortems/{rollout}/markdown")
async def as_markdown(rollout: str, outside: World, onlooker: Looks) -> Response:
    """Return it as Markdown, to be saved."""
    written = await run_in_threadpool(_written, outside, onlooker, rollout)
    draft = show_postmortem(written, now=outside.clock.now())
    return Response(
        postmortem_words.markdown(draft),
        media_type="text/markdown; charset=utf-8",
        headers={"content-disposition": f'attachment; filename="postmortem-{draft.rollout}.md"'},
    )


def _written(outside: Outside, onlooker: Onlooker, name: str) -> Written:
    return write_postmortem(outside, find_rollout(outside, onlooker.caller, name))


def _writing(
    server: ServerState, onlooker: Onlooker, written: Written, kept: str
) -> Writing | None:
    """Return what *onlooker* needs for writing; None when it isn't theirs to write."""
    where = resource_of_rollout(written.rollout)
    if not may(server, onlooker, Permission.POSTMORTEM_EDIT, where):
        return None
    today = server.outside.clock.now().date()
    with server.outside.store.begin(read_only=True) as transaction:
        owner = owner_of(transaction, written.rollout.service)
    review = written.review
    return Writing(
        as_written={one.id: one for one in (*review.factors, *review.actions)},
        owner=owner,
        due=today + SUGGESTED_DUE,
        today=today,
        kept=_kept(server, onlooker, kept) if kept else None,
        was_kept=bool(kept),
    )


def _kept(server: ServerState, onlooker: Onlooker, digest: str) -> KeptForm | None:
    """Return the form that was refused; None when it isn't kept any more."""
    try:
        return read_kept(server.texts.find(onlooker.caller.organisation, digest))
    except NotFoundError:
        return None
