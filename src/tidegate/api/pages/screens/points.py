"""
The points of a rollout's charts: as data for the script that draws them, and as a table for everybody.

Both are made of the very points that the API gives. The table is a page of its own, so that it can be
read, printed and linked to without a script.
"""

from datetime import UTC, datetime
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from tidegate.api.pages.charting import charts_of, points_of
from tidegate.api.pages.guarding import PageRoute
from tidegate.api.pages.onlooker import Looks, Onlooker
from tidegate.api.pages.rendering import page
from tidegate.api.pages.rollout_words import signal_summary
from tidegate.api.shapes.evidence import Evidence
from tidegate.api.showing.look import look_at, show_meter
from tidegate.api.state import World
from tidegate.domain.rollout.model import Rollout
from tidegate.errors import NotFoundError
from tidegate.usecases.outside import Outside
from tidegate.usecases.reading import find_rollout

MOST_ROWS: Final = 2_000
"""How many of the latest points a table shows; the API has all of them."""

_EVER: Final = datetime(1970, 1, 1, tzinfo=UTC)

router = APIRouter(include_in_schema=False, route_class=PageRoute)


@router.get("/rollouts/{rollout}/charts")
async def charts(rollout: str, outside: World, onlooker: Looks) -> Response:
    """Return the charts of every signal as data."""
    found, evidence = await run_in_threadpool(_read, outside, onlooker, rollout)
    names = [phase.name for phase in found.plan.phases]
    made = charts_of(found.id, evidence, names)
    return JSONResponse(made.model_dump(mode="json"), headers={"cache-control": "no-store"})


@router.get("/rollouts/{rollout}/numbers")
async def numbers(
    rollout: str,
    request: Request,
    outside: World,
    onlooker: Looks,
    signal: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """Show the numbers of one signal, point by point; of the first one where none is named."""
    found, evidence = await run_in_threadpool(_read, outside, onlooker, rollout)
    known = {one.name: one for one in evidence.signals}
    if signal and signal not in known:
        raise NotFoundError(
            f"rollout {found.id} has shown no signal {signal!r}",
            hint=f"it has shown: {', '.join(known) or 'none yet'}",
        )
    chosen = known.get(signal) or next(iter(known.values()), None)
    rows = [] if chosen is None else points_of(evidence, chosen.name)
    return page(
        request,
        "screens/numbers.html",
        rollout=found,
        names=[phase.name for phase in found.plan.phases],
        signals=list(known),
        chosen=chosen,
        summary="" if chosen is None else signal_summary(chosen),
        rows=rows[-MOST_ROWS:],
        left_out=max(0, len(rows) - MOST_ROWS),
    )


def _read(outside: Outside, onlooker: Onlooker, name: str) -> tuple[Rollout, Evidence]:
    look = look_at(outside, find_rollout(outside, onlooker.caller, name))
    return look.rollout, show_meter(outside, look, None, _EVER)
