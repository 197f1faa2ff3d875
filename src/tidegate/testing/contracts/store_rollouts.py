"""
What every store promises about rollouts, claims and generations.

Part of `contracts.store.StoreContract`; the same rules hold.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from tidegate.domain.quantities import Generation, RolloutId, ServiceName, TargetName
from tidegate.domain.rollout.machine import FINAL, WATCHED, State
from tidegate.domain.rollout.model import (
    Approval,
    Halt,
    HaltCause,
    PhasePass,
    ReasonCode,
    Rehearsal,
    Rollout,
    WaitingOn,
    WhoCanAct,
)
from tidegate.errors import ActiveRolloutError, NotFoundError, StateMovedError, TidegateError
from tidegate.ports.store import Store
from tidegate.testing.builders import START, a_placement, a_plan, a_rollout

SHOP = ServiceName("shop")
EU = TargetName("eu")
US = TargetName("us")

WRITERS = 4
"""Threads that race; on half as many stores where a database can be opened twice."""


def add(store: Store, *rollouts: Rollout) -> None:
    """Add *rollouts*, each in its own transaction."""
    for rollout in rollouts:
        with store.begin() as transaction:
            transaction.add_rollout(rollout)


def save(store: Store, rollout: Rollout) -> Rollout:
    """Save *rollout* in a transaction of its own."""
    with store.begin() as transaction:
        return transaction.save_rollout(rollout)


def race(stores: tuple[Store, Store], attempt: Callable[[Store, int], object]) -> list[object]:
    """
    Run *attempt* on both stores in several threads at once.

    Returns what each returned, or the `TidegateError` that it raised.
    """

    def tried(index: int) -> object:
        try:
            return attempt(stores[index % 2], index)
        except TidegateError as error:
            return error

    with ThreadPoolExecutor(WRITERS) as threads:
        return list(threads.map(tried, range(WRITERS)))


def a_full_rollout() -> Rollout:
    """Return a rollout in which no field has its default."""
    return a_rollout(
        targets=("eu", "us"),
        state=State.HALTED,
        generations=(("eu", Generation(2**40)), ("us", Generation(3))),
        waiting_on=WaitingOn(
            reason=ReasonCode.PERSON_AFTER_HALT,
            detail="größer als “5 %” \U0001f6d1\n",
            until=START + timedelta(hours=1, microseconds=1),
            who_can_act=WhoCanAct.OPERATOR,
        ),
        rehearsal=Rehearsal.PROVEN,
        rehearsal_since=START,
        way_back_took=timedelta(milliseconds=1234),
        bake_allowance=2,
        trips_before=7,
        passes=(PhasePass(phase_index=0, attempt=1, at=START, certified=("errors",)),),
        approvals=(
            Approval(
                by="bob",
                at=START,
                phase_index=1,
                attempt=1,
                plan_hash="sha256:" + "a" * 64,
                comment="looks good",
            ),
        ),
        halt=Halt(cause=HaltCause.HARM, because="errors rose", by="tidegate", at=START),
        phase_index=1,
        attempt=2,
    )


class RolloutPromises:
    """Tests about rollouts."""

    def test_a_rollout_comes_back_as_it_was_saved(self, store: Store) -> None:
        """Nothing is lost or rounded on the way: decisions are made from what comes back."""
        full = a_full_rollout()

        add(store, full)
        saved = save(store, replace(full, attempt=3))

        with store.begin() as transaction:
            assert transaction.rollout(full.id) == saved
        assert saved == replace(full, attempt=3, revision=full.revision + 1)

    def test_an_unknown_rollout_is_an_error(self, store: Store) -> None:
        """A wrong id is never an empty answer."""
        nobody = a_rollout("nobody")

        with store.begin() as transaction:
            with pytest.raises(NotFoundError, match="nobody"):
                transaction.rollout(nobody.id)
            with pytest.raises(NotFoundError, match="nobody"):
                transaction.save_rollout(nobody)

    def test_a_rollout_is_added_once(self, store: Store) -> None:
        """Adding again, as a retried start does, doesn't set a running rollout back."""
        rollout = a_rollout(state=State.COMPLETED)
        add(store, rollout)
        later = save(store, replace(rollout, settled=True))

        with store.begin() as transaction, pytest.raises(StateMovedError, match="already"):
            transaction.add_rollout(rollout)

        with store.begin() as transaction:
            assert transaction.rollout(rollout.id) == later

    def test_saving_over_another_revision_changes_nothing(self, store: Store) -> None:
        """Who decided on an old state must look again."""
        seen = a_rollout(state=State.WAITING)
        add(store, seen)
        current = save(store, replace(seen, state=State.HALTED))

        with store.begin() as transaction, pytest.raises(StateMovedError, match="revision 2"):
            transaction.save_rollout(replace(seen, state=State.APPLYING))

        with store.begin() as transaction:
            assert transaction.rollout(seen.id) == current

    def test_of_writers_of_one_revision_exactly_one_wins(
        self, store: Store, another: Store
    ) -> None:
        """Two servers that decide at once can't both act."""
        seen = a_rollout(state=State.WAITING)
        add(store, seen)

        results = race(
            (store, another),
            lambda mine, index: save(mine, replace(seen, created_by=f"writer {index}")),
        )

        won = [result for result in results if isinstance(result, Rollout)]
        lost = [result for result in results if isinstance(result, StateMovedError)]
        assert (len(won), len(lost)) == (1, WRITERS - 1)
        with another.begin() as transaction:
            assert transaction.rollout(seen.id) == won[0]

    def test_the_plan_of_a_rollout_cannot_change(self, store: Store) -> None:
        """What was approved is what runs."""
        rollout = a_rollout()
        add(store, rollout)

        with store.begin() as transaction, pytest.raises(AssertionError, match="plan"):
            transaction.save_rollout(replace(rollout, plan_hash="sha256:" + "f" * 64))

    def test_rollouts_are_listed_newest_first(self, store: Store) -> None:
        """The list begins with what happened last, whatever the ids are."""
        ids = ["r-2", "r-9", "r-1"]
        for hours, rollout_id in enumerate(ids):
            at = START + timedelta(hours=hours)
            add(store, a_rollout(rollout_id, service=f"service-{rollout_id}", at=at))

        with store.begin() as transaction:
            newest = transaction.rollouts(limit=2)
            of_service = transaction.rollouts(service=ServiceName("service-r-2"))

        assert [rollout.id for rollout in newest] == ["r-1", "r-9"]
        assert [rollout.id for rollout in of_service] == ["r-2"]

    def test_a_prefix_finds_the_ids_that_begin_with_it(self, store: Store) -> None:
        """Upper case, `%` and `_` mean themselves, and a short prefix finds no more than 10."""
        ids = ["ab", "aB", "a_", "a%", "b"] + [f"many-{number:02}" for number in range(12)]
        add(store, *(a_rollout(rollout_id, service=rollout_id) for rollout_id in ids))

        with store.begin() as transaction:
            found = {
                prefix: list(transaction.rollouts_with_prefix(prefix))
                for prefix in ("ab", "a_", "a%", "a", "many", "zz")
            }

        assert found == {
            "ab": ["ab"],
            "a_": ["a_"],
            "a%": ["a%"],
            "a": ["a%", "aB", "a_", "ab"],
            "many": [f"many-{number:02}" for number in range(10)],
            "zz": [],
        }

    @pytest.mark.parametrize("state", list(State))
    def test_a_rollout_is_active_until_it_is_over(self, store: Store, state: State) -> None:
        """A halted rollout is active too: someone still has to deal with it."""
        rollout = a_rollout(state=state)

        add(store, rollout)

        with store.begin() as transaction:
            assert transaction.active_rollout(SHOP) == (None if state in FINAL else rollout)
            assert transaction.active_rollout(ServiceName("other")) is None

    def test_the_newest_active_rollout_is_the_one_told(self, store: Store) -> None:
        """A service can have several, on different targets."""
        older = a_rollout("older", targets=("eu",))
        newer = a_rollout("newer", targets=("us",), at=START + timedelta(hours=1))
        over = a_rollout("over", state=State.COMPLETED, at=START + timedelta(hours=2))

        add(store, newer, older, over)

        with store.begin() as transaction:
            assert transaction.active_rollout(SHOP) == newer

    def test_unfinished_is_all_that_still_needs_work(self, store: Store) -> None:
        """A server that starts takes these up; a completed one still has its quarantine to outlive."""
        for state in State:
            add(store, a_rollout(f"{state}", service=f"service-{state}", state=state))
        settled = a_rollout("settled", state=State.COMPLETED, settled=True)
        add(store, settled)

        with store.begin() as transaction:
            unfinished = {one.id for one in transaction.unfinished()}
            of_service = transaction.unfinished(service=ServiceName(f"service-{State.BAKING}"))

        assert [one.id for one in of_service] == [State.BAKING.value]
        assert unfinished == {*(set(State) - FINAL), State.COMPLETED.value}

    def test_the_fleet_is_what_is_newest_and_what_is_not_over(self, store: Store) -> None:
        """Of each service there is one at least; what is over and older is left out."""
        older, newer = START, START + timedelta(hours=1)
        mail = a_rollout("mail", service="mail", state=State.ROLLED_BACK, at=older)
        baking = a_rollout("baking", targets=("eu",), state=State.BAKING, at=older)
        in_quarantine = a_rollout("quarantine", targets=("us",), state=State.COMPLETED, at=older)
        over = a_rollout("over", targets=("ap",), state=State.ABANDONED, at=older)
        twin = a_rollout("twin-a", targets=("ap",), state=State.ABANDONED, at=newer)
        newest = a_rollout("twin-b", targets=("ap",), state=State.ABANDONED, at=newer)
        add(store, mail, baking, in_quarantine, over, twin, newest)

        with store.begin() as transaction:
            fleet = transaction.fleet()
            of_one = transaction.fleet([mail.service, ServiceName("unknown")])
            of_none = transaction.fleet([])

        assert list(fleet) == [mail, baking, in_quarantine, newest]
        assert list(of_one) == [mail]
        assert list(of_none) == []

    def test_watched_is_what_bakes_or_is_held(self, store: Store) -> None:
        """A held rollout still watches, for harm doesn't wait for people."""
        rollouts = {
            state: a_rollout(f"{state}", service=f"service-{state}", state=state) for state in State
        }
        add(store, *rollouts.values())

        with store.begin() as transaction:
            watched = transaction.watched()

        assert {rollout.id: rollout for rollout in watched} == {
            RolloutId(state): rollouts[state] for state in WATCHED
        }


class ClaimPromises:
    """Tests about the claims of rollouts on targets."""

    def test_a_service_has_one_active_rollout_per_target(self, store: Store) -> None:
        """The refusal names the one that's in the way, and claims nothing itself."""
        add(store, a_rollout("first", targets=("eu",)))

        with store.begin() as transaction, pytest.raises(ActiveRolloutError, match="'first'"):
            transaction.add_rollout(a_rollout("second", targets=("us", "eu")))

        add(store, a_rollout("third", targets=("us",)))
        with store.begin() as transaction, pytest.raises(NotFoundError):
            transaction.rollout(RolloutId("second"))

    def test_services_share_targets(self, store: Store) -> None:
        """What two services do in one place doesn't collide."""
        add(store, a_rollout("shop", service="shop"), a_rollout("mail", service="mail"))

        with store.begin() as transaction:
            assert len(transaction.unfinished()) == 2

    def test_components_of_one_rollout_share_a_target(self, store: Store) -> None:
        """A rollout isn't in its own way."""
        placements = [a_placement(component="code"), a_placement(component="flags")]

        add(store, a_rollout("both", plan=a_plan(placements=placements)))

        with store.begin() as transaction, pytest.raises(ActiveRolloutError, match="'both'"):
            transaction.add_rollout(a_rollout("next"))

    def test_starters_at_once_get_one_rollout(self, store: Store, another: Store) -> None:
        """Two people who start at the same moment don't both succeed."""
        results = race((store, another), lambda mine, index: add(mine, a_rollout(f"r-{index}")))

        refused = [result for result in results if isinstance(result, ActiveRolloutError)]
        assert len(refused) == WRITERS - 1
        with store.begin() as transaction:
            assert len(transaction.unfinished()) == 1

    @pytest.mark.parametrize("state", sorted(FINAL))
    def test_a_rollout_that_is_over_frees_its_targets(self, store: Store, state: State) -> None:
        """The next rollout can start, on all of them."""
        rollout = a_rollout("first", targets=("eu", "us"), state=State.WAITING)
        add(store, rollout)

        save(store, replace(rollout, state=state))

        add(store, a_rollout("second", targets=("eu", "us")))

    def test_a_halted_rollout_keeps_its_targets(self, store: Store) -> None:
        """Until someone has dealt with it, nothing else may move there."""
        rollout = a_rollout("first", state=State.WAITING)
        add(store, rollout)

        save(store, replace(rollout, state=State.HALTED))

        with store.begin() as transaction, pytest.raises(ActiveRolloutError):
            transaction.add_rollout(a_rollout("second"))

    def test_a_settled_rollout_does_not_free_the_targets_of_the_next(self, store: Store) -> None:
        """A rollout is saved again after it's over, when others have its targets."""
        over = a_rollout("over", state=State.COMPLETED)
        add(store, over, a_rollout("next"))

        save(store, replace(over, settled=True))

        with store.begin() as transaction, pytest.raises(ActiveRolloutError, match="'next'"):
            transaction.add_rollout(a_rollout("another"))


class QueuePromises:
    """Tests about rollouts that wait for their turn."""

    def test_a_queued_rollout_claims_nothing(self, store: Store) -> None:
        """It stands beside the one that has its targets, and beside others like it."""
        add(store, a_rollout("moving", state=State.BAKING))

        with store.begin() as transaction:
            transaction.queue_rollout(a_rollout("next"))
            transaction.queue_rollout(a_rollout("last", at=START + timedelta(hours=1)))

        with store.begin() as transaction:
            assert [one.id for one in transaction.queued(SHOP)] == ["next", "last"]
            assert transaction.holders(SHOP, [TargetName("eu")]) == ["moving"]
            assert transaction.queued(ServiceName("other")) == []

    def test_only_those_that_have_not_begun_are_queued(self, store: Store) -> None:
        """Whatever has begun or is over has left the queue."""
        for state in State:
            add(store, a_rollout(f"{state}", targets=(f"target-{state}",), state=state))

        with store.begin() as transaction:
            assert [one.id for one in transaction.queued(SHOP)] == ["planned"]

    def test_a_turn_is_taken_once_the_targets_are_free(self, store: Store) -> None:
        """Claiming is refused before, and afterwards keeps others out."""
        moving, queued = a_rollout("moving", state=State.BAKING), a_rollout("next")
        add(store, moving)
        with store.begin() as transaction:
            transaction.queue_rollout(queued)
        with store.begin() as transaction, pytest.raises(ActiveRolloutError, match="'moving'"):
            transaction.claim_targets(queued)

        save(store, replace(moving, state=State.COMPLETED))
        with store.begin() as transaction:
            transaction.claim_targets(queued)

        with store.begin() as transaction, pytest.raises(ActiveRolloutError, match="'next'"):
            transaction.add_rollout(a_rollout("another"))

    def test_only_holders_of_the_named_targets_are_told(self, store: Store) -> None:
        """Each once, whatever it holds."""
        add(store, a_rollout("west", targets=("us", "ca")), a_rollout("east", targets=("eu",)))
        add(store, a_rollout("mail", service="mail", targets=("ap",)))

        with store.begin() as transaction:
            names = [TargetName(name) for name in ("us", "ca", "ap")]
            assert transaction.holders(SHOP, names) == ["west"]
            assert transaction.holders(SHOP, []) == []

    def test_what_moves_is_told_before_what_waits(self, store: Store) -> None:
        """Whoever halts a service by its name means what moves, though something newer is queued."""
        moving = a_rollout("moving", state=State.BAKING)
        queued = a_rollout("next", at=START + timedelta(hours=1))
        add(store, moving)
        with store.begin() as transaction:
            transaction.queue_rollout(queued)

        with store.begin() as transaction:
            assert transaction.active_rollout(SHOP) == moving

        save(store, replace(moving, state=State.ROLLED_BACK))
        with store.begin() as transaction:
            assert transaction.active_rollout(SHOP) == queued


class GenerationPromises:
    """Tests about fencing."""

    def test_generations_grow_for_each_service_and_target(self, store: Store) -> None:
        """Pairs don't share their numbers, and the first is 1: 0 means never written."""
        with store.begin() as transaction:
            issued = [
                transaction.issue_generation(SHOP, EU),
                transaction.issue_generation(SHOP, EU),
                transaction.issue_generation(SHOP, US),
                transaction.issue_generation(ServiceName("mail"), EU),
            ]
        with store.begin() as transaction:
            issued.append(transaction.issue_generation(SHOP, EU))

        assert issued == [1, 2, 1, 1, 3]

    def test_a_generation_is_above_what_was_seen_outside(self, store: Store) -> None:
        """A store that was restored from a backup goes on above what targets already serve."""
        with store.begin() as transaction:
            issued = [
                transaction.issue_generation(SHOP, EU, above=10),
                transaction.issue_generation(SHOP, EU, above=3),
                transaction.issue_generation(SHOP, EU, above=2**40),
                transaction.issue_generation(SHOP, EU),
            ]

        assert issued == [11, 12, 2**40 + 1, 2**40 + 2]

    def test_generations_never_repeat(self, store: Store, another: Store) -> None:
        """However many servers ask at once."""
        each = 10

        def issue(mine: Store, _index: int) -> list[int]:
            issued = []
            for _ in range(each):
                with mine.begin() as transaction:
                    issued.append(int(transaction.issue_generation(SHOP, EU)))
            return issued

        results = race((store, another), issue)

        flat = sorted(number for numbers in results for number in numbers)  # type: ignore[attr-defined]
        assert flat == list(range(1, WRITERS * each + 1))
