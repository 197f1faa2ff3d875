"""
The rules for plans, as a table, and the check of a service against them.

Rule: what a plan may not do is said here and nowhere else, whatever the plan came from. Each rule has a
stable id, a reason, and a failing and a passing example in its test. Rules bind by what a target is
(`environment`), never by who wrote the change or how small it is. The reference page of rules is made
from this table.

Sources: the recommendations for safe deployment practices (Azure Well-Architected, OE:11), by the
numbers of the requirements: S2, S13, S18, S26, S28, S41, S42, S49.
"""

from collections.abc import Iterator
from typing import Final

from tidegate.domain.plan.findings import Finding, Flaw, Rule, Severity, Subject
from tidegate.domain.plan.model import ServiceSpec
from tidegate.domain.plan.rules_of_bakes import (
    bake_max_covers_bake,
    bakes_grow_between_rings,
    bakes_never_shrink_within_ring,
    clocks_in_order,
    production_bake_one_hour,
    quarantine_covers_last_bake,
    warm_up_within_bakes,
)
from tidegate.domain.plan.rules_of_exposure import (
    every_target_reached,
    exposure_never_shrinks,
    first_group_is_small,
    needs_come_first,
    two_groups_before_everyone,
    way_back_for_each_component,
)
from tidegate.domain.plan.rules_of_health import health_model_is_sound
from tidegate.domain.plan.rules_of_names import (
    names_are_known,
    names_are_unique,
    nothing_is_empty,
)
from tidegate.domain.plan.rules_of_proof import (
    gate_in_every_phase,
    proof_is_strict,
    tolerance_in_its_unit,
    usage_signal_present,
)
from tidegate.domain.quantities import Environment

GROUND_RULES: Final = (
    Rule(
        id="nothing-is-empty",
        severity=Severity.ERROR,
        demands="There is a component, a target and a phase, and every phase moves something.",
        why="A plan that moves nothing would complete without having done anything.",
        flaws=nothing_is_empty,
    ),
    Rule(
        id="names-are-known",
        severity=Severity.ERROR,
        demands="Phases and `after` name components and targets of this service.",
        why="A misspelt name would leave something unmoved.",
        flaws=names_are_known,
    ),
    Rule(
        id="names-are-unique",
        severity=Severity.ERROR,
        demands="Names of components, targets, phases and signals stand once.",
        why="Records and commands tell things apart by name.",
        flaws=names_are_unique,
    ),
)
"""Checked first: when one is broken, the others have nothing to stand on."""

PLAN_RULES: Final = (
    Rule(
        id="exposure-never-shrinks",
        severity=Severity.ERROR,
        demands="Who meets the candidate in one phase still does in the next.",
        why="A user who is sent back and forth sees both versions; shrinking is for recovery only.",
        flaws=exposure_never_shrinks,
    ),
    Rule(
        id="every-target-reached",
        severity=Severity.ERROR,
        demands="At the end every component serves everyone on every target.",
        why="A target left behind runs an old version that nobody watches.",
        flaws=every_target_reached,
    ),
    Rule(
        id="two-groups-before-everyone",
        severity=Severity.ERROR,
        demands="Production users are reached in at least two smaller groups before all of them.",
        why="One step to everyone makes the first proof and the greatest harm the same moment.",
        flaws=two_groups_before_everyone,
    ),
    Rule(
        id="first-group-is-small",
        severity=Severity.WARNING,
        demands="The first production group is at most half of the users.",
        why="The first group is the one most likely to be harmed.",
        flaws=first_group_is_small,
    ),
    Rule(
        id="needs-come-first",
        severity=Severity.ERROR,
        demands="A component never gets ahead, on a target, of one that it comes after.",
        why="It would run against a version that it doesn't work with.",
        flaws=needs_come_first,
    ),
    Rule(
        id="way-back-for-each-component",
        severity=Severity.ERROR,
        demands="Every component has a driver that can bring everyone back to the baseline.",
        why="Harm that can't be undone at once isn't limited by anything.",
        flaws=way_back_for_each_component,
    ),
    Rule(
        id="bakes-grow-between-rings",
        severity=Severity.ERROR,
        demands="The first bake of a ring is longer than the last bake of the ring before.",
        why="More people are at risk, and faults that are left are the slow ones.",
        flaws=bakes_grow_between_rings,
    ),
    Rule(
        id="bakes-never-shrink-within-ring",
        severity=Severity.ERROR,
        demands="Inside a ring no bake is shorter than the one before it.",
        why="A later phase exposes more people; it can't need less watching.",
        flaws=bakes_never_shrink_within_ring,
    ),
    Rule(
        id="production-bake-one-hour",
        severity=Severity.ERROR,
        demands="Phases that touch production bake for an hour at least.",
        why="Leaks, caches and daily habits don't show in minutes.",
        flaws=production_bake_one_hour,
    ),
    Rule(
        id="warm-up-within-bakes",
        severity=Severity.ERROR,
        demands="`warm_up` is shorter than the shortest bake that exposes users.",
        why="Nothing is proven while caches are cold, so the bake would be mostly that.",
        flaws=warm_up_within_bakes,
    ),
    Rule(
        id="bake-max-covers-bake",
        severity=Severity.ERROR,
        demands="`bake_max` is at least the bake.",
        why="The phase would be held as inconclusive before it could pass.",
        flaws=bake_max_covers_bake,
    ),
    Rule(
        id="clocks-in-order",
        severity=Severity.ERROR,
        demands="tick <= stale_after <= no_data.halt_after, and a bake holds two readings.",
        why="Otherwise good data would count as stale, or a bake would pass over nothing.",
        flaws=clocks_in_order,
    ),
    Rule(
        id="quarantine-covers-last-bake",
        severity=Severity.WARNING,
        demands="The old version stays warm at least as long as the last bake took.",
        why="What needed that long to show would find no way back.",
        flaws=quarantine_covers_last_bake,
    ),
    Rule(
        id="gate-in-every-phase",
        severity=Severity.ERROR,
        demands="Every phase has at least one gate signal for what it moves.",
        why="A phase without a gate passes by waiting.",
        flaws=gate_in_every_phase,
    ),
    Rule(
        id="tolerance-in-its-unit",
        severity=Severity.ERROR,
        demands="Errors are tolerated by rate, latency relative or by duration, the rest relative.",
        why="A tolerance in a foreign unit would be tested as another one, usually a wider one.",
        flaws=tolerance_in_its_unit,
    ),
    Rule(
        id="proof-is-strict",
        severity=Severity.ERROR,
        demands="In production tolerances are at most 5pp errors, 50% usage, 100% latency; "
        "beta at most 0.1; alphas 0.000001 to 0.2.",
        why="A tolerance for everything is no gate; no field may take the gates away.",
        flaws=proof_is_strict,
    ),
    Rule(
        id="health-model-is-sound",
        severity=Severity.ERROR,
        demands="The health model names what exists, each signal tells of one node, the service "
        "needs every node, and nothing needs itself.",
        why="A state that rests on nothing, or on itself, would look like one.",
        flaws=health_model_is_sound,
    ),
    Rule(
        id="usage-signal-present",
        severity=Severity.WARNING,
        demands="At least one signal counts what users come for.",
        why="Silence and quick empty answers look healthy to error rates.",
        flaws=usage_signal_present,
    ),
)


def check_service(spec: ServiceSpec, *, reversible_drivers: frozenset[str]) -> tuple[Finding, ...]:
    """
    Return everything that the rules find in *spec*, in the order of the rules.

    Args:
        spec: The resolved service.
        reversible_drivers: Component drivers that can bring everyone back to the baseline at once.
    """
    subject = Subject(spec=spec, reversible_drivers=reversible_drivers)
    ground = tuple(finding for rule in GROUND_RULES for finding in rule.findings(subject))
    if ground:
        return ground
    return tuple(finding for rule in PLAN_RULES for finding in rule.findings(subject))


def has_errors(findings: tuple[Finding, ...]) -> bool:
    """Return whether one of *findings* forbids a start."""
    return any(finding.severity is Severity.ERROR for finding in findings)


def requires_lab(spec: ServiceSpec) -> bool:
    """Return whether *spec* has a lab target, which only a lab server may move."""
    return any(target.environment is Environment.LAB for target in spec.targets)


def check_lab(spec: ServiceSpec, *, lab_allowed: bool) -> tuple[Finding, ...]:
    """
    Return findings when *spec* has lab targets and the server doesn't allow them.

    Kept apart from `check_service`: it depends on the server, not on the document, so that no author
    can mark the production rules away.
    """
    if lab_allowed:
        return ()
    return tuple(LAB_RULE.findings(Subject(spec=spec, reversible_drivers=frozenset())))


def _lab_targets(subject: Subject) -> Iterator[Flaw]:
    for index, target in enumerate(subject.spec.targets):
        if target.environment is Environment.LAB:
            yield Flaw(
                message=f"target {target.name} is a lab target, and this server isn't a lab",
                fix="start the server with: tidegate lab, or give the target its real environment",
                path=("targets", index, "environment"),
            )


LAB_RULE: Final = Rule(
    id="lab-targets-need-lab-server",
    severity=Severity.ERROR,
    demands="Lab targets are moved only by a server that was started as a lab.",
    why="Otherwise `environment: lab` would be a way around the rules for production.",
    flaws=_lab_targets,
)
"""Checked by the server alone, see `check_lab`."""
