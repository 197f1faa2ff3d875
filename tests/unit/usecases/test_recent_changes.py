"""What changed lately, in the order of suspicion: each reason alone, and what comes first."""

from dataclasses import replace
from datetime import timedelta

from tidegate.domain.health.trouble import Suspect, SuspectKind
from tidegate.domain.plan.model import Dependency, HealthModel, HealthNode, Impact
from tidegate.domain.quantities import ServiceName
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import Rollout
from tidegate.testing.builders import START, a_placement, a_plan, a_rollout
from tidegate.usecases.recent_changes import Affected, recent_changes

NOW = START + timedelta(hours=30)
SHOP = ServiceName("shop")


def moved(rollout_id: str, *, ago: timedelta, service: str = "shop", **changes: object) -> Rollout:
    """Return a baking rollout whose phase began so long ago."""
    at = NOW - ago
    made = a_rollout(rollout_id, service=service, state=State.BAKING, at=at)
    return replace(made, **changes)  # type: ignore[arg-type]


def suffering(**changes: object) -> Affected:
    known = Affected(service=SHOP, because="alarm: orders fail", since=NOW - timedelta(minutes=10))
    return replace(known, **changes)  # type: ignore[arg-type]


def ids(rollouts: list[Rollout], affected: list[Affected]) -> list[str]:
    newest_first = sorted(rollouts, key=lambda one: one.created_at, reverse=True)
    found = recent_changes(newest_first, affected, now=NOW)
    return [str(one.rollout.id) for one in found.suspected]


def needing(rollout: Rollout, *needed: str) -> Rollout:
    """Return *rollout* with a health model in which its service needs others."""
    nodes = (
        HealthNode(
            name=rollout.service,
            needs=tuple(Dependency(node=name, impact=Impact.OUTAGE) for name in needed),
        ),
        *(HealthNode(name=name) for name in needed),
    )
    plan = replace(rollout.plan, health=HealthModel(nodes=nodes))
    return replace(rollout, plan=plan)


def test_what_moved_right_before_comes_before_what_moved_after() -> None:
    """A change that began after the trouble did can't have begun it."""
    before = needing(moved("before", ago=timedelta(minutes=20)), "cart")
    after = moved("after", ago=timedelta(minutes=2), service="cart")

    assert ids([before, after], [suffering()]) == ["before", "after"]
    assert ids([before, after], [suffering(since=None)]) == ["after", "before"]


def test_the_reason_says_by_how_much() -> None:
    """Whoever reads it sees both times, and that a dependency is one."""
    own = needing(moved("own", ago=timedelta(minutes=20)), "cart")
    needed = moved("needed", ago=timedelta(minutes=11), service="cart")

    found = recent_changes([needed, own], [suffering()], now=NOW)
    reasons = {str(one.rollout.id): one.reasons for one in found.suspected}

    assert reasons["own"] == ("moved 20 min ago, 10 min before the trouble of shop began",)
    assert reasons["needed"] == (
        "shop needs it",
        "moved 11 min ago, 60 s before the trouble of shop began",
    )


def test_what_has_nothing_to_do_with_it_is_only_counted() -> None:
    """A change of another service is left out, and nobody is told that there was none."""
    own = moved("own", ago=timedelta(minutes=20))
    other = moved("other", ago=timedelta(minutes=1), service="search")

    found = recent_changes([other, own], [suffering()], now=NOW)

    assert [str(one.rollout.id) for one in found.suspected] == ["own"]
    assert found.others == 1
    assert ids([own, other], []) == ["other", "own"]


def test_what_the_watch_has_proven_comes_first() -> None:
    """Proof outranks time; a mere suspicion only adds to it."""
    proven = Suspect(
        kind=SuspectKind.ROLLOUT,
        name="cart 2",
        detail="rollout old, at 10% for 5 h",
        strength=3.0,
        proven=True,
    )
    fresh = needing(moved("fresh", ago=timedelta(minutes=11)), "cart")
    old = moved("old", ago=timedelta(hours=5), service="cart")

    assert ids([fresh, old], [suffering(suspects=(proven,))]) == ["old", "fresh"]
    assert ids([fresh, old], [suffering(suspects=(replace(proven, proven=False),))])[0] == "fresh"


def test_a_suspect_with_a_longer_id_is_another() -> None:
    """An id that begins like another's accuses nobody."""
    suspect = Suspect(
        kind=SuspectKind.ROLLOUT,
        name="cart 2",
        detail="rollout old2, at 10% for 5 h",
        strength=3.0,
        proven=True,
    )
    old = needing(moved("old", ago=timedelta(hours=5)), "cart")

    [found] = recent_changes([old], [suffering(suspects=(suspect,))], now=NOW).suspected

    assert not found.proven


def test_a_day_is_looked_back_from_the_last_move() -> None:
    """A rollout that began days ago and rose an hour ago changed an hour ago."""
    rose = moved("rose", ago=timedelta(days=3), phase_since=NOW - timedelta(hours=1))
    over = moved("over", ago=timedelta(hours=25), service="cart")

    assert ids([rose, over], []) == ["rose"]


def test_what_nobody_met_is_no_suspect() -> None:
    """What is planned, or waits to begin, hasn't changed anything."""
    planned = moved("planned", ago=timedelta(minutes=1), state=State.PLANNED)
    waiting = moved("waiting", ago=timedelta(minutes=1), service="cart", state=State.WAITING)

    assert ids([planned, waiting], []) == []


def test_the_share_is_what_no_later_one_has_taken() -> None:
    """The version before is met by whoever doesn't meet the candidate."""
    plan = a_plan(placements=[a_placement()])
    served = moved("served", ago=timedelta(hours=3), state=State.COMPLETED, plan=plan)
    later = moved("later", ago=timedelta(hours=1), plan=plan)
    halted = replace(later, state=State.HALTED)

    both = {
        str(one.rollout.id): one for one in recent_changes([later, served], [], now=NOW).suspected
    }
    stopped = {
        str(one.rollout.id): one for one in recent_changes([halted, served], [], now=NOW).suspected
    }

    assert both["later"].exposed_bps + both["served"].exposed_bps == 10_000
    assert (stopped["later"].is_exposed, stopped["served"].exposed_bps) == (False, 10_000)
    assert ids([halted, served], [])[0] == "served"
