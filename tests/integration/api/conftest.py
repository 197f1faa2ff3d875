"""The application over an engine in memory, asked through HTTP without a network."""

from collections.abc import AsyncIterator

import httpx
import pytest

from tidegate.api.app import create_app
from tidegate.testing.memory_world import MemoryWorld

TOKEN = "a-token-for-tests"
URL = "http://127.0.0.1:7180"


@pytest.fixture
def world() -> MemoryWorld:
    """Return an engine in memory in which nothing has happened yet."""
    return MemoryWorld()


@pytest.fixture
async def stranger(world: MemoryWorld) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client without the token."""
    app = create_app(world.outside, token=TOKEN, version="0.1.0")
    # What a client would see of a failure is asked for here, not the failure itself.
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=URL) as client:
        yield client


@pytest.fixture
async def client(stranger: httpx.AsyncClient) -> httpx.AsyncClient:
    """Return a client with the token, acting as alice."""
    stranger.headers["authorization"] = f"Bearer {TOKEN}"
    stranger.headers["tidegate-actor"] = "alice"
    return stranger


@pytest.fixture
def page_client(stranger: httpx.AsyncClient) -> httpx.AsyncClient:
    """Return a browser that has no key yet."""
    return stranger
