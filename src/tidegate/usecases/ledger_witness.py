"""
Telling witnesses the heads of the ledger, each at its own pace.

Rule: nothing waits for a witness, and nothing about one is ever asked when something is decided. What
can't be told is told later; what a witness knows otherwise is kept on record until it doesn't any more.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from tidegate.domain.ledger.model import Head, WitnessState
from tidegate.errors import TidegateError, WitnessConflictError, WitnessError
from tidegate.ports.witness import Witness
from tidegate.usecases.ledger_heads import LEDGER_HEADS, head_place, heads_after, latest_head
from tidegate.usecases.outside import Outside
from tidegate.usecases.record import ENGINE, note_fact
from tidegate.usecases.shelves import Shelf

TOLD_AT_ONCE: Final = 100
WITHIN_SECONDS: Final = 60.0
FIRST_RETRY: Final = timedelta(seconds=5)
LAST_RETRY: Final = timedelta(minutes=5)

WITNESSES: Final = Shelf(
    kind="ledger_witness",
    type=WitnessState,
    id_of=lambda state: state.name,
    at=lambda state: state.changed_at,
    is_open=lambda _: True,
    service_of=lambda _: None,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WitnessLag:
    """What a witness was told, and how far the ledger is ahead: heads, and since when."""

    state: WitnessState
    heads_behind: int
    behind_since: datetime | None


def witness_lags(outside: Outside) -> tuple[WitnessLag, ...]:
    """Return how far each witness of this server is."""
    with outside.store.begin(read_only=True) as transaction:
        last = latest_head(transaction)
        lags = []
        for witness in outside.witnesses:
            state = WITNESSES.get(transaction, witness.name)
            if state is None:
                state = WitnessState(name=witness.name, changed_at=outside.clock.now())
            behind = 0 if last is None else max(0, last.number - state.head)
            following = (
                LEDGER_HEADS.get(transaction, head_place(state.head + 1)) if behind else None
            )
            lags.append(
                WitnessLag(
                    state=state,
                    heads_behind=behind,
                    behind_since=None if following is None else following.at,
                )
            )
    return tuple(lags)


async def tell_witness(outside: Outside, witness: Witness) -> WitnessState | None:
    """
    Tell *witness* the heads that it doesn't have; return where it is, None when it wasn't its time.

    Raises:
        StoreError: the ledger's own record can't be read or written.
    """
    now = outside.clock.now()
    state, heads = await asyncio.to_thread(_to_tell, outside, witness.name, now)
    if not heads or now < _next_try(state):
        return None
    try:
        async with asyncio.timeout(WITHIN_SECONDS):
            if state.head == 0:
                heads = await _not_known_yet(outside, witness, heads)
            await witness.keep(heads)
    except WitnessConflictError as exc:
        after = _failed(state, now, conflict=exc.message)
    except (WitnessError, TimeoutError) as exc:
        why = exc.message if isinstance(exc, TidegateError) else "it took too long"
        after = _failed(state, now, problem=why)
    else:
        after = WitnessState(
            name=state.name,
            head=heads[-1].number if heads else state.head,
            head_at=heads[-1].at if heads else state.head_at,
            told_at=now,
            changed_at=now,
        )
    await asyncio.to_thread(_record, outside, state, after)
    return after


def _to_tell(outside: Outside, name: str, now: datetime) -> tuple[WitnessState, Sequence[Head]]:
    with outside.store.begin(read_only=True) as transaction:
        state = WITNESSES.get(transaction, name) or WitnessState(name=name, changed_at=now)
        return state, list(heads_after(transaction, state.head, limit=TOLD_AT_ONCE))


async def _not_known_yet(
    outside: Outside, witness: Witness, heads: Sequence[Head]
) -> Sequence[Head]:
    """Return what to tell a witness that this store was never told of, by what it has already."""
    known = await witness.latest()
    if known is None:
        return heads
    ours = await asyncio.to_thread(_our_head, outside, known.number)
    if ours != known:
        raise WitnessConflictError(
            f"witness {witness.name} has head {known.number} of {known.entries} entries, which this"
            " ledger doesn't have",
            hint="the store was put back to an earlier state, or made anew: look before you go on",
        )
    # It is told its own last head again, so that the record says where it is.
    return await asyncio.to_thread(_to_tell_after, outside, known.number - 1)


def _our_head(outside: Outside, number: int) -> Head | None:
    with outside.store.begin(read_only=True) as transaction:
        return LEDGER_HEADS.get(transaction, head_place(number))


def _to_tell_after(outside: Outside, number: int) -> Sequence[Head]:
    with outside.store.begin(read_only=True) as transaction:
        return list(heads_after(transaction, number, limit=TOLD_AT_ONCE))


def _next_try(state: WitnessState) -> datetime:
    if state.failing_since is None:
        return state.changed_at
    # Doubled at most ten times: by then it is longer than the longest wait.
    wait = min(FIRST_RETRY * (1 << min(state.tries - 1, 10)), LAST_RETRY)
    return state.changed_at + wait


def _failed(
    state: WitnessState, now: datetime, *, problem: str = "", conflict: str = ""
) -> WitnessState:
    return replace(
        state,
        failing_since=state.failing_since or now,
        tries=state.tries + 1,
        problem=problem or conflict,
        conflict=conflict or state.conflict,
        changed_at=now,
    )


def _record(outside: Outside, before: WitnessState, after: WitnessState) -> None:
    with outside.store.begin() as transaction:
        WITNESSES.put(transaction, after)
        if after.conflict and after.conflict != before.conflict:
            # The one thing about witnesses that an auditor has to find in the ledger itself.
            note_fact(
                transaction,
                at=after.changed_at,
                actor=ENGINE,
                kind="evidence",
                rule="witness-conflict",
                because=after.conflict,
                details={"witness": after.name},
            )
