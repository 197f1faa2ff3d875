"""
Declaring an emergency and agreeing to one.

A declaration is refused unless the type's criteria are met by the facts, and unknown isn't met. It gives
nobody anything: only when enough persons agreed, and somebody else than the declarer among them, can
the declared change be started, that one alone, until the authority expires.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from tidegate.documents.canonical import change_digest
from tidegate.documents.service_file import ResolvedService
from tidegate.domain.access.model import Caller, Resource
from tidegate.domain.access.permissions import Permission
from tidegate.domain.conditions.model import MAX_NAME, Mistake, Value
from tidegate.domain.conditions.parse import parse_literal
from tidegate.domain.conditions.tokens import is_name
from tidegate.domain.conditions.write import write_value
from tidegate.domain.emergency.authority import (
    is_eligible,
    persons_missing,
    refusal_to_approve,
    unmet_criteria,
)
from tidegate.domain.emergency.model import Emergency, EmergencyId, Word
from tidegate.domain.emergency.protocol import EmergencyProtocol
from tidegate.domain.emergency.shorten import Shortened
from tidegate.domain.plan.model import ServiceSpec
from tidegate.domain.rollout.alarms import Alarm, Severity, concerns
from tidegate.errors import ForbiddenError, InvalidRequestError, RefusedError
from tidegate.ports.store import Transaction
from tidegate.usecases.commands import need_reason
from tidegate.usecases.emergency_people import person_counted, standing_of
from tidegate.usecases.emergency_records import (
    EMERGENCIES,
    find_emergency,
    new_emergency_id,
    protocol_of,
    resource_of_emergency,
)
from tidegate.usecases.emergency_start import shorten_for
from tidegate.usecases.outside import Outside
from tidegate.usecases.policies import editors_lately, person_behind, policy_in_force
from tidegate.usecases.record import note_fact
from tidegate.usecases.start import Proposal, propose

MEASURED: Final = ("alarms.", "service.", "change.", "incident.")
"""Beginnings of the names of facts that the server knows itself: nobody can claim one."""

FACTS_AT_MOST: Final = 50
WORDS_AT_MOST: Final = 200
"""Longest text of one claimed fact, and of an incident's id, in characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """What somebody wants to go faster, and why that is right."""

    resolved: ResolvedService
    versions: Mapping[str, str]
    type: str
    incident: str
    facts: Mapping[str, Value]
    reason: str
    start_at_once: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """An emergency on record with what it makes of the plan."""

    emergency: Emergency
    shortened: Shortened


async def declare_emergency(
    outside: Outside, caller: Caller, said: Declaration, resource: Resource
) -> Declared:
    """
    Put a declaration on record. Nothing is started by it.

    Raises:
        InvalidRequestError: no incident or reason, an unknown type, or a fact that can't be claimed.
        ForbiddenError: no person stands behind *caller*, or not one who may declare this type.
        RefusedError: the criteria aren't met, or as `propose`. The refusal is on record.
    """
    why = need_reason(said.reason, "an emergency")
    incident = _incident(said.incident)
    claimed = _claimed(said.facts)
    with outside.store.begin(read_only=True) as transaction:
        protocol = protocol_of(transaction, said.type, resource.organisation)
        person = person_counted(transaction, caller, resource.organisation, "declares an emergency")
        groups = standing_of(
            transaction,
            caller,
            person,
            resource,
            Permission.EMERGENCY_DECLARE,
            outside.clock.now(),
        )
    if not is_eligible(groups, protocol.declare):
        raise ForbiddenError(
            f"{caller.name} may not declare {protocol.type}",
            hint=f"one of {', '.join(protocol.declare)} can",
        )
    proposal = await propose(
        outside, said.resolved, said.versions, organisation=caller.organisation
    )
    if proposal.is_install:
        raise RefusedError(
            f"{proposal.spec.name} serves nothing yet: there is no plan to shorten",
            hint="start it as usual; a first deployment exposes nobody to anything new",
        )
    with outside.store.begin() as transaction:
        alarms = _alarms(transaction, proposal.spec, resource.organisation)
        measured = _measured(alarms, proposal.spec, incident)
        unmet = unmet_criteria(protocol, (*claimed, *measured))
        if unmet:
            _note_refusal(outside, transaction, caller, proposal, protocol, unmet)
        else:
            emergency = _file(
                outside,
                transaction,
                caller,
                Emergency(
                    id=_id(transaction, outside, proposal, person),
                    service=proposal.spec.name,
                    organisation=resource.organisation,
                    project=resource.project or "",
                    versions=tuple(sorted(said.versions.items())),
                    change=proposal.change,
                    change_digest=change_digest(proposal.change),
                    incident=incident,
                    claimed=claimed,
                    measured=measured,
                    known_alarms=tuple((alarm.id, alarm.severity) for alarm in alarms),
                    reason=why,
                    protocol=protocol,
                    declared_by=caller.name,
                    declared_person=person,
                    declared_at=outside.clock.now(),
                    declarer_counts=is_eligible(groups, protocol.authorise),
                    expires_at=outside.clock.now() + protocol.expires_after,
                    document_json=said.resolved.canonical_json if said.start_at_once else "",
                ),
            )
    if unmet:
        raise RefusedError(
            f"this is no {protocol.type} emergency by its criteria: {'; '.join(unmet)}",
            hint="give the facts that are missing (--fact NAME=VALUE), or go the usual way:"
            " tidegate start",
        )
    return Declared(
        emergency=emergency, shortened=shorten_for(emergency, proposal.plan, proposal.spec)
    )


def approve_emergency(
    outside: Outside, caller: Caller, emergency_id: EmergencyId, *, reason: str
) -> Emergency:
    """
    Agree to an emergency; it is authorised when that was the last yes needed.

    Raises:
        NotFoundError: there is no such emergency.
        ForbiddenError: no person stands behind *caller*, or not one who may authorise it.
        RefusedError: it is closed or expired, or this person declared it or has agreed already.
    """
    now = outside.clock.now()
    with outside.store.begin() as transaction:
        emergency = find_emergency(transaction, emergency_id)
        organisation = emergency.organisation
        person = person_counted(transaction, caller, organisation, "agrees to an emergency")
        resource = resource_of_emergency(transaction, emergency)
        groups = standing_of(
            transaction, caller, person, resource, Permission.EMERGENCY_APPROVE, now
        )
        if not is_eligible(groups, emergency.protocol.authorise):
            raise ForbiddenError(
                f"{caller.name} may not authorise {emergency.protocol.type}",
                hint=f"one of {', '.join(emergency.protocol.authorise)} can",
            )
        because = _why_not(transaction, emergency, person, now)
        if because:
            raise RefusedError(
                f"{caller.name} can't agree to emergency {emergency.id}: {because}",
                hint=f"see who can: tidegate emergency show {emergency.id}",
            )
        word = Word(by=caller.name, person=person, at=now, reason=reason.strip())
        emergency = replace(emergency, approvals=(*emergency.approvals, word))
        missing = persons_missing(emergency)
        if not missing and emergency.authorised_at is None:
            emergency = replace(emergency, authorised_at=now)
        EMERGENCIES.put(transaction, emergency)
        note_fact(
            transaction,
            at=now,
            actor=caller.name,
            kind="command",
            rule="approve-emergency",
            because=word.reason or "agreed",
            service=emergency.service,
            details={"emergency": emergency.id, "person": person, "missing": missing},
        )
    return emergency


def why_not_to_agree(
    transaction: Transaction, caller: Caller, emergency: Emergency, now: datetime
) -> str:
    """Return why *caller*, to whom agreeing is granted, can't agree to it at *now*; "" when they can."""
    person = person_behind(policy_in_force(transaction, emergency.organisation), caller)
    if person is None:
        return f"no person stands behind {caller.name}, and only a person agrees to an emergency"
    resource = resource_of_emergency(transaction, emergency)
    groups = standing_of(transaction, caller, person, resource, Permission.EMERGENCY_APPROVE, now)
    because = _why_not(transaction, emergency, person, now)
    if not because and not is_eligible(groups, emergency.protocol.authorise):
        return f"one of {', '.join(emergency.protocol.authorise)} has to"
    return because


def _why_not(transaction: Transaction, emergency: Emergency, person: str, now: datetime) -> str:
    because = refusal_to_approve(emergency, person, now)
    if not because and person in editors_lately(transaction, emergency.organisation, now):
        return f"{person} edited the policy lately, and it says what is an emergency"
    return because


def _incident(written: str) -> str:
    incident = written.strip()
    if not incident or len(incident) > WORDS_AT_MOST:
        raise InvalidRequestError(
            "an emergency names its incident",
            hint=f"give its id, at most {WORDS_AT_MOST} characters: --incident INC-431",
        )
    return incident


def _claimed(facts: Mapping[str, Value]) -> tuple[tuple[str, str], ...]:
    """Return *facts* as literals by name."""
    if len(facts) > FACTS_AT_MOST:
        raise InvalidRequestError(
            f"{len(facts)} facts are more than {FACTS_AT_MOST}", hint="give those of the criteria"
        )
    for name, value in facts.items():
        if not is_name(name):
            raise InvalidRequestError(
                f"{name[:MAX_NAME]!r} can't be the name of a fact",
                hint="lower case words joined by dots: cve.score",
            )
        if name.startswith(MEASURED):
            raise InvalidRequestError(
                f"{name} is known to the server and can't be claimed",
                hint="leave it out" if name != "incident.id" else "give it with --incident",
            )
        if isinstance(value, str) and len(value) > WORDS_AT_MOST:
            raise InvalidRequestError(
                f"the fact {name} is longer than {WORDS_AT_MOST} characters", hint="say it shorter"
            )
        if isinstance(parse_literal(write_value(value)), Mistake):
            raise InvalidRequestError(
                f"the value of {name} is no number that a condition knows",
                hint="give it with at most 15 digits",
            )
    return tuple(sorted((name, write_value(value)) for name, value in facts.items()))


def _alarms(transaction: Transaction, spec: ServiceSpec, organisation: str) -> tuple[Alarm, ...]:
    return tuple(
        alarm
        for alarm in transaction.active_alarms()
        if alarm.reaches(organisation) and concerns(alarm, spec.name, spec.plan.alerts)
    )


def _measured(
    alarms: tuple[Alarm, ...], spec: ServiceSpec, incident: str
) -> tuple[tuple[str, str], ...]:
    """Return what the server knows, as literals by name."""
    count = dict.fromkeys(Severity, 0)
    for alarm in alarms:
        count[alarm.severity] += 1
    facts: dict[str, Value] = {
        "alarms.page": count[Severity.PAGE],
        "alarms.ticket": count[Severity.TICKET],
        "incident.id": incident,
        "service.tier": spec.tier,
        "service.name": spec.name,
    }
    return tuple(sorted((name, write_value(value)) for name, value in facts.items()))


def _id(transaction: Transaction, outside: Outside, proposal: Proposal, person: str) -> EmergencyId:
    said = f"{proposal.spec.name} {proposal.plan_hash} {person} {outside.clock.now().isoformat()}"
    return new_emergency_id(transaction, hashlib.sha256(said.encode()).hexdigest())


def _file(
    outside: Outside, transaction: Transaction, caller: Caller, emergency: Emergency
) -> Emergency:
    entry = note_fact(
        transaction,
        at=emergency.declared_at,
        actor=caller.name,
        kind="command",
        rule="declare-emergency",
        because=emergency.reason,
        service=emergency.service,
        details={
            "emergency": emergency.id,
            "type": emergency.protocol.type,
            "protocol": emergency.protocol.version,
            "incident": emergency.incident,
            "change": emergency.change_digest,
            "claimed": dict(emergency.claimed),
            "measured": dict(emergency.measured),
            "person": emergency.declared_person,
            "missing": persons_missing(emergency),
        },
    )
    emergency = replace(emergency, told_from=entry.number)
    EMERGENCIES.put(transaction, emergency)
    return emergency


def _note_refusal(
    outside: Outside,
    transaction: Transaction,
    caller: Caller,
    proposal: Proposal,
    protocol: EmergencyProtocol,
    unmet: tuple[str, ...],
) -> None:
    note_fact(
        transaction,
        at=outside.clock.now(),
        actor=caller.name,
        kind="refusal",
        rule="declare-emergency",
        because="; ".join(unmet),
        service=proposal.spec.name,
        details={"type": protocol.type, "change": change_digest(proposal.change)},
    )
