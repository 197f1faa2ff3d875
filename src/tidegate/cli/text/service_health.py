"""The health of a service as text: the tree with states and reasons, what sources gave, the past."""

from collections.abc import Iterator, Sequence
from typing import Final

from rich.text import Text

from tidegate.api import words
from tidegate.api.shapes.service_health import (
    Answer,
    HealthTest,
    Node,
    ServiceHealth,
    SignalHistory,
    SignalPast,
)
from tidegate.cli.text.columns import Cell, columns

_STYLES: Final = {
    "healthy": "green",
    "degraded": "yellow",
    "unhealthy": "bold red",
    "unknown": "bold magenta",
}
_MARKS: Final = {"healthy": "o", "degraded": "~", "unhealthy": "x", "unknown": "?"}
"""States differ by a mark and a word, so that colour is never the only sign."""


def health_view(found: ServiceHealth, *, when: str, without_rollout: str = "") -> list[Text | str]:
    """
    Return the state of the service, why, and the tree of its nodes.

    *when* says how old it is, *without_rollout* what else can be done where no rollout is under way.
    """
    headline = Text(f"{found.service}  ")
    headline.append_text(_state(found.health))
    headline.append(f"   {when}", style="dim")
    rests_on = words.list_words(found.rollouts)
    basis = (
        f"Rests on  rollout {rests_on}"
        if found.rollouts
        else f"No rollout is under way.{without_rollout}"
    )
    lines: list[Text | str] = [headline, basis]
    if found.because:
        lines += ["", "Why", *(f"  {sentence}" for sentence in found.because)]
    if found.explained_by:
        lines += ["", f"Not the service itself: {found.explained_by} explains its trouble."]
    return [*lines, "", *columns(_tree_rows(found)), *_signal_lines(found)]


def answers_view(tested: HealthTest, *, when: str) -> list[Text | str]:
    """Return what each source gave, what to do about what is wrong, and the health that this makes."""
    answers = tested.answers
    rows: list[list[Cell]] = [["SIGNAL", "TARGET", "SOURCE", "DATA", "MEASURED", "A ROLLOUT"]]
    rows += [
        [
            _marked(answer.signal, gate=answer.gate, shadow=answer.shadow),
            answer.target,
            answer.source,
            _quality(answer),
            answer.found,
            answer.effect or "goes on",
        ]
        for answer in answers
    ]
    lines: list[Text | str] = [*columns(rows)] if answers else ["no signal to ask"]
    fixes = dict.fromkeys(
        f"  {answer.signal} on {answer.target}: {answer.fix}" for answer in answers if answer.fix
    )
    if fixes:
        lines += ["", "What to do", *fixes]
    return [*lines, "", *health_view(tested.health, when=when)]


def history_view(history: SignalHistory) -> list[Text | str]:
    """Return what each signal would have done in the past."""
    rows: list[list[Cell]] = [["SIGNAL", "NOW", "IN THE PAST, ENFORCED ALONE"]]
    rows += [
        [one.signal, "in shadow" if one.shadow else "enforced", past_words(one)]
        for one in history.signals
    ]
    return [*columns(rows)]


def past_words(past: SignalPast) -> str:
    """Return what *past* shows in a sentence."""
    if past.ticks == 0:
        return "new: no rollout has watched it yet"
    plural = "" if past.rollouts == 1 else "s"
    watched = f"{past.rollouts} rollout{plural} ({past.ticks} ticks)"
    if not past.halted:
        return f"would have halted none of {watched}"
    halted = f"would have halted {len(past.halted)} of {watched}: {', '.join(past.halted)}"
    if not past.false_halts:
        return f"{halted}; none of those completed"
    return f"{halted}; {len(past.false_halts)} of those completed, so falsely"


def would_hold(answer: Answer) -> bool:
    """Return whether *answer* alone would hold or halt a rollout."""
    return bool(answer.effect) and not answer.effect.startswith("nothing")


def _tree_rows(found: ServiceHealth) -> list[list[Cell]]:
    rows: list[list[Cell]] = [["NODE", "STATE", "WHEN IT FAILS", "WHY"]]
    nodes = {node.name: node for node in found.nodes}
    shown: set[str] = set()
    for node, depth, impact in _walk(nodes, found.service):
        again = node.name in shown and bool(node.needs)
        shown.add(node.name)
        why = "; ".join(node.because) or _well(node)
        rows.append(
            [
                "  " * depth + node.name,
                _state(node.health, node.at_least),
                _IMPACTS.get(impact, ""),
                "(see above)" if again else why,
            ]
        )
    return rows


_IMPACTS: Final = {
    "outage": "outage above",
    "degraded": "degrades above",
    "none": "no harm above",
}


def _walk(nodes: dict[str, Node], root: str) -> Iterator[tuple[Node, int, str]]:
    """Yield each node below what needs it; what it needs in turn only where it comes first."""
    seen: set[str] = set()
    waiting = [(root, 0, "")]
    while waiting:
        name, depth, impact = waiting.pop()
        node = nodes[name]
        yield node, depth, impact
        if name not in seen:
            seen.add(name)
            waiting += [(need.node, depth + 1, need.impact) for need in reversed(node.needs)]


def _well(node: Node) -> str:
    count = len(node.signals)
    return f"{count} signal{'' if count == 1 else 's'} well" if count else ""


def _signal_lines(found: ServiceHealth) -> Sequence[Text | str]:
    rows: list[list[Cell]] = [["SIGNAL", "OF", "STATE", "WHY"]]
    rows += [
        [
            _marked(signal.name, gate=signal.gate, shadow=signal.shadow),
            node.name,
            _state(signal.health),
            signal.why,
        ]
        for node in found.nodes
        for signal in node.signals
    ]
    return ["", *columns(rows)] if len(rows) > 1 else []


def _marked(name: str, *, gate: bool, shadow: bool) -> str:
    return f"{name}{' (gate)' if gate else ''}{' (shadow)' if shadow else ''}"


def _state(state: str, at_least: str = "healthy") -> Text:
    text = f"{_MARKS.get(state, '?')} {state}"
    if state == "unknown" and at_least != "healthy":
        text += f", at least {at_least}"
    return Text(text, style=_STYLES.get(state, ""))


def _quality(answer: Answer) -> Text:
    good = answer.quality == "good"
    return Text(answer.quality.replace("_", " "), style="green" if good else "bold red")
