"""Coverage from the source to the decision: a phase waits for every kind of use."""

import math

import pytest

from tidegate.domain.health.readings import Reading, SeriesCounts
from tidegate.domain.plan.model import CoverageSpec
from tidegate.domain.quantities import Arm
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import ReasonCode
from tidegate.testing.builders import a_placement
from tidegate.testing.simulation.bench import SOURCE
from tidegate.testing.simulation.situations import a_quick_plan
from tidegate.usecases.explain import replay_decision
from tidegate.usecases.watch_queries import COVERAGE

EU = a_placement()
SPEC = CoverageSpec(
    by=("region", "client"),
    smallest_cell=0.001,
    smallest_failure=0.01,
    share=0.99,
    unseen=0.01,
    busy_hours=0,
    timezone_label=None,
    source=SOURCE,
)


class Users:
    """Users on the web and on phones; *phones_a_tick* of the latter meet the candidate."""

    def __init__(self, bench):
        self.bench = bench
        self.counts = dict.fromkeys(((arm, cell) for arm in Arm for cell in ("web", "ios")), 0)

    def come(self, *, phones_a_tick):
        more = {"web": (100, 2_000), "ios": (phones_a_tick, 200)}
        for cell, (candidate, baseline) in more.items():
            self.counts[Arm.CANDIDATE, cell] += candidate
            self.counts[Arm.BASELINE, cell] += baseline
        self.say(lambda count: float(count))

    def say(self, told):
        arms = {
            arm: {
                f"{arm.value} {cell}": SeriesCounts(
                    total=told(self.counts[arm, cell]), group=f"eu | {cell}"
                )
                for cell in ("web", "ios")
            }
            for arm in Arm
        }
        reading = Reading(at=self.bench.clock.now(), arms=arms)
        self.bench.signals.put(EU, COVERAGE, reading)


async def a_bench(make_bench):
    bench = await make_bench(a_quick_plan(coverage=SPEC))
    return bench, Users(bench), await bench.start()


async def run(bench, users, rollout_id, *, ticks, phones_a_tick):
    for _ in range(ticks):
        users.come(phones_a_tick=phones_a_tick)
        rollout = await bench.tick(rollout_id)
        if rollout.phase_index or rollout.state is State.HELD:
            break
    return rollout


async def test_a_phase_waits_for_the_kind_of_use_that_it_has_not_met(make_bench):
    """Proven and baked on the web alone it is undecided; with phones it passes, and can be replayed."""
    bench, users, started = await a_bench(make_bench)

    waiting = await run(bench, users, started.id, ticks=14, phones_a_tick=0)
    passed = await run(bench, users, started.id, ticks=6, phones_a_tick=100)

    assert (waiting.state, waiting.phase_index) == (State.BAKING, 0)
    assert (passed.phase_index, len(passed.passes)) == (1, 1)
    entry = next(e for e in bench.ledger(started.id) if e.rule == "phase-passed")
    assert replay_decision(bench.outside, entry.number).differences == ()


async def test_what_is_missing_is_said(make_bench):
    """Whoever looks reads which kind of use, and how much of it, is waited for."""
    bench, users, started = await a_bench(make_bench)

    held = await run(bench, users, started.id, ticks=40, phones_a_tick=1)

    assert (held.state, held.waiting_on.reason) == (State.HELD, ReasonCode.INCONCLUSIVE)
    assert "not yet: eu | ios" in held.waiting_on.detail
    assert "of 300" in held.waiting_on.detail


@pytest.mark.parametrize("broken", ["missing", "nan"])
async def test_coverage_that_can_t_be_read_covers_nothing(make_bench, broken):
    """Unknown is never green: without counts, or with counts that are none, the phase doesn't pass."""
    bench, users, started = await a_bench(make_bench)

    for _ in range(40):
        users.come(phones_a_tick=100)
        if broken == "nan":
            users.say(lambda _: math.nan)
        else:
            bench.signals.put(EU, COVERAGE, None)
        rollout = await bench.tick(started.id)

    assert (rollout.state, rollout.phase_index) == (State.HELD, 0)
    assert "coverage: " in rollout.waiting_on.detail
