"""
What the form for the text of a plan is sent to. It changes nothing: a text is kept, to be simulated.

Who may ask what a start would do may also ask what a text would have done.
"""

from dataclasses import replace

from fastapi import APIRouter
from starlette.responses import JSONResponse, RedirectResponse, Response

from tidegate.api.access import Calls, operation
from tidegate.api.pages.acting import Acting, Outcome
from tidegate.api.pages.guarding import ActingRoute
from tidegate.api.pages.simulate_asked import read_text, said_in
from tidegate.api.state import World
from tidegate.domain.access.permissions import Permission
from tidegate.errors import InvalidRequestError

router = APIRouter(include_in_schema=False, route_class=ActingRoute)


@router.post("/simulate/texts", **operation(Permission.PROPOSE))
async def keep_texts(act: Acting, outside: World, caller: Calls) -> Response:
    """Keep one or two texts and lead on to their simulation, if they can be used."""
    text, other = (
        act.fields.get(name, "").replace("\r\n", "\n") for name in ("text", "other_text")
    )
    if not text.strip():
        raise InvalidRequestError("there is no text", hint="put in the service's tidegate.yaml")
    texts = act.call.server.texts
    digests = []
    for one in (text, other):
        if one.strip():
            read_text(outside, caller, Permission.PROPOSE, one)
            digests.append(texts.keep(caller.organisation, one))
    said = said_in(act.fields)
    beside = act.text("beside")
    if len(digests) > 1:
        said = replace(said, text=digests[0], other_text=digests[1])
    elif beside:
        said = replace(said, service=beside, other_text=digests[0])
    else:
        said = replace(said, text=digests[0])
    outcome = Outcome(message="the text can be used and is simulated", location=said.address())
    if act.by_script:
        return JSONResponse(outcome.model_dump())
    return RedirectResponse(outcome.location, status_code=303)
