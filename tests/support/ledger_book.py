"""A ledger in memory that tests write on, sign and dump."""

from dataclasses import dataclass, field, replace
from datetime import timedelta

from tidegate.domain.ledger.model import Head
from tidegate.drivers.signer.file import FileSigner
from tidegate.testing.contracts.store_ledger import an_entry, append
from tidegate.testing.memory_world import MemoryWorld
from tidegate.usecases.ledger_export import dump
from tidegate.usecases.ledger_heads import sign_head
from tidegate.usecases.outside import Outside


@dataclass
class Book:
    """A ledger that can be written on, signed and dumped."""

    signer: FileSigner
    world: MemoryWorld = field(default_factory=MemoryWorld)

    @property
    def outside(self) -> Outside:
        return replace(self.world.outside, signer=self.signer)

    def write(self, count: int) -> None:
        facts = (
            replace(an_entry(f"reason {one} \u00e9"), details_json='{"a": 1}')
            for one in range(count)
        )
        append(self.world.store, *facts)

    def sign(self) -> Head:
        self.world.clock.advance(timedelta(seconds=61))
        head = sign_head(self.outside, self.signer)
        assert head is not None
        return head

    def dump(self) -> list[bytes]:
        return list(dump(self.outside))
