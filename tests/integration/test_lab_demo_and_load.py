"""The lab's demo service and its load as the lab runs them: processes on real sockets."""

import asyncio
import json
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from tidegate.drivers.signals.exposition import Page, read_page
from tidegate.lab.demo import CRASH_EXIT_STATUS
from tidegate.lab.faults import LOAD_CONTROL_NAME, break_candidate, fault_path, heal
from tidegate.lab.files import write_json
from tidegate.lab.load_report import LoadSummary, report_lines, summarise
from tidegate.lab.web import Request, Response, WebServer

WITHIN_SECONDS = 20.0
ORDER_HEADERS = {"content-type": "application/json"}


class Demo:
    """One process of the demo service; `lines` is what it wrote until it listened."""

    def __init__(self, process: asyncio.subprocess.Process, port: int, lines: list[str]) -> None:
        self.process = process
        self.port = port
        self.lines = lines
        self.url = f"http://127.0.0.1:{port}"


async def start(module: str, *arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


async def end(process: asyncio.subprocess.Process) -> str:
    """Kill *process* if it still runs and return what it wrote."""
    if process.returncode is None:
        process.kill()
    output, _ = await process.communicate()
    return output.decode()


async def start_demo(folder: Path, version: str) -> asyncio.subprocess.Process:
    # A seed in which the first requests are among the 1,999 of 2,000 that don't fail.
    return await start(
        "tidegate.lab.demo",
        *("--port", "0", "--version", version, "--faults", str(folder), "--seed", "7"),
    )


@asynccontextmanager
async def running_demo(folder: Path, version: str = "1.1") -> AsyncIterator[Demo]:
    process = await start_demo(folder, version)
    try:
        assert process.stdout is not None
        lines: list[str] = []
        while not lines or not lines[-1].startswith("listening on"):
            lines.append((await process.stdout.readline()).decode())
            assert lines[-1], lines
        yield Demo(process, int(lines[-1].strip().rsplit(":", 1)[1]), lines)
    finally:
        await end(process)


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False, timeout=WITHIN_SECONDS) as opened:
        yield opened


async def metrics(client: httpx.AsyncClient, demo: Demo) -> Page:
    answer = await client.get(f"{demo.url}/metrics")
    return read_page(answer.content, answer.headers["content-type"])


def requests_of(page: Page, code: str) -> float:
    points = page.points["demo_requests_total"]
    return sum(point.value for point in points if point.labels["code"] == code)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(WITHIN_SECONDS):
        while not holds():
            await asyncio.sleep(0.02)


async def test_the_shop_serves_and_counts(tmp_path: Path, client: httpx.AsyncClient) -> None:
    """A person sees a page and can order; the counts are those of what was asked."""
    async with running_demo(tmp_path) as demo:
        page = await client.get(demo.url)
        order = await client.post(f"{demo.url}/order", content=b"{}", headers=ORDER_HEADERS)
        missing = await client.get(f"{demo.url}/nothing")
        wrong = await client.get(f"{demo.url}/order")
        health = await client.get(f"{demo.url}/healthz")
        counted = await metrics(client, demo)

    assert "served by version 1.1" in page.text
    assert page.headers["x-demo-version"] == "1.1"
    assert order.json()["thanks"]
    assert (missing.status_code, wrong.status_code, health.status_code) == (404, 405, 200)
    assert wrong.headers["allow"] == "POST"
    assert counted.points["demo_orders_total"][0].value == 1
    assert sum(point.value for point in counted.points["demo_requests_total"]) == 4


async def test_a_fault_begins_and_ends_while_the_shop_runs(
    tmp_path: Path, client: httpx.AsyncClient
) -> None:
    """Errors appear when the version is broken and go when it is healed; health stays green."""
    async with running_demo(tmp_path) as demo:

        async def status_becomes(wanted: int) -> None:
            async with asyncio.timeout(WITHIN_SECONDS):
                while (await client.get(demo.url)).status_code != wanted:
                    await asyncio.sleep(0.02)

        await status_becomes(200)
        break_candidate(tmp_path, "1.1", "errors", errors=1.0)
        await status_becomes(500)
        health = await client.get(f"{demo.url}/healthz")
        heal(tmp_path)
        await status_becomes(200)

    assert health.status_code == 200


async def test_forgotten_orders_look_like_placed_ones(
    tmp_path: Path, client: httpx.AsyncClient
) -> None:
    """A drop in usage shows in no status: only the count of orders tells."""
    break_candidate(tmp_path, "1.1", "usage-drop", usage_drop=1.0)

    async with running_demo(tmp_path) as demo:
        answers = [
            await client.post(f"{demo.url}/order", content=b"{}", headers=ORDER_HEADERS)
            for _ in range(20)
        ]
        page = await metrics(client, demo)

    thanked = [answer for answer in answers if answer.status_code == 200]
    assert all(answer.json()["thanks"] for answer in thanked)
    assert requests_of(page, "200") == len(thanked)
    assert page.points["demo_orders_total"][0].value == 0


async def test_latency_is_added(tmp_path: Path, client: httpx.AsyncClient) -> None:
    """A slow version answers as ever, only later, and its own histogram shows it."""
    break_candidate(tmp_path, "1.1", "latency", latency_ms=300)

    async with running_demo(tmp_path) as demo:
        await client.get(demo.url)
        page = await metrics(client, demo)

    buckets = page.points["demo_request_duration_seconds_bucket"]
    quick = next(point.value for point in buckets if point.labels["le"] == "0.25")
    assert quick == 0


async def test_a_version_can_crash_at_start(tmp_path: Path) -> None:
    """Such a process never listens, and other versions aren't touched."""
    break_candidate(tmp_path, "1.1", "crash-at-start")

    process = await start_demo(tmp_path, "1.1")
    output = await end_by_itself(process)
    async with running_demo(tmp_path, version="1.0"):
        pass

    assert process.returncode == CRASH_EXIT_STATUS
    assert "listening" not in output


async def test_a_version_can_crash_later(tmp_path: Path) -> None:
    """Such a process listens first, and ends without a drain."""
    break_candidate(tmp_path, "1.1", "crash-later", crash_after_seconds=0.1)

    process = await start_demo(tmp_path, "1.1")
    output = await end_by_itself(process)

    assert process.returncode == CRASH_EXIT_STATUS
    assert "listening" in output


async def end_by_itself(process: asyncio.subprocess.Process) -> str:
    try:
        async with asyncio.timeout(WITHIN_SECONDS):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            await end(process)
    return output.decode()


async def test_a_damaged_fault_file_changes_nothing(
    tmp_path: Path, client: httpx.AsyncClient
) -> None:
    """The shop tells of it and goes on as it was."""
    fault_path(tmp_path, "1.1").write_text("{")

    async with running_demo(tmp_path) as demo:
        answer = await client.get(demo.url)

    assert answer.status_code == 200
    assert "isn't JSON" in demo.lines[0]


async def test_sigterm_answers_what_is_in_flight(tmp_path: Path, client: httpx.AsyncClient) -> None:
    """A request that the process had taken is answered, and then the process ends with 0."""
    break_candidate(tmp_path, "1.1", "latency", latency_ms=700)

    async with running_demo(tmp_path) as demo:
        reader, writer = await asyncio.open_connection("127.0.0.1", demo.port)
        writer.write(b"GET /healthz HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n")
        await reader.readuntil(b"ok\n")
        demo.process.send_signal(signal.SIGTERM)
        rest = (await reader.read()).decode()
        writer.close()
        await writer.wait_closed()
        output = await end_by_itself(demo.process)

    assert rest.startswith("HTTP/1.1 ")
    assert "connection: close" in rest
    assert rest.endswith(("</html>\n", "something broke\n"))
    assert demo.process.returncode == 0, output


async def run_load(url: str, folder: Path, *, seconds: float, rate: float = 200) -> LoadSummary:
    report = folder / "report.jsonl"
    began = datetime.now(UTC)
    process = await start(
        "tidegate.lab.load",
        *("--url", url, "--rate", str(rate), "--users", "500", "--report", str(report)),
        *("--control", str(folder / LOAD_CONTROL_NAME), "--seconds", str(seconds)),
    )
    output = await end_by_itself(process)
    assert process.returncode == 0, output
    return summarise(report_lines(report), began, datetime.now(UTC) + timedelta(seconds=2))


async def test_the_load_reports_what_the_service_counted(
    tmp_path: Path, client: httpx.AsyncClient
) -> None:
    """Both sides agree on every request: none lost, none counted twice."""
    async with running_demo(tmp_path) as demo:
        summary = await run_load(demo.url, tmp_path, seconds=2.5)
        page = await metrics(client, demo)

    seen = summary.version("1.1")
    assert summary.lost == summary.unsent == 0
    assert set(summary.versions) == {"1.1"}
    assert seen.failed == requests_of(page, "500")
    assert seen.total == requests_of(page, "200") + requests_of(page, "500")
    assert seen.orders == page.points["demo_orders_total"][0].value
    assert 0 < seen.orders < seen.total / 2
    assert 0 < seen.user_minutes <= 2 * 500


async def test_the_load_tells_what_is_lost(tmp_path: Path) -> None:
    """Where nobody listens each request is lost, and belongs to no version."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        summary = await run_load(
            f"http://127.0.0.1:{taken.getsockname()[1]}", tmp_path, seconds=0.5
        )

    assert summary.total > 0
    assert summary.lost == summary.total
    assert list(summary.versions) == [""]


async def test_an_answer_that_breaks_off_is_lost(tmp_path: Path) -> None:
    """Half an answer is no answer for a user, though the version that gave it is known."""

    async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nx-demo-version: 1.1\r\ncontent-length: 50\r\n\r\nhalf")
        writer.close()

    server = await asyncio.start_server(half, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        summary = await run_load(f"http://127.0.0.1:{port}", tmp_path, seconds=0.3, rate=50)

    seen = summary.version("1.1")
    assert seen.total > 0
    assert seen.lost == seen.total
    assert seen.last_response_at is None


class Splitter:
    """A sticky split of users between two versions, as a proxy would make it."""

    def __init__(self) -> None:
        self.candidate_percent = 5
        self.versions_of: dict[str, set[str]] = {}
        self.candidate_count = 0
        self.count_since_candidate = 0
        self.total_count = 0
        self.server = WebServer(self._handle)

    async def _handle(self, request: Request) -> Response:
        user = request.headers["cookie"]
        is_candidate = int(user.removeprefix("tg=u")) % 100 < self.candidate_percent
        version = "1.1" if is_candidate else "1.0"
        self.versions_of.setdefault(user, set()).add(version)
        self.total_count += 1
        self.candidate_count += is_candidate
        self.count_since_candidate = 0 if is_candidate else self.count_since_candidate + 1
        return Response(headers=(("x-demo-version", version),))


@asynccontextmanager
async def running_load(
    folder: Path, splitter: Splitter, *, users: int = 500
) -> AsyncIterator[asyncio.subprocess.Process]:
    port = await splitter.server.start("127.0.0.1", 0)
    process = await start(
        "tidegate.lab.load",
        *("--url", f"http://127.0.0.1:{port}", "--users", str(users)),
        *("--report", str(folder / "report.jsonl"), "--control", str(folder / LOAD_CONTROL_NAME)),
    )
    try:
        yield process
    finally:
        await end(process)
        await splitter.server.stop()


async def test_silence_leaves_the_candidate_without_users(tmp_path: Path) -> None:
    """While a version is avoided, hardly anybody meets it, and the rest is as busy as ever."""
    splitter = Splitter()
    async with running_load(tmp_path, splitter):
        await until(lambda: splitter.candidate_count >= 5)

        break_candidate(tmp_path, "1.1", "silence")
        # By chance, 200 in a row miss a share of 5 % once in 28,000 times.
        await until(lambda: splitter.count_since_candidate >= 200)
        heal(tmp_path)
        healed_at = splitter.candidate_count
        await until(lambda: splitter.candidate_count >= healed_at + 5)


async def test_a_user_keeps_their_number(tmp_path: Path) -> None:
    """A sticky proxy sees the same users again and again, each on one side."""
    splitter = Splitter()
    async with running_load(tmp_path, splitter, users=20):
        await until(lambda: splitter.total_count >= 200)

    assert len(splitter.versions_of) == 20
    assert all(len(versions) == 1 for versions in splitter.versions_of.values())


async def test_the_rate_can_be_changed_while_it_runs(tmp_path: Path) -> None:
    """The control file rules the rate, and a damaged or silly one changes nothing."""
    splitter = Splitter()
    async with running_load(tmp_path, splitter) as process:
        await until(lambda: splitter.total_count >= 20)

        write_json(tmp_path / LOAD_CONTROL_NAME, {"rate": -5})
        await until(lambda: splitter.total_count >= 100)
        write_json(tmp_path / LOAD_CONTROL_NAME, {"rate": 0})
        assert process.stdout is not None
        complaint = (await process.stdout.readline()).decode()
        stopped_at = -1
        async with asyncio.timeout(WITHIN_SECONDS):
            while stopped_at != splitter.total_count:
                stopped_at = splitter.total_count
                await asyncio.sleep(0.5)
        write_json(tmp_path / LOAD_CONTROL_NAME, {"rate": 400})
        await until(lambda: splitter.total_count >= stopped_at + 20)

    assert "rate must be" in complaint


async def test_the_load_ends_cleanly_on_sigterm(tmp_path: Path) -> None:
    """What is in flight is waited for and the last second is written."""
    splitter = Splitter()
    async with running_load(tmp_path, splitter) as process:
        await until(lambda: splitter.total_count >= 50)
        process.send_signal(signal.SIGTERM)
        output = await end_by_itself(process)

    lines = report_lines(tmp_path / "report.jsonl")
    sent = sum(json.loads(line)["sent"] for line in lines)
    settled = sum(
        version["total"] for line in lines for version in json.loads(line)["versions"].values()
    )
    assert process.returncode == 0, output
    assert sent == settled == splitter.total_count
