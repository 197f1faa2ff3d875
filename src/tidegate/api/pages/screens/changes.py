"""
What there is to change: every component of every service, what stands where, and how it came to that.

Versions of documents are shown with what differs. Feature flags will be listed here once they are managed.
"""

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from tidegate.api.pages.guarding import PageRoute
from tidegate.api.pages.onlooker import Looks
from tidegate.api.pages.rendering import page
from tidegate.api.state import World
from tidegate.documents.difference import (
    MOST_PLACES,
    Difference,
    differences,
    line_differences,
    readable,
)
from tidegate.domain.quantities import ComponentName, ServiceName, Version
from tidegate.domain.rollout.model import Rollout
from tidegate.errors import NotFoundError, TidegateError
from tidegate.usecases.components import (
    Managed,
    content_of,
    managed_component,
    managed_components,
    seen_now,
    version_before,
)
from tidegate.usecases.outside import Outside

KINDS: Final = ("code", "config", "flag", "iac", "schema")
"""Every kind of component there is in the product's words, whether this server manages one or not."""

LONGEST_SHOWN: Final = 200_000
"""Characters of a document that a page shows; longer ones are named with their size."""

HISTORY_SHOWN: Final = 100

router = APIRouter(prefix="/changes", include_in_schema=False, route_class=PageRoute)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One rollout in the history of a component: from which version to which."""

    rollout: Rollout
    before: Version | None
    after: Version


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """
    What one step changed in a document. `whole` is the document where nothing was before it.

    `lines` is None where the texts are too long to be compared line by line; `problem` is why nothing
    can be shown.
    """

    step: Step
    places: tuple[Difference, ...] = ()
    has_more: bool = False
    lines: tuple[str, ...] | None = ()
    whole: str = ""
    problem: str = ""


@router.get("")
def changes(request: Request, outside: World, onlooker: Looks) -> Response:
    """Show the components that fit what the address asks for, with what stands where."""
    asked = {
        name: request.query_params.get(name, "").strip() for name in ("kind", "text", "moving")
    }
    every, unreadable = managed_components(outside, onlooker.caller)
    counts = Counter(one.spec.kind for one in every)
    return page(
        request,
        "screens/changes.html",
        asked=asked,
        managed=[one for one in every if _fits(one, asked)],
        total=len(every),
        counts=counts,
        kinds=[*KINDS, *sorted(counts.keys() - set(KINDS))],
        unreadable=unreadable,
    )


@router.get("/{service}/{component}")
async def one_component(
    service: str, component: str, request: Request, outside: World, onlooker: Looks
) -> Response:
    """Show one component: what is served where, who changed it, and what each change of it was."""
    managed = await asyncio.to_thread(
        managed_component,
        outside,
        onlooker.caller,
        ServiceName(service),
        ComponentName(component),
    )
    steps = [_step(managed, one) for one in managed.rollouts[:HISTORY_SHOWN]]
    has_texts = managed.spec.driver in outside.contents
    step = _chosen(steps, request.query_params.get("diff")) if has_texts else None
    return page(
        request,
        "screens/change.html",
        managed=managed,
        seen=await seen_now(outside, managed),
        steps=steps,
        has_texts=has_texts,
        compared=None
        if step is None
        else await asyncio.to_thread(_compared, outside, managed, step),
    )


def _fits(managed: Managed, asked: dict[str, str]) -> bool:
    if asked["kind"] and managed.spec.kind != asked["kind"]:
        return False
    if asked["moving"] and managed.moving is None:
        return False
    versions = [one.serving for one in managed.standing] + [
        one.candidate for one in managed.standing
    ]
    said = [managed.service, managed.spec.name, managed.owner]
    said += [one.name for one in versions if one is not None]
    return any(asked["text"].lower() in one.lower() for one in said)


def _step(managed: Managed, rollout: Rollout) -> Step:
    after = rollout.change.version_of(managed.spec.name)
    assert after is not None, f"{rollout.id} is among the rollouts of {managed.spec.name}"
    return Step(rollout=rollout, before=version_before(managed, rollout), after=after)


def _chosen(steps: list[Step], asked: str | None) -> Step | None:
    if asked is None:
        return steps[0] if steps else None
    found = next((one for one in steps if one.rollout.id == asked), None)
    if found is None:
        raise NotFoundError(
            f"no change of it is of rollout {asked[:32]!r}", hint="take one of its history"
        )
    return found


def _compared(outside: Outside, managed: Managed, step: Step) -> Compared:
    try:
        after = content_of(outside, managed, step.after.digest)
        if step.before is None:
            return Compared(step=step, whole=_shown(after))
        before = content_of(outside, managed, step.before.digest)
    except TidegateError as exc:
        return Compared(step=step, problem=f"{exc.message}. {exc.hint}")
    places = differences(before, after)
    return Compared(
        step=step,
        places=places[:MOST_PLACES],
        has_more=len(places) > MOST_PLACES,
        lines=line_differences(before, after),
    )


def _shown(text: str) -> str:
    if len(text) > LONGEST_SHOWN:
        return f"(a document of {len(text):,} characters, too long for a page)"
    return readable(text)
