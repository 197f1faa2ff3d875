"""Emergencies as commands on the bus: declaring one, agreeing to it, closing it, giving up a debt."""

import json
from dataclasses import dataclass
from typing import ClassVar

from tidegate.documents.service_file import ResolvedService, from_canonical
from tidegate.domain.access.model import Caller, Resource
from tidegate.domain.access.permissions import Permission
from tidegate.domain.emergency.model import Debt, Emergency
from tidegate.domain.rollout.model import Rollout
from tidegate.errors import TidegateError
from tidegate.usecases.access import refuse_unless_allowed
from tidegate.usecases.bus import Command
from tidegate.usecases.emergencies import (
    Declaration,
    Declared,
    approve_emergency,
    declare_emergency,
)
from tidegate.usecases.emergency_close import close_emergency, find_debt, waive_debt
from tidegate.usecases.emergency_drill import Drill, hold_drill
from tidegate.usecases.emergency_records import find_emergency, resource_named
from tidegate.usecases.outside import Outside
from tidegate.usecases.resources import resource_of_start
from tidegate.usecases.start import start_rollout


@dataclass(frozen=True, slots=True, kw_only=True)
class Approved:
    """
    An emergency after one more yes.

    `started` is the rollout that began with it, where the declaration asked for that; `not_started` says
    why it didn't, empty when it did or wasn't asked for.
    """

    emergency: Emergency
    started: Rollout | None = None
    not_started: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclareEmergency(Command[Declared]):
    """Say that a change must go faster than its plan, and why the type's criteria are met."""

    permission: ClassVar[Permission] = Permission.EMERGENCY_DECLARE

    said: Declaration

    def touches(self, outside: Outside, caller: Caller) -> Resource:
        """Return the targets of the service, and those that it had."""
        return resource_of_start(outside, caller, self.said.resolved.spec)

    async def carry_out(self, outside: Outside, caller: Caller) -> Declared:
        """Put it on record, when it is one."""
        resource = self.touches(outside, caller)
        if self.said.start_at_once:
            # What begins by itself later begins as this caller's start, so they must be granted it now.
            refuse_unless_allowed(outside, caller, Permission.START, resource)
        return await declare_emergency(outside, caller, self.said, resource)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApproveEmergency(Command[Approved]):
    """Agree to an emergency that somebody else declared."""

    permission: ClassVar[Permission] = Permission.EMERGENCY_APPROVE

    emergency: str
    reason: str

    def touches(self, outside: Outside, caller: Caller) -> Resource:
        """Return what the emergency is about."""
        return resource_named(outside, caller, self.emergency)

    async def carry_out(self, outside: Outside, caller: Caller) -> Approved:
        """Record the yes; with the last one needed, start what was to start at once."""
        with outside.store.begin(read_only=True) as transaction:
            found = find_emergency(transaction, self.emergency)
        after = approve_emergency(outside, caller, found.id, reason=self.reason)
        if after.authorised_at is None or not after.document_json or after.rollouts:
            return Approved(emergency=after)
        return await _start(outside, after)


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseEmergency(Command[Emergency]):
    """Close an emergency of which nothing runs and nothing is owed, with what was learned."""

    permission: ClassVar[Permission] = Permission.EMERGENCY_DECLARE

    emergency: str
    reason: str

    def touches(self, outside: Outside, caller: Caller) -> Resource:
        """Return what the emergency is about."""
        return resource_named(outside, caller, self.emergency)

    async def carry_out(self, outside: Outside, caller: Caller) -> Emergency:
        """Close it."""
        with outside.store.begin(read_only=True) as transaction:
            found = find_emergency(transaction, self.emergency)
        return close_emergency(outside, caller, found.id, reason=self.reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class WaiveDebt(Command[Debt]):
    """Say that a debt may be given up; it is when a second person says so."""

    permission: ClassVar[Permission] = Permission.DEBT_SETTLE

    debt: str
    reason: str

    def touches(self, outside: Outside, caller: Caller) -> Resource:
        """Return what its emergency is about."""
        with outside.store.begin(read_only=True) as transaction:
            debt = find_debt(transaction, self.debt)
        return resource_named(outside, caller, debt.emergency_id)

    async def carry_out(self, outside: Outside, caller: Caller) -> Debt:
        """Record the word, and give it up when it was the last one needed."""
        return waive_debt(outside, caller, self.debt, reason=self.reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldDrill(Command[Drill]):
    """Walk an emergency in memory, to see who and what would be in the way of a real one."""

    permission: ClassVar[Permission] = Permission.EMERGENCY_DECLARE

    resolved: ResolvedService
    type: str

    def touches(self, outside: Outside, caller: Caller) -> Resource:
        """Return the targets of the service, as if it were started."""
        return resource_of_start(outside, caller, self.resolved.spec)

    async def carry_out(self, outside: Outside, caller: Caller) -> Drill:
        """Hold it, and put that on record."""
        resource = self.touches(outside, caller)
        return await hold_drill(outside, caller, self.resolved.spec, self.type, resource)


async def _start(outside: Outside, emergency: Emergency) -> Approved:
    """Start what *emergency* is about. The yes stands, whatever becomes of the start."""
    try:
        started = await start_rollout(
            outside,
            from_canonical(json.loads(emergency.document_json)),
            dict(emergency.versions),
            actor=emergency.declared_by,
            person=emergency.declared_person,
            organisation=emergency.organisation,
            project=emergency.project,
            emergency=emergency.id,
        )
    except TidegateError as exc:
        return Approved(emergency=emergency, not_started=f"{exc}; {exc.hint}")
    with outside.store.begin(read_only=True) as transaction:
        return Approved(emergency=find_emergency(transaction, emergency.id), started=started)
