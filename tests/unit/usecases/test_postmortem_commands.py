"""Writing into a postmortem: recorded with its entry or not at all, and by many hands at once."""

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tidegate.domain.access.model import Caller, CallerKind
from tidegate.domain.review.written import Changed, Factor, Review
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import Rollout
from tidegate.errors import NotFoundError, RefusedError, StateMovedError, TidegateError
from tidegate.ports.store import LedgerEntry
from tidegate.store.open import open_store
from tidegate.testing.memory_world import MemoryWorld
from tidegate.usecases.bus import Command, perform
from tidegate.usecases.halt import halt_rollout
from tidegate.usecases.outside import Outside
from tidegate.usecases.postmortem import write_postmortem
from tidegate.usecases.postmortem_commands import (
    AddAction,
    AddFactor,
    ChangeFactor,
    MarkAction,
    RemoveFactor,
)
from tidegate.usecases.postmortem_records import REVIEWS

HANDS = 6
EACH = 5


@pytest.fixture
def world() -> MemoryWorld:
    return MemoryWorld()


def a_caller(name: str) -> Caller:
    return Caller(name=name, kind=CallerKind.PERSON, person=name, is_root=True)


ANN = a_caller("ann")
BEN = a_caller("ben")


async def halted(world: MemoryWorld) -> Rollout:
    await world.installed()
    rollout = await world.start("1.1.0")
    await world.run(rollout.id, until={State.BAKING})
    return await halt_rollout(world.outside, rollout.id, actor="lead-a", reason="looks wrong")


def review_of(outside: Outside, rollout: Rollout) -> Review | None:
    with outside.store.begin(read_only=True) as transaction:
        return REVIEWS.get(transaction, rollout.id)


def written(outside: Outside, rollout: Rollout) -> list[LedgerEntry]:
    """Return the entries of the ledger that looked back at *rollout*."""
    with outside.store.begin(read_only=True) as transaction:
        entries = transaction.ledger(rollout_id=rollout.id)
    return [one for one in entries if one.rule.endswith(("-factor", "-action"))]


async def test_each_change_is_in_the_ledger_with_what_was_before_and_after(
    world: MemoryWorld,
) -> None:
    """What was removed is still there to be read, with who did what."""
    rollout = await halted(world)
    outside = world.outside

    await perform(outside, ANN, AddFactor(rollout=rollout.id, text="old list"))
    change = ChangeFactor(rollout=rollout.id, factor="f-1", version=1, text="older list")
    await perform(outside, BEN, change)
    await perform(outside, ANN, RemoveFactor(rollout=rollout.id, factor="f-1", version=2))

    entries = written(outside, rollout)
    assert [(one.actor, one.rule, one.because) for one in entries] == [
        ("ann", "add-factor", "f-1: old list"),
        ("ben", "change-factor", "f-1: older list"),
        ("ann", "remove-factor", "f-1: older list"),
    ]
    told = [json.loads(one.details_json or "") for one in entries]
    assert [one["before"] and one["before"]["text"] for one in told] == [
        None, "old list", "older list",
    ]  # fmt: skip
    assert [one["after"] and one["after"]["text"] for one in told] == [
        "old list", "older list", None,
    ]  # fmt: skip
    assert told[1]["after"]["by"] == "ann" and told[1]["after"]["changed_by"] == "ben"


async def test_what_is_refused_leaves_no_entry(world: MemoryWorld) -> None:
    """Neither in the review nor in the ledger."""
    rollout = await halted(world)
    await perform(world.outside, ANN, AddFactor(rollout=rollout.id, text="old list"))
    before = review_of(world.outside, rollout)

    for command in (
        AddFactor(rollout=rollout.id, text=" "),
        ChangeFactor(rollout=rollout.id, factor="f-1", version=2, text="x"),
        RemoveFactor(rollout=rollout.id, factor="f-2", version=1),
    ):
        with pytest.raises(TidegateError):
            await perform(world.outside, BEN, command)

    assert review_of(world.outside, rollout) == before
    assert len(written(world.outside, rollout)) == 1


async def test_nothing_is_written_about_what_went_well(world: MemoryWorld) -> None:
    """There is nothing to look back at, or nothing at all."""
    await world.installed()
    rollout = await world.start("1.1.0")

    with pytest.raises(RefusedError, match="nothing went wrong"):
        await perform(world.outside, ANN, AddFactor(rollout=rollout.id, text="x"))
    with pytest.raises(NotFoundError):
        await perform(world.outside, ANN, AddFactor(rollout="nothing", text="x"))


async def test_what_happened_stays_as_it_was(world: MemoryWorld) -> None:
    """Looking back adds nobody to the timeline and no role; the rollout isn't moved by it."""
    rollout = await halted(world)
    before = write_postmortem(world.outside, rollout)

    await perform(world.outside, BEN, AddFactor(rollout=rollout.id, text="old list"))
    due = world.clock.now().date()
    action = AddAction(rollout=rollout.id, text="x", owner="team", due=due)
    await perform(world.outside, BEN, action)
    mark = MarkAction(rollout=rollout.id, action="a-1", version=1, is_done=True)
    await perform(world.outside, BEN, mark)

    after = write_postmortem(world.outside, world.rollout(rollout.id))
    assert after.postmortem == before.postmortem
    assert after.rollout == before.rollout
    assert (len(after.review.factors), len(after.review.actions)) == (1, 1)


InStore = Callable[[MemoryWorld, Rollout], Outside]


@pytest.fixture(params=["memory", "sqlite"])
def in_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[InStore]:
    """Return what gives a world over a store that many threads write into, with one rollout in it."""
    if request.param == "memory":
        yield lambda world, _: world.outside
        return
    with closing(open_store(f"sqlite:///{tmp_path}/store.db")) as store:

        def over(world: MemoryWorld, rollout: Rollout) -> Outside:
            with store.begin() as transaction:
                transaction.add_rollout(rollout)
            return replace(world.outside, store=store)

        yield over


async def test_many_hands_at_once_lose_nothing(world: MemoryWorld, in_store: InStore) -> None:
    """Each text of each thread is there once, under an id of its own, with its entry."""
    rollout = await halted(world)
    outside = in_store(world, rollout)
    texts = {f"{hand} {number}" for hand in range(HANDS) for number in range(EACH)}

    refused = in_threads(outside, [AddFactor(rollout=rollout.id, text=one) for one in texts])

    review = review_of(outside, rollout)
    assert review is not None and refused == []
    assert {one.text for one in review.factors} == texts
    assert [one.id for one in review.factors] == [f"f-{n}" for n in range(1, len(texts) + 1)]
    assert len(written(outside, rollout)) == len(texts)


async def test_of_many_who_change_one_text_one_is_taken(
    world: MemoryWorld, in_store: InStore
) -> None:
    """All others are told, and none of them is overwritten."""
    rollout = await halted(world)
    outside = in_store(world, rollout)
    await perform(outside, ANN, AddFactor(rollout=rollout.id, text="old list"))
    changes = [
        ChangeFactor(rollout=rollout.id, factor="f-1", version=1, text=f"by {number}")
        for number in range(HANDS)
    ]

    refused = in_threads(outside, changes)

    review = review_of(outside, rollout)
    assert review is not None and refused == ["state.moved"] * (HANDS - 1)
    assert review.factors[0].text in {one.text for one in changes}
    assert review.factors[0].version == 2
    assert len(written(outside, rollout)) == 2


def in_threads(outside: Outside, commands: Sequence[Command[Changed[Factor]]]) -> list[str]:
    """Let each of *commands* be carried out in a thread; return the codes of what was refused."""

    def carry_out(command: Command[Changed[Factor]]) -> str | None:
        try:
            asyncio.run(perform(outside, ANN, command))
        except StateMovedError as exc:
            return exc.code
        return None

    with ThreadPoolExecutor(HANDS) as threads:
        return [one for one in threads.map(carry_out, commands) if one is not None]
