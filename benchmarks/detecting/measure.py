"""
Measures one scenario: false halts of a harmless candidate, delay and information of harmful ones.

A scenario is played with a candidate that's as good as the baseline, which gives the false halts, and
with each that does harm, which gives delay and information. The same runs serve all rules and all
levels, so that rules are compared on the same luck.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from detecting import bounds
from detecting.bounds import Bound
from detecting.peers import Rule
from detecting.play import Halts, Moment, play

ALPHAS = (0.05, 0.01)
COARSE_LIMIT = 2.0
"""What is promised where the limit itself spans fewer than COARSE_TICKS: ticks aren't cut."""
COARSE_TICKS = 10


@dataclass(frozen=True, kw_only=True)
class Variant:
    """A rule in a scenario."""

    make: Callable[[int], Rule[Any]]
    """Makes the rule for so many runs."""
    note: str = ""
    """What sets it apart from the scenario's plain row; becomes part of the row's name."""
    margin: float | None = None
    """The ratio that is still no harm for it."""
    promise: float | None = None
    """Limit of information over the bound; None where nothing is promised."""
    honest: bool = False
    """Whether its false halts are promised to stay below alpha."""


@dataclass(frozen=True, kw_only=True)
class Harm:
    """What a harmful candidate does. `play` gives a day of so many runs from a seed."""

    words: str
    play: Callable[[int, int], Iterable[Moment]]
    bound_ticks: float
    """How many average ticks hold the information that any test needs at the first level."""
    begins_at_tick: int = 0


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One service under one kind of noise, and what may happen to it."""

    name: str
    """With `{harm}` where the words of the harm go."""
    harmless: Callable[[int, int], Iterable[Moment]]
    """Gives a day of so many runs from a seed."""
    harms: tuple[Harm, ...]
    variants: tuple[Variant, ...]
    also_quick: bool = False
    fewer_runs: int = 1
    """Divides the number of runs, for what costs far more than the rest."""

    @property
    def title(self) -> str:
        """Name it by all its harms; unlike that of others."""
        return self.name.format(harm=" / ".join(harm.words for harm in self.harms))


def measure(
    scenario: Scenario, harmless_runs: int, harmful_runs: int, seed: int
) -> tuple[list[dict[str, Any]], list[Bound]]:
    """Return the rows of *scenario* and the bounds they are held to."""
    few = max(1, harmless_runs // scenario.fewer_runs)
    quiet = _halts(scenario, scenario.harmless(few, seed), few)
    rows: list[dict[str, Any]] = []
    held: list[Bound] = []
    for number, harm in enumerate(scenario.harms):
        few = max(1, harmful_runs // scenario.fewer_runs)
        caught = _halts(scenario, harm.play(few, seed + 1 + number), few)
        for (variant, at_peace), (_, at_war) in zip(quiet, caught, strict=True):
            row = _row(scenario, harm, variant, at_peace, at_war)
            rows.append(row)
            # All harms share the harmless runs: their false halts are one figure, held once.
            held += _bounds(row, harm, variant, false_halts=number == 0)
    return rows, held


def _halts(scenario: Scenario, ticks: Iterable[Moment], runs: int) -> list[tuple[Variant, Halts]]:
    rules = [variant.make(runs) for variant in scenario.variants]
    halts = iter(play(ticks, rules))
    return [
        (variant, next(halts))
        for variant, rule in zip(scenario.variants, rules, strict=True)
        for _ in rule.alphas
    ]


def _row(
    scenario: Scenario, harm: Harm, variant: Variant, quiet: Halts, caught: Halts
) -> dict[str, Any]:
    false_halt = float(quiet.halted.mean())
    nats = caught.information / -math.log(quiet.alpha)
    delay = caught.median_delay_seconds(since_tick=harm.begins_at_tick)
    name = scenario.name.format(harm=harm.words)
    return {
        "scenario": f"{name}, {variant.note}" if variant.note else name,
        "rule": quiet.rule,
        "alpha": quiet.alpha,
        "runs": len(quiet.halted),
        "false_halt": false_halt,
        "false_halt_se": bounds.standard_error(false_halt, len(quiet.halted)),
        "information_over_bound": float(nats.mean()),
        "information_over_bound_se": float(nats.std() / math.sqrt(len(nats))),
        # JSON has no infinity: None is never.
        "median_delay_s": delay if math.isfinite(delay) else None,
        "missed": float(1.0 - caught.halted.mean()),
        "before_harm": float((caught.halted_at_tick < harm.begins_at_tick).mean()),
        "candidate_requests": float(caught.candidate_requests.mean()),
        "harmful_runs": len(caught.halted),
        "margin": variant.margin,
    }


def _bounds(row: dict[str, Any], harm: Harm, variant: Variant, *, false_halts: bool) -> list[Bound]:
    label = f"{row['scenario']}, alpha {row['alpha']:g}"
    held = []
    if variant.honest and false_halts:
        name = f"false halts: {label}"
        held.append(bounds.rate_at_most(name, row["false_halt"], row["alpha"], row["runs"]))
    if variant.promise is not None and row["alpha"] == ALPHAS[0]:
        limit = variant.promise
        if harm.bound_ticks < COARSE_TICKS:
            limit = max(limit, COARSE_LIMIT)
        measured = row["information_over_bound"]
        held.append(Bound(name=f"information: {label}", measured=measured, limit=limit))
    return held
