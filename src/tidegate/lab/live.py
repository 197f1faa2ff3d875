"""
Running the lab in a terminal: tells the story, then stays up until it is told to end.

With JSON as output nothing but one document goes to standard output; what happens meanwhile goes to
standard error, so that a person who waits sees something.
"""

import asyncio
import json
import signal
import sys
from datetime import datetime
from typing import Final

from rich.console import Console

from tidegate.api.tokens import page_link
from tidegate.lab import story
from tidegate.lab.files import write_json
from tidegate.lab.pages import LAB_PATH, LabPage
from tidegate.lab.summary import summary_lines
from tidegate.lab.world import LabOptions, LabServer, World, built

LAB_PERSON: Final = "you"
"""As whom the lab's page acts: whoever reads its link in their own terminal."""

FOUND_FILE: Final = "found.json"
"""What `-o json` prints, kept in the lab's folder whatever is printed."""

_COLOURS: Final = {"lab": "cyan", "healthy": "green", "harmful": "red"}


async def live(server: LabServer, options: LabOptions, page: LabPage) -> int:
    """
    Run the lab on *server*; return 0 when the good version completed and the bad one was put back.

    What is told is shown on *page*, too.

    Raises:
        LabError: a part of it can't be started.
    """
    console = Console(stderr=options.output == "json", highlight=False, soft_wrap=True)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with built(server, options) as world:
        page.world = world
        console.print(
            f"[cyan]lab[/]      {server.url}   shop {world.shop_url}"
            f"   {options.rate:g} requests/s from {options.users} users"
        )
        console.print(f"[cyan]lab[/]      watch it: {_page(server)}")
        telling = asyncio.create_task(_tell_all(world, options, console, page.book))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({telling, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not telling.done():
            telling.cancel()
            await asyncio.wait({telling})
            console.print("[cyan]lab[/]      ends early")
            return 1
        stopping.cancel()
        told = telling.result()
        document = {"schema": 1, "rollouts": [rollout.document for rollout in told]}
        write_json(server.state_dir / FOUND_FILE, document)
        if options.output == "json":
            print(json.dumps(document, indent=2))
        else:
            _sum_up(console, told)
        if not options.once:
            _say_how_to_go_on(console, server)
            await stop.wait()
            console.print("[cyan]lab[/]      ends")
        return 0 if _went_well(told) else 1


async def _tell_all(
    world: World, options: LabOptions, console: Console, book: story.Book
) -> list[story.Told]:
    def tell(name: str, line: str) -> None:
        at = datetime.now().astimezone().strftime("%H:%M:%S")
        colour = _COLOURS.get(name, "white")
        console.print(f"[{colour}]{name:<8}[/] [dim]{at}[/]  ", end="")
        console.print(line, markup=False)
        book.note(name, line)

    await story.install(world, options, tell)
    book.rollouts.append(await story.healthy(world, tell))
    book.rollouts.append(await story.harmful(world, tell))
    return book.rollouts


def _went_well(told: list[story.Told]) -> bool:
    outcomes = {rollout.name: rollout.document["outcome"] for rollout in told}
    return outcomes == {"healthy": "completed", "harmful": "rolled_back"}


def _sum_up(console: Console, told: list[story.Told]) -> None:
    console.print()
    for rollout in told:
        for line in summary_lines(rollout.document):
            console.print(line, markup=False)


def _say_how_to_go_on(console: Console, server: LabServer) -> None:
    console.print()
    console.print("break it:  tidegate lab break errors | latency | usage-drop | silence |")
    console.print("           crash-at-start | crash-later | flapping")
    console.print("mend it:   tidegate lab heal        end: tidegate lab down, or Ctrl-C")
    # Last, so that it is what a person sees: here the story goes on.
    console.print(
        f"page:      {page_link(server.url, server.token, LAB_PERSON, path=LAB_PATH)}", markup=False
    )
    sys.stdout.flush()


def _page(server: LabServer) -> str:
    return page_link(server.url, server.token, LAB_PERSON, path=LAB_PATH)
