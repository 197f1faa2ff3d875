"""
What the Prometheus source makes of a Prometheus that is slow, broken or lying.

The outside is played by a small HTTP server on a real socket. In each case the answer must be unknown
(no reading, no arm, or a quality that holds the rollout), never a number that nobody counted.
"""

import asyncio
import gzip
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest

from tidegate.domain.health.readings import Gap, Quality, Reading, Tick, difference
from tidegate.domain.plan.model import SignalKind
from tidegate.domain.quantities import Arm, ComponentName, Placement, ServiceName, TargetName
from tidegate.drivers.clock.system import SystemClock
from tidegate.drivers.signals.bodies import MAXIMUM_BODY_BYTES
from tidegate.drivers.signals.prometheus import PrometheusSignals
from tidegate.errors import SignalSourceError
from tidegate.lab.web import Request, Response, WebServer
from tidegate.ports.signals import SignalQuery

Line = tuple[dict[str, str], str]


def lines_of(
    version: str, *, total: str, bad: str | None, at: float | None = None, **labels: str
) -> list[Line]:
    """Return the lines of a whole, honest answer about one process."""
    process = {"job": "shop", "instance": "a:1", "version": version, **labels}
    found: list[Line] = [
        ({**process, "tidegate_part": "total"}, total),
        ({**process, "tidegate_part": "time"}, str(time.time() if at is None else at)),
        ({**process, "tidegate_part": "telling"}, "1"),
    ]
    if bad is not None:
        found.append(({**process, "tidegate_part": "bad"}, bad))
    return found


def vector(lines: list[Line]) -> dict[str, object]:
    result = [{"metric": labels, "value": [time.time(), text]} for labels, text in lines]
    return {"status": "success", "data": {"resultType": "vector", "result": result}}


class FakePrometheus:
    """Answers each arm's question with what stands in `answers`, honest at first."""

    def __init__(self) -> None:
        self.port = 0
        self.asked: list[str] = []
        self.answers: dict[str, object] = {
            "1.1": vector(lines_of("1.1", total="200", bad="3")),
            "1.0": vector(lines_of("1.0", total="900", bad=None)),
        }
        self.instead: Callable[[Request], Awaitable[Response]] | None = None
        self.server = WebServer(self._handle)

    async def _handle(self, request: Request) -> Response:
        [expression] = parse_qs(request.body.decode())["query"]
        self.asked.append(expression)
        if self.instead is not None:
            return await self.instead(request)
        # What asks for no version asks for a limit, which stands under the candidate.
        version = next((name for name in self.answers if f'version="{name}"' in expression), "1.1")
        body = json.dumps(self.answers[version]).encode()
        return Response(body=body, content_type="application/json")

    def query(self, kind: SignalKind = SignalKind.ERRORS, **settings: str) -> SignalQuery:
        return SignalQuery(
            placement=Placement(
                service=ServiceName("shop"),
                component=ComponentName("code"),
                target=TargetName("eu-1"),
            ),
            signal="any",
            kind=kind,
            source=f"prometheus://127.0.0.1:{self.port}",
            settings=settings,
            arms={Arm.CANDIDATE: {"version": "1.1"}, Arm.BASELINE: {"version": "1.0"}},
            component_settings_json="{}",
            target_settings_json="{}",
        )


@pytest.fixture
async def fake() -> AsyncIterator[FakePrometheus]:
    prometheus = FakePrometheus()
    prometheus.port = await prometheus.server.start("127.0.0.1", 0)
    yield prometheus
    await prometheus.server.stop()


@pytest.fixture
async def source() -> AsyncIterator[PrometheusSignals]:
    async with httpx.AsyncClient(trust_env=False) as client:
        yield PrometheusSignals(clock=SystemClock(), client=client)


async def read(source: PrometheusSignals, fake: FakePrometheus) -> Reading | None:
    [reading] = await source.read([fake.query()])
    return reading


async def test_an_honest_answer_is_a_reading(
    fake: FakePrometheus, source: PrometheusSignals
) -> None:
    """The ground that the faults below stand on: without a fault there are numbers."""
    reading = await read(source, fake)

    assert reading is not None
    assert reading.arms[Arm.CANDIDATE]["shop/a:1"].bad == 3
    assert reading.arms[Arm.BASELINE]["shop/a:1"].total == 900
    assert reading.arms[Arm.BASELINE]["shop/a:1"].bad == 0


@pytest.mark.parametrize(
    ("total", "bad", "quality"),
    [
        ("NaN", "3", Quality.NOT_A_NUMBER),
        ("+Inf", "3", Quality.NOT_A_NUMBER),
        ("300", "NaN", Quality.NOT_A_NUMBER),
        ("-300", "0", Quality.CONTRADICTORY),
        ("300", "-1", Quality.CONTRADICTORY),
        ("300", "301", Quality.CONTRADICTORY),
    ],
)
async def test_impossible_values_are_passed_on_and_held(
    fake: FakePrometheus, source: PrometheusSignals, total: str, bad: str, quality: Quality
) -> None:
    """The source repairs nothing; the domain says what is wrong with the numbers."""
    before = await read(source, fake)

    fake.answers["1.1"] = vector(lines_of("1.1", total=total, bad=bad, at=time.time() + 1))
    fake.answers["1.0"] = vector(lines_of("1.0", total="950", bad=None, at=time.time() + 1))
    after = await read(source, fake)

    assert before is not None
    assert after is not None
    found = difference(before, after, needs_baseline=True)
    assert isinstance(found, Gap)
    assert found.quality is quality


async def test_a_counter_that_begins_again_counts_from_zero(
    fake: FakePrometheus, source: PrometheusSignals
) -> None:
    """A reset is a restart, not a negative number of requests."""
    before = await read(source, fake)

    fake.answers["1.1"] = vector(lines_of("1.1", total="20", bad="1", at=time.time() + 1))
    fake.answers["1.0"] = vector(lines_of("1.0", total="950", bad=None, at=time.time() + 1))
    after = await read(source, fake)

    assert before is not None
    assert after is not None
    tick = difference(before, after, needs_baseline=True)
    assert isinstance(tick, Tick)
    assert (tick.candidate.total, tick.candidate.bad) == (20, 1)


async def test_old_samples_are_old(fake: FakePrometheus, source: PrometheusSignals) -> None:
    """However current the answer itself, a reading is as old as its oldest sample."""
    ten_minutes_ago = time.time() - 600
    fake.answers["1.1"] = vector(lines_of("1.1", total="200", bad="3", at=ten_minutes_ago))

    reading = await read(source, fake)

    assert reading is not None
    assert reading.at == datetime.fromtimestamp(ten_minutes_ago, tz=UTC)


@pytest.mark.parametrize("at", [4e9, 1e300, -1e300, float("nan")])
async def test_samples_from_an_impossible_time_are_no_reading(
    fake: FakePrometheus, source: PrometheusSignals, at: float
) -> None:
    """A sample from the future would make all that follows look old, so it isn't taken."""
    for version in fake.answers:
        fake.answers[version] = vector(lines_of(version, total="200", bad="3", at=at))

    reading = await read(source, fake)

    assert reading is None


async def test_an_arm_without_lines_is_absent(
    fake: FakePrometheus, source: PrometheusSignals
) -> None:
    """An empty answer isn't zero requests."""
    fake.answers["1.1"] = vector([])

    reading = await read(source, fake)

    assert reading is not None
    assert Arm.CANDIDATE not in reading.arms


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param(lines_of("1.0", total="200", bad="3"), id="the other arm's version"),
        pytest.param(
            [*lines_of("1.1", total="200", bad="3"), ({"job": "shop"}, "7")], id="a foreign line"
        ),
        pytest.param(
            [({"job": "s", "version": "1.1", "tidegate_part": "else"}, "7")], id="an unknown part"
        ),
        pytest.param(
            [
                ({"instance": "a:1", "version": "1.1", "tidegate_part": "total"}, "7"),
                ({"instance": "a:1", "version": "1.1", "tidegate_part": "time"}, "1e9"),
                ({"instance": "a:1", "version": "1.1", "tidegate_part": "telling"}, "1"),
                ({"instance": "b:1", "version": "1.1", "tidegate_part": "bad"}, "5"),
            ],
            id="bad requests of a process that counts none",
        ),
    ],
)
async def test_labels_that_lie_make_the_arm_absent(
    fake: FakePrometheus, source: PrometheusSignals, lines: list[Line]
) -> None:
    """Numbers about somebody else are nobody's numbers."""
    fake.answers["1.1"] = vector(lines)

    reading = await read(source, fake)

    assert reading is not None
    assert Arm.CANDIDATE not in reading.arms


TWICE = lines_of("1.1", total="200", bad="3", at=1e9)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(vector([*TWICE, *TWICE]), id="every line twice"),
        pytest.param({**vector(TWICE), "warnings": ["a store didn't answer"]}, id="partial"),
        pytest.param({"status": "error", "error": "no"}, id="an error with status 200"),
        pytest.param({"status": "success", "data": None}, id="no data"),
        pytest.param(
            {"status": "success", "data": {"resultType": "matrix", "result": []}}, id="a matrix"
        ),
        pytest.param(
            {"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}}]}},
            id="a line without a value",
        ),
        pytest.param(
            {
                "status": "success",
                "data": {
                    "resultType": "vector",
                    "result": [{"metric": TWICE[0][0], "value": [1, "many"]}],
                },
            },
            id="a value that isn't a number",
        ),
        pytest.param([1, 2, 3], id="not an object"),
    ],
)
async def test_an_answer_that_cant_be_believed_is_no_reading(
    fake: FakePrometheus, source: PrometheusSignals, answer: object
) -> None:
    """Half an answer is none, for both arms: a comparison needs both."""
    fake.answers["1.1"] = answer

    reading = await read(source, fake)

    assert reading is None


@pytest.mark.parametrize("status", [500, 502, 503, 302, 401, 404, 429])
async def test_a_source_that_fails_says_so(
    fake: FakePrometheus, source: PrometheusSignals, status: int
) -> None:
    """A failing server is an error with its address and status, and worth another try."""

    async def failing(request: Request) -> Response:
        return Response(status=status, body=b"{}")

    fake.instead = failing

    with pytest.raises(SignalSourceError) as failure:
        await read(source, fake)

    assert str(status) in failure.value.message
    assert failure.value.retryable


@pytest.mark.parametrize("body", [b"<html>sign in</html>", b"", b"[" * 100_000, b"\xff\xfe"])
async def test_a_body_that_isnt_json_is_a_failure(
    fake: FakePrometheus, source: PrometheusSignals, body: bytes
) -> None:
    """A page in front of Prometheus, or garbage, isn't taken for an empty answer."""

    async def garbage(request: Request) -> Response:
        return Response(body=body)

    fake.instead = garbage

    with pytest.raises(SignalSourceError):
        await read(source, fake)


async def test_a_huge_body_is_given_up(fake: FakePrometheus, source: PrometheusSignals) -> None:
    """Beyond the cap nothing more is read, so no answer can fill our memory."""

    async def huge(request: Request) -> Response:
        return Response(body=b" " * (10 * MAXIMUM_BODY_BYTES))

    fake.instead = huge

    with pytest.raises(SignalSourceError, match="larger than"):
        await read(source, fake)


async def test_a_compressed_body_is_not_unpacked(
    fake: FakePrometheus, source: PrometheusSignals
) -> None:
    """What is small on the wire and huge unpacked never gets unpacked."""

    async def packed(request: Request) -> Response:
        body = gzip.compress(b" " * 50_000_000)
        return Response(body=body, headers=(("content-encoding", "gzip"),))

    fake.instead = packed

    with pytest.raises(SignalSourceError, match="compressed"):
        await read(source, fake)


async def test_a_slow_source_ends_by_the_callers_deadline(
    fake: FakePrometheus, source: PrometheusSignals
) -> None:
    """Whoever asks decides how long to wait; the next call works as if nothing had been."""
    forever = asyncio.Event()

    async def slow(request: Request) -> Response:
        await forever.wait()
        return Response()

    fake.instead = slow
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await read(source, fake)

    forever.set()
    fake.instead = None
    reading = await read(source, fake)

    assert reading is not None


async def test_an_answer_that_breaks_off_is_a_failure(source: PrometheusSignals) -> None:
    """A connection that ends in the middle of the body gives no numbers at all."""

    async def cut_off(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b'HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{"status": "success"')
        writer.close()

    fake = FakePrometheus()
    server = await asyncio.start_server(cut_off, "127.0.0.1", 0)
    async with server:
        fake.port = server.sockets[0].getsockname()[1]
        with pytest.raises(SignalSourceError):
            await read(source, fake)


async def test_a_refused_query_spoils_no_other(
    fake: FakePrometheus, source: PrometheusSignals
) -> None:
    """Prometheus refuses one expression with 400 or 422; the others are answered."""
    honest = fake._handle

    async def refusing(request: Request) -> Response:
        if b"refused_total" in request.body:
            return Response(status=422, body=b'{"status": "error"}')
        fake.instead = None
        answer = await honest(request)
        fake.instead = refusing
        return answer

    fake.instead = refusing
    queries = [fake.query(), fake.query(metric="refused_total"), fake.query(bad="code=~")]

    readings = await source.read(queries)

    assert [reading is not None for reading in readings] == [True, False, False]


async def test_one_source_that_is_down_spoils_no_other(
    fake: FakePrometheus, source: PrometheusSignals
) -> None:
    """Queries of several sources may share a call, and each source fails alone."""
    down = FakePrometheus()
    down.port = await down.server.start("127.0.0.1", 0)
    await down.server.stop()

    readings = await source.read([down.query(), fake.query()])

    assert [reading is not None for reading in readings] == [False, True]


async def test_the_same_question_is_asked_once(
    fake: FakePrometheus, source: PrometheusSignals
) -> None:
    """Many rollouts may need one signal; the source is asked once per arm."""
    await source.read([fake.query() for _ in range(20)])

    assert len(fake.asked) == len(Arm)


async def test_arms_that_look_the_same_are_never_asked_about(
    fake: FakePrometheus, source: PrometheusSignals
) -> None:
    """Where both arms carry one label, their numbers would agree, and that would look like proof."""
    same = {"version": "1.1"}
    query = replace(fake.query(), arms={Arm.CANDIDATE: same, Arm.BASELINE: same})

    [reading] = await source.read([query])

    assert reading is None
    assert fake.asked == []


async def test_an_error_counter_that_nobody_shows_is_unknown(
    fake: FakePrometheus, source: PrometheusSignals
) -> None:
    """A separate counter of bad requests that exists nowhere may be misspelt; it isn't zero."""
    for version in fake.answers:
        fake.answers[version] = vector(lines_of(version, total="200", bad=None)[:2])
    query = fake.query(total_metric="requests_total", bad_metric="failures_total")

    [reading] = await source.read([query])

    assert reading is None


async def test_an_error_counter_that_one_arm_shows_is_zero_for_the_other(
    fake: FakePrometheus, source: PrometheusSignals
) -> None:
    """Once somebody shows the counter it exists, and who doesn't show it has had no bad request."""
    fake.answers["1.1"] = vector([*lines_of("1.1", total="200", bad="3")[:2], _bad("1.1", "3")])
    fake.answers["1.0"] = vector(lines_of("1.0", total="900", bad=None)[:2])
    query = fake.query(total_metric="requests_total", bad_metric="failures_total")

    [reading] = await source.read([query])

    assert reading is not None
    assert reading.arms[Arm.BASELINE]["shop/a:1"].bad == 0
    assert datetime.now(UTC) - reading.at < timedelta(minutes=1)


def _bad(version: str, value: str) -> Line:
    labels = {"job": "shop", "instance": "a:1", "version": version, "tidegate_part": "bad"}
    return labels, value


# --- gauges and native histograms -------------------------------------------------------------


def gauge_lines(version: str, value: str, *, at: float | None = None) -> list[Line]:
    process = {"job": "shop", "instance": "a:1", "version": version}
    time_of = str(time.time() if at is None else at)
    return [
        ({**process, "tidegate_part": "gauge"}, value),
        ({**process, "tidegate_part": "time"}, time_of),
    ]


def limit_lines(*values: str) -> list[Line]:
    lines: list[Line] = [
        ({"n": str(number), "tidegate_part": "gauge"}, value) for number, value in enumerate(values)
    ]
    times: list[Line] = [
        ({"n": str(number), "tidegate_part": "time"}, str(time.time()))
        for number in range(len(values))
    ]
    return lines + times


NATIVE_BUCKETS: list[object] = [[0, "0.25", "0.5", "3"]]


def native_answer(version: str, buckets: object, *, total: str = "3") -> dict[str, object]:
    """Return what a Prometheus answers for one process with a native histogram."""
    process = {"job": "shop", "instance": "a:1", "version": version}
    answer: Any = vector([({**process, "tidegate_part": "time"}, str(time.time()))])
    shown = {"count": total, "sum": "1", "buckets": buckets}
    answer["data"]["result"].append({"metric": process, "histogram": [time.time(), shown]})
    return answer


@pytest.mark.parametrize("value", ["NaN", "+Inf", "-1"])
async def test_a_gauge_is_passed_on_as_it_is(
    fake: FakePrometheus, source: PrometheusSignals, value: str
) -> None:
    """Whether a value can be believed is for the domain to say."""
    for version in fake.answers:
        fake.answers[version] = vector(gauge_lines(version, value))

    [reading] = await source.read([fake.query(SignalKind.SATURATION, metric="heap_bytes")])

    assert reading is not None
    gauge = reading.arms[Arm.CANDIDATE]["shop/a:1"].gauge
    assert str(gauge) == str(float(value))


async def test_a_gauge_that_doesnt_say_when_is_absent(
    fake: FakePrometheus, source: PrometheusSignals
) -> None:
    """An expression is always as new as the question; without its samples' time it tells nothing."""
    fake.answers["1.1"] = vector(gauge_lines("1.1", "5")[:1])
    fake.answers["1.0"] = vector(gauge_lines("1.0", "5"))

    [reading] = await source.read([fake.query(SignalKind.SATURATION, metric="heap_bytes")])

    assert reading is not None
    assert Arm.CANDIDATE not in reading.arms


@pytest.mark.parametrize("lines", [[], limit_lines("1", "2"), limit_lines("1")[:1]])
async def test_a_limit_is_one_number_with_its_time_or_none(
    fake: FakePrometheus, source: PrometheusSignals, lines: list[Line]
) -> None:
    """Nothing, two numbers, or one without a time can't be held against a limit."""
    fake.answers["1.1"] = vector(lines)

    [reading] = await source.read([fake.query(SignalKind.LIMIT, query="max(lag)")])

    assert reading is None


async def test_a_summary_beside_a_histogram_does_no_harm(
    fake: FakePrometheus, source: PrometheusSignals
) -> None:
    """Its quantiles have the name that a native histogram would have, and are numbers."""
    for version in fake.answers:
        process = {"job": "shop", "instance": "a:1", "version": version}
        fake.answers[version] = vector(
            [
                ({**process, "tidegate_part": "total", "le": "0.1"}, "7"),
                ({**process, "tidegate_part": "total", "le": "+Inf"}, "9"),
                ({**process, "tidegate_part": "time"}, str(time.time())),
                (process, "0.25"),
            ]
        )

    [reading] = await source.read([fake.query(SignalKind.LATENCY, metric="took_seconds")])

    assert reading is not None
    assert reading.bounds == (100.0,)
    assert reading.arms[Arm.CANDIDATE]["shop/a:1"].buckets == (7, 2)


async def test_an_arm_in_another_form_is_not_compared(
    fake: FakePrometheus, source: PrometheusSignals
) -> None:
    """Native buckets and classic ones have no bounds in common: half a comparison is none."""
    fake.answers["1.1"] = native_answer("1.1", NATIVE_BUCKETS)
    process = {"job": "shop", "instance": "a:1", "version": "1.0"}
    fake.answers["1.0"] = vector(
        [
            ({**process, "tidegate_part": "total", "le": "+Inf"}, "9"),
            ({**process, "tidegate_part": "time"}, str(time.time())),
        ]
    )

    [reading] = await source.read([fake.query(SignalKind.LATENCY, metric="took_seconds")])

    assert reading is None


@pytest.mark.parametrize(
    "buckets",
    [
        pytest.param([[0, "0.1", "0.25", "3"]], id="custom bounds"),
        pytest.param([[0, "0.25", "0.5"]], id="half a bucket"),
        pytest.param("many", id="no list"),
    ],
)
async def test_a_histogram_that_cant_be_counted_is_no_reading(
    fake: FakePrometheus, source: PrometheusSignals, buckets: object
) -> None:
    """Buckets that show only where something was counted can't be compared from tick to tick."""
    fake.answers["1.1"] = native_answer("1.1", buckets)
    fake.answers["1.0"] = native_answer("1.0", NATIVE_BUCKETS)

    [reading] = await source.read([fake.query(SignalKind.LATENCY, metric="took_seconds")])

    assert reading is None


async def test_a_native_count_that_is_no_number_holds(
    fake: FakePrometheus, source: PrometheusSignals
) -> None:
    """NaN in a histogram is found by the domain, as in any other count."""
    for version in fake.answers:
        fake.answers[version] = native_answer(version, NATIVE_BUCKETS)
    query = fake.query(SignalKind.LATENCY, metric="took_seconds")
    [before] = await source.read([query])

    fake.answers["1.1"] = native_answer("1.1", NATIVE_BUCKETS, total="NaN")
    fake.answers["1.0"] = native_answer("1.0", NATIVE_BUCKETS)
    [after] = await source.read([query])

    assert before is not None
    assert after is not None
    found = difference(before, after, needs_baseline=True)
    assert isinstance(found, Gap)
    assert found.quality is Quality.NOT_A_NUMBER
