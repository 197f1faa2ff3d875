"""A plan as text: phases, what each bake can rule out, warnings, and how to start exactly this."""

from datetime import timedelta
from typing import Any, Final

from rich.text import Text

from tidegate.api import words
from tidegate.api.shapes.plan import PhaseForecast, Plan
from tidegate.api.shapes.rollout import Phase
from tidegate.cli.text.columns import Cell, columns
from tidegate.documents.canonical import digest_of
from tidegate.domain.plan.traffic import HOURS_OF_WEEK

MOST_TARGETS_NAMED: Final = 3
SOON: Final = timedelta(hours=2)
HASH_SHOWN: Final = len("sha256:") + 12
SETTING_SHOWN: Final = 100
"""Letters of one setting of a gate; keys and roots of trust would bury all others."""


def plan_view(plan: Plan, *, wide: bool, start_with: str) -> list[Text | str]:
    """Return *plan* as text. *start_with* is the command that starts exactly it."""
    count = len(plan.phases)
    lines: list[Text | str] = [
        f"{plan.service}  {words.change_words(plan.change)}",
        f"Plan  {plan.plan}, {count} phase{'' if count == 1 else 's'}, {_calendar(plan)}",
        "",
        *columns(_rows(plan, wide=wide), indent="  "),
        "",
        _traffic(plan),
        *_weakest(plan),
    ]
    for title, rows in (
        ("What the bakes can show", _signal_rows(plan)),
        ("A fault that begins with the phase", _fault_rows(plan)),
    ):
        if len(rows) > 1:
            lines += ["", title, *columns(rows, indent="  ")]
    lines += ["", *_gates(plan)]
    problems = _problems(plan)
    if problems:
        lines += ["", "Warnings", *problems]
    if plan.notes:
        lines += ["", "Notes", *(f"  {note}" for note in plan.notes)]
    errors = sum(finding.severity == "error" for finding in plan.findings)
    warnings = len(problems) - errors
    counted = (
        f"{errors} error{'' if errors == 1 else 's'},"
        f" {warnings} warning{'' if warnings == 1 else 's'}."
    )
    going = "It can't be started." if errors else f"Start with: {start_with}"
    lines += ["", f"{counted}  {going}"]
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
        "from .. to (UTC)",
        "approve",
        "way back",
    ]
    if wide:
        header += ["people at most", "bake at most", "targets"]
    rows = [header]
    for phase, foreseen in zip(plan.phases, plan.forecast.phases, strict=True):
        row: list[Cell] = [
            str(phase.number),
            phase.name,
            _moves(phase),
            "all at once" if plan.is_install else _exposed(phase, foreseen),
            words.duration_words(phase.bake_seconds),
            _rules_out(foreseen),
            _from_to(plan, foreseen),
            _approve(phase),
            "-" if plan.is_install else _way_back(plan),
        ]
        if wide:
            row += [
                "-" if foreseen.people is None else f"{foreseen.people:.0f}",
                words.duration_words(phase.bake_max_seconds),
                words.list_words(dict.fromkeys(move.target for move in phase.moves)),
            ]
        rows.append(row)
    return rows


def _approve(phase: Phase) -> str:
    if not phase.approvals:
        return "-"
    unless = " unless reviewed" if phase.unless_reviewed else ""
    return f"{phase.approvals} of {phase.approvers}{unless}"


def _gates(plan: Plan) -> list[Text | str]:
    """Return the gates that must be green, and the kinds that nobody asked for."""
    without = f"Not configured: {', '.join(plan.gates_not_configured) or 'none'}"
    if not plan.gates:
        return ["Gates  none", f"  {without}"]
    rows: list[list[Cell]] = [["gate", "green before", "an answer lasts", "settings"]]
    for gate in plan.gates:
        before = "the start" if gate.moment == "before_start" else "every phase"
        settings = ", ".join(
            setting_words(key, value) for key, value in gate.settings.items() if value is not None
        )
        rows.append(
            [
                gate.name if gate.name == gate.kind else f"{gate.name} ({gate.kind})",
                words.list_words(gate.phases) if gate.phases else before,
                words.duration_words(gate.lasts_seconds),
                settings or "-",
            ]
        )
    return ["Gates", *columns(rows, indent="  "), f"  {without}"]


def setting_words(key: str, value: Any) -> str:
    """Return a setting of a gate as it is, or a long one by its keys and a digest to compare it by."""
    text = str(value)
    if len(text) <= SETTING_SHOWN:
        return f"{key} {text}"
    parts = ", ".join(value) if isinstance(value, dict) else f"{text[:SETTING_SHOWN]}…"
    return f"{key} {parts} ({digest_of(value)[:HASH_SHOWN]})"


def _moves(phase: Phase) -> str:
    components = words.list_words(dict.fromkeys(move.component for move in phase.moves))
    targets = list(dict.fromkeys(move.target for move in phase.moves))
    if len(targets) > MOST_TARGETS_NAMED:
        return f"{components}, {len(targets)} targets"
    return f"{components}, {' '.join(targets)}"


def _exposure(phase: Phase) -> str:
    return words.list_words(dict.fromkeys(move.exposure for move in phase.moves))


def _exposed(phase: Phase, foreseen: PhaseForecast) -> str:
    rate = foreseen.candidate_requests_per_second
    share = _exposure(phase)
    return share if rate is None else f"{share}, {rate:.3g} req/s"


def _rules_out(foreseen: PhaseForecast) -> str:
    if foreseen.rules_out_errors is None:
        return "nothing  WEAK" if foreseen.weak else "-"
    text = f">= {words.tolerance_words(foreseen.rules_out_errors, 'rate')}"
    return f"{text}  WEAK" if foreseen.weak else text


def _from_to(plan: Plan, foreseen: PhaseForecast) -> str:
    if foreseen.begins_at is None or foreseen.ends_at is None:
        return "-"
    soon = _is_soon(plan)
    begin = words.calendar_words(foreseen.begins_at, within_hours=soon)
    return f"{begin} .. {words.calendar_words(foreseen.ends_at, within_hours=soon)}"


def _is_soon(plan: Plan) -> bool:
    """Return whether the plan is over within hours, so that its seconds matter and its days don't."""
    begin, end = plan.forecast.begins_at, plan.forecast.ends_at
    return begin is not None and end is not None and end - begin < SOON


def _way_back(plan: Plan) -> str:
    took = plan.forecast.way_back_seconds
    return "yes, at once" if took is None else f"yes, {words.duration_words(max(1.0, took))}"


def _calendar(plan: Plan) -> str:
    forecast = plan.forecast
    if forecast.begins_at is None or forecast.ends_at is None:
        bakes = words.duration_words(forecast.bakes_seconds)
        return f"at least {bakes} of bakes if all goes well"
    seconds = (forecast.ends_at - forecast.begins_at).total_seconds()
    begin = words.calendar_words(forecast.begins_at, within_hours=_is_soon(plan))
    end = words.calendar_words(forecast.ends_at, within_hours=_is_soon(plan))
    return f"{words.duration_words(seconds)} if all goes well ({begin} to {end} UTC)"


def _traffic(plan: Plan) -> str:
    traffic = plan.forecast.traffic
    if plan.is_install:
        return "Traffic  nothing is served yet: there is no baseline to compare with"
    if traffic is None:
        return (
            "Traffic  not known yet, so nothing is said of what bakes can rule out;"
            " give it with --traffic REQUESTS_PER_SECOND"
        )
    text = (
        f"Traffic  {traffic.requests_per_second:.4g} requests/s,"
        f" {traffic.error_rate:.3%} failing, known from {traffic.source}"
    )
    if 0 < traffic.hours_known < HOURS_OF_WEEK:
        text += (
            f"; {traffic.hours_known} of {HOURS_OF_WEEK} hours of the week are known,"
            " the others take their mean"
        )
    return text


def _weakest(plan: Plan) -> list[str]:
    number = plan.forecast.weakest_phase
    if number is None:
        return []
    weakest = plan.forecast.phases[number - 1]
    if weakest.power is None:
        return []
    return [
        f"Weakest  {plan.phases[number - 1].name}: a fault as large as what you tolerate is halted"
        f" there with {words.chance_words(weakest.power)} probability"
    ]


def _signal_rows(plan: Plan) -> list[list[Cell]]:
    rows: list[list[Cell]] = [
        ["phase", "signal", "can rule out", "tolerated", "proven after", "power"]
    ]
    for phase, foreseen in zip(plan.phases, plan.forecast.phases, strict=True):
        for signal in foreseen.signals:
            proof = signal.proof_needs_seconds
            rules_out = (
                "nothing"
                if signal.rules_out is None
                else words.tolerance_words(signal.rules_out, signal.unit)
            )
            rows.append(
                [
                    phase.name,
                    signal.name,
                    signal.why_unknown or rules_out,
                    words.tolerance_words(signal.tolerated, signal.unit),
                    "-" if proof is None else words.rough_words(max(1.0, proof)),
                    "-" if signal.power is None else words.chance_words(signal.power),
                    "WEAK" if signal.enough is False else "",
                ]
            )
    return rows


def _fault_rows(plan: Plan) -> list[list[Cell]]:
    rows: list[list[Cell]] = [["phase", "more errors", "halted after", "more failed requests"]]
    for phase, foreseen in zip(plan.phases, plan.forecast.phases, strict=True):
        for fault in foreseen.faults:
            after, failed = fault.halted_after_seconds, fault.failed_requests
            rows.append(
                [
                    phase.name,
                    f"+{words.tolerance_words(fault.excess, 'rate')}",
                    _halted(phase, after),
                    "-" if failed is None else f"about {failed:.0f}",
                ]
            )
    return rows


def _halted(phase: Phase, after: float | None) -> str:
    if after is None:
        return "not foreseen"
    late = ", after this bake" if after > phase.bake_seconds else ""
    return f"about {words.rough_words(after)}{late}"


def _problems(plan: Plan) -> list[str]:
    """Return the findings, numbered, errors first: people talk of W1 and W2."""
    marks = {"error": "E", "warning": "W"}
    numbers = dict.fromkeys(marks.values(), 0)
    lines = []
    for finding in sorted(plan.findings, key=lambda one: one.severity != "error"):
        mark = marks.get(finding.severity, "W")
        numbers[mark] += 1
        place = f"{finding.place}: " if finding.place else ""
        lines.append(
            f"  {mark}{numbers[mark]} {place}{finding.message} [{finding.rule}]; fix: {finding.fix}"
        )
    return lines
