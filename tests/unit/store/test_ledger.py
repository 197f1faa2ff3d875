"""The hash chain: what it covers, and that no change to it goes unseen."""

import random
from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

from tidegate.ports.store import LedgerEntry, NewEntry
from tidegate.store.ledger import GENESIS_HASH, chained, entry_hash, verify_chain
from tidegate.testing.contracts.store_ledger import an_entry

TAMPERINGS = 10_000
NEW_HASHES = (
    "5813710185ca8fca6aaada1d5f7d853d46ffa62ff8e034222409218881c1cf51",
    "0caa31484331f914d3957b4be0340d699b5b105c626bbd2fd16924ac40d85c3a",
)
"""Of a chain's first two entries; what was once written is never hashed another way."""


def a_chain(length: int = 8) -> list[LedgerEntry]:
    chain: list[LedgerEntry] = []
    after = (0, GENESIS_HASH)
    for index in range(length):
        fact = replace(an_entry(f"reason {index}"), decision_json=None if index % 2 else "{}")
        chain.append(chained(fact, after=after))
        after = (chain[-1].number, chain[-1].hash)
    return chain


def test_the_hash_of_an_entry_never_changes() -> None:
    """Ledgers that were written by any version can be verified by every later one, and by others."""
    first, second = a_chain(2)

    assert (first.hash, second.hash) == NEW_HASHES


def test_entries_of_the_first_scheme_are_verified_for_ever() -> None:
    """A ledger that began before the second scheme, and goes on in it, holds as a whole."""
    first, second, third = a_chain(3)
    old_hashes = (
        "e3079004e5a6ae660b1096b82ced140e69b4b25aa011be7d328bb30ea1ccb574",
        "370cb5d77733e421326560d8b94261959020e1972e2d209f5a635ff2a0be00a8",
    )
    first = replace(first, hash=old_hashes[0])
    second = replace(second, previous_hash=first.hash, hash=old_hashes[1])

    assert entry_hash(first, number=1, previous_hash=GENESIS_HASH, scheme=1) == old_hashes[0]
    assert verify_chain([first, second, chained(third, after=(2, second.hash))]) is None
    assert verify_chain([first, replace(second, decision_json="[]")]) == 2


def test_a_chain_that_nobody_touched_holds() -> None:
    """From the start, and from any page on."""
    chain = a_chain()

    assert verify_chain([]) is None
    assert verify_chain(chain) is None
    for index in range(1, len(chain)):
        before = chain[index - 1]
        assert verify_chain(chain[index:], after=(before.number, before.hash)) is None


def test_the_hash_covers_every_field() -> None:
    """A field that is added to entries later can't be left out by mistake."""
    fact = an_entry()
    hashes = {entry_hash(fact, number=1, previous_hash=GENESIS_HASH)}

    for field in fields(NewEntry):
        value = getattr(fact, field.name)
        other: Any = value + timedelta(microseconds=1) if field.name == "at" else f"{value}x"
        changed = replace(fact, **{field.name: other})
        hashes.add(entry_hash(changed, number=1, previous_hash=GENESIS_HASH))
    hashes.add(entry_hash(fact, number=2, previous_hash=GENESIS_HASH))
    hashes.add(entry_hash(fact, number=1, previous_hash="1" + GENESIS_HASH[1:]))

    assert len(hashes) == len(fields(NewEntry)) + 3


def test_text_cannot_move_from_one_field_to_the_next() -> None:
    """The fields are kept apart inside the hash."""
    fact = replace(an_entry(), rule="ab", because="c")
    other = replace(an_entry(), rule="a", because="bc")

    assert entry_hash(fact, number=1, previous_hash=GENESIS_HASH) != entry_hash(
        other, number=1, previous_hash=GENESIS_HASH
    )


def test_every_tampering_is_detected() -> None:
    """Edits of one character, removals, additions and exchanges, wherever they are made."""
    chance = random.Random(20)
    chain = a_chain()

    undetected = 0
    for _ in range(TAMPERINGS):
        index = chance.randrange(len(chain))
        tampered, first_touched = _tampered(chain, index, chance)
        undetected += verify_chain(tampered) != first_touched

    assert undetected == 0


def _tampered(
    chain: list[LedgerEntry], index: int, chance: random.Random
) -> tuple[list[LedgerEntry], int]:
    """Return a copy of *chain* with one thing wrong, and the number at which it must be noticed."""
    tampered = list(chain)
    match chance.choice(["edit", "edit", "edit", "remove", "repeat", "exchange"]):
        case "edit":
            tampered[index] = _edited(chain[index], chance)
        case "remove":
            index = min(index, len(chain) - 2)  # what is cut off at the end is not seen
            del tampered[index]
        case "repeat":
            tampered.insert(index + 1, chain[index])
            index += 1
        case _:  # exchange
            index = min(index, len(chain) - 2)
            tampered[index : index + 2] = [chain[index + 1], chain[index]]
    return tampered, index + 1


def _edited(entry: LedgerEntry, chance: random.Random) -> LedgerEntry:
    name = chance.choice([field.name for field in fields(LedgerEntry)])
    match getattr(entry, name):
        case str(value) if value:
            place = chance.randrange(len(value))
            character = chr((ord(value[place]) + chance.randrange(1, 90)) % 128)
            changed: Any = value[:place] + character + value[place + 1 :]
        case str() | None:
            changed = chance.choice(["x", "{}"])
        case int(value):
            changed = value + chance.choice([-1, 1])
        case value:
            changed = value + timedelta(microseconds=chance.randrange(1, 10**9))
    return replace(entry, **{name: changed})
