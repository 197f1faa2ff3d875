"""When a signal last fired: the one that proved harm, the limit that broke, and none that only watched."""

from dataclasses import replace

from tidegate.domain.access.model import Caller, CallerKind
from tidegate.domain.health.evidence import NO_EVIDENCE, Evidence, SignalEvidence
from tidegate.domain.health.readings import Quality
from tidegate.domain.plan.model import Effect, Limit, SignalKind, Tolerance, ToleranceUnit
from tidegate.domain.quantities import Arm, ServiceName
from tidegate.domain.rollout.machine import State
from tidegate.testing.memory_world import DOCUMENT, MemoryWorld
from tidegate.usecases.access import access_in
from tidegate.usecases.signal_firings import Firings, fired, last_firings

SHOP = ServiceName("shop")
ROOT = Caller(name="root", kind=CallerKind.PERSON, person="root", is_root=True)
EVE = Caller(name="eve", kind=CallerKind.PERSON, person="eve", organisation="umbrella")


def a_signal(name: str, log_e_harm: float = 0.0, **changes: object) -> SignalEvidence:
    signal = SignalEvidence(
        signal=name,
        kind=SignalKind.ERRORS,
        gate=True,
        weight=0.5,
        tolerance=Tolerance(value=0.05, unit=ToleranceUnit.RATE),
        concurrent=True,
        log_e_harm=log_e_harm,
        log_e_safe=0.0,
        quality=Quality.GOOD,
        quality_note="",
        quality_since=None,
        candidate_total=100,
        candidate_bad=0,
        baseline_total=100,
        baseline_bad=0,
    )
    return replace(signal, **changes)  # type: ignore[arg-type]


def a_limit(value: float, effect: Effect) -> SignalEvidence:
    limit = Limit(value=1.0, above=True, effect=effect)
    return a_signal("lock-wait", kind=SignalKind.LIMIT, weight=0.0, limit=limit, value=value)


def evidence(*signals: SignalEvidence) -> Evidence:
    return replace(NO_EVIDENCE, signals=signals)


def test_what_proves_harm_by_itself_is_named() -> None:
    """Also when several do."""
    seen = evidence(a_signal("errors", 9.0), a_signal("latency", 8.0), a_signal("usage", 1.0))

    assert fired(seen, alpha=0.005, halted=True) == ["errors", "latency"]


def test_what_proves_harm_only_together_is_put_down_to_the_most() -> None:
    """A halt that no signal is named for would be a halt that nobody can look into."""
    seen = evidence(a_signal("errors", 5.0), a_signal("latency", 5.5))

    assert fired(seen, alpha=0.005, halted=True) == ["latency"]


def test_a_broken_limit_is_named_for_what_it_does() -> None:
    """One that holds isn't what halted."""
    holding = a_limit(2.0, Effect.HOLD)

    assert fired(evidence(a_signal("errors", 1.0), holding), alpha=0.005, halted=False) == [
        "lock-wait"
    ]
    assert fired(evidence(a_signal("errors", 9.0), holding), alpha=0.005, halted=True) == ["errors"]


def test_a_shadow_has_stopped_nothing() -> None:
    """It has no weight, however much it shows."""
    seen = evidence(a_signal("errors", 2.0), a_signal("shadow", 99.0, weight=0.0, shadow=True))

    assert fired(seen, alpha=0.005, halted=False) == ["errors"]


def firings(world: MemoryWorld, caller: Caller = ROOT) -> Firings:
    with world.store.begin(read_only=True) as transaction:
        access = access_in(transaction, caller, world.clock.now())
        return last_firings(transaction, access, SHOP)


async def test_a_halt_in_the_ledger_is_the_last_firing() -> None:
    """The newer of two; and nobody sees it who may not see the service."""
    world = MemoryWorld()
    await world.installed()
    for version in ("1.1.0", "1.2.0"):
        bad = await world.start(version)
        await world.run(bad.id, until={State.ROLLED_BACK}, failing={Arm.CANDIDATE: 0.5})

    found = firings(world)

    assert set(found.last) == {"errors"}
    assert found.last["errors"].rollout == bad.id
    assert found.last["errors"].halted
    assert found.since is None
    assert firings(world, EVE).last == {}


async def test_a_broken_limit_that_holds_has_fired() -> None:
    """A hold counts, and isn't called a halt."""
    world = MemoryWorld()
    document = DOCUMENT.replace(
        "{name: errors, kind: errors}",
        "{name: errors, kind: errors}, {name: lock-wait, kind: limit, source: openmetrics,"
        " metric: lock_wait, limit: 1s, on_breach: hold, shadow: false}",
    )
    world.limits["lock-wait"] = 2.0
    await world.installed()
    going = await world.start("1.1.0", document=document)
    await world.run(going.id, until={State.HELD})

    found = firings(world)

    assert found.last["lock-wait"].rollout == going.id
    assert not found.last["lock-wait"].halted
