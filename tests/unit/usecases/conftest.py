"""What the tests of the use cases share: a server in memory with its service installed."""

from collections.abc import Awaitable, Callable

import pytest

from tidegate.domain.plan.model import Plan
from tidegate.drivers.component.memory import MemoryComponent
from tidegate.testing.simulation.bench import Bench
from tidegate.testing.simulation.situations import a_quick_plan

MakeBench = Callable[..., Awaitable[Bench]]


@pytest.fixture
def make_bench() -> MakeBench:
    """Return how to make a bench whose service serves the old version already."""

    async def make(plan: Plan | None = None, *, component: MemoryComponent | None = None) -> Bench:
        bench = Bench(plan or a_quick_plan(), component=component)
        await bench.install()
        return bench

    return make
