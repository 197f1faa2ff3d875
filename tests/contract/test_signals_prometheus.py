"""The Prometheus source keeps the contract on a real Prometheus that scrapes two small exporters."""

import asyncio
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from labelled_metrics import LabelledMetrics
from native_histograms import CONTENT_TYPE as PROTOBUF
from native_histograms import NativeHistogram

from tidegate.domain.health.readings import Tick, difference
from tidegate.domain.plan.model import SignalKind
from tidegate.domain.quantities import Arm, ComponentName, Placement, ServiceName, TargetName
from tidegate.drivers.clock.system import SystemClock
from tidegate.drivers.signals.prometheus import PrometheusSignals
from tidegate.lab.shop_metrics import CONTENT_TYPE, ShopMetrics
from tidegate.lab.web import Request, Response, WebServer
from tidegate.ports.signals import SignalQuery
from tidegate.testing.contracts.signals import (
    GaugeSourceContract,
    GroupedSourceContract,
    SignalSourceContract,
)
from tidegate.testing.ports import free_port

PROGRAM = shutil.which("prometheus")

pytestmark = [
    pytest.mark.prometheus,
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
    SignalKind.TRAFFIC: {"query": "sum(rate(demo_requests_total{$arm,$target}[5m]))"},
}
LABELLED = {
    SignalKind.ERRORS: {"metric": "requests_total"},
    SignalKind.USAGE: {"metric": "paid_total"},
    SignalKind.LATENCY: {"metric": "took_seconds"},
    SignalKind.TRAFFIC: {"metric": "requests_total"},
    SignalKind.SATURATION: {"query": "sum(waiting{$arm,$target}) / sum(capacity{$arm,$target})"},
    SignalKind.LIMIT: {"query": "max(lag_seconds{$target})"},
}
VERSIONS = {Arm.CANDIDATE: "1.1", Arm.BASELINE: '1.0 "old\\er"'}
WITHIN_SECONDS = 30.0


class Exporter:
    """One process that shows the demo shop's page; `frozen_at` makes its samples carry that time."""

    def __init__(self, port: int) -> None:
        self.metrics = ShopMetrics(version="any", started_unix_seconds=1_000.0)
        self.labelled = LabelledMetrics()
        self.native = NativeHistogram("native_seconds", schema=3)
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
        if request.path == "/labelled":
            return Response(body=self.labelled.page(), content_type=CONTENT_TYPE)
        if request.path == "/native":
            return Response(body=self.native.page({}), content_type=PROTOBUF)
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
    port, *exporter_ports = (free_port() for _ in range(1 + len(Arm)))
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
        "--enable-feature=native-histograms",
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
            await self.until_gone(arm)

    def query(self, kind: SignalKind) -> SignalQuery:
        return self.query_with(kind, SETTINGS[kind])

    def unanswerable_query(self) -> SignalQuery:
        return self.query_with(SignalKind.USAGE, {"query": "nothing_here_total{$arm}"})

    def query_with(
        self, kind: SignalKind, settings: dict[str, str], group_by: tuple[str, ...] = ()
    ) -> SignalQuery:
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
            group_by=group_by,
        )

    async def happen(self, arm: Arm, *, good: int, bad: int) -> None:
        self.exporters[arm].happen(good=good, bad=bad)
        await self.until_orders(arm, float(self.exporters[arm].metrics.orders))

    async def restart(self, arm: Arm) -> None:
        self.exporters[arm].metrics = ShopMetrics(version="any", started_unix_seconds=2_000.0)

    async def vanish(self, arm: Arm) -> None:
        await self.exporters[arm].stop()
        await self.until_gone(arm)

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

    def gauge_query(self, kind: SignalKind) -> SignalQuery:
        return self.query_with(kind, LABELLED[kind])

    def unanswerable_limit(self) -> SignalQuery:
        return self.query_with(SignalKind.LIMIT, {"query": "max(nothing_here{$target})"})

    def grouped_query(self, kind: SignalKind, *, cells: bool) -> SignalQuery:
        if cells:
            return self.query_with(kind, LABELLED[kind], group_by=("zone", "client"))
        return self.query_with(kind, {**LABELLED[kind], "strata": "zone"})

    async def fill(self, arm: Arm, value: float) -> None:
        self.exporters[arm].labelled.waiting = value
        await self.until(f"waiting{self.of(arm)}", value)

    async def reach(self, value: float) -> None:
        for arm in Arm:
            self.exporters[arm].labelled.lag = value
            await self.until(f"lag_seconds{self.of(arm)}", value)

    async def happen_in(self, arm: Arm, labels: tuple[str, str], *, good: int, bad: int) -> None:
        labelled = self.exporters[arm].labelled
        labelled.happen(labels, good=good, bad=bad)
        everything = float(sum(labelled.good.values()) + sum(labelled.bad.values()))
        await self.until(f"sum(requests_total{self.of(arm)})", everything)

    def of(self, arm: Arm) -> str:
        return f'{{instance="127.0.0.1:{self.exporters[arm].port}"}}'

    async def until_orders(self, arm: Arm, wanted: float | None) -> None:
        """Wait until Prometheus itself shows *wanted* orders for the arm."""
        await self.until(f"demo_orders_total{self.of(arm)}", wanted)

    async def until_gone(self, arm: Arm) -> None:
        """Wait until each of the three pages of the arm's process has ended."""
        for name in ("demo_orders_total", "waiting", "native_seconds"):
            await self.until(f"count({name}{self.of(arm)})", None)

    async def until(self, expression: str, wanted: float | None) -> None:
        """Wait until Prometheus itself shows *wanted*; None is nothing at all."""
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
        raise AssertionError(f"Prometheus shows {found}, not {wanted}, for {expression}: {log}")


def _config(exporter_ports: dict[Arm, int]) -> str:
    targets = "\n".join(
        f"""      - targets: ["127.0.0.1:{port}"]
        labels: {{version: {_quoted(VERSIONS[arm])}, target: eu-1}}"""
        for arm, port in exporter_ports.items()
    )
    jobs = "\n".join(
        f"""  - job_name: {name}
    metrics_path: {path}
    static_configs:
{targets}"""
        for name, path in (("shop", "/metrics"), ("labelled", "/labelled"), ("native", "/native"))
    )
    return f"""
global: {{scrape_interval: 200ms, scrape_timeout: 200ms}}
scrape_configs:
{jobs}
"""


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


@pytest.fixture
async def started(prometheus: Running) -> AsyncIterator[PrometheusWorld]:
    async with httpx.AsyncClient(trust_env=False) as client:
        world = PrometheusWorld(client, prometheus)
        try:
            await world.start()
            yield world
        finally:
            await world.stop()


class TestPrometheusGauges(GaugeSourceContract):
    @pytest.fixture
    def world(self, started: PrometheusWorld) -> PrometheusWorld:
        return started


class TestPrometheusGroups(GroupedSourceContract):
    @pytest.fixture
    def world(self, started: PrometheusWorld) -> PrometheusWorld:
        return started


class TestPrometheusSignals(SignalSourceContract):
    @pytest.fixture
    def world(self, started: PrometheusWorld) -> PrometheusWorld:
        return started

    async def test_a_native_histogram_is_counted_in_a_grid_that_stays(
        self, world: PrometheusWorld
    ) -> None:
        """Buckets that fill up later were there before, empty: nothing about the histogram changed."""
        query = world.query_with(SignalKind.LATENCY, {"metric": "native_seconds"})
        for exporter in world.exporters.values():
            exporter.native.observe(0.008, 10)
        for arm in Arm:
            await world.until(f"histogram_count(native_seconds{world.of(arm)})", 10.0)
        [before] = await world.source.read([query])

        world.exporters[Arm.CANDIDATE].native.observe(0.3, 5)
        world.exporters[Arm.BASELINE].native.observe(0.009, 7)
        await world.until(f"histogram_count(native_seconds{world.of(Arm.CANDIDATE)})", 15.0)
        await world.until(f"histogram_count(native_seconds{world.of(Arm.BASELINE)})", 17.0)
        [after] = await world.source.read([query])

        assert before is not None
        assert after is not None
        tick = difference(before, after, needs_baseline=True)
        assert isinstance(tick, Tick)
        assert (tick.candidate.total, tick.baseline.total) == (5, 7)
        [slow] = [index for index, count in enumerate(tick.candidate.buckets) if count]
        assert tick.bounds[slow - 1] < 300 <= tick.bounds[slow]
        assert tick.bounds[slow] / tick.bounds[slow - 1] == pytest.approx(2**0.25)

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
