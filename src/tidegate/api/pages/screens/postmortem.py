"""Looking back at what went wrong: the list, one draft, and the draft to take along."""

from typing import Final

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from tidegate.api import postmortem_words
from tidegate.api.pages.guarding import PageRoute
from tidegate.api.pages.onlooker import Looks, Onlooker
from tidegate.api.pages.postmortem_drawing import pictures
from tidegate.api.pages.rendering import page
from tidegate.api.shapes.postmortem import Postmortem
from tidegate.api.showing.postmortem import show_postmortem
from tidegate.api.showing.rollout import show_rollout
from tidegate.api.state import World
from tidegate.domain.quantities import ServiceName
from tidegate.usecases.outside import Outside
from tidegate.usecases.postmortem import is_worth_a_postmortem, write_postmortem
from tidegate.usecases.reading import find_rollout, readable_rollouts

MOST_SEARCHED: Final = 2_000
MOST_LISTED: Final = 100

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


@router.get("/postmortems/{rollout}")
async def one_postmortem(
    rollout: str, request: Request, outside: World, onlooker: Looks
) -> Response:
    """Show the draft of a postmortem."""
    draft = await run_in_threadpool(_draft, outside, onlooker, rollout)
    return page(
        request,
        "screens/postmortem.html",
        draft=draft,
        say=postmortem_words,
        drawn=pictures(draft),
    )


@router.get("/postmortems/{rollout}/markdown")
async def as_markdown(rollout: str, outside: World, onlooker: Looks) -> Response:
    """Return the draft as Markdown, to be saved."""
    draft = await run_in_threadpool(_draft, outside, onlooker, rollout)
    return Response(
        postmortem_words.markdown(draft),
        media_type="text/markdown; charset=utf-8",
        headers={"content-disposition": f'attachment; filename="postmortem-{draft.rollout}.md"'},
    )


def _draft(outside: Outside, onlooker: Onlooker, name: str) -> Postmortem:
    written = write_postmortem(outside, find_rollout(outside, onlooker.caller, name))
    return show_postmortem(written, now=outside.clock.now())
