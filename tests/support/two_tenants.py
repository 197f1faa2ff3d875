"""
Two organisations on one server: everything that acme has is marked, and umbrella shall see none of it.

`ann` holds every role in acme, `eve` every role in umbrella. Whoever adds a route whose path names
something new says in `Acme.values` what acme's thing of that kind is called.
"""

import itertools
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from tidegate.domain.access.model import Caller, CallerKind, Grant, GrantEffect
from tidegate.domain.access.permissions import Permission
from tidegate.domain.access.roles import Role
from tidegate.domain.access.sessions import Session
from tidegate.domain.calendar.freezes import FreezeScope
from tidegate.domain.emergency.model import Debt, DebtId, DebtState
from tidegate.domain.quantities import ServiceName
from tidegate.domain.rollout.alarms import AlarmKind, Severity
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import Rollout
from tidegate.domain.stops.model import StopScope
from tidegate.testing.memory_world import DOCUMENT, MemoryWorld, the_shop
from tidegate.usecases.access import GRANTS
from tidegate.usecases.access_commands import GrantRole
from tidegate.usecases.alarm_commands import RaiseAlarm
from tidegate.usecases.alarms import Told
from tidegate.usecases.bus import perform
from tidegate.usecases.emergencies import Declaration
from tidegate.usecases.emergency_commands import DeclareEmergency
from tidegate.usecases.freeze_commands import AddFreeze
from tidegate.usecases.gate_commands import SubmitEvidence
from tidegate.usecases.policy_commands import ApplyPolicy
from tidegate.usecases.rollout_commands import StartRollout
from tidegate.usecases.shelves import DEBTS
from tidegate.usecases.stop_commands import GiveStopOrder
from tidegate.usecases.token_commands import IssueToken
from tidegate.usecases.tokens import SESSIONS

MARK: Final = "acmemark"
"""In every name and word of acme, and in nothing else."""

ENVIRONMENTS: Final = ("lab", "staging", "production")

ACME_DOCUMENT: Final = (
    DOCUMENT.replace("service: shop", f"service: {MARK}-shop")
    .replace("owner: team-shop", f"owner: {MARK}-team")
    .replace("name: eu", f"name: {MARK}-eu")
    .replace("name: few", f"name: {MARK}-few")
    .replace("of team-release", f"of {MARK}-release")
)


def a_person(name: str, organisation: str) -> Caller:
    return Caller(
        name=name,
        kind=CallerKind.PERSON,
        person=name,
        organisation=organisation,
        is_verified=True,
    )


ANN: Final = a_person(f"{MARK}-ann", "acme")
EVE: Final = a_person("eve", "umbrella")
ROOT: Final = Caller(name="root", kind=CallerKind.PERSON, person="root", is_root=True)


def file_grant(
    world: MemoryWorld,
    subject: str,
    role: str,
    scope: str,
    effect: GrantEffect = GrantEffect.ALLOW,
) -> None:
    """File a grant that nobody had to hold before."""
    with world.store.begin() as transaction:
        GRANTS.put(
            transaction,
            Grant(
                id=f"g-{subject}-{role}-{scope}-{effect}".replace("/", "-").replace(":", "-"),
                subject=subject,
                role=role,
                scope=scope,
                effect=effect,
                granted_by="root",
                granted_at=world.clock.now(),
            ),
        )


@dataclass(frozen=True, slots=True)
class Acme:
    """What acme has, and what its things are called in the paths of the API."""

    rollout: Rollout
    values: dict[str, tuple[str, ...]]


async def two_tenants(world: MemoryWorld) -> Acme:
    """Let *world* hold two organisations; return what one of them has."""
    for caller, role in itertools.product((ANN, EVE), Role):
        for scope in ("", *(f"/*/{environment}" for environment in ENVIRONMENTS)):
            file_grant(world, f"person:{caller.name}", role, f"{caller.organisation}{scope}")
    first = await _start(world, ANN, ACME_DOCUMENT, "1.0.0")
    await world.run(first.id, until=lambda now: now.settled)
    rollout = await _start(world, ANN, ACME_DOCUMENT, "1.1.0")
    rollout = await world.run(rollout.id, until=[State.BAKING])
    outside = world.outside
    alarm = await perform(
        outside,
        ANN,
        RaiseAlarm(
            told=Told(
                kind=AlarmKind.REPORT,
                severity=Severity.TICKET,
                service=ServiceName(f"{MARK}-shop"),
                target=None,
                summary=f"{MARK} orders fail",
                source=f"{MARK}-user",
            )
        ),
    )
    orders = [
        await perform(
            outside,
            ANN,
            GiveStopOrder(scope=scope, name=name, withdraw=False, reason=f"{MARK} reason"),
        )
        for scope, name in (
            (StopScope.SERVICE, f"{MARK}-shop"),
            (StopScope.RING, f"{MARK}-ring"),
            (StopScope.EVERYTHING, ""),
        )
    ]
    freezes = [
        await perform(
            outside,
            ANN,
            AddFreeze(
                scope=scope,
                name=name,
                since=None,
                until=world.clock.now() + timedelta(days=3),
                reason=f"{MARK} sale",
            ),
        )
        for scope, name in (
            (FreezeScope.SERVICE, f"{MARK}-shop"),
            (FreezeScope.EVERYTHING, ""),
        )
    ]
    grant = await perform(
        outside,
        ANN,
        GrantRole(
            subject=f"person:{MARK}-kim",
            role="viewer",
            scope="acme",
            effect=GrantEffect.ALLOW,
            reason=f"{MARK} joins",
        ),
    )
    token = await perform(
        outside,
        ANN,
        IssueToken(purpose=f"{MARK} laptop", granted=(Permission.READ,)),
    )
    session = Session(
        id="f" * 20,
        digest="f" * 64,
        identity=token.token.identity,
        issuer=f"https://{MARK}.example",
        groups=(),
        authenticated_at=None,
        began_at=outside.clock.now(),
        used_at=outside.clock.now(),
    )
    with world.store.begin() as transaction:
        SESSIONS.put(transaction, session)
    emergency = await perform(
        outside,
        ANN,
        DeclareEmergency(
            said=Declaration(
                resolved=the_shop(ACME_DOCUMENT),
                versions={"code": "1.2.0"},
                type="security",
                incident=f"{MARK}-431",
                facts={"cve.score": 9.8},
                reason=f"{MARK} is exploited",
                start_at_once=False,
            )
        ),
    )
    await perform(
        outside,
        ANN,
        SubmitEvidence(
            service=f"{MARK}-shop",
            gate=f"{MARK}-tests",
            change={"code": "1.1.0"},
            name=f"{MARK}.xml",
            content=b"<testsuite/>",
        ),
    )
    await perform(
        outside,
        ANN,
        ApplyPolicy(
            text=f"version: 1\norganisation: acme\npeople: {{{MARK}-kim: {{}}}}\n",
            at="",
            reason=f"{MARK} has people",
        ),
    )
    debt = Debt(
        id=DebtId(f"{MARK}-debt"),
        emergency_id=emergency.emergency.id,
        rollout_id=None,
        service=ServiceName(f"{MARK}-shop"),
        project="default",
        gate=f"{MARK}-tests",
        owner=f"{MARK}-team",
        due_at=world.clock.now() + timedelta(days=1),
        state=DebtState.OPEN,
        because=f"{MARK} was exploited",
        changed_at=world.clock.now(),
        organisation="acme",
    )
    with world.store.begin() as transaction:
        DEBTS.put(transaction, debt)
    numbers = {one.order.number for one in orders} | {one.freeze.number for one in freezes}
    entries = {1, 2, *range(_entries(world) - 12, _entries(world) + 1)}
    return Acme(
        rollout=rollout,
        values={
            "rollout": (rollout.id, rollout.id[:4], f"{MARK}-shop", first.id),
            "name": (f"{MARK}-shop",),
            "number": tuple(str(one) for one in sorted(numbers | entries)),
            "alarm": (alarm.alarm.id,),
            "grant": (grant.id,),
            "token": (token.token.id,),
            "debt": (debt.id,),
            "session": (session.id,),
            "gate": (f"{MARK}-tests",),
            # Of what was written into a postmortem: nothing was yet, and that isn't told either.
            "factor": ("f-1",),
            "action": ("a-1",),
            "emergency": (emergency.emergency.id, f"{MARK}-shop"),
        },
    )


def ledger_length(world: MemoryWorld) -> int:
    """Return how many entries the ledger has."""
    return _entries(world)


async def _start(world: MemoryWorld, caller: Caller, document: str, version: str) -> Rollout:
    start = StartRollout(resolved=the_shop(document), versions={"code": version})
    return await perform(world.outside, caller, start)


def _entries(world: MemoryWorld) -> int:
    with world.store.begin(read_only=True) as transaction:
        return len(transaction.ledger(limit=100_000))
