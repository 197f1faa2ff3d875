"""
What approvals rest on, read from records: the one place where a decision asks which don't count.

Used when one is given and again whenever a rise may rest on it, so that what moved meanwhile counts.
Nothing is asked of the outside here; what only the outside knows is on a shelf by then.
"""

from datetime import datetime
from typing import Final

from tidegate.documents.canonical import change_digest, digest_of
from tidegate.documents.records import from_json
from tidegate.domain.access.permissions import Permission
from tidegate.domain.approvals.duties import ApprovalGround, why_void
from tidegate.domain.approvals.model import Binding, VoidApproval
from tidegate.domain.gates.model import gate_seen
from tidegate.domain.health.evidence import Evidence
from tidegate.domain.policy.model import Policy
from tidegate.domain.quantities import Environment
from tidegate.domain.rollout.decisions import Observation
from tidegate.domain.rollout.judged import present_verdict
from tidegate.domain.rollout.model import Approval, Rollout
from tidegate.domain.rollout.seen import valid_approvals
from tidegate.ports.store import Transaction
from tidegate.usecases.access import access_in
from tidegate.usecases.artifacts import resolution_of
from tidegate.usecases.gate_records import binding_of, standing_evidence
from tidegate.usecases.policies import editors_lately, policy_in_force
from tidegate.usecases.resources import resource_of_rollout

REVIEW: Final = "review"
"""The kind of gate that a policy may let stand for a second person."""


def void_approvals(
    transaction: Transaction, rollout: Rollout, now: datetime
) -> tuple[VoidApproval, ...]:
    """Return the approvals of *rollout*'s present phase that don't count at *now*, each with why."""
    agreed = [one for one in valid_approvals(rollout, rollout.phase_index) if one.is_yes]
    if not agreed:
        return ()
    ground = ground_of(transaction, rollout, rollout.phase_index, now)
    return tuple(
        VoidApproval(by=one.by, at=one.at, because=because)
        for one in agreed
        if (because := why_not_counting(transaction, rollout, ground, one, now))
    )


def why_not_counting(
    transaction: Transaction,
    rollout: Rollout,
    ground: ApprovalGround,
    approval: Approval,
    now: datetime,
) -> str:
    """Return why *approval*, a yes, doesn't count at *now*, as far as it hasn't expired; "" when it does."""
    approver = approval.approver
    if approver is not None and not approver.is_root:
        access = access_in(transaction, approver, now)
        ruling = access.ruling(Permission.APPROVE, resource_of_rollout(rollout))
        if not ruling.is_allowed:
            return f"{approval.by} may not approve it any more: {ruling.because}"
    return why_void(ground, approval)


def ground_of(
    transaction: Transaction, rollout: Rollout, phase_index: int, now: datetime
) -> ApprovalGround:
    """Return what an approval of the phase at *phase_index* would rest on at *now*."""
    policy = policy_in_force(transaction, rollout.organisation)
    resolution = resolution_of(transaction, rollout, now)
    authors, strangers = _authors(policy, rollout)
    phase = rollout.plan.phases[phase_index]
    return ApprovalGround(
        binding=Binding(
            change=resolution.change,
            plan=rollout.plan_hash,
            policy=policy.digest,
            targets=_targets_digest(rollout),
            environment=_greatest_environment(rollout, phase_index),
            exposure=_greatest_exposure(rollout, phase_index),
            verdict=_verdict(transaction, rollout, now),
        ),
        authors=authors,
        strangers=strangers,
        group=phase.approvers,
        members=policy.members_of(phase.approvers),
        editors=editors_lately(transaction, rollout.organisation, now),
        started_with=change_digest(rollout.change),
        resolves_to=resolution.words,
        moved_at=resolution.moved_at,
        unknown=resolution.unknown,
    )


def is_reviewed(transaction: Transaction, rollout: Rollout, now: datetime) -> bool:
    """Return whether a gate of kind review is green about this very change of *rollout* at *now*."""
    return any(
        gate_seen(
            spec,
            standing_evidence(transaction, rollout, spec),
            now,
            bound_to=binding_of(rollout, spec),
        ).is_green
        for spec in rollout.plan.gates
        if spec.kind == REVIEW and not spec.is_deferred
    )


def _authors(policy: Policy, rollout: Rollout) -> tuple[frozenset[str], tuple[str, ...]]:
    """Return the persons behind *rollout*, and the names among its authors that nobody is behind."""
    persons: set[str] = set()
    strangers: list[str] = []
    for name, person in ((rollout.created_by, rollout.created_by_person), *rollout.joined):
        # Whoever the policy says is behind the name counts as well as whoever the name's token says.
        behind = {policy.person_of(name), person, policy.person_of(person or name)} - {None}
        persons |= {one for one in behind if one}
        if not behind:
            strangers.append(name)
    if rollout.resumed_by_person is not None:
        resumed_by = rollout.resumed_by_person
        persons |= {resumed_by, policy.person_of(resumed_by) or resumed_by}
    return frozenset(persons), tuple(strangers)


def _targets_digest(rollout: Rollout) -> str:
    return digest_of(
        {
            "targets": [
                [str(one.name), one.ring, one.environment.value, one.settings_json]
                for one in rollout.targets
            ],
            "components": [
                [str(one.name), one.driver, one.settings_json] for one in rollout.components
            ],
            "placements": [str(placement) for placement in rollout.plan.placements()],
        }
    )


def _greatest_environment(rollout: Rollout, phase_index: int) -> str:
    touched = {place.target for place in rollout.plan.exposure_within(phase_index)}
    found = {one.environment for one in rollout.targets if one.name in touched}
    return next((one.value for one in reversed(Environment) if one in found), "")


def _greatest_exposure(rollout: Rollout, phase_index: int) -> str:
    allowed = rollout.plan.exposure_within(phase_index).values()
    return str(max(allowed, key=lambda exposure: (exposure.weight_bps, exposure.internal)))


def _verdict(transaction: Transaction, rollout: Rollout, now: datetime) -> str:
    stored = transaction.evidence(rollout.id)
    if stored is None:
        return ""
    evidence = from_json(Evidence, stored.evidence_json)
    verdict = present_verdict(
        Observation(now=now, rollout=rollout, placements=(), evidence=evidence)
    )
    return "" if verdict is None else verdict.value
