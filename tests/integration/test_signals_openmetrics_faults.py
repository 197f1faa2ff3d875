"""
What the scraping source makes of members that hang, break off or show nonsense.

Members are small HTTP servers on real sockets. A member whose page can't be believed has no series;
its neighbours keep theirs.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from tidegate.domain.health.readings import Gap, Quality, Reading, difference
from tidegate.domain.plan.model import SignalKind
from tidegate.domain.quantities import Arm, ComponentName, Placement, ServiceName, TargetName
from tidegate.drivers.clock.system import SystemClock
from tidegate.drivers.signals.bodies import MAXIMUM_BODY_BYTES
from tidegate.drivers.signals.openmetrics import OpenMetricsSignals
from tidegate.lab.web import Request, Response, WebServer
from tidegate.ports.signals import SignalQuery
from tidegate.testing.contracts.signals import COUNTED_KINDS

OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
TEXT = "text/plain; version=0.0.4"

HONEST = """\
# TYPE requests counter
requests_total{code="200"} 90
requests_total{code="500"} 10
# TYPE failures counter
# TYPE duration_seconds histogram
duration_seconds_bucket{le="0.1"} 80
duration_seconds_bucket{le="1.0"} 95
duration_seconds_bucket{le="+Inf"} 100
duration_seconds_count 100
duration_seconds_sum 12.5
# EOF
"""
"""Counts of 100 requests, 10 of them bad."""

OK = 'requests_total{code="200"}'

Answer = Callable[[Request], Awaitable[Response]]


class Member:
    """A member that shows `page`, or answers as `instead` says."""

    def __init__(self) -> None:
        self.page = HONEST
        self.content_type = OPENMETRICS
        self.instead: Answer | None = None
        self.scrape_count = 0
        self.port = 0
        self.server = WebServer(self._handle)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def _handle(self, request: Request) -> Response:
        self.scrape_count += 1
        if self.instead is not None:
            return await self.instead(request)
        return Response(body=self.page.encode(), content_type=self.content_type)


@pytest.fixture
async def members() -> AsyncIterator[list[Member]]:
    """Three members: the first two serve the candidate, the third the baseline."""
    started = [Member() for _ in range(3)]
    for member in started:
        member.port = await member.server.start("127.0.0.1", 0)
    yield started
    for member in started:
        await member.server.stop()


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False, timeout=3_600) as opened:
        yield opened


@pytest.fixture
def source(client: httpx.AsyncClient) -> OpenMetricsSignals:
    """Waits so long that no member is given up because the machine is busy."""
    return OpenMetricsSignals(
        clock=SystemClock(), client=client, scrape_timeout=timedelta(seconds=60)
    )


def query(
    members: list[Member], kind: SignalKind = SignalKind.ERRORS, **settings: str
) -> SignalQuery:
    usual = {
        SignalKind.ERRORS: {"metric": "requests_total"},
        SignalKind.USAGE: {"metric": 'requests_total{code="200"}'},
        SignalKind.LATENCY: {"metric": "duration_seconds"},
        SignalKind.TRAFFIC: {"metric": "requests_total"},
    }
    return SignalQuery(
        placement=Placement(
            service=ServiceName("shop"),
            component=ComponentName("code"),
            target=TargetName("eu-1"),
        ),
        signal=kind.value,
        kind=kind,
        source="openmetrics",
        settings=settings or usual[kind],
        arms={
            Arm.CANDIDATE: {"members": f"{members[0].address}, {members[1].address}"},
            Arm.BASELINE: {"members": members[2].address},
        },
        component_settings_json="{}",
        target_settings_json="{}",
    )


def series_of(reading: Reading | None, arm: Arm) -> set[str]:
    return set() if reading is None else set(reading.arms.get(arm, {}))


async def test_members_of_an_arm_are_kept_apart(
    members: list[Member], source: OpenMetricsSignals
) -> None:
    """Each process is a series, so that one that restarts is seen among those that don't."""
    [reading] = await source.read([query(members)])

    assert series_of(reading, Arm.CANDIDATE) == {members[0].address, members[1].address}
    assert reading is not None
    counts = reading.arms[Arm.CANDIDATE][members[0].address]
    assert (counts.total, counts.bad) == (100, 10)


async def test_a_member_is_scraped_once_for_all_queries(
    members: list[Member], source: OpenMetricsSignals
) -> None:
    """However many signals need a page, a member shows it once per call."""
    await source.read([query(members, kind) for kind in COUNTED_KINDS])

    assert [member.scrape_count for member in members] == [1, 1, 1]


async def _unavailable(request: Request) -> Response:
    return Response(status=503, body=HONEST.encode(), content_type=OPENMETRICS)


async def _huge(request: Request) -> Response:
    # A page that would be good if it weren't so large.
    body = HONEST.removesuffix("# EOF\n").encode() + b"\n" * MAXIMUM_BODY_BYTES
    return Response(body=body, content_type=TEXT)


@pytest.mark.parametrize("instead", [_unavailable, _huge])
async def test_a_member_that_fails_takes_no_other_along(
    members: list[Member], source: OpenMetricsSignals, instead: Answer
) -> None:
    """One bad member has no series; its neighbour and the other arm keep theirs."""
    members[0].instead = instead

    [reading] = await source.read([query(members)])

    assert series_of(reading, Arm.CANDIDATE) == {members[1].address}
    assert series_of(reading, Arm.BASELINE) == {members[2].address}


async def test_a_member_that_hangs_is_given_up_alone(
    members: list[Member], client: httpx.AsyncClient
) -> None:
    """The bound is each member's own: one that never answers has no series, its neighbours do."""

    async def hanging(request: Request) -> Response:
        await asyncio.Event().wait()
        return Response()

    members[0].instead = hanging
    source = OpenMetricsSignals(
        clock=SystemClock(), client=client, scrape_timeout=timedelta(seconds=5)
    )

    async with asyncio.timeout(60):
        [reading] = await source.read([query(members)])

    assert series_of(reading, Arm.CANDIDATE) == {members[1].address}
    assert series_of(reading, Arm.BASELINE) == {members[2].address}


@pytest.mark.parametrize(
    ("page", "content_type"),
    [
        pytest.param(HONEST.removesuffix("# EOF\n"), OPENMETRICS, id="the end is missing"),
        pytest.param(f"{OK} 9", TEXT, id="cut off in a number"),
        pytest.param("", OPENMETRICS, id="nothing"),
        pytest.param("<html>sign in</html>\n", TEXT, id="another page"),
        pytest.param(f"{OK} 5\n{OK} 5\n", TEXT, id="a series twice"),
        pytest.param(
            f"# TYPE requests counter\n{OK} 5\n{OK} 6\n# EOF\n",
            OPENMETRICS,
            id="a series twice, in OpenMetrics",
        ),
        pytest.param(f"{OK} five\n", TEXT, id="no number"),
        pytest.param(f"# TYPE requests_total gauge\n{OK} 5\n", TEXT, id="a gauge"),
        pytest.param('requests_total{status="500"} 5\n', TEXT, id="no label code"),
    ],
)
async def test_a_page_that_cant_be_believed_is_no_series(
    members: list[Member], source: OpenMetricsSignals, page: str, content_type: str
) -> None:
    """A page counts whole or not at all."""
    members[0].page, members[0].content_type = page, content_type

    [reading] = await source.read([query(members)])

    assert series_of(reading, Arm.CANDIDATE) == {members[1].address}


async def test_values_that_arent_numbers_are_passed_on_and_held(
    members: list[Member], source: OpenMetricsSignals
) -> None:
    """NaN is neither zero nor absent: the domain sees it and holds."""
    [before] = await source.read([query(members)])

    members[0].page, members[0].content_type = 'requests_total{code="200"} NaN\n', TEXT
    [after] = await source.read([query(members)])

    assert before is not None
    assert after is not None
    found = difference(before, after, needs_baseline=True)
    assert isinstance(found, Gap)
    assert found.quality is Quality.NOT_A_NUMBER


async def test_a_process_that_began_again_is_another_series(
    members: list[Member], source: OpenMetricsSignals
) -> None:
    """Also one that has counted more than before by the time it is seen is known as a new one."""
    names = []
    for started in (1_000, 2_000):
        members[2].page = f"process_start_time_seconds {started}\n{OK} {started}\n"
        members[2].content_type = TEXT
        [reading] = await source.read([query(members)])
        names.append(series_of(reading, Arm.BASELINE))

    assert names == [
        {f"{members[2].address} since 1000.000"},
        {f"{members[2].address} since 2000.000"},
    ]


async def test_an_arm_nobody_answers_for_is_absent(
    members: list[Member], source: OpenMetricsSignals
) -> None:
    """Without any member that answers, the arm isn't in the reading."""
    for member in members[:2]:
        await member.server.stop()

    [reading] = await source.read([query(members)])

    assert reading is not None
    assert Arm.CANDIDATE not in reading.arms
    assert series_of(reading, Arm.BASELINE) == {members[2].address}


@pytest.mark.parametrize("address", ["not an address", "127.0.0.1:notaport", "[::1", "h:99999"])
async def test_an_address_that_isnt_one_is_no_series(
    members: list[Member], source: OpenMetricsSignals, address: str
) -> None:
    """A member with a broken name is a member that doesn't answer."""
    asked = query(members)
    broken = replace(asked, arms={**asked.arms, Arm.CANDIDATE: {"members": address}})

    [reading] = await source.read([broken])

    assert series_of(reading, Arm.CANDIDATE) == set()
    assert series_of(reading, Arm.BASELINE) == {members[2].address}


async def test_a_page_that_says_its_own_time_is_believed(
    members: list[Member], source: OpenMetricsSignals
) -> None:
    """A page that repeats what was counted a while ago shows as that old."""
    members[0].page = 'requests_total{code="200"} 90 1700000000000\n'
    members[0].content_type = TEXT

    [reading] = await source.read([query(members)])

    assert reading is not None
    assert reading.at == datetime.fromtimestamp(1_700_000_000, tz=UTC)


async def test_a_declared_counter_without_points_is_zero(
    members: list[Member], source: OpenMetricsSignals
) -> None:
    """A counter that the page announces has counted nothing yet; one it doesn't is unknown."""
    declared = query(members, total_metric="requests_total", bad_metric="failures_total")
    misspelt = query(members, total_metric="requests_total", bad_metric="failuers_total")

    zero, unknown = await source.read([declared, misspelt])

    assert zero is not None
    assert zero.arms[Arm.BASELINE][members[2].address].bad == 0
    assert unknown is None


async def test_histograms_meet_in_the_bounds_they_share(
    members: list[Member], source: OpenMetricsSignals
) -> None:
    """A candidate that changed its buckets is still compared, at the bounds that both have."""
    members[0].page = HONEST.replace('le="0.1"', 'le="0.2"')

    [reading] = await source.read([query(members, SignalKind.LATENCY)])

    assert reading is not None
    assert reading.bounds == (1_000.0,)
    assert reading.arms[Arm.CANDIDATE][members[0].address].buckets == (95, 5)


async def test_histograms_that_share_no_bound_are_no_reading(
    members: list[Member], source: OpenMetricsSignals
) -> None:
    """With nothing in common there is nothing to compare."""
    other = HONEST.replace('le="0.1"', 'le="0.2"').replace('le="1.0"', 'le="2.0"')
    members[0].page = other

    [reading] = await source.read([query(members, SignalKind.LATENCY)])

    assert reading is None


async def test_the_path_is_the_authors(members: list[Member], source: OpenMetricsSignals) -> None:
    """A service may show its page elsewhere than at /metrics."""
    seen: list[str] = []

    async def noting(request: Request) -> Response:
        seen.append(request.path)
        return Response(body=HONEST.encode(), content_type=OPENMETRICS)

    members[2].instead = noting

    await source.read([query(members, metric="requests_total", path="/internal/metrics")])

    assert seen == ["/internal/metrics"]
