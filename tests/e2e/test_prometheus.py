"""
A whole rollout that sees nothing but a real Prometheus, which scrapes the members as it would anywhere.

Discovery is a file of targets, kept by this test as an orchestrator would keep it. A healthy version
goes all the way on what Prometheus counted; a harmful one is stopped by it.
"""

import asyncio
import contextlib
import json
import shutil
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from no_tls import NO_TLS
from running_site import Server, Site, until

from tidegate.lab.faults import Fault, break_candidate
from tidegate.lab.files import write_json
from tidegate.lab.world import SHOP_DOCUMENT
from tidegate.testing.ports import free_port

PROGRAM = shutil.which("prometheus")

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.envoy,
    pytest.mark.prometheus,
    pytest.mark.timeout(300),
    pytest.mark.skipif(
        PROGRAM is None,
        reason="NO PROMETHEUS: install the Debian package prometheus to test against a real one",
    ),
]

DOCUMENT = (
    SHOP_DOCUMENT.partition("health:")[0]
    + """\
health:
  source: prometheus://127.0.0.1:PORT
  signals:
    - name: errors
      kind: errors
      query: 'sum(rate(demo_requests_total{{$arm,$target,code=~"5.."}}[5m]))
        / sum(rate(demo_requests_total{{$arm,$target}}[5m]))'
    - name: orders
      kind: usage
      query: 'sum(increase(demo_orders_total{{$arm,$target}}[5m]))'
    - name: latency
      kind: latency
      query: 'demo_request_duration_seconds_bucket{{$arm,$target}}'
    - name: memory
      kind: saturation
      query: 'process_resident_memory_bytes{{$arm,$target}}'
    - name: fullest
      kind: limit
      query: 'max(process_resident_memory_bytes{{$target}})'
      limit: 2000000000
  no_data: {{halt_after: 60s}}
prove: {{errors: 5pp, usage: 50%}}
plan:
  phases:
    - {{name: few, traffic: 20%, bake: 3s, bake_max: 60s}}
    - {{name: half, traffic: 50%, bake: 3s, bake_max: 60s}}
    - {{name: all, traffic: 100%, bake: 3s, bake_max: 60s}}
"""
)
SIGNALS = {"errors", "orders", "latency", "memory", "fullest"}


@dataclass(frozen=True, slots=True)
class Watched:
    """A site with users whose members a Prometheus scrapes."""

    site: Site
    server: Server
    document: str

    async def start(self, version: str) -> str:
        return await self.site.start(self.server, version, self.document)

    async def comes_to(self, rollout_id: str, *states: str) -> dict[str, Any]:
        seen: dict[str, Any] = {}

        async def is_there() -> bool:
            seen.update(await self.server.get(f"/v1/rollouts/{rollout_id}"))
            return seen["state"] in states

        await until(is_there, f"{rollout_id} to be {' or '.join(states)}", within_seconds=120)
        return seen


@pytest.fixture
async def watched(site: Site) -> AsyncIterator[Watched]:
    port = free_port()
    targets = site.folder / "targets.json"
    write_json(targets, [])
    config = site.folder / "prometheus.yml"
    config.write_text(
        f"""
global: {{scrape_interval: 250ms, scrape_timeout: 250ms}}
scrape_configs:
  - job_name: shop
    file_sd_configs: [{{files: [{targets}]}}]
""",
        encoding="utf-8",
    )
    assert PROGRAM is not None
    arguments = [
        PROGRAM,
        f"--config.file={config}",
        f"--storage.tsdb.path={site.folder / 'prometheus'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=warn",
    ]
    with (
        (site.folder / "prometheus.log").open("wb") as log,
        subprocess.Popen(arguments, stdout=log, stderr=log) as prometheus,
    ):
        keeping = asyncio.create_task(_keep_targets(site, targets))
        try:
            server = await site.serve()
            document = DOCUMENT.replace("PORT", str(port))
            made = Watched(site=site, server=server, document=document)
            await made.comes_to(await made.start("1.0.0"), "completed")
            await site.let_users_come()
            await until(lambda: _is_scraped(port), "Prometheus to scrape the members")
            yield made
        finally:
            keeping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await keeping
            prometheus.kill()


async def _keep_targets(site: Site, file: Path) -> None:
    """Write down who serves which version, again and again, as an orchestrator does."""
    written: object = None
    while True:
        found = []
        for spec in sorted((site.state_dir / "processes").glob("*/spec.json")):
            with contextlib.suppress(OSError, ValueError):
                words = json.loads(spec.read_text(encoding="utf-8"))["argv"]
                if "tidegate.lab.demo" in words:
                    address = f"127.0.0.1:{words[words.index('--port') + 1]}"
                    version = words[words.index("--version") + 1]
                    labels = {"version": version, "target": "lab-1"}
                    found.append({"targets": [address], "labels": labels})
        if found != written:
            write_json(file, found)
            written = found
        await asyncio.sleep(0.1)


async def _is_scraped(port: int) -> bool:
    async with httpx.AsyncClient(trust_env=False, verify=NO_TLS) as client:
        try:
            answer = await client.get(
                f"http://127.0.0.1:{port}/api/v1/query", params={"query": "demo_requests_total"}
            )
            return bool(answer.is_success and answer.json()["data"]["result"])
        except httpx.TransportError:
            return False


async def test_prometheus_carries_a_good_version_and_stops_a_bad_one(watched: Watched) -> None:
    """Every kind of signal is read from it, three phases pass on its numbers, and harm is halted."""
    good = await watched.start("1.1.0")
    passed = await watched.comes_to(good, "completed", "halted", "rolled_back")
    evidence = await watched.server.get(f"/v1/rollouts/{good}/evidence")

    break_candidate(watched.site.faults, "1.2.0", Fault.ERRORS, errors=0.3)
    bad = await watched.start("1.2.0")
    stopped = await watched.comes_to(bad, "completed", "halted", "rolled_back")
    ledger = (await watched.server.get(f"/v1/rollouts/{bad}/ledger"))["entries"]

    assert passed["state"] == "completed", passed["waiting_on"]
    read = {signal["name"]: signal["quality"] for signal in evidence["signals"]}
    assert read.keys() == SIGNALS
    assert set(read.values()) == {"good"}, read
    assert stopped["state"] in ("halted", "rolled_back")
    assert "errors" in json.dumps(ledger)
