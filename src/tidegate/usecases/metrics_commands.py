"""Metrics that are sent here, as a command on the bus."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Final

from tidegate.domain.access.model import Caller, Resource
from tidegate.domain.access.permissions import Permission
from tidegate.domain.quantities import ServiceName
from tidegate.errors import RefusedError
from tidegate.ports.signals import TakenIn
from tidegate.usecases.bus import Command
from tidegate.usecases.outside import Outside
from tidegate.usecases.resources import resource_of_organisation, resource_of_service

SERVICE_ATTRIBUTE: Final = "service.name"
"""By what a resource says of which service it is (OpenTelemetry, resource semantic conventions)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SendMetrics(Command[TakenIn]):
    """Take in one export of metrics; `document` is its JSON, parsed."""

    permission: ClassVar[Permission] = Permission.SEND_METRICS

    document: object

    def touches(self, outside: Outside, caller: Caller) -> Resource:
        """
        Return the whole organisation: an export may be of any of its services.

        One that names a service of somebody else touches that: nobody's metrics speak for others.
        """
        with outside.store.begin(read_only=True) as transaction:
            for name in sorted(_services_in(self.document)):
                known = resource_of_service(transaction, name)
                if known is not None and known.organisation != caller.organisation:
                    return known
        return resource_of_organisation(caller)

    async def carry_out(self, outside: Outside, caller: Caller) -> TakenIn:
        """
        Give it to the source that is sent its metrics.

        Raises:
            RefusedError: this server has none.
            InvalidRequestError: it isn't an export at all.
        """
        if outside.intake is None:
            raise RefusedError(
                "this server takes no metrics in", hint="send them to the server that runs rollouts"
            )
        return await asyncio.to_thread(outside.intake.take_in, self.document)


def _services_in(document: object) -> frozenset[ServiceName]:
    """Return what the resources of an export name as their service; whatever isn't one is passed over."""
    return frozenset(
        ServiceName(value)
        for resource in _listed(document, "resourceMetrics")
        for attribute in _listed(_inside(resource, "resource"), "attributes")
        if _inside(attribute, "key") == SERVICE_ATTRIBUTE
        and isinstance(value := _inside(_inside(attribute, "value"), "stringValue"), str)
    )


def _inside(value: object, key: str) -> object:
    return value.get(key) if isinstance(value, dict) else None


def _listed(value: object, key: str) -> Iterator[object]:
    found = _inside(value, key)
    yield from found if isinstance(found, list) else ()
