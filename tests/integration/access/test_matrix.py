"""
The matrix: every command, by every role, in one's own and in another organisation and environment.

What is expected stands in `matrix.txt`, written down apart from the table of roles. A command that isn't
there, or that has no sample here, fails: nothing can be done that nobody has thought of. What a command
does is left out; whether it is let through is what is looked at, through `perform` as every surface does.
"""

import importlib
import pkgutil
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from two_tenants import ACME_DOCUMENT, MARK, Acme, a_person, file_grant, two_tenants

from tidegate import usecases
from tidegate.domain.access.model import GrantEffect
from tidegate.domain.access.permissions import Permission
from tidegate.domain.access.roles import Role
from tidegate.domain.calendar.freezes import FreezeScope
from tidegate.domain.quantities import ServiceName
from tidegate.domain.rollout.alarms import AlarmKind, Severity
from tidegate.domain.stops.model import StopScope
from tidegate.errors import ForbiddenError, NotFoundError
from tidegate.lab.commands import BreakLab, HealLab
from tidegate.lab.control import RunningLab
from tidegate.testing.builders import START
from tidegate.testing.memory_world import MemoryWorld, the_shop
from tidegate.usecases.access_commands import GrantRole, RevokeGrant
from tidegate.usecases.alarm_commands import RaiseAlarm, ResolveAlarm, TakeAlerts
from tidegate.usecases.alarms import Told
from tidegate.usecases.approve import ApproveRollout, RejectRollout, TakeBackWord
from tidegate.usecases.bus import COMMANDS, Command, perform
from tidegate.usecases.calendar_exceptions import ExceptFromCalendar
from tidegate.usecases.emergencies import Declaration
from tidegate.usecases.emergency_commands import (
    ApproveEmergency,
    CloseEmergency,
    DeclareEmergency,
    HoldDrill,
    WaiveDebt,
)
from tidegate.usecases.freeze_commands import AddFreeze, LiftFreeze
from tidegate.usecases.gate_commands import CheckGates, SubmitEvidence
from tidegate.usecases.metrics_commands import SendMetrics
from tidegate.usecases.policy_commands import ApplyPolicy
from tidegate.usecases.postmortem_commands import (
    AddAction,
    AddFactor,
    ChangeAction,
    ChangeFactor,
    MarkAction,
    RemoveAction,
    RemoveFactor,
)
from tidegate.usecases.rollout_commands import (
    AbandonRollout,
    HaltRollout,
    ResumeRollout,
    RollBackRollout,
    StartRollout,
)
from tidegate.usecases.session_commands import EndSession
from tidegate.usecases.stop_commands import GiveStopOrder, LiftStopOrder
from tidegate.usecases.token_commands import IssueToken, RevokeToken

Sample = Callable[[Acme], Command[Any]]

SHOP = f"{MARK}-shop"
TOLD = Told(
    kind=AlarmKind.REPORT,
    severity=Severity.PAGE,
    service=ServiceName(SHOP),
    target=None,
    summary="x",
    source="x",
)
FROZEN_UNTIL = START + timedelta(days=300)


def _orders(scope: StopScope) -> int:
    """Return the number of acme's stop order of *scope*; see `two_tenants`."""
    return {StopScope.SERVICE: 1, StopScope.RING: 2, StopScope.EVERYTHING: 3}[scope]


LAB = RunningLab(
    pid=0,
    url="http://127.0.0.1:1",
    token="",
    shop_url="http://127.0.0.1:1",
    document=Path("tidegate.yaml"),
    faults=Path("faults"),
)

SAMPLES: dict[str, Sample] = {
    "BreakLab": lambda _: BreakLab(lab=LAB, fault="errors"),
    "HealLab": lambda _: HealLab(lab=LAB),
    "GrantRole": lambda _: GrantRole(
        subject="person:x", role="viewer", scope="acme", effect=GrantEffect.ALLOW, reason="x"
    ),
    "RevokeGrant": lambda acme: RevokeGrant(grant=acme.values["grant"][0], reason="x"),
    "IssueToken": lambda _: IssueToken(purpose="x", granted=(Permission.READ,)),
    "RevokeToken": lambda acme: RevokeToken(token=acme.values["token"][0], reason="x"),
    "EndSession": lambda acme: EndSession(session=acme.values["session"][0], reason="x"),
    "StartRollout": lambda _: StartRollout(
        resolved=the_shop(ACME_DOCUMENT), versions={"code": "2.0.0"}
    ),
    "StartRollout/new": lambda _: StartRollout(resolved=the_shop(), versions={"code": "2.0.0"}),
    "ApproveRollout": lambda acme: ApproveRollout(rollout=acme.rollout.id, comment="x"),
    "RejectRollout": lambda acme: RejectRollout(rollout=acme.rollout.id, comment="x"),
    "TakeBackWord": lambda acme: TakeBackWord(rollout=acme.rollout.id, reason="x"),
    "HaltRollout": lambda acme: HaltRollout(rollout=acme.rollout.id, reason="x"),
    "ResumeRollout": lambda acme: ResumeRollout(rollout=acme.rollout.id, reason="x"),
    "RollBackRollout": lambda acme: RollBackRollout(rollout=acme.rollout.id, reason="x"),
    "AbandonRollout": lambda acme: AbandonRollout(rollout=acme.rollout.id, reason="x"),
    "ExceptFromCalendar": lambda acme: ExceptFromCalendar(rollout=acme.rollout.id, reason="x"),
    "GiveStopOrder/service": lambda _: GiveStopOrder(
        scope=StopScope.SERVICE, name=SHOP, withdraw=True, reason="x"
    ),
    "GiveStopOrder/everything": lambda _: GiveStopOrder(
        scope=StopScope.EVERYTHING, name="", withdraw=True, reason="x"
    ),
    "LiftStopOrder/service": lambda _: LiftStopOrder(number=_orders(StopScope.SERVICE), reason="x"),
    "LiftStopOrder/everything": lambda _: LiftStopOrder(
        number=_orders(StopScope.EVERYTHING), reason="x"
    ),
    "RaiseAlarm": lambda _: RaiseAlarm(told=TOLD),
    "TakeAlerts": lambda _: TakeAlerts(source="x", told=[TOLD], resolved=[]),
    "ResolveAlarm": lambda acme: ResolveAlarm(alarm=acme.values["alarm"][0], reason="x"),
    "AddFreeze/service": lambda _: AddFreeze(
        scope=FreezeScope.SERVICE, name=SHOP, since=None, until=FROZEN_UNTIL, reason="x"
    ),
    "AddFreeze/everything": lambda _: AddFreeze(
        scope=FreezeScope.EVERYTHING, name="", since=None, until=FROZEN_UNTIL, reason="x"
    ),
    "LiftFreeze/service": lambda _: LiftFreeze(number=1, reason="x"),
    "LiftFreeze/everything": lambda _: LiftFreeze(number=2, reason="x"),
    "DeclareEmergency": lambda _: DeclareEmergency(
        said=Declaration(
            resolved=the_shop(ACME_DOCUMENT),
            versions={"code": "2.0.0"},
            type="security",
            incident="INC-1",
            facts={},
            reason="x",
            start_at_once=False,
        )
    ),
    "ApproveEmergency": lambda acme: ApproveEmergency(
        emergency=acme.values["emergency"][0], reason="x"
    ),
    "CloseEmergency": lambda acme: CloseEmergency(
        emergency=acme.values["emergency"][0], reason="x"
    ),
    "WaiveDebt": lambda acme: WaiveDebt(debt=acme.values["debt"][0], reason="x"),
    "HoldDrill": lambda _: HoldDrill(resolved=the_shop(ACME_DOCUMENT), type="security"),
    "AddFactor": lambda acme: AddFactor(rollout=acme.rollout.id, text="x"),
    "ChangeFactor": lambda acme: ChangeFactor(
        rollout=acme.rollout.id, factor="f-1", version=1, text="x"
    ),
    "RemoveFactor": lambda acme: RemoveFactor(rollout=acme.rollout.id, factor="f-1", version=1),
    "AddAction": lambda acme: AddAction(
        rollout=acme.rollout.id, text="x", owner="x", due=START.date()
    ),
    "ChangeAction": lambda acme: ChangeAction(
        rollout=acme.rollout.id,
        action="a-1",
        version=1,
        text="x",
        owner="x",
        due=START.date(),
    ),
    "MarkAction": lambda acme: MarkAction(
        rollout=acme.rollout.id, action="a-1", version=1, is_done=True
    ),
    "RemoveAction": lambda acme: RemoveAction(rollout=acme.rollout.id, action="a-1", version=1),
    "ApplyPolicy": lambda _: ApplyPolicy(
        text="version: 1\norganisation: acme\n", at="", reason="x"
    ),
    "SubmitEvidence": lambda _: SubmitEvidence(
        service=SHOP, gate="tests", change={}, name="x", content=b"x"
    ),
    "CheckGates": lambda acme: CheckGates(rollout=acme.rollout.id),
    "SendMetrics": lambda _: SendMetrics(document={}),
}
"""One command of each kind about something of acme's, in its lab; several where that matters."""

HELD: Sequence[tuple[str, tuple[str, ...]]] = (
    ("acme", ("acme/*/lab",)),
    ("acme", ("acme/*/staging",)),
    ("acme", ("acme",)),
    ("umbrella", ("umbrella", "umbrella/*/lab")),
)
"""Of which organisation the caller is and where they have their role, in the order of the letters."""


def expected() -> dict[str, dict[Role, str]]:
    """Return the letters of `matrix.txt`, by sample and role."""
    text = Path(__file__).with_name("matrix.txt").read_text(encoding="utf-8")
    rows = [line.split() for line in text.splitlines() if line and not line.startswith("#")]
    found: dict[str, dict[Role, str]] = {}
    for name, others, *special in rows:
        of_roles = dict(one.split(":") for one in special)
        assert set(of_roles) <= {role.value for role in Role}, name
        assert name not in found, f"{name} is there twice"
        found[name] = {role: of_roles.get(role.value, others) for role in Role}
    return found


def shipped() -> Iterator[type[Command[Any]]]:
    """Yield every command of the product, also of modules that nobody has imported yet."""
    for module in pkgutil.walk_packages(usecases.__path__, f"{usecases.__name__}."):
        importlib.import_module(module.name)
    yield from (one for name, one in COMMANDS.items() if name.startswith("tidegate."))


def test_every_command_is_in_the_matrix_and_has_a_sample() -> None:
    """All of them; and nothing is there that isn't a command."""
    commands = {one.__name__ for one in shipped()}
    names = {name.partition("/")[0] for name in SAMPLES}

    assert commands - names == set(), "give it a sample"
    assert names - commands == set()
    assert set(expected()) == set(SAMPLES), "say in matrix.txt who may do it"
    assert len(commands) >= 24


def test_every_sample_is_the_command_that_it_is_called_after() -> None:
    """No row speaks for another command."""
    acme = Acme(rollout=_Named(), values=_Anything())  # type: ignore[arg-type]

    called = {name: type(make(acme)).__name__ for name, make in SAMPLES.items()}

    assert called == {name: name.partition("/")[0] for name in SAMPLES}


@pytest.mark.parametrize("role", Role)
async def test_the_matrix_holds(role: Role, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each command is done, refused or missing as the file says, for every place of the role."""
    world = MemoryWorld()
    acme = await two_tenants(world)
    for place, (_, scopes) in enumerate(HELD):
        for scope in scopes:
            file_grant(world, f"person:kim-{place}", role, scope)
    table = expected()
    wrong: list[str] = []
    for name, make in SAMPLES.items():
        command = make(acme)
        monkeypatch.setattr(type(command), "carry_out", _done)
        found = ""
        for place, (organisation, _) in enumerate(HELD):
            caller = a_person(f"kim-{place}", organisation)
            try:
                found += await perform(world.outside, caller, command)
            except ForbiddenError:
                found += "n"
            except NotFoundError:
                found += "m"
        if found != table[name][role]:
            wrong.append(f"{name} by {role}: {found}, expected {table[name][role]}")

    assert wrong == []


async def test_nobody_without_a_grant_does_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not one command is let through for a stranger, nor for a name that is only claimed."""
    world = MemoryWorld()
    acme = await two_tenants(world)
    through: list[str] = []
    for name, make in SAMPLES.items():
        command = make(acme)
        monkeypatch.setattr(type(command), "carry_out", _done)
        for organisation in ("acme", "umbrella", "default"):
            try:
                await perform(world.outside, a_person("nobody", organisation), command)
            except (ForbiddenError, NotFoundError):
                continue
            through.append(f"{name} of {organisation}")

    assert through == []


async def _done(*_: object) -> str:
    return "y"


class _Named:
    id = "x"


class _Anything(dict[str, tuple[str, ...]]):
    def __missing__(self, key: str) -> tuple[str, ...]:
        return ("x",)
