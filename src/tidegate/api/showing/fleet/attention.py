"""What needs a person and what is decided next, as cards: made from needs and forecasts, in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import quote

from tidegate.api.showing.fleet.rows import change_words
from tidegate.domain.plan.model import Phase
from tidegate.domain.quantities import FULL_WEIGHT_BPS, RolloutId, format_bps
from tidegate.domain.rollout.model import Rollout
from tidegate.domain.rollout.seen import valid_approvals
from tidegate.usecases.fleet_needs import Need, NeedKind
from tidegate.usecases.fleet_next import NextDecision, Outlook

LONGEST_WHY: Final = 240

_LABELS: Final = {
    NeedKind.HALTED: "halted",
    NeedKind.UNDECIDED: "undecided",
    NeedKind.APPROVAL: "approval",
    NeedKind.HELD: "held",
    NeedKind.STOP_ORDER: "stop order",
    NeedKind.DEBT: "debt overdue",
    NeedKind.BLOCKED: "waits for an operator",
    NeedKind.QUEUE: "stuck in the queue",
}
_STATES: Final = {
    NeedKind.HALTED: "halted",
    NeedKind.UNDECIDED: "held",
    NeedKind.APPROVAL: "waiting",
    NeedKind.HELD: "held",
    NeedKind.STOP_ORDER: "halted",
    NeedKind.DEBT: "held",
    NeedKind.BLOCKED: "waiting",
    NeedKind.QUEUE: "planned",
}
_ACTIONS: Final = {
    NeedKind.HALTED: "Roll back or resume",
    NeedKind.UNDECIDED: "Decide",
    NeedKind.APPROVAL: "Look and approve",
    NeedKind.HELD: "See why",
    NeedKind.STOP_ORDER: "Lift it",
    NeedKind.DEBT: "Settle it",
    NeedKind.BLOCKED: "See why",
    NeedKind.QUEUE: "See what is before it",
}
_OUTLOOKS: Final = {
    Outlook.LIKELY: "likely go",
    Outlook.NEEDS_TIME: "needs longer",
    Outlook.APPROVAL: "approval",
    Outlook.NO_PROOF: "no proof in sight",
    Outlook.UNKNOWN: "unknown",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NeedCard:
    """
    One thing that needs a person.

    `state` is how it is marked and coloured. `note` says whose it is, where not everybody's.
    """

    id: str
    state: str
    label: str
    title: str
    change: str
    why: str
    since: datetime
    until: datetime | None
    note: str
    is_theirs: bool
    action: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NextCard:
    """One decision ahead: from where to where, when, and what it will most likely be."""

    id: str
    service: str
    address: str
    change: str
    comes_from: str
    goes_to: str
    at: datetime | None
    outlook: str
    label: str
    because: str


def need_card(need: Need, why_not: Mapping[RolloutId, str], *, can_lift: bool) -> NeedCard:
    """
    Return *need* as a card.

    Args:
        need: What needs a person.
        why_not: For each rollout that waits for approval why whoever looks can't give it.
        can_lift: Whether whoever looks may lift stop orders.
    """
    rollout = need.rollout
    note, is_theirs = _whose(need, why_not, can_lift)
    return NeedCard(
        id=_id(need),
        state=_STATES[need.kind],
        label=_label(need),
        title=need.service or "Everything that it covers",
        change="" if rollout is None else change_words(rollout)[0],
        why=_cut(need.why),
        since=need.since,
        until=need.until,
        note=note,
        is_theirs=is_theirs,
        action=_ACTIONS[need.kind] if is_theirs else "Open",
        address=_address(need),
    )


def next_card(ahead: NextDecision) -> NextCard:
    """Return *ahead* as a card."""
    rollout = ahead.rollout
    comes_from = _exposure_words(rollout.phase)
    if ahead.to is rollout.phase:
        # It waits for that phase: what it leaves is the one before.
        before = rollout.plan.phases[rollout.phase_index - 1] if rollout.phase_index else None
        comes_from = "nobody" if before is None else _exposure_words(before)
    return NextCard(
        id=f"next-{rollout.id}",
        service=rollout.service,
        address=_rollout_address(rollout),
        change=change_words(rollout)[0],
        comes_from=comes_from,
        goes_to="complete" if ahead.to is None else _exposure_words(ahead.to),
        at=ahead.at,
        outlook=ahead.outlook.value,
        label=_OUTLOOKS[ahead.outlook],
        because=_cut(ahead.because),
    )


def sorted_cards(cards: Sequence[NeedCard]) -> list[NeedCard]:
    """Return *cards* with approvals that are somebody else's last; else as they were."""
    return sorted(cards, key=lambda card: not card.is_theirs and card.label.startswith("approval"))


def _whose(need: Need, why_not: Mapping[RolloutId, str], can_lift: bool) -> tuple[str, bool]:
    if need.kind is NeedKind.APPROVAL and need.rollout is not None:
        because = why_not.get(need.rollout.id, "whose it is isn't known")
        return (f"not yours: {because}", False) if because else ("yours", True)
    if need.kind is NeedKind.STOP_ORDER:
        return ("", True) if can_lift else ("not yours to lift", False)
    return "", True


def _label(need: Need) -> str:
    rollout = need.rollout
    if need.kind is not NeedKind.APPROVAL or rollout is None:
        return _LABELS[need.kind]
    given = sum(1 for one in valid_approvals(rollout, rollout.phase_index) if one.is_yes)
    return f"approval: {rollout.phase.name}, {given} of {rollout.phase.approvals}"


def _id(need: Need) -> str:
    if need.order is not None:
        return f"need-order-{need.order.number}"
    if need.debt is not None:
        return f"need-debt-{need.debt.id}"
    return f"need-{need.rollout.id if need.rollout else ''}"


def _address(need: Need) -> str:
    if need.order is not None:
        return f"/emergency#order-{need.order.number}"
    if need.rollout is not None:
        return _rollout_address(need.rollout)
    if need.debt is not None and need.debt.rollout_id is not None:
        return f"/rollouts/{quote(need.debt.rollout_id, safe='')}"
    return f"/services/{quote(need.service or '', safe='')}"


def _rollout_address(rollout: Rollout) -> str:
    return f"/rollouts/{quote(rollout.id, safe='')}"


def _exposure_words(phase: Phase) -> str:
    """Return a phase by its name, with its largest exposure where the name doesn't say it."""
    largest = max((move.exposure.weight_bps for move in phase.moves), default=0)
    share = format_bps(largest) if largest else "internal"
    is_said = share in phase.name or (largest == FULL_WEIGHT_BPS and phase.name == "all")
    return phase.name if is_said else f"{phase.name} ({share})"


def _cut(words: str) -> str:
    return words if len(words) <= LONGEST_WHY else f"{words[: LONGEST_WHY - 1]}…"
