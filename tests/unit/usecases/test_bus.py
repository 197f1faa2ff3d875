"""Commands: none without a permission, each once, and nobody carries out what isn't granted."""

import importlib
import pkgutil
from dataclasses import dataclass, replace

import pytest

from tidegate import usecases
from tidegate.domain.access.model import Caller, CallerKind, Resource
from tidegate.domain.access.permissions import OPEN_TO_ALL, Permission
from tidegate.domain.rollout.decisions import Observation
from tidegate.domain.stops.model import StopOrder, StopScope
from tidegate.errors import NotFoundError, StateMovedError
from tidegate.testing.builders import START
from tidegate.testing.memory_world import MemoryWorld
from tidegate.usecases.bus import COMMANDS, Command, perform
from tidegate.usecases.governance import still_allowed
from tidegate.usecases.observe import observe
from tidegate.usecases.rollout_commands import HaltRollout
from tidegate.usecases.shelves import STOP_ORDERS
from tidegate.usecases.step import evidence_of

ROOT = Caller(name="alice", kind=CallerKind.PERSON, person="alice", is_root=True)


def test_every_command_is_listed_once_and_needs_a_permission() -> None:
    """Also those of modules that nobody has imported yet; none is open to all."""
    for module in pkgutil.walk_packages(usecases.__path__, "tidegate.usecases."):
        importlib.import_module(module.name)

    shipped = [one for name, one in COMMANDS.items() if name.startswith("tidegate.")]

    assert len(shipped) >= 12
    assert len(set(shipped)) == len(shipped)
    assert not {one.permission for one in shipped} & OPEN_TO_ALL
    assert Permission.READ not in {one.permission for one in shipped}


def test_a_command_without_a_permission_cannot_be_defined() -> None:
    """It fails where it's written, not when somebody calls it."""
    with pytest.raises(AssertionError, match="says no permission"):

        @dataclass(frozen=True, slots=True, kw_only=True)
        class Unguarded(Command[None]):
            def touches(self, outside: object, caller: Caller) -> Resource:
                return Resource(organisation="default")

            async def carry_out(self, outside: object, caller: Caller) -> None:
                return None


async def test_what_is_not_granted_is_not_carried_out() -> None:
    """Default deny: to a caller without a grant the rollout doesn't even exist."""
    world = MemoryWorld()
    rollout = await world.installed()
    stranger = replace(ROOT, name="bob", person="bob", is_root=False)

    with pytest.raises(NotFoundError):
        await perform(world.outside, stranger, HaltRollout(rollout=rollout.id, reason="x"))

    assert world.rollout(rollout.id) == rollout


async def test_a_rise_is_not_recorded_once_an_order_was_given() -> None:
    """The order came after the look that the rise was decided from."""
    world = MemoryWorld()
    rollout = await world.start("1.0.0")
    seen = Observation(
        now=world.clock.now(),
        rollout=rollout,
        placements=await observe(world.outside, rollout),
        evidence=evidence_of(None),
    )
    order = StopOrder(
        number=1,
        scope=StopScope.EVERYTHING,
        name="",
        withdraw=False,
        reason="INC-431",
        by="sre-a",
        at=START,
    )
    with world.store.begin() as transaction:
        still_allowed(transaction, seen)
        STOP_ORDERS.put(transaction, order)

    with pytest.raises(StateMovedError), world.store.begin() as transaction:
        still_allowed(transaction, seen)
