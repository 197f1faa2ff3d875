"""
The first page: what needs somebody, what is decided next, and the fleet as a matrix of services and targets.

Its address says all that it shows: filter, density, page. Two parts of it are asked for alone when they
change: the rows of some services, and what stands above them.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from tidegate.api.pages.guarding import PageRoute
from tidegate.api.pages.onlooker import Looks, Onlooker, may
from tidegate.api.pages.rendering import page
from tidegate.api.showing.fleet.attention import (
    NeedCard,
    need_card,
    next_card,
    sorted_cards,
)
from tidegate.api.showing.fleet.cells import MOST_COLUMNS, Column, columns_of
from tidegate.api.showing.fleet.filtering import KEYS, FleetFilter, read_filter
from tidegate.api.showing.fleet.parts import Count, Link, Matrix, Ring, Summary
from tidegate.api.showing.fleet.rows import (
    FleetRow,
    by_service,
    rows_of,
)
from tidegate.api.state import ServerState, World, server_of
from tidegate.domain.access.permissions import Permission
from tidegate.domain.quantities import ServiceName
from tidegate.domain.rollout.model import Rollout
from tidegate.errors import InvalidRequestError
from tidegate.usecases.fleet import Fleet, is_due_for_approval, read_fleet, why_not_theirs
from tidegate.usecases.fleet_needs import Need, NeedKind, needs_of
from tidegate.usecases.fleet_next import next_decisions
from tidegate.usecases.resources import resource_of_organisation

MOST_SERVICES: Final = 500
"""Services on one page: as many as the budget of a page is for."""

MOST_NEEDS: Final = 8
MOST_NEXT: Final = 8
MOST_REFRESHED: Final = 50
"""Services whose rows are asked for at once. Whoever wants more asks for the page."""

ROOMY_CELLS: Final = 1_500
"""Cells up to which there is room for what is served, unless somebody chose."""

DENSITIES: Final = ("roomy", "dense")
KINDS: Final = ("code", "iac", "flag", "config", "schema")
COUNTED: Final = ("halted", "held", "recovering", "waiting", "applying", "baking", "planned")
ALWAYS_COUNTED: Final = ("halted", "held", "baking")

router = APIRouter(include_in_schema=False, route_class=PageRoute)

Asked = Annotated[str, Query()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where somebody is in the fleet: what the address says."""

    q: str
    density: str
    number: int
    filter: FleetFilter
    problem: InvalidRequestError | None

    def address(self, *, path: str = "/", q: str | None = None, **other: str | None) -> str:
        """Return the address of another place: this one, but for what is given."""
        said = {"q": self.q if q is None else q, "density": self.density, **other}
        written = urlencode({key: value for key, value in said.items() if value})
        return f"{path}?{written}" if written else path


@router.get("/")
def overview(
    request: Request,
    outside: World,
    onlooker: Looks,
    q: Asked = "",
    density: Asked = "",
    number: Annotated[int, Query(alias="page", ge=1, le=10_000)] = 1,
) -> Response:
    """Show the fleet."""
    place = _place(q, density, number)
    fleet = read_fleet(outside, onlooker.caller)
    needs = needs_of(fleet)
    rows = rows_of(fleet, needs)
    matrix = _matrix(place, [row for row in rows if place.filter.holds(row)])
    return page(
        request,
        "screens/overview.html",
        place=place,
        summary=_summary(server_of(request), onlooker, fleet, needs, place),
        matrix=matrix,
        is_empty=not rows,
        filter_keys=KEYS,
        kinds=_kinds(place),
        densities=_densities(place, matrix),
        views=_views(place),
    )


@router.get("/fleet/summary")
def summary(
    request: Request, outside: World, onlooker: Looks, q: Asked = "", density: Asked = ""
) -> Response:
    """Show what stands above the matrix, alone."""
    place = _place(q, density, 1)
    fleet = read_fleet(outside, onlooker.caller)
    needs = needs_of(fleet)
    return page(
        request,
        "screens/overview_summary.html",
        place=place,
        summary=_summary(server_of(request), onlooker, fleet, needs, place),
    )


@router.get("/fleet/rows")
def some_rows(
    request: Request,
    outside: World,
    onlooker: Looks,
    service: Annotated[list[str], Query(min_length=1, max_length=MOST_REFRESHED)],
    column: Annotated[list[str], Query(max_length=MOST_COLUMNS)] = [],  # noqa: B006 - never changed
    q: Asked = "",
    density: Asked = "",
    others: Asked = "",
) -> Response:
    """
    Show the rows of some services alone, under the columns that the page has.

    The filter leaves out what isn't asked about by name: a row that no longer fits stays where it is,
    with what it is now, until the whole page is asked for.
    """
    place = _place(q, density, 1)
    fleet = read_fleet(outside, onlooker.caller, services=[ServiceName(one) for one in service])
    rows = rows_of(fleet, needs_of(fleet))
    fitting = {row.rollout.id for row in rows if place.filter.holds(row)}
    shown = [row for row in rows if row.rollout.id in fitting] or list(rows)
    return page(
        request,
        "screens/overview_rows.html",
        matrix=Matrix(
            columns=tuple(Column(*one.split("/", 1)) for one in column if "/" in one),
            rings=(),
            has_others=bool(others),
            services=by_service(shown),
            total=len(shown),
            dense=density == "dense",
            pages=(),
            rows_address="",
        ),
    )


def _place(q: str, density: str, number: int) -> Place:
    written = " ".join(q.split())
    problem = None
    try:
        found = read_filter(written)
    except InvalidRequestError as exc:
        # A page without its filter, that says so, helps more than none.
        found, problem = FleetFilter(), exc
    return Place(
        q=written,
        density=density if density in DENSITIES else "",
        number=number,
        filter=found,
        problem=problem,
    )


def _summary(
    server: ServerState,
    onlooker: Onlooker,
    fleet: Fleet,
    needs: Sequence[Need],
    place: Place,
) -> Summary:
    outside = server.outside
    return Summary(
        counts=_counts(place, fleet.rollouts),
        needs=_need_cards(server, onlooker, needs),
        needs_count=len(needs),
        needs_address=place.address(q=str(place.filter.with_only("needs", "person"))),
        ahead=tuple(map(next_card, next_decisions(fleet, most=MOST_NEXT))),
        pulse=outside.pulse(),
        read_ms=fleet.read_in.total_seconds() * 1000,
        address=place.address(path="/fleet/summary"),
    )


def _need_cards(
    server: ServerState, onlooker: Onlooker, needs: Sequence[Need]
) -> tuple[NeedCard, ...]:
    listed = needs[:MOST_NEEDS]
    due = [
        need.rollout
        for need in listed
        if need.rollout is not None and is_due_for_approval(need.rollout)
    ]
    has_orders = any(need.kind is NeedKind.STOP_ORDER for need in listed)
    can_lift = (
        has_orders
        and onlooker.actor is not None
        and may(server, onlooker, Permission.RESUME, resource_of_organisation(onlooker.actor))
    )
    why_not = why_not_theirs(server.outside, onlooker.actor, due)
    return tuple(sorted_cards([need_card(one, why_not, can_lift=can_lift) for one in listed]))


def _counts(place: Place, rollouts: Sequence[Rollout]) -> tuple[Count, ...]:
    # Of rollouts and not of rows: rows are dear, and these are asked for whenever anything happens.
    counts = Counter(one.state.value for one in rollouts)
    asked = place.filter.values_of("state")
    return tuple(
        Count(
            label=state if state != "planned" else "queued",
            state=state,
            count=counts[state],
            address=place.address(
                q=str(place.filter.with_only("state", *(() if asked == (state,) else (state,))))
            ),
            is_here=state in asked,
        )
        for state in COUNTED
        if counts[state] or state in ALWAYS_COUNTED
    )


def _matrix(place: Place, rows: Sequence[FleetRow]) -> Matrix:
    found = columns_of(row.cells for row in rows)
    wanted = place.filter
    columns = tuple(
        one
        for one in found
        if wanted.wants("target", one.target) and wanted.wants("ring", one.ring)
    )
    groups = by_service(rows)
    first = (place.number - 1) * MOST_SERVICES
    services = groups[first : first + MOST_SERVICES]
    shown = sum(len(group.rows) for group in services)
    dense = place.density == "dense" if place.density else shown * len(columns) > ROOMY_CELLS
    has_others = any(len(row.cells) > len(columns) for row in rows) and columns == found
    asked = [("column", "/".join(column)) for column in columns] + [
        ("q", place.q),
        ("density", "dense" if dense else "roomy"),
        ("others", "yes" if has_others else ""),
    ]
    return Matrix(
        columns=columns,
        rings=_rings(columns),
        has_others=has_others,
        services=services,
        total=len(groups),
        dense=dense,
        pages=_pages(place, len(groups)),
        rows_address=f"/fleet/rows?{urlencode([(key, said) for key, said in asked if said])}",
    )


def _rings(columns: Sequence[Column]) -> tuple[Ring, ...]:
    names = dict.fromkeys(column.ring for column in columns)
    return tuple(
        Ring(name=name, targets=tuple(one.target for one in columns if one.ring == name))
        for name in names
    )


def _pages(place: Place, total: int) -> tuple[Link, ...]:
    count = -(-total // MOST_SERVICES)
    if count < 2:
        return ()
    return tuple(
        Link(
            label=f"{(number - 1) * MOST_SERVICES + 1} to {min(total, number * MOST_SERVICES)}",
            address=place.address(page=str(number)),
            is_here=number == place.number,
        )
        for number in range(1, count + 1)
    )


def _kinds(place: Place) -> tuple[Link, ...]:
    asked = place.filter.values_of("kind")
    every = Link(
        label="all kinds",
        address=place.address(q=str(place.filter.with_only("kind"))),
        is_here=not asked,
    )
    return (
        every,
        *(
            Link(
                label=kind,
                address=place.address(q=str(place.filter.with_only("kind", kind))),
                is_here=kind in asked,
            )
            for kind in KINDS
        ),
    )


def _densities(place: Place, matrix: Matrix) -> tuple[Link, ...]:
    return tuple(
        Link(
            label=name,
            address=place.address(density=name),
            is_here=matrix.dense is (name == "dense"),
        )
        for name in DENSITIES
    )


def _views(place: Place) -> tuple[Link, ...]:
    named = (
        ("Everything", ""),
        ("Needs a person", "needs:person"),
        ("Under way", "state:open"),
        ("Stopped", "state:halted,held,recovering"),
        ("Over", "state:over"),
    )
    return tuple(
        Link(label=label, address=place.address(q=q), is_here=place.q == q) for label, q in named
    )
