"""
One service: is a version out yet, what is served where, what moves, how it is, how it delivers.

What is served is asked of the targets for this page; everything else is what is on record. A part that
can't be known says so in its place, and the others are shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from tidegate.api.pages import service_words
from tidegate.api.pages.guarding import PageRoute
from tidegate.api.pages.onlooker import Looks, may
from tidegate.api.pages.rendering import page
from tidegate.api.pages.screens.services import alarms_of, read_spec
from tidegate.api.shapes.rollout import Phase as ShownPhase
from tidegate.api.shapes.rollout import Rollout as ShownRollout
from tidegate.api.shapes.service_health import ServiceHealth
from tidegate.api.showing.look import Look, show_record
from tidegate.api.showing.rollout import show_phase, show_rollout
from tidegate.api.showing.service_health import show_health
from tidegate.api.state import World, server_of
from tidegate.domain.access.model import Caller
from tidegate.domain.access.permissions import Permission
from tidegate.domain.access.proof import IdentityMode
from tidegate.domain.plan.model import Plan, ServiceSpec
from tidegate.domain.policy.demands import rules_in_force, with_demands
from tidegate.domain.policy.model import NO_POLICY, PolicyVersion
from tidegate.domain.quantities import ServiceName
from tidegate.domain.rollout.alarms import Alarm
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import Rollout
from tidegate.errors import RefusedError, TidegateError
from tidegate.ports.store import ServiceRecord
from tidegate.usecases.access import access_in
from tidegate.usecases.delivery import Delivery, delivery_of
from tidegate.usecases.outside import Outside
from tidegate.usecases.policies import readable_policy
from tidegate.usecases.reading import readable_service, sees_alarm, sees_rollout
from tidegate.usecases.resources import resource_of_service
from tidegate.usecases.served import (
    OnRecord,
    Served,
    Whereabouts,
    is_called,
    look_at_targets,
    on_record,
    whereabouts,
)
from tidegate.usecases.service_health import service_health

router = APIRouter(include_in_schema=False, route_class=PageRoute)

ROLLOUTS_READ: Final = 200
"""How far back the history goes on this page; older ones are in the ledger."""

ROLLOUTS_ON_A_PAGE: Final = 20

MOST_ANSWERS: Final = 3
"""Of a long queue the first are what people ask for; the others can be asked for by their version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """The plan that the next rollout would get, with what the policy demands of it."""

    plan: Plan
    phases: Sequence[ShownPhase]
    policy: PolicyVersion | None
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The answer to "is it out yet?": of one version, or that nobody knows it."""

    version: str
    state: str
    sentence: str
    rollout: ShownRollout | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What is on record of a service, all of one moment. `spec` is None where `problem` says why."""

    record: ServiceRecord
    spec: ServiceSpec | None
    problem: str
    rollouts: Sequence[Rollout]
    active: Sequence[ShownRollout]
    placements: Sequence[OnRecord]
    alarms: Sequence[Alarm]
    in_force: InForce | None
    delivery: Delivery
    health: ServiceHealth | None
    health_problem: str


@router.get("/services/{service}")
async def one_service(
    service: str,
    request: Request,
    outside: World,
    onlooker: Looks,
    version: Annotated[str, Query(max_length=200)] = "",
    state: Annotated[str, Query(max_length=20)] = "",
    number: Annotated[int, Query(alias="page", ge=1, le=1_000)] = 1,
) -> Response:
    """Show one service; `version` asks where that is, `state` and `page` choose of its history."""
    record = readable_service(outside, onlooker.caller, ServiceName(service))
    kept = await run_in_threadpool(_kept, outside, onlooker.caller, record)
    served: Sequence[Served] = ()
    if kept.spec is not None:
        served = await look_at_targets(outside, kept.spec, kept.placements)
    allowed = _allowed(request, onlooker, record.name)
    now = outside.clock.now()
    found = [one for one in kept.rollouts if state in ("", one.state.value)]
    first = (number - 1) * ROLLOUTS_ON_A_PAGE
    asked = {"version": version.strip(), "state": state}
    return page(
        request,
        "screens/service.html",
        kept=kept,
        served=served,
        answers=_answers(kept, served, asked["version"], now),
        service_words=service_words,
        history=[show_rollout(one, now=now) for one in found[first : first + ROLLOUTS_ON_A_PAGE]],
        asked=asked,
        states=list(dict.fromkeys(one.state.value for one in kept.rollouts)),
        found=len(found),
        number=number,
        pages=max(1, -(-len(found) // ROLLOUTS_ON_A_PAGE)),
        link=lambda **changes: _address(record.name, {**asked, **changes}),
        is_cut=len(kept.rollouts) == ROLLOUTS_READ,
        start_command=_start_command(record.name, kept.spec),
        may_halt=Permission.HALT in allowed,
        may_start=Permission.START in allowed,
    )


def _kept(outside: Outside, caller: Caller, record: ServiceRecord) -> Kept:
    now = outside.clock.now()
    spec, problem = read_spec(record)
    with outside.store.begin(read_only=True) as transaction:
        access = access_in(transaction, caller, now)
        rollouts = [
            one
            for one in transaction.rollouts(service=record.name, limit=ROLLOUTS_READ)
            if sees_rollout(access, one)
        ]
        looks = [
            Look(rollout=one, stored=transaction.evidence(one.id)) for one in _active(rollouts)
        ]
        alarms = [
            one for one in transaction.active_alarms() if sees_alarm(transaction, access, one)
        ]
        policy = readable_policy(transaction, access)
        placements = () if spec is None else on_record(transaction, spec, rollouts)
        delivery = delivery_of(transaction, rollouts, now)
    health, health_problem = _health(outside, caller, record.name)
    return Kept(
        record=record,
        spec=spec,
        problem=problem,
        rollouts=rollouts,
        active=[show_record(outside, look) for look in looks],
        placements=placements,
        alarms=[] if spec is None else alarms_of(spec, alarms),
        in_force=None if spec is None else _in_force(spec, policy, outside.identity_mode),
        delivery=delivery,
        health=health,
        health_problem=health_problem,
    )


def _active(rollouts: Sequence[Rollout]) -> list[Rollout]:
    """Return what isn't over: what has begun, then the queue in its order."""
    found = [one for one in reversed(rollouts) if not one.is_final]
    return sorted(found, key=lambda one: one.state is State.PLANNED)


def _health(
    outside: Outside, caller: Caller, name: ServiceName
) -> tuple[ServiceHealth | None, str]:
    try:
        return show_health(service_health(outside, caller, name)), ""
    except TidegateError as exc:
        return None, exc.message


def _in_force(spec: ServiceSpec, policy: PolicyVersion | None, names: IdentityMode) -> InForce:
    plan, problem = spec.plan, ""
    rules = rules_in_force(NO_POLICY if policy is None else policy.policy, names)
    try:
        plan = with_demands(rules, spec, plan)
    except RefusedError as exc:
        problem = exc.message
    return InForce(
        plan=plan,
        phases=[
            show_phase(phase, index, "ahead", None)
            for index, phase in enumerate(plan.phases, start=1)
        ],
        policy=policy,
        problem=problem,
    )


# --- is it out yet? ----------------------------------------------------------------------------


def _answers(kept: Kept, served: Sequence[Served], asked: str, now: datetime) -> list[Answer]:
    """Answer for the version that was asked for, else for what is under way, else for what was last."""
    if asked:
        return [_answer(kept, served, asked, now, None)]
    brought = [one for one in kept.rollouts if not one.is_return]
    about = _active(brought)[:MOST_ANSWERS] or brought[:1]
    return [
        _answer(kept, served, part.to.name, now, part.component)
        for rollout in about
        for part in rollout.change.components
    ]


def _answer(
    kept: Kept, served: Sequence[Served], version: str, now: datetime, component: str | None
) -> Answer:
    rollout = next((one for one in kept.rollouts if _brings(one, version, component)), None)
    named = {
        part.component
        for part in (rollout.change.components if rollout else ())
        if is_called(part.to, version)
    }
    about = [one for one in served if not named or one.record.placement.component in named]
    found: Sequence[Whereabouts] = whereabouts(about, version)
    state = service_words.out_state(found)
    if rollout is None and state == "no":
        sentence = "no rollout on record brought it, and no target serves it"
    else:
        sentence = service_words.out_words(found)
    return Answer(
        version=version if component is None else f"{component} {version}",
        state=state,
        sentence=sentence,
        rollout=None if rollout is None else show_rollout(rollout, now=now),
    )


def _brings(rollout: Rollout, version: str, component: str | None) -> bool:
    return not rollout.is_return and any(
        component in (None, part.component) and is_called(part.to, version)
        for part in rollout.change.components
    )


# --- what can be done ----------------------------------------------------------------------------


def _allowed(request: Request, onlooker: Looks, name: ServiceName) -> frozenset[Permission]:
    server = server_of(request)
    with server.outside.store.begin(read_only=True) as transaction:
        where = resource_of_service(transaction, name)
    if where is None:
        return frozenset()
    asked = (Permission.HALT, Permission.START)
    return frozenset(one for one in asked if may(server, onlooker, one, where))


def _start_command(name: ServiceName, spec: ServiceSpec | None) -> str:
    parts = ["COMPONENT"] if spec is None else [one.name for one in spec.components]
    changes = " ".join(f"--change {part}=VERSION" for part in parts)
    return f"tidegate start {name} {changes}"


def _address(name: ServiceName, asked: dict[str, object]) -> str:
    query = urlencode({key: said for key, said in asked.items() if said})
    return f"/services/{quote(name, safe='')}" + (f"?{query}" if query else "")
