"""
The health model of a service, as a drawing and as a table of the same facts; and what if a part were ill.

What is known comes from the use cases; here it is put beside its place in the drawing. No source is asked:
a page that is open on a wall must not become load on what it watches.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Final
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from tidegate.api.pages import service_words
from tidegate.api.pages.graph_layout import Box, Drawing, lay_out
from tidegate.api.pages.guarding import PageRoute
from tidegate.api.pages.onlooker import Looks
from tidegate.api.pages.rendering import page
from tidegate.api.shapes import service_health as shapes
from tidegate.api.showing.service_health import show_health
from tidegate.api.state import World
from tidegate.domain.access.model import Caller
from tidegate.domain.plan.model import ErrorBudget, SignalKind, SignalSpec
from tidegate.domain.quantities import ServiceName
from tidegate.domain.rollout.model import Rollout
from tidegate.errors import InvalidRequestError
from tidegate.usecases.access import access_in
from tidegate.usecases.outside import Outside
from tidegate.usecases.reading import readable_service, sees_rollout, sees_service
from tidegate.usecases.service_health import (
    ServiceHealth,
    active_rollouts,
    plan_in_force,
    service_health,
    stored_spec,
)
from tidegate.usecases.signal_firings import Firings, last_firings
from tidegate.usecases.signal_history import SignalHistory, signal_history
from tidegate.usecases.suppose import Supposition, act_of, suppose_unhealthy

router = APIRouter(include_in_schema=False, route_class=PageRoute)

ROLLOUTS_READ: Final = 100
"""How far back the last change of a component is looked for."""

ESTIMATED_OVER: Final = timedelta(days=30)

_WORST_FIRST: Final = ("unhealthy", "degraded", "unknown", "healthy")


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalView:
    """One signal of a node. `does` is what it does to a rollout; `asks` is its query, part by part."""

    shown: shapes.NodeSignal
    spec: SignalSpec
    does: str
    asks: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeView:
    """
    One node with its place in the drawing.

    `worst` is its signal in the most trouble, None where no signal tells of it. `changed` is the newest
    rollout that is known to have changed it. `needed_by` names what needs it, with the impact there.
    `on_path` is whether trouble can come from or get to the node that is looked at.
    """

    node: shapes.Node
    role: str
    box: Box
    signals: Sequence[SignalView]
    worst: shapes.NodeSignal | None
    changed: Rollout | None
    needed_by: Sequence[shapes.NodeNeed]
    is_chosen: bool
    on_path: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LineView:
    """One need in the drawing. `points` are for a polyline."""

    above: str
    below: str
    impact: str
    points: str
    on_path: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FalseHalts:
    """How often the tested signals may halt what is harmless: a share of so many rollouts."""

    alpha: float
    rollouts: int

    @property
    def expected_at_most(self) -> float:
        """The most false halts to expect among them."""
        return self.alpha * self.rollouts


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the page is made from, all of one moment. `past` was run again only if somebody asked."""

    health: ServiceHealth
    supposed: Supposition | None
    changed: Mapping[str, Rollout]
    roles: Mapping[str, str]
    firings: Firings
    false_halts: FalseHalts
    past: Mapping[str, SignalHistory]
    has_model: bool


@router.get("/services/{service}/health")
async def health(
    service: str,
    request: Request,
    outside: World,
    onlooker: Looks,
    node: Annotated[str, Query(max_length=200)] = "",
    red: Annotated[str, Query(max_length=200)] = "",
    view: Annotated[str, Query(max_length=10)] = "",
    past: Annotated[str, Query(max_length=10)] = "",
) -> Response:
    """Show the model; `node` opens its panel, `red` supposes it unhealthy, `view=table` hides the drawing."""
    name = readable_service(outside, onlooker.caller, ServiceName(service)).name
    facts = await run_in_threadpool(
        _facts, outside, onlooker.caller, name, red=red, with_past=past == "yes"
    )
    shown = show_health(facts.health if facts.supposed is None else facts.supposed.health)
    _refuse_unknown(shown, node)
    chosen = node or red
    views, lines, drawing = _drawn(facts, shown, chosen)
    asked = {"node": node, "red": red, "view": view, "past": past}
    return page(
        request,
        "screens/health.html",
        name=name,
        shown=shown,
        facts=facts,
        nodes=views,
        lines=lines,
        drawing=drawing,
        chosen=next((one for one in views if one.is_chosen), None),
        asked=asked,
        link=lambda **changes: _address(name, {**asked, **changes}),
        service_words=service_words,
        estimated_over=ESTIMATED_OVER,
    )


def _facts(
    outside: Outside, caller: Caller, name: ServiceName, *, red: str, with_past: bool
) -> Facts:
    found = service_health(outside, caller, name)
    now = outside.clock.now()
    with outside.store.begin(read_only=True) as transaction:
        access = access_in(transaction, caller, now)
        spec = stored_spec(transaction, name)
        plan = plan_in_force(spec, active_rollouts(transaction, name))
        rollouts = [
            one
            for one in transaction.rollouts(service=name, limit=ROLLOUTS_READ)
            if sees_rollout(access, one)
        ]
        others: dict[str, Rollout] = {}
        for node in found.model.nodes:
            other = ServiceName(node.name)
            if other == name or transaction.service(other) is None:
                continue
            if sees_service(transaction, access, other):
                newest = transaction.rollouts(service=other, limit=1)
                others |= {one.service: one for one in newest if sees_rollout(access, one)}
        firings = last_firings(transaction, access, name)
    components = {part.name for part in spec.components}
    changed = dict(others)
    for node in found.model.nodes:
        mine = next((one for one in rollouts if _changes(one, node.name, name)), None)
        if mine is not None:
            changed[node.name] = mine
    return Facts(
        health=found,
        supposed=suppose_unhealthy(outside, caller, found, red) if red else None,
        changed=changed,
        roles={
            node.name: _role(found, node.name, is_component=node.name in components, others=others)
            for node in found.model.nodes
        },
        firings=firings,
        false_halts=_false_halts(plan.budget, rollouts, now),
        past={one.signal: one for one in signal_history(outside, name)} if with_past else {},
        has_model=bool(plan.health.nodes),
    )


def _changes(rollout: Rollout, node: str, service: ServiceName) -> bool:
    return node == service or any(part.component == node for part in rollout.change.components)


def _role(
    found: ServiceHealth, node: str, *, is_component: bool, others: Mapping[str, Rollout]
) -> str:
    """Return what a node is, as far as the document and this server know."""
    if node == found.service:
        return "this service"
    if node in others:
        return "a service"
    if is_component:
        return "component"
    written = next(one for one in found.model.nodes if one.name == node)
    limits = [found.specs[name].kind is SignalKind.LIMIT for name in written.signals]
    return "resource" if not written.needs and limits and all(limits) else "dependency"


def _false_halts(budget: ErrorBudget, rollouts: Sequence[Rollout], now: datetime) -> FalseHalts:
    recent = [
        one
        for one in rollouts
        if now - one.created_at <= ESTIMATED_OVER and not (one.is_install or one.is_return)
    ]
    return FalseHalts(alpha=budget.alpha_halt, rollouts=len(recent))


def _refuse_unknown(shown: shapes.ServiceHealth, node: str) -> None:
    names = [one.name for one in shown.nodes]
    if node and node not in names:
        raise InvalidRequestError(
            f"the health model has no node {node!r}", hint=f"take one of: {', '.join(names)}"
        )


# --- the drawing ---------------------------------------------------------------------------------


def _drawn(
    facts: Facts, shown: shapes.ServiceHealth, chosen: str
) -> tuple[list[NodeView], list[LineView], Drawing]:
    names = [one.name for one in shown.nodes]
    needs = [(one.name, need.node, need.impact) for one in shown.nodes for need in one.needs]
    drawing = lay_out(names, [(above, below) for above, below, _ in needs])
    path = on_path(chosen, [(above, below) for above, below, _ in needs]) if chosen else set()
    by_name = {one.name: one for one in shown.nodes}
    views = []
    for box in drawing.boxes:
        node = by_name[box.name]
        signals = [_signal(facts, one) for one in node.signals]
        views.append(
            NodeView(
                node=node,
                role=facts.roles[node.name],
                box=box,
                signals=signals,
                worst=min(
                    (one.shown for one in signals),
                    key=lambda one: (one.shadow, _WORST_FIRST.index(one.health)),
                    default=None,
                ),
                changed=facts.changed.get(node.name),
                needed_by=[
                    shapes.NodeNeed(node=above, impact=impact)
                    for above, below, impact in needs
                    if below == node.name
                ],
                is_chosen=node.name == chosen,
                on_path=node.name in path,
            )
        )
    impacts = {(above, below): impact for above, below, impact in needs}
    lines = [
        LineView(
            above=line.above,
            below=line.below,
            impact=impacts[line.above, line.below],
            points=" ".join(f"{x:g},{y:g}" for x, y in line.points),
            on_path={line.above, line.below} <= path,
        )
        for line in drawing.lines
    ]
    return views, lines, drawing


def on_path(chosen: str, needs: Sequence[tuple[str, str]]) -> set[str]:
    """Return *chosen* with all that needs it, however far up, and all that it needs, however far down."""
    found = {chosen}
    for start, end in ((0, 1), (1, 0)):
        reached = {chosen}
        waiting = [chosen]
        while waiting:
            here = waiting.pop()
            beside = [pair[end] for pair in needs if pair[start] == here]
            waiting += [one for one in beside if one not in reached]
            reached |= set(beside)
        found |= reached
    return found


def _signal(facts: Facts, shown: shapes.NodeSignal) -> SignalView:
    spec = facts.health.specs[shown.name]
    return SignalView(
        shown=shown,
        spec=spec,
        does=act_of(spec)[1],
        asks=[("source", spec.source), *spec.settings],
    )


def _address(name: ServiceName, asked: Mapping[str, object]) -> str:
    query = urlencode({key: said for key, said in asked.items() if said})
    return f"/services/{quote(name, safe='')}/health" + (f"?{query}" if query else "")
