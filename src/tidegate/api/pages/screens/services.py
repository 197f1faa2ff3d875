"""The services: all that the onlooker may see, what each serves by the record, and what moves there now."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from tidegate.api.pages.guarding import PageRoute
from tidegate.api.pages.onlooker import Looks
from tidegate.api.pages.rendering import page
from tidegate.api.shapes.rollout import Rollout as ShownRollout
from tidegate.api.showing.rollout import show_rollout
from tidegate.api.state import World
from tidegate.documents.service_file import from_canonical
from tidegate.domain.plan.model import ServiceSpec
from tidegate.domain.quantities import ServiceName
from tidegate.domain.rollout.alarms import Alarm, concerns
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import Rollout
from tidegate.errors import InvalidDocumentError
from tidegate.ports.store import ServiceRecord, Transaction
from tidegate.usecases.access import Access, access_in
from tidegate.usecases.outside import Outside
from tidegate.usecases.reading import readable_services, sees_alarm, sees_rollout

router = APIRouter(include_in_schema=False, route_class=PageRoute)

LISTED_AT_MOST: Final = 50
"""Services on one page; the next page is a link."""

DOCUMENTS_KEPT: Final = 1_000
"""How many documents are kept as they were read: reading five hundred takes half a second."""

MOVES: Final = ("halted", "held", "moving", "quiet")
"""What goes on at a service, the most urgent first; a filter of the list."""

_HALTED: Final = frozenset({State.HALTED, State.RECOVERING})


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A service of the list: its record, its document where that can be read, and what is under way."""

    record: ServiceRecord
    spec: ServiceSpec | None
    problem: str
    active: tuple[Rollout, ...]

    @property
    def move(self) -> str:
        """What goes on, as in `MOVES`."""
        states = {one.state for one in self.active}
        if states & _HALTED:
            return "halted"
        if State.HELD in states:
            return "held"
        return "moving" if states else "quiet"

    @property
    def kinds(self) -> list[str]:
        """The kinds of its components, each once."""
        parts = () if self.spec is None else self.spec.components
        return list(dict.fromkeys(part.kind for part in parts))


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the list. `versions` is by component, as the record has it; `queued` waits besides."""

    known: Known
    versions: Mapping[str, str]
    rollouts: Sequence[ShownRollout]
    queued: int
    alarms: int


@router.get("/services")
def services(
    request: Request,
    outside: World,
    onlooker: Looks,
    q: Annotated[str, Query(max_length=100)] = "",
    move: Annotated[str, Query(max_length=20)] = "",
    kind: Annotated[str, Query(max_length=20)] = "",
    owner: Annotated[str, Query(max_length=100)] = "",
    number: Annotated[int, Query(alias="page", ge=1, le=10_000)] = 1,
) -> Response:
    """Show the services that the onlooker may see and the filter takes."""
    asked = {"q": q.strip(), "move": move, "kind": kind, "owner": owner}
    with outside.store.begin(read_only=True) as transaction:
        access = access_in(transaction, onlooker.caller, outside.clock.now())
        every = _known(transaction, access)
        fitting = [one for one in every if _fits(one, {**asked, "move": ""})]
        found = [one for one in fitting if move in ("", one.move)]
        first = (number - 1) * LISTED_AT_MOST
        rows = _rows(outside, transaction, access, found[first : first + LISTED_AT_MOST])
    return page(
        request,
        "screens/services.html",
        rows=rows,
        total=len(every),
        found=len(found),
        asked=asked,
        counts=Counter(one.move for one in fitting),
        moves=MOVES,
        kinds=sorted({name for one in every for name in one.kinds}),
        owners=sorted({one.spec.owner for one in every if one.spec and one.spec.owner}),
        number=number,
        pages=max(1, -(-len(found) // LISTED_AT_MOST)),
        link=lambda **changes: _address({**asked, **changes}),
    )


def _known(transaction: Transaction, access: Access) -> list[Known]:
    active: dict[ServiceName, list[Rollout]] = {}
    for rollout in transaction.unfinished():
        if not rollout.is_final and sees_rollout(access, rollout):
            active.setdefault(rollout.service, []).append(rollout)
    found = []
    for record in readable_services(transaction, access):
        spec, problem = read_spec(record)
        moving = sorted(active.get(record.name, ()), key=lambda one: one.created_at)
        found.append(Known(record=record, spec=spec, problem=problem, active=tuple(moving)))
    return found


def read_spec(record: ServiceRecord) -> tuple[ServiceSpec | None, str]:
    """Return the document of a service, or why it can't be read."""
    try:
        return _spec_of(record.canonical_json), ""
    except InvalidDocumentError as exc:
        return None, f"its stored document can't be read: {exc.message}"


@lru_cache(maxsize=DOCUMENTS_KEPT)
def _spec_of(canonical_json: str) -> ServiceSpec:
    """Return what a document says. The same text always says the same, so it is read once."""
    return from_canonical(json.loads(canonical_json)).spec


def _fits(one: Known, asked: Mapping[str, str]) -> bool:
    owner = one.spec.owner if one.spec else ""
    words = asked["q"].casefold().split()
    text = f"{one.record.name} {owner}".casefold()
    return (
        all(word in text for word in words)
        and asked["kind"] in ("", *one.kinds)
        and asked["owner"] in ("", owner)
    )


def _rows(
    outside: Outside, transaction: Transaction, access: Access, found: Iterable[Known]
) -> list[Row]:
    now = outside.clock.now()
    alarms = [one for one in transaction.active_alarms() if sees_alarm(transaction, access, one)]
    return [
        Row(
            known=one,
            versions=_versions(transaction, access, one.record.name),
            rollouts=[
                show_rollout(rollout, now=now)
                for rollout in one.active
                if rollout.state is not State.PLANNED
            ],
            queued=sum(rollout.state is State.PLANNED for rollout in one.active),
            alarms=0 if one.spec is None else len(alarms_of(one.spec, alarms)),
        )
        for one in found
    ]


def alarms_of(spec: ServiceSpec, alarms: Iterable[Alarm]) -> list[Alarm]:
    """Return those of *alarms* that are about the service of *spec*."""
    return [one for one in alarms if concerns(one, spec.name, spec.plan.alerts)]


def _versions(transaction: Transaction, access: Access, name: ServiceName) -> dict[str, str]:
    """Return what was served last by the record: what the newest rollout left, or goes from."""
    newest = next(
        (one for one in transaction.rollouts(service=name, limit=1) if sees_rollout(access, one)),
        None,
    )
    if newest is None:
        return {}
    found: dict[str, list[str]] = {}
    for placement, version in newest.baselines:
        to = newest.change.version_of(placement.component)
        is_there = newest.state is State.COMPLETED and to is not None
        found.setdefault(placement.component, []).append(
            to.name if is_there and to is not None else version.name
        )
    if newest.is_install and newest.state is not State.COMPLETED:
        # Before a first deployment nothing was served.
        return {}
    return {component: ", ".join(dict.fromkeys(names)) for component, names in found.items()}


def _address(asked: Mapping[str, object]) -> str:
    query = urlencode({name: said for name, said in asked.items() if said})
    return f"/services?{query}" if query else "/services"
