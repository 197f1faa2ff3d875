"""
What a policy demands of a plan: approvals before the phases that it is about. Pure.

Made when a change is proposed, so that what is demanded stands in the plan that is looked at and in its
hash. A demand only ever adds: nothing that a plan asks for by itself becomes less.
"""

from collections.abc import Iterable
from dataclasses import replace

from tidegate.domain.plan.model import Phase, Plan, ServiceSpec
from tidegate.domain.policy.model import ApprovalRule, Policy
from tidegate.errors import RefusedError


def with_demands(policy: Policy, spec: ServiceSpec, plan: Plan) -> Plan:
    """
    Return *plan*, which moves parts of *spec*, with the approvals that *policy* demands.

    Raises:
        RefusedError: two groups are asked for the same phase, and one phase has one group.
    """
    demanded: dict[int, list[ApprovalRule]] = {}
    for rule in policy.approval_rules:
        about = [index for index, phase in enumerate(plan.phases) if _is_about(rule, spec, phase)]
        for index in about if rule.every_phase else about[:1]:
            demanded.setdefault(index, []).append(rule)
    return replace(
        plan,
        phases=tuple(
            _demanding(phase, demanded[index]) if index in demanded else phase
            for index, phase in enumerate(plan.phases)
        ),
    )


def demands_of(plan: Plan) -> list[dict[str, object]]:
    """Return what a policy demanded of *plan*, as JSON values: for its hash."""
    return [
        {
            "phase": phase.name,
            "count": phase.approvals,
            "of": phase.approvers,
            "unless_reviewed": phase.unless_reviewed,
        }
        for phase in plan.phases
        if phase.demanded_by
    ]


def _is_about(rule: ApprovalRule, spec: ServiceSpec, phase: Phase) -> bool:
    if rule.tiers and spec.tier not in rule.tiers:
        return False
    return any(
        (not rule.environments or spec.target(place.target).environment in rule.environments)
        and (not rule.kinds or spec.component(place.component).kind in rule.kinds)
        for place in (move.placement for move in phase.moves)
    )


def _demanding(phase: Phase, rules: list[ApprovalRule]) -> Phase:
    asked = phase.approvals > 0
    groups = dict.fromkeys([*([phase.approvers] if asked else []), *_groups(rules)])
    if len(groups) > 1:
        raise RefusedError(
            f"before {phase.name} approvals of several groups are asked for:"
            f" {', '.join(groups)}; the policy says: {'; '.join(map(str, rules))}",
            hint="ask for one group, in `approve:` of the phase and in the policy's rules",
        )
    return replace(
        phase,
        approvals=max(phase.approvals, *(rule.count for rule in rules)),
        approvers=next(iter(groups)),
        # What the plan asks for by itself, or one rule without the exception, a review doesn't replace.
        unless_reviewed=not asked and all(rule.unless_reviewed for rule in rules),
        demanded_by="; ".join(map(str, rules)),
    )


def _groups(rules: Iterable[ApprovalRule]) -> list[str]:
    return [rule.group for rule in rules]
