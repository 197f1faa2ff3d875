"""The health model by hand: the truth table of one dependency, the words, and who explains what."""

import itertools

import pytest

from tidegate.domain.health.model import (
    Health,
    OwnHealth,
    SignalHealth,
    explain,
    explaining_dependency,
    model_of_service,
    own_health,
    propagate,
    range_of,
    root_of,
)
from tidegate.domain.plan.model import Dependency, HealthModel, HealthNode, Impact

H, D, U, X = Health.HEALTHY, Health.DEGRADED, Health.UNHEALTHY, Health.UNKNOWN
OUTAGE, DEGRADED, NONE = Impact.OUTAGE, Impact.DEGRADED, Impact.NONE

TRUTH_TABLE = {
    # (own state, state of what is needed): under outage, under degraded, under none
    (H, H): (H, H, H),
    (H, D): (D, D, H),
    (H, U): (U, D, H),
    (H, X): (X, X, H),
    (D, H): (D, D, D),
    (D, D): (D, D, D),
    (D, U): (U, D, D),
    (D, X): (X, D, D),
    (U, H): (U, U, U),
    (U, D): (U, U, U),
    (U, U): (U, U, U),
    (U, X): (U, U, U),
    (X, H): (X, X, X),
    (X, D): (X, X, X),
    (X, U): (U, X, X),
    (X, X): (X, X, X),
}


def node(name: str, *signals: str, **needs: Impact) -> HealthNode:
    return HealthNode(
        name=name,
        signals=signals,
        needs=tuple(Dependency(node=needed, impact=impact) for needed, impact in needs.items()),
    )


def model(*nodes: HealthNode) -> HealthModel:
    return HealthModel(nodes=nodes)


def own(**states: Health) -> dict[str, OwnHealth]:
    return {
        name: OwnHealth(range=range_of(state), why=f"its signals say {state}")
        for name, state in states.items()
    }


def said(signal: str, health: Health, *, counts: bool = True) -> SignalHealth:
    return SignalHealth(signal=signal, health=health, why=f"is {health}", counts=counts)


@pytest.mark.parametrize(("states", "expected"), TRUTH_TABLE.items())
def test_one_dependency_follows_the_truth_table(
    states: tuple[Health, Health], expected: tuple[Health, Health, Health]
) -> None:
    """All sixteen pairs of states under each impact give what the table says."""
    itself, needed = states
    for impact, state in zip((OUTAGE, DEGRADED, NONE), expected, strict=True):
        found = propagate(model(node("api", db=impact), node("db")), own(api=itself, db=needed))

        assert found["api"].health is state, (states, impact)


def test_the_reason_is_a_chain_down_to_the_signal() -> None:
    """Each link says which node holds the one before it, the last says which signal."""
    shop = model(
        node("orders-api", "errors", payments=DEGRADED),
        node("payments", bank=OUTAGE),
        node("bank", "bank-queue"),
    )
    signals = {"errors": said("errors", H), "bank-queue": said("bank-queue", U)}
    services = {"payments": OwnHealth(range=range_of(H), why="its rollout is well")}

    found = propagate(shop, own_health(shop, signals, services))

    assert explain(shop, found, "orders-api") == (
        "orders-api is degraded because payments is unhealthy",
        "payments is unhealthy because bank is unhealthy",
        "bank is unhealthy because bank-queue: is unhealthy",
    )


def test_a_deep_chain_is_no_matter() -> None:
    """Ten thousand nodes in a row are followed to the end."""
    names = [f"n{index}" for index in range(10_000)]
    rows = [node(upper, **{lower: OUTAGE}) for upper, lower in itertools.pairwise(names)]
    long = model(*rows, node(names[-1]))
    states = dict.fromkeys(names, H) | {names[-1]: U}

    found = propagate(long, own(**states))

    assert found["n0"].health is U
    assert len(explain(long, found, "n0")) == 10_000
    assert explaining_dependency(long, states) == names[-1]


def test_a_node_is_as_sick_as_its_worst_signal() -> None:
    """Good signals don't make up for a bad one, and only the bad one is named."""
    db = model(node("db", "locks", "lag", "errors"))
    signals = {"locks": said("locks", U), "lag": said("lag", D), "errors": said("errors", H)}

    found = own_health(db, signals, {})["db"]

    assert found.health is U
    assert found.why == "locks: is unhealthy"


def test_a_signal_without_a_word_makes_its_node_unknown() -> None:
    """A signal that wasn't measured isn't taken for a good one."""
    found = own_health(model(node("db", "locks", "lag")), {"locks": said("locks", H)}, {})["db"]

    assert found.health is X
    assert found.why == "lag: it wasn't measured"


def test_what_is_not_known_is_told_beside_what_is() -> None:
    """A degraded node with a silent signal is at least degraded, and both are named."""
    signals = {"locks": said("locks", D), "lag": said("lag", X)}

    found = own_health(model(node("db", "locks", "lag")), signals, {})["db"]

    assert found.health is X
    assert found.range.known_trouble is D
    assert found.why == "lag: is unknown; locks: is degraded"


def test_signals_with_the_same_reason_are_told_once() -> None:
    """A reason that several signals share names them all, in order."""
    signals = {name: said(name, X) for name in ("locks", "lag")}

    found = own_health(model(node("db", "locks", "lag")), signals, {})["db"]

    assert found.why == "lag, locks: is unknown"


def test_a_signal_in_shadow_does_nothing() -> None:
    """Its verdict neither harms nor clears the node; alone it leaves the node unknown."""
    shadow = said("locks", U, counts=False)
    beside = own_health(
        model(node("db", "locks", "lag")), {"locks": shadow, "lag": said("lag", H)}, {}
    )
    alone = own_health(model(node("db", "locks")), {"locks": shadow}, {})

    assert beside["db"].health is H
    assert alone["db"].health is X
    assert alone["db"].why == "all of its signals are in shadow"


def test_a_node_named_like_a_service_is_that_service() -> None:
    """Its state is the service's, or its own signals' where those are worse."""
    shop = model(node("payments", "queue"))
    services = {"payments": OwnHealth(range=range_of(D), why="errors: a few")}

    well = own_health(shop, {"queue": said("queue", H)}, services)["payments"]
    worse = own_health(shop, {"queue": said("queue", U)}, services)["payments"]

    assert (well.health, well.why) == (D, "errors: a few")
    assert worse.health is U


def test_a_node_that_nothing_measures_is_unknown() -> None:
    """Naming a dependency doesn't make it healthy."""
    found = own_health(model(node("payments")), {}, {})["payments"]

    assert (found.health, found.why) == (X, "nothing measures it")


def test_the_deepest_sick_dependency_explains_trouble() -> None:
    """Not the database that suffers, but the disk that makes it suffer."""
    shop = model(node("api", db=OUTAGE), node("db", disk=OUTAGE), node("disk"))

    assert explaining_dependency(shop, {"api": U, "db": U, "disk": U}) == "disk"
    assert explaining_dependency(shop, {"api": U, "db": U, "disk": H}) == "db"
    assert explaining_dependency(shop, {"api": U, "db": H, "disk": U}) == "disk"


def test_the_dependency_that_does_most_explains_trouble() -> None:
    """An outage comes before a degradation, the sicker before the less sick, then the name."""
    shop = model(
        node("api", mail=DEGRADED, db=OUTAGE, cache=OUTAGE), node("mail"), node("db"), node("cache")
    )

    assert explaining_dependency(shop, {"mail": U, "db": U, "cache": H}) == "db"
    assert explaining_dependency(shop, {"mail": U, "db": D, "cache": H}) == "mail"
    assert explaining_dependency(shop, {"mail": H, "db": D, "cache": D}) == "cache"


def test_nothing_explains_trouble_that_no_dependency_has() -> None:
    """The service's own trouble, unknown dependencies and those without impact explain nothing."""
    shop = model(node("api", db=OUTAGE, mail=NONE), node("db"), node("mail"))

    assert explaining_dependency(shop, {"api": U, "db": H, "mail": H}) is None
    assert explaining_dependency(shop, {"api": U, "db": X, "mail": H}) is None
    assert explaining_dependency(shop, {"api": U, "db": H, "mail": U}) is None
    assert explaining_dependency(HealthModel(), {}) is None


def test_without_a_model_there_is_the_service_alone() -> None:
    """All signals tell of the one node there is."""
    alone = model_of_service(HealthModel(), "shop", ("errors", "latency"))

    assert alone == model(node("shop", "errors", "latency"))
    assert root_of(alone) == "shop"
    assert root_of(HealthModel()) is None
