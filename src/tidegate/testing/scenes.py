"""
Worlds that a person may look at: six services with a history, made by the real use cases in memory.

For screens: their tests, their pictures and their measurements show the same worlds. The clock stands
still when a scene is done, and nothing is drawn by chance, but for ids: two makings look the same.

Rule: a scene is made of what happened (starts, approvals, ticks of traffic), never of rows that were
written beside the use cases. What a screen shows of it can then happen to a user, too.
"""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from typing import Final

from tidegate.domain.access.model import Caller, CallerKind
from tidegate.domain.calendar.freezes import FreezeScope
from tidegate.domain.quantities import RolloutId, ServiceName
from tidegate.domain.rollout.alarms import AlarmKind, Severity
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import ReasonCode, Rollout
from tidegate.domain.stops.model import StopScope
from tidegate.drivers.identity.memory import MemoryIdentity
from tidegate.errors import StoreError
from tidegate.ports.store import Transaction
from tidegate.testing.memory_world import MemoryWorld, the_shop
from tidegate.testing.scene_traffic import SceneTraffic
from tidegate.usecases.alarm_commands import RaiseAlarm
from tidegate.usecases.alarms import Told
from tidegate.usecases.approve import ApproveRollout
from tidegate.usecases.bus import perform
from tidegate.usecases.emergencies import Declaration
from tidegate.usecases.emergency_commands import DeclareEmergency
from tidegate.usecases.freeze_commands import AddFreeze
from tidegate.usecases.postmortem_commands import AddAction, AddFactor, ChangeFactor, MarkAction
from tidegate.usecases.rollout_commands import HaltRollout, StartRollout
from tidegate.usecases.stop_commands import GiveStopOrder


class Scene(StrEnum):
    """Which world."""

    EMPTY = "empty"
    """A server on its first day: nothing was ever started."""
    NORMAL = "normal"
    """Rollouts that bake, wait for an approval, wait for their turn, are done or were rolled back."""
    HELD = "held"
    """As normal, and one rollout's data is gone."""
    HALTED = "halted"
    """As normal, with a rollout that a person stopped, a stop order, a freeze, and an emergency declared."""
    HOSTILE = "hostile"
    """People and telemetry said things that a browser would carry out, were they not text."""
    ERROR = "error"
    """As normal, and then the store can't be read any more."""


HOSTILE_TEXT: Final = "<img src=x onerror=alert(1)><script>alert(2)</script>"
"""What somebody wrote in the hostile scene, wherever they could write."""

TICK: Final = timedelta(minutes=20)
_MOST_TICKS: Final = 200

_DOCUMENT: Final = """\
version: 1
service: SERVICE
owner: team-SERVICE
workload:
  driver: process
  command: ["./SERVICE", --port, "{port}", --version, "{version}"]
  probe: {http: /healthz}
  traffic: {driver: envoy, listen: "127.0.0.1:18080"}
targets:
  - {name: eu-1, ring: first, timezone: Europe/Berlin}
  - {name: eu-2, ring: europe, timezone: Europe/Berlin, settings: {listen: "127.0.0.1:18081"}}
  - {name: us-1, ring: america, timezone: America/New_York, settings: {listen: "127.0.0.1:18082"}}
health:
  signals:
    - {name: errors, kind: errors}
    - {name: latency, kind: latency}
    - {name: orders, kind: usage}
MODELprove: {errors: 0.1pp, latency: 10%, usage: 3%, min_requests: 1000}
plan:
  tick: 20m
  stale_after: 40m
  phases:
    - {name: few, to: first, traffic: 5%, bake: 2h}
    - {name: quarter, to: first, traffic: 25%, bake: 4h, approve: 1 of team-release}
    - {name: first, to: first, traffic: 100%, bake: 4h}
    - {name: europe, to: europe, traffic: 100%, bake: 5h}
    - {name: america, to: america, traffic: 100%, bake: 6h}
  quarantine: 6h
"""

_MODEL: Final = """\
  model:
    checkout: {needs: {payments: outage, orders-api: outage, search: degraded}}
    orders-api: {needs: {orders-db: degraded}}
"""
"""What the checkout needs; the database is one that nothing is known of."""

SERVICES: Final = ("checkout", "gateway", "orders-api", "payments", "pricing", "search")


@dataclass(slots=True)
class Staged:
    """
    A scene that was made.

    Attributes:
        world: Where it happened.
        rollouts: The newest rollout of each service, and that one of `search` that waits behind it
            under the name `search-next`. Empty where nothing was started.
        emergencies: The ids of those that were declared.
    """

    scene: Scene
    world: MemoryWorld
    traffic: SceneTraffic
    rollouts: dict[str, RolloutId]
    emergencies: list[str] = field(default_factory=list)


async def stage(scene: Scene) -> Staged:
    """Return the world of *scene*, made anew."""
    world = MemoryWorld()
    # People can log in to it, and the server's own token still opens everything.
    world.outside = replace(world.outside, identity=MemoryIdentity())
    staged = Staged(scene=scene, world=world, traffic=SceneTraffic(world, tick=TICK), rollouts={})
    if scene is not Scene.EMPTY:
        await _history(staged)
    await _ENDINGS[scene](staged)
    return staged


def a_caller(name: str, *groups: str) -> Caller:
    """Return a person who may do everything in a scene."""
    return Caller(name=name, kind=CallerKind.PERSON, person=name, groups=groups, is_root=True)


DEVELOPER: Final = a_caller("dev-a")
OTHER_DEVELOPER: Final = a_caller("dev-b")
LEAD: Final = a_caller("lead-a", "team-release")
COMMANDER: Final = a_caller("commander-a", "incident-commander")


def service_file(service: str) -> str:
    """Return the tidegate.yaml of *service*."""
    model = _MODEL if service == "checkout" else ""
    return _DOCUMENT.replace("MODEL", model).replace("SERVICE", service)


class UnreadableStore:
    """A store whose disk is gone: nothing can be read or written."""

    def begin(self, *, read_only: bool = False) -> AbstractContextManager[Transaction]:
        """Raise StoreError, whether the transaction is *read_only* or not."""
        wanted = "read" if read_only else "written"
        raise StoreError(
            f"the store can't be {wanted}: disk I/O error", hint="look at the disk of the server"
        )


async def _history(staged: Staged) -> None:
    """Let what all scenes but the empty one begin with happen: about two days."""
    for number, service in enumerate(SERVICES, 1):
        await _start(staged, service, f"{number}.4.0")
    await _pass_until(staged, "search", lambda now: now.settled)
    staged.traffic.failing[ServiceName("pricing")] = 0.02
    await _start(staged, "pricing", "5.5.0", by=OTHER_DEVELOPER)
    await _pass_until(staged, "pricing", lambda now: now.state is State.ROLLED_BACK)
    await _start(staged, "gateway", "2.5.0", by=OTHER_DEVELOPER)
    await _agreed(staged, "gateway", "read the diff, fine")
    await _pass_until(staged, "gateway", lambda now: now.phase.name == "america")
    await _start(staged, "payments", "4.5.0")
    await _agreed(staged, "payments", "quiet hours")
    await _pass_until(staged, "gateway", lambda now: now.state is State.COMPLETED)
    await _start(staged, "orders-api", "3.5.0", by=OTHER_DEVELOPER)
    await _agreed(staged, "orders-api", "the team watches it")
    await _start(staged, "search", "6.5.0")
    await _pass_until(staged, "search", _waits_for_approval)
    await _start(staged, "search", "6.6.0", key="search-next", by=OTHER_DEVELOPER)
    await _start(staged, "checkout", "1.5.0")
    await staged.traffic.pass_ticks(3)
    await _looked_back(staged)


async def _looked_back(staged: Staged) -> None:
    """Let people write what contributed to what went wrong with `pricing`, and what they do about it."""
    outside, rollout = staged.world.outside, staged.rollouts["pricing"]
    today = outside.clock.now().date()
    for by, text in (
        (LEAD, "The price list was read once at start, so a list that came later was never seen."),
        (OTHER_DEVELOPER, "The approver forgot to look at the staging list of dev-b."),
    ):
        await perform(outside, by, AddFactor(rollout=rollout, text=text))
    better = "The list in staging had 12 prices and the one in production 40,000: nothing there could fail."
    change = ChangeFactor(
        rollout=rollout, factor="f-1", version=1, text=f"{better}\nSee PRICE-812."
    )
    await perform(outside, LEAD, change)
    for text, owner, days in (
        (
            "Read the list again whenever it changes, and say in a metric how old it is.",
            "team-pricing",
            14,
        ),
        ("Copy the production list to staging once a week.", "dev-b", 3),
    ):
        add = AddAction(rollout=rollout, text=text, owner=owner, due=today + timedelta(days=days))
        await perform(outside, LEAD, add)
    done = MarkAction(rollout=rollout, action="a-2", version=1, is_done=True)
    await perform(outside, OTHER_DEVELOPER, done)


async def _held(staged: Staged) -> None:
    staged.traffic.silent.add(ServiceName("orders-api"))
    await _pass_until(staged, "orders-api", lambda now: now.state is State.HELD)


async def _halted(staged: Staged) -> None:
    outside = staged.world.outside
    halt = HaltRollout(rollout=staged.rollouts["checkout"], reason="orders fail in eu-1")
    await perform(outside, LEAD, halt)
    order = GiveStopOrder(
        scope=StopScope.SERVICE, name="payments", withdraw=False, reason="the bank is down"
    )
    await perform(outside, LEAD, order)
    freeze = AddFreeze(
        scope=FreezeScope.SERVICE,
        name="pricing",
        since=None,
        until=outside.clock.now() + timedelta(days=3),
        reason="end of the month",
    )
    await perform(outside, LEAD, freeze)
    await _declare(staged, COMMANDER, "prices can be set from outside")
    await staged.traffic.pass_ticks(2)


async def _hostile(staged: Staged) -> None:
    outside = staged.world.outside
    somebody = a_caller(HOSTILE_TEXT)
    reviewer = a_caller(f"reviewer {HOSTILE_TEXT}", "team-release")
    approval = ApproveRollout(rollout=staged.rollouts["search"], comment=HOSTILE_TEXT)
    await perform(outside, reviewer, approval)
    alarm = Told(
        kind=AlarmKind.REPORT,
        severity=Severity.TICKET,
        service=ServiceName("orders-api"),
        target=None,
        summary=HOSTILE_TEXT,
        source=HOSTILE_TEXT,
    )
    await perform(outside, somebody, RaiseAlarm(told=alarm))
    halt = HaltRollout(rollout=staged.rollouts["checkout"], reason=HOSTILE_TEXT)
    await perform(outside, somebody, halt)
    order = GiveStopOrder(
        scope=StopScope.SERVICE, name="payments", withdraw=False, reason=HOSTILE_TEXT
    )
    await perform(outside, somebody, order)
    freeze = AddFreeze(
        scope=FreezeScope.EVERYTHING,
        name="",
        since=None,
        until=outside.clock.now() + timedelta(days=3),
        reason=HOSTILE_TEXT,
    )
    await perform(outside, somebody, freeze)
    await _declare(staged, a_caller(HOSTILE_TEXT, "incident-commander"), HOSTILE_TEXT)
    looked_back = AddFactor(rollout=staged.rollouts["pricing"], text=HOSTILE_TEXT)
    await perform(outside, somebody, looked_back)
    action = AddAction(
        rollout=staged.rollouts["pricing"],
        text=HOSTILE_TEXT,
        owner=HOSTILE_TEXT,
        due=outside.clock.now().date(),
    )
    await perform(outside, somebody, action)
    await _start(staged, "gateway", HOSTILE_TEXT, by=somebody)
    await staged.traffic.pass_ticks(2)


async def _nothing_more(staged: Staged) -> None:
    """Leave it as it is."""


async def _unreadable(staged: Staged) -> None:
    staged.world.outside = replace(staged.world.outside, store=UnreadableStore())


_ENDINGS: Final[Mapping[Scene, Callable[[Staged], Awaitable[None]]]] = {
    Scene.EMPTY: _nothing_more,
    Scene.NORMAL: _nothing_more,
    Scene.HELD: _held,
    Scene.HALTED: _halted,
    Scene.HOSTILE: _hostile,
    Scene.ERROR: _unreadable,
}


async def _start(
    staged: Staged, service: str, version: str, *, key: str = "", by: Caller = DEVELOPER
) -> None:
    start = StartRollout(resolved=the_shop(service_file(service)), versions={"code": version})
    rollout = await perform(staged.world.outside, by, start)
    staged.rollouts[key or service] = rollout.id


async def _declare(staged: Staged, by: Caller, reason: str) -> None:
    declaration = Declaration(
        resolved=the_shop(service_file("pricing")),
        versions={"code": "5.5.1"},
        type="security",
        incident="INC-431",
        facts={"cve.score": 9.8},
        reason=reason,
        start_at_once=False,
    )
    declared = await perform(staged.world.outside, by, DeclareEmergency(said=declaration))
    staged.emergencies.append(declared.emergency.id)


async def _agreed(staged: Staged, service: str, comment: str) -> None:
    """Let time pass until *service* waits for an approval, and give it."""
    await _pass_until(staged, service, _waits_for_approval)
    approval = ApproveRollout(rollout=staged.rollouts[service], comment=comment)
    await perform(staged.world.outside, LEAD, approval)


def _waits_for_approval(now: Rollout) -> bool:
    return now.waiting_on.reason is ReasonCode.APPROVAL


async def _pass_until(staged: Staged, service: str, holds: Callable[[Rollout], bool]) -> None:
    for _ in range(_MOST_TICKS):
        rollout = staged.world.rollout(staged.rollouts[service])
        if holds(rollout):
            return
        await staged.traffic.pass_ticks()
    raise AssertionError(f"{service} is {rollout.state}: {rollout.waiting_on.detail}")
