"""A plan as text: phases, what each bake can rule out, warnings, and how to start exactly this."""

from collections.abc import Sequence
from typing import Final

from rich.text import Text

from tidegate.api import words
from tidegate.api.shapes.plan import PhaseForecast, Plan
from tidegate.api.shapes.rollout import Phase
from tidegate.cli.text.columns import Cell, columns

MOST_TARGETS_NAMED: Final = 3
HASH_SHOWN: Final = len("sha256:") + 12


def plan_view(plan: Plan, *, wide: bool, start_with: str) -> list[Text | str]:
    """Return *plan* as text. *start_with* is the command that starts exactly it."""
    bakes = words.duration_words(plan.forecast.bakes_seconds)
    count = len(plan.phases)
    lines: list[Text | str] = [
        f"{plan.service}  {words.change_words(plan.change)}",
        f"Plan  {plan.plan}, {count} phase{'' if count == 1 else 's'},"
        f" at least {bakes} of bakes if all goes well",
        "",
        *columns(_rows(plan, wide=wide), indent="  "),
        "",
        _traffic(plan),
    ]
    problems = [*_forecast_warnings(plan), *_rule_warnings(plan)]
    if problems:
        lines += ["", "Warnings", *problems]
    errors = sum(finding.severity == "error" for finding in plan.findings)
    warnings = len(problems) - errors
    lines += [
        "",
        f"{errors} error{'' if errors == 1 else 's'},"
        f" {warnings} warning{'' if warnings == 1 else 's'}.  Start with: {start_with}",
    ]
    return lines


def short_hash(plan_hash: str) -> str:
    """Return as much of a plan's hash as tells it from others."""
    return plan_hash[:HASH_SHOWN]


def _rows(plan: Plan, *, wide: bool) -> list[list[Cell]]:
    header: list[Cell] = [
        "#",
        "phase",
        "moves",
        "exposure",
        "bake",
        "can rule out (errors)",
        "approve",
        "way back",
    ]
    if wide:
        header[4:4] = ["requests/s"]
        header += ["bake at most", "targets"]
    rows = [header]
    for phase, foreseen in zip(plan.phases, plan.forecast.phases, strict=True):
        row: list[Cell] = [
            str(phase.number),
            phase.name,
            _moves(phase),
            "all at once" if plan.is_install else _exposure(phase),
            words.duration_words(phase.bake_seconds),
            _rules_out(foreseen),
            f"{phase.approvals} of {phase.approvers}" if phase.approvals else "-",
            "-" if plan.is_install else "yes, at once",
        ]
        if wide:
            rate = foreseen.candidate_requests_per_second
            row[4:4] = ["-" if rate is None else f"{rate:.3g}"]
            row += [
                words.duration_words(phase.bake_max_seconds),
                words.list_words(dict.fromkeys(move.target for move in phase.moves)),
            ]
        rows.append(row)
    return rows


def _moves(phase: Phase) -> str:
    components = words.list_words(dict.fromkeys(move.component for move in phase.moves))
    targets = list(dict.fromkeys(move.target for move in phase.moves))
    if len(targets) > MOST_TARGETS_NAMED:
        return f"{components}, {len(targets)} targets"
    return f"{components}, {' '.join(targets)}"


def _exposure(phase: Phase) -> str:
    return words.list_words(dict.fromkeys(move.exposure for move in phase.moves))


def _rules_out(foreseen: PhaseForecast) -> str:
    if foreseen.rules_out_errors is None:
        return "-" if foreseen.enough is None else "nothing  WEAK"
    text = f">= {words.tolerance_words(foreseen.rules_out_errors, 'rate')}"
    return text if foreseen.enough else f"{text}  WEAK"


def _traffic(plan: Plan) -> str:
    traffic = plan.forecast.traffic
    if plan.is_install:
        return "Traffic  nothing is served yet: there is no baseline to compare with"
    if traffic is None:
        return (
            "Traffic  not known yet, so nothing is said of what bakes can rule out;"
            " give it with --rate REQUESTS_PER_SECOND"
        )
    return (
        f"Traffic  {traffic.requests_per_second:.4g} requests/s,"
        f" {traffic.error_rate:.3%} failing, known from {traffic.source}"
    )


def _forecast_warnings(plan: Plan) -> list[str]:
    lines = []
    for phase, foreseen in zip(plan.phases, plan.forecast.phases, strict=True):
        if foreseen.enough is not False:
            continue
        tolerated = (
            "what you tolerate"
            if foreseen.tolerated_errors is None
            else f"the {words.tolerance_words(foreseen.tolerated_errors, 'rate')} you tolerate"
        )
        needs = (
            "more traffic than there is"
            if foreseen.bake_needed_seconds is None
            else f"about {words.duration_words(foreseen.bake_needed_seconds)}"
        )
        bake = words.duration_words(phase.bake_seconds)
        lines.append(f"  {phase.name}: {bake} can't rule out {tolerated} (needs {needs})")
        if foreseen.seconds_to_halt is not None and foreseen.failed_before_halt is not None:
            fault = words.tolerance_words(plan.forecast.typical_fault, "rate")
            lines[-1] += (
                f"; +{fault} more errors would be seen after about"
                f" {words.duration_words(foreseen.seconds_to_halt)},"
                f" with about {foreseen.failed_before_halt:.0f} failed requests"
            )
    return lines


def _rule_warnings(plan: Plan) -> Sequence[str]:
    return [
        f"  {finding.place + ': ' if finding.place else ''}{finding.message} [{finding.rule}];"
        f" fix: {finding.fix}"
        for finding in plan.findings
    ]
