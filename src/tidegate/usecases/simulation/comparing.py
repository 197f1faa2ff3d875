"""
One or two plans through the same scenarios with the same luck: what is asked, and its results in order.

Nothing is read or shown here, and nothing says how long it may take: that is up to whoever asks.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tidegate.domain.plan.model import ServiceSpec
from tidegate.usecases.simulation.results import Result, result_of
from tidegate.usecases.simulation.runs import simulate
from tidegate.usecases.simulation.scenario import Scenario
from tidegate.usecases.simulation.usage import assumed_traffic, usage_of

Row = tuple[Result, ...]
"""The results of one scenario, one per plan."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedPlan:
    """A service under a plan, and what that is called in results."""

    name: str
    spec: ServiceSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What is asked: `runs` of each scenario under each plan, at a mean traffic over all targets."""

    plans: tuple[NamedPlan, ...]
    scenarios: tuple[Scenario, ...]
    runs: int
    seed: int
    requests_per_second: float

    @property
    def run_count(self) -> int:
        """All runs together."""
        each = sum(scenario.run_count(self.runs) for scenario in self.scenarios)
        return each * len(self.plans)


def compare(
    asked: Comparison,
    *,
    begin: Callable[[Scenario, NamedPlan], None] = lambda _scenario, _plan: None,
    tell: Callable[[int], None] = lambda _: None,
    pause: Callable[[], None] = lambda: None,
) -> Iterator[Row]:
    """
    Yield the results of one scenario after another.

    Args:
        asked: What to simulate.
        begin: Called before each scenario under each plan.
        tell: As in `simulate`.
        pause: As in `simulate`.
    """
    rate = asked.requests_per_second
    usages = [usage_of(assumed_traffic(plan.spec.targets, rate)) for plan in asked.plans]
    for scenario in asked.scenarios:
        row = []
        for plan, usage in zip(asked.plans, usages, strict=True):
            begin(scenario, plan)
            ended = simulate(
                plan.spec.plan,
                scenario,
                usage,
                runs=scenario.run_count(asked.runs),
                seed=asked.seed,
                tell=tell,
                pause=pause,
            )
            row.append(result_of(plan.name, plan.spec.plan, scenario, ended))
        yield tuple(row)
