"""
The real application over a scene, on a free port of loopback, in the loop of whoever asks for it.

For tests with a browser, for pictures of the screens and for measurements. The world can be moved while
the server runs: both live in one loop, so `await served.staged.traffic.pass_ticks()` is seen at once.
"""

import asyncio
import secrets
import socket
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import uvicorn
from kept_plans import keep_plans
from lab_scene import lab_in

from tidegate.api.app import MorePages, create_app
from tidegate.api.live.watcher import Live
from tidegate.api.tokens import login_seal, page_link
from tidegate.domain.access.model import DEFAULT_ORGANISATION, GrantEffect
from tidegate.domain.access.roles import Role
from tidegate.drivers.identity.memory import MemoryIdentity
from tidegate.lab.pages import lab_pages
from tidegate.ports.identity import Vouched, challenge_of
from tidegate.testing.ports import free_port
from tidegate.testing.scenes import LEAD, Scene, Staged, stage
from tidegate.usecases.access_commands import GrantRole
from tidegate.usecases.bus import perform
from tidegate.usecases.login import begin_login, finish_login

TOKEN: Final = "a-token-for-tests"
VERSION: Final = "0.1.0"
ENDS_WITHIN_SECONDS: Final = 30.0

SCOPES: Final = (DEFAULT_ORGANISATION, f"{DEFAULT_ORGANISATION}/*/production")
"""Everywhere: an environment is never reached by a wildcard."""


class ServedScene:
    """A server over *staged*. It can be stopped and started again at the same address."""

    def __init__(self, staged: Staged, more: MorePages | None = None) -> None:
        self.staged = staged
        self._more = more
        self.port = free_port()
        self._server: uvicorn.Server | None = None
        self._serving: asyncio.Task[None] | None = None
        self._live: Live | None = None
        self._sessions: dict[tuple[Role, ...], str] = {}

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def link(self) -> str:
        """The address that opens the pages without a login, for reading."""
        return page_link(self.url, TOKEN)

    async def start(self) -> None:
        """Listen and serve."""
        listener = socket.create_server(("127.0.0.1", self.port))
        app = create_app(self.staged.world.outside, token=TOKEN, version=VERSION, more=self._more)
        self._live = app.state.live
        keep_plans(app.state.server.texts)
        config = uvicorn.Config(
            app,
            interface="asgi3",
            log_config=None,
            lifespan="off",
            ws="none",
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._serving = asyncio.create_task(self._server.serve(sockets=[listener]))

    async def stop(self) -> None:
        """End it; nobody answers at its address any more."""
        if self._server is None or self._serving is None:
            return
        if self._live is not None:
            # Their streams never end by themselves, and the server waits for them.
            self._live.close()
        self._server.should_exit = True
        async with asyncio.timeout(ENDS_WITHIN_SECONDS):
            await self._serving
        self._server = self._serving = None

    def link_for(self, name: str) -> str:
        """Return the address that opens the pages to act on them as *name*, without a login."""
        return page_link(self.url, TOKEN, name)

    async def session(self, *roles: Role) -> str:
        """Return the secret of a session of somebody with *roles*; they log in when it is first asked for."""
        if roles not in self._sessions:
            name = "-".join((*roles, "a"))
            for role in roles:
                for scope in SCOPES:
                    await perform(self.staged.world.outside, LEAD, _grant(name, role, scope))
            self._sessions[roles] = await self._log_in(name)
        return self._sessions[roles]

    async def _log_in(self, name: str) -> str:
        outside = self.staged.world.outside
        provider = outside.identity
        assert isinstance(provider, MemoryIdentity), "every scene has one"
        verifier = secrets.token_urlsafe(48)
        begun = await begin_login(
            outside,
            seal=login_seal(TOKEN),
            redirect_uri=f"{self.url}/login/callback",
            challenge=challenge_of(verifier),
            again=True,
        )
        person = Vouched(
            issuer="https://provider.example",
            person=f"sub-of-{name}",
            name=name,
            groups=("team-release",),
            authenticated_at=outside.clock.now(),
        )
        done = await finish_login(
            outside,
            seal=login_seal(TOKEN),
            state=begun.state,
            code=provider.log_in(begun.address, person),
            verifier=verifier,
        )
        return done.secret


def _grant(name: str, role: Role, scope: str) -> GrantRole:
    return GrantRole(
        subject=f"person:{name}",
        role=role,
        scope=scope,
        effect=GrantEffect.ALLOW,
        reason="works here",
    )


@asynccontextmanager
async def served(scene: Scene, *, lab: bool = False) -> AsyncIterator[ServedScene]:
    """Give a server over *scene*, made anew; it ends with the block. With *lab* it is the lab's."""
    staged = await stage(scene)
    with tempfile.TemporaryDirectory(prefix="tidegate-lab-scene-") as folder:
        server = ServedScene(staged, lab_pages(lab_in(staged, Path(folder))) if lab else None)
        await server.start()
        try:
            yield server
        finally:
            await server.stop()
