"""`tidegate simulate`: what a plan would have done about faults, incidents and past rollouts."""

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from tidegate.cli import exit_codes
from tidegate.cli.commanding import Yes
from tidegate.cli.notation import parse_rate
from tidegate.cli.output import Format, Printer
from tidegate.cli.session import Session
from tidegate.cli.text.simulation import simulation_view
from tidegate.errors import InvalidRequestError

if TYPE_CHECKING:
    from tidegate.cli.adopting import Adopted
    from tidegate.usecases.simulation.comparing import Comparison, NamedPlan, Row
    from tidegate.usecases.simulation.results import Result
    from tidegate.usecases.simulation.scenario import Scenario

RUNS: Final = 10
"""Runs of each fault: enough to tell the usual from the lucky."""

MOST_RUNS: Final = 10_000


def simulate(
    session: Session,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SERVICE]", help="The service. Default: that of the nearest tidegate.yaml."
        ),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("-f", "--file", help="Its file. Default: the nearest tidegate.yaml."),
    ] = None,
    compare: Annotated[
        list[str] | None,
        typer.Option(
            "--compare",
            metavar="PLAN [PLAN]",
            help="One or two plans side by side: plan:main (the file's own), plan:standard, plan:quick,"
            " or another FILE.yaml.",
        ),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            metavar="KINDS",
            help="What to go through, by commas: incidents, faults, rollouts, aa."
            " Default: incidents,faults,aa.",
        ),
    ] = None,
    scenario: Annotated[
        list[str] | None,
        typer.Option(
            "--scenario",
            metavar="NAME",
            help="One incident or fault by its name, such as slow-query or errors-2pp; may be repeated.",
        ),
    ] = None,
    incident: Annotated[
        list[Path] | None,
        typer.Option(
            "--incident", metavar="FILE", help="An incident of your own; may be repeated."
        ),
    ] = None,
    rollouts: Annotated[
        list[str] | None,
        typer.Option(
            "--rollouts",
            metavar="ID|last",
            help="A past rollout, replayed; asks the server; may be repeated.",
        ),
    ] = None,
    runs: Annotated[
        int,
        typer.Option(
            min=1, max=MOST_RUNS, help="Runs of each; ten times as many where nothing is wrong."
        ),
    ] = RUNS,
    seed: Annotated[int, typer.Option(min=0, help="Repeats the same luck.")] = 1,
    traffic: Annotated[
        str | None,
        typer.Option(metavar="REQ/S", help="The service's mean traffic. Default: 100."),
    ] = None,
    adopt: Annotated[
        str | None,
        typer.Option(
            "--adopt",
            metavar="PLAN",
            help="Put this plan into the file, in a repository on a branch of its own. Without --compare it"
            " is compared with the file's own.",
        ),
    ] = None,
    branch: Annotated[
        str | None,
        typer.Option("--branch", help="With --adopt: the branch. Default: tidegate/plan-PLAN."),
    ] = None,
    is_pushed: Annotated[
        bool, typer.Option("--push", help="With --adopt: push the branch, too.")
    ] = False,
    yes: Yes = False,
) -> int:
    """
    Let a plan go through faults, incidents and past rollouts: caught where, whom it hit, how long.

    With --adopt, put a plan into the file after it was simulated. In a repository that makes a branch with
    one commit and touches nothing else; the pull request is yours to open.
    """
    # Reading documents and the statistics take long to load; most commands do without.
    from tidegate.cli import adopting, simulating
    from tidegate.usecases.simulation.comparing import Comparison
    from tidegate.usecases.simulation.usage import ASSUMED_REQUESTS_PER_SECOND

    given = words or []
    services = [word for word in given if not simulating.is_plan(word)]
    if len(services) > 1:
        raise InvalidRequestError(
            f"one service can be simulated, got {', '.join(services)}", hint="name one"
        )
    named = [*(compare or []), *(word for word in given if simulating.is_plan(word))]
    if adopt is None and (branch or is_pushed or yes):
        raise InvalidRequestError(
            "there is nothing to adopt", hint="name the plan: --adopt PLAN, or leave these out"
        )
    if adopt is not None and not named:
        named = [simulating.adopted_word(adopt)]
    plans = simulating.named_plans(services[0] if services else None, file, named)
    prepared = None
    if adopt is not None:
        prepared = adopting.prepare(
            simulating.service_file(file), plans, adopt, is_pushed=is_pushed, branch=branch
        )
    chosen = simulating.scenarios(
        session,
        plans[0].spec.name,
        against=against,
        names=scenario or [],
        incidents=incident or [],
        rollouts=rollouts or [],
    )
    rate = parse_rate(traffic) or ASSUMED_REQUESTS_PER_SECOND
    asked = Comparison(
        plans=tuple(plans),
        scenarios=tuple(chosen),
        runs=runs,
        seed=seed,
        requests_per_second=rate,
    )
    rows = _run(session.printer, asked)
    if prepared is None:
        _show(session.printer, asked, rows)
        return exit_codes.DONE
    is_read = session.printer.format in (Format.TABLE, Format.WIDE)
    if is_read:
        # Whoever is asked whether to adopt a plan has to see what it did.
        _show(session.printer, asked, rows)
    message = adopting.commit_message(prepared, asked, rows)
    adopted = adopting.adopt(session, prepared, message=message, yes=yes, is_pushed=is_pushed)
    if is_read:
        session.printer.lines(["", *adopted.lines()])
    else:
        _show(session.printer, asked, rows, adopted)
    return exit_codes.DONE


def _run(printer: Printer, asked: "Comparison") -> "list[Row]":
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from tidegate.usecases.simulation.comparing import compare

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        console=printer.err,
        transient=True,
        disable=not printer.err.is_terminal,
    )
    with bar:
        task = bar.add_task("", total=asked.run_count)

        def begin(scenario: "Scenario", plan: "NamedPlan") -> None:
            bar.update(task, description=f"{scenario.title}, plan {plan.name}")

        return list(compare(asked, begin=begin, tell=lambda number: bar.advance(task, number)))


def _show(
    printer: Printer,
    asked: "Comparison",
    results: "list[Row]",
    adopted: "Adopted | None" = None,
) -> None:
    from tidegate.usecases.simulation.results import digest_of_results
    from tidegate.usecases.simulation.scenario import Kind
    from tidegate.usecases.simulation.usage import assumptions

    flat = [result for row in results for result in row]
    digest = digest_of_results(flat, seed=asked.seed)
    assumed = assumptions(
        asked.requests_per_second, replays=any(one.kind is Kind.ROLLOUT for one in flat)
    )
    document = {
        "service": asked.plans[0].spec.name,
        "plans": [plan.name for plan in asked.plans],
        "seed": asked.seed,
        "requests_per_second": asked.requests_per_second,
        "assumptions": assumed,
        "digest": digest,
        "results": [_result(result) for result in flat],
    }
    if adopted is not None:
        document["adopted"] = adopted.document()
    counts = sorted({result.runs for result in flat})
    notes = [
        *(f"Assumed: {sentence}" for sentence in assumed),
        f"{' and '.join(map(str, counts))} runs each, seed {asked.seed}, result {digest}",
    ]
    printer.show(
        document,
        text=lambda: simulation_view(results, wide=printer.is_wide, notes=notes),
        names=[f"{one.plan} {one.scenario}" for one in flat if one.is_harmful and not one.is_caught]
        if adopted is None
        else [adopted.commit or str(adopted.prepared.file)],
    )


def _result(result: "Result") -> dict[str, Any]:
    return {
        "scenario": result.scenario,
        "title": result.title,
        "kind": result.kind.value,
        "is_harmful": result.is_harmful,
        "plan": result.plan,
        "runs": result.runs,
        "caught": result.is_caught,
        "halted": result.halted,
        "held": result.held,
        "undecided": result.undecided,
        "completed": result.completed,
        "caught_in": [{"phase": phase, "runs": count} for phase, count in result.caught_in],
        "users_hit": result.users_hit,
        "requests_hit": result.requests_hit,
        "failed_requests": result.failed,
        "seconds_to_stop": _seconds(result.to_stop),
        "seconds_from_start_to_stop": _seconds(result.until_stop),
        "seconds_to_finish": _seconds(result.took),
        "halt_rate": result.halt_rate,
        "halt_rate_standard_error": result.halt_rate_standard_error,
        "why": result.why,
        "hint": result.hint,
    }


def _seconds(length: timedelta | None) -> float | None:
    return None if length is None else length.total_seconds()
