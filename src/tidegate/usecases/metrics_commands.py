"""Metrics that are sent here, as a command on the bus."""

import asyncio
from dataclasses import dataclass
from typing import ClassVar

from tidegate.domain.access.model import Caller, Resource
from tidegate.domain.access.permissions import Permission
from tidegate.errors import RefusedError
from tidegate.ports.signals import TakenIn
from tidegate.usecases.bus import Command
from tidegate.usecases.outside import Outside
from tidegate.usecases.resources import resource_of_organisation


@dataclass(frozen=True, slots=True, kw_only=True)
class SendMetrics(Command[TakenIn]):
    """Take in one export of metrics; `document` is its JSON, parsed."""

    permission: ClassVar[Permission] = Permission.SEND_METRICS

    document: object

    def touches(self, outside: Outside, caller: Caller) -> Resource:
        """Return the whole organisation: an export may be of any of its services."""
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
