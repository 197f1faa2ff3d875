"""What waits for an approval as lines of text."""

from datetime import datetime

from rich.text import Text

from tidegate.api import words
from tidegate.api.shapes.approvals import Awaited, AwaitedApprovals, Word
from tidegate.cli.text.columns import Cell, columns
from tidegate.cli.text.times import TimeFormat, write_instant


def approval_table(found: AwaitedApprovals, *, times: TimeFormat) -> list[Text | str]:
    """Return one line per phase that has to be agreed to."""
    if not found.approvals:
        return ["nothing waits for an approval"]
    rows: list[list[Cell]] = [
        ["ROLLOUT", "SERVICE", "CHANGE", "PHASE", "NEEDS", "GIVEN", "SINCE", "LAPSES", "YOU"]
    ]
    rows += [
        [
            one.rollout,
            one.service,
            words.change_words(one.change),
            f"{one.phase_name}: {one.exposure}",
            f"{one.needed} of {one.approvers}",
            _given(one),
            write_instant(one.since, now=found.as_of, form=times) if one.is_due else "not yet due",
            "-"
            if one.deadline is None
            else write_instant(one.deadline, now=found.as_of, form=times),
            "may approve" if one.you_may else f"can't: {one.why_you_may_not}",
        ]
        for one in found.approvals
    ]
    return [*columns(rows)]


def approval_card(one: Awaited, *, now: datetime, times: TimeFormat) -> list[Text | str]:
    """Return all that is known of one phase that has to be agreed to."""
    may = f"any of {one.approvers}" if one.may is None else words.list_words(one.may)
    lines: list[Text | str] = [
        f"{one.service} {words.change_words(one.change)}   rollout {one.rollout}",
        f"  next     phase {one.phase}, {one.phase_name}: {one.exposure}"
        f" in {words.list_words(one.environments)}",
        f"  why      {one.why}",
        f"  who can  {may}; not {words.list_words(one.authors)}: it is their own change",
        f"  so far   {one.counting} of {one.needed} count",
    ]
    lines += [f"           {_word(word, now, times)}" for word in one.words]
    lines.append(
        f'  you      may: tidegate approve {one.rollout}, or tidegate reject {one.rollout} --comment ".."'
        if one.you_may
        else f"  you      can't approve: {one.why_you_may_not}"
    )
    return lines


def _given(one: Awaited) -> str:
    said = [
        f"{word.person or word.by}" + ("" if word.is_yes else " said no")
        for word in one.words
        if word.void_because is None
    ]
    void = sum(word.void_because is not None for word in one.words)
    return words.list_words([*said, f"{void} void"] if void else said)


def _word(word: Word, now: datetime, times: TimeFormat) -> str:
    under = "" if word.person in (None, word.by) else f" (as {word.by})"
    said = "approved" if word.is_yes else "rejected"
    line = f"{word.person or word.by}{under} {said} {write_instant(word.at, now=now, form=times)}"
    if word.comment:
        line += f": {word.comment}"
    if word.void_because is not None:
        return f"{line}; doesn't count: {word.void_because}"
    if word.expires_at is not None:
        line += f"; lapses {write_instant(word.expires_at, now=now, form=times)}"
    return line
