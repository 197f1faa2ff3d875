"""
A postmortem in words: for its page, and as Markdown for wherever a team keeps its reviews.

Rule: made from the shape alone, so that the page and the command line say the same.
"""

from collections.abc import Iterable

from tidegate.api import words
from tidegate.api.shapes.postmortem import Action, Guard, Impact, Moment, Postmortem

UNKNOWN = "not on record"


def title_words(draft: Postmortem) -> str:
    """Return what the postmortem is about."""
    return f"{draft.service} {words.change_words(draft.change)}"


def length_words(seconds: float | None) -> str:
    """Return a length of time, or that it isn't known."""
    if seconds is None:
        return UNKNOWN
    return f"{seconds:.1f} s" if seconds < 10 else words.duration_words(seconds)


def share_words(bps: int | None) -> str:
    """Return a share of users."""
    return "" if bps is None else words.exposure_words(internal=False, bps=bps)


def impact_words(impact: Impact) -> str:
    """Return what users had by one signal."""
    said = f"{impact.bad:,} of {impact.served:,} were bad"
    if impact.excess is None:
        return f"{said}; nothing beside it to compare with"
    return f"{said}, about {impact.excess:,.0f} more than at the baseline's rate"


def summary_words(draft: Postmortem) -> str:
    """Return the whole in a few sentences."""
    stopped = "It was not stopped by a rule or a person."
    if draft.stopped_because is not None:
        stopped = f"It was stopped: {draft.stopped_because}."
    return (
        f"The change reached {share_words(draft.most_exposed_bps)} of users. {stopped}"
        f" From the first exposure to the stop: {length_words(draft.exposed_until_halt_seconds)}."
        f" From the stop until nobody was exposed:"
        f" {length_words(draft.halt_until_withdrawn_seconds)}."
    )


def replay_words(draft: Postmortem) -> str:
    """Return what came of making the decisions again."""
    if not draft.replayed:
        return "No decision of a rule is on record."
    same = sum(one.is_same for one in draft.replayed)
    said = f"{same} of {len(draft.replayed)} decisions come out the same when made again"
    if draft.not_replayed:
        said += f"; {draft.not_replayed} earlier ones were left out"
    return said + "."


def findings_words(draft: Postmortem) -> str:
    """Return how much should be said otherwise; empty when nothing should."""
    if not draft.findings:
        return ""
    one = draft.findings == 1
    return f"{draft.findings} {'wording' if one else 'wordings'} to say otherwise"


def written_words(draft: Postmortem) -> str:
    """Return how much people wrote, and how much of it is still to be done."""
    left = sum(not one.is_done for one in draft.actions)
    factors, actions = len(draft.factors), len(draft.actions)
    return (
        f"{factors} contributing {'factor' if factors == 1 else 'factors'},"
        f" {actions} {'action' if actions == 1 else 'actions'}"
        + (f" of which {left} {'is' if left == 1 else 'are'} open" if actions else "")
    )


def action_state_words(action: Action) -> str:
    """Return how an action stands."""
    if action.is_done:
        return "done"
    return "overdue" if action.is_overdue else "open"


def markdown(draft: Postmortem) -> str:
    """Return the postmortem as Markdown; what nobody wrote yet has its place."""
    parts = [
        f"# Postmortem (draft): {_plain(title_words(draft))}",
        f"Rollout {draft.rollout}, {words.state_words(draft.state)}. Made from the ledger"
        f" {draft.as_of.isoformat(timespec='seconds')}. People are roles.",
        f"## Summary\n\n{_plain(summary_words(draft))}",
        "## Impact\n\n"
        + _list(f"{_plain(one.signal)}: {impact_words(one)}" for one in draft.impacts),
        "## What caught it, and what didn't\n\n" + _list(_guard(one) for one in draft.guards),
        "## Timeline\n\n"
        + "| When (UTC) | Who | What | State | Exposed | Entry |\n|---|---|---|---|---|---|\n"
        + "\n".join(_row(one) for one in draft.timeline),
        f"## Replay\n\n{replay_words(draft)}",
        "## Contributing factors\n\n"
        + ("\n".join(f"- {_plain(one.text)}" for one in draft.factors) or "- "),
        "## Actions\n\n| Action | Owner | Due | State |\n|---|---|---|---|\n"
        + ("\n".join(_action(one) for one in draft.actions) or "| | | | |"),
    ]
    return "\n\n".join(parts) + "\n"


def _list(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines) or f"- {UNKNOWN}"


def _guard(guard: Guard) -> str:
    return f"{_plain(guard.signal)} {guard.caught} ({_plain(guard.detail)})"


def _row(moment: Moment) -> str:
    cells = (
        words.clock_words(moment.at),
        moment.who,
        moment.what,
        words.state_words(moment.state) if moment.is_change else "",
        share_words(moment.exposure_bps),
        f"d-{moment.number}",
    )
    return "| " + " | ".join(_plain(cell) for cell in cells) + " |"


def _action(action: Action) -> str:
    cells = (action.text, action.owner, action.due.isoformat(), action_state_words(action))
    return "| " + " | ".join(_plain(cell) for cell in cells) + " |"


def _plain(text: str) -> str:
    """Return *text* so that Markdown takes it as text: no cell ends, no tag, link or picture begins."""
    kept = " ".join(text.split())
    for mark in "\\|<>[]`*_":
        kept = kept.replace(mark, f"\\{mark}")
    return kept
