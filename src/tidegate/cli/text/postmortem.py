"""What people wrote into a postmortem, as lines of text."""

from collections.abc import Iterable

from rich.text import Text

from tidegate.api.postmortem_words import action_state_words
from tidegate.api.shapes.postmortem import Action, Factor, Postmortem, Suggestion
from tidegate.cli.text.columns import Cell, columns
from tidegate.cli.text.times import TimeFormat, write_instant


def factor_table(found: Postmortem, *, times: TimeFormat) -> list[Text | str]:
    """Return one line per factor, and what the draft suggests."""
    rows: list[list[Cell]] = [["FACTOR", "BY", "WRITTEN", "VERSION", "TEXT"]]
    rows += [
        [
            one.id,
            one.changed_by or one.by,
            write_instant(one.changed_at or one.at, now=found.as_of, form=times),
            str(one.version),
            _in_one_line(one.text),
        ]
        for one in found.factors
    ]
    return _table(rows, found.suggested_factors, "no contributing factors")


def action_table(found: Postmortem, *, times: TimeFormat) -> list[Text | str]:
    """Return one line per action, and what the draft suggests."""
    rows: list[list[Cell]] = [["ACTION", "STATE", "OWNER", "DUE", "WRITTEN", "VERSION", "TEXT"]]
    rows += [
        [
            one.id,
            action_state_words(one),
            one.owner,
            one.due.isoformat(),
            write_instant(one.changed_at or one.at, now=found.as_of, form=times),
            str(one.version),
            _in_one_line(one.text),
        ]
        for one in found.actions
    ]
    return _table(rows, found.suggested_actions, "no actions")


def factor_lines(factor: Factor) -> list[Text | str]:
    """Return a factor, with what should be said otherwise."""
    return [f"FACTOR {factor.id}  {_in_one_line(factor.text)}", *_findings(factor)]


def action_lines(action: Action) -> list[Text | str]:
    """Return an action with its owner and day, and what should be said otherwise."""
    return [
        f"ACTION {action.id}  {action_state_words(action)}: {_in_one_line(action.text)}"
        f"   owner: {action.owner}   due {action.due.isoformat()}",
        *_findings(action),
    ]


def removed_lines(removed: Factor) -> list[Text | str]:
    """Return that something is gone, and where it still is."""
    return [
        f"{removed.id} is removed. The ledger has what it said: {_in_one_line(removed.text)}",
    ]


def _table(rows: list[list[Cell]], suggested: Iterable[Suggestion], none: str) -> list[Text | str]:
    lines: list[Text | str] = [*columns(rows)] if len(rows) > 1 else [none]
    return lines + [f"  suggested ({one.key}): {one.text}" for one in suggested]


def _findings(item: Factor) -> list[Text | str]:
    return [f'  "{one.wording}" {one.instead}' for one in item.findings]


def _in_one_line(text: str) -> str:
    return " ".join(text.split())
