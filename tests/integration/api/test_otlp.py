"""Where metrics are sent to by OTLP over HTTP: who may, in which form, and what the sender learns."""

import gzip
import json
from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest
from otlp_sender import DELTA, counter, point, process, request

from tidegate.api.app import create_app
from tidegate.api.routes.otlp import MAXIMUM_UNPACKED_BYTES
from tidegate.domain.plan.model import SignalKind
from tidegate.domain.quantities import Arm, ComponentName, Placement, ServiceName, TargetName
from tidegate.drivers.clock.system import SystemClock
from tidegate.drivers.signals.otlp import OtlpSignals
from tidegate.ports.signals import SignalQuery
from tidegate.testing.memory_world import MemoryWorld

TOKEN = "a-token"
PATH = "/otlp/v1/metrics"


def an_export() -> bytes:
    """Return what a sender exports now: a point of an earlier moment would be refused as old."""
    document = request(process("1.1", "b:1"), counter("orders", [point({}, asInt="7")]))
    return json.dumps(document).encode()


BODY = an_export()
"""For what is refused before anybody looks into it."""

QUERY = SignalQuery(
    placement=Placement(
        service=ServiceName("shop"), component=ComponentName("code"), target=TargetName("eu-1")
    ),
    signal="orders",
    kind=SignalKind.USAGE,
    source="otlp",
    settings={"metric": "orders"},
    arms={Arm.CANDIDATE: {"version": "1.1"}, Arm.BASELINE: {"version": "1.0"}},
    component_settings_json="{}",
    target_settings_json="{}",
)


@pytest.fixture
def source() -> OtlpSignals:
    return OtlpSignals(clock=SystemClock())


@pytest.fixture
async def collector(world: MemoryWorld, source: OtlpSignals) -> AsyncIterator[httpx.AsyncClient]:
    """Return a sender with the token, as a Collector's exporter is set up."""
    outside = replace(world.outside, intake=source)
    transport = httpx.ASGITransport(app=create_app(outside, token=TOKEN, version="0"))
    headers = {"authorization": f"Bearer {TOKEN}", "content-type": "application/json"}
    async with httpx.AsyncClient(
        transport=transport, base_url="http://127.0.0.1:7180", headers=headers
    ) as client:
        yield client


async def sent(source: OtlpSignals) -> list[float]:
    [reading] = await source.read([QUERY])
    return [] if reading is None else [one.total for one in reading.arms[Arm.CANDIDATE].values()]


@pytest.mark.parametrize("packed", [False, True])
async def test_an_export_is_taken_in(
    collector: httpx.AsyncClient, source: OtlpSignals, *, packed: bool
) -> None:
    """Plain or as the Collector packs it by default; the answer of success is an empty object."""
    headers = {"content-encoding": "gzip"} if packed else {}
    body = an_export()

    answer = await collector.post(
        PATH, content=gzip.compress(body) if packed else body, headers=headers
    )

    assert (answer.status_code, answer.json()) == (200, {})
    assert await sent(source) == [7]


async def test_refused_points_are_a_partial_success(
    collector: httpx.AsyncClient, source: OtlpSignals
) -> None:
    """As the specification says: 200, so that the sender doesn't send the good points again."""
    export = request(
        process("1.1", "b:1"),
        counter("orders", [point({}, asInt="7")]),
        counter("paid", [point({}, asInt="1"), point({"a": "b"}, asInt="1")], temporality=DELTA),
    )

    answer = await collector.post(PATH, json=export)

    assert answer.status_code == 200
    told = answer.json()["partialSuccess"]
    assert told["rejectedDataPoints"] == "2"
    assert "paid isn't cumulative" in told["errorMessage"]
    assert await sent(source) == [7]


async def test_protobuf_is_refused_with_what_to_set(collector: httpx.AsyncClient) -> None:
    """Exporters send protobuf unless they are told otherwise; the answer says how."""
    answer = await collector.post(
        PATH, content=b"\x0a\x00", headers={"content-type": "application/x-protobuf"}
    )

    assert answer.status_code == 415
    assert "encoding: json" in answer.json()["hint"]


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        pytest.param(b"{", {}, 422, id="not JSON"),
        pytest.param(b"[" * 100_000, {}, 422, id="too deep"),
        pytest.param(b"[]", {}, 422, id="no export"),
        pytest.param(BODY, {"content-encoding": "br"}, 415, id="another packing"),
        pytest.param(BODY, {"content-encoding": "gzip"}, 413, id="not packed at all"),
        pytest.param(gzip.compress(BODY)[:-9], {"content-encoding": "gzip"}, 413, id="cut off"),
        pytest.param(
            gzip.compress(b" " * (MAXIMUM_UNPACKED_BYTES + 1)),
            {"content-encoding": "gzip"},
            413,
            id="huge once unpacked",
        ),
        pytest.param(b" " * 1_100_000, {}, 413, id="huge"),
    ],
)
async def test_bodies_that_cant_be_used_are_refused(
    collector: httpx.AsyncClient, content: bytes, headers: dict[str, str], status: int
) -> None:
    """Each with a problem document and a hint, and nothing is taken in."""
    answer = await collector.post(PATH, content=content, headers=headers)

    assert answer.status_code == status
    assert answer.json()["hint"]


async def test_a_stranger_sends_nothing(collector: httpx.AsyncClient, source: OtlpSignals) -> None:
    """Numbers decide over rollouts, so the token that opens the API is needed here as well."""
    answer = await collector.post(PATH, content=BODY, headers={"authorization": "Bearer wrong"})

    assert answer.status_code == 401
    assert await sent(source) == []


async def test_a_server_without_an_intake_says_so(client: httpx.AsyncClient) -> None:
    """A world that keeps no metrics refuses them instead of losing them."""
    answer = await client.post(PATH, json={})

    assert answer.status_code == 409
    assert answer.json()["hint"]
