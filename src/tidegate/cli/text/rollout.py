"""Rollouts as text: in one line, in a list, and in full with evidence."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from rich.text import Text

from tidegate.api import words
from tidegate.api.shapes.evidence import Evidence, Signal
from tidegate.api.shapes.ledger import Entry
from tidegate.api.shapes.rollout import Event, Phase, Rollout
from tidegate.cli.text.columns import Cell, columns
from tidegate.cli.text.times import TimeFormat, write_instant

BAR_WIDTH: Final = 20

_STYLES: Final = {
    "completed": "bold green",
    "baking": "bold blue",
    "applying": "bold blue",
    "waiting": "bold cyan",
    "held": "bold yellow",
    "halted": "bold red",
    "recovering": "bold red",
    "rolled_back": "bold red",
}
_SHOWN: Final = {
    "PROVEN": "green",
    "PARTLY": "cyan",
    "CANNOT IN THIS BAKE": "yellow",
    "HARM": "bold red",
    "NO DATA": "yellow",
}


def state_text(state: str) -> Text:
    """Return a state with its mark, in its colour."""
    mark = words.STATE_MARKS.get(state, "?")
    return Text(f"{mark} {words.state_words(state)}", style=_STYLES.get(state, "bold"))


def headline(rollout: Rollout) -> Text:
    """Return a rollout in one line: what, where, how far."""
    line = Text(f"{rollout.service}  {words.change_words(rollout.change)}   ")
    line.append_text(state_text(rollout.state))
    line.append(f"  {words.position_words(rollout)}")
    line.append(f"   rollout {rollout.id} ({rollout.created_by})", style="dim")
    return line


def rollout_list(rollouts: Sequence[Rollout], *, wide: bool, times: TimeFormat) -> list[Text | str]:
    """Return rollouts as a table, one a line."""
    if not rollouts:
        return ["no rollouts yet"]
    header: list[Cell] = ["ROLLOUT", "SERVICE", "CHANGE", "STATE", "PHASE", "SINCE", "WAITING ON"]
    if wide:
        header[6:6] = ["PLAN", "BY", "AT"]
    rows: list[list[Cell]] = [header]
    for one in rollouts:
        row: list[Cell] = [
            one.id,
            one.service,
            words.change_words(one.change),
            state_text(one.state),
            words.position_words(one),
            write_instant(one.state_since, now=one.as_of, form=times),
            "-" if one.is_final else one.waiting_on.detail,
        ]
        if wide:
            row[6:6] = [one.plan, one.created_by, f"{one.at.phase}@{one.at.revision}"]
        rows.append(row)
    return [*columns(rows)]


def rollout_view(
    rollout: Rollout, evidence: Evidence | None, *, wide: bool, times: TimeFormat
) -> list[Text | str]:
    """Return one rollout in full."""
    lines: list[Text | str] = [headline(rollout), ladder(rollout)]
    lines += exposure_lines(rollout)
    if evidence is not None:
        lines += evidence_lines(evidence, wide=wide)
    lines += standing_lines(rollout, times=times)
    if wide:
        lines.append(
            f"  plan        {rollout.plan} {rollout.plan_hash}, attempt {rollout.attempt},"
            f" at {rollout.at.phase}@{rollout.at.revision}"
        )
    return lines


def ladder(rollout: Rollout) -> Text:
    """Return the phases in one line, with a bar for the one that bakes."""
    line = Text("  ")
    if not rollout.phases:
        line.append("way back, without a bake")
    for index, phase in enumerate(rollout.phases):
        if index:
            line.append("   ")
        line.append_text(_phase(phase))
    return line


def exposure_lines(rollout: Rollout) -> list[Text]:
    """Return what every target shall expose and was seen to; nothing when it's over and unseen."""
    if rollout.is_final and all(one.actual_bps is None for one in rollout.exposure):
        return []
    rows: list[list[Cell]] = [["TARGET", "COMPONENT", "SET", "SEEN", "SERVES", "NOTE"]]
    for one in rollout.exposure:
        serves = one.serving.name if one.serving else "-"
        if one.candidate is not None:
            serves += f" and {one.candidate.name}"
        rows.append(
            [
                one.target,
                one.component,
                words.set_words(one),
                words.actual_words(one),
                serves,
                one.why_not or "",
            ]
        )
    return columns(rows, indent="  ")


def evidence_lines(evidence: Evidence, *, wide: bool) -> list[Text]:
    """Return what the signals have shown, one a line, and below them how much that rests on."""
    rows = [_signal_row(signal, evidence, wide=wide) for signal in evidence.signals]
    for exercise in evidence.exercises:
        rows.append(
            [
                f"exercise {exercise.name}",
                f"{exercise.count} of {exercise.needed} calls",
                "",
                "",
                _shown(exercise.shown),
            ]
        )
    if not rows:
        return []
    for name, text in (
        ("exposure", words.exposure_met_words(evidence)),
        ("coverage", words.coverage_words(evidence)),
        ("data", words.data_words(evidence)),
    ):
        if text:
            rows.append([name, text])
    head = f"  {evidence.phase_name}: {words.progress_words(evidence)}"
    if not evidence.in_force:
        head += " (of an earlier phase or attempt, or over)"
    return [Text(head), *columns(rows, indent="  ", free=2)]


def point_lines(evidence: Evidence) -> list[Text]:
    """Return the points of the charts as a table: per moment and signal what was ruled out."""
    rows: list[list[Cell]] = [["AT", "PHASE", "SIGNAL", "SHOWN", "RULED OUT", "BAD OF CANDIDATE"]]
    units = {signal.name: signal.unit for signal in evidence.signals}
    for point in evidence.points:
        for one in point.signals:
            unit = units.get(one.name)
            excluded = "-"
            if one.ruled_out is not None and unit is not None:
                excluded = words.tolerance_words(one.ruled_out, unit)
            rows.append(
                [
                    words.clock_words(point.at),
                    str(point.phase),
                    one.name,
                    _shown(one.shown),
                    excluded,
                    f"{one.candidate[1]} of {one.candidate[0]}",
                ]
            )
    return columns(rows, indent="  ") if evidence.points else []


def _signal_row(signal: Signal, evidence: Evidence, *, wide: bool) -> list[Cell]:
    notes = [
        words.signal_note(signal),
        words.proof_words(signal),
        words.power_words(signal, by_hour_of_week=evidence.by_hour_of_week),
    ]
    row: list[Cell] = [
        signal.name,
        words.comparison_words(signal),
        words.ruled_out_words(signal),
        words.tolerated_words(signal),
        _shown(signal.shown),
        "; ".join(note for note in notes if note),
    ]
    if wide:
        row += [
            "gate" if signal.gate else "no gate",
            f"candidate {signal.candidate.total}, baseline {signal.baseline.total} counted",
        ]
    return row


def _shown(word: str) -> Text:
    return Text(word, style=_SHOWN.get(word, ""))


def standing_lines(rollout: Rollout, *, times: TimeFormat) -> list[str]:
    """Return what stopped a rollout, what it waits for and who can act."""
    lines = []
    if rollout.halt is not None:
        when = write_instant(rollout.halt.at, now=rollout.as_of, form=times)
        lines.append(f"  stopped     {when} by {rollout.halt.by}: {rollout.halt.because}")
    waiting = rollout.waiting_on
    if not rollout.is_final or (rollout.state == "completed" and not rollout.settled):
        text = f"  waiting on  {waiting.detail}"
        if waiting.until is not None:
            text += f"; until {_deadline(waiting.until, rollout, times)}"
        if waiting.who_can_act != "nobody":
            text += f" ({waiting.who_can_act} can act)"
        lines.append(text)
    approvals = rollout.approvals
    if approvals is not None:
        agreed = [one.by for one in approvals.given if one.is_yes]
        lines.append(
            f"  approvals   {approvals.name}: {len(agreed)} of {approvals.needed}"
            f" ({approvals.approvers}); given by {words.list_words(agreed)}"
        )
        lines += [
            f"  rejected    {approvals.name}: by {one.by}: {one.comment}"
            for one in approvals.given
            if not one.is_yes
        ]
    return lines


def entry_line(entry: Entry | Event, *, form: TimeFormat) -> str:
    """Return one fact of the ledger in one line, with the time of day where that says enough."""
    at = (
        words.clock_words(entry.at)
        if form is TimeFormat.RELATIVE
        else write_instant(entry.at, now=entry.at, form=form)
    )
    moved = entry.state_before != entry.state_after
    state = words.state_words(entry.state_after) if moved else "-"
    said = entry.because or entry.rule
    return f"{at}  {f'd-{entry.number}':<6}  {state:<11}  {said} ({entry.rule}, by {entry.actor})"


def _deadline(until: datetime, rollout: Rollout, times: TimeFormat) -> str:
    text = write_instant(until, now=rollout.as_of, form=times)
    return f"{words.clock_words(until)} ({text})" if times is TimeFormat.RELATIVE else text


def _phase(phase: Phase) -> Text:
    mark = words.PHASE_MARKS[phase.state]
    bake = words.duration_words(phase.bake_seconds)
    if phase.state != "now" or phase.baked_seconds is None:
        style = {"done": "green", "stopped": "red", "now": "bold"}.get(phase.state, "dim")
        return Text(f"{mark} {phase.name} {bake}", style=style)
    share = min(1.0, phase.baked_seconds / phase.bake_seconds) if phase.bake_seconds else 1.0
    filled = int(share * BAR_WIDTH)
    bar = "#" * filled + "-" * (BAR_WIDTH - filled)
    baked = words.duration_words(phase.baked_seconds)
    return Text(f"{mark} {phase.name} {bar} {baked} of {bake}", style="bold")
