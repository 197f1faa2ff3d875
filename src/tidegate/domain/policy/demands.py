"""
What a policy demands of a plan: approvals before the phases that it is about. Pure.

Where names are verified and the policy doesn't say otherwise, production needs a second person: one who may
approve it and isn't its author, or a green review. Where names are only claimed a second one proves nothing.

Made when a change is proposed, so that what is demanded stands in the plan that is looked at and in its
hash. A demand only ever adds: nothing that a plan asks for by itself becomes less.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from tidegate.domain.access.proof import IdentityMode
from tidegate.domain.plan.model import Phase, Plan, ServiceSpec
from tidegate.domain.policy.model import THE_OTHERS, ApprovalRule, Policy
from tidegate.domain.quantities import Environment
from tidegate.errors import RefusedError

SECOND_PERSON: Final = (
    ApprovalRule(
        environments=(Environment.PRODUCTION,), count=1, group=THE_OTHERS, unless_reviewed=True
    ),
)
"""What is demanded where nobody has said what is."""


def rules_in_force(policy: Policy, names: IdentityMode) -> tuple[ApprovalRule, ...]:
    """Return the rules of *policy* where names are worth what *names* says."""
    if policy.approval_rules is not None:
        return policy.approval_rules
    return SECOND_PERSON if names is IdentityMode.VERIFIED else ()


def with_demands(rules: tuple[ApprovalRule, ...], spec: ServiceSpec, plan: Plan) -> Plan:
    """
    Return *plan*, which moves parts of *spec*, with the approvals that *rules* demand.

    Raises:
        RefusedError: two groups are asked for the same phase, and one phase has one group.
    """
    demanded: dict[int, list[ApprovalRule]] = {}
    for rule in rules:
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
    named = dict.fromkeys([*([phase.approvers] if asked else []), *_groups(rules)])
    # Whoever is in a group that is asked for is one of the others as well.
    groups = [group for group in named if group != THE_OTHERS] or [THE_OTHERS]
    if len(groups) > 1:
        raise RefusedError(
            f"before {phase.name} approvals of several groups are asked for:"
            f" {', '.join(groups)}; the policy says: {'; '.join(map(str, rules))}",
            hint="ask for one group, in `approve:` of the phase and in the policy's rules",
        )
    return replace(
        phase,
        approvals=max(phase.approvals, *(rule.count for rule in rules)),
        approvers=groups[0],
        # What the plan asks for by itself, or one rule without the exception, a review doesn't replace.
        unless_reviewed=not asked and all(rule.unless_reviewed for rule in rules),
        demanded_by="; ".join(map(str, rules)),
    )


def _groups(rules: Iterable[ApprovalRule]) -> list[str]:
    return [rule.group for rule in rules]
