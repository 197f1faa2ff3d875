"""Streams of hints under any breaks: what a page gets in all its streams is the ledger, once, in order."""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.types import Message

from tidegate.api.live import watcher
from tidegate.api.live.hints import Narrowing
from tidegate.api.live.readers import Follower
from tidegate.api.live.streams import Stream
from tidegate.api.live.watcher import Live
from tidegate.api.pages.onlooker import KEY_HOLDER
from tidegate.testing.memory_world import MemoryWorld
from tidegate.usecases.record import note_fact

ONE = Follower("one", KEY_HOLDER, lambda *_: KEY_HOLDER, most=None)
MOST_ENTRIES = 5
ACTS = st.one_of(
    st.tuples(st.just("write"), st.integers(1, MOST_ENTRIES)),
    st.tuples(st.just("wait"), st.integers(1, 20)),
    st.tuples(st.just("break"), st.just(0)),
    # What happens while a stream is being taken up.
    st.tuples(st.just("resume"), st.integers(0, MOST_ENTRIES)),
    st.tuples(st.just("fill"), st.just(0)),
)


class Browser:
    """A page that comes back behind the last id that it got, over as many streams as it takes."""

    def __init__(self, world: MemoryWorld, live: Live) -> None:
        self.ids: list[int] = []
        self.is_full = False
        self._world = world
        self._live = live
        self._stream: Stream | None = None

    @property
    def is_open(self) -> bool:
        return self._stream is not None and self._stream.is_open

    async def resume(self, other: "Browser", written_meanwhile: int = 0) -> None:
        if self.is_open:
            return
        self.leave()
        self.is_full = False
        found = await self._live.look(ONE, after=self.ids[-1] if self.ids else 0)
        self._stream = Stream(self._send, page=Narrowing(), reader=ONE.key)
        write(self._world, written_meanwhile)
        if written_meanwhile % 2:
            # Those that are open are told of it before this one is in.
            await other.until_told(newest(self._world))
        while not self._live.admit(self._stream, found):
            found = await self._live.look(ONE, after=found.newest)
            await asyncio.sleep(0)

    async def until_told(self, number: int) -> None:
        async with asyncio.timeout(60):
            while not self.ids or self.ids[-1] < number:
                await asyncio.sleep(0)

    def leave(self) -> None:
        if self._stream is not None:
            self._live.leave(self._stream)
            self._stream = None

    async def _send(self, message: Message) -> None:
        while self.is_full:
            await asyncio.sleep(0)
        for block in message["body"].decode().split("\n\n")[:-1]:
            if "\nevent: " in block:
                self.ids.append(int(block.partition("\n")[0].removeprefix("id: ")))


def newest(world: MemoryWorld) -> int:
    with world.store.begin(read_only=True) as transaction:
        latest = transaction.latest_entry()
    return 0 if latest is None else latest.number


def write(world: MemoryWorld, count: int) -> None:
    for _ in range(count):
        with world.store.begin() as transaction:
            note_fact(
                transaction,
                at=world.clock.now(),
                actor="dev-a",
                kind="command",
                rule="x",
                because="a test",
            )


async def played(acts: list[tuple[str, int]]) -> tuple[list[int], list[int], int]:
    """Return what a page got that broke as *acts* say, what one got that never did, and the newest."""
    world = MemoryWorld()
    write(world, 1)
    live = Live(world.outside)
    steady, browser = Browser(world, live), Browser(world, live)
    await steady.resume(steady)
    for act, count in acts:
        match act:
            case "write":
                write(world, count)
                if count % 2:
                    await steady.until_told(newest(world))
            case "wait":
                for _ in range(count):
                    await asyncio.sleep(0)
            case "break":
                browser.leave()
            case "resume":
                await browser.resume(steady, count)
            case _:
                browser.is_full = True
    browser.leave()
    await browser.resume(steady)
    last = newest(world)
    await steady.until_told(last)
    await browser.until_told(last)
    live.close()
    return browser.ids, steady.ids, last


@given(acts=st.lists(ACTS, max_size=25))
@settings(max_examples=60, deadline=None)
def test_no_break_makes_a_gap_or_a_repetition(acts: list[tuple[str, int]]) -> None:
    """Whenever streams break, fill up or are taken up, and whatever is written meanwhile."""
    kept = watcher.LOOK_EVERY_SECONDS
    watcher.LOOK_EVERY_SECONDS = 0.0  # type: ignore[misc]
    try:
        ids, steady_ids, last = asyncio.run(played(acts))
    finally:
        watcher.LOOK_EVERY_SECONDS = kept  # type: ignore[misc]

    assert ids == steady_ids == list(range(1, last + 1))
