"""
One browser and one server per scene for all tests here; a window of their own for each test.

They run in one process and one event loop, which lasts as long as the browser does. Rule: a test that
changes a world makes its own with `fresh`; `scenes` are only looked at.
"""

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from browsing import Visitor, running_browser, visitor
from playwright.async_api import Browser
from served_scene import ServedScene, served

from tidegate.testing.scenes import Scene

HERE = Path(__file__).parent
Scenes = Callable[..., Awaitable[ServedScene]]
Visit = Callable[..., Awaitable[Visitor]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this folder, so that they share the loop and the browser."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.browser)
            if inspect.iscoroutinefunction(getattr(item, "obj", None)):
                # First, since the one that every coroutine has says the test's own loop.
                item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Return the browser."""
    async with running_browser() as found:
        yield found


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def scenes() -> AsyncIterator[Scenes]:
    """
    Return the servers over scenes that are only looked at, each made when it is first asked for.

    Logging in is written into the ledger: tests with people in them name a scene of their own by *of*.
    """
    made: dict[tuple[Scene, str, bool], ServedScene] = {}
    async with AsyncExitStack() as stack:

        async def find(scene: Scene, *, of: str = "everyone", lab: bool = False) -> ServedScene:
            asked = (scene, of, lab)
            if asked not in made:
                made[asked] = await stack.enter_async_context(served(scene, lab=lab))
            return made[asked]

        yield find


@pytest_asyncio.fixture(loop_scope="session")
async def fresh() -> AsyncIterator[Scenes]:
    """Return servers over scenes of this test's own, which it may change."""
    async with AsyncExitStack() as stack:
        yield lambda scene: stack.enter_async_context(served(scene))


@pytest_asyncio.fixture(loop_scope="session")
async def visit(browser: Browser) -> AsyncIterator[Visit]:
    """Return what opens a window on a server's pages; see `browsing.visitor`."""
    async with AsyncExitStack() as stack:

        async def opened(served: ServedScene, **options: Any) -> Visitor:
            return await stack.enter_async_context(visitor(browser, served, **options))

        yield opened
