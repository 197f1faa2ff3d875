"""
Breaking and healing the lab as commands on the bus, for its page. A terminal does the same by `control`.

They need what starting a rollout needs: whoever may break the version that is moving could as well have
started a broken one.
"""

from dataclasses import dataclass, field
from typing import ClassVar

from tidegate.domain.access.model import Caller, Resource
from tidegate.domain.access.permissions import Permission
from tidegate.lab.control import Broken, RunningLab, break_running, heal_lab
from tidegate.lab.world import SERVICE
from tidegate.usecases.bus import Command
from tidegate.usecases.outside import Outside
from tidegate.usecases.resources import resource_of_named


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakLab(Command[Broken]):
    """Break the version that is being rolled out, or start a broken one."""

    permission: ClassVar[Permission] = Permission.START

    lab: RunningLab = field(repr=False)
    fault: str

    def touches(self, outside: Outside, caller: Caller) -> Resource:
        """Return the lab's shop."""
        return resource_of_named(outside, caller, SERVICE)

    async def carry_out(self, outside: Outside, caller: Caller) -> Broken:
        """Break it, with the fault's usual strength."""
        return await break_running(self.lab, self.fault, {}, actor=caller.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class HealLab(Command[None]):
    """Take every fault away."""

    permission: ClassVar[Permission] = Permission.START

    lab: RunningLab = field(repr=False)

    def touches(self, outside: Outside, caller: Caller) -> Resource:
        """Return the lab's shop."""
        return resource_of_named(outside, caller, SERVICE)

    async def carry_out(self, outside: Outside, caller: Caller) -> None:
        """Heal it."""
        heal_lab(self.lab)
