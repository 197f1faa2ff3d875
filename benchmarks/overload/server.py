"""
A server for the overload: the real one, with API, runner and SQLite, whose rollouts are moved in memory.

Started by `halt_overload.py` as a process of its own; it announces itself in its state folder as any
server does, and ends on SIGTERM.
"""

import asyncio
import signal
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import engine
import httpx

from tidegate.drivers.component.memory import MemoryComponent
from tidegate.drivers.runner.inprocess import InProcessRunner
from tidegate.main.serving import serving
from tidegate.main.world import compose_world
from tidegate.ports.store import ServiceRecord
from tidegate.settings import Settings
from tidegate.telemetry import logs
from tidegate.usecases.outside import Outside
from tidegate.usecases.stop_guard import GuardedComponent

BAKE = timedelta(hours=1)
"""Long: what is to be halted bakes until it is."""


async def serve(state_dir: Path, baking: int) -> None:
    """Serve *baking* rollouts until told to end."""
    world, ids = await engine.a_world(state_dir, baking, bake=BAKE)
    targets = world.components["memory"]
    assert isinstance(targets, MemoryComponent)
    with world.store.begin() as transaction:
        for rollout_id in ids:
            service = transaction.rollout(rollout_id).service
            record = ServiceRecord(
                name=service, canonical_json="{}", digest="d1", updated_at=world.clock.now()
            )
            transaction.put_service(record)

    def composed(
        settings: Settings, folder: Path, store_url: str, client: httpx.AsyncClient
    ) -> tuple[Outside, InProcessRunner]:
        outside, runner = compose_world(settings, folder, store_url, client)
        memory = GuardedComponent(targets, outside.store)
        return replace(
            outside,
            components={**outside.components, "memory": memory},
            signals={**outside.signals, **world.signals},
        ), runner

    # One token asks for everything here, and its own limit would hide what this is about.
    settings = Settings(
        state_dir=state_dir,
        store_url=f"sqlite:///{state_dir / 'bench.db'}",
        listen_port=0,
        requests_per_second=100_000,
        requests_at_once=1_000_000,
        log_level="error",
    )
    logs.set_up("error")
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    async with serving(settings, compose=composed):
        await told.wait()


if __name__ == "__main__":
    Path(sys.argv[1]).mkdir(parents=True)
    asyncio.run(serve(Path(sys.argv[1]), int(sys.argv[2])))
