"""What is kept of metrics that are sent by OTLP, and what is refused with which words."""

import math
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from otlp_sender import DELTA, counter, exponential, gauge, histogram, point, process, request

from tidegate.domain.health.readings import Reading, Tick, difference
from tidegate.domain.plan.model import SignalKind
from tidegate.domain.quantities import Arm, ComponentName, Placement, ServiceName, TargetName
from tidegate.drivers.clock.memory import MemoryClock
from tidegate.drivers.signals.otlp import GONE_AFTER, OtlpSignals
from tidegate.errors import InvalidRequestError
from tidegate.ports.signals import SignalQuery, TakenIn

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
T0 = NOW.timestamp()

Json = dict[str, Any]


@pytest.fixture
def clock() -> MemoryClock:
    return MemoryClock(NOW)


@pytest.fixture
def source(clock: MemoryClock) -> OtlpSignals:
    return OtlpSignals(clock=clock)


def query(kind: SignalKind = SignalKind.USAGE, **settings: str) -> SignalQuery:
    usual = {} if kind is SignalKind.LATENCY else {"metric": "orders"}
    return SignalQuery(
        placement=Placement(
            service=ServiceName("shop"), component=ComponentName("code"), target=TargetName("eu-1")
        ),
        signal="any",
        kind=kind,
        source="otlp",
        settings={**usual, **settings},
        arms={
            Arm.CANDIDATE: {"version": "1.1", "members": "b:1"},
            Arm.BASELINE: {"version": "1.0", "members": "a:1,a:2"},
        },
        component_settings_json="{}",
        target_settings_json="{}",
    )


def orders(count: int, *, at: float = T0, started: float = 1.7e9, **more: Any) -> Json:
    return counter("orders", [point({}, at=at, started=started, asInt=str(count))], **more)


def send(source: OtlpSignals, version: str, *metrics: Json, **resource: str) -> TakenIn:
    return source.take_in(request(process(version, f"{version}-1", **resource), *metrics))


async def totals(source: OtlpSignals, arm: Arm = Arm.CANDIDATE, **settings: str) -> list[float]:
    [reading] = await source.read([query(**settings)])
    return [] if reading is None else [one.total for one in reading.arms.get(arm, {}).values()]


async def test_the_newest_value_counts(source: OtlpSignals) -> None:
    """Late, repeated and out of order: only what is newer than what is known changes anything."""
    send(source, "1.1", orders(7, at=T0))

    again = send(source, "1.1", orders(7, at=T0))
    late = send(source, "1.1", orders(3, at=T0 - 5))

    assert again == late == TakenIn()
    assert await totals(source) == [7]


async def test_delta_temporality_is_refused_with_the_way_to_change_it(source: OtlpSignals) -> None:
    """Differences are made here; a sender that makes them itself is told so, and loses nothing else."""
    taken = send(
        source, "1.1", orders(7, temporality=DELTA), gauge("heap", [point({}, at=T0, asInt="4")])
    )

    assert taken.rejected == 1
    assert "orders isn't cumulative" in taken.why
    assert "TEMPORALITY_PREFERENCE=cumulative" in taken.why
    assert await totals(source) == []


@pytest.mark.parametrize("missing", ["service.name", "service.instance.id"])
async def test_a_process_must_name_itself(source: OtlpSignals, missing: str) -> None:
    """Two processes without an instance would be one series that jumps."""
    resource = {key: value for key, value in process("1.1", "b:1").items() if key != missing}

    taken = source.take_in(request(resource, orders(7)))

    assert taken.rejected == 1
    assert missing in taken.why


@pytest.mark.parametrize(
    ("metric", "says"),
    [
        ({"name": "x", "summary": {"dataPoints": [{}, {}]}}, "neither a sum"),
        ({"sum": {"dataPoints": [{}]}}, "no name"),
        (counter("x", [{"timeUnixNano": "1e3"}]), "can't be read"),
        (counter("x", [point({}, at=T0, asInt="many")]), "can't be read"),
        (counter("x", [point({}, at=T0, asInt=True)]), "isn't a number"),
        (counter("x", [point({"a": "b" * 300}, at=T0, asInt="1")]), "longer than"),
        (
            counter("x", [point({f"a{n}": "b" for n in range(65)}, at=T0, asInt="1")]),
            "more than 64",
        ),
        (
            histogram("x", [point({}, at=T0, count="1", explicitBounds=[1], bucketCounts=["1"])]),
            "don't suit",
        ),
        (
            histogram(
                "x",
                [point({}, at=T0, count="1", explicitBounds=[2, 1], bucketCounts=["1", "0", "0"])],
            ),
            "don't suit",
        ),
        (exponential("x", [point({}, at=T0, count="1", scale=99)]), "scale must be"),
        (orders(1, at=T0 + 60), "future"),
        (orders(1, at=T0 - 60), "older than 30 s"),
        (orders(1, at=0.0), "future"),
    ],
)
async def test_points_that_cant_be_used_are_refused_alone(
    source: OtlpSignals, metric: Json, says: str
) -> None:
    """The sender learns why, and the good points of the same request are kept."""
    taken = send(source, "1.1", metric, counter("orders", [point({"k": "v"}, at=T0, asInt="9")]))

    assert taken.rejected >= 1
    assert says in taken.why
    assert await totals(source) == [9]


@pytest.mark.parametrize("document", [None, [], "text", {"resourceMetrics": {}}])
def test_what_is_no_export_is_an_error(source: OtlpSignals, document: object) -> None:
    """A body of another kind isn't an export without metrics."""
    with pytest.raises(InvalidRequestError) as refusal:
        source.take_in(document)

    assert refusal.value.hint


def test_an_empty_export_is_fine(source: OtlpSignals) -> None:
    """The specification lets a sender send nothing."""
    assert source.take_in({}) == TakenIn()


async def test_what_is_kept_is_bounded(clock: MemoryClock) -> None:
    """Beyond the bound new series are refused; those known go on, and room comes back with time."""
    source = OtlpSignals(clock=clock, maximum_numbers=3)
    first = counter("orders", [point({"n": str(n)}, at=T0, asInt="1") for n in range(5)])

    refused = send(source, "1.1", first)
    update = send(source, "1.1", counter("orders", [point({"n": "0"}, at=T0 + 1, asInt="2")]))
    clock.advance(timedelta(minutes=2))
    later = send(source, "1.1", orders(1, at=T0 + 120))

    assert refused.rejected == 2
    assert "more than 3 numbers" in refused.why
    assert update == TakenIn()
    assert later == TakenIn()


async def test_a_process_that_stopped_sending_is_gone(
    source: OtlpSignals, clock: MemoryClock
) -> None:
    """Its last numbers aren't repeated for ever; the other processes stay."""
    send(source, "1.1", orders(7), service__instance__id="b:1")
    send(source, "1.1", orders(5), service__instance__id="b:2")

    clock.advance(GONE_AFTER)
    send(source, "1.1", orders(6, at=T0 + 25), service__instance__id="b:2")
    clock.advance(timedelta(seconds=2))

    assert await totals(source) == [6]


async def test_a_series_that_ended_is_absent(source: OtlpSignals) -> None:
    """A point without a recorded value says that its series is over, which isn't zero."""
    send(source, "1.1", orders(7))

    send(source, "1.1", counter("orders", [point({}, at=T0 + 1, flags=1)]))

    assert await totals(source) == []


async def test_a_restart_under_the_same_name_invents_nothing(
    source: OtlpSignals, clock: MemoryClock
) -> None:
    """Counts of the process before aren't added to those of the new one, whatever it shows first."""
    old = [point({"n": str(n)}, at=T0, started=T0 - 900, asInt="1000") for n in range(3)]
    send(source, "1.1", counter("orders", old))
    send(source, "1.0", orders(5))
    [before] = await source.read([query()])

    clock.advance(timedelta(seconds=5))
    new = [point({"n": "0"}, at=T0 + 5, started=T0 + 2, asInt="4")]
    send(source, "1.1", counter("orders", new))
    send(source, "1.0", orders(6, at=T0 + 5))
    [after] = await source.read([query()])

    assert before is not None
    assert after is not None
    tick = difference(before, after, needs_baseline=True)
    assert isinstance(tick, Tick)
    assert tick.candidate.total <= 4


async def test_other_services_targets_and_versions_are_not_ours(source: OtlpSignals) -> None:
    """A staging process of the same version isn't this target's, nor is another service's."""
    send(source, "1.1", orders(1))
    send(source, "1.1", orders(20), deployment__environment__name="staging")
    send(source, "1.1", orders(300), service__name="other")
    send(source, "0.9", orders(4000))

    assert await totals(source) == [1]
    assert await totals(source, metric='orders{service.name="other"}') == [300]
    assert await totals(source, target_label="cloud.region") == []


async def test_instances_can_tell_the_arms_apart(source: OtlpSignals) -> None:
    """Where the version isn't sent, the members' own names choose the series."""
    for instance, count in (("a:1", 1), ("a:2", 2), ("b:1", 40)):
        send(source, "", orders(count), service__instance__id=instance)

    by_instance = {"arm_label": "service.instance.id"}

    assert sorted(await totals(source, Arm.BASELINE, **by_instance)) == [1, 2]
    assert await totals(source, Arm.CANDIDATE, **by_instance) == [40]


async def test_exponential_histograms_of_one_process_are_added_up(source: OtlpSignals) -> None:
    """Routes have histograms of their own, also at different scales; what all can tell is counted."""
    fast = {"offset": -28, "bucketCounts": ["6", "2"]}
    slow = {"offset": -4, "bucketCounts": ["3"]}
    points = [
        point({"r": "/"}, at=T0, count="8", scale=2, zeroCount="0", positive=fast),
        point({"r": "/x"}, at=T0, count="4", scale=1, zeroCount="1", positive=slow),
    ]
    send(source, "1.1", exponential("http.server.request.duration", points))

    [reading] = await source.read([query(SignalKind.LATENCY)])

    assert isinstance(reading, Reading)
    [counts] = reading.arms[Arm.CANDIDATE].values()
    assert counts.total == 12
    assert sum(counts.buckets) == 12
    # Scale 2: 2^-7 and 2^-6.75 up; both below 2^-6.5, a bound of scale 1 as well.
    place = reading.bounds.index(round(1_000 * 2**-6.5, 6))
    assert sum(counts.buckets[: place + 1]) == 9


async def test_a_histogram_without_a_unit_needs_one(source: OtlpSignals) -> None:
    """Milliseconds taken for seconds would be a thousand times too slow: it is asked, not guessed."""
    points = [point({}, at=T0, count="3", explicitBounds=[250], bucketCounts=["2", "1"])]
    send(source, "1.1", histogram("http.server.request.duration", points, unit=""))

    untold, told = await source.read(
        [query(SignalKind.LATENCY), query(SignalKind.LATENCY, unit="milliseconds")]
    )

    assert untold is None
    assert told is not None
    assert told.bounds == (250.0,)


async def test_a_failure_counter_that_only_one_process_has_exists(source: OtlpSignals) -> None:
    """OpenTelemetry shows a counter with its first event; who has none yet had no failure."""
    failed = counter("failed", [point({}, at=T0, asInt="2")])
    names = {"bad_metric": "failed", "total_metric": "orders"}
    asked = query(SignalKind.ERRORS)
    asked = SignalQuery(
        **{**{name: getattr(asked, name) for name in asked.__slots__}, "settings": names}
    )
    send(source, "1.0", orders(90))
    send(source, "1.1", orders(9))

    [nobody] = await source.read([asked])
    send(source, "1.0", failed)
    [somebody] = await source.read([asked])

    assert nobody is None
    assert somebody is not None
    assert [one.bad for one in somebody.arms[Arm.CANDIDATE].values()] == [0]
    assert [one.bad for one in somebody.arms[Arm.BASELINE].values()] == [2]


async def test_a_reading_is_as_old_as_its_oldest_point(source: OtlpSignals) -> None:
    """One process that lags behind makes the whole comparison as old as itself."""
    send(source, "1.1", orders(7, at=T0 - 20))
    send(source, "1.0", orders(7, at=T0 + 3))

    [reading] = await source.read([query()])

    assert reading is not None
    assert reading.at == NOW - timedelta(seconds=20)


async def test_a_value_that_is_no_number_is_passed_on(source: OtlpSignals) -> None:
    """The source repairs nothing; the domain holds for it."""
    send(source, "1.1", counter("orders", [point({}, at=T0, asDouble="NaN")]))

    [total] = await totals(source)

    assert math.isnan(total)


def test_points_carry_the_present_by_default() -> None:
    """The ground of the contract's tests: a point made without a time is of now."""
    made = point({}, asInt="1")

    assert abs(int(made["timeUnixNano"]) / 1e9 - time.time()) < 60
