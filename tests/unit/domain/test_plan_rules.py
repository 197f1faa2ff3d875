"""
The rules for plans: each has examples that break it and the same service mended.

An example changes one thing of a service that keeps every rule, so that what is found is due to that
change alone.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from tidegate.domain.plan.findings import Finding, Severity
from tidegate.domain.plan.model import (
    ComponentSpec,
    Dependency,
    ErrorBudget,
    HealthModel,
    HealthNode,
    Impact,
    Phase,
    Plan,
    Recovery,
    ServiceSpec,
    SignalKind,
    SignalSpec,
    TargetSpec,
    Tolerance,
    ToleranceUnit,
)
from tidegate.domain.plan.model import Move as PlannedMove
from tidegate.domain.plan.rules import (
    GROUND_RULES,
    LAB_RULE,
    PLAN_RULES,
    check_lab,
    check_service,
    has_errors,
    requires_lab,
)
from tidegate.domain.quantities import (
    ComponentName,
    Environment,
    Exposure,
    Placement,
    ServiceName,
    TargetName,
)

SERVICE = ServiceName("shop")
Change = Callable[[ServiceSpec], ServiceSpec]


def _hours(number: float) -> timedelta:
    return timedelta(hours=number)


def _move(component: str, target: str, weight_bps: int, *, internal: bool = False) -> PlannedMove:
    return PlannedMove(
        placement=Placement(
            service=SERVICE, component=ComponentName(component), target=TargetName(target)
        ),
        exposure=Exposure(internal=internal, weight_bps=weight_bps),
    )


def _signal(name: str, kind: SignalKind, tolerance: float, *, gate: bool = True) -> SignalSpec:
    unit = ToleranceUnit.RATE if kind is SignalKind.ERRORS else ToleranceUnit.RELATIVE
    return SignalSpec(
        name=name,
        kind=kind,
        gate=gate,
        tolerance=Tolerance(value=tolerance, unit=unit),
        source="envoy",
    )


ERRORS = _signal("errors", SignalKind.ERRORS, 0.001)
USAGE = _signal("orders", SignalKind.USAGE, 0.2)


def _phase(name: str, ring: str, bake: timedelta, *moves: PlannedMove) -> Phase:
    return Phase(
        name=name,
        ring=ring,
        moves=moves,
        bake=bake,
        bake_max=3 * bake,
        minimum_requests=500,
        approvals=0,
        approvers="",
        signals=(ERRORS, USAGE),
        exercises=(),
    )


def _component(name: str, *after: str) -> ComponentSpec:
    return ComponentSpec(
        name=ComponentName(name),
        kind="code",
        driver="process",
        settings_json="{}",
        after=tuple(map(ComponentName, after)),
    )


def _target(name: str, ring: str, environment: Environment = Environment.PRODUCTION) -> TargetSpec:
    return TargetSpec(name=TargetName(name), ring=ring, environment=environment, settings_json="{}")


def a_good_service() -> ServiceSpec:
    """Return a service of one component on a staging and two production targets."""
    return ServiceSpec(
        name=SERVICE,
        owner="team",
        tier=2,
        components=(_component("code"),),
        targets=(
            _target("stage", "staging", Environment.STAGING),
            _target("eu", "first"),
            _target("us", "rest"),
        ),
        plan=Plan(
            name="custom",
            phases=(
                _phase("stage", "staging", _hours(0.5), _move("code", "stage", 10_000)),
                _phase("few", "first", _hours(4), _move("code", "eu", 500)),
                _phase("more", "first", _hours(8), _move("code", "eu", 2_500)),
                _phase("eu", "first", _hours(8), _move("code", "eu", 10_000)),
                _phase("us", "rest", _hours(24), _move("code", "us", 10_000)),
            ),
            budget=ErrorBudget(alpha_halt=0.01, alpha_hold=0.05, beta=0.05),
            recovery=Recovery.ROLLBACK,
            tick=timedelta(seconds=10),
            stale_after=timedelta(seconds=30),
            no_data_halt_after=_hours(2),
            apply_within=timedelta(minutes=10),
            quarantine=_hours(24),
        ),
    )


def check(spec: ServiceSpec) -> tuple[Finding, ...]:
    return check_service(spec, reversible_drivers=frozenset({"process"}))


def _plan(**changes: object) -> Change:
    return lambda spec: replace(spec, plan=replace(spec.plan, **changes))  # type: ignore[arg-type]


def _node(name: str, *signals: str, needs: tuple[str, ...] = ()) -> HealthNode:
    needed = tuple(Dependency(node=one, impact=Impact.OUTAGE) for one in needs)
    return HealthNode(name=name, signals=signals, needs=needed)


def _health(*nodes: HealthNode) -> Change:
    return _plan(health=HealthModel(nodes=nodes))


def _phases(change: Callable[[tuple[Phase, ...]], tuple[Phase, ...]]) -> Change:
    return lambda spec: replace(spec, plan=replace(spec.plan, phases=change(spec.plan.phases)))


def _in_phase(index: int, **changes: object) -> Change:
    def change(phases: tuple[Phase, ...]) -> tuple[Phase, ...]:
        changed = replace(phases[index], **changes)  # type: ignore[arg-type]
        return (*phases[:index], changed, *phases[index + 1 :])

    return _phases(change)


def _in_every_phase(**changes: object) -> Change:
    return _phases(
        lambda phases: tuple(replace(phase, **changes) for phase in phases)  # type: ignore[arg-type]
    )


def _without(*names: str) -> Change:
    return _phases(lambda phases: tuple(one for one in phases if one.name not in names))


def _with_table(after: tuple[str, ...], moves_first: bool) -> Change:
    """Add the component `table`; *after* says what `code` comes after."""

    def change(spec: ServiceSpec) -> ServiceSpec:
        table = (
            _phase("t-stage", "staging", _hours(0.1), _move("table", "stage", 10_000)),
            _phase("t-few", "first", _hours(1), _move("table", "eu", 500)),
            _phase("t-eu", "first", _hours(1), _move("table", "eu", 10_000)),
            _phase("t-us", "rest", _hours(2), _move("table", "us", 10_000)),
        )
        phases = spec.plan.phases
        return replace(
            spec,
            components=(_component("table"), _component("code", *after)),
            plan=replace(spec.plan, phases=(*table, *phases) if moves_first else (*phases, *table)),
        )

    return change


def _environment(environment: Environment) -> Change:
    return lambda spec: replace(
        spec, targets=tuple(replace(one, environment=environment) for one in spec.targets)
    )


def _both(*changes: Change) -> Change:
    def change(spec: ServiceSpec) -> ServiceSpec:
        for one in changes:
            spec = one(spec)
        return spec

    return change


SHOP_ON_DB = _node("shop", "errors", "orders", needs=("db",))


@dataclass(frozen=True)
class Example:
    """A change that breaks *rule* with a message that holds *says*, and one that doesn't."""

    rule: str
    breaks: Change
    says: str
    keeps: Change


EXAMPLES = [
    Example(
        "nothing-is-empty",
        breaks=lambda spec: replace(spec, components=()),
        says="there is no component",
        keeps=lambda spec: spec,
    ),
    Example(
        "nothing-is-empty",
        breaks=lambda spec: replace(spec, targets=()),
        says="there is no target",
        keeps=lambda spec: spec,
    ),
    Example(
        "nothing-is-empty",
        breaks=_plan(phases=()),
        says="the plan has no phases",
        keeps=lambda spec: spec,
    ),
    Example(
        "nothing-is-empty",
        breaks=_in_phase(1, moves=()),
        says="phase few moves nothing",
        keeps=_without("few"),
    ),
    Example(
        "names-are-known",
        breaks=_in_phase(4, moves=(_move("code", "ap", 10_000),)),
        says="shop/code@ap, which doesn't exist",
        keeps=_in_phase(4, moves=(_move("code", "us", 10_000),)),
    ),
    Example(
        "names-are-known",
        breaks=lambda spec: replace(spec, components=(_component("code", "table"),)),
        says="comes after table, which doesn't exist",
        keeps=_with_table(("table",), moves_first=True),
    ),
    Example(
        "names-are-known",
        breaks=_phases(
            lambda phases: (
                *phases[:4],
                replace(
                    phases[4],
                    moves=(
                        replace(
                            phases[4].moves[0],
                            placement=replace(
                                phases[4].moves[0].placement, service=ServiceName("other")
                            ),
                        ),
                    ),
                ),
            )
        ),
        says="which isn't of shop",
        keeps=lambda spec: spec,
    ),
    Example(
        "names-are-unique",
        breaks=_in_phase(1, name="us"),
        says="the phase us stands 2 times",
        keeps=_in_phase(1, name="canary"),
    ),
    Example(
        "names-are-unique",
        breaks=_in_phase(1, moves=(_move("code", "eu", 500), _move("code", "eu", 600))),
        says="the move shop/code@eu stands 2 times",
        keeps=_in_phase(1, moves=(_move("code", "eu", 600),)),
    ),
    Example(
        "exposure-never-shrinks",
        breaks=_in_phase(2, moves=(_move("code", "eu", 400),)),
        says="takes shop/code@eu from 5% back to 4%",
        keeps=_in_phase(2, moves=(_move("code", "eu", 500),)),
    ),
    Example(
        "exposure-never-shrinks",
        breaks=_in_phase(1, moves=(_move("code", "eu", 500, internal=True),)),
        says="takes shop/code@eu from 5% back to 25%",
        keeps=_phases(
            lambda phases: tuple(
                replace(
                    one,
                    moves=tuple(
                        replace(move, exposure=replace(move.exposure, internal=True))
                        for move in one.moves
                    ),
                )
                for one in phases
            )
        ),
    ),
    Example(
        "every-target-reached",
        breaks=_without("us"),
        says="the plan ends with shop/code@us at nobody, not at 100%",
        keeps=_in_phase(4, moves=(_move("code", "us", 10_000),)),
    ),
    Example(
        "every-target-reached",
        breaks=_in_phase(4, moves=(_move("code", "us", 9_999),)),
        says="at 99.99%",
        keeps=_in_phase(4, moves=(_move("code", "us", 10_000),)),
    ),
    Example(
        "two-groups-before-everyone",
        breaks=_both(
            _without("few", "more", "eu", "us"),
            _phases(
                lambda phases: (
                    *phases,
                    _phase(
                        "all",
                        "all",
                        _hours(24),
                        _move("code", "eu", 10_000),
                        _move("code", "us", 10_000),
                    ),
                )
            ),
        ),
        says="reaches every production user after 0 smaller groups",
        keeps=_both(
            _without("few", "more", "us"),
            _in_phase(1, moves=(_move("code", "eu", 500), _move("code", "us", 500))),
            _phases(
                lambda phases: (
                    *phases,
                    _phase("half", "first", _hours(9), _move("code", "eu", 10_000)),
                    _phase("all", "first", _hours(9), _move("code", "us", 10_000)),
                )
            ),
        ),
    ),
    Example(
        "two-groups-before-everyone",
        breaks=_without("few", "more"),
        says="after 1 smaller group, not 2",
        keeps=_without("few"),
    ),
    Example(
        "first-group-is-small",
        breaks=_both(
            _in_phase(
                1,
                moves=(_move("code", "eu", 6_000), _move("code", "us", 6_000)),
            ),
            _in_phase(2, moves=(_move("code", "eu", 7_000),)),
        ),
        says="the first group of code is 60% of production",
        keeps=_in_phase(1, moves=(_move("code", "eu", 500), _move("code", "us", 500))),
    ),
    Example(
        "needs-come-first",
        breaks=_with_table(("table",), moves_first=False),
        says="before table, which it comes after",
        keeps=_with_table(("table",), moves_first=True),
    ),
    Example(
        "way-back-for-each-component",
        breaks=lambda spec: replace(
            spec, components=(replace(spec.components[0], driver="one-way"),)
        ),
        says="driver one-way of code has no way back",
        keeps=lambda spec: spec,
    ),
    Example(
        "bakes-grow-between-rings",
        breaks=_in_phase(4, bake=_hours(8)),
        says="for 8h in ring rest, after 8h in ring first",
        keeps=_in_phase(4, bake=_hours(8.5)),
    ),
    Example(
        "bakes-never-shrink-within-ring",
        breaks=_in_phase(2, bake=_hours(3)),
        says="for 3h, after 4h in the phase before it",
        keeps=_in_phase(2, bake=_hours(4)),
    ),
    Example(
        "production-bake-one-hour",
        breaks=_both(_in_phase(0, bake=_hours(0.2)), _in_phase(1, bake=_hours(0.9))),
        says="phase few bakes for 54m in production",
        keeps=_in_phase(1, bake=_hours(1)),
    ),
    Example(
        "warm-up-within-bakes",
        breaks=_plan(warm_up=timedelta(minutes=30)),
        says="phases warm up for 30m, but the shortest bake is 30m",
        keeps=_plan(warm_up=timedelta(minutes=29)),
    ),
    Example(
        "bake-max-covers-bake",
        breaks=_in_phase(1, bake_max=_hours(3)),
        says="bakes for 4h but gives up after 3h",
        keeps=_in_phase(1, bake_max=_hours(4)),
    ),
    Example(
        "clocks-in-order",
        breaks=_plan(stale_after=timedelta(seconds=9)),
        says="stale after 9s but read every 10s only",
        keeps=_plan(stale_after=timedelta(seconds=10)),
    ),
    Example(
        "clocks-in-order",
        breaks=_plan(no_data_halt_after=timedelta(seconds=20)),
        says="halts after 20s without data, but data is stale only after 30s",
        keeps=_plan(no_data_halt_after=timedelta(seconds=30)),
    ),
    Example(
        "clocks-in-order",
        breaks=_plan(tick=timedelta(minutes=20), stale_after=_hours(1)),
        says="bakes for 30m, shorter than 2 readings 20m apart",
        keeps=_plan(tick=timedelta(minutes=15), stale_after=_hours(1)),
    ),
    Example(
        "clocks-in-order",
        breaks=_plan(tick=timedelta(0)),
        says="tick must be above 0s",
        keeps=_plan(tick=timedelta(seconds=1)),
    ),
    Example(
        "clocks-in-order",
        breaks=_plan(apply_within=timedelta(0)),
        says="apply_within must be above 0s",
        keeps=_plan(apply_within=timedelta(seconds=1)),
    ),
    Example(
        "quarantine-covers-last-bake",
        breaks=_plan(quarantine=_hours(23)),
        says="kept warm for 23h, the last bake takes 24h",
        keeps=_plan(quarantine=_hours(24)),
    ),
    Example(
        "gate-in-every-phase",
        breaks=_in_phase(2, signals=(replace(ERRORS, gate=False), replace(USAGE, gate=False))),
        says="phase more has no gate",
        keeps=_in_phase(2, signals=(ERRORS, replace(USAGE, gate=False))),
    ),
    Example(
        "gate-in-every-phase",
        breaks=_in_phase(2, signals=(ERRORS, replace(USAGE, shadow=True))),
        says=f"the gate {USAGE.name} of phase more is in shadow",
        keeps=_in_phase(2, signals=(ERRORS, replace(USAGE, gate=False, shadow=True))),
    ),
    Example(
        "gate-in-every-phase",
        breaks=_in_phase(0, signals=()),
        says="phase stage has no gate",
        keeps=_in_phase(0, signals=(USAGE,)),
    ),
    Example(
        "tolerance-in-its-unit",
        breaks=_in_phase(
            1,
            signals=(replace(ERRORS, tolerance=Tolerance(value=20, unit=ToleranceUnit.DURATION)),),
        ),
        says="signal errors of kind errors is tolerated by duration, which is no unit of it",
        keeps=_in_phase(1, signals=(ERRORS,)),
    ),
    Example(
        "proof-is-strict",
        breaks=_in_phase(
            1, signals=(replace(ERRORS, tolerance=Tolerance(value=0.06, unit=ToleranceUnit.RATE)),)
        ),
        says="errors tolerates 6pp in production, at most 5pp is allowed",
        keeps=_in_phase(
            1, signals=(replace(ERRORS, tolerance=Tolerance(value=0.05, unit=ToleranceUnit.RATE)),)
        ),
    ),
    Example(
        "proof-is-strict",
        breaks=_plan(budget=ErrorBudget(alpha_halt=0.01, alpha_hold=0.05, beta=0.11)),
        says="beta must be above 0 and at most 0.1, got 0.11",
        keeps=_plan(budget=ErrorBudget(alpha_halt=0.01, alpha_hold=0.05, beta=0.1)),
    ),
    Example(
        "proof-is-strict",
        breaks=_plan(budget=ErrorBudget(alpha_halt=1e-9, alpha_hold=0.05, beta=0.05)),
        says="alpha_halt must be 1e-06 to 0.2, got 1e-09",
        keeps=_plan(budget=ErrorBudget(alpha_halt=1e-6, alpha_hold=0.2, beta=0.05)),
    ),
    Example(
        "usage-signal-present",
        breaks=_in_every_phase(signals=(ERRORS,)),
        says="no usage signal",
        keeps=_in_every_phase(signals=(ERRORS, replace(USAGE, gate=False))),
    ),
    Example(
        "names-are-unique",
        breaks=_health(SHOP_ON_DB, _node("db"), _node("db")),
        says="the node db stands 2 times",
        keeps=_health(SHOP_ON_DB, _node("db")),
    ),
    Example(
        "health-model-is-sound",
        breaks=_health(_node("shop", "errors", needs=("db",)), _node("db", "order")),
        says="node db of the health model has the signal order, which doesn't exist",
        keeps=_health(_node("shop", "errors", needs=("db",)), _node("db", "orders")),
    ),
    Example(
        "health-model-is-sound",
        breaks=_health(SHOP_ON_DB, _node("db", "orders")),
        says="the signal orders is attached to shop and to db",
        keeps=_health(SHOP_ON_DB, _node("db")),
    ),
    Example(
        "health-model-is-sound",
        breaks=_health(_node("shop", "errors")),
        says="the signal orders is attached to no node",
        keeps=_health(_node("shop", "errors", "orders")),
    ),
    Example(
        "health-model-is-sound",
        breaks=_health(_node("checkout", "errors", "orders")),
        says="no node shop, which is the service itself",
        keeps=_plan(health=HealthModel()),
    ),
    Example(
        "health-model-is-sound",
        breaks=_health(SHOP_ON_DB),
        says="shop needs db, which isn't a node",
        keeps=_health(SHOP_ON_DB, _node("db")),
    ),
    Example(
        "health-model-is-sound",
        breaks=_health(SHOP_ON_DB, _node("db", needs=("disk",)), _node("disk", needs=("db",))),
        says="in circles: db needs disk needs db",
        keeps=_health(SHOP_ON_DB, _node("db", needs=("disk",)), _node("disk")),
    ),
    Example(
        "health-model-is-sound",
        breaks=_health(_node("shop", "errors", "orders", needs=("shop",))),
        says="in circles: shop needs shop",
        keeps=_health(_node("shop", "errors", "orders")),
    ),
    Example(
        "health-model-is-sound",
        breaks=_health(SHOP_ON_DB, _node("db"), _node("disk")),
        says="nothing needs disk",
        keeps=_health(SHOP_ON_DB, _node("db", needs=("disk",)), _node("disk")),
    ),
]


def test_the_good_service_keeps_every_rule() -> None:
    """What the examples change is right before they do."""
    assert check(a_good_service()) == ()


@pytest.mark.parametrize("example", EXAMPLES, ids=[example.rule for example in EXAMPLES])
def test_a_rule_finds_what_breaks_it(example: Example) -> None:
    """The failing example of each rule is found, under its stable id, with a fix and a place."""
    findings = check(example.breaks(a_good_service()))

    found = [finding for finding in findings if finding.rule == example.rule]
    assert any(example.says in finding.message for finding in found), findings
    assert all(finding.fix and finding.path for finding in found)


@pytest.mark.parametrize("example", EXAMPLES, ids=[example.rule for example in EXAMPLES])
def test_a_rule_lets_pass_what_keeps_it(example: Example) -> None:
    """The passing example of each rule, at its very bound, isn't found."""
    findings = check(example.keeps(a_good_service()))

    assert example.rule not in {finding.rule for finding in findings}


def test_every_rule_has_examples() -> None:
    """No rule is without a failing and a passing example (S18), and no id stands twice."""
    ids = [rule.id for rule in (*GROUND_RULES, *PLAN_RULES)]

    assert {example.rule for example in EXAMPLES} == set(ids)
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize(
    ("rule", "change"),
    [
        ("production-bake-one-hour", _in_every_phase(bake=timedelta(minutes=1))),
        ("two-groups-before-everyone", _without("few", "more")),
        (
            "proof-is-strict",
            _plan(budget=ErrorBudget(alpha_halt=0.01, alpha_hold=0.05, beta=0.5)),
        ),
        ("quarantine-covers-last-bake", _plan(quarantine=timedelta(seconds=10))),
    ],
)
@pytest.mark.parametrize("environment", [Environment.LAB, Environment.STAGING])
def test_strict_rules_bind_production_only(
    rule: str, change: Change, environment: Environment
) -> None:
    """The lab shows in seconds what takes hours; only production has the hour and two groups."""
    strict = check(change(a_good_service()))
    free = check(_environment(environment)(change(a_good_service())))

    assert rule in {finding.rule for finding in strict}
    assert rule not in {finding.rule for finding in free}


def test_broken_ground_rules_are_told_alone() -> None:
    """A plan that moves what doesn't exist isn't judged any further."""
    findings = check(_both(_in_phase(1, name="us"), _without("more"))(a_good_service()))

    assert {finding.rule for finding in findings} == {"names-are-unique"}


def test_an_internal_phase_is_no_group_of_users() -> None:
    """Staff alone don't count as one of the two groups before everyone."""
    staff = _phase("staff", "first", _hours(1), _move("code", "eu", 0, internal=True))
    change = _both(
        _without("few", "more"),
        _phases(
            lambda phases: (
                phases[0],
                staff,
                replace(phases[1], moves=(_move("code", "eu", 10_000, internal=True),)),
                phases[2],
            )
        ),
    )

    findings = check(change(a_good_service()))

    assert [finding.rule for finding in findings] == ["two-groups-before-everyone"]


def test_warnings_alone_don_t_forbid_a_start() -> None:
    """Only findings of severity error do."""
    warned = check(_in_every_phase(signals=(ERRORS,))(a_good_service()))

    assert [finding.severity for finding in warned] == [Severity.WARNING]
    assert not has_errors(warned)
    assert has_errors(check(_without("us")(a_good_service())))


def test_lab_targets_need_a_lab_server() -> None:
    """No author can mark the rules away: the server decides whether it is a lab."""
    lab = _environment(Environment.LAB)(a_good_service())

    refused = check_lab(lab, lab_allowed=False)

    assert {finding.rule for finding in refused} == {LAB_RULE.id}
    assert len(refused) == 3
    assert requires_lab(lab)
    assert check_lab(lab, lab_allowed=True) == ()
    assert not requires_lab(a_good_service())
    assert check_lab(a_good_service(), lab_allowed=False) == ()
