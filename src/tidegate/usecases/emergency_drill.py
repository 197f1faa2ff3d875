"""
A drill: the whole way of an emergency with the real policy, the real plan and nobody real.

The protocol, its criteria, the people of the policy and the response plan are those in force; the change,
the persons who agree and the service's users are made up, and everything happens in memory. Nothing is
started and nothing of it is left but the record that it was held.
"""

import asyncio
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from tidegate.documents.canonical import change_digest
from tidegate.domain.access.model import Caller, GrantEffect, Resource
from tidegate.domain.conditions.model import Mistake
from tidegate.domain.conditions.parse import parse
from tidegate.domain.emergency.authority import (
    persons_missing,
    refusal_to_approve,
    refusal_to_start,
)
from tidegate.domain.emergency.model import Emergency, EmergencyId, Word
from tidegate.domain.emergency.protocol import EmergencyProtocol, plan_problems
from tidegate.domain.emergency.shorten import Shortened
from tidegate.domain.plan.model import Change, ComponentChange, Plan, ServiceSpec
from tidegate.domain.quantities import ServiceName, Version
from tidegate.ports.store import Transaction
from tidegate.usecases.access import GRANTS
from tidegate.usecases.emergency_records import protocol_of, protocols_in_force
from tidegate.usecases.emergency_start import shorten_for
from tidegate.usecases.outside import Outside
from tidegate.usecases.policies import policy_in_force
from tidegate.usecases.record import note_fact
from tidegate.usecases.shelves import Shelf
from tidegate.usecases.simulation.faults import AA, FAULTS
from tidegate.usecases.simulation.runs import Run, simulate
from tidegate.usecases.simulation.usage import Usage, assumed_traffic, usage_of
from tidegate.usecases.traffic import known_traffic

SEED: Final = 1
HARM: Final = next(fault for fault in FAULTS if fault.name == "errors-2pp")
STAND_INS: Final = tuple(f"stand-in-{number}" for number in range(1, 11))


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillRecord:
    """That a drill was held: of which type with which service, by whom, and what was found."""

    id: str
    organisation: str
    service: ServiceName
    type: str
    by: str
    at: datetime
    problems: tuple[str, ...]


DRILLS = Shelf(
    kind="emergency_drill",
    type=DrillRecord,
    id_of=lambda drill: drill.id,
    at=lambda drill: drill.at,
    is_open=lambda _: False,
    service_of=lambda drill: drill.service,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drill:
    """
    What a drill showed.

    `problems` is what would be in the way of a real one; empty when nothing is. `told` is the way in
    words. `healthy` and `harmful` are the simulated runs of the shortened plan: of a good change, and of
    one that fails two requests in a hundred more. `last` is the drill of this type before this one.
    """

    record: DrillRecord
    protocol: EmergencyProtocol
    told: tuple[str, ...]
    shortened: Shortened
    healthy: Run
    harmful: Run
    last: DrillRecord | None

    @property
    def problems(self) -> tuple[str, ...]:
        """What would be in the way of a real emergency."""
        return self.record.problems


async def hold_drill(
    outside: Outside, caller: Caller, spec: ServiceSpec, emergency_type: str, resource: Resource
) -> Drill:
    """
    Walk an emergency of *emergency_type* with the service of *spec*, and put on record that it was.

    Raises:
        InvalidRequestError: the policy has no such type.
    """
    now = outside.clock.now()
    with outside.store.begin(read_only=True) as transaction:
        protocol = protocol_of(transaction, emergency_type, resource.organisation)
        problems = tuple(_problems(transaction, protocol, resource.organisation, now))
        last = last_drill(transaction, emergency_type, resource.organisation)
    emergency, told = _walked(_made_up(spec, protocol, resource, now), now)
    shortened = shorten_for(emergency, spec.plan, spec)
    traffic = await known_traffic(outside, spec) or assumed_traffic(spec.targets)
    healthy, harmful = await asyncio.to_thread(_runs, shortened.plan, usage_of(traffic))
    record = DrillRecord(
        id=hashlib.sha256(f"{spec.name} {emergency_type} {now.isoformat()}".encode()).hexdigest(),
        organisation=resource.organisation,
        service=spec.name,
        type=emergency_type,
        by=caller.name,
        at=now,
        problems=problems,
    )
    _record(outside, record)
    return Drill(
        record=record,
        protocol=protocol,
        told=told,
        shortened=shortened,
        healthy=healthy,
        harmful=harmful,
        last=last,
    )


def last_drill(
    transaction: Transaction, emergency_type: str, organisation: str
) -> DrillRecord | None:
    """Return the latest drill of *emergency_type* in *organisation*, None when there was none."""
    found = DRILLS.latest(transaction, limit=1000)
    return next(
        (one for one in found if (one.type, one.organisation) == (emergency_type, organisation)),
        None,
    )


def _record(outside: Outside, record: DrillRecord) -> None:
    with outside.store.begin() as transaction:
        DRILLS.put(transaction, record)
        note_fact(
            transaction,
            at=record.at,
            actor=record.by,
            kind="command",
            rule="drill-emergency",
            because="; ".join(record.problems) or "nothing was in the way",
            service=record.service,
            details={"type": record.type, "problems": list(record.problems)},
        )


# --- what would be in the way ----------------------------------------------------------------


def _problems(
    transaction: Transaction, protocol: EmergencyProtocol, organisation: str, now: datetime
) -> Iterable[str]:
    if isinstance(parse(protocol.criteria), Mistake):
        yield "the criteria can't be read"
    protocols = protocols_in_force(transaction, organisation)
    for emergency_type, problem in plan_problems(protocols, now.date()):
        if emergency_type == protocol.type:
            yield problem.message
    if not protocol.authorise:
        return
    known: set[str] = set()
    for name in protocol.authorise:
        members = _members(transaction, name, organisation, now)
        if not members:
            yield f"nobody is known to be in {name}"
        known |= members
    if 0 < len(known) < protocol.persons:
        yield f"{protocol.persons} persons must agree, and only {', '.join(sorted(known))} can"


def _members(transaction: Transaction, name: str, organisation: str, now: datetime) -> set[str]:
    """Return who is known to be in the group or role *name*; others may come from a login."""
    policy = policy_in_force(transaction, organisation)
    granted = {
        grant.subject.partition(":")[2]
        for grant in GRANTS.open(transaction)
        if grant.role == name
        and grant.effect is GrantEffect.ALLOW
        and grant.subject.startswith("person:")
        and (grant.expires_at is None or now < grant.expires_at)
    }
    persons = {policy.person_of(one) or one for one in granted}
    return persons | set(policy.members_of(name) or ())


# --- the way ---------------------------------------------------------------------------------


def _made_up(
    spec: ServiceSpec, protocol: EmergencyProtocol, resource: Resource, now: datetime
) -> Emergency:
    version = Version(name="drill", digest="sha256:" + "0" * 64)
    change = Change(
        components=tuple(
            ComponentChange(component=component.name, to=version) for component in spec.components
        )
    )
    return Emergency(
        id=EmergencyId("drill"),
        service=spec.name,
        organisation=resource.organisation,
        project=resource.project or "",
        versions=tuple((str(component.name), version.name) for component in spec.components),
        change=change,
        change_digest=change_digest(change),
        incident="drill",
        claimed=(),
        measured=(),
        known_alarms=(),
        reason="a drill",
        protocol=protocol,
        declared_by="stand-in-0",
        declared_person="stand-in-0",
        declared_at=now,
        declarer_counts=not protocol.authorise,
        expires_at=now + protocol.expires_after,
    )


def _walked(emergency: Emergency, now: datetime) -> tuple[Emergency, tuple[str, ...]]:
    """Return *emergency* with everybody's yes that it takes, and each step by the real rules."""
    told = [f"{emergency.declared_by} declares it for incident {emergency.incident}"]
    alone = refusal_to_approve(emergency, emergency.declared_person, now)
    told.append(f"{emergency.declared_person} alone can't agree: {alone}")
    for person in STAND_INS:
        missing = persons_missing(emergency)
        if not missing:
            break
        early = refusal_to_start(
            emergency,
            service=emergency.service,
            change_digest=emergency.change_digest,
            now=now,
        )
        assert early, "nothing starts before enough have agreed"
        word = Word(by=person, person=person, at=now, reason="a drill")
        emergency = replace(emergency, approvals=(*emergency.approvals, word))
        told.append(f"{person} agrees; {persons_missing(emergency)} more needed")
    emergency = replace(emergency, authorised_at=now)
    late = refusal_to_start(
        emergency,
        service=emergency.service,
        change_digest=emergency.change_digest,
        now=emergency.expires_at,
    )
    assert late, "nothing starts when the authority is over"
    told.append("authorised: it could start now, under its own digest")
    return emergency, tuple(told)


def _runs(plan: Plan, usage: Usage) -> tuple[Run, Run]:
    # Gates and people are walked above; here is what the users of the shortened plan would meet.
    bare = replace(plan, gates=(), stagger=timedelta(0))
    (healthy,) = simulate(bare, AA, usage, runs=1, seed=SEED)
    (harmful,) = simulate(bare, HARM, usage, runs=1, seed=SEED)
    return healthy, harmful
