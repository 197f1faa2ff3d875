"""Past traffic from a Prometheus: what is asked, what is made of the answers, what isn't believed."""

import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest

from tidegate.domain.plan.traffic import HOUR
from tidegate.domain.quantities import TargetName
from tidegate.drivers.signals.prometheus_history import PrometheusHistory
from tidegate.errors import SignalSourceError
from tidegate.ports.traffic_history import HistoryQuery
from tidegate.testing.builders import a_signal

BEGIN = datetime(2030, 1, 7, 9, tzinfo=UTC)
Answer = Callable[[str], tuple[int, Any]]


def matrix(*values: tuple[float, str]) -> dict[str, Any]:
    series = [{"metric": {}, "values": [list(value) for value in values]}] if values else []
    return {"status": "success", "data": {"resultType": "matrix", "result": series}}


def a_query(**settings: str) -> HistoryQuery:
    return HistoryQuery(
        spec=a_signal(source="prometheus://127.0.0.1:9090", settings=tuple(settings.items())),
        target=TargetName("eu"),
        begin=BEGIN,
        end=BEGIN + 3 * HOUR,
    )


class Server:
    """A Prometheus that answers as told and remembers what it was asked."""

    def __init__(self, answer: Answer) -> None:
        self.asked: list[dict[str, str]] = []
        self._answer = answer

    def __call__(self, request: httpx.Request) -> httpx.Response:
        form = {name: values[0] for name, values in parse_qs(request.content.decode()).items()}
        self.asked.append(form)
        status, body = self._answer(form["query"])
        text = body if isinstance(body, str) else json.dumps(body)
        return httpx.Response(status, stream=Body(text.encode()))


class Body(httpx.AsyncByteStream):
    """A body that is still to be read, as one from the network is."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._content


async def read(server: Server, query: HistoryQuery) -> list[tuple[datetime, int, int]]:
    async with httpx.AsyncClient(transport=httpx.MockTransport(server)) as client:
        hours = await PrometheusHistory(client=client).hours(query)
    assert {(hour.target, hour.watched) for hour in hours} <= {("eu", HOUR)}
    return [(hour.hour, hour.requests, hour.bad) for hour in hours]


async def test_hours_come_from_two_range_queries() -> None:
    """All and bad requests of both arms together, by the hour that ended at the sample's time."""
    second, third = BEGIN + 2 * HOUR, BEGIN + 3 * HOUR

    def answer(query: str) -> tuple[int, Any]:
        if "code=" in query:
            return 200, matrix((third.timestamp(), "3.4"))
        return 200, matrix((second.timestamp(), "3600.2"), (third.timestamp(), "7199.9"))

    server = Server(answer)

    found = await read(server, a_query())

    assert found == [(second - HOUR, 3_600, 0), (third - HOUR, 7_200, 3)]
    assert [asked["query"] for asked in server.asked] == [
        "sum(increase(http_requests_total[1h]))",
        'sum(increase(http_requests_total{code=~"5.."}[1h]))',
    ]
    assert server.asked[0]["step"] == "3600"
    assert float(server.asked[0]["start"]) == (BEGIN + HOUR).timestamp()
    assert float(server.asked[0]["end"]) == third.timestamp()


async def test_a_query_that_names_the_target_is_asked_for_that_target() -> None:
    """By the label that the signal says."""
    server = Server(lambda _: (200, matrix()))
    ratio = "sum(rate(bad_total{$arm,$target}[5m])) / sum(rate(all_total{$arm,$target}[5m]))"

    found = await read(server, a_query(query=ratio, target_label="region"))

    assert found == []
    assert [asked["query"] for asked in server.asked] == [
        'sum(increase(all_total{region="eu"}[1h]))',
        'sum(increase(bad_total{region="eu"}[1h]))',
    ]


@pytest.mark.parametrize("text", ["NaN", "+Inf", "-3", "many"])
async def test_hours_without_a_number_are_hours_without_data(text: str) -> None:
    """They are absent: a forecast takes the mean of the others for them."""
    at = (BEGIN + HOUR).timestamp()
    server = Server(lambda _: (200, matrix((at, text))))

    assert await read(server, a_query()) == []


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (503, ""),
        (200, "<html>"),
        (200, {"status": "error"}),
        (200, {"status": "success", "data": {"resultType": "vector"}}),
        (200, matrix((1.0, "1"))["data"]),
        (200, matrix(("x", "1"))),  # type: ignore[arg-type]
    ],
)
async def test_what_isnt_a_history_is_an_error(status: int, body: Any) -> None:
    """Nothing is made of it."""
    server = Server(lambda _: (status, body))

    with pytest.raises(SignalSourceError, match="tells nothing of past traffic"):
        await read(server, a_query())


async def test_more_bad_requests_than_all_are_all_of_them() -> None:
    """`increase` extrapolates each counter by itself; the share can't exceed one."""
    at = (BEGIN + HOUR).timestamp()

    def answer(query: str) -> tuple[int, Any]:
        return (200, matrix((at, "12" if "code=" in query else "10")))

    assert await read(Server(answer), a_query()) == [(BEGIN, 10, 10)]


async def test_an_address_that_is_none_is_an_error() -> None:
    """As is a signal whose settings name no counter."""
    query = a_query(query="histogram_quantile(0.9, x)")
    server = Server(lambda _: (200, matrix()))

    with pytest.raises(SignalSourceError):
        await read(server, query)

    assert server.asked == []
