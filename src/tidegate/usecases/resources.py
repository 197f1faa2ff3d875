"""
What a command touches, as the ruling on it needs it: organisation, project, environments, targets.

Read from what is on record and from the caller, never from what a request says of itself.
"""

from collections.abc import Iterable

from tidegate.domain.access.model import DEFAULT_PROJECT, Caller, Resource
from tidegate.domain.plan.model import ServiceSpec, TargetSpec
from tidegate.domain.quantities import ServiceName
from tidegate.domain.rollout.model import Rollout
from tidegate.ports.store import Transaction
from tidegate.usecases.outside import Outside


def resource_of_organisation(caller: Caller) -> Resource:
    """Return the whole organisation of *caller*: what concerns no single service."""
    return Resource(organisation=caller.organisation)


def resource_of_rollout(rollout: Rollout) -> Resource:
    """Return what *rollout* touches: every target of its plan."""
    moved = {placement.target for placement in rollout.plan.placements()}
    return _resource(
        rollout.organisation,
        rollout.project,
        rollout.service,
        (target for target in rollout.targets if target.name in moved),
    )


def resource_of_spec(spec: ServiceSpec, *, organisation: str, project: str) -> Resource:
    """Return what a change of the service of *spec* touches."""
    return _resource(organisation, project, spec.name, spec.targets)


def resource_of_start(outside: Outside, caller: Caller, spec: ServiceSpec) -> Resource:
    """
    Return what starting a rollout of the service of *spec* touches.

    A service that exists stays in its organisation and project, whoever asks; a new one begins in the
    caller's.
    """
    with outside.store.begin(read_only=True) as transaction:
        known = resource_of_service(transaction, spec.name)
    return resource_of_spec(
        spec,
        organisation=caller.organisation if known is None else known.organisation,
        project=DEFAULT_PROJECT if known is None else known.project or DEFAULT_PROJECT,
    )


def resource_of_named(outside: Outside, caller: Caller, name: str | None) -> Resource:
    """Return what the service *name* touches; one that isn't known, or none, is the organisation's."""
    if name is None:
        return resource_of_organisation(caller)
    with outside.store.begin(read_only=True) as transaction:
        known = resource_of_service(transaction, ServiceName(name))
    return known or Resource(organisation=caller.organisation, service=name)


def resource_of_service(transaction: Transaction, name: ServiceName) -> Resource | None:
    """
    Return what the service *name* touches by its newest rollout; None when it has had none.

    A service belongs to the organisation and project that its newest rollout was started in.
    """
    newest = transaction.rollouts(service=name, limit=1)
    return None if not newest else resource_of_rollout(newest[0])


def _resource(
    organisation: str, project: str, service: str, targets: Iterable[TargetSpec]
) -> Resource:
    touched = tuple(targets)
    return Resource(
        organisation=organisation,
        project=project,
        service=service,
        environments=tuple(target.environment.value for target in touched),
        targets=tuple(target.name for target in touched),
    )
