"""What every store promises about alarms, as tests; part of `StoreContract`."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tidegate.domain.rollout.alarms import AlarmId
from tidegate.errors import NotFoundError
from tidegate.ports.store import Store
from tidegate.testing.builders import START, an_alarm

LATER = START + timedelta(hours=1)


class AlarmPromises:
    """Tests about alarms."""

    def test_an_alarm_comes_back_as_it_was_put(self, store: Store) -> None:
        """Also what has no service, and labels in any script and order."""
        named = an_alarm("a-1", labels=(("team", "search"), ("alertname", "Fehlerräte")))
        nameless = an_alarm("a-2", service=None, target=None, fingerprint="f-2")

        with store.begin() as transaction:
            transaction.put_alarm(named)
            transaction.put_alarm(nameless)

        with store.begin(read_only=True) as transaction:
            assert transaction.alarm(AlarmId("a-1")) == named
            assert transaction.alarm(AlarmId("a-2")) == nameless

    def test_an_alarm_that_is_put_again_is_replaced(self, store: Store) -> None:
        """Resolving is putting it again with the time it was resolved at."""
        alarm = an_alarm()
        over = replace(alarm, resolved_at=LATER, resolved_by="bob", resolution="a disk was full")

        with store.begin() as transaction:
            transaction.put_alarm(alarm)
            transaction.put_alarm(over)

        with store.begin(read_only=True) as transaction:
            assert list(transaction.alarms()) == [over]

    def test_only_what_is_not_resolved_is_active(self, store: Store) -> None:
        """Oldest first: what was said first is told first."""
        first = an_alarm("a-2", fingerprint="f-2")
        second = an_alarm("a-1", fingerprint="f-1", raised_at=LATER)
        over = an_alarm("a-3", fingerprint="f-3", resolved_at=LATER, resolved_by="bob")
        with store.begin() as transaction:
            for alarm in (second, over, first):
                transaction.put_alarm(alarm)

        with store.begin(read_only=True) as transaction:
            active = transaction.active_alarms()

        assert list(active) == [first, second]

    def test_alarms_are_listed_newest_first(self, store: Store) -> None:
        """And no more than were asked for."""
        alarms = [
            an_alarm(f"a-{hour}", fingerprint=f"{hour}", raised_at=START + timedelta(hours=hour))
            for hour in range(3)
        ]
        with store.begin() as transaction:
            for alarm in alarms:
                transaction.put_alarm(alarm)

        with store.begin(read_only=True) as transaction:
            assert list(transaction.alarms()) == alarms[::-1]
            assert list(transaction.alarms(limit=1)) == alarms[:0:-1][:1]

    def test_the_latest_of_a_fingerprint_is_found(self, store: Store) -> None:
        """Another source may use the same fingerprint for something else."""
        over = an_alarm("a-1", resolved_at=LATER, resolved_by="bob")
        again = an_alarm("a-2", raised_at=LATER)
        other = an_alarm("a-3", source="user", raised_at=LATER)
        with store.begin() as transaction:
            for alarm in (over, again, other):
                transaction.put_alarm(alarm)

        with store.begin(read_only=True) as transaction:
            assert transaction.latest_alarm(over.source, over.fingerprint) == again
            assert transaction.latest_alarm("user", over.fingerprint) == other
            assert transaction.latest_alarm("nobody", over.fingerprint) is None

    def test_what_another_organisation_calls_the_same_is_another_alarm(self, store: Store) -> None:
        """Nobody resolves, or makes worse, what somebody else was told."""
        of_all = an_alarm("a-1")
        of_acme = replace(of_all, id=AlarmId("a-2"), organisation="acme", raised_at=LATER)
        with store.begin() as transaction:
            transaction.put_alarm(of_all)
            transaction.put_alarm(of_acme)

        with store.begin(read_only=True) as transaction:
            found = [
                transaction.latest_alarm(
                    of_all.source, of_all.fingerprint, organisation=organisation
                )
                for organisation in (None, "acme", "umbrella")
            ]

        assert found == [of_all, of_acme, None]

    def test_an_unknown_alarm_is_not_found(self, store: Store) -> None:
        """Nothing stands for what isn't there."""
        with store.begin(read_only=True) as transaction, pytest.raises(NotFoundError, match="a-9"):
            transaction.alarm(AlarmId("a-9"))

    def test_an_alarm_of_a_transaction_that_failed_was_never_raised(self, store: Store) -> None:
        """Alarms are written with everything else, or not at all."""
        with pytest.raises(RuntimeError), store.begin() as transaction:
            transaction.put_alarm(an_alarm())
            raise RuntimeError

        with store.begin(read_only=True) as transaction:
            assert list(transaction.active_alarms()) == []
