"""Whose change it is, among several that are under way at once."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from tidegate.domain.health.trouble import Suspect, SuspectKind, Trouble, describe
from tidegate.domain.quantities import Arm, RolloutId, ServiceName, TargetName
from tidegate.usecases.blame import Blame, Exposing, Measured, UnitCounts

BEGAN = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SHOP = RolloutId("r-shop")
TARGETS = tuple(TargetName(name) for name in ("eu-1", "eu-2", "us-1", "ap-1"))


def exposing(
    rollout: str, service: str, weights: Mapping[str, int], *, since: datetime = BEGAN
) -> Exposing:
    """Return a rollout that exposes *weights* basis points by target."""
    return Exposing(
        rollout_id=RolloutId(rollout),
        service=ServiceName(service),
        change="2.0",
        weights_bps={TargetName(name): weight for name, weight in weights.items()},
        since=since,
    )


OWN = exposing("r-shop", "shop", dict.fromkeys(TARGETS, 1000))


def look(
    blame: Blame,
    others: list[Exposing],
    bad_by_target: Mapping[str, int],
    *,
    needs: frozenset[str] = frozenset({"payments"}),
    at: datetime = BEGAN,
) -> tuple[Suspect, ...]:
    """Put one tick of 900 + 100 requests per target through, errors spread evenly over the arms."""
    units = []
    for name in TARGETS:
        bad = bad_by_target.get(name, 0)
        units.append(UnitCounts(target=name, arm=Arm.CANDIDATE, bad=bad // 10, total=100))
        units.append(UnitCounts(target=name, arm=Arm.BASELINE, bad=bad - bad // 10, total=900))
    measured = Measured(
        service=ServiceName("shop"), rollout_id=SHOP, needs=needs, units=tuple(units), alpha=0.01
    )
    return blame.look([measured], [OWN, *others], at)[SHOP]


def test_alone_there_is_nobody_to_suspect() -> None:
    """One's own rollout is judged by its own arms, not here."""
    assert look(Blame(), [], {"eu-1": 50}) == ()


def test_the_one_that_is_where_the_trouble_is_gets_proven() -> None:
    """Payments begins in eu-1 and search in us-1; errors in eu-1 from then on prove it is payments."""
    others = [
        exposing("r-pay", "payments", {"eu-1": 5000}),
        exposing("r-search", "search", {"us-1": 5000}),
    ]
    blame = Blame()
    for _ in range(30):
        look(blame, [], dict.fromkeys(TARGETS, 1))

    for _ in range(20):
        suspects = look(blame, others, {**dict.fromkeys(TARGETS, 1), "eu-1": 40})

    assert (suspects[0].name, suspects[0].proven) == ("payments 2.0", True)
    assert [one.proven for one in suspects[1:]] == [False]


def test_a_rise_without_a_move_proves_nothing() -> None:
    """Payments was in eu-1 all along when errors begin there: suspected, not proven."""
    others = [exposing("r-pay", "payments", {"eu-1": 5000})]
    blame = Blame()
    for _ in range(30):
        look(blame, others, dict.fromkeys(TARGETS, 1))

    for _ in range(20):
        suspects = look(blame, others, {**dict.fromkeys(TARGETS, 1), "eu-1": 40})

    assert [one.proven for one in suspects] == [False]


def test_what_touches_all_alike_is_suspected_and_not_proven() -> None:
    """Payments stands elsewhere and is needed from everywhere: named, with the reason why not proven."""
    others = [exposing("r-pay", "payments", {"hub": 2500})]
    blame = Blame()

    for bad in (1, 1, 1, 40, 40, 40):
        suspects = look(blame, others, dict.fromkeys(TARGETS, bad))

    assert suspects[0].kind is SuspectKind.ROLLOUT
    assert not suspects[0].proven
    assert "can't be proven from here" in suspects[0].detail


def test_what_neither_is_needed_nor_shares_a_target_is_no_suspect() -> None:
    """A change somewhere else isn't named just because it is there."""
    others = [exposing("r-far", "billing", {"hub": 2500})]

    assert look(Blame(), others, {"eu-1": 40}) == ()


def test_the_latest_move_is_the_more_suspicious() -> None:
    """Of two that can't be told apart, the one that moved a minute ago comes first."""
    at = BEGAN + timedelta(hours=8)
    others = [
        exposing("r-a", "payments", {"hub": 2500}, since=BEGAN),
        exposing("r-b", "payments", {"hub2": 2500}, since=at - timedelta(minutes=1)),
    ]

    suspects = look(Blame(), others, {"eu-1": 40}, at=at)

    assert suspects[0].detail.startswith("rollout r-b")


@pytest.mark.parametrize("seed", range(5))
def test_in_quiet_times_nobody_is_proven(seed: int) -> None:
    """Errors at random over targets that differ prove nothing against anybody."""
    random = np.random.default_rng(seed)
    others = [exposing(f"r-{name}", "payments", {name: 5000}) for name in TARGETS[:3]]
    blame = Blame()

    for _ in range(300):
        counts = random.poisson((1, 2, 3, 4))
        bad = {name: int(count) for name, count in zip(TARGETS, counts, strict=True)}
        suspects = look(blame, others, bad)
        assert not any(one.proven for one in suspects)


def test_the_words_name_what_is_seen_and_whom_to_look_at() -> None:
    """Read aloud at three in the morning it says what to do next."""
    suspect = Suspect(
        kind=SuspectKind.ROLLOUT,
        name="payments 5.1.0",
        detail="rollout r-pay, at 25% for 4 min",
        strength=9.0,
        proven=True,
    )
    trouble = Trouble(
        since=BEGAN, signal="errors", rate=0.021, usual_rate=0.0012, suspects=(suspect,)
    )

    assert describe(trouble) == (
        "not this change: errors of the baseline went from 0.120% to 2.100%, with and without it;"
        " it is payments 5.1.0 (rollout r-pay, at 25% for 4 min)"
    )
