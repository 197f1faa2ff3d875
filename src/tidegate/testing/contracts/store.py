"""
What every store promises, as tests. Third parties run it against theirs too.

Subclass it and override `store`; where a database can be opened by several servers, override
`another` as well. No test here may ask which store it runs on.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tidegate.domain.plan.traffic import TrafficHour
from tidegate.domain.quantities import RolloutId, ServiceName, TargetName
from tidegate.ports.store import (
    EvidencePoint,
    LastKnownGood,
    Remembered,
    ServiceRecord,
    Store,
    StoredEvidence,
    StoredTick,
)
from tidegate.testing.builders import BASELINE, START, a_placement
from tidegate.testing.contracts.store_alarms import AlarmPromises
from tidegate.testing.contracts.store_filed import FiledPromises
from tidegate.testing.contracts.store_ledger import (
    LedgerPromises,
    OutboxPromises,
    TransactionPromises,
)
from tidegate.testing.contracts.store_rollouts import (
    ClaimPromises,
    GenerationPromises,
    QueuePromises,
    RolloutPromises,
)

R1 = RolloutId("r-1")
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


def some_evidence(ticks: int, *, attempt: int = 1) -> StoredEvidence:
    """Return evidence after *ticks* ticks."""
    return StoredEvidence(
        rollout_id=R1,
        attempt=attempt,
        ticks=ticks,
        at=START + timedelta(seconds=10 * ticks),
        state_json=f'{{"ticks": {ticks}}}',
        evidence_json='{"verdict": "insufficient"}',
    )


def a_tick(number: int) -> StoredTick:
    """Return the tick *number*."""
    return StoredTick(number=number, tick_json=f'{{"candidate": [{number}, "ä\\n"]}}')


def a_point(seconds: int, *, rollout_id: str = "r-1") -> EvidencePoint:
    """Return a point for a chart, *seconds* after the start."""
    return EvidencePoint(
        rollout_id=RolloutId(rollout_id),
        attempt=1,
        at=START + timedelta(seconds=seconds),
        phase_index=0,
        numbers_json=f'{{"after": {seconds}}}',
    )


def an_hour(
    *,
    target: str = "eu",
    hour: datetime = START,
    requests: int = 100,
    bad: int = 1,
    people: int | None = None,
) -> TrafficHour:
    """Return ten seconds of an hour's traffic."""
    return TrafficHour(
        target=TargetName(target),
        hour=hour,
        watched=timedelta(seconds=10),
        requests=requests,
        bad=bad,
        people=people,
    )


class EvidencePromises:
    """Tests about evidence and ticks."""

    def test_evidence_is_replaced_by_newer_evidence(self, store: Store) -> None:
        """There is one state of a rollout's tests."""
        with store.begin() as transaction:
            transaction.save_evidence(some_evidence(1), [a_tick(1)])
            transaction.save_evidence(some_evidence(2, attempt=2), [])

        with store.begin() as transaction:
            assert transaction.evidence(R1) == some_evidence(2, attempt=2)
            assert transaction.evidence(RolloutId("r-2")) is None

    @pytest.mark.parametrize("count", [1, 63, 64, 65, 200])
    @pytest.mark.parametrize("at_once", [1, 7, 200])
    def test_ticks_come_back_in_order(self, store: Store, count: int, at_once: int) -> None:
        """However they are kept, and however many were saved at once."""
        ticks = [a_tick(number) for number in range(1, count + 1)]

        for first in range(0, count, at_once):
            part = ticks[first : first + at_once]
            with store.begin() as transaction:
                transaction.save_evidence(some_evidence(part[-1].number), part)

        with store.begin() as transaction:
            assert list(transaction.ticks(R1, 1)) == ticks
            assert list(transaction.ticks(R1, 1, through=count // 2)) == ticks[: count // 2]
            assert list(transaction.ticks(R1, 2)) == []
            assert list(transaction.ticks(RolloutId("r-2"), 1)) == []

    @pytest.mark.parametrize("again", [1, 64, 65, 70])
    def test_a_tick_that_is_stored_already_is_ignored(self, store: Store, again: int) -> None:
        """A watcher that starts again may say the last ones twice."""
        ticks = [a_tick(number) for number in range(1, 71)]
        changed = StoredTick(number=again, tick_json='"changed"')
        with store.begin() as transaction:
            transaction.save_evidence(some_evidence(70), ticks)

        with store.begin() as transaction:
            transaction.save_evidence(some_evidence(71), [changed, a_tick(71)])

        with store.begin() as transaction:
            assert list(transaction.ticks(R1, 1)) == [*ticks, a_tick(71)]

    def test_ticks_need_not_come_in_order(self, store: Store) -> None:
        """A gap stays a gap until it's filled, even between ticks that were packed."""
        late = 30
        early = [a_tick(number) for number in range(1, 200) if number != late]
        with store.begin() as transaction:
            transaction.save_evidence(some_evidence(199), early)

        with store.begin() as transaction:
            before = list(transaction.ticks(R1, 1))
            transaction.save_evidence(some_evidence(199), [a_tick(late)])
            after = list(transaction.ticks(R1, 1))

        assert before == early
        assert after == [a_tick(number) for number in range(1, 200)]

    def test_attempts_have_ticks_of_their_own(self, store: Store) -> None:
        """A resumed phase proves itself again, from its first tick."""
        with store.begin() as transaction:
            for attempt in (1, 2):
                ticks = [
                    StoredTick(number=number, tick_json=f"{attempt}") for number in range(1, 66)
                ]
                transaction.save_evidence(some_evidence(65, attempt=attempt), ticks)

        with store.begin() as transaction:
            for attempt in (1, 2):
                ticks_of = transaction.ticks(R1, attempt)
                assert {tick.tick_json for tick in ticks_of} == {f"{attempt}"}
                assert len(ticks_of) == 65


class ChartPromises:
    """Tests about points for charts, and traffic by the hour."""

    def test_points_come_back_in_order_and_only_the_new_ones(self, store: Store) -> None:
        """Who has drawn a chart asks for what came after its last point."""
        points = [a_point(seconds) for seconds in (0, 60, 120)]
        with store.begin() as transaction:
            for point in (points[0], points[2], points[1], a_point(60, rollout_id="r-2")):
                transaction.add_evidence_point(point)

        with store.begin(read_only=True) as transaction:
            everything = transaction.evidence_points(R1, since=LONG_AGO, limit=100)
            newer = transaction.evidence_points(R1, since=points[0].at, limit=1)

        assert list(everything) == points
        assert list(newer) == [points[1]]

    def test_traffic_of_an_hour_adds_up(self, store: Store) -> None:
        """Requests and time are summed; people are counted again from the hour's beginning."""
        service = ServiceName("shop")
        with store.begin() as transaction:
            transaction.add_traffic(service, [an_hour(requests=10, bad=1, people=None)])
            transaction.add_traffic(service, [an_hour(requests=20, bad=0, people=7)])
            transaction.add_traffic(service, [an_hour(requests=30, bad=2, people=5)])
            transaction.add_traffic(service, [an_hour(requests=0, bad=0, people=None)])

        with store.begin(read_only=True) as transaction:
            found = transaction.traffic(service, since=START)

        assert list(found) == [
            replace(an_hour(requests=60, bad=3, people=7), watched=timedelta(seconds=40))
        ]

    def test_traffic_is_by_service_target_and_hour(self, store: Store) -> None:
        """Nothing is mixed up, and what is older than asked for stays away."""
        earlier = an_hour(hour=START - timedelta(hours=1))
        here, there = an_hour(target="eu"), an_hour(target="us")
        with store.begin() as transaction:
            transaction.add_traffic(ServiceName("shop"), [there, earlier, here])
            transaction.add_traffic(ServiceName("other"), [an_hour(requests=5)])

        with store.begin(read_only=True) as transaction:
            found = transaction.traffic(ServiceName("shop"), since=START)
            nothing = transaction.traffic(ServiceName("nobody"), since=LONG_AGO)

        assert list(found) == [here, there]
        assert list(nothing) == []


class LastKnownGoodPromises:
    """Tests about the chain of versions to go back to."""

    def test_the_newest_good_version_heads_the_chain(self, store: Store) -> None:
        """The one before is next, for when the newest turns out bad."""
        first, second = _good("first"), _good("second")

        with store.begin() as transaction:
            transaction.add_last_known_good(first)
            transaction.add_last_known_good(second)

        with store.begin() as transaction:
            assert list(transaction.last_known_good(a_placement())) == [second, first]
            assert list(transaction.last_known_good(a_placement(target="us"))) == []

    def test_adding_a_good_version_again_changes_nothing(self, store: Store) -> None:
        """Also when it's said again late, after a newer one: it must not become the newest."""
        first, second = _good("first"), _good("second")
        with store.begin() as transaction:
            for good in (first, second, first, second):
                transaction.add_last_known_good(good)

        with store.begin() as transaction:
            assert list(transaction.last_known_good(a_placement())) == [second, first]

    def test_the_chain_holds_a_version_and_then_another(self, store: Store) -> None:
        """The next in the chain is always something else to go back to."""
        first = _good("first")
        with store.begin() as transaction:
            transaction.add_last_known_good(first)
            transaction.add_last_known_good(replace(first, rollout_id=RolloutId("again")))

        with store.begin() as transaction:
            assert list(transaction.last_known_good(a_placement())) == [first]

    def test_a_version_that_came_back_is_the_newest_again(self, store: Store) -> None:
        """A return to an earlier version is a rollout of its own."""
        first, second = _good("first"), _good("second")
        back = replace(first, rollout_id=RolloutId("return"))
        with store.begin() as transaction:
            for good in (first, second, back):
                transaction.add_last_known_good(good)

        with store.begin() as transaction:
            assert list(transaction.last_known_good(a_placement())) == [back, second, first]


class ServicePromises:
    """Tests about services and idempotency."""

    def test_a_service_has_its_latest_document(self, store: Store) -> None:
        """Services are listed by name, byte by byte."""
        records = {
            name: ServiceRecord(
                name=ServiceName(name), canonical_json="{}", digest="d1", updated_at=START
            )
            for name in ("b", "a", "B", "a-b")
        }
        newer = replace(records["a"], canonical_json='{"owner":"äö"}', digest="d2")
        with store.begin() as transaction:
            for record in records.values():
                transaction.put_service(record)
            transaction.put_service(newer)

        with store.begin() as transaction:
            assert [record.name for record in transaction.services()] == ["B", "a", "a-b", "b"]
            assert transaction.service(ServiceName("a")) == newer
            assert transaction.service(ServiceName("c")) is None

    def test_the_first_answer_to_a_key_stays(self, store: Store) -> None:
        """Whoever asks again with the same key gets the same answer."""
        first = Remembered(request_digest="d1", status=202, body_json='{"id": "r-1"}')
        with store.begin() as transaction:
            transaction.remember("key", first, at=START)
            transaction.remember("key", replace(first, status=500), at=START)

        with store.begin() as transaction:
            assert transaction.remembered("key") == first
            assert transaction.remembered("other") is None


class StoreContract(
    RolloutPromises,
    ClaimPromises,
    QueuePromises,
    GenerationPromises,
    LedgerPromises,
    OutboxPromises,
    TransactionPromises,
    EvidencePromises,
    ChartPromises,
    LastKnownGoodPromises,
    AlarmPromises,
    FiledPromises,
    ServicePromises,
):
    """Tests that hold for every store."""

    @pytest.fixture
    def store(self) -> Store:
        """Return an empty store."""
        raise NotImplementedError

    @pytest.fixture
    def another(self, store: Store) -> Store:
        """Return a second store on the same data, as a second server has; or else the same one."""
        return store


def _good(name: str) -> LastKnownGood:
    return LastKnownGood(
        placement=a_placement(),
        version=replace(BASELINE, name=name, digest=f"sha256:{name}"),
        rollout_id=RolloutId(f"rollout-of-{name}"),
        since=START,
    )
