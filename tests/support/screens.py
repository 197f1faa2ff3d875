"""
Every screen there is, in one table: what holds for all of them is tested for each line of it.

Whoever adds a screen adds a line. `{checkout}` in a path is the id of that service's newest rollout in
the scene, `{search_next}` that of the one which waits for its turn, `{service_checkout}` a service's name
and `{entry}` the number of an entry of the ledger; a path with such a piece isn't there on a server's first
day. `{text}` and `{other_text}` are two texts that the simulator keeps. `{emergency}` is an emergency; there
is one where something was halted, and one of hostile words.
"""

import os
from dataclasses import dataclass
from typing import Final

from kept_plans import keep_plans

from tidegate.api.pages.kept_texts import KeptTexts
from tidegate.testing.scenes import SERVICES, Scene, Staged

_OTHERS: Final = {
    **{f"service_{name.replace('-', '_')}": name for name in SERVICES},
    "entry": "40",
    **dict(zip(("text", "other_text"), keep_plans(KeptTexts()), strict=True)),
}
"""The pieces of paths that aren't ids of rollouts."""

IS_FULL: Final = os.environ.get("TIDEGATE_TEST_PROFILE") == "full"


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """
    One screen.

    Attributes:
        name: What tests and pictures call it.
        path: Its address, with the pieces that are named above.
        scenes: The scenes that make a difference to it: the others are looked at with
            `TIDEGATE_TEST_PROFILE=full`.
        status: What it answers when all is well.
        reads_store: Whether it shows what the store holds, so that it can't without one.
        needs_history: Whether it is about something that isn't there on a server's first day.
        is_of_lab: Whether it is a page of the lab's own server, which has only the scenes that are named.
    """

    name: str
    path: str
    scenes: tuple[Scene, ...] = (Scene.NORMAL,)
    status: int = 200
    reads_store: bool = True
    needs_history: bool = False
    is_of_lab: bool = False

    def path_in(self, staged: Staged) -> str:
        """Return its address in a scene."""
        ids = {name.replace("-", "_"): one for name, one in staged.rollouts.items()}
        return self.path.format(**ids, **_OTHERS, emergency=next(iter(staged.emergencies), ""))

    def is_in(self, scene: Scene) -> bool:
        """Return whether it exists in *scene*."""
        if self.is_of_lab:
            return scene in self.scenes
        if "{emergency}" in self.path:
            return scene in (Scene.HALTED, Scene.HOSTILE)
        return scene is not Scene.EMPTY or not (self.needs_history or "{" in self.path)

    @property
    def plain_scene(self) -> Scene:
        """The scene in which it shows what it usually does."""
        return Scene.NORMAL if self.is_in(Scene.NORMAL) else self.scenes[0]

    def status_in(self, scene: Scene) -> int:
        """Return what it answers in *scene*."""
        return 503 if scene is Scene.ERROR and self.reads_store else self.status


SCREENS: Final = (
    Screen(name="overview", path="/", scenes=tuple(Scene)),
    Screen(
        name="rollout",
        path="/rollouts/{checkout}",
        scenes=(Scene.NORMAL, Scene.HALTED, Scene.HOSTILE),
    ),
    Screen(name="rollout-second-phase", path="/rollouts/{orders_api}"),
    Screen(name="rollout-held", path="/rollouts/{orders_api}", scenes=(Scene.HELD,)),
    Screen(name="rollout-waiting", path="/rollouts/{search}"),
    Screen(name="rollout-queued", path="/rollouts/{search_next}"),
    Screen(name="rollout-rolled-back", path="/rollouts/{pricing}"),
    Screen(name="services", path="/services", scenes=(Scene.EMPTY, Scene.NORMAL, Scene.HALTED)),
    Screen(
        name="service",
        path="/services/{service_checkout}",
        scenes=(Scene.NORMAL, Scene.HALTED, Scene.HOSTILE),
    ),
    Screen(name="service-rolled-back", path="/services/{service_pricing}"),
    Screen(
        name="health",
        path="/services/{service_checkout}/health?node=checkout",
        scenes=(Scene.NORMAL, Scene.HOSTILE),
    ),
    Screen(name="changes", path="/changes", scenes=(Scene.EMPTY, Scene.NORMAL, Scene.HOSTILE)),
    Screen(
        name="change", path="/changes/{service_checkout}/code", scenes=(Scene.NORMAL, Scene.HALTED)
    ),
    Screen(
        name="ledger",
        path="/ledger",
        scenes=(Scene.EMPTY, Scene.NORMAL, Scene.HOSTILE, Scene.ERROR),
    ),
    Screen(name="ledger-found", path="/ledger?service=checkout"),
    Screen(name="ledger-entry", path="/ledger/{entry}"),
    Screen(name="ledger-heads", path="/ledger/heads"),
    Screen(name="ledger-verify", path="/ledger/verify"),
    Screen(name="rollout-completed", path="/rollouts/{gateway}"),
    Screen(name="numbers", path="/rollouts/{payments}/numbers"),
    Screen(name="decision", path="/decisions/{entry}", scenes=(Scene.NORMAL, Scene.HOSTILE)),
    Screen(name="emergency", path="/emergency", scenes=tuple(Scene)),
    Screen(
        name="emergency-service",
        path="/emergency?scope=service&service=payments",
        scenes=(Scene.HALTED,),
    ),
    Screen(
        name="emergency-report",
        path="/emergencies/{emergency}",
        scenes=(Scene.HALTED, Scene.HOSTILE),
    ),
    Screen(name="stops", path="/stops", scenes=(Scene.EMPTY, Scene.HALTED, Scene.HOSTILE)),
    Screen(name="freezes", path="/freezes?all=yes", scenes=(Scene.EMPTY, Scene.HALTED)),
    Screen(
        name="approvals",
        path="/approvals?all=yes",
        scenes=(Scene.EMPTY, Scene.NORMAL, Scene.HOSTILE, Scene.ERROR),
    ),
    Screen(name="postmortems", path="/postmortems", scenes=(Scene.EMPTY, Scene.NORMAL)),
    Screen(name="postmortem", path="/postmortems/{pricing}", scenes=(Scene.NORMAL, Scene.HOSTILE)),
    Screen(
        name="service-version",
        path="/services/pricing?version=5.5.0",
        needs_history=True,
    ),
    Screen(
        name="health-supposed", path="/services/checkout/health?red=checkout", needs_history=True
    ),
    Screen(name="ledger-replay", path="/ledger/14?replay=yes", needs_history=True),
    Screen(name="admin", path="/admin", scenes=(Scene.EMPTY, Scene.NORMAL)),
    Screen(name="admin-targets", path="/admin/targets"),
    Screen(name="admin-signals", path="/admin/signals"),
    Screen(name="admin-gates", path="/admin/gates"),
    Screen(name="admin-access", path="/admin/access"),
    Screen(name="admin-tokens", path="/admin/tokens"),
    Screen(
        name="simulate",
        path="/simulate?service=checkout&scenario=bad-config&runs=1{checkout:.0}",
        scenes=(Scene.NORMAL, Scene.ERROR),
    ),
    Screen(name="simulate-first", path="/simulate", scenes=(Scene.EMPTY, Scene.NORMAL)),
    Screen(
        name="simulate-compared",
        path="/simulate?service=checkout&other=pricing&scenario=bad-config&runs=1",
        needs_history=True,
    ),
    Screen(name="simulate-edit", path="/simulate/edit"),
    Screen(name="simulate-adopt", path="/simulate/adopt?text={text}&other_text={other_text}"),
    Screen(
        name="simulate-adopt-part", path="/simulate/adopt?service=checkout&other_text={other_text}"
    ),
    Screen(
        name="lab",
        path="/lab",
        scenes=(Scene.NORMAL, Scene.EMPTY, Scene.HOSTILE),
        reads_store=False,
        is_of_lab=True,
    ),
    Screen(name="refused", path="/rollouts/nothing", status=404),
)


def cases() -> list[tuple[Screen, Scene]]:
    """Return the screens with the scenes in which they are looked at."""
    return [
        (screen, scene)
        for screen in SCREENS
        for scene in (Scene if IS_FULL else screen.scenes)
        if screen.is_in(scene)
    ]
