"""Who waits for whom in one loop: long work for a stop, but not for ever."""

import asyncio

from tidegate.usecases.right_of_way import GIVES_WAY_FOR_SECONDS, RightOfWay

ROUNDS = 20


async def test_long_work_lets_the_loop_go_round() -> None:
    """Without a stop it gives way for one turn of the loop and goes on."""
    way = RightOfWay()
    others = 0

    async def work() -> None:
        for _ in range(ROUNDS):
            await way.give_way()

    working = asyncio.create_task(work())
    while not working.done():
        others += 1
        await asyncio.sleep(0)

    assert ROUNDS <= others <= ROUNDS + 2


async def test_long_work_waits_until_every_stop_is_over() -> None:
    """Two stops that overlap are waited for both."""
    way = RightOfWay(most_seconds=3600.0)

    with way.stopping():
        with way.stopping():
            working = asyncio.create_task(way.give_way())
            await rounds()
            waits_for_both = not working.done()
        await rounds()
        waits_for_one = not working.done()
    await asyncio.wait_for(working, 60)

    assert waits_for_both
    assert waits_for_one
    assert not way.is_held


async def test_stops_in_a_row_put_off_long_work_for_a_moment_only() -> None:
    """The watch halts too: who floods a server with stops must not blind it."""
    way = RightOfWay()
    loop = asyncio.get_running_loop()
    began = loop.time()

    with way.stopping():
        async with asyncio.timeout(60):
            await way.give_way()
            waited = loop.time() - began
            await way.give_way()

    assert waited >= GIVES_WAY_FOR_SECONDS * 0.9


async def test_the_next_stop_is_waited_for_anew() -> None:
    """That one stop took too long is no reason to be in the way of another, a while later."""
    way = RightOfWay(most_seconds=0.05)
    with way.stopping():
        async with asyncio.timeout(60):
            await way.give_way()

    await asyncio.sleep(0.1)
    with way.stopping():
        held = way.is_held

    assert held
    assert not way.is_held


async def rounds() -> None:
    """Let the loop go round some times."""
    for _ in range(ROUNDS):
        await asyncio.sleep(0)
