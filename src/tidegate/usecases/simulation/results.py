"""
What many simulated runs come to: caught in which phase, whom it hit until then, how long it all takes.

A harmful change is caught when it is halted, or held because harm is likely or data is missing. One that
stays undecided goes no further either, but nobody was told of harm. A harmless one must not be halted:
what is told of it is how often it was, with the standard error of that share. Medians are of runs; where
nothing was caught, the reason says what would have.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from statistics import median
from typing import Any, Final

from tidegate.documents.canonical import digest_of
from tidegate.domain.plan.model import Plan, SignalKind, ToleranceUnit
from tidegate.domain.rollout.model import HaltCause
from tidegate.usecases.simulation.runs import Ending, Run
from tidegate.usecases.simulation.scenario import Fault, Kind, Scenario, Whom

DIGITS: Final = 6
"""Numbers of a result are rounded to so many digits after the point before they are digested."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """
    One scenario under one plan.

    `halted`, `held`, `undecided` and `completed` count runs by their end; a run that was held for missing
    data and then halted for it counts as held. `caught_in` are the phases that runs were stopped in, the most
    frequent first. Medians are None where no run has the number: `to_stop` counts from when the fault was
    there, `until_stop` from the rollout's start, `took` is of completed runs. `users_hit`, `failed` and
    `requests_hit` are of stopped runs, or of the others where most weren't. `why` says what stopped it or,
    where most runs weren't, why not; `hint` what would.
    """

    scenario: str
    title: str
    kind: Kind
    is_harmful: bool
    plan: str
    runs: int
    halted: int
    held: int
    undecided: int
    completed: int
    caught_in: tuple[tuple[str, int], ...]
    users_hit: float
    failed: float
    requests_hit: float
    to_stop: timedelta | None
    until_stop: timedelta | None
    took: timedelta | None
    why: str
    hint: str

    @property
    def is_caught(self) -> bool:
        """Whether more than half of the runs were halted, or held for cause."""
        return 2 * (self.halted + self.held) > self.runs

    @property
    def halt_rate(self) -> float:
        """The share of runs that were halted: false halts, where the change does no harm."""
        return self.halted / self.runs

    @property
    def halt_rate_standard_error(self) -> float:
        """
        The standard error of `halt_rate`.

        With no halt at all, or nothing else, it is that of half a run, for no share is known exactly.
        """
        share = min(max(self.halt_rate, 0.5 / self.runs), 1.0 - 0.5 / self.runs)
        return math.sqrt(share * (1.0 - share) / self.runs)


def result_of(name: str, plan: Plan, scenario: Scenario, runs: Sequence[Run]) -> Result:
    """Return what *runs* of *plan*, called *name*, under *scenario* come to."""
    stopped = [run for run in runs if run.ending in (Ending.HALTED, Ending.HELD)]
    undecided = [run for run in runs if run.ending is Ending.UNDECIDED]
    through = [run for run in runs if run.ending is Ending.COMPLETED]
    waits = [run for run in stopped if _is_held(run)]
    missed = 2 * len(stopped) <= len(runs) and scenario.is_harmful
    counted = [*undecided, *through] if missed else stopped or runs
    why, hint = _usual_reason([*stopped, *undecided]), ""
    if missed:
        why, hint = _missed(plan, scenario, [*undecided, *through])
    return Result(
        scenario=scenario.name,
        title=scenario.title,
        kind=scenario.kind,
        is_harmful=scenario.is_harmful,
        plan=name,
        runs=len(runs),
        halted=len(stopped) - len(waits),
        held=len(waits),
        undecided=len(undecided),
        completed=len(through),
        caught_in=tuple(Counter(_stopped_in(run) for run in stopped).most_common()),
        users_hit=median(run.tally.users for run in counted),
        failed=median(run.tally.failed for run in counted),
        requests_hit=median(run.tally.hit for run in counted),
        to_stop=_median(stopped, _from_onset),
        until_stop=_median(stopped, _stopped_at),
        took=_median(through, lambda run: run.took),
        why=why,
        hint=hint,
    )


def digest_of_results(results: Sequence[Result], *, seed: int) -> str:
    """Return the digest of *results*: the same seed, plans and scenarios give the same one."""
    return digest_of({"seed": seed, "results": [_plain(result) for result in results]})


def _plain(result: Result) -> dict[str, Any]:
    return {
        "scenario": result.scenario,
        "plan": result.plan,
        "runs": result.runs,
        "halted": result.halted,
        "held": result.held,
        "undecided": result.undecided,
        "caught_in": [[phase, count] for phase, count in result.caught_in],
        "users_hit": round(result.users_hit, DIGITS),
        "failed": round(result.failed, DIGITS),
        "requests_hit": round(result.requests_hit, DIGITS),
        "to_stop": _seconds(result.to_stop),
        "until_stop": _seconds(result.until_stop),
        "took": _seconds(result.took),
    }


def _seconds(length: timedelta | None) -> float | None:
    return None if length is None else length.total_seconds()


# --- one run -----------------------------------------------------------------------------------


def _is_held(run: Run) -> bool:
    return run.ending is Ending.HELD or run.cause is HaltCause.NO_DATA


def _stopped_at(run: Run) -> timedelta | None:
    """Exposure stopped growing at the hold; what was proven harm is withdrawn at the halt only."""
    return run.held_at if _is_held(run) and run.held_at is not None else run.took


def _stopped_in(run: Run) -> str:
    return run.held_in if _is_held(run) and run.held_in is not None else run.phase


def _from_onset(run: Run) -> timedelta | None:
    stopped = _stopped_at(run)
    if run.onset is None or stopped is None:
        return None
    return max(timedelta(0), stopped - run.onset)


def _median(runs: Sequence[Run], number: Callable[[Run], timedelta | None]) -> timedelta | None:
    found = [length for run in runs if (length := number(run)) is not None]
    if not found:
        return None
    return timedelta(seconds=median(length.total_seconds() for length in found))


def _usual_reason(stopped: Sequence[Run]) -> str:
    """Return the reason of the run that is the most usual one, in the engine's own words."""
    if not stopped:
        return ""
    kinds = Counter((run.ending, run.cause, _stopped_in(run)) for run in stopped)
    usual = kinds.most_common(1)[0][0]
    return next(
        run.because for run in stopped if (run.ending, run.cause, _stopped_in(run)) == usual
    )


# --- what would have caught it -------------------------------------------------------------------


def _missed(plan: Plan, scenario: Scenario, missed: Sequence[Run]) -> tuple[str, str]:
    ours = [fault for fault in scenario.faults if fault.is_of_the_change]
    if all(run.onset is None for run in missed):
        return _never_met(scenario)
    if ours and all(fault.whom is Whom.BOTH for fault in ours):
        return (
            "both arms suffer alike, so there is nothing to compare",
            "add a limit signal: a fixed limit for the service as a whole",
        )
    kinds = {spec.kind for phase in plan.phases for spec in phase.signals}
    blind = _blind(ours, kinds)
    if blind is not None:
        return blind
    tolerated = _tolerated(plan, ours)
    if tolerated:
        return tolerated, "tolerate less with `prove:` if that is too much"
    return (
        "the candidate had too few requests for a difference of that size",
        "bake longer or at a larger share; `tidegate plan` says which would do",
    )


def _never_met(scenario: Scenario) -> tuple[str, str]:
    if scenario.changed_path == 0.0:
        return (
            "what fails was never used by the candidate before the plan was through",
            "add an exercise for the changed path: without it in use no phase passes",
        )
    return (
        "it begins only after the plan is through, or where the plan doesn't go",
        "look for such dates and places before the start: no bake shows what comes after it",
    )


def _blind(faults: Sequence[Fault], kinds: set[SignalKind]) -> tuple[str, str] | None:
    """Return which kind of signal is needed, where no fault shows in one that there is."""
    shows_in = [kind for fault in faults for kind in _shows_in(fault)]
    if not shows_in or kinds & set(shows_in):
        return None
    match shows_in[0]:
        case SignalKind.USAGE:
            return (
                "nothing fails and no signal counts what users come for",
                "add a usage signal, such as orders placed",
            )
        case SignalKind.LATENCY:
            return "no signal tells how long answers take", "add a latency signal"
        case SignalKind.SATURATION:
            return "no signal looks at the members' resources", "add a saturation signal"
        case kind:
            return f"no signal counts {kind.value}", f"add a signal of kind {kind.value}"


def _shows_in(fault: Fault) -> list[SignalKind]:
    shown = []
    if fault.errors > 0.0:
        shown.append(SignalKind.ERRORS)
    if fault.slower != 1.0:
        shown.append(SignalKind.LATENCY)
    if fault.usage != 1.0:
        shown.append(SignalKind.USAGE)
    if fault.saturation != 1.0:
        shown.append(SignalKind.SATURATION)
    return shown


def _tolerated(plan: Plan, faults: Sequence[Fault]) -> str:
    errors = max((fault.errors * fault.path for fault in faults), default=0.0)
    tolerances = [
        spec.tolerance
        for phase in plan.phases
        for spec in phase.signals
        if spec.kind is SignalKind.ERRORS and spec.tolerance.unit is ToleranceUnit.RATE
    ]
    least = min((tolerance.value for tolerance in tolerances), default=0.0)
    if errors and errors <= least:
        return f"{errors * 100:.3g} pp more errors are within the {least * 100:.3g} pp you tolerate"
    return ""
