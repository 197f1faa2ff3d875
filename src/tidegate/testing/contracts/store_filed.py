"""What every store promises about records of governance, as tests; part of `StoreContract`."""

from dataclasses import replace
from datetime import timedelta

from tidegate.domain.quantities import ServiceName
from tidegate.ports.store import Filed, Store
from tidegate.testing.builders import START

LATER = START + timedelta(hours=1)


def a_record(record_id: str, **changes: object) -> Filed:
    """Return an open record of a freeze of the shop."""
    record = Filed(
        kind="freeze",
        id=record_id,
        service=ServiceName("shop"),
        is_open=True,
        at=START,
        record_json='{"why": "Inventur"}',
    )
    return replace(record, **changes)  # type: ignore[arg-type]


class FiledPromises:
    """Tests about records of governance."""

    def test_a_record_comes_back_as_it_was_filed(self, store: Store) -> None:
        """By its kind and id together; another kind with the same id is another record."""
        freeze = a_record("1")
        token = a_record("1", kind="token", service=None)

        with store.begin() as transaction:
            transaction.file(freeze)
            transaction.file(token)

        with store.begin(read_only=True) as transaction:
            assert transaction.filed("freeze", "1") == freeze
            assert transaction.filed("token", "1") == token
            assert transaction.filed("token", "2") is None

    def test_a_record_that_is_filed_again_is_replaced(self, store: Store) -> None:
        """Closing a record is filing it again."""
        record = a_record("1")
        closed = replace(record, is_open=False, record_json="{}")

        with store.begin() as transaction:
            transaction.file(record)
            transaction.file(closed)

        with store.begin(read_only=True) as transaction:
            assert transaction.filed("freeze", "1") == closed
            assert list(transaction.open_filed("freeze")) == []

    def test_open_records_are_found_by_kind_and_service(self, store: Store) -> None:
        """Oldest first; without a service those of all services and of none."""
        second = a_record("1", at=LATER)
        first = a_record("2")
        closed = a_record("3", is_open=False)
        of_none = a_record("4", service=None, at=LATER + timedelta(seconds=1))
        other = a_record("5", kind="token")
        with store.begin() as transaction:
            for record in (second, first, closed, of_none, other):
                transaction.file(record)

        with store.begin(read_only=True) as transaction:
            everywhere = transaction.open_filed("freeze")
            of_shop = transaction.open_filed("freeze", service=ServiceName("shop"))

        assert list(everywhere) == [first, second, of_none]
        assert list(of_shop) == [first, second]

    def test_records_are_listed_newest_first(self, store: Store) -> None:
        """Open or not, and no more than were asked for."""
        records = [a_record(str(n), at=START + timedelta(hours=n)) for n in range(4)]
        records[2] = replace(records[2], is_open=False)
        with store.begin() as transaction:
            for record in records:
                transaction.file(record)

        with store.begin(read_only=True) as transaction:
            newest = transaction.latest_filed("freeze", limit=2)
            of_other = transaction.latest_filed("freeze", service=ServiceName("search"))

        assert list(newest) == [records[3], records[2]]
        assert list(of_other) == []

    def test_old_records_that_are_closed_can_be_forgotten(self, store: Store) -> None:
        """Of one kind, and only those from before; what is open stays however old it is."""
        old = a_record("1", is_open=False)
        kept = [
            a_record("2", is_open=False, at=LATER),
            a_record("3"),
            a_record("1", kind="token", is_open=False),
        ]
        with store.begin() as transaction:
            for record in (old, *kept):
                transaction.file(record)
            count = transaction.forget_filed("freeze", before=LATER)

        with store.begin(read_only=True) as transaction:
            assert count == 1
            assert transaction.filed("freeze", "1") is None
            assert [transaction.filed(one.kind, one.id) for one in kept] == kept
