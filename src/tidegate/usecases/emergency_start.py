"""
A start under an emergency: the plan shortened, the authority checked, what is owed written down.

The debts are made in the transaction that records the rollout, so that there is never one without the
other. The way down of such a rollout is that of any other.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from tidegate.documents.canonical import change_digest, digest_of
from tidegate.documents.gates_verifying import TESTS, for_suite
from tidegate.documents.records import to_json
from tidegate.domain.emergency.authority import refusal_to_start
from tidegate.domain.emergency.debts import debt_id, new_debt
from tidegate.domain.emergency.model import Debt, Emergency
from tidegate.domain.emergency.shorten import Shortened, Treatment, shorten
from tidegate.domain.gates.model import GateSpec
from tidegate.domain.plan.model import Change, Plan, ServiceSpec
from tidegate.domain.quantities import Environment
from tidegate.domain.rollout.model import Rollout
from tidegate.errors import RefusedError
from tidegate.ports.store import Transaction
from tidegate.usecases.emergency_records import EMERGENCIES, find_emergency
from tidegate.usecases.outside import Outside
from tidegate.usecases.record import note_fact
from tidegate.usecases.shelves import DEBTS


@dataclass(frozen=True, slots=True, kw_only=True)
class Hurry:
    """What an emergency makes of a start: whose it is, the plan, what is owed, and the mark in its hash."""

    emergency: Emergency
    shortened: Shortened
    mark: str


def hurry(
    outside: Outside, name: str, spec: ServiceSpec, change: Change, plan: Plan, *, is_install: bool
) -> Hurry:
    """
    Return what the emergency *name* makes of *plan*.

    Raises:
        NotFoundError: there is no such emergency.
        RefusedError: nothing, or not this change, can be started under it now.
    """
    if is_install:
        raise RefusedError(
            f"{spec.name} serves nothing yet, and a first deployment exposes nobody to anything new",
            hint="start it as usual: there is nothing to shorten",
        )
    with outside.store.begin(read_only=True) as transaction:
        emergency = find_emergency(transaction, name)
    _refuse(emergency, spec, change_digest(change), outside.clock.now())
    return Hurry(
        emergency=emergency,
        shortened=shorten_for(emergency, plan, spec),
        mark=f"{emergency.id} {digest_of(to_json(emergency.protocol))}",
    )


def shorten_for(emergency: Emergency, plan: Plan, spec: ServiceSpec) -> Shortened:
    """Return *plan* of *spec* as *emergency* carries it out."""
    production = frozenset(
        target.name for target in spec.targets if target.environment is Environment.PRODUCTION
    )
    protocol = emergency.protocol
    instead = tuple(
        for_suite(gate, protocol.tests)
        for gate in plan.gates
        if protocol.tests and gate.kind == TESTS and protocol.puts_off(gate.name, gate.kind)
    )
    return shorten(plan, protocol, production, instead=instead)


def begin_under(
    transaction: Transaction, rollout: Rollout, hurried: Hurry, spec: ServiceSpec, *, now: datetime
) -> None:
    """
    Write down, with the start of *rollout*, that it is under an emergency and what it owes.

    Raises:
        RefusedError: the emergency was closed or has expired meanwhile.
    """
    assert rollout.emergency_id == hurried.emergency.id, "the rollout says its emergency"
    # Read again: what was true when the plan was made may not be when it's recorded.
    emergency = find_emergency(transaction, hurried.emergency.id)
    _refuse(emergency, spec, change_digest(rollout.change), now)
    owed = hurried.shortened.owed
    assert all(
        gate.name in {one.name for one in owed} for gate in rollout.plan.gates if gate.is_deferred
    ), "what is put off is owed"
    EMERGENCIES.put(transaction, replace(emergency, rollouts=(*emergency.rollouts, rollout.id)))
    debts = [_debt(transaction, emergency, rollout, gate, spec.owner, now) for gate in owed]
    for debt in debts:
        DEBTS.put(transaction, debt)
    note_fact(
        transaction,
        at=now,
        actor=rollout.created_by,
        kind="command",
        rule="start-under-emergency",
        because=f"{emergency.id} ({emergency.protocol.type}): {emergency.reason}",
        service=rollout.service,
        rollout_id=rollout.id,
        details={
            "emergency": emergency.id,
            "owed": [debt.gate for debt in debts],
            "shortened": _words(hurried.shortened),
            "routine_seconds": hurried.shortened.routine.total_seconds(),
            "shortened_seconds": hurried.shortened.shortened.total_seconds(),
        },
    )


def _debt(
    transaction: Transaction,
    emergency: Emergency,
    rollout: Rollout,
    gate: GateSpec,
    owner: str,
    now: datetime,
) -> Debt:
    """Return what is owed of *gate*; a debt that there is already keeps its time and its answer."""
    known = DEBTS.get(transaction, debt_id(emergency, gate))
    if known is not None:
        return replace(known, rollout_id=rollout.id)
    return new_debt(emergency, gate, rollout_id=rollout.id, owner=owner, now=now)


def _refuse(emergency: Emergency, spec: ServiceSpec, digest: str, now: datetime) -> None:
    because = refusal_to_start(emergency, service=spec.name, change_digest=digest, now=now)
    if because:
        raise RefusedError(
            f"nothing is started under emergency {emergency.id}: {because}",
            hint=f"see who and what is missing: tidegate emergency show {emergency.id}",
        )


def _words(shortened: Shortened) -> Sequence[str]:
    """Return what is otherwise than in the plan, in words."""
    return [
        f"{one.what}: {one.detail}"
        for one in shortened.differences
        if one.treatment is not Treatment.UNCHANGED
    ]
