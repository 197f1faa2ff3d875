"""
Who must still say yes to an emergency, and what may be started under it. Pure.

Persons are counted, not names. The one who declares may be one of those that the protocol asks for, and
is never enough: somebody else has to agree.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

from tidegate.domain.conditions.judge import judge
from tidegate.domain.conditions.model import Mistake
from tidegate.domain.conditions.parse import parse, parse_literal
from tidegate.domain.durations import rough_duration
from tidegate.domain.emergency.model import Emergency
from tidegate.domain.emergency.protocol import EmergencyProtocol
from tidegate.domain.quantities import ServiceName


def unmet_criteria(
    protocol: EmergencyProtocol, facts: Iterable[tuple[str, str]]
) -> tuple[str, ...]:
    """
    Return which parts of the criteria aren't met by *facts* (literals by name); empty when all are.

    Unknown isn't met. A literal that can't be read is no fact.
    """
    criteria = parse(protocol.criteria)
    assert not isinstance(criteria, Mistake), "a protocol's criteria can be read"
    return judge(criteria, _values(facts)).unmet


def _values(facts: Iterable[tuple[str, str]]) -> Mapping[str, object]:
    read = {name: parse_literal(text) for name, text in facts}
    return {name: value for name, value in read.items() if not isinstance(value, Mistake)}


def persons_agreed(emergency: Emergency) -> tuple[str, ...]:
    """Return the persons whose yes counts, in the order in which they gave it."""
    declarer = (emergency.declared_person,) if emergency.declarer_counts else ()
    others = (
        word.person for word in emergency.approvals if word.person != emergency.declared_person
    )
    return tuple(dict.fromkeys((*declarer, *others)))


def persons_missing(emergency: Emergency) -> int:
    """Return how many more persons must agree; at least one as long as only the declarer has."""
    agreed = persons_agreed(emergency)
    others = [person for person in agreed if person != emergency.declared_person]
    return max(emergency.protocol.persons - len(agreed), 0 if others else 1)


def is_eligible(groups: Iterable[str], names: tuple[str, ...]) -> bool:
    """Return whether somebody in *groups* is one of those that *names* ask for; no names ask for all."""
    return not names or bool(set(groups) & set(names))


def refusal_to_approve(emergency: Emergency, person: str, now: datetime) -> str:
    """Return why *person* can't agree to it at *now*, in words; empty when they can."""
    if not emergency.is_open:
        return "it is closed"
    if now >= emergency.expires_at:
        return _expired(emergency, now)
    if person == emergency.declared_person:
        return f"{person} declared it, and somebody else has to agree"
    if person in persons_agreed(emergency):
        return f"{person} has agreed already"
    return ""


def refusal_to_start(
    emergency: Emergency, *, service: ServiceName, change_digest: str, now: datetime
) -> str:
    """
    Return why nothing, or not this, can be started under it at *now*, in words; empty when it can.

    What is authorised is one change of one service by digest, for a time.
    """
    if not emergency.is_open:
        return "it is closed"
    missing = persons_missing(emergency)
    if emergency.authorised_at is None or missing:
        return f"{missing or 1} more must agree to it"
    if now >= emergency.expires_at:
        return _expired(emergency, now)
    if service != emergency.service:
        return f"it is about {emergency.service}, not {service}"
    if change_digest != emergency.change_digest:
        return "it was declared for another change: what was agreed to is pinned by digest"
    return ""


def _expired(emergency: Emergency, now: datetime) -> str:
    return f"it expired {rough_duration(now - emergency.expires_at)} ago"
