"""Alarms as lines of text."""

from datetime import datetime

from rich.text import Text

from tidegate.api import words
from tidegate.api.shapes.alarms import Alarm, AlarmAnswer, Alarms
from tidegate.cli.text.columns import Cell, columns
from tidegate.cli.text.times import TimeFormat, write_instant


def alarm_table(found: Alarms, *, times: TimeFormat) -> list[Text | str]:
    """Return one line per alarm."""
    if not found.alarms:
        return ["no alarms"]
    rows: list[list[Cell]] = [
        ["ALARM", "SEVERITY", "SERVICE", "TARGET", "SINCE", "FROM", "STATE", "SAYS"]
    ]
    rows += [
        [
            alarm.id,
            alarm.severity,
            alarm.service or "-",
            alarm.target or "-",
            write_instant(alarm.raised_at, now=found.as_of, form=times),
            alarm.source,
            _state(alarm, found.as_of, times),
            alarm.summary,
        ]
        for alarm in found.alarms
    ]
    return [*columns(rows)]


def answer_lines(answer: AlarmAnswer) -> list[Text | str]:
    """Return what raising or resolving an alarm did, and what to do next."""
    alarm = answer.alarm
    where = "/".join(part for part in (alarm.service, alarm.target) if part) or "no service"
    lines: list[Text | str] = [f"{alarm.severity} {alarm.id} for {where}: {alarm.summary}"]
    for what, rollouts in (
        ("halted and withdrawn", answer.halted),
        ("held until it is resolved", answer.held),
        ("goes on", answer.released),
    ):
        if rollouts:
            lines.append(f"{what}: {words.list_words(rollouts)}")
    if not (answer.halted or answer.held or answer.released):
        lines.append("no rollout was stopped or let go on by it")
    if alarm.resolved_at is None:
        lines.append(f'When it is over: tidegate alarm resolve {alarm.id} --reason ".."')
    else:
        lines.append(f"resolved by {alarm.resolved_by}: {alarm.resolution}")
    return lines


def _state(alarm: Alarm, now: datetime, times: TimeFormat) -> str:
    if alarm.resolved_at is None:
        return "active"
    return f"resolved {write_instant(alarm.resolved_at, now=now, form=times)}"
