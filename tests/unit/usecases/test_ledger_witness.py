"""Witnesses are told every head in order; one that fails delays nothing and is told later."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from ledger_book import Book

from tidegate.drivers.signer.file import FileSigner
from tidegate.drivers.witness.memory import MemoryWitness
from tidegate.errors import WitnessError
from tidegate.usecases.ledger_heads import heads_after
from tidegate.usecases.ledger_witness import tell_witness, witness_lags
from tidegate.usecases.outside import Outside


@pytest.fixture
def book(tmp_path: Path) -> Book:
    """Return a ledger with three heads."""
    made = Book(FileSigner(tmp_path / "key"))
    for _ in range(3):
        made.write(2)
        made.sign()
    return made


def world_of(book: Book, *witnesses: MemoryWitness) -> Outside:
    return replace(book.outside, witnesses=witnesses)


async def test_a_witness_is_told_every_head_and_then_nothing(book: Book) -> None:
    """Also those from before it was named."""
    witness = MemoryWitness()
    outside = world_of(book, witness)
    before = witness_lags(outside)

    state = await tell_witness(outside, witness)
    again = await tell_witness(outside, witness)
    (lag,) = witness_lags(outside)

    assert (before[0].heads_behind, before[0].behind_since is None) == (3, False)
    assert state is not None
    assert [*witness.heads] == [1, 2, 3]
    assert again is None
    assert (lag.heads_behind, lag.state.head, lag.behind_since) == (0, 3, None)


async def test_a_witness_that_fails_is_told_later_and_ever_less_often(book: Book) -> None:
    """Its lag is to be seen meanwhile; another witness is told at once."""
    failing, other = MemoryWitness("failing"), MemoryWitness("other")
    failing.fails = WitnessError("it is away", hint="later")
    outside = world_of(book, failing, other)

    tried = []
    for second in range(60):
        if await tell_witness(outside, failing) is not None:
            tried.append(second)
        await tell_witness(outside, other)
        book.world.clock.advance(timedelta(seconds=1))
    lags = witness_lags(outside)
    failing.fails = None
    book.world.clock.advance(timedelta(minutes=5))
    mended = await tell_witness(outside, failing)

    assert tried == [0, 5, 15, 35]
    assert [lag.heads_behind for lag in lags] == [3, 0]
    assert lags[0].state.problem == "it is away"
    assert mended is not None
    assert (mended.head, mended.failing_since, mended.problem) == (3, None, "")
    assert other.heads == failing.heads


async def test_a_store_that_was_put_back_is_told_by_its_witness(book: Book, tmp_path: Path) -> None:
    """It knows more, or otherwise; that is written into the ledger once and stays to be seen."""
    witness = MemoryWitness()
    await tell_witness(world_of(book, witness), witness)
    other = Book(book.signer)
    other.write(1)
    other.sign()
    outside = world_of(other, witness)

    for _ in range(3):
        await tell_witness(outside, witness)
        other.world.clock.advance(timedelta(minutes=10))
    (lag,) = witness_lags(outside)

    assert "which this ledger doesn't have" in lag.state.conflict
    with other.world.store.begin(read_only=True) as transaction:
        rules = [entry.rule for entry in transaction.ledger()]
    assert rules.count("witness-conflict") == 1
    assert [*witness.heads] == [1, 2, 3]


async def test_a_store_that_lost_only_its_note_goes_on_where_the_witness_is(book: Book) -> None:
    """The witness says where it is; nothing is told twice but its last head."""
    witness = MemoryWitness()
    outside = world_of(book, witness)
    with book.world.store.begin(read_only=True) as transaction:
        heads = list(heads_after(transaction, 0, limit=2))
    await witness.keep(heads)

    state = await tell_witness(outside, witness)

    assert state is not None
    assert (state.head, [*witness.heads]) == (3, [1, 2, 3])
