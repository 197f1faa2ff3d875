"""
What people tell a rollout, as commands on the bus: start, halt, resume, roll back, abandon.

Each names a rollout by what a person types, and is about the very rollout that this meant when it was
ruled on. What a command does is in the module of its verb.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from tidegate.documents.service_file import ResolvedService
from tidegate.domain.access.model import DEFAULT_PROJECT, Caller, Resource
from tidegate.domain.access.permissions import Permission
from tidegate.domain.rollout.model import Rollout
from tidegate.usecases.abandon import abandon_rollout
from tidegate.usecases.bus import Command
from tidegate.usecases.commands import At, check_at
from tidegate.usecases.halt import halt_rollout
from tidegate.usecases.outside import Outside
from tidegate.usecases.resources import resource_of_start
from tidegate.usecases.resume import resume_rollout
from tidegate.usecases.roll_back import roll_back
from tidegate.usecases.rollout_command import RolloutCommand
from tidegate.usecases.start import start_rollout

NO_REASON = "no reason given"


@dataclass(frozen=True, slots=True, kw_only=True)
class StartRollout(Command[Rollout]):
    """Start *versions* (component to version) of a service; what follows is the engine's."""

    permission: ClassVar[Permission] = Permission.START

    resolved: ResolvedService
    versions: Mapping[str, str]
    expected_plan_hash: str | None = None
    emergency: str | None = None

    def touches(self, outside: Outside, caller: Caller) -> Resource:
        """Return the targets of the service, and those that it had."""
        return resource_of_start(outside, caller, self.resolved.spec)

    async def carry_out(self, outside: Outside, caller: Caller) -> Rollout:
        """Record the new rollout and set it going."""
        where = self.touches(outside, caller)
        return await start_rollout(
            outside,
            self.resolved,
            self.versions,
            actor=caller.name,
            person=caller.person,
            organisation=where.organisation,
            project=where.project or DEFAULT_PROJECT,
            expected_plan_hash=self.expected_plan_hash,
            emergency=self.emergency,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class HaltRollout(RolloutCommand):
    """Stop a rollout and withdraw its candidate, at once; wherever it is by now."""

    permission: ClassVar[Permission] = Permission.HALT

    reason: str

    async def carry_out(self, outside: Outside, caller: Caller) -> Rollout:
        """Withdraw, then record."""
        found = self.found(outside, caller)
        return await halt_rollout(
            outside, found.id, actor=caller.name, reason=self.reason or NO_REASON
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeRollout(RolloutCommand):
    """Let a halted or undecided rollout go on; a halted one proves its phase again."""

    permission: ClassVar[Permission] = Permission.RESUME

    reason: str
    at: At | None = None

    async def carry_out(self, outside: Outside, caller: Caller) -> Rollout:
        """Move it on."""
        found = self.found(outside, caller)
        return resume_rollout(
            outside,
            found.id,
            actor=caller.name,
            person=caller.person,
            reason=self.reason,
            at=self.at,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RollBackRollout(RolloutCommand):
    """Bring back what was served before; the answer is the rollout that does it."""

    permission: ClassVar[Permission] = Permission.ROLLBACK

    reason: str
    at: At | None = None

    async def carry_out(self, outside: Outside, caller: Caller) -> Rollout:
        """Withdraw, then go back."""
        found = self.found(outside, caller)
        check_at(found, self.at)
        return await roll_back(
            outside, found.id, actor=caller.name, reason=self.reason or NO_REASON
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AbandonRollout(RolloutCommand):
    """Give up a halted rollout for good."""

    permission: ClassVar[Permission] = Permission.ABANDON

    reason: str
    at: At | None = None

    async def carry_out(self, outside: Outside, caller: Caller) -> Rollout:
        """Give it up."""
        found = self.found(outside, caller)
        return await abandon_rollout(
            outside, found.id, actor=caller.name, reason=self.reason, at=self.at
        )
