"""Health models: whatever the model and the states, trouble spreads as written and unknown is never green."""

import itertools
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tidegate.domain.health.model import (
    ANYTHING,
    Health,
    OwnHealth,
    Range,
    explain,
    explaining_dependency,
    propagate,
    range_of,
    root_of,
)
from tidegate.domain.plan.model import Dependency, HealthModel, HealthNode, Impact

KNOWN = (Health.HEALTHY, Health.DEGRADED, Health.UNHEALTHY)
REACH = {Impact.OUTAGE: 2, Impact.DEGRADED: 1, Impact.NONE: 0}
NAMES = ("shop", "api", "cache", "db", "queue")


@st.composite
def models(draw: st.DrawFn) -> HealthModel:
    """Models without cycles in which the first node needs, in the end, every other."""
    size = draw(st.integers(1, len(NAMES)))
    needs: list[dict[str, Impact]] = [{} for _ in range(size)]
    for lower in range(1, size):
        uppers = draw(st.sets(st.integers(0, lower - 1), min_size=1))
        for upper in uppers:
            needs[upper][NAMES[lower]] = draw(st.sampled_from(Impact))
    return HealthModel(
        nodes=tuple(
            HealthNode(
                name=NAMES[index],
                needs=tuple(Dependency(node=n, impact=i) for n, i in needs[index].items()),
            )
            for index in range(size)
        )
    )


def own(states: dict[str, Health]) -> dict[str, OwnHealth]:
    return {
        name: OwnHealth(range=range_of(state), why=f"{name} says {state}")
        for name, state in states.items()
    }


states = st.fixed_dictionaries(dict.fromkeys(NAMES, st.sampled_from(Health)))
known_states = st.fixed_dictionaries(dict.fromkeys(NAMES, st.sampled_from(KNOWN)))


def by_definition(model: HealthModel, known: dict[str, Health]) -> dict[str, int]:
    """Return each node's severity, worked out by the recursion that the words describe."""
    nodes = {node.name: node for node in model.nodes}

    def severity(name: str) -> int:
        from_needs = [min(severity(need.node), REACH[need.impact]) for need in nodes[name].needs]
        return max([KNOWN.index(known[name]), *from_needs])

    return {name: severity(name) for name in nodes}


@given(models(), known_states)
def test_known_states_spread_as_the_impacts_say(
    model: HealthModel, known: dict[str, Health]
) -> None:
    """With every state known, each node is the worst of itself and of what reaches it."""
    found = propagate(model, own(known))

    expected = by_definition(model, known)
    assert {name: node.health for name, node in found.items()} == {
        name: KNOWN[severity] for name, severity in expected.items()
    }


@given(models(), states)
def test_a_state_is_known_exactly_when_no_unknown_could_change_it(
    model: HealthModel, given_states: dict[str, Health]
) -> None:
    """Every way to fill in what isn't known gives the state that was told, or it is told as unknown."""
    names = [node.name for node in model.nodes]
    unknown = [name for name in names if given_states[name] is Health.UNKNOWN]
    fillings = [
        by_definition(model, given_states | dict(zip(unknown, filling, strict=True)))
        for filling in itertools.product(KNOWN, repeat=len(unknown))
    ]

    found = propagate(model, own(given_states))

    for name in names:
        possible = {filling[name] for filling in fillings}
        assert found[name].range == Range(min(possible), max(possible))
        assert (found[name].health is Health.UNKNOWN) == (len(possible) > 1)


@given(models(), known_states, st.sampled_from(NAMES))
def test_more_trouble_never_makes_anything_better(
    model: HealthModel, known: dict[str, Health], worsened: str
) -> None:
    """Propagation is monotone: a node that gets worse leaves every other as it is or worse."""
    before = propagate(model, own(known))

    after = propagate(model, own(known | {worsened: Health.UNHEALTHY}))

    for name, node in before.items():
        assert node.range.at_least <= after[name].range.at_least


@given(models(), states, st.sampled_from(NAMES))
def test_losing_sight_of_a_node_never_makes_anything_green(
    model: HealthModel, given_states: dict[str, Health], hidden: str
) -> None:
    """What wasn't healthy before a node became unknown isn't healthy afterwards."""
    before = propagate(model, own(given_states))

    after = propagate(model, own(given_states | {hidden: Health.UNKNOWN}))

    for name, node in after.items():
        if node.health is Health.HEALTHY:
            assert before[name].health is Health.HEALTHY


@given(models(), states, st.data())
def test_the_order_of_nodes_and_needs_changes_nothing(
    model: HealthModel, given_states: dict[str, Health], data: st.DataObject
) -> None:
    """The same model written in another order gives the same states, reasons and chains."""
    nodes = [
        replace(node, needs=tuple(data.draw(st.permutations(node.needs))))
        for node in data.draw(st.permutations(model.nodes))
    ]
    shuffled = HealthModel(nodes=tuple(nodes))

    found = propagate(shuffled, own(given_states))

    first = propagate(model, own(given_states))
    assert found == first
    assert {name: explain(shuffled, found, name) for name in found} == {
        name: explain(model, first, name) for name in first
    }
    assert root_of(shuffled) == root_of(model)
    assert explaining_dependency(shuffled, given_states) == explaining_dependency(
        model, given_states
    )


@given(models(), states)
def test_whatever_is_not_healthy_is_explained_down_to_a_node_itself(
    model: HealthModel, given_states: dict[str, Health]
) -> None:
    """A chain exists exactly for nodes that aren't healthy and ends at what a node says of itself."""
    found = propagate(model, own(given_states))

    for name, node in found.items():
        chain = explain(model, found, name)
        assert bool(chain) == (node.health is not Health.HEALTHY)
        if chain:
            assert chain[0].startswith(f"{name} is {node.health}")
            last = chain[-1].split()[0]
            assert chain[-1].endswith(f"because {last} says {given_states[last]}")
            assert given_states[last] is not Health.HEALTHY
            assert len(chain) <= len(model.nodes)


@given(models(), states)
def test_a_dependency_explains_trouble_only_if_it_is_sick_and_reaches_the_service(
    model: HealthModel, given_states: dict[str, Health]
) -> None:
    """The one that is named is needed, known to be sick by itself, and alone would touch the service."""
    sick = {Health.DEGRADED, Health.UNHEALTHY}
    reaching = {
        node.name
        for node in model.nodes[1:]
        if given_states[node.name] in sick
        and by_definition(
            model, dict.fromkeys(NAMES, Health.HEALTHY) | {node.name: given_states[node.name]}
        )["shop"]
    }

    named = explaining_dependency(model, given_states)

    assert (named is None) == (not reaching)
    assert named is None or named in reaching


def test_a_node_nobody_spoke_of_is_unknown() -> None:
    """A state that is absent isn't taken for a good one."""
    model = HealthModel(nodes=(HealthNode(name="shop"),))

    found = propagate(model, {})

    assert found["shop"].range == ANYTHING
