"""
What every store promises about the ledger, the outbox and transactions.

Part of `contracts.store.StoreContract`; the same rules hold.
"""

from dataclasses import replace
from datetime import timedelta, timezone

import pytest

from tidegate.domain.quantities import RolloutId, ServiceName
from tidegate.domain.rollout.machine import State
from tidegate.errors import NotFoundError, StateMovedError
from tidegate.ports.store import (
    LastKnownGood,
    LedgerEntry,
    LedgerQuery,
    NewEntry,
    OutboxMessage,
    Remembered,
    ServiceRecord,
    Store,
    StoredEvidence,
    StoredTick,
    Transaction,
)
from tidegate.store.ledger import GENESIS_HASH, verify_chain
from tidegate.testing.builders import BASELINE, START, a_placement, a_rollout
from tidegate.testing.contracts.store_rollouts import EU, SHOP, WRITERS, add, race

R1 = RolloutId("r-1")


def an_entry(because: str = "errors rose", *, rollout_id: str = "r-1") -> NewEntry:
    """Return a fact for the ledger."""
    return NewEntry(
        at=START,
        rollout_id=RolloutId(rollout_id),
        service=SHOP,
        actor="tidegate",
        kind="decision",
        rule="harm",
        because=because,
        state_before=State.BAKING.value,
        state_after=State.HALTED.value,
        observation_json='{"now": "2030-01-07T09:00:00Z"}',
        decision_json=None,
    )


def append(store: Store, *entries: NewEntry) -> list[LedgerEntry]:
    """Append *entries*, each in a transaction of its own."""
    appended = []
    for entry in entries:
        with store.begin() as transaction:
            appended.append(transaction.append(entry))
    return appended


class LedgerPromises:
    """Tests about the ledger."""

    def test_entries_are_chained_without_gaps(self, store: Store) -> None:
        """Each covers the one before, from number 1 on."""
        appended = append(store, *(an_entry(f"reason {index}") for index in range(5)))

        with store.begin() as transaction:
            entries = transaction.ledger()

        assert entries == appended
        assert [entry.number for entry in entries] == [1, 2, 3, 4, 5]
        assert entries[0].previous_hash == GENESIS_HASH
        assert verify_chain(entries) is None

    def test_an_entry_says_what_was_appended(self, store: Store) -> None:
        """In every field; a time in another zone is the same instant."""
        local = START.astimezone(timezone(timedelta(hours=5, minutes=30)))
        fact = replace(an_entry("zu viele Fehler: 5 % \U0001f6d1"), at=local, decision_json="{}")

        (appended,) = append(store, fact)

        with store.begin() as transaction:
            read = transaction.ledger_entry(1)
        assert read == appended
        assert read == LedgerEntry(
            **{name: getattr(fact, name) for name in NewEntry.__slots__},
            number=1,
            previous_hash=GENESIS_HASH,
            hash=appended.hash,
        )

    def test_a_transaction_that_raises_leaves_no_gap(self, store: Store) -> None:
        """What was undone never had a number."""
        append(store, an_entry("kept"))
        with pytest.raises(StateMovedError), store.begin() as transaction:
            transaction.append(an_entry("undone"))
            raise StateMovedError("moved", hint="look again")

        append(store, an_entry("kept too"))

        with store.begin() as transaction:
            entries = transaction.ledger()
        assert [(entry.number, entry.because) for entry in entries] == [
            (1, "kept"),
            (2, "kept too"),
        ]
        assert verify_chain(entries) is None

    def test_writers_at_once_do_not_fork_the_chain(self, store: Store, another: Store) -> None:
        """Everyone's entries are in it, in one order, and a reader may verify it page by page."""
        each = 10

        def write(mine: Store, index: int) -> None:
            append(mine, *(an_entry(f"{index}.{number}") for number in range(each)))

        results = race((store, another), write)

        assert results == [None] * WRITERS
        with store.begin() as transaction:
            entries = transaction.ledger()
            page = transaction.ledger(after=7, limit=20)
            before = transaction.ledger_entry(7)
        assert len({entry.because for entry in entries}) == WRITERS * each
        assert verify_chain(entries) is None
        assert page == entries[7:27]
        assert verify_chain(page, after=(before.number, before.hash)) is None

    def test_the_ledger_of_one_rollout_is_a_part_of_it(self, store: Store) -> None:
        """The numbers are those of the whole."""
        append(
            store,
            an_entry(rollout_id="r-1"),
            an_entry(rollout_id="r-2"),
            an_entry(rollout_id="r-1"),
            an_entry(rollout_id="r-1"),
        )

        with store.begin() as transaction:
            of_one = transaction.ledger(rollout_id=R1)
            page = transaction.ledger(rollout_id=R1, after=1, limit=1)

        assert [entry.number for entry in of_one] == [1, 3, 4]
        assert [entry.number for entry in page] == [3]

    def test_the_latest_entry_is_the_end_of_the_chain(self, store: Store) -> None:
        """None before the first."""
        with store.begin(read_only=True) as transaction:
            before = transaction.latest_entry()
        appended = append(store, an_entry(), an_entry())

        with store.begin(read_only=True) as transaction:
            assert (before, transaction.latest_entry()) == (None, appended[-1])

    @pytest.mark.parametrize(
        ("query", "numbers"),
        [
            (LedgerQuery(), [6, 5, 4, 3, 2, 1]),
            (LedgerQuery(rollout_id="r-2"), [5]),
            (LedgerQuery(service="other"), [2]),
            (LedgerQuery(actor="alice", kind="command"), [4]),
            (LedgerQuery(actor="alice", kind="decision"), []),
            (LedgerQuery(rule="give-stop-order"), [4]),
            (LedgerQuery(since=START + timedelta(hours=3)), [6]),
            (LedgerQuery(until=START + timedelta(hours=3)), [5, 4, 3, 2, 1]),
            (LedgerQuery(since=START, until=START), []),
            (LedgerQuery(before=4, service=SHOP), [3, 1]),
            (LedgerQuery(text="inc-431"), [5, 3]),
            (LedgerQuery(text="100%_"), [3]),
            (LedgerQuery(text="%"), [3]),
            (LedgerQuery(text="nowhere"), []),
        ],
    )
    def test_the_ledger_is_searched_newest_first(
        self, store: Store, query: LedgerQuery, numbers: list[int]
    ) -> None:
        """By each of what an entry is found by, and by several at once."""
        append(
            store,
            an_entry("1"),
            replace(an_entry("2"), service=ServiceName("other")),
            an_entry("3: INC-431, at 100%_"),
            replace(an_entry("4"), actor="alice", kind="command", rule="give-stop-order"),
            replace(an_entry("5", rollout_id="r-2"), details_json='{"ticket":"Inc-431"}'),
            replace(an_entry("6"), at=START + timedelta(hours=3)),
        )

        with store.begin(read_only=True) as transaction:
            found = transaction.search_ledger(query)
            first = transaction.search_ledger(query, limit=1)

        assert [entry.number for entry in found] == numbers
        assert [entry.number for entry in first] == numbers[:1]

    @pytest.mark.parametrize("number", [0, -1, 2])
    def test_an_entry_that_is_not_there_is_an_error(self, store: Store, number: int) -> None:
        """A wrong number is never another entry."""
        append(store, an_entry())

        with store.begin() as transaction, pytest.raises(NotFoundError, match=str(number)):
            transaction.ledger_entry(number)


class OutboxPromises:
    """Tests about the outbox."""

    def test_messages_are_read_in_the_order_they_were_written(self, store: Store) -> None:
        """A reader that goes on after the last id it saw misses none and gets none twice."""
        for number in range(5):
            with store.begin() as transaction:
                transaction.enqueue(
                    at=START, type="halted", rollout_id=R1, payload_json=f'{{"n": {number}}}'
                )

        read: list[OutboxMessage] = []
        last_id = 0
        with store.begin() as transaction:
            while page := transaction.outbox(after=last_id, limit=2):
                read += page
                last_id = page[-1].id

        assert [message.payload_json for message in read] == [f'{{"n": {n}}}' for n in range(5)]
        assert {(message.at, message.type, message.rollout_id) for message in read} == {
            (START, "halted", R1)
        }


class TransactionPromises:
    """Tests about all or nothing."""

    def test_a_transaction_that_raises_leaves_nothing_behind(self, store: Store) -> None:
        """State, ledger, outbox and all else are as they were before."""
        first = a_rollout("first")
        add(store, first)
        append(store, an_entry())
        with store.begin() as transaction:
            _write_everything(transaction, suffix="before")
            before = _read_everything(transaction)

        with pytest.raises(KeyboardInterrupt), store.begin() as transaction:
            saved = transaction.save_rollout(replace(first, attempt=2))
            transaction.save_rollout(replace(saved, state=State.ABANDONED))
            transaction.add_rollout(a_rollout("second"))
            _write_everything(transaction, suffix="after")
            raise KeyboardInterrupt

        with store.begin() as transaction:
            assert _read_everything(transaction) == before
            assert transaction.issue_generation(SHOP, EU) == 2

    def test_a_refused_change_is_not_half_made(self, store: Store) -> None:
        """Who catches a refusal inside a transaction may go on in it."""
        add(store, a_rollout("first", targets=("eu",)))

        with store.begin() as transaction:
            with pytest.raises(StateMovedError):
                transaction.save_rollout(a_rollout("first", revision=9))
            transaction.append(an_entry("went on"))

        with store.begin() as transaction:
            assert transaction.rollout(RolloutId("first")).revision == 1
            assert [entry.because for entry in transaction.ledger()] == ["went on"]

    def test_a_transaction_sees_what_it_wrote(self, store: Store) -> None:
        """Reads inside it are of its own state."""
        with store.begin() as transaction:
            transaction.add_rollout(a_rollout())
            saved = transaction.save_rollout(a_rollout(state=State.BAKING))
            seen = (transaction.rollout(R1), transaction.watched(), transaction.unfinished())

        assert seen == (saved, [saved], [saved])

    def test_a_transaction_inside_another_is_caught(self, store: Store) -> None:
        """It would wait for itself."""
        with pytest.raises(AssertionError, match="wait for itself"), store.begin():  # noqa: SIM117
            with store.begin():
                pass

        with store.begin() as transaction:
            assert not transaction.rollouts()


def _write_everything(transaction: Transaction, *, suffix: str) -> None:
    transaction.put_service(
        ServiceRecord(name=SHOP, canonical_json="{}", digest=suffix, updated_at=START)
    )
    transaction.issue_generation(SHOP, EU)
    transaction.append(an_entry(suffix))
    transaction.enqueue(at=START, type=suffix, rollout_id=R1, payload_json="{}")
    transaction.save_evidence(
        StoredEvidence(
            rollout_id=R1, attempt=1, ticks=1, at=START, state_json=suffix, evidence_json="{}"
        ),
        [StoredTick(number=len(suffix), tick_json=suffix)],
    )
    transaction.add_last_known_good(
        LastKnownGood(
            placement=a_placement(),
            version=replace(BASELINE, digest=suffix),
            rollout_id=RolloutId(suffix),
            since=START,
        )
    )
    transaction.remember(suffix, Remembered(request_digest="", status=202, body_json=""), at=START)


def _read_everything(transaction: Transaction) -> tuple[object, ...]:
    return (
        transaction.services(),
        transaction.rollouts(),
        transaction.unfinished(),
        transaction.ledger(),
        transaction.outbox(),
        transaction.evidence(R1),
        transaction.ticks(R1, 1),
        transaction.last_known_good(a_placement()),
        transaction.remembered("before"),
        transaction.remembered("after"),
    )
