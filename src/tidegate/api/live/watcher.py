"""
One watcher per server: it reads each new entry of the ledger once and tells the pages that are open.

The ledger is looked at, and not what this server did: another server on the same store tells its pages
too. While no page is open, nothing is looked at.

Rule: hints wait for everything else. The store is read in a thread, and after every few streams the loop is
given back, so that a halt never waits for pages.

No stream joins between two hints: it reads what it missed until it is as far as the watcher, and is let in
in the same turn of the loop.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from starlette.types import Message

from tidegate.api.live import hints
from tidegate.api.live.hints import Hint, Narrowing, hint_of
from tidegate.api.live.readers import Follower, Reader, is_for
from tidegate.api.live.streams import Stream, message_of
from tidegate.errors import NotAllowedError, RateLimitedError, StoreError
from tidegate.usecases.access import Access, access_in, accesses_in
from tidegate.usecases.outside import Outside

LOOK_EVERY_SECONDS: Final = 0.2
CHECK_EVERY_SECONDS: Final = 10.0
"""How long what somebody may see counts when the ledger says nothing: a session that ends by itself."""
BEAT_EVERY_SECONDS: Final = 15.0
GIVE_UP_AFTER_SECONDS: Final = 5.0
"""How long the store may be unreadable before the streams end: their pages must say that they aren't live."""

MOST_STREAMS: Final = 5_000
MOST_MISSED: Final = 500
"""So many entries are told to whoever comes back; who missed more fetches the page anew."""

AT_ONCE: Final = 50
"""Streams that are told, and readers that are looked up, in one go: about half a millisecond."""

RETRY_SECONDS: Final = 10


@dataclass(frozen=True, slots=True)
class Opening:
    """
    What somebody finds who opens a stream: what they may see, and what they missed.

    `newest` is the last entry that was looked at. `is_too_far` says that more was missed than is told.
    """

    follower: Follower
    access: Access
    newest: int
    missed: tuple[Hint, ...]
    is_too_far: bool


class Live:
    """
    The open streams of one server. Not for threads: it is used in the server's loop alone.

    Args of the constructor: `outside` is the world; `most_streams` how many pages may be live at once.
    """

    def __init__(self, outside: Outside, *, most_streams: int = MOST_STREAMS) -> None:
        self._outside = outside
        self._most_streams = most_streams
        self._places: Counter[str] = Counter()
        self._readers: dict[str, Reader] = {}
        self._watch: asyncio.Task[None] | None = None
        self._told = 0
        self._beat_at = 0.0
        self._unread_since: float | None = None
        self._is_closed = False

    @contextmanager
    def place(self, follower: Follower) -> Iterator[None]:
        """
        Keep a place for a stream of *follower* while the block runs.

        Raises:
            RateLimitedError: they have too many, or the server has.
        """
        if self._is_closed:
            raise _no_place("the server is about to end")
        if self._places.total() >= self._most_streams:
            raise _no_place(f"all of the {self._most_streams} places for live pages are taken")
        if follower.most is not None and self._places[follower.key] >= follower.most:
            raise _no_place(
                f"this session has {follower.most} live pages open, and can't have more"
            )
        self._places[follower.key] += 1
        try:
            yield
        finally:
            self._places[follower.key] -= 1
            if not self._places[follower.key]:
                del self._places[follower.key]

    async def look(self, follower: Follower, *, after: int | None) -> Opening:
        """
        Return what *follower* finds, and what they missed after entry *after*; None for nothing.

        Raises:
            NotAllowedError: they may not look any more.
            StoreError: it can't be read.
        """
        return await asyncio.to_thread(self._look, follower, after)

    def admit(self, stream: Stream, found: Opening) -> bool:
        """
        Tell *stream* what it missed, and let it in when it is as far as the watcher then.

        Returns:
            Whether that was all; else look again after `found.newest`, at once.
        """
        if found.is_too_far:
            stream.push(message_of(hints.reset(found.newest)))
        missed = [one for one in found.missed if one.concerns(stream.page)]
        frames = b"".join(one.frame for one in missed if is_for(found.access, one))
        if frames:
            stream.push(message_of(frames))
        stream.position = found.newest
        if self._is_closed:
            stream.end()
        if not stream.is_open:
            return True
        if self._watch is None:
            self._told = found.newest
            self._watch = asyncio.create_task(self._keep_telling(), name="live")
        elif self._told > found.newest:
            return False
        at = asyncio.get_running_loop().time()
        reader = self._readers.get(found.follower.key)
        if reader is None:
            reader = Reader(follower=found.follower, access=found.access, checked_at=at)
            self._readers[found.follower.key] = reader
        reader.streams[stream] = None
        return True

    def leave(self, stream: Stream) -> None:
        """Forget *stream*, whose connection is gone."""
        stream.abandon()
        self._forget(stream)

    def close(self) -> None:
        """End every stream now, and let nobody in any more."""
        self._is_closed = True
        self._end_all()
        if self._watch is not None:
            self._watch.cancel()

    # --- the watch ---------------------------------------------------------------------------

    async def _keep_telling(self) -> None:
        try:
            self._beat_at = _now() + BEAT_EVERY_SECONDS
            while self._readers:
                await asyncio.sleep(LOOK_EVERY_SECONDS)
                try:
                    await self._turn()
                    self._unread_since = None
                except StoreError:
                    self._bear_with_the_store()
        finally:
            # Nobody may wait for a watcher that is gone.
            self._end_all()
            self._watch = None

    async def _turn(self) -> None:
        new = await asyncio.to_thread(self._read_new)
        if any(one.changes_access for one in new):
            for reader in self._readers.values():
                reader.is_due = True
        await self._check_readers()
        if new:
            await self._tell(new)
        if _now() >= self._beat_at:
            self._beat_at = _now() + BEAT_EVERY_SECONDS
            await self._beat()

    async def _check_readers(self) -> None:
        """Look up anew what those may see of whom it isn't known well enough; end who may nothing."""
        old = _now() - CHECK_EVERY_SECONDS
        due = [one for one in self._readers.values() if one.is_due or one.checked_at <= old]
        for begin in range(0, len(due), AT_ONCE):
            some = due[begin : begin + AT_ONCE]
            at = _now()
            for reader, access in zip(
                some, await asyncio.to_thread(self._access, some), strict=True
            ):
                if access is None:
                    for stream in tuple(reader.streams):
                        self._end(stream)
                else:
                    reader.renew(access, at=at)

    async def _tell(self, new: Sequence[Hint]) -> None:
        # From here on, whoever joins has to have read these.
        self._told = newest = new[-1].number
        first = new[0].number
        composed: dict[int, dict[Narrowing, Message | None]] = {}
        count = 0
        for reader in tuple(self._readers.values()):
            told = 0
            for place, one in enumerate(new):
                told |= reader.may_be_told(one) << place
            if not told:
                continue
            by_page = composed.setdefault(told, {})
            for stream in tuple(reader.streams):
                page = stream.page
                if stream.position >= first:
                    message = _composed(new, told, page, after=stream.position)
                elif page in by_page:
                    message = by_page[page]
                else:
                    message = by_page[page] = _composed(new, told, page)
                stream.position = max(stream.position, newest)
                if message is not None:
                    self._push(stream, message)
                    count += 1
                    if count % AT_ONCE == 0:
                        await asyncio.sleep(0)

    async def _beat(self) -> None:
        message = message_of(hints.beat(self._told))
        streams = [stream for reader in self._readers.values() for stream in reader.streams]
        for count, stream in enumerate(streams, start=1):
            self._push(stream, message)
            if count % AT_ONCE == 0:
                await asyncio.sleep(0)

    def _push(self, stream: Stream, message: Message) -> None:
        if not stream.push(message):
            self._forget(stream)

    def _bear_with_the_store(self) -> None:
        if self._unread_since is None:
            self._unread_since = _now()
        elif _now() - self._unread_since > GIVE_UP_AFTER_SECONDS:
            self._end_all()

    def _end_all(self) -> None:
        for reader in tuple(self._readers.values()):
            for stream in tuple(reader.streams):
                self._end(stream)

    def _end(self, stream: Stream) -> None:
        stream.end()
        self._forget(stream)

    def _forget(self, stream: Stream) -> None:
        reader = self._readers.get(stream.reader)
        if reader is not None:
            reader.streams.pop(stream, None)
            if not reader.streams:
                del self._readers[stream.reader]

    # --- what reads the store, in a thread ------------------------------------------------------

    def _look(self, follower: Follower, after: int | None) -> Opening:
        with self._outside.store.begin(read_only=True) as transaction:
            now = self._outside.clock.now()
            caller = follower.caller_now(transaction, now)
            if caller is None:
                raise NotAllowedError("the session has ended", hint="log in again at /login")
            latest = transaction.latest_entry()
            newest = 0 if latest is None else latest.number
            # Numbers have no gaps. One that isn't there yet is of another store.
            is_too_far = after is not None and not 0 <= newest - after <= MOST_MISSED
            entries = (
                ()
                if after is None or is_too_far
                else transaction.ledger(after=after, limit=MOST_MISSED)
            )
            return Opening(
                follower=follower,
                access=access_in(transaction, caller, now),
                newest=newest,
                missed=tuple(hint_of(transaction, entry) for entry in entries),
                is_too_far=is_too_far,
            )

    def _read_new(self) -> tuple[Hint, ...]:
        with self._outside.store.begin(read_only=True) as transaction:
            entries = transaction.ledger(after=self._told, limit=MOST_MISSED)
            return tuple(hint_of(transaction, entry) for entry in entries)

    def _access(self, readers: Sequence[Reader]) -> list[Access | None]:
        with self._outside.store.begin(read_only=True) as transaction:
            now = self._outside.clock.now()
            callers = [one.follower.caller_now(transaction, now) for one in readers]
            known = iter(accesses_in(transaction, [one for one in callers if one], now))
            return [None if one is None else next(known) for one in callers]


def _composed(new: Sequence[Hint], told: int, page: Narrowing, *, after: int = 0) -> Message | None:
    """Return the message with those of *new* whose bit is set in *told* and that concern *page*."""
    frames = [
        one.frame
        for place, one in enumerate(new)
        if told >> place & 1 and one.number > after and one.concerns(page)
    ]
    return message_of(b"".join(frames)) if frames else None


def _no_place(why: str) -> RateLimitedError:
    return RateLimitedError(
        why, hint="a page that isn't live asks by itself; close some, or try later"
    )


def _now() -> float:
    return asyncio.get_running_loop().time()
