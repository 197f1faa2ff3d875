"""
A managed Envoy with members and users around it, for tests that need a real one.

Everything lives below one folder and ends with the context: Envoy by its supervisor, members by
themselves.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tidegate.domain.quantities import ServiceName, TargetName
from tidegate.drivers.processes.supervisor import ShimSupervisor
from tidegate.drivers.traffic.envoy import EnvoyTraffic
from tidegate.ports.traffic import Endpoint, Pool, Route
from tidegate.testing.backends import Answer, Asker, Backend
from tidegate.testing.ports import free_port

_LOOPBACK: Final = "127.0.0.1"
_ASKERS: Final = 8


@dataclass(slots=True)
class EnvoyWorld:
    """
    One target's world. `root` is the traffic driver's, `supervisor` keeps its Envoy.

    `members` holds each pool's backends by the pool's name.
    """

    root: Path
    supervisor: ShimSupervisor
    driver: EnvoyTraffic
    members: dict[str, list[Backend]] = field(default_factory=dict)
    _askers: dict[Endpoint, asyncio.Queue[Asker]] = field(default_factory=dict)

    def route(self, service: str = "shop", target: str = "eu", sticky: str = "cookie:tg") -> Route:
        """Return a route of *service* that listens on a free port."""
        return Route(
            service=ServiceName(service),
            target=TargetName(target),
            listen=Endpoint(host=_LOOPBACK, port=free_port()),
            sticky=sticky,
            internal="header:x-internal=1",
            target_settings_json="{}",
        )

    async def pool(self, name: str, members: int = 1) -> Pool:
        """Return a pool of *members* that answer with its name."""
        started = [Backend(name) for _ in range(members)]
        for member in started:
            await member.start()
        self.members.setdefault(name, []).extend(started)
        return Pool(
            name=name,
            version=f"1.0-{name}",
            digest=f"sha256:{name}",
            endpoints=tuple(member.endpoint for member in started),
        )

    async def ask(self, route: Route, user: str, *, internal: bool = False) -> Answer:
        """Ask once as *user*, over one of a few connections that are kept."""
        askers = self._askers.get(route.listen)
        if askers is None:
            askers = self._askers[route.listen] = asyncio.Queue()
            for _ in range(_ASKERS):
                askers.put_nowait(Asker(route.listen))
        kind, _, name = route.sticky.partition(":")
        headers = {"cookie": f"{name}={user}"} if kind == "cookie" else {name: user}
        if internal:
            headers["x-internal"] = "1"
        asker = await askers.get()
        try:
            return await asker.ask(headers)
        finally:
            askers.put_nowait(asker)

    async def envoy_pid(self, target: str = "eu") -> int:
        """Return the pid of the target's Envoy, which must run."""
        status = await self.supervisor.status(f"envoy-{target}")
        assert status is not None, f"no Envoy was started for {target}"
        assert status.pid is not None, f"the Envoy of {target} doesn't run"
        return status.pid

    async def close(self) -> None:
        """End everything that was started."""
        for askers in self._askers.values():
            while not askers.empty():
                await askers.get_nowait().close()
        for name in await self.supervisor.names():
            await self.supervisor.end(name)
        for backends in self.members.values():
            for backend in backends:
                await backend.stop()


@asynccontextmanager
async def envoy_world(folder: Path) -> AsyncIterator[EnvoyWorld]:
    """Give a world below *folder* that ends with the context."""
    supervisor = ShimSupervisor(folder / "processes")
    world = EnvoyWorld(
        root=folder / "envoy",
        supervisor=supervisor,
        driver=EnvoyTraffic(folder / "envoy", supervisor),
    )
    try:
        yield world
    finally:
        await world.close()
