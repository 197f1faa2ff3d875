"""The Prometheus source keeps the contract on a real Prometheus that scrapes two small exporters."""

import asyncio
import shutil
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from tidegate.domain.plan.model import SignalKind
from tidegate.domain.quantities import Arm, ComponentName, Placement, ServiceName, TargetName
from tidegate.drivers.clock.system import SystemClock
from tidegate.drivers.signals.prometheus import PrometheusSignals
from tidegate.lab.shop_metrics import CONTENT_TYPE, ShopMetrics
from tidegate.lab.web import Request, Response, WebServer
from tidegate.ports.signals import SignalQuery
from tidegate.testing.contracts.signals import SignalSourceContract

PROGRAM = shutil.which("prometheus")

pytestmark = [
    pytest.mark.prometheus,
    pytest.mark.xdist_group("prometheus"),
    pytest.mark.skipif(
        PROGRAM is None,
        reason="NO PROMETHEUS: install the Debian package prometheus to test against a real one",
    ),
]

SETTINGS = {
    SignalKind.ERRORS: {
        "query": 'sum(rate(demo_requests_total{$arm,$target,code=~"5.."}[5m])) '
        "/ sum(rate(demo_requests_total{$arm,$target}[5m]))"
    },
    SignalKind.USAGE: {"query": "sum(increase(demo_orders_total{$arm,$target}[5m]))"},
    SignalKind.LATENCY: {"query": "demo_request_duration_seconds_bucket{$arm,$target}"},
}
VERSIONS = {Arm.CANDIDATE: "1.1", Arm.BASELINE: '1.0 "old\\er"'}
WITHIN_SECONDS = 30.0


class Exporter:
    """One process that shows the demo shop's page; `frozen_at` makes its samples carry that time."""

    def __init__(self, port: int) -> None:
        self.metrics = ShopMetrics(version="any", started_unix_seconds=1_000.0)
        self.frozen_at: float | None = None
        self.port = port
        self._server = WebServer(self._handle)

    async def start(self) -> None:
        await self._server.start("127.0.0.1", self.port)

    async def stop(self) -> None:
        await self._server.stop()

    def happen(self, *, good: int, bad: int) -> None:
        self.metrics.orders += good
        for status, count, seconds in ((200, good, 0.008), (500, bad, 0.3)):
            for _ in range(count):
                self.metrics.answered(status, seconds)

    async def _handle(self, request: Request) -> Response:
        page = self.metrics.page().decode()
        if self.frozen_at is not None:
            lines = page.splitlines()
            stamp = f" {self.frozen_at:.3f}"
            page = "\n".join(line if line.startswith("#") else line + stamp for line in lines)
            page += "\n"
        return Response(body=page.encode(), content_type=CONTENT_TYPE)


@dataclass(frozen=True)
class Running:
    """A Prometheus that scrapes two ports, at which each test puts its own exporters."""

    port: int
    exporter_ports: dict[Arm, int]
    log: Path


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One for all tests here: it takes 5 s until it looks at its targets for the first time."""
    folder = tmp_path_factory.mktemp("prometheus")
    port, *exporter_ports = _free_ports(1 + len(Arm))
    running = Running(
        port=port,
        exporter_ports=dict(zip(Arm, exporter_ports, strict=True)),
        log=folder / "prometheus.log",
    )
    config = folder / "prometheus.yml"
    config.write_text(_config(running.exporter_ports))
    assert PROGRAM is not None
    arguments = [
        PROGRAM,
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=warn",
    ]
    with running.log.open("wb") as log, subprocess.Popen(arguments, stdout=log, stderr=log) as own:
        yield running
        own.kill()


class PrometheusWorld:
    """Two exporters and a way to the Prometheus that scrapes them."""

    def __init__(self, client: httpx.AsyncClient, running: Running) -> None:
        self.source = PrometheusSignals(clock=SystemClock(), client=client)
        self.exporters = {arm: Exporter(port) for arm, port in running.exporter_ports.items()}
        self._client = client
        self._running = running
        # A way to Prometheus that can be cut, since the tests share one.
        self._way = WebServer(self._pass_on)
        self._port = 0

    async def start(self) -> None:
        self._port = await self._way.start("127.0.0.1", 0)
        for exporter in self.exporters.values():
            exporter.happen(good=100, bad=1)
            await exporter.start()
        for arm in Arm:
            await self.until_orders(arm, 100.0)

    async def stop(self) -> None:
        await self._way.stop()
        for arm, exporter in self.exporters.items():
            if exporter.frozen_at is not None:
                # A series with times of its own never counts as ended; let it have none again.
                exporter.frozen_at = None
                await self.happen(arm, good=1, bad=0)
            await exporter.stop()
        for arm in Arm:
            await self.until_orders(arm, None)

    def query(self, kind: SignalKind) -> SignalQuery:
        return self.query_with(kind, SETTINGS[kind])

    def unanswerable_query(self) -> SignalQuery:
        return self.query_with(SignalKind.USAGE, {"query": "nothing_here_total{$arm}"})

    def query_with(self, kind: SignalKind, settings: dict[str, str]) -> SignalQuery:
        return SignalQuery(
            placement=Placement(
                service=ServiceName("shop"),
                component=ComponentName("code"),
                target=TargetName("eu-1"),
            ),
            signal=kind.value,
            kind=kind,
            source=f"prometheus://127.0.0.1:{self._port}/",
            settings=settings,
            arms={
                arm: {
                    "version": VERSIONS[arm],
                    "members": f"127.0.0.1:{exporter.port}",
                }
                for arm, exporter in self.exporters.items()
            },
            component_settings_json="{}",
            target_settings_json="{}",
        )

    async def happen(self, arm: Arm, *, good: int, bad: int) -> None:
        self.exporters[arm].happen(good=good, bad=bad)
        await self.until_orders(arm, float(self.exporters[arm].metrics.orders))

    async def restart(self, arm: Arm) -> None:
        self.exporters[arm].metrics = ShopMetrics(version="any", started_unix_seconds=2_000.0)

    async def vanish(self, arm: Arm) -> None:
        await self.exporters[arm].stop()
        await self.until_orders(arm, None)

    async def break_down(self) -> None:
        await self._way.stop()

    async def _pass_on(self, request: Request) -> Response:
        answer = await self._client.request(
            request.method,
            f"http://127.0.0.1:{self._running.port}{request.path}",
            content=request.body,
            headers={"content-type": request.headers["content-type"]},
        )
        content_type = answer.headers["content-type"]
        return Response(status=answer.status_code, body=answer.content, content_type=content_type)

    async def until_orders(self, arm: Arm, wanted: float | None) -> None:
        """Wait until Prometheus itself shows *wanted* orders for the arm."""
        expression = f'demo_orders_total{{instance="127.0.0.1:{self.exporters[arm].port}"}}'
        deadline = time.monotonic() + WITHIN_SECONDS
        found: object = "no answer"
        while time.monotonic() < deadline:
            try:
                answer = await self._client.post(
                    f"http://127.0.0.1:{self._running.port}/api/v1/query",
                    data={"query": expression},
                )
                result = answer.json()["data"]["result"] if answer.status_code == 200 else [None]
                found = float(result[0]["value"][1]) if result and result[0] else result or None
            except httpx.TransportError:
                found = "no answer"
            if found == wanted:
                return
            await asyncio.sleep(0.05)
        log = self._running.log.read_text()
        raise AssertionError(f"Prometheus shows {found} and not {wanted} orders of {arm}: {log}")


def _config(exporter_ports: dict[Arm, int]) -> str:
    targets = "\n".join(
        f"""      - targets: ["127.0.0.1:{port}"]
        labels: {{version: {_quoted(VERSIONS[arm])}, target: eu-1}}"""
        for arm, port in exporter_ports.items()
    )
    return f"""
global: {{scrape_interval: 200ms, scrape_timeout: 200ms}}
scrape_configs:
  - job_name: shop
    static_configs:
{targets}
"""


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


class TestPrometheusSignals(SignalSourceContract):
    @pytest.fixture
    async def world(self, prometheus: Running) -> AsyncIterator[PrometheusWorld]:
        async with httpx.AsyncClient(trust_env=False) as client:
            world = PrometheusWorld(client, prometheus)
            try:
                await world.start()
                yield world
            finally:
                await world.stop()

    async def test_frozen_samples_keep_their_own_time(self, world: PrometheusWorld) -> None:
        """A Prometheus that runs on, with samples that don't, shows the time of the samples."""
        exporter = world.exporters[Arm.CANDIDATE]
        exporter.happen(good=1, bad=0)
        # A little ahead: where a series takes up times of its own, Prometheus marks the old one as
        # ended, and would do so later than a time of now.
        exporter.frozen_at = time.time() + 1
        frozen_at = datetime.fromtimestamp(exporter.frozen_at, tz=UTC)
        await world.until_orders(Arm.CANDIDATE, 101.0)

        for _ in range(3):
            await world.happen(Arm.BASELINE, good=1, bad=0)
        [reading] = await world.source.read([world.query(SignalKind.ERRORS)])

        assert reading is not None
        assert abs(reading.at - frozen_at) < timedelta(milliseconds=2)
        assert datetime.now(UTC) - reading.at > timedelta(milliseconds=200)

    async def test_members_can_tell_the_arms_apart(self, world: PrometheusWorld) -> None:
        """Where no label holds the version, the addresses of an arm's members choose its series."""
        query = world.query_with(
            SignalKind.USAGE, {"metric": "demo_orders_total", "arm_label": "instance"}
        )

        [reading] = await world.source.read([query])

        assert reading is not None
        names = {arm: list(series) for arm, series in reading.arms.items()}
        assert names == {
            arm: [f"shop/127.0.0.1:{exporter.port}"] for arm, exporter in world.exporters.items()
        }

    async def test_the_named_counters_are_the_query(self, world: PrometheusWorld) -> None:
        """A counter given by name is read exactly as the query that a person would write for it."""
        by_name = [
            world.query_with(SignalKind.ERRORS, {"metric": "demo_requests_total"}),
            world.query_with(SignalKind.LATENCY, {"metric": "demo_request_duration_seconds"}),
        ]
        by_query = [world.query(SignalKind.ERRORS), world.query(SignalKind.LATENCY)]

        named = await world.source.read(by_name)
        queried = await world.source.read(by_query)

        assert [reading and reading.arms for reading in named] == [
            reading and reading.arms for reading in queried
        ]
        assert None not in named

    async def test_a_label_that_no_series_has_gives_no_reading(
        self, world: PrometheusWorld
    ) -> None:
        """Bad requests told by a misspelt label aren't zero, they are unknown."""
        query = world.query_with(
            SignalKind.ERRORS, {"metric": "demo_requests_total", "bad": 'status=~"5.."'}
        )

        [reading] = await world.source.read([query])

        assert reading is None
