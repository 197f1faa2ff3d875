"""
An emergency as somebody looks at it: what it makes of the plan, who can agree, what it owes. Only reads.

What is shortened is worked out by the service's latest document and the policy in force, as by a start now.
What a rollout under it was really given is in its report.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from tidegate.documents.service_file import from_canonical
from tidegate.domain.access.proof import IdentityMode
from tidegate.domain.emergency.model import Debt, Emergency
from tidegate.domain.emergency.shorten import Shortened
from tidegate.domain.plan.model import ServiceSpec
from tidegate.domain.policy.demands import rules_in_force, with_demands
from tidegate.errors import StoreError, TidegateError
from tidegate.ports.store import Transaction
from tidegate.usecases.emergency_records import debts_of
from tidegate.usecases.emergency_start import shorten_for
from tidegate.usecases.policies import policy_in_force
from tidegate.usecases.service_health import stored_spec
from tidegate.usecases.start import only_moves_of


@dataclass(frozen=True, slots=True, kw_only=True)
class EmergencyLook:
    """
    One emergency. `shortened` is None where that can't be worked out, and `why_unknown` says why.

    `members` are the groups or roles that authorise, each with who the policy says is in it, None where
    it doesn't say.
    """

    emergency: Emergency
    shortened: Shortened | None
    why_unknown: str
    members: Sequence[tuple[str, tuple[str, ...] | None]]
    debts: tuple[Debt, ...]


def look_at_emergency(
    transaction: Transaction, emergency: Emergency, names: IdentityMode
) -> EmergencyLook:
    """Return *emergency* with what follows from it, where names are worth what *names* says."""
    policy = policy_in_force(transaction, emergency.organisation)
    shortened: Shortened | None = None
    why_unknown = ""
    try:
        spec = _spec(transaction, emergency)
        rules = rules_in_force(policy, names)
        plan = with_demands(rules, spec, only_moves_of(spec.plan, emergency.change))
        shortened = shorten_for(emergency, plan, spec)
    except StoreError:
        raise
    except TidegateError as exc:
        # It is about the document; whoever looks at an emergency needs the rest all the more.
        why_unknown = str(exc)
    members = []
    for name in emergency.protocol.authorise:
        known = policy.members_of(name)
        members.append((name, None if known is None else tuple(sorted(known))))
    return EmergencyLook(
        emergency=emergency,
        shortened=shortened,
        why_unknown=why_unknown,
        members=members,
        debts=debts_of(transaction, emergency),
    )


def _spec(transaction: Transaction, emergency: Emergency) -> ServiceSpec:
    if emergency.document_json:
        return from_canonical(json.loads(emergency.document_json)).spec
    return stored_spec(transaction, emergency.service)
