"""
What every store in a database promises beyond `StoreContract`: what is left when processes are killed,
rows are broken or someone reaches past the store.

Subclass it and override `url`.
"""

import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from tidegate.domain.rollout.machine import State
from tidegate.errors import ActiveRolloutError, StoreError
from tidegate.ports.store import Filed
from tidegate.store.engines import engine_for
from tidegate.store.ledger import verify_chain
from tidegate.store.open import open_store
from tidegate.store.sql import SqlStore
from tidegate.testing import store_victim
from tidegate.testing.builders import START, a_plan, a_rollout
from tidegate.testing.contracts.store import StoreContract, a_tick, some_evidence
from tidegate.testing.contracts.store_ledger import an_entry, append
from tidegate.testing.contracts.store_rollouts import add, save

Execute = Callable[..., list[Any]]

KILLS = 30
"""Half of them between two statements chosen at random, half whenever the signal arrives."""


class SqlStoreContract(StoreContract):
    """Tests that hold for every store in a database."""

    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        """Return the address of an empty database."""
        raise NotImplementedError

    @pytest.fixture
    def store(self, url: str) -> Iterator[SqlStore]:
        """Return the store under test."""
        store = open_store(url)
        yield store
        store.close()

    @pytest.fixture
    def another(self, store: SqlStore, url: str) -> Iterator[SqlStore]:
        """Return a second server's store."""
        another = open_store(url)
        yield another
        another.close()

    @pytest.fixture
    def execute(self, store: SqlStore, url: str) -> Iterator[Execute]:
        """Return a way to reach past the store, as a person with a database shell does."""
        engine = engine_for(url)

        def execute(statement: str, **values: object) -> list[Any]:
            with engine.begin() as connection:
                result = connection.execute(text(statement), values)
                return list(result) if result.returns_rows else []

        yield execute
        engine.dispose()

    def test_what_was_committed_is_there_after_a_restart(self, store: SqlStore, url: str) -> None:
        """A server that starts again goes on from where it was."""
        rollout = a_rollout(state=State.BAKING)
        add(store, rollout)
        append(store, an_entry())
        store.close()

        restarted = open_store(url)

        with restarted.begin() as transaction:
            assert transaction.watched() == [rollout]
            assert transaction.append(an_entry()).number == 2
        restarted.close()

    def test_a_change_by_another_server_is_seen(self, store: SqlStore, another: SqlStore) -> None:
        """What was read before is never taken for what is there now."""
        rollout = a_rollout(state=State.BAKING)
        add(store, rollout)
        with store.begin() as transaction:
            assert transaction.watched() == [rollout]

        saved = save(another, replace(rollout, attempt=2))

        with store.begin() as transaction:
            assert transaction.rollout(rollout.id) == saved
            assert transaction.watched() == [saved]

    def test_a_revision_that_was_undone_is_forgotten(self, store: SqlStore) -> None:
        """Another change may get its number, and is then not taken for it."""
        rollout = a_rollout()
        add(store, rollout)
        with pytest.raises(ZeroDivisionError), store.begin() as transaction:
            transaction.save_rollout(replace(rollout, attempt=8))
            assert transaction.rollout(rollout.id).attempt == 8
            raise ZeroDivisionError

        saved = save(store, replace(rollout, attempt=9))

        with store.begin() as transaction:
            assert transaction.rollout(rollout.id) == saved

    def test_a_reader_neither_waits_nor_sees_half(self, store: SqlStore, another: SqlStore) -> None:
        """While others write, it sees the one state that was there when it first looked."""
        rollout = a_rollout()
        add(store, rollout)

        with another.begin(read_only=True) as reader:
            assert reader.rollout(rollout.id) == rollout
            with store.begin() as writer:
                writer.save_rollout(rollout)
                writer.append(an_entry())
                assert reader.ledger() == []
            seen = (reader.rollout(rollout.id), reader.ledger())

        assert seen == (rollout, [])

    def test_a_reader_cannot_write(self, store: SqlStore) -> None:
        """It didn't wait for its turn."""
        with store.begin(read_only=True) as reader, pytest.raises(AssertionError, match="reading"):
            reader.append(an_entry())

    def test_a_statement_that_fails_dooms_its_transaction(self, store: SqlStore) -> None:
        """Also when the error is caught inside: a commit that isn't one must not pass for one."""
        broken = replace(some_evidence(1), state_json=None)  # type: ignore[arg-type]

        with pytest.raises(StoreError), store.begin() as transaction:
            transaction.append(an_entry())
            with pytest.raises(StoreError):
                transaction.save_evidence(broken, [])

        append(store, an_entry("went on"))
        with store.begin() as transaction:
            assert [entry.because for entry in transaction.ledger()] == ["went on"]

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE ledger SET because = 'fine' WHERE number = 1",
            "UPDATE ledger SET number = 9 WHERE number = 2",
            "DELETE FROM ledger WHERE number = 2",
            "DELETE FROM ledger",
        ],
    )
    def test_the_database_refuses_to_change_the_ledger(
        self, store: SqlStore, execute: Execute, statement: str
    ) -> None:
        """Also to whoever reaches past the store."""
        appended = append(store, an_entry(), an_entry())

        with pytest.raises(DBAPIError, match="append-only"):
            execute(statement)

        with store.begin() as transaction:
            assert transaction.ledger() == appended

    def test_the_database_refuses_a_second_claim(self, store: SqlStore, execute: Execute) -> None:
        """One active rollout per service and target holds even when our code is wrong."""
        add(store, a_rollout("first", targets=("eu",)), a_rollout("second", targets=("us",)))

        with pytest.raises(IntegrityError):
            execute("INSERT INTO claims VALUES ('shop', 'eu', 'second')")

    @pytest.mark.parametrize(
        "breakage",
        [
            "UPDATE rollouts SET record = 'garbage' WHERE id = 'bad'",
            "UPDATE rollouts SET record = replace(record, 'created_by', 'made_by') WHERE id = 'bad'",
            "UPDATE rollouts SET record = replace(record, '2030-', '2O30-') WHERE id = 'bad'",
            "UPDATE rollouts SET state = 'held' WHERE id = 'bad'",
            "UPDATE plans SET record = 'garbage' WHERE record LIKE '%777%'",
            "UPDATE plans SET record = replace(record, '777', '778')",
        ],
    )
    def test_a_broken_row_does_not_stop_the_others(
        self, store: SqlStore, another: SqlStore, execute: Execute, breakage: str
    ) -> None:
        """It's set aside and told; its targets stay claimed; once repaired it's back."""
        good = a_rollout("good", service="mail", state=State.BAKING)
        bad = a_rollout("bad", state=State.BAKING, plan=a_plan(weights_bps=(777, 10_000)))
        add(store, good, bad)
        intact = execute("SELECT record, state FROM rollouts WHERE id = 'bad'")[0]
        intact_plans = execute("SELECT digest, record FROM plans")
        execute(breakage)

        with another.begin() as transaction:
            seen = (transaction.watched(), transaction.unfinished(), transaction.rollouts())
            with pytest.raises(StoreError, match="rollout bad"):
                transaction.rollout(bad.id)
            with pytest.raises(StoreError, match="rollout bad"):
                transaction.active_rollout(bad.service)
            with pytest.raises(ActiveRolloutError, match="'bad'"):
                transaction.add_rollout(a_rollout("next"))
        poisoned = another.poisoned()
        execute(
            "UPDATE rollouts SET record = :record, state = :state WHERE id = 'bad'",
            **intact._mapping,
        )
        for plan in intact_plans:
            execute("UPDATE plans SET record = :record WHERE digest = :digest", **plan._mapping)

        assert seen == ([good], [good], [good])
        assert [rollout.rollout_id for rollout in poisoned] == [bad.id]
        assert poisoned[0].because
        with another.begin() as transaction:
            assert transaction.rollout(bad.id) == bad
        assert another.poisoned() == ()

    def test_a_row_that_was_mended_is_no_longer_told(
        self, store: SqlStore, execute: Execute
    ) -> None:
        """Also when it's again what was read before it was broken."""
        rollout = a_rollout(state=State.BAKING)
        add(store, rollout)
        told = []
        for state in ("baking", "held", "baking"):
            execute("UPDATE rollouts SET state = :state", state=state)
            with store.begin() as transaction:
                told.append((transaction.watched(), len(store.poisoned())))

        assert told == [([rollout], 0), ([], 1), ([rollout], 0)]

    def test_ticks_are_packed(self, store: SqlStore, execute: Execute) -> None:
        """A long bake stays small: 64 ticks become one row, and less than a fifth of the bytes."""
        ticks = [a_tick(number) for number in range(1, 201)]
        with store.begin() as transaction:
            for tick in ticks:
                transaction.save_evidence(some_evidence(tick.number), [tick])

        (loose,) = execute("SELECT count(*) AS count FROM ticks")
        (packed,) = execute(
            "SELECT count(*) AS count, sum(length(compressed)) AS bytes FROM tick_segments"
        )

        assert loose.count == 200 - 3 * 64
        assert packed.count == 3
        assert packed.bytes < sum(len(tick.tick_json) for tick in ticks[: 3 * 64]) / 5

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE filed SET record_json = '{}' WHERE kind = 'ledger_head'",
            "UPDATE filed SET kind = 'ledger_head' WHERE kind = 'other'",
            "DELETE FROM filed",
        ],
    )
    def test_a_head_of_the_ledger_is_never_changed(
        self, store: SqlStore, execute: Execute, statement: str
    ) -> None:
        """The database refuses it itself; other records may change."""
        for kind in ("ledger_head", "other"):
            with store.begin() as transaction:
                transaction.file(_a_record(kind))
        with store.begin() as transaction:
            transaction.file(replace(_a_record("other"), record_json="[]"))

        with pytest.raises(DBAPIError, match="append-only"):
            execute(statement)

        with store.begin(read_only=True) as transaction:
            assert transaction.filed("ledger_head", "1") == _a_record("ledger_head")

    def test_a_killed_writer_never_leaves_half_a_step(
        self, store: SqlStore, url: str, execute: Execute
    ) -> None:
        """State, ledger, outbox and generation agree, whenever the process was killed."""
        chance = random.Random(7)  # noqa: S311 (a test that repeats)
        add(store, a_rollout(store_victim.VICTIM, state=State.WAITING))
        reached = set()
        with _victims(url) as victims:
            for kill in range(KILLS):
                if kill % 2:
                    committed = _let_it_kill_itself(victims, after=chance.randrange(1, 40))
                else:
                    committed = _kill_it(victims, after=chance.randrange(1, 6))

                revision = _agreed_revision(store, execute)
                assert revision >= committed
                reached.add(revision)
        assert len(reached) > KILLS / 2, "the victims hardly wrote anything"


def _a_record(kind: str) -> Filed:
    return Filed(kind=kind, id="1", service=None, is_open=False, at=START, record_json="{}")


def _agreed_revision(store: SqlStore, execute: Execute) -> int:
    """Return the revision of the victims' rollout, once all else was seen to agree with it."""
    with store.begin(read_only=True) as transaction:
        revision = transaction.rollout(store_victim.VICTIM).revision
        entries = transaction.ledger()
        messages = transaction.outbox(limit=1_000)
    steps = [f"{step}" for step in range(2, revision + 1)]
    assert [entry.because for entry in entries] == steps
    assert verify_chain(entries) is None
    assert [message.payload_json for message in messages] == steps
    generations = [row.generation for row in execute("SELECT generation FROM generations")]
    assert generations == ([len(steps)] if steps else [])
    return revision


Victims = subprocess.Popen[str]


@contextmanager
def _victims(url: str) -> Iterator[Victims]:
    command = [sys.executable, "-m", store_victim.__name__, url]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as victims:
        try:
            yield victims
        finally:
            # At the end of its input the program ends by itself.
            assert victims.stdin is not None
            victims.stdin.close()


def _let_it_kill_itself(victims: Victims, *, after: int) -> int:
    """Run a victim for *after* statements; return the last revision it told."""
    _said(victims, order=after)
    return _until_killed(victims)


def _kill_it(victims: Victims, *, after: int) -> int:
    """Kill a victim when it has told of *after* steps; return the last revision it told."""
    process_id = int(_said(victims, order=0))
    for _ in range(after):
        _said(victims)
    os.kill(process_id, signal.SIGKILL)
    return _until_killed(victims)


def _until_killed(victims: Victims) -> int:
    last = 0
    while (word := _said(victims)) != "killed":
        last = int(word)
    return last


def _said(victims: Victims, *, order: int | None = None) -> str:
    """Return the next line of *victims*, after an *order* when one is given."""
    assert victims.stdin is not None
    assert victims.stdout is not None
    if order is not None:
        victims.stdin.write(f"{order}\n")
        victims.stdin.flush()
    line = victims.stdout.readline()
    assert line, "the victims' program has ended"
    return line.strip()
