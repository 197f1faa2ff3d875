"""
The plan simulator: what a plan would have done about incidents, faults and past rollouts; or two plans.

The page only asks and shows: what runs, and how long it may, is up to `simulating`. Without a plan in the
address it shows what there is to go through.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from tidegate.api import simulation_words
from tidegate.api.pages import simulate_words
from tidegate.api.pages.allowed import access_to_act, is_theirs
from tidegate.api.pages.guarding import PageRoute
from tidegate.api.pages.kept_texts import KeptTexts
from tidegate.api.pages.onlooker import Looks, Onlooker
from tidegate.api.pages.rendering import page
from tidegate.api.pages.simulate_asked import KINDS, MOST_RUNS, Asked, Asks, Said, asked_of
from tidegate.api.pages.simulating import Progress, Simulation
from tidegate.api.simulation_summary import Summary, summary
from tidegate.api.state import ServerState, World, server_of
from tidegate.documents.patch import patch_of
from tidegate.documents.service_file import FILE_NAME
from tidegate.domain.access.model import Caller
from tidegate.domain.access.permissions import Permission
from tidegate.domain.quantities import ServiceName
from tidegate.domain.rollout.model import Rollout
from tidegate.errors import NotFoundError, StoreError, TidegateError
from tidegate.usecases.access import access_in
from tidegate.usecases.outside import Outside
from tidegate.usecases.reading import readable_rollouts, readable_services
from tidegate.usecases.resources import resource_of_organisation, resource_of_service
from tidegate.usecases.simulation.choosing import known_scenarios
from tidegate.usecases.simulation.comparing import Row
from tidegate.usecases.simulation.results import digest_of_results
from tidegate.usecases.simulation.scenario import Kind, Scenario
from tidegate.usecases.simulation.usage import assumptions

router = APIRouter(include_in_schema=False, route_class=PageRoute)

PATIENCE_SECONDS: Final = 1.0
"""A page waits so long for results, so that what is quick needs no second look."""

LOOK_EVERY_SECONDS: Final = 0.05
ROLLOUTS_SEARCHED: Final = 100
ROLLOUTS_OFFERED: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """
    A simulation as it stands: `rows` of what is through, and the scenarios that aren't `reached` yet.

    `digest` is that of all results, empty while some are missing.
    """

    simulation: Simulation
    progress: Progress
    harmful: Sequence[Row]
    harmless: Sequence[Row]
    unreached: Sequence[Scenario]
    summaries: Sequence[Summary]
    digest: str
    assumed: Sequence[str]
    before: int

    @property
    def goes_on(self) -> bool:
        """Whether more comes of it. By `progress`, for the simulation may have ended since."""
        return self.progress in (Progress.WAITING, Progress.RUNNING)


@router.get("/simulate")
async def simulate(request: Request, outside: World, onlooker: Looks, said: Asks) -> Response:
    """Show the form, and what the plan that the address names would have done."""
    server = server_of(request)
    names = await run_in_threadpool(_service_names, outside, onlooker.caller)
    asked, problem = None, None
    rollouts: Sequence[Rollout] = ()
    if said.names_plan:
        asked, problem = await run_in_threadpool(_asked, server, onlooker.caller, said)
        rollouts = await run_in_threadpool(_past_rollouts, outside, onlooker.caller, said, asked)
    shown = None if asked is None else await _shown(server, asked)
    return page(
        request,
        "screens/simulate.html",
        status=200 if problem is None else problem.http_status,
        said=said,
        names=names,
        rollouts=rollouts,
        kinds=KINDS,
        most_runs=MOST_RUNS,
        library=known_scenarios(),
        asked=asked,
        problem=problem,
        shown=shown,
        is_busy=asked is not None and shown is None,
        patch=_patch(server.texts, onlooker.caller, said) if asked else "",
        said_words=simulation_words,
        simulate_words=simulate_words,
    )


@router.get("/simulate/edit")
async def edit(request: Request, outside: World, onlooker: Looks, said: Asks) -> Response:
    """Show a form for the text of a plan, with the texts that the address names."""
    texts = server_of(request).texts
    names = await run_in_threadpool(_service_names, outside, onlooker.caller)
    return page(
        request,
        "screens/simulate_edit.html",
        said=said,
        names=names,
        may_send=await run_in_threadpool(_may_send, outside, onlooker, names),
        text=_kept(texts, onlooker.caller, said.text or (said.other_text if said.service else "")),
        other=_kept(texts, onlooker.caller, said.other_text if said.text else ""),
    )


def _service_names(outside: Outside, caller: Caller) -> list[str]:
    with outside.store.begin(read_only=True) as transaction:
        access = access_in(transaction, caller, outside.clock.now())
        return [record.name for record in readable_services(transaction, access)]


def _may_send(outside: Outside, onlooker: Onlooker, names: Sequence[str]) -> bool:
    """Return whether a text of any service could be theirs to put in; which one it is about rules then."""
    with outside.store.begin(read_only=True) as transaction:
        acting = access_to_act(transaction, onlooker, outside.clock.now())
        known = (resource_of_service(transaction, ServiceName(name)) for name in names)
        everywhere = resource_of_organisation(onlooker.caller)
        return any(is_theirs(acting, Permission.PROPOSE, one or everywhere) for one in known) or (
            is_theirs(acting, Permission.PROPOSE, everywhere)
        )


def _asked(
    server: ServerState, caller: Caller, said: Said
) -> tuple[Asked | None, TidegateError | None]:
    try:
        return asked_of(server.outside, caller, server.texts, said), None
    except StoreError:
        raise
    except TidegateError as exc:
        # Said beside the form, so that it can be put right there.
        return None, exc


def _past_rollouts(
    outside: Outside, caller: Caller, said: Said, asked: Asked | None
) -> Sequence[Rollout]:
    """Return what can be replayed: rollouts of the service that are over and were no ways back."""
    service = said.service if asked is None else asked.comparison.plans[0].spec.name
    return readable_rollouts(
        outside,
        caller,
        service=ServiceName(service),
        searched=ROLLOUTS_SEARCHED,
        fits=lambda one: one.is_final and not one.is_return,
        limit=ROLLOUTS_OFFERED,
    )


async def _shown(server: ServerState, asked: Asked) -> Shown | None:
    simulation = server.simulations.ask(asked.key, asked.comparison)
    if simulation is None:
        return None
    for _ in range(int(PATIENCE_SECONDS / LOOK_EVERY_SECONDS)):
        if simulation.is_over:
            break
        await asyncio.sleep(LOOK_EVERY_SECONDS)
    # Read first: rows may come after it, but none are missing when it says that it is done.
    progress = simulation.progress
    rows = simulation.rows
    comparison = asked.comparison
    results = [result for row in rows for result in row]
    return Shown(
        simulation=simulation,
        progress=progress,
        harmful=[row for row in rows if row[0].is_harmful],
        harmless=[row for row in rows if not row[0].is_harmful],
        unreached=comparison.scenarios[len(rows) :],
        summaries=[summary(column) for column in zip(*rows, strict=True)],
        digest=digest_of_results(results, seed=comparison.seed)
        if progress is Progress.DONE
        else "",
        assumed=assumptions(
            comparison.requests_per_second,
            replays=any(one.kind is Kind.ROLLOUT for one in comparison.scenarios),
        ),
        before=server.simulations.before(simulation),
    )


def _patch(texts: KeptTexts, caller: Caller, said: Said) -> str:
    before = _kept(texts, caller, said.text)
    after = _kept(texts, caller, said.other_text)
    return patch_of(before, after, path=FILE_NAME) if before and after else ""


def _kept(texts: KeptTexts, caller: Caller, digest: str) -> str:
    try:
        return texts.find(caller.organisation, digest) if digest else ""
    except NotFoundError:
        return ""
