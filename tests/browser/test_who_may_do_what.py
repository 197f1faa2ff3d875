"""Whoever may not do something is offered no button for it, and is refused when they ask all the same."""

import re

import httpx
import pytest
from screens import SCREENS, Screen
from seen_screens import forms

from tidegate.api.pages.cookies import SESSION_COOKIE
from tidegate.domain.access.roles import Role
from tidegate.testing.scenes import Scene

OF_EVERYONE = re.compile(r"/theme|/stops|/rollouts/[^/]+/halt|/services/[^/]+/stop")
"""What forms of everyone are sent to: to stop, and to see well."""

PEOPLE = "people"

FORBIDDEN = {
    "search": ("approve", "reject"),
    "checkout": ("rollback", "resume", "abandon"),
}
"""By service: what a viewer may not do to its rollout."""

every_screen = pytest.mark.parametrize("screen", SCREENS, ids=lambda one: one.name)


@every_screen
async def test_a_viewer_may_stop_and_is_offered_nothing_else(screen: Screen, scenes, visit) -> None:
    """Whoever sees harm can end it; what raises exposure isn't there to be pressed."""
    served = await scenes(screen.plain_scene, of=PEOPLE, lab=screen.is_of_lab)
    visitor = await visit(served, roles=(Role.VIEWER,))

    await visitor.open(screen.path_in(served.staged))

    offered = await forms(visitor)
    assert [one for one in offered if not OF_EVERYONE.fullmatch(one)] == []


async def test_those_who_may_are_offered_it(scenes, visit) -> None:
    """The checks above could fail: an approver sees what a viewer doesn't."""
    served = await scenes(Scene.NORMAL, of=PEOPLE)
    rollout = served.staged.rollouts["search"]
    visitor = await visit(served, roles=(Role.APPROVER,))

    await visitor.open(f"/rollouts/{rollout}")

    assert f"/rollouts/{rollout}/approve" in await forms(visitor)


@pytest.mark.parametrize(
    ("service", "verb"), [(one, verb) for one, verbs in FORBIDDEN.items() for verb in verbs]
)
async def test_what_isnt_offered_is_refused(service: str, verb: str, scenes, visit) -> None:
    """The form of a page and the API rule alike, with everything in order but the permission."""
    served = await scenes(Scene.NORMAL, of=PEOPLE)
    rollout = served.staged.rollouts[service]
    visitor = await visit(served, roles=(Role.VIEWER,))
    await visitor.open(f"/rollouts/{rollout}")
    seal = await visitor.page.locator("input[name=seal]").first.get_attribute("value")
    [session] = [
        one["value"]
        for one in await visitor.page.context.cookies(served.url)
        if one["name"] == SESSION_COOKIE
    ]
    before = served.staged.world.rollout(rollout)

    async with httpx.AsyncClient(base_url=served.url) as client:
        by_form = await client.post(
            f"/rollouts/{rollout}/{verb}",
            data={"seal": seal, "reason": "because", "key": "a-key"},
            headers={"cookie": f"{SESSION_COOKIE}={session}"},
        )
        by_api = await client.post(
            f"/v1/rollouts/{rollout}/{verb}",
            json={"reason": "because"},
            headers={"authorization": f"Bearer {session}"},
        )

    assert (by_form.status_code, by_api.status_code) == (403, 403), by_form.text + by_api.text
    assert served.staged.world.rollout(rollout) == before


async def test_a_form_that_none_of_our_pages_made_is_refused(scenes, visit) -> None:
    """Without its seal not even a halt is taken from a browser: another site could have sent it."""
    served = await scenes(Scene.NORMAL, of=PEOPLE)
    rollout = served.staged.rollouts["checkout"]
    visitor = await visit(served, roles=(Role.OPERATOR,))
    await visitor.open(f"/rollouts/{rollout}")

    status = await visitor.page.evaluate(
        """address => fetch(address, {method: "POST", redirect: "manual",
          body: new URLSearchParams({reason: "x", key: "a-key"})}).then(answer => answer.status)""",
        f"/rollouts/{rollout}/halt",
    )

    assert status == 403
    assert served.staged.world.rollout(rollout).halt is None
