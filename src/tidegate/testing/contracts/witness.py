"""
What every witness promises. Subclass `WitnessContract` and give it the witness and a second one that
looks at the same place.
"""

from dataclasses import replace
from datetime import timedelta

import pytest

from tidegate.documents.ledger.heads import head_hash
from tidegate.domain.ledger.model import NO_HEAD, Head
from tidegate.errors import WitnessConflictError
from tidegate.ports.witness import Witness
from tidegate.testing.builders import START


def some_heads(count: int) -> list[Head]:
    """Return *count* heads that follow each other; their signatures are no real ones."""
    heads: list[Head] = []
    for number in range(1, count + 1):
        heads.append(
            Head(
                number=number,
                entries=number * 10,
                entry_hash=f"{number:064x}",
                at=START + timedelta(minutes=number),
                previous_head=head_hash(heads[-1]) if heads else NO_HEAD,
                key_id=f"{7:016x}",
                signature=f"{number:0128x}",
            )
        )
    return heads


class WitnessContract:
    """Tests that hold for every driver. No test may ask which driver it's on."""

    @pytest.fixture
    def witness(self) -> Witness:
        """Return a witness that has nothing yet."""
        raise NotImplementedError

    @pytest.fixture
    def again(self, witness: Witness) -> Witness:
        """Return the same place as another server sees it."""
        raise NotImplementedError

    async def test_it_has_nothing_at_first(self, witness: Witness) -> None:
        """None, and not an error."""
        assert await witness.latest() is None

    async def test_what_is_kept_is_seen_by_everybody(
        self, witness: Witness, again: Witness
    ) -> None:
        """To the letter, once `keep` has returned."""
        heads = some_heads(3)

        await witness.keep(heads[:1])
        first = await again.latest()
        await witness.keep(heads[1:])

        assert first == heads[0]
        assert await again.latest() == heads[2]

    async def test_keeping_twice_changes_nothing(self, witness: Witness, again: Witness) -> None:
        """A server that was killed before it noted the answer tells it again."""
        heads = some_heads(3)
        await witness.keep(heads[:2])

        await again.keep(heads)
        await witness.keep(heads)

        assert await witness.latest() == heads[2]

    async def test_it_may_begin_late(self, witness: Witness) -> None:
        """A witness that is added later gets the heads from there on."""
        heads = some_heads(5)

        await witness.keep(heads[3:])

        assert await witness.latest() == heads[4]

    @pytest.mark.parametrize("index", [0, 1, 2])
    async def test_another_history_is_refused(
        self, witness: Witness, again: Witness, index: int
    ) -> None:
        """The head that was first stays, whichever of them is another one."""
        heads = some_heads(3)
        await witness.keep(heads)
        other = replace(heads[index], entry_hash="f" * 64)

        with pytest.raises(WitnessConflictError, match=f"another head {index + 1}"):
            await again.keep([other])

        assert await witness.latest() == heads[2]
        await witness.keep(heads)

    async def test_nothing_to_keep_is_no_trouble(self, witness: Witness) -> None:
        """An empty list changes nothing."""
        await witness.keep([])

        assert await witness.latest() is None
