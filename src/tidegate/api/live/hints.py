"""
Hints: one line for each new entry of the ledger, in the form of server-sent events.

Rule: a hint says that something happened, to what, and why in a sentence. Whoever gets one looks again;
nothing is decided or shown by a hint alone, so one that is missed or comes twice does no harm.

Pure, but for reading what an entry is of. The form: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple

from tidegate.domain.access.model import Resource
from tidegate.domain.access.permissions import Permission
from tidegate.ports.store import LedgerEntry, Transaction
from tidegate.usecases.reading import Need, need_of_entry

RETRY_MILLISECONDS: Final = 2000
"""After how long a browser that lost its stream asks for another one."""


class Topic(StrEnum):
    """What a hint is about: the name of its event."""

    ROLLOUT = "rollout"
    """A decision or command about one rollout, and anything else that is of one."""
    APPROVAL = "approval"
    STOP = "stop"
    FREEZE = "freeze"
    EMERGENCY = "emergency"
    GATE = "gate"
    SERVICE = "service"
    """Anything else that is of one service."""
    OTHER = "other"
    """Anything else: who may do what, heads of the ledger."""


TOPIC_OF_RULE: Final[Mapping[str, Topic]] = {
    "approve": Topic.APPROVAL,
    "reject": Topic.APPROVAL,
    "give-stop-order": Topic.STOP,
    "lift-stop-order": Topic.STOP,
    "add-freeze": Topic.FREEZE,
    "lift-freeze": Topic.FREEZE,
    "except-from-calendar": Topic.FREEZE,
    "declare-emergency": Topic.EMERGENCY,
    "approve-emergency": Topic.EMERGENCY,
    "close-emergency": Topic.EMERGENCY,
    "drill-emergency": Topic.EMERGENCY,
    "deferred-gate": Topic.EMERGENCY,
    "waive-debt": Topic.EMERGENCY,
    "gate": Topic.GATE,
    "submit-evidence": Topic.GATE,
    "check-gates": Topic.GATE,
    "waive-gate": Topic.GATE,
}
"""By the rule or verb of an entry; the others are of what they name."""

CHANGES_ACCESS: Final = frozenset({"grant-role", "revoke-grant", "revoke-token", "end-session"})
"""After these nobody is told anything before it was looked up anew what they may see."""

_HOLDS_MANY: Final = frozenset({Topic.STOP, Topic.FREEZE})
"""What everyone sees whom it holds, whether or not they may read the ledger."""


class Narrowing(NamedTuple):
    """
    What a page is about; empty for anything. What holds many concerns each of them too.

    `service` is that of `rollout` where a rollout is named.
    """

    rollout: str = ""
    service: str = ""


@dataclass(frozen=True, slots=True)
class Hint:
    """
    One entry of the ledger as a page is told of it.

    `need` is what it takes to be told, None for whoever may read their own organisation; `need_text` is
    the same as text, which is looked up faster. `frame` is what is sent.
    """

    number: int
    rollout: str
    service: str
    need: Need | None
    need_text: str
    changes_access: bool
    frame: bytes

    def concerns(self, page: Narrowing) -> bool:
        """Return whether a page about *page* has to look again."""
        if self.rollout and page.rollout:
            return self.rollout == page.rollout
        return not page.service or self.service in ("", page.service)


def hint_of(transaction: Transaction, entry: LedgerEntry) -> Hint:
    """Return the hint about *entry*."""
    topic = topic_of(entry)
    need = _need_of_hint(transaction, entry, topic)
    said = {
        "rollout": entry.rollout_id,
        "service": entry.service,
        "kind": entry.kind,
        "rule": entry.rule,
        "state_before": entry.state_before,
        "state_after": entry.state_after,
        "because": entry.because,
    }
    return Hint(
        number=entry.number,
        rollout=entry.rollout_id,
        service=entry.service,
        need=need,
        need_text=repr(need),
        changes_access=entry.rule in CHANGES_ACCESS,
        frame=event(topic, said, number=entry.number),
    )


def topic_of(entry: LedgerEntry) -> Topic:
    """Return what *entry* is about."""
    # A decision has rules of its own, of which some sound like a verb: it is of its rollout.
    known = None if entry.kind == "decision" else TOPIC_OF_RULE.get(entry.rule)
    if known is not None:
        return known
    if entry.rollout_id:
        return Topic.ROLLOUT
    return Topic.SERVICE if entry.service else Topic.OTHER


def hello(position: int, *, newest: int, at: datetime) -> bytes:
    """
    Return how a stream begins.

    Its id is *position*, behind which the stream goes on, and not *newest*: a stream that breaks before
    the first hint would otherwise be taken up too late.
    """
    said = {"number": newest, "at": at.isoformat()}
    return f"retry: {RETRY_MILLISECONDS}\n".encode() + event("hello", said, number=position)


def reset(newest: int) -> bytes:
    """Return the word that too much was missed: the page is to be fetched anew, as of *newest*."""
    return event("reset", {"number": newest}, number=newest)


def beat(position: int) -> bytes:
    """Return what is sent when there is nothing to say. No event: it only moves the id."""
    return f": beat\nid: {position}\n\n".encode()


def event(name: str, said: Mapping[str, Any], *, number: int) -> bytes:
    """Return one event. JSON has no line ends outside its escapes, so the data is one line."""
    data = json.dumps(said, ensure_ascii=False, separators=(",", ":"))
    return f"id: {number}\nevent: {name}\ndata: {data}\n\n".encode()


def _need_of_hint(transaction: Transaction, entry: LedgerEntry, topic: Topic) -> Need | None:
    if topic not in _HOLDS_MANY or entry.rollout_id or entry.service:
        return need_of_entry(transaction, entry)
    details = json.loads(entry.details_json or "{}")
    if "organisation" not in details:
        return need_of_entry(transaction, entry)
    organisation = details["organisation"]
    if organisation is None:
        return None
    return Need(Permission.READ, Resource(organisation=organisation))
