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
from typing import Any, Final

from rich.console import Console

from tidegate.api.tokens import page_link
from tidegate.lab import story
from tidegate.lab.world import LabOptions, LabServer, World, built

LAB_PERSON: Final = "you"
"""As whom the lab's page acts: whoever reads its link in their own terminal."""

_COLOURS: Final = {"lab": "cyan", "healthy": "green", "harmful": "red"}


async def live(server: LabServer, options: LabOptions) -> int:
    """
    Run the lab on *server*; return 0 when the good version completed and the bad one was put back.

    Raises:
        LabError: a part of it can't be started.
    """
    console = Console(stderr=options.output == "json", highlight=False, soft_wrap=True)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with built(server, options) as world:
        console.print(
            f"[cyan]lab[/]      {server.url}   shop {world.shop_url}"
            f"   {options.rate:g} requests/s from {options.users} users"
        )
        telling = asyncio.create_task(_tell_all(world, options, console))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({telling, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not telling.done():
            telling.cancel()
            console.print("[cyan]lab[/]      ends early")
            return 1
        stopping.cancel()
        told = telling.result()
        if options.output == "json":
            document = {"schema": 1, "rollouts": [rollout.document for rollout in told]}
            print(json.dumps(document, indent=2))
        else:
            _sum_up(console, told)
        if not options.once:
            _say_how_to_go_on(console, server)
            await stop.wait()
            console.print("[cyan]lab[/]      ends")
        return 0 if _went_well(told) else 1


async def _tell_all(world: World, options: LabOptions, console: Console) -> list[story.Told]:
    def tell(name: str, line: str) -> None:
        at = datetime.now().astimezone().strftime("%H:%M:%S")
        colour = _COLOURS.get(name, "white")
        console.print(f"[{colour}]{name:<8}[/] [dim]{at}[/]  ", end="")
        console.print(line, markup=False)

    await story.install(world, options, tell)
    return [await story.healthy(world, tell), await story.harmful(world, tell)]


def _went_well(told: list[story.Told]) -> bool:
    outcomes = {rollout.name: rollout.document["outcome"] for rollout in told}
    return outcomes == {"healthy": "completed", "harmful": "rolled_back"}


def _sum_up(console: Console, told: list[story.Told]) -> None:
    console.print()
    for rollout in told:
        for line in summary_lines(rollout.document):
            console.print(line, markup=False)


def summary_lines(document: dict[str, Any]) -> list[str]:
    """Return what became of one rollout, in a few lines for people."""
    requests = document["requests"]
    failed, served = requests["failed"], requests["served"]
    lines = [
        f"{document['name']:<8} {document['change']['to']}: {document['outcome'].replace('_', ' ')}"
        f"   {requests['total']} requests, {requests['lost']} lost;"
        f" failed: candidate {failed['candidate']} of {served['candidate']},"
        f" baseline {failed['baseline']} of {served['baseline']}"
    ]
    if document["seconds_to_withdrawal"] is not None:
        lines.append(
            f"         {document['seconds_to_withdrawal']:.1f} s from the first failed request to"
            f" the last one served by it; {document['exposed_share']:.2%} of user-minutes exposed"
        )
    return lines


def _say_how_to_go_on(console: Console, server: LabServer) -> None:
    console.print()
    console.print("break it:  tidegate lab break errors | latency | usage-drop | silence |")
    console.print("           crash-at-start | crash-later | flapping")
    console.print("mend it:   tidegate lab heal        end: tidegate lab down, or Ctrl-C")
    # Last, so that it is what a person sees: here the story goes on.
    console.print(f"page:      {page_link(server.url, server.token, LAB_PERSON)}", markup=False)
    sys.stdout.flush()
