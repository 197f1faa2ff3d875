"""Why a rollout is where it is, and a decision with its inputs, as text."""

from rich.text import Text

from tidegate.api import words
from tidegate.api.shapes.ledger import Decision, Replay, Why
from tidegate.api.shapes.rollout import Rollout
from tidegate.cli.text.gates import gate_lines
from tidegate.cli.text.rollout import (
    entry_line,
    evidence_lines,
    exposure_lines,
    headline,
    state_text,
)
from tidegate.cli.text.times import TimeFormat, write_instant

_MEANS = {
    "planned": "It has not begun and nothing of it is served; it begins when its turn comes.",
    "waiting": "Nothing rises before what it waits for has come.",
    "applying": "The targets were told and don't all serve it yet.",
    "baking": "It is watched; it goes on when time and evidence are enough.",
    "held": "It will not advance and has not been rolled back. Harm would still halt it.",
    "halted": "Exposure only falls from here, until somebody resumes it with a reason.",
    "recovering": "Everything goes back to what was served before.",
    "completed": "Everyone is served the new version.",
    "rolled_back": "Everyone is served what was served before.",
    "superseded": "A newer change took its place; nothing of it was served.",
    "abandoned": "It was given up; everyone is served what was served before.",
}


def why_view(why: Why, *, wide: bool, times: TimeFormat) -> list[Text | str]:
    """Return *why* as text."""
    rollout = why.rollout
    since = write_instant(rollout.state_since, now=rollout.as_of, form=times)
    first = state_text(rollout.state)
    first.append(f" at {words.position_words(rollout)}, since {since}.", style="default")
    means = "Everyone is served the earlier version." if _went_back(rollout) else None
    lines: list[Text | str] = [headline(rollout), first, means or _MEANS.get(rollout.state, "")]
    reasons = _reasons(why)
    if reasons:
        lines += ["Because", *(f"  {reason}" for reason in reasons)]
    brought = why.brought_here_by
    if brought is not None:
        lines += ["Came here by", f"  {entry_line(brought, form=times)}"]
    evidence = evidence_lines(why.evidence, wide=wide)
    if evidence:
        lines += ["Evidence", *evidence]
    targets = exposure_lines(rollout)
    if targets:
        lines += ["Targets", *targets]
    if why.gates and not rollout.is_final:
        lines += ["Gates", *gate_lines(why.gates, now=rollout.as_of, times=times)]
    can = _commands(rollout)
    if can:
        lines += ["You can", *can]
    last = why.last_decision
    if last is not None:
        lines.append(
            f"Decision d-{last.number}, rule {last.rule}."
            f"  Make it again yourself: tidegate why d-{last.number} --replay"
        )
    return lines


def decision_view(decision: Decision, *, wide: bool, times: TimeFormat) -> list[Text | str]:
    """Return one decision with what it was made from."""
    entry = decision.entry
    lines: list[Text | str] = [
        f"{entry.service}  rollout {entry.rollout}",
        entry_line(entry, form=times),
    ]
    if decision.inputs is None:
        lines.append(f"A command of {entry.actor}; no rule made it.")
        return lines
    inputs = decision.inputs
    lines += [
        f"Decided  {decision.action} by rule {entry.rule}",
        f"Inputs   phase {inputs.phase}, revision {inputs.revision}, attempt {inputs.attempt},"
        f" at {inputs.now.isoformat()}",
    ]
    for one in inputs.placements:
        lines.append(
            f"  {one.component} on {one.target}: set {words.set_words(one)},"
            f" seen {words.actual_words(one)}" + (f" ({one.why_not})" if one.why_not else "")
        )
    lines += evidence_lines(inputs.evidence, wide=wide)
    lines.append(f"Make it again yourself: tidegate why d-{entry.number} --replay")
    return lines


def replay_view(replay: Replay) -> list[Text | str]:
    """Return a decision made again."""
    entry = replay.entry
    same = replay.same_decision and replay.same_evidence is not False
    evidence = {
        None: "it rested on no ticks",
        True: f"evidence from {replay.ticks} stored ticks is the same",
        False: f"evidence from {replay.ticks} stored ticks differs",
    }[replay.same_evidence]
    verdict = Text("the same" if same else "NOT the same", style="green" if same else "bold red")
    head = Text(f"d-{entry.number}, rule {entry.rule}, made again from what was stored: ")
    head.append_text(verdict)
    return [
        head,
        f"  {evidence}",
        f"  decided {replay.action}: {replay.because}",
        *(f"  differs: {difference}" for difference in replay.differences),
    ]


def _reasons(why: Why) -> list[str]:
    """Return the reasons of now, each once: one that is part of another says nothing more."""
    rollout = why.rollout
    reasons = [] if rollout.halt is None else [rollout.halt.because]
    if not rollout.is_final:
        reasons.append(rollout.waiting_on.detail)
        reasons += why.evidence.reasons if why.evidence.in_force else []
    distinct = list(dict.fromkeys(reason for reason in reasons if reason))
    return [
        reason
        for reason in distinct
        if not any(reason in other for other in distinct if other != reason)
    ]


def _commands(rollout: Rollout) -> list[str]:
    commands = {
        "halt": (f"tidegate halt {rollout.id}", "stop it and withdraw the candidate, at once"),
        "resume": (f'tidegate resume {rollout.id} --reason ".."', "prove the phase again"),
        "approve": (f"tidegate approve {rollout.id}", "agree to the next phase"),
        "reject": (f'tidegate reject {rollout.id} --comment ".."', "say no to the next phase"),
        "rollback": (f"tidegate rollback {rollout.id}", "bring back what was served before"),
        "abandon": (f'tidegate rollout abandon {rollout.id} --reason ".."', "give it up for good"),
    }
    width = max((len(commands[action][0]) for action in rollout.actions), default=0)
    return [
        f"  {commands[action][0]:<{width}}  {commands[action][1]}" for action in rollout.actions
    ]


def _went_back(rollout: Rollout) -> bool:
    return rollout.is_return and rollout.state == "rolled_back"
