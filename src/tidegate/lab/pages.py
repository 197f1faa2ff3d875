"""
The lab's own page: its story as it happens, what users get, and buttons to break and to heal.

It belongs to the lab alone and is added to the server that the lab runs. Every figure comes from the
users' side, as in the story; how rollouts are decided is on their own pages.
"""

import os
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from tidegate.api.access import operation
from tidegate.api.app import MorePages
from tidegate.api.pages.acting import Acting, Outcome
from tidegate.api.pages.guarding import ActingRoute, PageRoute
from tidegate.api.pages.onlooker import Looks, Onlooker, may
from tidegate.api.pages.page_words import Place
from tidegate.api.pages.rendering import page, templates_with
from tidegate.api.state import ServerState, server_of
from tidegate.domain.access.permissions import Permission
from tidegate.errors import LabError
from tidegate.lab.commands import BreakLab, HealLab
from tidegate.lab.control import RunningLab
from tidegate.lab.faults import Fault, faults_in_force
from tidegate.lab.load_report import LoadSummary, recent_lines, summarise
from tidegate.lab.story import Book
from tidegate.lab.summary import summary_lines
from tidegate.lab.world import SERVICE, World
from tidegate.usecases.resources import resource_of_named

LAB_PATH: Final = "/lab"
LOOKED_BACK: Final = timedelta(seconds=30)
READ_AT_MOST_BYTES: Final = 1_000_000

WHAT_THEY_DO: Final = {
    Fault.ERRORS: "One in ten of its requests is answered with status 500.",
    Fault.LATENCY: "Every request takes 200 ms longer.",
    Fault.USAGE_DROP: "Four in five orders are thanked for and forgotten; no error shows.",
    Fault.SILENCE: "Users hardly come to it any more.",
    Fault.CRASH_AT_START: "Its processes end before they listen.",
    Fault.CRASH_LATER: "Its processes end after 20 seconds, again after each restart.",
    Fault.FLAPPING: "Bad and good in turn, every two seconds.",
}

_templates = templates_with("tidegate.lab")


@dataclass(slots=True)
class LabPage:
    """What the page shows. `world` is None until it is built, and the story is empty until it begins."""

    book: Book = field(default_factory=Book)
    world: World | None = None

    def lab(self) -> RunningLab:
        """Return the lab that runs. Raises LabError while it is being built."""
        if self.world is None:
            raise LabError("the lab is being built", hint="try again in some seconds")
        server = self.world.server
        return RunningLab(
            pid=os.getpid(),
            url=server.url,
            token=server.token,
            shop_url=self.world.shop_url,
            document=self.world.shop_document,
            faults=self.world.faults_dir,
        )

    def users(self, now: datetime) -> LoadSummary | None:
        """Return what users got in the last seconds before *now*, None while nobody has come yet."""
        if self.world is None:
            return None
        lines = recent_lines(self.world.report, at_most_bytes=READ_AT_MOST_BYTES)
        if not lines:
            return None
        return summarise(lines, now - LOOKED_BACK, now)

    def broken(self) -> tuple[tuple[str, str], ...]:
        """Return the versions that are broken now, each with what is wrong with it."""
        return () if self.world is None else faults_in_force(self.world.faults_dir)


def lab_pages(lab_page: LabPage) -> MorePages:
    """Return what the lab adds to its server: the page, and what its buttons are sent to."""
    router = APIRouter(include_in_schema=False)
    router.include_router(_showing(lab_page))
    router.include_router(_acting(lab_page))
    return MorePages(router=router, places=(Place(label="Lab", path=LAB_PATH, on_phone=True),))


def _showing(lab_page: LabPage) -> APIRouter:
    router = APIRouter(include_in_schema=False, route_class=PageRoute)

    @router.get(LAB_PATH)
    async def lab(request: Request, onlooker: Looks) -> Response:
        """Show the story so far, and what users get now."""
        server = server_of(request)
        now = server.outside.clock.now()
        return page(
            request,
            "lab.html",
            templates=_templates,
            lines=[*reversed(lab_page.book.lines)],
            told=[(one.document, summary_lines(one.document)) for one in lab_page.book.rollouts],
            users=await run_in_threadpool(lab_page.users, now),
            looked_back=LOOKED_BACK,
            broken=lab_page.broken(),
            shop_url=None if lab_page.world is None else lab_page.world.shop_url,
            can_break=await run_in_threadpool(_may_break, server, onlooker),
            faults=WHAT_THEY_DO,
        )

    return router


def _may_break(server: ServerState, onlooker: Onlooker) -> bool:
    """Return whether breaking is theirs, as its command will ask: it starts a broken version."""
    if onlooker.actor is None:
        return False
    shop = resource_of_named(server.outside, onlooker.actor, SERVICE)
    return may(server, onlooker, Permission.START, shop)


def _acting(lab_page: LabPage) -> APIRouter:
    router = APIRouter(include_in_schema=False, route_class=ActingRoute)

    @router.post(f"{LAB_PATH}/break", **operation(Permission.START, LabError))
    async def break_(act: Acting) -> Response:
        """Break the version that is being rolled out, or start a broken one."""
        return await act.carry_out(
            BreakLab(lab=lab_page.lab(), fault=act.text("fault")),
            lambda done: Outcome(
                message=f"shop {done.version} has {done.fault}", location=LAB_PATH
            ),
        )

    @router.post(f"{LAB_PATH}/heal", **operation(Permission.START, LabError))
    async def heal(act: Acting) -> Response:
        """Take every fault away."""
        return await act.carry_out(
            HealLab(lab=lab_page.lab()),
            lambda _: Outcome(message="every fault is taken away", location=LAB_PATH),
        )

    return router
