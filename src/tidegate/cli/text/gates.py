"""Gates as lines of text."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from rich.text import Text

from tidegate.api import words
from tidegate.api.shapes.gates import EvidenceSubmitted, Gate, Gates
from tidegate.cli.text.columns import Cell, columns
from tidegate.cli.text.times import TimeFormat, write_instant

_STYLES: Final = {"green": "green", "red": "bold red"}


def gate_view(found: Gates, *, times: TimeFormat) -> list[Text | str]:
    """Return the gates of a rollout, and below what there is to do."""
    if not found.gates:
        return [f"rollout {found.rollout} of {found.service} has no gates"]
    head = f"{found.service}  rollout {found.rollout}"
    return [head, *gate_lines(found.gates, now=found.as_of, times=times)]


def gate_lines(gates: Sequence[Gate], *, now: datetime, times: TimeFormat) -> list[Text | str]:
    """Return one line per gate, and one for each with something to do."""
    rows: list[list[Cell]] = [["GATE", "BEFORE", "STATE", "GOOD UNTIL", "BECAUSE"]]
    rows += [
        [
            gate.name,
            _before(gate),
            _state(gate),
            "-" if gate.expires_at is None else write_instant(gate.expires_at, now=now, form=times),
            gate.because,
        ]
        for gate in gates
    ]
    todo = [f"  {gate.name}: {gate.what_to_do}" for gate in gates if gate.what_to_do]
    return [*columns(rows, indent="  "), *(["To do", *todo] if todo else [])]


def submitted_lines(given: EvidenceSubmitted) -> list[Text | str]:
    """Return what was submitted, about what, and who looks at it."""
    document = given.document
    lines: list[Text | str] = [
        f"{document.name} ({document.size} bytes, {document.digest}) is on file",
        f"  for gate {given.gate} of {given.service}, about {words.change_words(given.change)}",
    ]
    if not given.is_asked_for:
        lines.append(
            f"  The latest tidegate.yaml of {given.service} that the server knows has no gate"
            f" {given.gate}: nothing reads it until one does."
        )
    if given.rollouts:
        lines.append(f"  looked at now: rollout {words.list_words(given.rollouts)}")
    return lines


def _before(gate: Gate) -> str:
    if gate.deferred:
        return "nothing (put off)"
    if gate.moment == "before_start":
        return "the start"
    return words.list_words(gate.phases) if gate.phases else "every phase"


def _state(gate: Gate) -> Text:
    if not gate.in_question:
        return Text(f"{gate.state}, not asked now", style="dim")
    return Text(gate.state, style=_STYLES.get(gate.state, "yellow"))
