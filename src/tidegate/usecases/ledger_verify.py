"""
Verifying the ledger on request, by the same program that verifies a dump elsewhere, and asking witnesses.

What a server says of its own ledger is worth as much as the server: whoever could change the one could
change the other. It finds what broke by itself; for the rest a dump is verified on another machine.
"""

import asyncio
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from tidegate.documents.ledger.verified import Verified
from tidegate.documents.ledger.verify import verify_dump
from tidegate.domain.access.model import Caller
from tidegate.domain.ledger.model import Head
from tidegate.errors import WitnessError
from tidegate.ports.witness import Witness
from tidegate.usecases.audit_access import refuse_unless_whole
from tidegate.usecases.ledger_export import dump
from tidegate.usecases.ledger_heads import LEDGER_HEADS, head_place, latest_head
from tidegate.usecases.outside import Outside

WITNESS_WITHIN_SECONDS: Final = 10.0


class WitnessSays(StrEnum):
    """What the last head of a witness says about the ledger."""

    AGREES = "agrees"
    OTHER_HISTORY = "other_history"
    NOTHING_YET = "nothing_yet"
    NOT_REACHED = "not_reached"


@dataclass(frozen=True, slots=True, kw_only=True)
class WitnessAnswer:
    """
    What one witness said when it was asked: the number of its last `head`, 0 for none, and the entries
    that it covers. `problem` is why it couldn't be asked.
    """

    name: str
    says: WitnessSays
    head: int = 0
    entries: int = 0
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerVerified:
    """What verifying found, and what each witness said just then."""

    verified: Verified
    witnesses: tuple[WitnessAnswer, ...]

    @property
    def holds(self) -> bool:
        """Whether nothing is wrong with the ledger, and no witness knows another one."""
        return self.verified.holds and not any(
            one.says is WitnessSays.OTHER_HISTORY for one in self.witnesses
        )


async def verify_ledger(outside: Outside, caller: Caller) -> LedgerVerified:
    """
    Verify the whole ledger, and compare it with the last head of each witness.

    Raises:
        ForbiddenError: *caller* may not read the whole of it.
        StoreError: it can't be read.
    """
    await asyncio.to_thread(refuse_unless_whole, outside, caller)
    verified = await asyncio.to_thread(lambda: verify_dump(dump(outside)))
    answers = await asyncio.gather(*(_asked(outside, one) for one in outside.witnesses))
    return LedgerVerified(verified=verified, witnesses=tuple(answers))


async def _asked(outside: Outside, witness: Witness) -> WitnessAnswer:
    try:
        async with asyncio.timeout(WITNESS_WITHIN_SECONDS):
            known = await witness.latest()
    except (WitnessError, TimeoutError) as exc:
        problem = exc.message if isinstance(exc, WitnessError) else "it took too long"
        return WitnessAnswer(name=witness.name, says=WitnessSays.NOT_REACHED, problem=problem)
    if known is None:
        return WitnessAnswer(name=witness.name, says=WitnessSays.NOTHING_YET)
    agrees = await asyncio.to_thread(_is_ours, outside, known)
    return WitnessAnswer(
        name=witness.name,
        says=WitnessSays.AGREES if agrees else WitnessSays.OTHER_HISTORY,
        head=known.number,
        entries=known.entries,
    )


def _is_ours(outside: Outside, head: Head) -> bool:
    with outside.store.begin(read_only=True) as transaction:
        return LEDGER_HEADS.get(transaction, head_place(head.number)) == head


def unsigned_entries(outside: Outside) -> int:
    """Return how many entries at the end are covered by no signed head."""
    with outside.store.begin(read_only=True) as transaction:
        entry, head = transaction.latest_entry(), latest_head(transaction)
    return (0 if entry is None else entry.number) - (0 if head is None else head.entries)
