"""
What there is to change: every component with what stands where by record, and how it came to that.

By record means: what rollouts brought, not what targets were seen to serve. A rollout that was taken
back, given up or overtaken leaves nothing, so what stands is what an earlier one brought. Nothing is
decided here.
"""

import asyncio
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from tidegate.documents.service_file import from_canonical
from tidegate.domain.access.model import Caller
from tidegate.domain.plan.model import ComponentSpec, ServiceSpec, TargetSpec
from tidegate.domain.quantities import (
    NO_EXPOSURE,
    ComponentName,
    Exposure,
    Placement,
    RolloutId,
    ServiceName,
    Version,
)
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import Rollout
from tidegate.domain.rollout.seen import wanted_exposure
from tidegate.errors import InvalidDocumentError, NotFoundError, TidegateError
from tidegate.ports.component import Applied
from tidegate.ports.store import ServiceRecord, Transaction
from tidegate.usecases.access import Access, access_in
from tidegate.usecases.outside import Outside
from tidegate.usecases.reading import readable_service, readable_services, sees_rollout

ROLLOUTS_LOOKED_THROUGH: Final = 500
"""Of one service. What was brought by an earlier one isn't known here, and is shown as not known."""

SEEN_WITHIN_SECONDS: Final = 5.0
"""How long a page waits for a target before it says that it isn't known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """
    What stands at one target by record.

    `serving` is None where nothing is on record; `since` and `brought_by` say since when and by which
    rollout. While a rollout moves it, that is `moved_by`, and `candidate` with `exposure` is what it
    allows now.
    """

    placement: Placement
    environment: str
    serving: Version | None
    since: datetime | None
    brought_by: RolloutId | None
    moved_by: Rollout | None = None
    candidate: Version | None = None
    exposure: Exposure = NO_EXPOSURE


@dataclass(frozen=True, slots=True, kw_only=True)
class Managed:
    """One component of a service with what stands where, and the rollouts of it, newest first."""

    service: ServiceName
    owner: str
    spec: ComponentSpec
    standing: tuple[Standing, ...]
    rollouts: tuple[Rollout, ...]

    @property
    def last(self) -> Rollout | None:
        """The newest rollout that changes it, None when none is known."""
        return self.rollouts[0] if self.rollouts else None

    @property
    def moving(self) -> Rollout | None:
        """The newest rollout of it that isn't over."""
        return next((one for one in self.rollouts if not one.is_final), None)

    def version(self, digest: str) -> Version | None:
        """Return the version with *digest* among those that the rollouts of it know."""
        return next((one for one in self._versions() if one.digest == digest), None)

    def _versions(self) -> Iterable[Version]:
        for rollout in self.rollouts:
            after = rollout.change.version_of(self.spec.name)
            if after is not None:
                yield after
            yield from (
                version
                for placement, version in rollout.baselines
                if placement.component == self.spec.name
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """A service whose stored document can't be read, so that its components aren't known."""

    service: ServiceName
    problem: str


def managed_components(
    outside: Outside, caller: Caller
) -> tuple[tuple[Managed, ...], tuple[Unreadable, ...]]:
    """
    Return every component that *caller* may read of, by service, and the services that can't be read.

    Raises:
        StoreError: the store can't be read.
    """
    found: list[Managed] = []
    unreadable: list[Unreadable] = []
    with outside.store.begin(read_only=True) as transaction:
        access = access_in(transaction, caller, outside.clock.now())
        for record in readable_services(transaction, access):
            try:
                found += _components_of(transaction, access, record)
            except InvalidDocumentError as exc:
                unreadable.append(Unreadable(service=record.name, problem=exc.message))
    return tuple(found), tuple(unreadable)


def managed_component(
    outside: Outside, caller: Caller, service: ServiceName, component: ComponentName
) -> Managed:
    """
    Return one component.

    Raises:
        NotFoundError: there is none that *caller* may read of.
        InvalidDocumentError: the document of its service can't be read.
    """
    record = readable_service(outside, caller, service)
    with outside.store.begin(read_only=True) as transaction:
        access = access_in(transaction, caller, outside.clock.now())
        for one in _components_of(transaction, access, record):
            if one.spec.name == component:
                return one
    raise NotFoundError(
        f"{service} has no component {component[:64]!r}",
        hint=f"`tidegate service get {service}` lists what it has",
    )


def content_of(outside: Outside, managed: Managed, digest: str) -> str:
    """
    Return what a version of *managed* says, as canonical JSON.

    Only versions that its own rollouts know: a digest alone opens nobody's document.

    Raises:
        NotFoundError: the component has no such version, or its driver keeps no contents.
        WorkloadError: it isn't kept any more, or was changed.
    """
    contents = outside.contents.get(managed.spec.driver)
    if contents is None:
        raise NotFoundError(
            f"versions of {managed.spec.name} are no text that can be shown",
            hint="look at its artifact, by the digest",
        )
    if managed.version(digest) is None:
        raise NotFoundError(
            f"{managed.spec.name} has no version {digest[:80]!r}",
            hint="take one of those in its history",
        )
    return contents.text_of(digest)


def version_before(managed: Managed, rollout: Rollout) -> Version | None:
    """Return what *rollout* goes from: by its own record, where it has one; None for nothing."""
    if rollout.is_install:
        return None
    for placement, version in rollout.baselines:
        if placement.component == managed.spec.name:
            return version
    return None


def _components_of(
    transaction: Transaction, access: Access, record: ServiceRecord
) -> list[Managed]:
    spec = from_canonical(json.loads(record.canonical_json)).spec
    rollouts = [
        one
        for one in transaction.rollouts(service=record.name, limit=ROLLOUTS_LOOKED_THROUGH)
        if sees_rollout(access, one)
    ]
    return [_managed(spec, component, rollouts) for component in spec.components]


def _managed(spec: ServiceSpec, component: ComponentSpec, rollouts: Sequence[Rollout]) -> Managed:
    of_it = tuple(one for one in rollouts if one.change.version_of(component.name) is not None)
    targets = {target.name: target for target in spec.targets}
    places = [one for one in spec.plan.placements() if one.component == component.name]
    return Managed(
        service=spec.name,
        owner=spec.owner,
        spec=component,
        standing=tuple(_standing(place, targets[place.target], of_it) for place in places),
        rollouts=of_it,
    )


def _standing(placement: Placement, target: TargetSpec, rollouts: Sequence[Rollout]) -> Standing:
    touching = [one for one in rollouts if placement in one.plan.placements()]
    moving = next((one for one in touching if not one.is_final), None)
    brought = next((one for one in touching if _arrived(one)), None)
    return Standing(
        placement=placement,
        environment=target.environment.value,
        serving=None if brought is None else brought.change.version_of(placement.component),
        since=None if brought is None else brought.finished_at,
        brought_by=None if brought is None else brought.id,
        moved_by=moving,
        candidate=None if moving is None else moving.change.version_of(placement.component),
        exposure=NO_EXPOSURE if moving is None else wanted_exposure(moving, placement),
    )


def _arrived(rollout: Rollout) -> bool:
    """Return whether what *rollout* brings stays: it was completed, or is a way back that was gone."""
    if rollout.is_return:
        return rollout.state is State.ROLLED_BACK
    return rollout.state is State.COMPLETED


# --- seen, not remembered ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenAt:
    """What was just seen at one target; `applied` is None where it couldn't be seen, with `problem`."""

    placement: Placement
    applied: Applied | None
    problem: str = ""


async def seen_now(outside: Outside, managed: Managed) -> tuple[SeenAt, ...]:
    """Return what each target serves of a component, asked all at once. Never raises for a target."""
    places = [one.placement for one in managed.standing]
    return tuple(await asyncio.gather(*(_seen_at(outside, managed, one) for one in places)))


async def _seen_at(outside: Outside, managed: Managed, placement: Placement) -> SeenAt:
    try:
        async with asyncio.timeout(SEEN_WITHIN_SECONDS):
            applied = await outside.driver(managed.spec.driver).observe(placement)
    except TimeoutError:
        problem = f"it didn't answer within {SEEN_WITHIN_SECONDS:.0f} s"
        return SeenAt(placement=placement, applied=None, problem=problem)
    except TidegateError as exc:
        return SeenAt(placement=placement, applied=None, problem=exc.message)
    return SeenAt(placement=placement, applied=applied)
