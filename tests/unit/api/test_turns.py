"""When each request goes on: a few in every turn of the loop, none while a stop is under way."""

import asyncio
from contextlib import AbstractContextManager

from hypothesis import given
from hypothesis import strategies as st

from tidegate.api.turns import AT_ONCE, Turns
from tidegate.usecases.right_of_way import GIVES_WAY_FOR_SECONDS, RightOfWay

MANY = 10 * AT_ONCE
A_LONG_TIME = 3600.0


def turns_of_patience() -> Turns:
    """Return turns that wait for a stop however slow the machine is."""
    return Turns(RightOfWay(most_seconds=A_LONG_TIME))


class Crowd:
    """Those who ask for turns, in the order in which they went on, by the turn of the loop."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.by_turn: list[list[str]] = []

    async def ask(self, name: str, *, is_urgent: bool = False) -> None:
        """Wait for a turn, and note when it came."""
        await self.turns.mine(is_urgent=is_urgent)
        self.by_turn[-1].append(name)

    async def go_round(self, count: int) -> None:
        """Let the loop go round *count* times."""
        for _ in range(count):
            self.by_turn.append([])
            await asyncio.sleep(0)

    @property
    def gone_on(self) -> list[str]:
        """Everyone who went on, in order."""
        return [name for turn in self.by_turn for name in turn]


async def test_nobody_waits_where_few_ask() -> None:
    """A turn that is free is taken at once: a server that isn't crowded is no slower."""
    turns = Turns(RightOfWay())

    for _ in range(AT_ONCE):
        asked = turns.mine()
        try:
            asked.send(None)
        except StopIteration:
            continue
        raise AssertionError("waited for a turn that was free")


async def test_a_few_go_on_in_each_turn_of_the_loop() -> None:
    """However many ask together, between two of the loop's turns only a few of them are begun."""
    crowd = Crowd(turns_of_patience())
    asking = [asyncio.create_task(crowd.ask(f"{number}")) for number in range(MANY)]

    await crowd.go_round(3 * MANY)
    await asyncio.gather(*asking)

    assert crowd.gone_on == [f"{number}" for number in range(MANY)]
    assert max(len(turn) for turn in crowd.by_turn) <= AT_ONCE


async def test_who_is_urgent_goes_before_those_who_wait() -> None:
    """The page that people stop from, and a look at the server's health, pass the others."""
    crowd = Crowd(turns_of_patience())
    asking = [asyncio.create_task(crowd.ask(f"{number}")) for number in range(MANY)]
    asking.append(asyncio.create_task(crowd.ask("urgent", is_urgent=True)))

    await crowd.go_round(3 * MANY)
    await asyncio.gather(*asking)

    assert crowd.gone_on.index("urgent") <= 3 * AT_ONCE


async def test_nobody_goes_on_while_a_stop_is_under_way() -> None:
    """Also not those who had asked before it began; afterwards all of them do."""
    crowd = Crowd(turns_of_patience())
    asking = [asyncio.create_task(crowd.ask(f"{number}")) for number in range(MANY)]
    await crowd.go_round(2)

    with crowd.turns.stopping():
        before = len(crowd.gone_on)
        asking.append(asyncio.create_task(crowd.ask("late", is_urgent=True)))
        await crowd.go_round(MANY)
        meanwhile = len(crowd.gone_on) - before
    await crowd.go_round(3 * MANY)
    await asyncio.gather(*asking)

    # Who was told before it began may still take a turn of the loop to hear it.
    assert meanwhile <= AT_ONCE
    assert len(crowd.gone_on) == MANY + 1


async def test_stops_in_a_row_put_off_for_a_moment_only() -> None:
    """A stop that lasts, or stops without end, must not shut out a look for longer than half a second."""
    turns = Turns(RightOfWay())
    loop = asyncio.get_running_loop()
    began = loop.time()

    with turns.stopping():
        async with asyncio.timeout(60):
            await turns.mine()
            waited = loop.time() - began
            with turns.stopping():
                await turns.mine()

    assert waited >= GIVES_WAY_FOR_SECONDS * 0.9


async def test_stops_without_a_gap_shut_nobody_out() -> None:
    """Each of them is short, and the next one begins before anybody's turn could come."""
    turns = Turns(RightOfWay(most_seconds=2.0))
    asked = asyncio.create_task(turns.mine())
    with turns.stopping():
        await asyncio.sleep(0)
        also = asyncio.create_task(turns.mine())
        await asyncio.sleep(0)

    async with asyncio.timeout(20):
        while not (asked.done() and also.done()):
            with turns.stopping():
                await asyncio.sleep(0)


async def test_who_gave_up_takes_nobody_s_turn() -> None:
    """A connection that is gone while it waits leaves its turn to the next."""
    crowd = Crowd(turns_of_patience())
    asking = [asyncio.create_task(crowd.ask(f"{number}")) for number in range(MANY)]
    await crowd.go_round(2)
    gone = asking[len(crowd.gone_on) + AT_ONCE : -AT_ONCE]
    for one in gone:
        one.cancel()

    await crowd.go_round(AT_ONCE + 2)
    await asyncio.gather(*asking, return_exceptions=True)

    assert len(crowd.gone_on) == MANY - len(gone)


@given(st.lists(st.sampled_from(["ask", "urgent", "stop", "over", "round", "gone"]), max_size=60))
def test_whatever_comes_everybody_goes_on_once(events: list[str]) -> None:
    """However asks, stops and cancellations mix: nobody is forgotten, and nobody begins during a stop."""

    async def run() -> None:
        crowd = Crowd(turns_of_patience())
        stops: list[AbstractContextManager[None]] = []
        before = 0
        asking: list[asyncio.Task[None]] = []
        await crowd.go_round(1)
        for number, event in enumerate(events):
            match event:
                case "ask" | "urgent":
                    one = crowd.ask(f"{number}", is_urgent=event == "urgent")
                    asking.append(asyncio.create_task(one))
                case "stop":
                    before = before if stops else len(crowd.gone_on)
                    stops.append(crowd.turns.stopping())
                    stops[-1].__enter__()
                case "over" if stops:
                    stops.pop().__exit__(None, None, None)
                case "gone" if asking:
                    asking.pop().cancel()
                case _:
                    await crowd.go_round(1)
                    # Who was told before it began may still hear it.
                    assert not stops or len(crowd.gone_on) - before <= AT_ONCE
        while stops:
            stops.pop().__exit__(None, None, None)
        await crowd.go_round(2 * len(events) + 4)
        assert all(one.done() for one in asking)

    asyncio.run(run())
